"""The commands of the puzzles: learn to put shuffled tiles back, do it, and give the classifier a start by it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli_options import DATA, Data

app = typer.Typer(
    name="jigsaw",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Photos cut into tiles and shuffled: learn to put them back, do it, or begin a classifier with it.",
)

Photos = Annotated[
    str,
    typer.Argument(
        metavar="PHOTOS",
        help="A folder of photos, a photo, a pattern in quotes, a .txt with a path a line, or - for standard input.",
    ),
]


@app.command()
def train(
    photos: Annotated[
        str,
        typer.Argument(
            metavar="PHOTOS", help="A folder of photos, or the one that CIFAR-10 (cifar-10-batches-py) was unpacked in."
        ),
    ],
    grid: Annotated[int, typer.Option(min=2, max=3, help="Tiles in a row.")] = 2,
    imgsz: Annotated[
        int | None,
        typer.Option(
            help="Side of the picture that the network sees, pixels: a multiple of 32, or of 48 with 3 tiles in a row; "
            "by default what the photos have, up to 96.",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Most passes over the photos.")] = 20,
    batch: Annotated[
        int | None, typer.Option(min=2, help="Photos a training step; by default what fits.", show_default=False)
    ] = None,
    model: Annotated[
        str, typer.Option(help="What looks at a tile: tiles (our own, for small ones), or a classifier's backbone.")
    ] = "tiles",
    seed: Annotated[int, typer.Option(min=0, help="Of the training, and of the tenth that is held out.")] = 0,
    memory: Annotated[
        str | None, typer.Option(help="Limit, such as 4GB; by default what is free.", show_default=False)
    ] = None,
) -> None:
    """Train a network to put shuffled tiles back; a training that was stopped goes on."""
    from pipeline.console import make_console
    from pipeline.jigsaw.lesson import train_on_photos

    made = train_on_photos(
        photos,
        grid=grid,
        imgsz=imgsz,
        epochs=epochs,
        batch=batch,
        model_name=model,
        seed=seed,
        memory=memory,
        console=make_console(),
    )
    print(f"\non val: {made.scores}")
    print(f"weights in {made.weights}, checkpoints and curves in {made.run}")
    print(f'go on with: cropsort jigsaw solve PHOTOS --weights "{made.weights}"')


@app.command()
def solve(
    photos: Photos,
    weights: Annotated[Path, typer.Option("--weights", help="Folder of the solver: weights/<photos>-jigsaw.")],
    shuffled: Annotated[
        bool, typer.Option("--shuffled", help="The photos are shuffled already; else they are shuffled first.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Where to write; by default reports/<name of PHOTOS>-jigsaw."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the shuffling.")] = 0,
) -> None:
    """Put the tiles of photos back: the mended pictures, each before and after, and a table."""
    from pipeline.console import make_console
    from pipeline.jigsaw.mended import BEFORE_AFTER, MENDED
    from pipeline.jigsaw.mending import TABLE, solve_photos
    from pipeline.jigsaw.solving import list_failed

    made = solve_photos(photos, weights, shuffled=shuffled, seed=seed, folder=out, console=make_console())
    mended = sum(row.status == "mended" for row in made.rows)
    print(f"{mended} of {len(made.rows)} files mended: {MENDED}, {BEFORE_AFTER} and {TABLE} in {made.folder}")
    if made.scores is not None:
        print(made.scores)
    failed = list(list_failed(made.rows))
    for row in failed[:_SHOWN]:
        print(f"cropsort: {row.photo} - {row.reason}", file=sys.stderr)
    if len(failed) > _SHOWN:
        print(f"cropsort: and {len(failed) - _SHOWN} more photos: {TABLE} says why", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


@app.command()
def pretrain(
    photos: Annotated[
        Path | None,
        typer.Argument(metavar="[PHOTOS]", help="A folder of further photos to learn from; they need no labels."),
    ] = None,
    data: Data = DATA,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most passes over the pictures.", show_default="40")] = None,
    grid: Annotated[int | None, typer.Option(min=2, max=3, help="Tiles in a row.", show_default="2")] = None,
    start: Annotated[
        Literal["auto", "scratch"], typer.Option(help="What the backbone begins with: what is shipped, or nothing.")
    ] = "auto",
) -> None:
    """Have the classifier's backbone learn puzzles of the data set's subjects, for start: jigsaw in data.yaml."""
    from pipeline.config import read_config

    read_config(data)  # said before the seconds that the rest takes to load
    from pipeline.console import make_console
    from pipeline.jigsaw.pretraining import pretrain as run

    made = run(data, photos, epochs=epochs, grid=grid, start=start, console=make_console())
    print(f"\non pictures that were held out: {made.scores}")
    print(f"backbone in {made.weights}, learnt from {made.pictures} pictures; checkpoints in {made.run}")
    print(f'go on with: start: jigsaw under classifier: in {data}, then make train DATA="{data}"')


_SHOWN = 20
"""Failures that are told; the table has all."""
