"""cropsort: from LabelImg boxes to a spreadsheet.

>>> from pipeline import load
>>> sorter = load("weights/sample")  # doctest: +SKIP
>>> sorter("desk.jpg")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.sorter import load

__all__ = ["__version__", "load"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import torch only when somebody wants to predict: ``cropsort --help`` must answer at once."""
    if name == "load":
        from pipeline.sorter import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
