"""The learning rate is that of torch's schedules, from where training stands alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.schedules import count_head_epochs, count_plateaus, one_cycle, step_down


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


@pytest.mark.parametrize("wait", [1, 2, 3])
@pytest.mark.parametrize(
    "losses", [[3, 2, 1], [1] * 9, [1, 2, 0.5, 3, 3, 3, 3, 0.4, 1, 1, 1, 1, 1], [], [2, 2, 1, 1, 1, 0.9, 1]]
)
def test_rate_is_halved_where_torch_would(losses: list[float], wait: int) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=wait - 1, threshold=0.0)
    for loss in losses:
        schedule.step(loss)
    assert 0.5 ** count_plateaus(losses, wait) == optimizer.param_groups[0]["lr"]


def test_plateau_warms_up_as_the_cycle_does_and_then_stays() -> None:
    rates = [step_down(done, 100, 1e-3, [], 3)[0] for done in range(100)]
    assert rates[:15] == [one_cycle(done, 100, 1e-3)[0] for done in range(15)]
    assert set(rates[14:]) == {1e-3}
    assert step_down(50, 100, 1e-3, [1.0, 1.0, 1.0, 1.0], 3)[0] == 5e-4


@pytest.mark.parametrize("steps", [1, 2, 6])
def test_few_steps_have_rates_too(steps: int) -> None:
    assert all(0 < step_down(done, steps, 1e-3, [], 1)[0] <= 1e-3 for done in range(steps))


def test_head_learns_alone_for_a_fifth_or_at_least_one_epoch() -> None:
    assert [count_head_epochs("head-first", epochs) for epochs in (1, 4, 9, 10, 30)] == [1, 1, 1, 2, 6]
    assert (count_head_epochs("all", 30), count_head_epochs("head", 30)) == (0, 30)
