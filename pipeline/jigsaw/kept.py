"""What is kept of a network that learnt puzzles: its weights, with a card that says what it was trained on and how."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import yolo
from pipeline.device import torch_device
from pipeline.errors import WeightsError
from pipeline.files import write_text

if TYPE_CHECKING:
    from pipeline.jigsaw.network import PuzzleNetwork

TASK = "jigsaw"
"""What a checkpoint of a solver says that it is for."""

SOLVER, BACKBONE = "solver", "backbone"

_REMEDIES = {SOLVER: "train one: cropsort jigsaw train PHOTOS", BACKBONE: "run cropsort jigsaw pretrain"}


@dataclass(frozen=True, slots=True)
class PuzzleCard:
    """What there is to know of a network that learnt puzzles.

    Args:
        kind: ``solver``, or ``backbone``: what is left of one as a start for the classifier.
        model_name: what looks at a tile: ``tiles``, or a backbone of the classifier.
        grid: tiles in a row, 2 or 3.
        imgsz: side of the square picture, pixels.
        gap: what was cut away of a tile, as a part of its side, 0 to 1.
        colour: how much the tiles' colours were changed, each for itself, 0 to 1.
        seed: of the training.
        photos: how many pictures were learnt from.
        data: where they are from: the folder, or the data.yaml.
        metrics: on val: ``tiles`` and ``pictures`` right, 0 to 1.
        versions: of the packages it was trained with.
    """

    kind: str
    model_name: str
    grid: int
    imgsz: int
    gap: float
    colour: float
    seed: int
    photos: int
    data: str
    metrics: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in _REMEDIES or not 2 <= self.grid <= 9 or self.imgsz < self.grid:
            raise ValueError(f"no card of a network that learnt puzzles: {self}")


def jigsaw_weights(name: str) -> Path:
    """Where what a folder of photos, or a data set, has taught is kept: ``weights/<name>-jigsaw``."""
    return Path("weights") / f"{name}-jigsaw"


def weights_file(folder: Path, kind: str) -> Path:
    """The weights of ``solver`` or ``backbone`` in such a folder; the card lies beside them."""
    return folder / f"{kind}.pt"


def write_kept(folder: Path, card: PuzzleCard, checkpoint: yolo.Checkpoint) -> None:
    """Write weights and card, each whole or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    file = weights_file(folder, card.kind)
    yolo.write_checkpoint(file, checkpoint)
    write_text(file.with_suffix(".json"), json.dumps(asdict(card), ensure_ascii=False, indent=2) + "\n")


def read_puzzle_card(folder: Path, kind: str) -> PuzzleCard:
    """Read the card of ``solver`` or ``backbone``.

    Raises:
        WeightsError: it is missing, cannot be understood, or is another's.
    """
    path = weights_file(folder, kind).with_suffix(".json")
    try:
        card = PuzzleCard(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        found = f"no {kind} that learnt puzzles here" if folder.is_dir() else "no such folder"
        raise WeightsError(found, where=folder, remedy=_REMEDIES[kind]) from error
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"not a card of weights ({error})", where=path, remedy=_REMEDIES[kind]) from error
    if card.kind != kind:
        raise WeightsError(f"not the card of a {kind}", where=path, remedy=_REMEDIES[kind])
    return card


def open_solver(folder: Path, *, device: str) -> tuple[PuzzleNetwork, PuzzleCard]:
    """A trained solver, ready to be asked, and its card.

    Args:
        folder: ``weights/<name>-jigsaw``.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Raises:
        WeightsError: there is none, or it holds something else than its card says.
    """
    card = read_puzzle_card(folder, SOLVER)
    return load_network(weights_file(folder, SOLVER), card.model_name, card.grid, card.imgsz, device), card


def load_network(file: Path, model_name: str, grid: int, imgsz: int, device: str) -> PuzzleNetwork:
    """A network that learnt puzzles, ready to be asked.

    Args:
        file: its weights.
        model_name: what looks at a tile.
        grid: tiles in a row.
        imgsz: side of the picture, pixels.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Raises:
        WeightsError: the file holds something else.
    """
    from pipeline.jigsaw.network import build_puzzle_network

    checkpoint = yolo.read_checkpoint(file)
    if checkpoint.task != TASK:
        raise WeightsError("this is no solver of puzzles", where=file, remedy=_REMEDIES[SOLVER])
    network = build_puzzle_network(model_name, grid=grid, side=imgsz)
    if yolo.transfer(network, checkpoint.tensors) != len(network.state_dict()):
        found = f"does not fill {model_name} for {grid} x {grid} tiles, as is said of it"
        raise WeightsError(found, where=file, remedy=_REMEDIES[SOLVER])
    return network.to(torch_device(device)).eval()
