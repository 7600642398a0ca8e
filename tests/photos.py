"""Small photos and the labels that LabelImg 1.8.6 writes for them: what the tests of several modules share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

Drawn = tuple[str, int, int, int, int]
"""Class name, xmin, ymin, xmax, ymax in pixels."""

SIZE = (60, 40)
ACE: Drawn = ("ace", 6, 4, 36, 24)
KING: Drawn = ("king", 30, 10, 60, 40)


def write_photo(path: Path, *, size: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def yolo(boxes: Sequence[Drawn], class_names: Sequence[str], size: tuple[int, int] = SIZE) -> str:
    """As libs/yolo_io.py writes it."""
    rows = []
    for name, left, top, right, bottom in boxes:
        x, y = (left + right) / 2 / size[0], (top + bottom) / 2 / size[1]
        wide, high = (right - left) / size[0], (bottom - top) / size[1]
        rows.append(f"{class_names.index(name)} {x:.6f} {y:.6f} {wide:.6f} {high:.6f}\n")
    return "".join(rows)


def voc(boxes: Sequence[Drawn], size: tuple[int, int] = SIZE) -> str:
    """As libs/pascal_voc_io.py writes it: tabs, no declaration."""
    objects = "".join(
        f"\t<object>\n\t\t<name>{escape(name)}</name>\n\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n"
        f"\t\t<difficult>0</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>{left}</xmin>\n\t\t\t<ymin>{top}</ymin>\n"
        f"\t\t\t<xmax>{right}</xmax>\n\t\t\t<ymax>{bottom}</ymax>\n\t\t</bndbox>\n\t</object>\n"
        for name, left, top, right, bottom in boxes
    )
    return (
        "<annotation>\n\t<folder>photos</folder>\n\t<filename>a.jpg</filename>\n\t<path>C:\\photos\\a.jpg</path>\n"
        "\t<source>\n\t\t<database>Unknown</database>\n\t</source>\n"
        f"\t<size>\n\t\t<width>{size[0]}</width>\n\t\t<height>{size[1]}</height>\n\t\t<depth>3</depth>\n\t</size>\n"
        f"\t<segmented>0</segmented>\n{objects}</annotation>\n"
    )


def createml(boxes: Sequence[Drawn], photo: str) -> str:
    """As libs/create_ml_io.py writes it: a list of one photo, boxes by their centre."""
    annotations = [
        {
            "label": name,
            "coordinates": {
                "x": (left + right) / 2,
                "y": (top + bottom) / 2,
                "width": right - left,
                "height": bottom - top,
            },
        }
        for name, left, top, right, bottom in boxes
    ]
    return json.dumps([{"image": photo, "annotations": annotations}])


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_labelled(folder: Path, boxes: dict[str, Sequence[Drawn]], class_names: Sequence[str]) -> None:
    """Photos by their stem with YOLO labels and classes.txt beside them."""
    for seed, (stem, drawn) in enumerate(boxes.items()):
        write_photo(folder / f"{stem}.jpg", seed=seed)
        write_text(folder / f"{stem}.txt", yolo(drawn, class_names))
    write_text(folder / "classes.txt", "".join(f"{name}\n" for name in class_names))


def hash_files(folder: Path) -> dict[str, str]:
    """Every file below a folder and its content's hash."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
