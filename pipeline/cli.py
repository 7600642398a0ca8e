"""The command line: arguments to one function a command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.apart_child import is_out_of_memory
from pipeline.cli_cluster import cluster
from pipeline.cli_jigsaw import app as jigsaw
from pipeline.cli_options import DATA, Data, Json, Weights
from pipeline.cli_report import correct, predict, report
from pipeline.errors import CropsortError, OutOfMemoryError
from pipeline.files import output_error

app = typer.Typer(
    name="cropsort",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From LabelImg boxes to a spreadsheet: find the subjects in photos, sort them, report them.",
)

Retune = Annotated[bool, typer.Option("--retune", help="Measure anew what fits into memory; training begins anew.")]

ExportFormat = Literal["openvino", "onnx", "torchscript", "engine", "coreml"]

_CTRL_C = 130
_FOLDS = 3
_debug = False


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    global _debug  # noqa: PLW0603 - the one setting that outlives the command that it stands before
    _debug = debug


@app.command()
def setup(
    with_label: Annotated[bool, typer.Option("--label", help="LabelImg as well, with the Qt that it needs.")] = False,
) -> None:
    """Make .venv with the packages of requirements.lock."""
    from pipeline.environment import set_up

    set_up(with_label=with_label)


@app.command()
def doctor(
    data: Annotated[
        Path | None, typer.Option("--data", help="The data.yaml whose device is looked for.", show_default="data.yaml")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with this machine and its packages, each with its remedy."""
    from pipeline.doctor import examine, fails, show

    findings = examine(data)
    print(show(findings, as_json=as_json))
    if fails(findings):
        raise typer.Exit(1)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Photos: labelled in LabelImg, sorted into folders, or neither yet.")],
    data: Annotated[Path | None, typer.Option("--data", help="The data.yaml to write; by default in FOLDER.")] = None,
    names: Annotated[str, typer.Option(help="The classes, such as 'apple, pear'; by default those found.")] = "",
    classes_from: Annotated[
        Literal["labels", "folders", "names"] | None,
        typer.Option(help="What says the class; by default labels, else folders.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
) -> None:
    """Write a data.yaml for a folder of photos: classes found, photos split."""
    from pipeline.init import init_dataset

    given = tuple(name.strip() for name in names.split(",") if name.strip())
    made = init_dataset(folder, data or folder / "data.yaml", seed=seed, classes_from=classes_from, class_names=given)
    for note in made.notes:
        print(note)
    sizes = ", ".join(f"{count} {part}" for part, count in made.photos.items())
    print(f"{made.file}: {len(made.class_names)} classes ({', '.join(made.class_names)}), {sizes} photos")
    if made.classes_from != "labels":
        print(f"no boxes: the {made.classes_from} of the photos say the class")
    step = "train" if "val" in made.photos else "label"
    print(f'go on with: make {step} DATA="{made.file}"')


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to draw; must be empty or missing.")],
    photos: Annotated[int, typer.Option(min=2, help="How many photos.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other photos.")] = 1,
    size: Annotated[str, typer.Option(metavar="WxH", help="Pixels of a photo, such as 4032x3024.")] = "640x480",
) -> None:
    """Draw a labelled data set of book covers on desks."""
    from pipeline.sample import draw_sample

    file = draw_sample(folder, photos=photos, seed=seed, size=_parse_size(size))
    print(f'{photos} photos drawn; go on with: make train DATA="{file}"')


@app.command("import")
def import_photos(
    folder: Annotated[Path, typer.Argument(help="Photos as they come from the phone.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the copies; by default images/<name of FOLDER>.")
    ] = None,
) -> None:
    """Copy photos as upright JPEGs, which LabelImg can show, HEIC too; the originals stay."""
    from pipeline.console import make_console
    from pipeline.importing import default_folder, import_folder

    copies = out or default_folder(folder)
    made = import_folder(folder, copies, console=make_console())
    counts = ", ".join(f"{count} {status}" for status, count in made.counts.items())
    print(f"{made.counts.total()} files ({counts}; {made.hidden} hidden ones skipped); copies in {copies}")
    print(f"which copy was made from which photo: {made.table}")
    print(f'go on with: make init PHOTOS="{copies}" NAMES="your class, another class"')
    unreadable = made.counts["unreadable"]
    if unreadable:
        print(f"{unreadable} of the photos could not be read: {made.table.name} says why", file=sys.stderr)
    if made.refused:
        raise ExceptionGroup("places that are taken", made.refused)
    if unreadable:
        raise typer.Exit(1)


