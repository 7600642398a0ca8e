"""The commands from photos to a report, and from what its reader corrected back to training data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli_asking import ask_to_apply
from pipeline.cli_options import DATA, Data

if TYPE_CHECKING:
    from pipeline.correcting import Plan
    from pipeline.report.reporting import Report

Formats = Annotated[
    str,
    typer.Option("--format", help="What the tables are written as beside CSV: parquet, json, or both with a comma."),
]


def predict(
    photos: Annotated[
        str,
        typer.Argument(
            metavar="PHOTOS",
            help="A folder of photos, a photo, a pattern in quotes such as 'trip/**/*.jpg', a .txt with a path or URL "
            "a line, a URL, or - for such lines on standard input.",
        ),
    ],
    data: Data = DATA,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the report; by default reports/<name of PHOTOS>.")
    ] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            "--weights",
            help="Folder of the trained pair; by default weights/<data set>. Given several times, for the same "
            "classes, the classifiers decide together on what the first detector finds.",
        ),
    ] = None,
    submission: Annotated[
        str | None,
        typer.Option(
            metavar="ID,LABEL",
            help="Write submission.csv as well, as contests want it: a row a photo, its name without ending and the "
            "class of its surest subject, empty where nothing was found; plain UTF-8, for a grader and not for Excel. "
            "ID,LABEL names the columns.",
        ),
    ] = None,
    gps: Annotated[
        bool, typer.Option("--gps", help="Say where photos were taken; left out otherwise, as reports are shared.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where an earlier run left results; by default it goes on.")
    ] = False,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="On a CPU: networks in 8 bits, faster and a little less sure (see export)."),
    ] = False,
    boxes: Annotated[bool, typer.Option("--boxes", help="Also the photos with what was found drawn in.")] = False,
    crops: Annotated[bool, typer.Option("--crops", help="Also the crops, in a folder a class.")] = False,
    megadetector: Annotated[
        bool, typer.Option("--megadetector", help="Also megadetector.json, for the programs that read that format.")
    ] = False,
    coco: Annotated[bool, typer.Option("--coco", help="Also coco.json.")] = False,
    formats: Formats = "csv",
) -> None:
    """Find and sort the subjects in photos, and write workbook, tables and page; a run that was stopped goes on."""
    from pipeline.report.frames import parse_formats
    from pipeline.submission import parse_header

    header = None if submission is None else parse_header(submission)
    wanted = parse_formats(formats)
    from pipeline.console import make_console
    from pipeline.predict import Extra, predict_photos
    from pipeline.results import FAILED

    asked: dict[Extra, bool] = {"boxes": boxes, "crops": crops, "megadetector": megadetector, "coco": coco}
    made = predict_photos(
        photos,
        data,
        weights=weights or [],
        folder=out,
        console=make_console(),
        submission=header,
        gps=gps,
        int8=int8,
        restart=restart,
        extras=[extra for extra, given in asked.items() if given],
        formats=wanted,
    )
    counts = ", ".join(f"{count} {status}" for status, count in made.counts.items())
    print(f"{made.subjects} subjects in {made.counts.total()} files ({counts})")
    _tell(made.report)
    print(*filter(None, (made.submission, *made.extras)), sep="\n", end="\n" if made.submission or made.extras else "")
    failed = sum(made.counts[status] for status in FAILED)
    if failed:
        print(f"{failed} of the photos could not be read: the Problems sheet says why", file=sys.stderr)
        raise typer.Exit(1)


def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A report's folder, or its results.jsonl.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="OUT.xlsx", help="The workbook; by default report.xlsx in the report's folder."
        ),
    ] = None,
    language: Annotated[
        Literal["en", "ko"] | None,
        typer.Option(help="Of headings and explanations; by default that of the report.", show_default=False),
    ] = None,
    formats: Formats = "csv",
) -> None:
    """Write workbook, tables and page of a run's results anew, also those of a run that was stopped."""
    from pipeline.report.frames import parse_formats

    wanted = parse_formats(formats)
    from pipeline.console import make_console
    from pipeline.report.reporting import report_results

    _tell(report_results(results, workbook=out, language=language, formats=wanted, console=make_console()))


def correct(
    workbook: Annotated[
        Path, typer.Argument(metavar="WORKBOOK", help="A report's workbook, with corrections written into it.")
    ],
    data: Data = DATA,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="Folder of the results that it was made of; by default what it says itself."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
) -> None:
    """Make training data of what a report's reader corrected in the workbook; says what changes, and asks."""
    from pipeline.config import read_config

    read_config(data)  # said before the seconds that the rest takes to load
    from pipeline.console import make_console
    from pipeline.correcting import correct_workbook, preview

    def ask(plan: Plan) -> bool:
        return ask_to_apply(preview(plan), yes=yes)

    made = correct_workbook(workbook, data, results=results, apply=ask, console=make_console())
    if not made.plan.changes:
        print(*preview(made.plan), sep="\n")
    elif made.applied:
        print(f'applied; go on with: make train DATA="{data}"')
    else:
        print("nothing was changed")
    for remark in made.failed:
        print(f"cropsort: {remark}", file=sys.stderr)
    if made.failed:
        raise typer.Exit(1)


def _tell(made: Report) -> None:
    """Where everything is."""
    tables = made.files.tables
    names = ", ".join(dict.fromkeys(path.stem for path in tables))
    forms = ", ".join(dict.fromkeys(path.suffix[1:] for path in tables))
    print(f"report in {made.files.workbook}, tables in {tables[0].parent}: {names} ({forms})")
    if made.page is not None:
        print(f"to look at in a browser: {made.page}")
