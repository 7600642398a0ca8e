"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DATA = Path("data.yaml")

Data = Annotated[Path, typer.Option("--data", help="The data.yaml of the data set.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="Folder of the trained pair; by default weights/<data set>.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
