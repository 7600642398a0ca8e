"""What a report says of the run that it is of, kept beside its results so that a report can be made of them later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import DataError
from pipeline.files import write_text

Language = Literal["en", "ko"]
"""Of a report's headings."""

FILE = "about.json"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was run.

    Args:
        photos: the folder of photos, absolute.
        weights: the detector and classifier used.
        class_names: every class that the classifier tells apart, in its order.
        confidence: the lowest confidence at which a detection counted, 0 to 1.
        finished: when, in local time; None where the run was stopped before its end.
        hidden_files: hidden files that were skipped.
        cropsort_version: for the record.
        further_weights: those whose classifiers decided together with that of ``weights``.
        gps: whether where the photos were taken was asked for.
        trained_on: the data.yaml that ``weights`` were trained with; empty where nobody knows.
        scores: of ``weights`` on val, 0 to 1, by the names that their cards have for them.
        settings: what else was chosen, by its name.
        language: of the report's headings.
    """

    photos: Path
    weights: Path
    class_names: tuple[str, ...]
    confidence: float
    finished: datetime | None
    hidden_files: int
    cropsort_version: str
    further_weights: tuple[Path, ...] = ()
    gps: bool = False
    trained_on: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    language: Language = "en"


def write_info(folder: Path, run: RunInfo) -> None:
    """Keep it in a report's folder.

    Raises:
        OutputError: it cannot be written there.
    """
    write_text(folder / FILE, json.dumps(asdict(run), default=str, ensure_ascii=False, indent=2) + "\n")


def read_info(folder: Path) -> RunInfo | None:
    """What is kept in a report's folder; None where there is nothing.

    Raises:
        DataError: it cannot be understood.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return _from_record(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"cannot be understood ({error})", where=path, remedy="run predict again") from error


def _from_record(record: dict[str, Any]) -> RunInfo:
    finished = record["finished"]
    return RunInfo(
        **{
            **record,
            "photos": Path(record["photos"]),
            "weights": Path(record["weights"]),
            "class_names": tuple(record["class_names"]),
            "finished": None if finished is None else datetime.fromisoformat(finished),
            "further_weights": tuple(map(Path, record["further_weights"])),
        }
    )
