"""The whole of ``cropsort jigsaw train``: from a folder of photos to a trained solver."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipeline.backbones import check_backbone
from pipeline.device import pick_device
from pipeline.errors import WeightsError
from pipeline.jigsaw.collecting import collect, find_pictures
from pipeline.jigsaw.holding_out import hold_out
from pipeline.jigsaw.kept import SOLVER, jigsaw_weights, read_puzzle_card, weights_file
from pipeline.jigsaw.network import TILES
from pipeline.jigsaw.puzzle_batches import PuzzleSettings
from pipeline.jigsaw.training import Solver, jigsaw_runs, train_solver
from pipeline.memory import choose_limit, measure_room
from pipeline.naming import plain_name
from pipeline.runs import claimed
from pipeline.weights import portable_path

_MOST_NOTES = 20


def train_on_photos(
    photos: str | Path,
    *,
    grid: int,
    imgsz: int | None,
    epochs: int,
    batch: int | None,
    model_name: str,
    seed: int,
    memory: str | None,
    console: Console,
) -> Solver:
    """Train a solver on photos, a tenth of which is held out to choose the epoch on.

    Args:
        photos: as for ``find_pictures``; nothing there is written to.
        grid: tiles in a row.
        imgsz: side of the picture that the network sees, pixels; None for what suits the photos.
        epochs: most passes over the photos.
        batch: photos a training step; None for what fits.
        model_name: ``tiles``, or a backbone.
        seed: of the training, and of the tenth.
        memory: limit, such as ``4GB``; None for what is free.
        console: told of the progress.

    Raises:
        DataError: there are no photos, or too few.
        ConfigError: a setting is out of its range.
        CropsortError: it could not be trained or written.
    """
    device = pick_device("auto")
    choose_limit(memory, measure_room(device))  # what is wrong with it is said before the work
    if model_name != TILES:
        check_backbone(model_name)
    pile = find_pictures(photos)
    settings = PuzzleSettings(grid=grid, imgsz=imgsz or pile.choose_side(grid), epochs=epochs)
    name = plain_name(pile.title)
    _check_owner(jigsaw_weights(name), photos)
    copies = jigsaw_runs(name) / f"pictures-{settings.imgsz}"
    with claimed(copies):  # they must stay for as long as they are learnt from
        collected = collect(pile, copies, side=settings.imgsz, grid=grid, console=console)
        _say_notes(console, collected.notes)
        train, val = hold_out(collected.sources, seed)
        sizes = f"{settings.imgsz} px, {grid} x {grid} tiles"
        console.print(f"{len(train)} pictures to learn from, {len(val)} to choose the epoch on; {sizes}")
        return train_solver(
            train,
            val,
            settings,
            name=name,
            data=portable_path(Path(photos)),
            model_name=model_name,
            batch=batch,
            seed=seed,
            device=device,
            memory=memory,
            console=console,
        )


def _check_owner(folder: Path, photos: str | Path) -> None:
    """Refuse to replace the solver of other photos, which lie in a folder of the same name.

    Raises:
        WeightsError: those photos are still there, or the card is damaged.
    """
    if not weights_file(folder, SOLVER).is_file():
        return
    owner, own = Path(read_puzzle_card(folder, SOLVER).data), Path(photos)
    if owner.exists() and not (own.exists() and owner.samefile(own)):
        raise WeightsError(f"learnt from {owner}", where=folder, remedy=f"move {folder} away, then train again")


def _say_notes(console: Console, notes: tuple[str, ...]) -> None:
    for note in notes[:_MOST_NOTES]:
        console.print(f"note: {note}")
    if len(notes) > _MOST_NOTES:
        console.print(f"note: and {len(notes) - _MOST_NOTES} more like these")
