"""Asking before a workbook changes the training data."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import typer


def ask_to_apply(preview: Iterable[str], *, yes: bool) -> bool:
    """Show what would change, a line each, and ask whether to go on.

    Args:
        preview: the lines.
        yes: do not ask.

    Returns:
        Whether to; where nobody can be asked, no, and how to go on is said.
    """
    print(*preview, sep="\n")
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        print("to apply this, run the same command with --yes")
        return False
    return typer.confirm("Apply this?")
