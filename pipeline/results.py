"""The record of a run: what was found in each photo, as JSON lines, one photo a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

from pipeline.boxes import Box
from pipeline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.report.frames import TableName

T = TypeVar("T")

Status = Literal["ok", "empty", "unreadable", "truncated", "too large", "unsupported"]
"""``ok``: subjects were found; ``empty``: none were; ``unreadable``: a photo that cannot be opened; ``truncated``: one
whose end is missing; ``too large``: one with more pixels than any camera takes, or that does not fit into memory alone;
``unsupported``: no photo at all (a video, a text file)."""

STATUSES: tuple[Status, ...] = get_args(Status)

FAILED: tuple[Status, ...] = ("unreadable", "truncated", "too large")
"""Of photos that could not be sorted: the same command tries them again, and leaves with 1."""

KEPT_CLASSES = 3
"""Classes of a prediction that a line keeps, the most probable ones."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A subject found in a photo.

    Args:
        box: where, in pixels of the upright photo.
        confidence: the detector's, 0 to 1.
    """

    box: Box
    confidence: float

    def __post_init__(self) -> None:
        _check_fraction("confidence", self.confidence)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A detection and what the classifier makes of its crop.

    Args:
        detection: where the subject is.
        probabilities: probability of each class by its name, 0 to 1, at least one.
        sure: whether the most probable class is probable enough to be left unchecked; what is enough was chosen on val.
        rule: what decided, as ``deciding`` names its rules.
    """

    detection: Detection
    probabilities: Mapping[str, float]
    sure: bool = True
    rule: str = "one"

    def __post_init__(self) -> None:
        if not self.probabilities:
            raise ValueError("a prediction needs the probability of at least one class, got none")
        for class_name, probability in self.probabilities.items():
            _check_fraction(class_name, probability)
        if not isinstance(self.sure, bool):
            raise TypeError(f"sure must be true or false, got {self.sure!r}")

    @property
    def ranking(self) -> tuple[str, ...]:
        """Class names, the most probable first."""
        return tuple(sorted(self.probabilities, key=self.probabilities.__getitem__, reverse=True))

    @property
    def class_name(self) -> str:
        """The most probable class."""
        return self.ranking[0]

    @property
    def confidence(self) -> float:
        """Probability of ``class_name``, 0 to 1."""
        return self.probabilities[self.class_name]

    @property
    def runner_up(self) -> str | None:
        """The second most probable class; None where there is but one class."""
        return self.ranking[1] if len(self.ranking) > 1 else None


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """One input file and what became of it.

    Args:
        photo: path of the file, relative to the folder of photos, with forward slashes; or its URL.
        status: see ``Status``.
        size: width and height of the upright photo in pixels; None where they could not be told.
        captured: EXIF capture time as ``YYYY-MM-DD HH:MM:SS``; None where the photo has none.
        seconds: time spent on it; photos that were sorted together share the time of it.
        predictions: what was found, the detector's surest first.
        error: why it could not be read or sorted, in a few words; empty otherwise.
        camera: make and model by EXIF; None where the photo does not say.
        gps: EXIF latitude and longitude in degrees, north and east positive; None unless it was asked for.
        file_bytes: size of the file; None where it has none, as a URL.
        modified_ns: when the file was last changed, nanoseconds since 1970: with its size, whether it is the same.
    """

    photo: str
    status: Status
    size: tuple[int, int] | None = None
    captured: str | None = None
    seconds: float = 0.0
    predictions: tuple[Prediction, ...] = ()
    error: str = ""
    camera: str | None = None
    gps: tuple[float, float] | None = None
    file_bytes: int | None = None
    modified_ns: int | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {self.status!r}")
        if bool(self.predictions) != (self.status == "ok"):
            raise ValueError(f"status {self.status!r} does not go with {len(self.predictions)} predictions")


class Results(Protocol):
    """What a run found, file by file, to be gone through as often as is wanted: a list, or ``RecordedResults``."""

    def __iter__(self) -> Iterator[PhotoResult]:
        """The files, in the order of their rows."""

    def __len__(self) -> int:
        """How many files there are."""


