"""A training that was stopped comes out as if it had not been; smaller batches leave the steps as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from pipeline import yolo
from pipeline.errors import CropsortError
from pipeline.fitting import fit
from pipeline.loading import EpochSampler, StepBatches
from pipeline.resuming import Course, Progress, read_progress

Tensors = dict[str, Tensor]


@dataclass
class Noise(Dataset[tuple[Tensor, Tensor]]):
    """Images whose class is easily told, another one for each number and, unless it is for val, for each epoch."""

    val: bool = False
    mixed: bool = False

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, index = key
        rng = np.random.default_rng((0 if self.val else epoch + 1, index))
        image = torch.from_numpy(rng.random((3, 4, 4), np.float32) * 0.5 + index % 2 * 0.2)
        part = rng.random() * 0.4
        return image, torch.tensor([1 - part, part] if self.mixed else index % 2)


def make_network(dropout: float = 0.5, *, norm: bool = False) -> nn.Sequential:
    """A small one, on request with batch norm, which sees the size of a batch and learns whatever the rate is."""
    torch.manual_seed(1)
    seen = [nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)] if norm else []
    body = nn.Flatten(), nn.Linear(48, 16), nn.ReLU(), nn.Dropout(dropout)
    return nn.Sequential(*seen, *body, nn.Linear(16, 2))


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
    norm: bool = False
    mixed: bool = False
    class_weights: tuple[float, float] | None = None
    steps: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    told: list[yolo.Epoch] = field(default_factory=list)

    @property
    def epochs(self) -> list[int]:
        return [epoch.number for epoch in self.told]

    def run(self, *, until: float = 2.0) -> Tensors:
        """Train until more than this part is done; the weights at the end."""
        network = make_network(self.dropout, norm=self.norm)
        torch.manual_seed(len(self.steps))  # what other code draws must not matter

        def on_step(done: float) -> None:
            self.steps.append(done)
            if done > until:
                raise KeyboardInterrupt

        def keep(tensors: Mapping[str, Tensor]) -> None:
            self.kept.append(len(self.epochs) + 1)
            torch.save(dict(tensors), self.course.best)

        batches = StepBatches(EpochSampler(self.count, 3), batch=self.batch, accumulate=self.accumulate)
        train = DataLoader(Noise(mixed=self.mixed), batch_sampler=batches, **self.loading())
        val = DataLoader(Noise(val=True), 8, sampler=EpochSampler(16, None))
        fit(
            network,
            self.course,
            self.rate,
            train,
            val,
            on_step=on_step,
            on_epoch=self.on_epoch,
            on_note=self.notes.append,
            keep=keep,
            head=list(network[-1].parameters()),
            class_weights=self.class_weights,
        )
        return network.state_dict()

    def read_best(self) -> Tensors:
        return dict(torch.load(self.course.best, weights_only=True))

    def loading(self) -> dict[str, Any]:
        if not self.workers:
            return {}
        return {"num_workers": self.workers, "persistent_workers": True, "multiprocessing_context": "spawn"}

    def on_epoch(self, epoch: yolo.Epoch) -> None:
        self.told.append(epoch)

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


@pytest.mark.parametrize("until", [0.25, 0.5, 0.75, 0.6])
def test_stopped_training_comes_out_as_if_it_had_not_been(make: Make, until: float) -> None:
    whole, stopped = make("whole"), make("stopped")
    wanted = whole.run()
    stopped.stop(until)
    assert same(stopped.run(), wanted)
    assert stopped.epochs == whole.epochs == [1, 2, 3, 4]
    assert stopped.read_best().keys() == wanted.keys()
    assert same(stopped.read_best(), whole.read_best())


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


def test_all_at_once_comes_out_the_same_after_a_stop(make: Make) -> None:
    whole, stopped = (
        make(name, epochs=6, patience=3, norm=True, mixed=True, class_weights=(0.5, 1.5))
        for name in ("whole", "stopped")
    )
    for training in (whole, stopped):
        training.course = replace(training.course, head_epochs=2, schedule="plateau", average=0.99)
    wanted = whole.run()
    for until in (0.1, 1 / 3, 0.5, 0.7):
        stopped.stop(until)
    assert same(stopped.run(), wanted)
    assert stopped.read_best().keys() == wanted.keys()
    assert same(stopped.read_best(), whole.read_best())
    assert [epoch.rate for epoch in stopped.told] == [epoch.rate for epoch in whole.told]


def test_all_but_the_head_stays_bit_by_bit_as_it_was(make: Make) -> None:
    training = make("one", epochs=2, norm=True)
    training.course = replace(training.course, head_epochs=2, average=0.9)
    begun, learnt = make_network(norm=True).state_dict(), training.run()
    moved = {name for name, tensor in begun.items() if not torch.equal(tensor, learnt[name])}
    assert moved == {"6.weight", "6.bias"}
    kept = training.read_best()
    assert {name for name, tensor in begun.items() if not torch.equal(tensor, kept[name])} == moved


def test_after_the_head_the_whole_network_learns(make: Make) -> None:
    training = make("one", epochs=2, norm=True)
    training.course = replace(training.course, head_epochs=1)
    begun, learnt = make_network(norm=True).state_dict(), training.run()
    assert not any(torch.equal(tensor, learnt[name]) for name, tensor in begun.items())
    assert training.told[0].rate == training.told[1].rate  # a cycle each


def test_patience_does_not_count_while_the_head_learns_alone(make: Make) -> None:
    training = make("one", epochs=20, patience=2, rate=0.0)
    training.course = replace(training.course, head_epochs=5)
    training.run()
    assert training.epochs == [1, 2, 3, 4, 5, 6, 7, 8]


def test_rate_is_halved_on_a_plateau(make: Make) -> None:
    training = make("one", epochs=9, patience=5, rate=2.0**-99)  # too little to move anything
    training.course = replace(training.course, schedule="plateau")
    training.run()
    assert [epoch.rate * 2**99 for epoch in training.told[1:]] == [1, 1, 0.5, 0.5, 0.25]


def test_average_is_what_val_sees_and_what_is_kept(make: Make) -> None:
    training = make("one", epochs=3, norm=True, dropout=0.0)
    training.course = replace(training.course, average=0.999)
    last = training.run()
    assert training.kept == [1, 2, 3]
    kept = training.read_best()
    assert not any(torch.equal(last[name], tensor) for name, tensor in kept.items() if tensor.is_floating_point())
    assert torch.equal(last["1.num_batches_tracked"], kept["1.num_batches_tracked"])
    network = make_network(norm=True)
    network.load_state_dict(kept)
    assert measure_val(network) == pytest.approx(training.told[-1].losses["val"], abs=1e-6)


def measure_val(network: nn.Module) -> float:
    images, targets = zip(*(Noise(val=True)[0, index] for index in range(16)), strict=True)
    with torch.inference_mode():
        return float(nn.functional.cross_entropy(network.eval()(torch.stack(images)), torch.stack(targets)))


def test_class_that_weighs_more_is_said_more_often(make: Make) -> None:
    rare, common = (make(name, class_weights=weights) for name, weights in (("r", (0.1, 1.9)), ("c", (1.9, 0.1))))
    out = []
    for training in (rare, common):
        network = make_network()
        network.load_state_dict(training.run())
        with torch.inference_mode():
            out.append(float(network.eval()(torch.full((1, 3, 4, 4), 0.35)).softmax(1)[0, 1]))
    assert out[0] > 0.5 > out[1]


@pytest.mark.parametrize("mixed", [False, True])
def test_class_weighs_what_its_samples_lose_and_not_what_smoothing_gives_it(make: Make, mixed: bool) -> None:
    """Or a class that is 40 times as rare as another would get more of each target than the true one."""
    training = make("one", epochs=1, rate=0.0, dropout=0.0, mixed=mixed, class_weights=(0.05, 1.95))
    training.run()
    images, targets = zip(*(Noise(mixed=mixed)[0, index] for index in range(24)), strict=True)
    with torch.inference_mode():
        out = make_network().eval()(torch.stack(images))
    shares = torch.stack(targets) if mixed else nn.functional.one_hot(torch.stack(targets)).float()
    each = nn.functional.cross_entropy(out, shares, reduction="none", label_smoothing=0.05)
    wanted = float((each * (shares @ torch.tensor([0.05, 1.95]))).mean())
    assert training.told[0].losses["train"] == pytest.approx(wanted, abs=1e-5)


def test_weights_of_classes_count_the_same_in_smaller_batches(make: Make) -> None:
    whole = make("whole", batch=8, dropout=0.0, class_weights=(0.1, 1.9))
    small = make("small", batch=2, accumulate=4, dropout=0.0, class_weights=(0.1, 1.9))
    wanted, got = whole.run(), small.run()
    assert all(torch.allclose(tensor, got[name], atol=1e-5) for name, tensor in wanted.items())


def test_loss_that_is_no_number_at_once_is_one_line(make: Make) -> None:
    training = make("one", rate=1e38)
    found = r"classifier - the training loss is nan in epoch 1, batch 2 of 6, at a learning rate of \d\.\de\+37"
    with pytest.raises(CropsortError, match=f"{found} - expected a finite one - a lower lr0 than 1e\\+38 under"):
        training.run()
    assert not training.epochs


def test_loss_that_becomes_no_number_ends_the_training_with_the_best_epoch(make: Make) -> None:
    training = make("one", epochs=9)
    training.stop(0.4)
    training.rate = 1e38
    training.run()
    assert training.epochs == [1, 2, 3]
    (note,) = training.notes
    assert "the training loss is nan in epoch 4, batch 2 of 6, at a learning rate of" in note
    assert f"training ends here with the weights of epoch {training.kept[-1]}, the best so far" in note
    assert read_progress(training.course) == Progress(3, finished=True)


def test_loss_on_val_that_is_no_number_counts_as_well(make: Make) -> None:
    """The last step of an epoch can be the one too many."""
    training = make("one", count=4, rate=1e37)
    with pytest.raises(CropsortError, match="the loss on val is nan after epoch 1, at a learning rate of"):
        training.run()


def test_epoch_says_its_time_and_what_of_it_was_waited(make: Make) -> None:
    training = make("one", epochs=2)
    training.stop(0.5)
    training.run()
    assert all(epoch.seconds > 0 and 0 < epoch.waited < 1 for epoch in training.told)
