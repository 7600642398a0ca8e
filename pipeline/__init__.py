"""cropsort: from LabelImg boxes to a spreadsheet.

>>> from pipeline import load
>>> sorter = load("weights/sample")  # doctest: +SKIP
>>> sorter("desk.jpg")  # doctest: +SKIP
>>> from pipeline import read_report
>>> read_report("reports/val").to_dataframe()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.recorded import read_report
    from pipeline.sorter import load

__all__ = ["__version__", "load", "read_report"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what they need only when somebody wants them: ``cropsort --help`` must answer at once."""
    if name == "load":
        from pipeline.sorter import load

        return load
    if name == "read_report":
        from pipeline.recorded import read_report

        return read_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
