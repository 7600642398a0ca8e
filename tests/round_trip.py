"""Random corrections between random sorts and filters in LibreOffice, and what becomes of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corrections import NAMES, Edges, Reported, boxes_of, correct, draw, edges, found, make_home, make_report, result_of
from office import sort_and_save
from photos import hash_files

from pipeline.boxes import Box
from pipeline.corrections.ledger import LEDGER

_CLASS, _REVIEWED, _NONE = "correct class", "reviewed: all boxes right", "not a subject"
_SORTS = ("photo", "class", "class confidence", "left (px)", "key")
_SIZE, _BOXES = (320, 240), 3
_PLACES = tuple(Box(20 + 100 * at, 30.4, 90 + 100 * at, 200) for at in range(_BOXES))

_WRITE = """\
  For at = 0 To {last}
    parts = Split(lines(at), "|")
    page = book.Sheets.getByName(parts(0))
    cursor = page.createCursor()
    cursor.gotoEndOfUsedArea(False)
    keys = -1 : place = -1
    For column = 0 To cursor.RangeAddress.EndColumn
      If page.getCellByPosition(column, 0).String = "key" Then keys = column
      If page.getCellByPosition(column, 0).String = parts(2) Then place = column
    Next column
    cells = page.getCellRangeByPosition(keys, 0, keys, cursor.RangeAddress.EndRow).getDataArray()
    For row = 1 To cursor.RangeAddress.EndRow
      If cells(row)(0) = parts(1) Then page.getCellByPosition(place, row).String = parts(3)
    Next row
  Next at
"""
_FILTER = """\
  Dim wanted(0) As New com.sun.star.sheet.TableFilterField
  page = book.Sheets.getByName("Detections")
  cursor = page.createCursor()
  cursor.gotoEndOfUsedArea(False)
  area = page.getCellRangeByPosition(0, 0, cursor.RangeAddress.EndColumn, cursor.RangeAddress.EndRow)
  For column = 0 To cursor.RangeAddress.EndColumn
    If page.getCellByPosition(column, 0).String = "class" Then wanted(0).Field = column
  Next column
  wanted(0).IsNumeric = False
  wanted(0).StringValue = "ace"
  wanted(0).Operator = com.sun.star.sheet.FilterOperator.EQUAL
  filter = area.createFilterDescriptor(True)
  filter.setFilterFields(wanted())
  filter.ContainsHeader = True
  area.filter(filter)
  For row = 3 To 20
    book.Sheets.getByName("Photos").Rows.getByIndex(row).IsVisible = False
  Next row
"""


@dataclass(frozen=True)
class RoundTrip:
    """What became of random corrections.

    Args:
        asked: corrections that were made.
        applied: those that were applied.
        wrong: labels and files that are not as they should be.
        again: photos and labels that are written when they are applied once more.
    """

    asked: int
    applied: int
    wrong: tuple[str, ...]
    again: int


def round_trip(
    folder: Path, *, seed: int = 0, photos: int = 90, corrections: int = 200, reviews: int = 20
) -> RoundTrip:
    """Draw photos, report them, correct boxes and review photos at random, sort and filter in LibreOffice, apply.

    Args:
        folder: empty; for everything.
        seed: of what is random.
        photos: of three boxes each.
        corrections: boxes and photos together.
        reviews: photos of these.
    """
    rng = random.Random(seed)
    report = _report(folder, rng, photos)
    names = [result.photo for result in report.results]
    reviewed = frozenset(rng.sample(names, reviews))
    chosen = rng.sample([(name, at) for name in names for at in range(_BOXES)], corrections - reviews)
    answers = {one: rng.choice((*NAMES, _NONE) if one[0] in reviewed else NAMES) for one in chosen}
    before = hash_files(report.home)
    saved = _correct_in_office(report, rng, answers, reviewed)
    made = correct(report, saved)
    wrong = [*map(str, made.refused), *map(str, made.plan.settled), *_compare(report, answers, reviewed)]
    after = hash_files(report.home)
    wrong += [f"{name} changed" for name, content in before.items() if after.get(name) != content]
    lines = (report.home / "corrections" / LEDGER).read_text(encoding="utf-8").splitlines()
    again = correct(report, saved).plan.changes
    wrong += [] if hash_files(report.home) == after else ["applying it once more changed files"]
    return RoundTrip(corrections, len(lines), tuple(wrong), again)


def _report(folder: Path, rng: random.Random, photos: int) -> Reported:
    home, phone = make_home(folder / "home"), folder / "phone"
    results = []
    for number in range(photos):
        name = f"사진 {number:03}.jpg"
        draw(phone / name, seed=number, size=_SIZE)
        shown = [found(rng.choice(NAMES), box, rng.choice((0.5, 0.8, 0.9))) for box in _PLACES]
        results.append(result_of(phone, name, shown))
    return make_report(home, phone, results)


def _correct_in_office(
    report: Reported, rng: random.Random, answers: Mapping[tuple[str, int], str], reviewed: frozenset[str]
) -> Path:
    """Answers on both sheets where a box is on both, now on one and now on the other, sometimes on both."""
    lines = [f"Photos|{report.key(name)}|{_REVIEWED}|yes" for name in sorted(reviewed)]
    unsure = {(one.photo, at) for one in report.results for at in range(_BOXES) if not one.predictions[at].sure}
    for one, text in answers.items():
        some = rng.choice((["Detections"], ["To check"], ["Detections", "To check"]))
        sheets = some if one in unsure else ["Detections"]
        lines += [f"{sheet}|{report.key(*one)}|{_CLASS}|{text}" for sheet in sheets]
    rng.shuffle(lines)
    saved = report.folder / "saved.xlsx"
    sort_and_save(report.workbook, saved, list(_sorts(rng)), "\n".join(_steps(lines, list(_sorts(rng)))))
    return saved


def _sorts(rng: random.Random) -> Iterator[tuple[str, str, bool]]:
    for sheet, headers in (("Detections", _SORTS), ("To check", _SORTS), ("Photos", ("photo", "status", "key"))):
        yield sheet, rng.choice(headers), rng.random() < 0.5


def _steps(lines: Sequence[str], sorts: Sequence[tuple[str, str, bool]]) -> Iterator[str]:
    yield f"  Dim lines({len(lines) - 1}) As String"
    yield from (f'  lines({at}) = "{line}"' for at, line in enumerate(lines))
    yield _WRITE.format(last=len(lines) - 1)
    yield from (f'  sortRows(book, "{sheet}", "{header}", {rises})' for sheet, header, rises in sorts)
    yield _FILTER


def _compare(report: Reported, answers: Mapping[tuple[str, int], str], reviewed: frozenset[str]) -> Iterator[str]:
    """What is not as the answers say; computed without what is tested."""
    for result in report.results:
        name, wanted = result.photo, list[tuple[str, Edges]]()
        for at, one in enumerate(result.predictions):
            said = answers.get((name, at), one.class_name if name in reviewed else _NONE)
            wanted += [] if said == _NONE else [(said, edges(one.detection.box))]
        copies = {part: report.home / place / name for part, place in _COPIES.items()}
        part = "train" if name in reviewed else "corrections"
        expected = part if wanted or name in reviewed else None
        for other, copy in copies.items():
            if copy.exists() != (other == expected):
                yield f"{name} in {other}"
        if expected and copies[expected].exists() and sorted(boxes_of(copies[expected])) != sorted(wanted):
            yield f"{name}: {boxes_of(copies[expected])}, not {wanted}"


_COPIES = {"train": Path("images/train/corrected"), "corrections": Path("corrections")}
