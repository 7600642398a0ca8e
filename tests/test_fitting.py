"""A training that was stopped comes out as if it had not been; smaller batches leave the steps as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pipeline import yolo
from pipeline.fitting import fit, one_cycle
from pipeline.loading import EpochSampler, StepBatches
from pipeline.resuming import Course, read_progress

Tensors = dict[str, Tensor]


@dataclass
class Noise(Dataset[tuple[Tensor, int]]):
    """Images whose class is easily told, another one for each number and, unless it is for val, for each epoch."""

    val: bool = False

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        epoch, index = key
        rng = np.random.default_rng((0 if self.val else epoch + 1, index))
        return torch.from_numpy(rng.random((3, 4, 4), np.float32) * 0.5 + index % 2 * 0.2), index % 2


@dataclass
class Training:
    """A training of a small network, and what was told of it, over all its stops."""

    course: Course
    count: int = 24
    batch: int = 4
    accumulate: int = 1
    rate: float = 1e-2
    dropout: float = 0.5
    workers: int = 0
    epochs: list[int] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)

    def run(self, *, until: float = 2.0) -> Tensors:
        """Train until more than this part is done; the weights at the end."""
        torch.manual_seed(1)
        network = nn.Sequential(nn.Flatten(), nn.Linear(48, 16), nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(16, 2))
        torch.manual_seed(len(self.steps))  # what other code draws must not matter

        def on_step(done: float) -> None:
            self.steps.append(done)
            if done > until:
                raise KeyboardInterrupt

        def keep() -> None:
            self.kept.append(len(self.epochs) + 1)
            torch.save(network.state_dict(), self.course.best)

        batches = StepBatches(EpochSampler(self.count, 3), batch=self.batch, accumulate=self.accumulate)
        train = DataLoader(Noise(), batch_sampler=batches, **self.loading())
        val = DataLoader(Noise(val=True), 8, sampler=EpochSampler(16, None))
        fit(network, self.course, self.rate, train, val, on_step=on_step, on_epoch=self.on_epoch, keep=keep)
        return network.state_dict()

    def loading(self) -> dict[str, Any]:
        if not self.workers:
            return {}
        return {"num_workers": self.workers, "persistent_workers": True, "multiprocessing_context": "spawn"}

    def on_epoch(self, epoch: yolo.Epoch) -> None:
        self.epochs.append(epoch.number)

    def stop(self, until: float) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.run(until=until)


Make = Callable[..., Training]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(name: str, *, epochs: int = 4, patience: int = 100, **settings: float) -> Training:
        (tmp_path / name).mkdir()
        course = Course(tmp_path / name, "key", epochs=epochs, patience=patience, seed=5, device="cpu")
        return Training(course, **settings)  # type: ignore[arg-type]  # whole numbers where they belong

    return make


def same(one: Tensors, other: Tensors) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("steps", [1, 2, 6, 7, 14, 20, 37, 300])
def test_learning_rate_and_momentum_are_those_of_torch(steps: int) -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-4, total_steps=steps, pct_start=0.15)
    for done in range(steps):
        group = optimizer.param_groups[0]
        assert one_cycle(done, steps, 3e-4) == (group["lr"], group["betas"][0])
        optimizer.step()
        if done + 1 < steps:
            schedule.step()


def test_rate_depends_on_the_part_that_is_done_and_hardly_on_the_number_of_steps() -> None:
    for part in (0.0, 0.1, 0.4, 0.9):
        few, many = (one_cycle(round(part * steps), steps, 1.0)[0] for steps in (400, 4000))
        assert few == pytest.approx(many, abs=0.02)


@pytest.mark.parametrize("until", [0.25, 0.5, 0.75, 0.6])
def test_stopped_training_comes_out_as_if_it_had_not_been(make: Make, until: float) -> None:
    whole, stopped = make("whole"), make("stopped")
    wanted = whole.run()
    stopped.stop(until)
    assert same(stopped.run(), wanted)
    assert stopped.epochs == whole.epochs == [1, 2, 3, 4]
    assert torch.load(stopped.course.best, weights_only=True).keys() == wanted.keys()
    assert same(torch.load(stopped.course.best, weights_only=True), torch.load(whole.course.best, weights_only=True))


def test_training_that_is_stopped_in_every_epoch_comes_to_its_end(make: Make) -> None:
    whole, stopped = make("whole"), make("stopped")
    for until in (0.1, 0.25, 0.5, 0.75):
        stopped.stop(until)
    assert same(stopped.run(), whole.run())
    assert stopped.kept == whole.kept


def test_what_the_network_draws_depends_on_seed_and_epoch_alone(make: Make) -> None:
    one, other = make("one"), make("other")
    other.course = replace(other.course, seed=6)
    assert not same(one.run(), other.run())


@pytest.mark.slow
def test_stopped_training_with_workers_goes_on_with_the_right_crops(make: Make) -> None:
    whole, stopped = make("whole", epochs=3), make("stopped", epochs=3, workers=1)
    stopped.stop(0.5)
    assert same(stopped.run(), whole.run())


def test_steps_are_told_from_where_it_goes_on(make: Make) -> None:
    training = make("one")
    training.stop(0.5)
    before = len(training.steps)
    training.run()
    assert training.steps[before - 2 :][:3] == [0.5, 0.5 + 1 / 24, 0.5 + 1 / 24]
    assert training.steps[-1] == 1.0


def test_patience_counts_over_a_stop(make: Make) -> None:
    training = make("one", epochs=20, patience=3, rate=0.0)
    for until in (0.06, 0.11, 0.16):
        training.stop(until)
    training.run()
    assert training.epochs == [1, 2, 3, 4]
    progress = read_progress(training.course)
    assert progress is not None
    assert (progress.epochs, progress.finished) == (4, True)


def test_best_epoch_counts_over_a_stop(make: Make) -> None:
    training = make("one", rate=0.0)
    training.stop(0.5)
    training.run()
    assert training.kept == [1]


@pytest.mark.parametrize(("count", "parts"), [(24, 2), (24, 4), (7, 2), (29, 2)])
def test_smaller_batches_gathered_are_the_same_training(make: Make, count: int, parts: int) -> None:
    whole = make("whole", count=count, batch=8, dropout=0.0)
    small = make("small", count=count, batch=8 // parts, accumulate=parts, dropout=0.0)
    wanted, got = whole.run(), small.run()
    assert len(small.steps) == len(whole.steps) * parts
    assert all(torch.allclose(tensor, got[name], atol=1e-5) for name, tensor in wanted.items())


def test_stopped_training_goes_on_with_smaller_batches(make: Make) -> None:
    whole, stopped = make("whole", batch=8, dropout=0.0), make("stopped", batch=8, dropout=0.0)
    wanted = whole.run()
    stopped.stop(0.5)
    stopped.batch, stopped.accumulate = 2, 4
    got = stopped.run()
    assert stopped.epochs == [1, 2, 3, 4]
    assert all(torch.allclose(tensor, got[name], atol=1e-5) for name, tensor in wanted.items())


def test_fewer_batches_than_are_gathered_still_move_the_weights(make: Make) -> None:
    training = make("one", count=6, batch=4, accumulate=100, epochs=2)
    first = make("other", count=6, batch=4, accumulate=100, epochs=2, rate=0.0).run()
    assert not same(training.run(), first)


def test_damaged_checkpoint_has_it_begin_anew(make: Make) -> None:
    whole, stopped = make("whole"), make("stopped")
    stopped.stop(0.75)
    stopped.course.last.write_bytes(stopped.course.last.read_bytes()[:-100])
    assert same(stopped.run(), whole.run())
    assert stopped.epochs == [1, 2, 3, 1, 2, 3, 4]


def test_old_checkpoint_goes_when_it_begins_anew(make: Make) -> None:
    """Or the next one would go on from it, with the best weights of another training."""
    training = make("one")
    training.stop(0.75)
    training.course = replace(training.course, key="another")
    training.stop(0.01)
    assert not training.course.last.exists()


def test_what_a_killed_process_left_half_written_goes(make: Make) -> None:
    training = make("one")
    left = training.course.folder / ".last.123.part.ckpt"
    left.write_bytes(b"half")
    training.run()
    assert sorted(path.name for path in training.course.folder.iterdir()) == ["best.pt", "last.ckpt"]
