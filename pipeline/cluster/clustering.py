"""``cropsort cluster``: subjects of unlabelled photos in groups of like ones, and the report on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.cluster.agreement import agree
from pipeline.cluster.features import FeatureKind
from pipeline.cluster.grouping import Settings, group
from pipeline.cluster.groups import Grouped, TruthFrom, find_truth, list_groups
from pipeline.cluster.subjects import Gathered, gather
from pipeline.cluster.wording import WORKBOOK, Run, some
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.errors import ConfigError, CropsortError, DataError, WeightsError
from pipeline.files import claimed_folder
from pipeline.plots import is_legible
from pipeline.report_folder import keep_edited
from pipeline.sources import Sources, find_sources
from pipeline.weights import default_weights, read_matching_cards

if TYPE_CHECKING:
    from pipeline.cluster.folders import How
    from pipeline.sorter import Sorter

MAP, DENDROGRAM = "map.jpg", "dendrogram.png"

_WITHOUT_PAIR = "or group without a pair: --features pixels --crops, where each photo shows one subject"
_CHOOSE = "choose another one: OUT=folder, or --out folder"


@dataclass(frozen=True, slots=True)
class Clustered:
    """What was made.

    Args:
        grouped: the subjects and their groups.
        workbook: groups.xlsx.
        tables: the CSVs.
        map: the picture of all subjects.
        dendrogram: the picture of the groups.
        folders: of the groups, where photos were copied or linked to; None where that was not asked for.
        failed: photos that could not be copied, and why.
    """

    grouped: Grouped
    workbook: Path
    tables: tuple[Path, ...]
    map: Path
    dendrogram: Path
    folders: Path | None
    failed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a run takes its photos and weights from, and where it writes."""

    sources: Sources
    folder: Path
    data_file: Path | None
    weights: Path | None
    config: Config | None


def default_folder(sources: Sources) -> Path:
    """Where the report goes: ``reports/<the photos' title>-groups``."""
    return Path("reports") / f"{sources.title or 'photos'}-groups"


def cluster_photos(
    photos: str | Path,
    data_file: Path,
    *,
    weights: Path | None,
    kind: FeatureKind,
    settings: Settings,
    crops: bool = False,
    truth: TruthFrom | None = None,
    folders: How | None = None,
    folder: Path | None = None,
    console: Console,
) -> Clustered:
    """Group the subjects of photos, and write workbook, tables and pictures.

    Args:
        photos: as for ``find_sources``; nothing there is written to.
        data_file: the data.yaml, whose pair looks at the photos; need not be there where ``weights`` are given, or
            where pixels of whole photos are compared.
        weights: folder of the pair; None for that of the data set.
        kind: what subjects are grouped by.
        settings: how they are grouped.
        crops: whether each photo is a subject already.
        truth: what says the true class of a photo, to compare the groups with; None for nothing.
        folders: whether photos are copied or linked to in a folder a group; None for no such folders.
        folder: of the report; None for ``default_folder``.
        console: told of the progress.

    Raises:
        DataError: the photos are missing or none, nothing is found in them, or they cannot be grouped.
        CropsortError: data.yaml, weights or settings cannot be worked with, or the folder is that of the photos.
        OutputError: the report cannot be written.
    """
    place = _find_place(photos, data_file, weights, folder, looks=not (kind == "pixels" and crops))
    gathered = gather(place.sources, _load_sorter(place), kind, crops=crops, console=console)
    console.print(f"grouping {some(len(gathered.subjects), 'subject')} ...")
    grouped = _group(gathered, settings, truth)
    run = Run(
        place.sources.root.resolve(),
        place.sources.title,
        place.data_file,
        place.weights,
        kind,
        settings.algorithm,
        datetime.now().astimezone().replace(tzinfo=None),
    )
    with claimed_folder(place.folder, "run", "let it finish, or write somewhere else: --out folder"):
        return _write(place.folder, grouped, run, folders, console)


def _find_place(
    photos: str | Path, data_file: Path, weights: Path | None, folder: Path | None, *, looks: bool
) -> _Place:
    """See that all is there; what is wrong is said before the seconds that torch takes to load."""
    sources = find_sources(photos)
    target = folder or default_folder(sources)
    if target.resolve() == Path(sources.label):
        raise CropsortError("is the folder of photos itself", where=target, remedy=_CHOOSE)
    config, pair = _find_pair(data_file, weights) if looks else (None, None)
    data = data_file.resolve() if data_file.is_file() else None
    return _Place(sources.leave_out(target), target, data, pair, config)


def _find_pair(data_file: Path, weights: Path | None) -> tuple[Config | None, Path]:
    try:
        config = None if weights else read_config(data_file)
        pair = weights or default_weights(data_file)
        read_matching_cards([pair])
    except (ConfigError, WeightsError) as error:
        error.remedy = "; ".join(filter(None, (error.remedy, _WITHOUT_PAIR)))
        raise
    return config, pair


def _load_sorter(place: _Place) -> Sorter | None:
    if place.weights is None:
        return None
    from pipeline.device import pick_device
    from pipeline.engine import pick_engine
    from pipeline.gpu import hold_gpu
    from pipeline.memory import choose_limit, measure_room
    from pipeline.sorter import Sorter

    device = pick_device(place.config.device if place.config else "auto")
    memory = place.config.memory if place.config else None
    hold_gpu(device, choose_limit(memory, measure_room(device))[0] if memory else None)
    return Sorter(place.weights, device=device, engine=pick_engine(device))


def _group(gathered: Gathered, settings: Settings, truth: TruthFrom | None) -> Grouped:
    grouping = group(gathered.features, settings)
    if truth is None:
        return Grouped(gathered, grouping, list_groups(gathered, grouping))
    true = find_truth(gathered.subjects, truth)
    if not any(true):
        found = f"none of the {truth} of the photos says a class"
        expected = "photos such as apple/001.jpg" if truth == "folders" else "photos such as apple.001.jpg"
        raise DataError(found, where="--truth", expected=expected)
    return Grouped(gathered, grouping, list_groups(gathered, grouping, true), true, agree(grouping.labels, true))


def _write(folder: Path, grouped: Grouped, run: Run, how: How | None, console: Console) -> Clustered:
    from pipeline.cluster.dendrogram import draw_dendrogram
    from pipeline.cluster.folders import FOLDER, count_photos, fill_folders
    from pipeline.cluster.pictures import draw_map
    from pipeline.cluster.sheets import write_sheets

    console.print("drawing the map ...")
    title = f"Groups in {run.title}" if is_legible(run.title) else "Groups"
    draw_map(folder / MAP, grouped, title=title)
    draw_dendrogram(folder / DENDROGRAM, grouped, title=title)
    failed: tuple[tuple[str, str], ...] = ()
    if how is not None:
        with counting(console, "filling the folders", count_photos(grouped)) as advance:
            failed = fill_folders(folder, grouped, how, on_photo=advance)
    console.print("writing the workbook ...")
    keep_edited(folder / WORKBOOK, console)
    workbook, *tables = write_sheets(folder, grouped, run)
    made = None if how is None else folder / FOLDER
    return Clustered(grouped, workbook, tuple(tables), folder / MAP, folder / DENDROGRAM, made, failed)
