"""``cropsort correct``: what a reader corrected in a report's workbook becomes training data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.corrected import folder_of
from pipeline.corrections.applying import apply_plan
from pipeline.corrections.cases import gather_cases
from pipeline.corrections.ledger import LEDGER, read_ledger
from pipeline.corrections.places import find_places
from pipeline.corrections.plan import Plan, Remark, preview
from pipeline.corrections.planning import make_plan
from pipeline.corrections.sheets import PHOTOS, RESULTS, Answers, read_answers
from pipeline.corrections.verdicts import find_class, understand
from pipeline.errors import DataError
from pipeline.journal import RESULTS as RESULTS_FILE
from pipeline.recorded import describe, read_report
from pipeline.run_info import RunInfo
from pipeline.workbook.notes import read_note

__all__ = ["Outcome", "Plan", "correct_workbook", "preview"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a workbook's corrections.

    Args:
        plan: what they change.
        applied: whether that was written; also where there was nothing to write.
        failed: photos that could not be copied, and why.
    """

    plan: Plan
    applied: bool
    failed: tuple[Remark, ...] = ()

    @property
    def refused(self) -> tuple[Remark, ...]:
        """All that could not be applied, and why."""
        return (*self.plan.refused, *self.failed)


def correct_workbook(
    workbook: Path,
    data_file: Path,
    *,
    results: Path | None = None,
    apply: Callable[[Plan], bool],
    console: Console,
) -> Outcome:
    """Read the corrections in a workbook, and make training data of them.

    Args:
        workbook: the report.xlsx that somebody corrected; only read.
        data_file: the data.yaml of the data set that learns from it.
        results: folder of the report's results, or the file in it; None for what the workbook says, else beside it.
        apply: shown what would change, where anything would; says whether to write it.
        console: told of the progress.

    Raises:
        DataError: the workbook is not a report's, a sheet or column was deleted, its results are gone, they are of
            other classes than data.yaml, or the data set cannot be read.
        ConfigError: data.yaml cannot be understood.
        OutputError: something cannot be written; the same command goes on.
    """
    config = read_config(data_file)
    console.print("reading the workbook ...")
    answers = read_answers(workbook)
    plan = _plan(workbook, data_file, config, answers, results, console)
    if plan.changes and not apply(plan):
        return Outcome(plan, applied=False)
    if not (plan.changes or plan.confirmed):
        return Outcome(plan, applied=True)
    with counting(console, "applying corrections", plan.changes) as advance:
        return Outcome(plan, applied=True, failed=apply_plan(plan, on_photo=advance))


def _plan(
    workbook: Path, data_file: Path, config: Config, answers: Answers, results: Path | None, console: Console
) -> Plan:
    found = read_report(find_results(workbook, answers, results))
    run = describe(found).run
    _check_classes(data_file, config, run)
    verdicts = understand(answers.boxes, answers.photos, config.names)
    cases, remarks = gather_cases(found, verdicts, answers.shown, config.names)
    said = read_note(answers.properties, PHOTOS)
    folders = [run.photos, *([Path(said)] if said else [])]
    ledger = read_ledger(folder_of(data_file) / LEDGER)
    places = find_places(data_file, config)
    with counting(console, "looking for the photos in the data set", len(places.parts) + len(cases)) as advance:
        return make_plan(
            data_file,
            config,
            cases,
            folders=list(dict.fromkeys(folders)),
            places=places,
            ledger=ledger,
            remarks=remarks,
            on_photo=advance,
        )


def find_results(workbook: Path, answers: Answers, results: Path | None) -> Path:
    """The results that a workbook is of.

    Raises:
        DataError: they are not where they should be.
    """
    if results is not None:
        places = [results.parent if results.name == RESULTS_FILE else results]
    else:
        said = read_note(answers.properties, RESULTS)
        places = [*([Path(said)] if said else []), workbook.absolute().parent]
    for place in places:
        if (place / RESULTS_FILE).is_file():
            return place / RESULTS_FILE
    remedy = "name the folder that they are in now: --results FOLDER"
    raise DataError(f"no {RESULTS_FILE} here, which the workbook was made of", where=places[0], remedy=remedy)


def _check_classes(data_file: Path, config: Config, run: RunInfo) -> None:
    """See that data.yaml is of the same classes: that of another data set would be taught what it does not know.

    Raises:
        DataError: it has none of them.
    """
    found = run.class_names
    if found and not any(find_class(name, config.names) for name in found):
        raise DataError(
            f"its classes ({', '.join(config.names[:5])}) are not those of the report ({', '.join(found[:5])})",
            where=data_file,
            remedy="name the data.yaml that the weights were trained with: --data",
        )
