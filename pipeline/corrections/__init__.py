"""What the reader of a report corrected in its workbook, on its way to training data."""

from __future__ import annotations
