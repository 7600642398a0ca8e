"""What a run makes beside its report on request: pictures, and files for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from rich.console import Console

from pipeline.errors import PhotoError
from pipeline.results import Results
from pipeline.run_info import RunInfo
from pipeline.sources import Sources

Extra = Literal["boxes", "crops", "megadetector", "coco"]
"""What is made beside the tables on request."""


def make_extra(
    extra: Extra, results: Results, run: RunInfo, folder: Path, *, sources: Sources, console: Console
) -> str:
    """Make what was asked for.

    Args:
        extra: which.
        results: those of the run.
        run: what was run.
        folder: the report's.
        sources: what the results are of.
        console: told what takes its time.

    Returns:
        What was made and where, in a line.

    Raises:
        OutputError: it cannot be written there.
    """
    if extra == "megadetector":
        from pipeline.megadetector import write_megadetector

        return f"MegaDetector's format in {write_megadetector(results, folder, run)}"
    if extra == "coco":
        from pipeline.coco import write_coco

        return f"COCO's format in {write_coco(results, folder, run)}"
    from pipeline.crop_folders import CROPS, write_crops
    from pipeline.drawing import BOXES, write_drawn

    write, name = (write_drawn, BOXES) if extra == "boxes" else (write_crops, CROPS)
    console.print(f"making {name} ...")
    made = write(results, _opener(sources), folder, class_names=run.class_names)
    gone = f"; {made.missing} have gone or changed since" if made.missing else ""
    return f"{name} of {made.made + made.kept} photos in {folder / name}{gone}"


def _opener(sources: Sources) -> Callable[[str], Path | bytes | None]:
    from pipeline.fetching import fetch

    places = {one.name: one.place for one in sources.files}

    def open_source(name: str) -> Path | bytes | None:
        place = places.get(name)
        if not isinstance(place, str):
            return place if place is not None and place.exists() else None
        try:
            return fetch(place)
        except PhotoError:
            return None

    return open_source
