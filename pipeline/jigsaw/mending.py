"""The whole of ``cropsort jigsaw solve``: photos in, mended pictures, a table and the scores out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.device import pick_device
from pipeline.errors import CropsortError, DataError
from pipeline.files import replacing
from pipeline.jigsaw.arranging import PuzzleScores
from pipeline.jigsaw.kept import open_solver
from pipeline.jigsaw.mended import BEFORE_AFTER, MENDED, name_places
from pipeline.jigsaw.solving import Row, ask, score_rows, solve
from pipeline.report import write_csv
from pipeline.sources import Sources, find_sources
from pipeline.workbook.tables import Column

TABLE = "puzzles.csv"


@dataclass(frozen=True, slots=True)
class Mended:
    """What a run made.

    Args:
        folder: of pictures and table.
        rows: one a file.
        scores: of those of which the truth is known; None where there are none.
    """

    folder: Path
    rows: tuple[Row, ...]
    scores: PuzzleScores | None


def solve_photos(
    photos: str | Path, weights: Path, *, shuffled: bool, seed: int, folder: Path | None, console: Console
) -> Mended:
    """Put photos together with a trained solver, and write what came of it.

    Of an intact photo the largest square from its middle is cut into tiles, which are shuffled before the network sees
    any of it. A shuffled one is taken as it is, whatever its proportions.

    Args:
        photos: as for ``find_sources``, but for URLs; nothing there is written to.
        weights: folder of the solver.
        shuffled: whether the photos are shuffled already.
        seed: of the shuffling.
        folder: where to write; None for ``reports/<photos>-jigsaw``.
        console: told of the progress.

    Raises:
        DataError: the photos are missing, unreadable or none.
        WeightsError: there is no trained solver.
        CropsortError: other files lie where the pictures are to be written.
        OutputError: they cannot be written there.
    """
    sources = find_sources(photos)
    target = folder or Path("reports") / f"{sources.title or 'photos'}-jigsaw"
    _check_folder(target)
    sources = _leave_out(sources, target, photos)
    network, card = open_solver(weights, device=pick_device("auto"))
    asked = ask(card, shuffled=shuffled, seed=seed)
    places = name_places([one.name for one in sources.files], target)
    rows = solve(sources.files, network, asked, places, console)
    with replacing(target / TABLE) as temporary:
        write_csv(temporary, _columns(card.grid), rows)
    return Mended(target, tuple(rows), score_rows(rows))


def _check_folder(folder: Path) -> None:
    """Refuse to write among files of the same names that an earlier run did not write."""
    if (folder / TABLE).is_file():
        return
    for name in (MENDED, BEFORE_AFTER):
        if (folder / name).exists():
            raise CropsortError(
                "holds files that jigsaw solve did not write",
                where=folder / name,
                remedy="choose another folder: --out",
            )


def _leave_out(sources: Sources, folder: Path, photos: str | Path) -> Sources:
    """All but what an earlier run wrote, where it lies among the photos."""
    if any(one.is_url for one in sources.files):
        raise DataError("holds web addresses", where=photos, expected="photos on the disk", remedy="save them first")
    own = [folder.resolve() / name for name in (MENDED, BEFORE_AFTER)] + [folder.resolve() / TABLE]
    root = sources.root.resolve()
    kept = tuple(one for one in sources.files if not any((root / one.name).is_relative_to(place) for place in own))
    if not kept:
        raise DataError("all photos lie where the mended ones do", where=folder, remedy="choose another folder: --out")
    return replace(sources, files=kept)


def _columns(grid: int) -> list[Column[Row]]:
    return [
        Column("photo", lambda row: row.photo),
        Column("status", lambda row: row.status),
        Column("tiles right", lambda row: row.right),
        Column("tiles", lambda row: grid**2 if row.order else None),
        Column("put to", lambda row: _count_from_one(row.order)),
        Column("belongs to", lambda row: _count_from_one(row.truth)),
        Column("reason", lambda row: row.reason),
    ]


def _count_from_one(places: tuple[int, ...] | None) -> str | None:
    """As a reader counts: 1 is the place in the upper left corner."""
    return None if places is None else " ".join(str(place + 1) for place in places)
