"""Pages of HTML, from the templates in this package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from pipeline.files import replacing


def render_page(page: Path, template_name: str, **values: object) -> None:
    """Write a page whole or not at all, piece by piece: its pictures never are in memory all at once.

    Args:
        page: the file; its folder is made if it is missing.
        template_name: of the template, such as ``check.html``; what it names must be in ``values``.
        values: what it shows; texts are escaped.

    Raises:
        OutputError: it cannot be written there.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("pipeline").joinpath(template_name).read_text(encoding="utf-8"))
    with replacing(page) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as file:
        for piece in template.generate(**values):
            file.write(piece)
