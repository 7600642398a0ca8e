"""What a network does in each step of its training: the loss, which layers learn, and how fast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from pipeline import yolo
from pipeline.loading import StepBatches
from pipeline.resuming import Course
from pipeline.schedules import one_cycle, step_down

_SMOOTHING = 0.05
_WEIGHT_DECAY = 0.02
_AVERAGE_RAMP = 100
"""Steps after which the average keeps two thirds of what it does in the end: the first weights are soon forgotten."""


class DivergedError(Exception):
    """The loss is no number any more; the message says where."""


class Learner(pl.LightningModule):
    """Cross entropy with AdamW.

    Args:
        network: from images (batch, 3, side, side), 0 to 1, to what ``yolo.logits`` takes.
        head: those of its parameters that learn while the rest is frozen.
        course: how it learns.
        rate: highest learning rate.
        batches: what an epoch consists of.
        class_weights: how much a mistake counts, by class; None for all the same.

    Attributes:
        losses: on val, of all epochs so far.
    """

    def __init__(
        self,
        network: nn.Module,
        head: Sequence[nn.Parameter],
        course: Course,
        rate: float,
        batches: StepBatches,
        class_weights: Sequence[float] | None,
    ) -> None:
        super().__init__()
        self._layout = torch.contiguous_format if course.device == "mps" else torch.channels_last
        self.network = _lay_out(network, self._layout)
        self.average = _make_average(network, course.average) if course.average else None
        self.course = course
        self.rate = rate
        self.batches = batches
        self.losses: list[float] = []
        self._head = frozenset(map(id, head))
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)

    @property
    def judged(self) -> nn.Module:
        """The network that val is asked about, and that is kept."""
        return self.network if self.average is None else self.average.module

    def tensors(self) -> Mapping[str, Tensor]:
        """Of the network that is kept, on the CPU."""
        return {name: tensor.cpu().contiguous() for name, tensor in self.judged.state_dict().items()}

    def pace(self, epoch: int, batch_idx: int) -> tuple[float, float]:
        """The learning rate and AdamW's first beta; what learns alone, and then the whole, has a schedule of its own.

        Args:
            epoch: counted from 0.
            batch_idx: counted from 0.
        """
        course, per_epoch = self.course, self.batches.steps
        begin, end = (0, course.head_epochs) if epoch < course.head_epochs else (course.head_epochs, course.epochs)
        done = (epoch - begin) * per_epoch + batch_idx // len(self.batches.sizes)
        steps = (end - begin) * per_epoch
        if course.schedule == "cosine":
            return one_cycle(done, steps, self.rate)
        return step_down(done, steps, self.rate, self.losses[begin:epoch], max(1, course.patience // 2))

    def on_train_batch_start(self, _batch: object, batch_idx: int) -> None:
        """Begin an epoch; see Lightning."""
        if batch_idx == 0:  # not before: what Lightning draws until then depends on whether it was stopped
            sequence = np.random.SeedSequence((self.course.seed, self.current_epoch))
            torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]))
            self._freeze(self.current_epoch < self.course.head_epochs)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch whose targets are numbers, shape (n,), or probabilities, (n, classes).

        There may be several for each image, as for the tiles of a puzzle: it counts as one in any case.
        """
        images, targets = batch
        out = self._see(self.network, images)
        each = functional.cross_entropy(out, targets, reduction="none", label_smoothing=_SMOOTHING)
        loss = self._weigh(each, targets)
        if not math.isfinite(loss.item()):
            self._report(loss, batch_idx)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(images))
        sizes = self.batches.sizes
        return loss * (len(images) * len(sizes) / sum(sizes))  # Lightning divides by the number of batches

    def validation_step(self, batch: tuple[Tensor, Tensor], _batch_idx: int) -> None:
        """Note how a batch of val comes out; see Lightning."""
        images, targets = batch
        out = self._see(self.judged, images)
        self.log("val_loss", functional.cross_entropy(out, targets), batch_size=len(images))
        self.log("val_top1", (out.argmax(1) == targets).float().mean(), batch_size=len(images))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, which lets biases and the scales of norms be as large as they want."""
        decayed = [weight for weight in self.network.parameters() if weight.ndim > 1]
        others = [weight for weight in self.network.parameters() if weight.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.rate, weight_decay=_WEIGHT_DECAY)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Move the weights; see Lightning."""
        rate, beta = self.pace(epoch, batch_idx)
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = rate, (beta, group["betas"][1])
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def _see(self, network: nn.Module, images: Tensor) -> Tensor:
        return yolo.logits(network(images.contiguous(memory_format=self._layout)))

    def _weigh(self, losses: Tensor, targets: Tensor) -> Tensor:
        """The mean loss, each by the weight of its class.

        ``cross_entropy`` would weigh what smoothing gives the other classes as well, and a rare one may get more of it
        than the true one; its mean would divide by the weights of a batch: in smaller ones a rare class counts less.
        """
        weights = self.class_weights
        if not isinstance(weights, Tensor):
            return losses.mean()
        return (losses * (weights[targets] if targets.ndim == 1 else (targets * weights).sum(1))).mean()

    def _freeze(self, frozen: bool) -> None:
        """Have the head learn alone: the rest as it predicts, so that batch norms keep what they know, too."""
        self.network.train(not frozen)
        for weight in self.network.parameters():
            weight.requires_grad_(not frozen or id(weight) in self._head)

    def _report(self, loss: Tensor, batch_idx: int) -> None:
        rate, _ = self.pace(self.current_epoch, batch_idx)
        batches = len(self.batches)
        place = f"epoch {self.current_epoch + 1}, batch {batch_idx + 1} of {batches}, at a learning rate of {rate:.1e}"
        raise DivergedError(f"the training loss is {loss.item()} in {place}")


def _lay_out(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    """Channels last is by a fifth faster on a CPU, and what tensor cores want; it is for kernels of two dimensions."""
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=layout)
    return network


def _make_average(network: nn.Module, decay: float) -> AveragedModel:
    """A moving average of all weights and statistics, which after n steps keeps ``decay * (1 - exp(-n / ramp))``.

    A number that only counts, such as the batches that a batch norm has seen, is taken over.
    """

    def blend(averaged: Any, current: Any, count: Any) -> None:
        if averaged[0].is_floating_point():
            kept = decay * (1 - math.exp(-int(count) / _AVERAGE_RAMP))
            torch._foreach_lerp_(averaged, current, 1 - kept)
        else:
            torch._foreach_copy_(averaged, current)

    average = AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
    average.requires_grad_(False)
    return average.eval()