@app.command()
def label(
    data: Data = DATA,
    part: Annotated[Literal["train", "val", "test", "all"], typer.Option(help="Which photos.")] = "all",
) -> None:
    """Open LabelImg on the data set, with its classes, its labels and its format; say what changed."""
    from pipeline.console import make_console
    from pipeline.labelimg.launch import open_labelimg

    open_labelimg(data, part, make_console())


@app.command()
def check(
    data: Data = DATA,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the page; by default runs/<data set>/check.")
    ] = None,
    model: Annotated[
        bool,
        typer.Option(
            "--model",
            help="Train networks on parts of train and val, and say which labels of the other parts they doubt.",
        ),
    ] = False,
    folds: Annotated[int | None, typer.Option(min=2, help="With --model: how many parts.", show_default="3")] = None,
    as_json: Json = False,
) -> None:
    """Look for everything wrong in photos and labels: where, what, and what to do."""
    from pipeline.config import read_config

    if folds is not None and not model:
        raise CropsortError(f"--folds {folds} without --model", remedy="add --model")
    read_config(data)  # said before the seconds that the rest takes to load
    if model:
        _check_model(data, out, folds or _FOLDS, as_json=as_json)
        return
    from pipeline.check import as_record, has_errors, report
    from pipeline.check import check as run
    from pipeline.console import make_console

    dataset, page = run(data, out, make_console(errors=as_json))
    if as_json:
        print(json.dumps(as_record(dataset), ensure_ascii=False, indent=2))
    else:
        print("\n".join([*report(dataset), f"with pictures: {page}"]))
    if has_errors(dataset):
        raise typer.Exit(1)


@app.command()
def split(
    data: Data = DATA,
    val: Annotated[float, typer.Option(help="Part of the photos for choosing epochs and thresholds.")] = 0.2,
    test: Annotated[float, typer.Option(help="Part of the photos for scoring; 0 leaves test as it is.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Another seed, another split.")] = 0,
    folds: Annotated[int, typer.Option(help="Write this many folds, each photo once in val, instead.")] = 0,
    copy: Annotated[
        Path | None, typer.Option("--copy", help="Copy photos and labels to this folder instead of writing lists.")
    ] = None,
) -> None:
    """Share photos out into train, val and test, or folds; near duplicates and bursts stay together."""
    from pipeline.config import read_config

    read_config(data)  # said before the second that the rest takes to load
    from pipeline.console import make_console
    from pipeline.resplit import resplit, resplit_folds

    if folds and (folds < 2 or test or copy):
        raise CropsortError(f"--folds {folds}", expected="2 or more, without --test and --copy")
    if folds:
        print(resplit_folds(data, folds=folds, seed=seed, console=make_console()))
    else:
        print(resplit(data, val=val, test=test, seed=seed, copy=copy, console=make_console()))


@app.command()
def convert(
    to: Annotated[Literal["yolo", "voc", "createml"], typer.Option("--to", help="The format.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new labels; nothing there is overwritten.")],
    data: Data = DATA,
) -> None:
    """Write the labels in another of LabelImg's formats; the old ones stay."""
    from pipeline.convert import convert_labels

    made = convert_labels(data, format=to, folder=out)
    for note in made.notes:
        print(f"note: {note}")
    print(f"{made.labels} labels written to {made.folder}")


@app.command()
def tune(
    data: Data = DATA,
    memory: Annotated[
        str | None,
        typer.Option("--memory", help="Limit, such as 3GB or 80%; by default data.yaml's, else what is free."),
    ] = None,
    retune: Retune = False,
    as_json: Json = False,
) -> None:
    """Measure what fits into memory, and choose model, image size and batch; training does so by itself."""
    from pipeline.config import read_config

    read_config(data)  # as in train
    import pipeline.training  # noqa: F401 - pages that processes share count in parts: as many must share as in training
    from pipeline.console import make_console
    from pipeline.planning import advise
    from pipeline.tune.table import as_record, print_tuned

    advice = advise(data, memory=memory, console=make_console(errors=as_json), retune=retune)
    if as_json:
        print(json.dumps(as_record(advice.stages, advice.room, advice.limit_bytes), ensure_ascii=False, indent=2))
    else:
        print_tuned(advice.stages, advice.room, advice.limit_bytes, make_console())


@app.command()
def train(data: Data = DATA, retune: Retune = False) -> None:
    """Train the detector and the classifier on a data set; a training that was stopped goes on."""
    from pipeline.config import read_config

    read_config(data)  # what is wrong there is said before the seconds that torch takes to load
    from pipeline.console import make_console
    from pipeline.training import train as run

    console = make_console()
    made = run(data, console, retune=retune)
    print(f"\non val:\n{made.scores}\n")
    print(f"weights in {made.weights}, figures and pictures in {made.run}")


