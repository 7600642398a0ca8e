"""Photos of books on desks, drawn by our own code: a data set that anyone may pass on, and that trains in minutes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.sample.files import draw_photos, draw_sample
    from pipeline.sample.photo import DrawnPhoto, draw_photo
    from pipeline.sample.words import KINDS

__all__ = ["KINDS", "DrawnPhoto", "draw_photo", "draw_photos", "draw_sample"]

_MODULES = {
    "KINDS": "words",
    "DrawnPhoto": "photo",
    "draw_photo": "photo",
    "draw_photos": "files",
    "draw_sample": "files",
}


def __getattr__(name: str) -> Any:
    """Import cv2 only when somebody draws: ``cropsort --help`` must answer at once."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
