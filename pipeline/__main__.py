"""``python -m pipeline``: the command line, on a Python that may have nothing installed yet."""

from __future__ import annotations

from pipeline.ending import run_and_end
from pipeline.environment import main


def run() -> None:
    """``cropsort``, which is there only once all is installed."""
    run_and_end(_run_installed)


def _run_installed() -> None:
    from pipeline import cli  # not before ``run_and_end``, which wants to be the first to know of the end

    cli.main()


if __name__ == "__main__":
    run_and_end(main)