@app.command()
def evaluate(
    data: Data = DATA,
    on: Annotated[
        str, typer.Option(help="'val', 'test', or a folder of labelled photos; by default test if there is one.")
    ] = "",
    weights: Weights = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of page and JSON; by default runs/<data set>/evaluate/<val, test or FOLDER>."
        ),
    ] = None,
    cropping: Annotated[
        bool,
        typer.Option(
            "--cropping",
            help="Say what cropping is worth: train the same classifier on whole photos, and one detector of all "
            "classes, and score them beside the pair. Takes as long as training; goes on where it was stopped.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Score the trained pair, stage by stage and class by class, and show its worst mistakes on a page."""
    from pipeline.config import read_config

    read_config(data)  # as in train
    from pipeline.console import make_console
    from pipeline.evaluate import evaluate_pair

    console = make_console(errors=as_json)
    evaluation, page = evaluate_pair(data, on=on, weights=weights, folder=out, cropping=cropping, console=console)
    if as_json:
        print(json.dumps(evaluation.as_dict(), ensure_ascii=False, indent=2))
    else:
        print(f"{evaluation}\n\nwith pictures: {page}")


for _command in (predict, report, correct, cluster):
    app.command()(_command)
app.add_typer(jigsaw)


@app.command()
def export(
    form: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="The format; engine is TensorRT's.", show_default=False),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Networks of 8 bits for CPUs, for predict --int8; says what they lose on val."),
    ] = False,
    photos: Annotated[
        Path | None,
        typer.Option("--photos", help="With --int8: photos to measure ranges on; by default those trained on."),
    ] = None,
    data: Data = DATA,
    weights: Weights = None,
) -> None:
    """Write the trained pair for other engines, to a folder beside its weights."""
    if form is None and not int8:
        raise CropsortError("nothing to write", expected="--format or --int8")
    if photos is not None and not int8:
        raise CropsortError(f"--photos {photos} without --int8", remedy="add --int8")
    from pipeline.console import make_console
    from pipeline.weights import default_weights

    pair = weights or default_weights(data)
    if form is not None:
        _export_format(pair, form, data if weights is None else None)
    if int8:
        from pipeline.quantising import quantise_pair

        print(quantise_pair(data, pair, photos=photos, console=make_console()))


def main() -> None:
    """Run a command; an error is one line on standard error, and the exit code says of which kind."""
    _speak_utf8()
    try:
        app()
    except SystemExit as leaving:
        if leaving.code == _CTRL_C:
            print("cropsort: stopped; what was finished stays", file=sys.stderr)
        raise
    except (CropsortError, ExceptionGroup, OSError, MemoryError, RuntimeError) as error:
        told = list(_told(error))
        if _debug or not told:
            raise
        for one in told:
            print(f"cropsort: {one}", file=sys.stderr)
        sys.exit(max(one.exit_code for one in told))


def _told(error: Exception) -> Iterator[CropsortError]:
    """What was raised on purpose, and a full disk or memory wherever it was met; nothing for a bug."""
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _told(one)
    elif isinstance(error, CropsortError):
        yield error
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        yield output_error(error, Path(error.filename or Path.cwd()))
    elif is_out_of_memory(error):
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "close other programs, or set a lower memory: in data.yaml; the same command goes on where it was"
        yield OutOfMemoryError(f"memory ran out ({said})", remedy=remedy)


def _export_format(pair: Path, form: ExportFormat, data: Path | None) -> None:
    from pipeline.config import read_config
    from pipeline.device import pick_device
    from pipeline.exporting import export_pair

    made = export_pair(pair, form, device=pick_device(read_config(data).device if data else "auto"))
    print(f"{', '.join(file.name for file in made.files)} in {made.folder}, cards beside them")


def _check_model(data: Path, out: Path | None, folds: int, *, as_json: bool) -> None:
    from pipeline.console import make_console
    from pipeline.review import review_labels
    from pipeline.reviewed import as_record, report

    reviewed, page = review_labels(data, out, make_console(errors=as_json), folds=folds)
    if as_json:
        print(json.dumps(as_record(reviewed), ensure_ascii=False, indent=2))
    else:
        print("\n".join([*report(reviewed), f"with pictures: {page}"]))


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise CropsortError(f"'{text}'", where="--size", expected="width x height in pixels, such as 4032x3024")
    return int(width), int(height)


def _speak_utf8() -> None:
    """A Windows console in Korean takes cp949, which lacks many letters of file names."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
