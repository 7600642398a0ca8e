"""What a training leaves to the machine: limit, models, image sizes and batches, chosen before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.config import Config, read_config
from pipeline.dataset import DataSet, load_dataset
from pipeline.device import pick_device
from pipeline.engine import Engine, pick_engine
from pipeline.finder import crop_sorted, read_cropper
from pipeline.jigsaw.starting import settle_start
from pipeline.memory import Room, choose_limit, format_bytes, measure_room
from pipeline.plan import Plan, backbone_key
from pipeline.settings import ClassifierSettings, DetectorSettings
from pipeline.starts import list_candidates
from pipeline.tune.facts import read_facts
from pipeline.tune.trials import Facts, Fit, Pins, Stage, TrainedPairs
from pipeline.tune.tuning import Request, Tuned, tune
from pipeline.weights import default_weights, has_pair, read_cards

_GPU_SECONDS = 2 * 3600.0
_MANY = 1000
"""Photos that prediction is tuned for where nobody knows yet how many there will be."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What ``cropsort tune`` says.

    Args:
        room: the device, as it is now.
        limit_bytes: memory that may be taken of it.
        stages: what was measured and chosen for each, by the keys of ``Plan.fits``, and for ``prediction``.
    """

    room: Room
    limit_bytes: int
    stages: Mapping[str, Tuned]


def advise(data_file: Path, *, memory: str | None, console: Console, retune: bool) -> Advice:
    """Measure and choose for all that a data set is trained and, where there is a pair, predicted with.

    Args:
        data_file: the data.yaml.
        memory: limit in the place of data.yaml's.
        console: told what is measured.
        retune: measure anew what was measured before.

    Raises:
        OutOfMemoryError: not even the smallest fits; says what would.
        CropsortError: data.yaml, photos, labels or weights cannot be worked with.
        ExceptionGroup: of ``CropsortError``, where there is more than one reason.
    """
    config = settle_start(read_config(data_file), data_file)
    if memory is not None:
        config = config.model_copy(update={"memory": memory})
    device = pick_device(config.device)
    room = measure_room(device)
    limit, _ = choose_limit(config.memory, room)
    dataset = crop_sorted(load_dataset(data_file, config), read_cropper(config), device, console)
    stages = tune_training(config, dataset, device, console, retune=retune)
    weights = default_weights(data_file)
    if has_pair(weights):
        stages["prediction"] = tune_prediction(
            [weights],
            engine=pick_engine(device),
            photos=_MANY,
            memory=config.memory,
            device=device,
            console=console,
            retune=retune,
        )
    return Advice(room, limit, stages)


def plan_training(
    config: Config,
    dataset: DataSet,
    device: str,
    console: Console,
    *,
    before: Plan | None = None,
    retune: bool = False,
) -> Plan:
    """Choose what data.yaml leaves open, with a line for each stage.

    Args:
        config: data.yaml's settings.
        dataset: what is trained on.
        device: ``cpu``, ``mps`` or the number of a GPU.
        console: told of the choice.
        before: what a training that goes on was begun with: its models and image sizes stay.
        retune: measure anew what was measured before.

    Raises:
        OutOfMemoryError: not even the smallest fits; says what would.
        ConfigError: the limit is more than the device has.
    """
    tuned = tune_training(config, dataset, device, console, before=before, retune=retune)
    for one in tuned.values():
        console.print(f"{one.fit.stage}: {describe_fit(one.fit)}")
    return Plan.from_fits(config, {key: one.fit for key, one in tuned.items()})


def tune_training(
    config: Config,
    dataset: DataSet,
    device: str,
    console: Console,
    *,
    before: Plan | None = None,
    retune: bool = False,
) -> dict[str, Tuned]:
    """What was measured and chosen for each network that is trained, once for each distinct backbone of the classifier.

    All backbones see crops of the first one's size. For the arguments see ``plan_training``; the keys are those of
    ``Plan.fits``.
    """
    room = measure_room(device)
    limit, note = choose_limit(config.memory, room)
    if note:
        console.print(f"note: {note}")

    def choose(request: Request) -> Tuned:
        forget = retune and request.stage not in done  # the readings of all backbones are in one file
        return tune(request, room=room, limit_bytes=limit, console=console, retune=forget)

    stages: tuple[Stage, ...] = ("detector", "classifier") if config.classes_from == "labels" else ("classifier",)
    requests = [_ask(stage, config, dataset, device, before) for stage in stages]
    done: dict[str, Tuned] = {}
    for request in requests:
        done[request.stage] = choose(request)
    asked = requests[-1]
    first = done["classifier"].fit
    for model in dict.fromkeys(config.classifier.ensemble):
        if model != first.model:
            pins = replace(asked.pins, model=model, imgsz=first.imgsz)
            done[backbone_key(model)] = choose(replace(asked, pins=pins, candidates=(model,)))
    return done


def tune_prediction(
    folders: Sequence[Path],
    *,
    engine: Engine,
    photos: int,
    memory: str | None,
    device: str,
    console: Console,
    retune: bool = False,
) -> Tuned:
    """What was measured and chosen for sorting photos with a trained pair, or several that decide together.

    Args:
        folders: of the pairs, at least one.
        engine: what their networks run in.
        photos: how many there are.
        memory: limit, as data.yaml says it; None for what is free.
        device: ``cpu``, ``mps`` or the number of a GPU.
        console: told what is measured.
        retune: measure anew what was measured before.

    Raises:
        OutOfMemoryError: not even one photo at a time fits.
        ConfigError: the limit is more than the device has.
        WeightsError: there is no trained pair.
    """
    cards = [read_cards(folder) for folder in folders]
    detector, classifiers = cards[0].detector, [one.classifier for one in cards]
    shown = detector or classifiers[0]
    model = "+".join(card.model_name for card in (detector, *classifiers) if card is not None)
    room = measure_room(device)
    limit, note = choose_limit(memory, room)
    if note:
        console.print(f"note: {note}")
    request = Request(
        stage="prediction",
        facts=Facts(photos=max(1, photos), side=shown.imgsz, smallest=1.0, boxes=1),
        pins=Pins(model=model, imgsz=shown.imgsz, batch=None),
        candidates=(model,),
        epochs=1,
        seconds=None,
        class_count=len(classifiers[0].class_names),
        device=device,
        pairs=TrainedPairs(tuple(folders), engine),
    )
    return tune(request, room=room, limit_bytes=limit, console=console, retune=retune)


def describe_fit(fit: Fit) -> str:
    """A choice in a line."""
    what = f"{fit.model} at {fit.imgsz} px, batch {fit.batch}"
    if fit.accumulate > 1:
        what += f", {fit.accumulate} of them a step"
    if not fit.peak_bytes:
        return f"{what}, as {'was asked for' if fit.stage == 'jigsaw' else 'data.yaml says'}"
    used = f"{format_bytes(fit.peak_bytes)} of {format_bytes(fit.limit_bytes)}"
    why = "" if fit.stage == "jigsaw" else " (cropsort tune says why)"
    return f"{what}: {used}, about {fit.epoch_seconds:.0f} s an epoch{why}"


def _ask(stage: Stage, config: Config, dataset: DataSet, device: str, before: Plan | None) -> Request:
    settings: DetectorSettings | ClassifierSettings = config.detector if stage == "detector" else config.classifier
    known = None if before is None else before.fits[stage]
    imgsz = settings.imgsz if settings.is_pinned("imgsz") else None
    learnt = dataset.train if stage == "detector" else dataset.learnt
    seconds = config.seconds
    if seconds is None and device != "cpu":
        seconds = _GPU_SECONDS
    if seconds is not None and stage == "classifier":
        seconds /= config.classifier.folds * (1 + len(config.classifier.ensemble))
    return Request(
        stage=stage,
        facts=read_facts(stage, learnt, margin=config.classifier.margin),
        pins=Pins(
            model=known.model if known else settings.model,
            imgsz=known.imgsz if known else imgsz,
            batch=settings.batch if settings.is_pinned("batch") else None,
        ),
        candidates=list_candidates(stage, settings),
        epochs=settings.epochs,
        seconds=seconds,
        class_count=1 if stage == "detector" and config.detector.single_cls else len(dataset.class_names),
        device=device,
    )
