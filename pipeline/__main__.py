"""``python -m pipeline``: the command line, on a Python that may have nothing installed yet."""

from __future__ import annotations

from pipeline.environment import main

if __name__ == "__main__":
    main()
