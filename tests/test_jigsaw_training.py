"""Learning puzzles in the classifier's loop: several targets an image, stops, the tuner, and the shortcut closed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from photos import hash_files
from PIL import Image
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pipeline import yolo
from pipeline.boxes import Box
from pipeline.errors import DataError, WeightsError
from pipeline.fitting import fit
from pipeline.jigsaw.job import JigsawJob, train_jigsaw
from pipeline.jigsaw.kept import SOLVER, TASK, load_network, open_solver, read_puzzle_card
from pipeline.jigsaw.pretraining import COLOUR, GAP
from pipeline.jigsaw.puzzle_batches import PuzzleSettings
from pipeline.jigsaw.teaching import judge
from pipeline.jigsaw.training import train_solver
from pipeline.loading import EpochSampler, StepBatches
from pipeline.prepare import CropSource
from pipeline.resuming import Course
from pipeline.tune.batches import count_accumulated, usable_batch
from pipeline.tune.probe import measure
from pipeline.tune.trials import Trial

Pixels = NDArray[np.uint8]


def write_pictures(folder: Path, pictures: Iterator[Pixels]) -> tuple[CropSource, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    sources = []
    for number, pixels in enumerate(pictures):
        file = folder / f"{number:04d}.png"
        Image.fromarray(pixels).save(file)
        sources.append(CropSource(file, Box(0, 0, pixels.shape[1], pixels.shape[0]), ""))
    return tuple(sources)


def draw_layouts(count: int, seed: int) -> Iterator[Pixels]:
    """Bright above and dark below, red on the left and blue on the right, with some noise: a layout, and few edges."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[0:32, 0:32] / 31
    for _ in range(count):
        part = np.stack([0.6 - 0.4 * right, 0.8 - 0.6 * down, 0.2 + 0.4 * right], 2)
        yield (255 * (part + rng.normal(0, 0.05, part.shape))).clip(0, 255).astype(np.uint8)


def make_job(folder: Path, *, epochs: int = 2, **settings: float) -> JigsawJob:
    pictures = write_pictures(folder / "pictures", draw_layouts(24, 0))
    given = PuzzleSettings(imgsz=32, batch=8, epochs=epochs, **settings)  # type: ignore[arg-type]  # numbers all
    return JigsawJob("tiles", None, pictures[:16], pictures[16:], given, folder / "run", seed=3, device="cpu")


def run(job: JigsawJob, weights: Path, *, until: float = 2.0) -> list[yolo.Epoch]:
    """Train until more than this part is done; the epochs."""
    told: list[yolo.Epoch] = []

    def on_step(done: float) -> None:
        if done > until:
            raise KeyboardInterrupt

    train_jigsaw(job, weights, on_step=on_step, on_epoch=told.append)
    return told


def read(weights: Path) -> Mapping[str, Tensor]:
    return yolo.read_checkpoint(weights).tensors


