"""``cropsort jigsaw pretrain``: the classifier's backbone learns puzzles before it is told what anything is.

Of continuing edges alone, or of colours that fit, a network could put tiles back without a look at what they show.
So a part of every tile is cut away at its edges, and its colours are changed, each channel for itself (Noroozi and
Favaro 2016, who take 64 pixels of 75 and move the colour channels against each other for the same reason).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console
from torch import Tensor

from pipeline import yolo
from pipeline.backbones import check_backbone, head_parameters
from pipeline.briefing import say_notes
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.dataset import DataSet, digest, list_photos, load_dataset
from pipeline.device import pick_device
from pipeline.errors import WeightsError
from pipeline.finder import crop_sorted, read_cropper
from pipeline.jigsaw.arranging import PuzzleScores
from pipeline.jigsaw.kept import BACKBONE, jigsaw_weights, read_puzzle_card, weights_file, write_kept
from pipeline.jigsaw.network import PuzzleNetwork
from pipeline.jigsaw.puzzle_batches import PuzzleSettings
from pipeline.jigsaw.starting import check_backbone_owner
from pipeline.jigsaw.teaching import Bench, PuzzleLesson, make_card, teach
from pipeline.jigsaw.training import jigsaw_runs
from pipeline.jigsaw.unlabelled import Gathered, gather_unlabelled, leave_out_small, share_out_photos
from pipeline.prepare import Prepared, prepare
from pipeline.runs import Run, claimed, open_run
from pipeline.settings import ClassifierSettings
from pipeline.starts import DEFAULTS, TASKS, Start, read_start
from pipeline.tune.facts import read_facts
from pipeline.tune.sizes import STRIDE, choose_imgsz
from pipeline.weights import installed_versions, portable_path

GRID, EPOCHS = 2, 40
"""Nine tiles, as Noroozi and Favaro have them, ask for more, but of a picture 2.3 times as large where a tile keeps its
pixels: of 739 photos on two cores 25 s an epoch instead of 10, which buys fewer steps than a small data set wants."""

GAP, COLOUR = 0.2, 0.3
"""See ``make_puzzle``."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What a backbone has learnt.

    Args:
        run: folder with checkpoints and what was written down.
        weights: ``weights/<data set>-jigsaw/backbone.pt``.
        pictures: how many it learnt from.
        scores: of the puzzles on the pictures that were held out.
    """

    run: Path
    weights: Path
    pictures: int
    scores: PuzzleScores


def pretrain(
    data_file: Path,
    photos: Path | None,
    *,
    epochs: int | None = None,
    grid: int | None = None,
    start: Literal["auto", "scratch"] = "auto",
    console: Console,
) -> Pretrained:
    """Have the classifier's backbone learn puzzles of a data set's subjects, and of photos without labels.

    A training that was stopped goes on where it was. What is in val or test is never looked at.

    Args:
        data_file: the data.yaml; seed, device, memory, and model and image size of the classifier are as it says.
        photos: a folder of further photos, each of which is a picture; None for none.
        epochs: most passes over the pictures; by default 40.
        grid: tiles in a row, 2 or 3; by default 2.
        start: what the backbone begins with: ``auto`` (what is shipped for it, else nothing) or ``scratch``.
        console: told of the progress.

    Raises:
        CropsortError: data.yaml, photos or labels cannot be worked with, there are too few, or nothing can be written.
        ExceptionGroup: of ``CropsortError``, where there is more than one reason.
    """
    config = read_config(data_file)
    dataset = load_dataset(data_file, config)
    weights = jigsaw_weights(dataset.name)
    _check_owner(weights, data_file)
    device = pick_device(config.device)
    gathered = _gather(dataset, photos, config, device, console)
    settings = choose_settings(config.classifier, gathered, grid=grid or GRID, epochs=epochs or EPOCHS)
    begin = _read_begin(config.classifier, start)
    with claimed(jigsaw_runs(dataset.name)):
        run = open_run(jigsaw_runs(dataset.name), _take_fingerprint(gathered, settings, begin, config))
        _introduce(gathered, begin, run, console)
        prepared = _prepare(gathered, dataset, config, settings, run, console)
        lesson = PuzzleLesson(prepared.train, prepared.val, settings, begin.model_name, config.seed, begin)
        taught = teach(lesson, run, Bench(device, config.memory, console), title="backbone")
        card = make_card(BACKBONE, lesson, data=portable_path(data_file), scores=taught.scores)
        write_kept(weights, card, yolo.Checkpoint(begin.model_name, yolo.CLASSIFY, take_backbone(taught.network)))
        run.note(finished=True)
    shutil.rmtree(run.folder / "prepared", ignore_errors=True)
    return Pretrained(run.folder, weights_file(weights, BACKBONE), len(prepared.train), taught.scores)


def choose_settings(classifier: ClassifierSettings, gathered: Gathered, *, grid: int, epochs: int) -> PuzzleSettings:
    """Puzzles as large as the crops that the classifier sees, in tiles of at least two cells of the network's last map.

    Args:
        classifier: its image size, where data.yaml says it; else that which the tuner would choose.
        gathered: the subjects.
        grid: tiles in a row.
        epochs: most passes over the pictures.
    """
    pinned = classifier.imgsz if classifier.is_pinned("imgsz") else None
    facts = read_facts("classifier", gathered.annotations, margin=classifier.margin)
    wanted, _ = choose_imgsz("classifier", facts, pinned)
    side = max(2, round(wanted / (STRIDE * grid))) * STRIDE * grid
    patience = max(10, epochs // 3)
    return PuzzleSettings(grid=grid, imgsz=side, epochs=epochs, patience=patience, gap=GAP, colour=COLOUR)


def take_backbone(network: PuzzleNetwork) -> dict[str, Tensor]:
    """What looks at a tile, but for its last layer: that said something of tiles, and will say classes."""
    encoder = network.encoder
    last = set(map(id, head_parameters(encoder)))
    dropped = {name for name, weight in encoder.named_parameters() if id(weight) in last}
    return {name: tensor.cpu() for name, tensor in encoder.state_dict().items() if name not in dropped}


def _gather(dataset: DataSet, photos: Path | None, config: Config, device: str, console: Console) -> Gathered:
    """What there is to learn of, cropped by the detector that data.yaml names for sorted photos."""
    total = 0 if photos is None else len(list_photos(photos))
    with counting(console, "looking for photos", total) as advance:
        gathered = gather_unlabelled(dataset, photos, on_photo=advance)
    cropper = read_cropper(config)
    if cropper is not None:
        whole = replace(dataset, train=gathered.annotations, val=(), test=())
        gathered = replace(gathered, annotations=crop_sorted(whole, cropper, device, console).train)
    return leave_out_small(gathered, dataset.file)


def _check_owner(weights: Path, data_file: Path) -> None:
    """A card that is missing or damaged belongs to nobody."""
    try:
        card = read_puzzle_card(weights, BACKBONE)
    except WeightsError:
        return
    check_backbone_owner(weights, card, data_file)


def _read_begin(settings: ClassifierSettings, start: Literal["auto", "scratch"]) -> Start:
    """What the backbone begins with."""
    default = DEFAULTS["classifier"]
    if start == "auto":
        return read_start("auto", task=TASKS["classifier"], model_name=settings.model, default_model=default)
    model_name = settings.model or default
    check_backbone(model_name)
    return Start(model_name, {}, f"{model_name} from scratch")


def _take_fingerprint(gathered: Gathered, settings: PuzzleSettings, begin: Start, config: Config) -> str:
    """Of all that the outcome depends on; where it runs, and in what memory, may change on the way."""
    puzzles = {name: value for name, value in asdict(settings).items() if name != "batch"}
    said = [puzzles, begin.told, config.seed, config.classifier.margin, digest(gathered.annotations)]
    return hashlib.sha256(json.dumps([*said, installed_versions()], sort_keys=True).encode()).hexdigest()


def _introduce(gathered: Gathered, begin: Start, run: Run, console: Console) -> None:
    console.print(f"{gathered.subjects} subjects of {len(gathered.annotations)} photos to make puzzles of")
    console.print(f"backbone starts as {begin.told}")
    if run.continued:
        console.print(f"going on with {run.folder}, which was stopped")
    say_notes(console, gathered.notes)


def _prepare(
    gathered: Gathered, dataset: DataSet, config: Config, settings: PuzzleSettings, run: Run, console: Console
) -> Prepared:
    """Small copies of all subjects, as for the classifier; for no detector, hence as of sorted photos."""
    train, val = share_out_photos(gathered.annotations, config.seed)
    classifier = config.classifier.model_copy(update={"imgsz": settings.imgsz})
    sized = config.model_copy(update={"classes_from": "folders", "classifier": classifier})
    pictures = replace(dataset, train=train, val=val, test=(), corrected=())
    with counting(console, "preparing photos", len(train) + len(val)) as advance:
        prepared = prepare(pictures, sized, run.folder / "prepared", on_photo=advance)
    say_notes(console, prepared.notes)
    return prepared
