"""``report.html``: a run to look at instead of to read, with a gallery of its crops; works offline, on a phone too."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.report.links import link_file, link_photo
from pipeline.report.page_data import replacing_parts
from pipeline.report.page_summary import MOST_LISTED, describe
from pipeline.report.page_words import choose_words
from pipeline.report.survey import survey_results
from pipeline.report.wording import Words
from pipeline.report_folder import THUMBNAILS
from pipeline.results import PhotoResult, Prediction, Results, Status
from pipeline.run_info import RunInfo
from pipeline.thumbnails import name_pictures
from pipeline.workbook.tables import MAX_PICTURES

PAGE = "report.html"
DATA = "report-data"


def write_report_page(
    results: Results,
    run: RunInfo,
    folder: Path,
    *,
    thumbnails: Callable[[PhotoResult, int], bytes | None],
    drawn: Callable[[str], Path | None] = lambda _photo: None,
) -> Path:
    """Write the page and ``report-data/`` beside it, which is what the page reads; both whole or not at all.

    Photos are linked to where they are. So are their crops in the folder's ``thumbnails/``; where there is no such
    folder, the first ``MAX_PICTURES`` of them are in the page's data.

    Args:
        results: every file of the run; gone through twice.
        run: what was run.
        folder: made where it is missing.
        thumbnails: gives the crop of a photo's prediction by its index, as JPEG, or None where there is none.
        drawn: gives the picture with boxes that was made of a photo, by the photo's name; None where none was.

    Returns:
        The page.

    Raises:
        OutputError: they cannot be written there; earlier ones stay as they were.
    """
    survey = survey_results(results, run)
    records = _Records(run, folder, list(survey.classes), thumbnails, drawn)
    page = folder / PAGE
    with replacing_parts(folder / DATA, records.make(results)) as parts:
        from markupsafe import Markup

        from pipeline.pages import render_page

        setup = {
            "language": run.language,
            "words": choose_words(run.language),
            "classes": list(records.places),
            "boxes": survey.boxes,
            "thumbnails": f"{THUMBNAILS}/",
        }
        script = Markup(files("pipeline").joinpath("report.js").read_text(encoding="utf-8"))
        told = describe(run, folder, survey, records.listed)
        render_page(page, "report.html", **told, setup=setup, script=script, parts=[f"{DATA}/{name}" for name in parts])
    return page


class _Records:
    """What the page is told of each photo; see ``report.js``, which reads it.

    Args:
        run, folder, thumbnails, drawn: as for ``write_report_page``.
        class_names: that were predicted; those that were only second get their places as they come.
    """

    def __init__(
        self,
        run: RunInfo,
        folder: Path,
        class_names: list[str],
        thumbnails: Callable[[PhotoResult, int], bytes | None],
        drawn: Callable[[str], Path | None],
    ) -> None:
        self._run = run
        self._words = Words(run.language)
        self._folder = folder
        self._thumbnails = thumbnails
        self._drawn = drawn
        self._linked = (folder / THUMBNAILS).is_dir()
        self._room = MAX_PICTURES
        self.places = {name: place for place, name in enumerate(class_names)}
        self.listed = defaultdict[Status, list[PhotoResult]](list)

    def make(self, results: Results) -> Iterator[list[Any]]:
        """Of photos that something was found in; the first of the others are listed."""
        for result in results:
            if result.predictions:
                yield self._make_one(result)
            elif len(self.listed[result.status]) < MOST_LISTED:
                self.listed[result.status].append(result)

    def _make_one(self, result: PhotoResult) -> list[Any]:
        drawn = self._drawn(result.photo)
        return [
            result.photo,
            link_photo(photos=self._run.photos, photo=result.photo, folder=self._folder) or 0,
            (drawn and link_file(drawn, self._folder)) or 0,
            *(result.size or (0, 0)),
            result.captured or 0,
            result.camera or 0,
            (self._run.gps and result.gps) or 0,
            name_pictures(result.photo) if self._linked else self._embed(result),
            [self._make_box(one) for one in result.predictions],
        ]

    def _embed(self, result: PhotoResult) -> list[str | int]:
        count = min(self._room, len(result.predictions))
        self._room -= count
        pictures = (self._thumbnails(result, index) for index in range(count))
        return [base64.b64encode(picture).decode("ascii") if picture else 0 for picture in pictures]

    def _make_box(self, one: Prediction) -> list[Any]:
        second = one.runner_up
        return [
            self._place(one.class_name),
            _parts(one.confidence),
            int(one.sure),
            -1 if second is None else self._place(second),
            0 if second is None else _parts(one.probabilities[second]),
            _parts(one.detection.confidence),
            *(round(edge) for edge in one.detection.box.edges),
            *((self._words(one.rule),) if self._run.further_weights else ()),
        ]

    def _place(self, class_name: str) -> int:
        return self.places.setdefault(class_name, len(self.places))


def _parts(fraction: float) -> int:
    """In ten thousandths, which takes fewer letters."""
    return round(fraction * 10_000)