@dataclass(frozen=True, slots=True)
class RecordedResults:
    """The results in a file, read anew each time: those of 20,000 photos would take 50 MB all at once.

    Args:
        path: the file, JSON lines.
        count: how many there are in it.
        spans: where in the file the lines begin, and how many bytes they have, in their order; None where it holds them
            one after the other and nothing else.
    """

    path: Path
    count: int
    spans: Sequence[tuple[int, int]] | None = None

    def __iter__(self) -> Iterator[PhotoResult]:
        """See ``read_results``."""
        return read_results(self.path) if self.spans is None else _read_spans(self.path, self.spans)

    def __len__(self) -> int:
        """See ``Results``."""
        return self.count

    def to_dataframe(self, table: TableName = "detections") -> pd.DataFrame:
        """A table of the report: numbers are numbers, dates are dates, and what is not known is missing.

        Args:
            table: ``detections``, a row a subject, or ``photos``, a row a file.

        Raises:
            ValueError: there is no such table.
            DataError: the file cannot be read, or a line is not a photo's result.

        Example:
            >>> from pipeline import read_report
            >>> frame = read_report("reports/val").to_dataframe()  # doctest: +SKIP
            >>> frame.groupby("class").class_confidence.mean()  # doctest: +SKIP
        """
        from pipeline.recorded import describe
        from pipeline.report.frames import make_frame

        return make_frame(self, describe(self).run, table)


def to_json(result: PhotoResult) -> str:
    """One line of JSON, without the line end; Korean stays readable.

    Coordinates, confidences and seconds are rounded; of each prediction the three most probable classes are kept.
    """
    record = {
        "photo": result.photo,
        "status": result.status,
        "size_px": result.size,
        "captured": result.captured,
        "camera": result.camera,
        "gps": result.gps,
        "file_bytes": result.file_bytes,
        "modified_ns": result.modified_ns,
        "seconds": round(result.seconds, 4),
        "predictions": [_prediction_record(prediction) for prediction in result.predictions],
        "error": result.error,
    }
    return json.dumps(record, ensure_ascii=False)


def read_results(path: Path) -> Iterator[PhotoResult]:
    """Read a file of JSON lines.

    Raises:
        DataError: the file cannot be read, or a line is not a photo's result.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield parse_line(line, path, number)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=path, remedy="run predict again") from error


def _read_spans(path: Path, spans: Sequence[tuple[int, int]]) -> Iterator[PhotoResult]:
    try:
        with path.open("rb") as file:
            for number, (begin, length) in enumerate(spans, start=1):
                file.seek(begin)
                yield parse_line(file.read(length), path, number)
    except OSError as error:
        raise DataError(f"cannot be read ({error})", where=path, remedy="run predict again") from error


def parse_line(line: str | bytes, path: Path, number: int) -> PhotoResult:
    """What a line of JSON says; ``path`` and ``number`` say in an error where it stands.

    Raises:
        DataError: it is not a photo's result.
    """
    try:
        return _from_record(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"not a photo's result ({error})",
            where=path,
            line=number,
            expected="one JSON object a line as predict writes it",
            remedy="run predict again",
        ) from error


def _prediction_record(prediction: Prediction) -> dict[str, Any]:
    return {
        "box_px": [round(edge, 1) for edge in prediction.detection.box.edges],
        "confidence": round(prediction.detection.confidence, 4),
        "probabilities": {name: round(prediction.probabilities[name], 4) for name in prediction.ranking[:KEPT_CLASSES]},
        "sure": prediction.sure,
        "rule": prediction.rule,
    }


def _from_record(record: dict[str, Any]) -> PhotoResult:
    if not isinstance(record["photo"], str):
        raise TypeError(f"photo must be a text, got {record['photo']!r}")
    return PhotoResult(
        photo=record["photo"],
        status=record["status"],
        size=_pair_of(record["size_px"], int),
        captured=record["captured"],
        seconds=record["seconds"],
        predictions=tuple(_prediction_from(item) for item in record["predictions"]),
        error=record["error"],
        camera=record.get("camera"),  # this and what follows earlier versions did not write
        gps=_pair_of(record.get("gps"), float),
        file_bytes=record.get("file_bytes"),
        modified_ns=record.get("modified_ns"),
    )


def _prediction_from(item: dict[str, Any]) -> Prediction:
    detection = Detection(Box(*item["box_px"]), item["confidence"])
    # Records of earlier versions lack the last two.
    return Prediction(detection, item["probabilities"], item.get("sure", True), item.get("rule", "one"))


def _pair_of(value: Any, kind: Callable[[Any], T]) -> tuple[T, T] | None:
    if value is None:
        return None
    first, second = value
    return kind(first), kind(second)


def _check_fraction(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")
