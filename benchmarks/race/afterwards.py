"""What the probabilities of trainings that are done say of ensembles and of calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

import numpy as np

from pipeline.calibration import apply_temperature, expected_calibration_error, fit_temperature, log_loss
from race.figures import Kept, compare, print_table, score, top1

MEMBERS = 3
_FIGURES = ("top1", "recall", "log_loss")


def show_ensembles(runs: Mapping[str, Sequence[Kept]]) -> None:
    """The mean of three members' probabilities, for all threes of the seeds, beside what each is alone.

    Each seed has a val of its own, so that what one member chose its epoch on another may have learnt from, as in
    ``folds``.

    Args:
        runs: trainings by case, in the order of their seeds.
    """
    print("\n**ensemble** (three trainings' probabilities averaged, scored on test; goal: top1 ahead of both)\n")
    rows = []
    for name, done in runs.items():
        threes = [_gather(members) for members in combinations(done, MEMBERS)]
        for told, some in (("the first three seeds", threes[:1]), (f"all {len(threes)} threes", threes)):
            rows += [(name, told, *_row(key, [three[key] for three in some])) for key in _FIGURES if some]
        if not threes:
            print(f"{name}: {len(done)} trainings are done, of at least {MEMBERS}: --only {name} does more\n")
    print_table(("case", "members", "figure", "ensemble", "mean of members", "member that val chooses"), rows)


def show_calibration(runs: Mapping[str, Sequence[Kept]]) -> None:
    """Log loss and calibration error on test, before and after the temperature that each training's own val gives."""
    print("\n**calibration** (on test, the temperature fitted on each training's own val)\n")
    rows, before, after = [], [], []
    for name, done in runs.items():
        for seed, run in enumerate(done):
            temperature = fit_temperature(run.val, run.val_targets)
            tables = run.test, apply_temperature(run.test, temperature)
            losses = [log_loss(table, run.test_targets) for table in tables]
            errors = [expected_calibration_error(table, run.test_targets) for table in tables]
            before.append(losses[0])
            after.append(losses[1])
            rows.append((f"{name}, {seed}", f"{temperature:.2f}", *(f"{value:.4f}" for value in (*losses, *errors))))
    print_table(("training", "temperature", "log loss before", "after", "ECE before", "after"), rows)
    changes = [new - old for old, new in zip(before, after, strict=True)]
    if changes:
        print(f"\nchange of log loss: mean {compare(after, before).say(4)} (goal: below 0), ", end="")
        print(
            f"worst {max(changes):+.4f} (goal: at most 0); worse in {sum(one > 0 for one in changes)} of {len(changes)}"
        )


def _gather(members: Sequence[Kept]) -> dict[str, tuple[float, float, float]]:
    """Each figure on test: of the mean of probabilities, the mean of the members', and of the one that val chooses."""
    targets = members[0].test_targets
    together = score(np.mean([one.test for one in members], axis=0), targets)
    alone = [score(one.test, targets) for one in members]
    best = alone[max(range(len(members)), key=lambda place: _rank(members[place]))]
    return {key: (together[key], fmean(one[key] for one in alone), best[key]) for key in _FIGURES}


def _row(key: str, threes: Sequence[tuple[float, float, float]]) -> list[str]:
    return [key, *(f"{fmean(values):.4f}" for values in zip(*threes, strict=True))]


def _rank(run: Kept) -> tuple[float, float]:
    """How good a member is on its own val."""
    return top1(run.val, run.val_targets), -log_loss(run.val, run.val_targets)
