"""Draw the README's pictures of workbook, page and groups, from the sample.

    make train && python benchmarks/draw_pictures.py      # also the picture of the examples, of the newest training

Photos of the sample that were not learnt from are sorted by the pair in ``weights/sample``; LibreOffice prints the
workbook, Chromium shows the page. Both, and poppler's ``pdftoppm``, have to be installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_DPI = 110
_WINDOW = "1280,2200"
_WIDTH = 1600
"""Pixels of a map: its crops can still be told apart."""

_ROOM = 12
"""Pixels of white that are left around a printed page."""


def main() -> None:
    """Draw all of them."""
    given = parse_options()
    os.chdir(ROOT)  # so that the pictures say "weights/sample", and not where this machine has it
    examples = sorted((ROOT / "runs" / "sample").glob("*/examples.jpg"), key=lambda path: path.stat().st_mtime)
    if examples:
        shutil.copyfile(examples[-1], DOCS / "examples.jpg")
    with tempfile.TemporaryDirectory(prefix="cropsort-") as folder:
        report = predict(Path(folder), given.weights)
        summary, detections = print_workbook(report)
        trim(summary).save(DOCS / "summary.png", optimize=True)
        trim(detections).save(DOCS / "workbook.png", optimize=True)
        show_page(report, DOCS / "page.png")
        draw_groups(Path(folder), given.weights)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, default=Path("weights") / "sample", help="the trained pair")
    given = parser.parse_args()
    if not (ROOT / given.weights).is_dir():
        parser.error(f"{given.weights} - no such folder; make train makes it")
    for command in ("soffice", "pdftoppm", "chromium"):
        if shutil.which(command) is None:
            parser.error(f"{command} is not installed")
    return given


def predict(folder: Path, weights: Path) -> Path:
    """The report of the sample's val photos."""
    from pipeline.console import make_console
    from pipeline.predict import predict_photos

    report, photos = folder / "report", folder / "desks"
    shutil.copytree(ROOT / "images" / "sample" / "val", photos)
    predict_photos(str(photos), ROOT / "data.yaml", weights=[weights], folder=report, console=make_console())
    return report


def print_workbook(report: Path) -> list[Image.Image]:
    """The first two sheets as they are printed, a page each."""
    home = report.parent / "office"
    office = ["soffice", f"-env:UserInstallation={home.as_uri()}", "--headless", "--convert-to", "pdf"]
    run([*office, "--outdir", str(report), str(report / "report.xlsx")])
    run(["pdftoppm", "-png", "-r", str(_DPI), "-l", "2", str(report / "report.pdf"), str(report / "printed")])
    return [Image.open(path).convert("RGB") for path in sorted(report.glob("printed-*.png"))]


def trim(page: Image.Image) -> Image.Image:
    """A printed page without its white edges, and without its foot."""
    body = page.crop((0, 0, page.width, round(page.height * 0.94)))
    edges = ImageChops.difference(body, Image.new("RGB", body.size, "white")).getbbox()
    assert edges is not None  # a sheet has a header at least
    left, top, right, bottom = edges
    return body.crop((max(0, left - _ROOM), max(0, top - _ROOM), right + _ROOM, bottom + _ROOM))


def show_page(report: Path, target: Path) -> None:
    """What a browser shows of the page before anybody scrolls."""
    browser = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={_WINDOW}"]
    page = (report / "report.html").as_uri()
    run(
        [
            *browser,
            f"--user-data-dir={report.parent / 'browser'}",
            "--virtual-time-budget=5000",
            f"--screenshot={target}",
            page,
        ]
    )


def draw_groups(folder: Path, weights: Path) -> None:
    """The map of the groups that the sample's photos fall into."""
    from pipeline.cluster.clustering import cluster_photos
    from pipeline.cluster.grouping import Settings
    from pipeline.console import make_console

    photos, console = ROOT / "images" / "sample", make_console()
    made = cluster_photos(
        photos,
        ROOT / "data.yaml",
        weights=weights,
        kind="embedding",
        settings=Settings(),
        folder=folder / "groups",
        console=console,
    )
    with Image.open(made.map) as drawn:
        drawn.thumbnail((_WIDTH, _WIDTH), Image.Resampling.LANCZOS)
        drawn.save(DOCS / "groups.jpg", quality=88)


def run(command: list[str]) -> None:
    """Run a program whose talk nobody needs."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