@pytest.mark.slow
def test_best_epochs_weights_are_written(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    (first, last) = run(job, tmp_path / "solver.pt")
    assert (first.number, last.number, list(last.scores)) == (1, 2, ["tiles"])
    assert 0 <= last.scores["tiles"] <= 1
    checkpoint = yolo.read_checkpoint(tmp_path / "solver.pt")
    assert (checkpoint.model_name, checkpoint.task) == ("tiles", TASK)
    network = load_network(tmp_path / "solver.pt", "tiles", 2, 32, "cpu")
    scores = judge(network, job.val, job.settings, "cpu")
    assert scores.count == 8
    assert run(job, tmp_path / "again.pt") == []  # a finished one is not done again
    assert (tmp_path / "again.pt").read_bytes() == (tmp_path / "solver.pt").read_bytes()


@pytest.mark.slow
def test_stopped_training_comes_out_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, stopped = make_job(tmp_path / "whole"), make_job(tmp_path / "stopped")
    run(whole, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        run(stopped, tmp_path / "stopped.pt", until=0.7)
    assert [epoch.number for epoch in run(stopped, tmp_path / "stopped.pt")] == [2]
    one, other = read(tmp_path / "whole.pt"), read(tmp_path / "stopped.pt")
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_other_puzzles_are_another_training(tmp_path: Path) -> None:
    job = make_job(tmp_path, epochs=1)
    run(job, tmp_path / "solver.pt")
    assert len(run(replace(job, settings=replace(job.settings, gap=0.2)), tmp_path / "solver.pt")) == 1


def test_too_few_pictures_are_one_line(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    with pytest.raises(DataError, match="1 pictures to learn from, 8 to choose the epoch on"):
        run(replace(job, train=job.train[:1]), tmp_path / "solver.pt")
    with pytest.raises(DataError, match="16 pictures to learn from, 0 to choose"):
        run(replace(job, val=()), tmp_path / "solver.pt")


class Rows(Dataset[tuple[Tensor, Tensor]]):
    """Images with four targets each, of which the network makes four rows."""

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(key[1])
        return torch.from_numpy(rng.random((3, 4, 4), np.float32)), torch.from_numpy(rng.permutation(4))


class FourRows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(48, 16)

    def forward(self, images: Tensor) -> Tensor:
        rows: Tensor = self.layer(images.flatten(1)).view(-1, 4)
        return rows


def join(batch: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    images, targets = zip(*batch, strict=True)
    return torch.stack(images), torch.cat(targets)


def learn_rows(folder: Path, *, batch: int, accumulate: int) -> tuple[Mapping[str, Tensor], list[yolo.Epoch]]:
    batches = StepBatches(EpochSampler(20, 3), batch=batch, accumulate=accumulate)
    train = DataLoader(Rows(), batch_sampler=batches, collate_fn=join)
    val = DataLoader(Rows(), 8, sampler=EpochSampler(8, None), collate_fn=join)
    folder.mkdir()
    course = Course(folder, "rows", epochs=3, patience=3, seed=0, device="cpu")
    network, told = FourRows(), list[yolo.Epoch]()
    fit(
        network,
        course,
        1e-2,
        train,
        val,
        on_step=lambda _: None,
        on_epoch=told.append,
        on_note=print,
        keep=lambda tensors: torch.save(dict(tensors), course.best),
        score="tiles",
    )
    return network.state_dict(), told


@pytest.mark.parametrize(("batch", "accumulate"), [(5, 2), (4, 3)])
def test_several_targets_an_image_leave_the_steps_as_they_are(tmp_path: Path, batch: int, accumulate: int) -> None:
    """A batch counts by its images: gathered in unlike parts they move the weights as all at once do."""
    gathered = batch * accumulate
    whole, told = learn_rows(tmp_path / "whole", batch=gathered, accumulate=1)
    parts, told_of_parts = learn_rows(tmp_path / "parts", batch=batch, accumulate=accumulate)
    assert all(torch.allclose(tensor, parts[name], atol=1e-5) for name, tensor in whole.items())
    losses = [[epoch.losses["train"] for epoch in some] for some in (told, told_of_parts)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert losses[0][0] < 3  # of a row, not of an image: log 4 is 1.4


def test_tuner_measures_real_steps(tmp_path: Path) -> None:
    measured = measure(Trial("jigsaw", "tiles", 32, 2, 4, "cpu"), 4, None, 2**33, tmp_path, print)
    assert measured.seconds > 0
    assert (tmp_path / "weights.pt").is_file()


def test_gradients_of_puzzles_are_gathered_as_the_classifiers_are() -> None:
    assert [usable_batch(count, "jigsaw") for count in (9, 100, 10_000)] == [9, 32, 64]
    assert [count_accumulated("jigsaw", 1000, batch) for batch in (4, 32, 64)] == [8, 1, 1]


def solve(folder: Path, *, epochs: int = 1, told: io.StringIO | None = None) -> Path:
    job = make_job(folder, epochs=epochs)
    return train_solver(
        job.train,
        job.val,
        job.settings,
        name="내 사진",
        data="photos",
        model_name="tiles",
        batch=8,
        seed=3,
        device="cpu",
        memory=None,
        console=Console(file=told or io.StringIO(), width=200),
    ).weights


@pytest.mark.slow
def test_solver_is_trained_apart_and_kept_with_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = io.StringIO()
    weights = solve(tmp_path, told=told)
    assert hash_files(weights).keys() == {"solver.pt", "solver.json"}
    card = read_puzzle_card(weights, SOLVER)
    assert (card.model_name, card.grid, card.imgsz, card.photos, card.data) == ("tiles", 2, 32, 16, "photos")
    assert card.metrics.keys() == {"tiles", "pictures"}
    assert "puzzles of 2 x 2 tiles: tiles at 32 px, batch 8, as was asked for\n" in told.getvalue()
    assert "solver  epoch   1/1  tiles " in told.getvalue()
    network, _ = open_solver(weights, device="cpu")
    assert not network.training
    state = json.loads((tmp_path / "runs" / "내 사진-jigsaw" / "1" / "run.json").read_text(encoding="utf-8"))
    assert state["finished"]
    assert state["jigsaw_peak_bytes"] > 0
    (weights / "solver.pt").unlink()
    assert solve(tmp_path) == weights  # anew, in a folder of its own
    assert (tmp_path / "runs" / "내 사진-jigsaw" / "2").is_dir()


def test_what_is_no_solver_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such folder - train one: cropsort jigsaw train PHOTOS"):
        open_solver(tmp_path / "nowhere", device="cpu")
    with pytest.raises(WeightsError, match="no solver that learnt puzzles here"):
        open_solver(tmp_path, device="cpu")
    for text in ("", "{}", "[]", '{"kind": "backbone"}', "nonsense"):
        (tmp_path / "solver.json").write_text(text, encoding="utf-8")
        with pytest.raises(WeightsError, match=r"solver\.json - not a card"):
            open_solver(tmp_path, device="cpu")


def draw_continuing(count: int, seed: int) -> Iterator[Pixels]:
    """Noise framed by lines that go on across every seam: nothing but these says which tile belongs where.

    The outer edges have lines as well, so that no tile tells by itself where it belongs.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        part = rng.normal(128, 10, (32, 32, 3))
        for line in (slice(0, 1), slice(15, 17), slice(31, 32)):
            for half in (slice(0, 16), slice(16, 32)):
                part[line, half] = rng.uniform(0, 255, 3)
                part[half, line] = rng.uniform(0, 255, 3)
        yield part.clip(0, 255).astype(np.uint8)


def count_right(folder: Path, pictures: Iterator[Pixels], *, gap: float, colour: float) -> float:
    """Part of the tiles that a solver puts in their place on 150 pictures that it has not learnt from."""
    sources = write_pictures(folder / "pictures", pictures)
    settings = PuzzleSettings(imgsz=32, batch=16, epochs=4, gap=gap, colour=colour, lr0=2e-3)
    job = JigsawJob("tiles", None, sources[:-150], sources[-150:], settings, folder / "run", seed=0, device="cpu")
    run(job, folder / "solver.pt")
    return judge(load_network(folder / "solver.pt", "tiles", 2, 32, "cpu"), job.val, settings, "cpu").tiles_right


@pytest.mark.slow
def test_shortcut_of_continuing_edges_is_there_and_is_closed(tmp_path: Path) -> None:
    """Where only edges say what belongs where, nothing is left to learn behind pretraining's gap and colours."""
    assert count_right(tmp_path / "open", draw_continuing(750, 1), gap=0.0, colour=0.0) > 0.6  # chance is 0.25
    assert count_right(tmp_path / "closed", draw_continuing(750, 1), gap=GAP, colour=COLOUR) < 0.33


@pytest.mark.slow
def test_layout_is_learnt_behind_gap_and_colours(tmp_path: Path) -> None:
    assert count_right(tmp_path, draw_layouts(350, 1), gap=GAP, colour=COLOUR) > 0.5
