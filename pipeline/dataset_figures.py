"""Pictures of a data set: boxes of each class, their sizes, and photos with what is labelled in them."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.boxes import Box, iou
from pipeline.errors import PhotoError
from pipeline.images import Pixels, read_photo, shrink
from pipeline.labels import Annotation
from pipeline.plots import draw_box, is_legible, make_figure, readable_names, shorten, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Parts = dict[str, tuple[Annotation, ...]]

_PART_COLOURS = {"train": "#2b6cb0", "val": "#c05621", "test": "#4a7c2c"}
_GREY, _ALARM = "#666666", "#c0392b"
_PALETTE = (  # white letters are legible on each
    "#1f77b4",
    "#c0392b",
    "#1b7f3c",
    "#7b4fa3",
    "#b8590a",
    "#c2207a",
    "#6b4a2f",
    "#5c6b00",
    "#007a87",
    "#2c3e8f",
)
_MOST_CLASSES = 100
_SMALL_PX = 32
_SIZES = (1280, 640, 320)
_MOST_POINTS = 5000
_SAMPLES, _MOST_SAMPLES, _SAMPLE_PX = 12, 40, 480
_NAME_WIDTH = 24


def draw_dataset(folder: Path, name: str, parts: Parts, class_names: tuple[str, ...]) -> list[Path]:
    """Draw ``classes.png``, ``boxes.png`` and ``samples.jpg``.

    Args:
        folder: where to; made where it is missing.
        name: what the data set is called.
        parts: ``train``, ``val`` and so on with their photos; a part, or all, may be empty.
        class_names: in the order of data.yaml.

    Returns:
        What was written.

    Raises:
        OutputError: it cannot be written there.
    """
    called = unicodedata.normalize("NFC", name)
    title = called if is_legible("".join((*readable_names(class_names), called))) else "the data set"
    shown = dict(zip(class_names, readable_names(class_names), strict=True))
    files = [folder / "classes.png", folder / "boxes.png", folder / "samples.jpg"]
    _draw_classes(files[0], title, parts, shown)
    _draw_sizes(files[1], title, parts, shown)
    _draw_samples(files[2], title, parts.get("train", ()), shown)
    return files


def _draw_classes(path: Path, title: str, parts: Parts, shown: dict[str, str]) -> None:
    """A column of bars a part, the classes in the same rows: columns of another shape were split badly."""
    counts = {part: _count_boxes(annotations) for part, annotations in parts.items()}
    rows, note = _choose_rows(list(counts.values()), list(shown))
    size = 2.2 + 3.0 * max(len(parts), 1), 1.3 + 0.24 * max(len(rows), 3)
    with make_figure(path, size, columns=max(len(parts), 1), names=(title, *shown.values())) as (figure, axes):
        _head(figure, f"Boxes of each class in {title}", note)
        for place in axes[0]:
            place.axis("off")
        for column, (part, annotations) in enumerate(parts.items()):
            boxes = _some(counts[part].total(), "box", "boxes")
            heading = f"{part}: {boxes} in {_some(len(annotations), 'photo', 'photos')}"
            _draw_bars(axes[0][column], heading, [counts[part][name] for name in rows], _part_colour(part))
            names = [shorten(shown[name], _NAME_WIDTH) for name in rows]
            axes[0][column].set_yticks(range(len(rows)), names if column == 0 else [""] * len(rows))


def _choose_rows(counts: Sequence[Counter[str]], class_names: list[str]) -> tuple[list[str], str]:
    """The classes to show, those with the most boxes in the first part at the top, and what to say of them."""
    ordered = sorted(class_names, key=lambda name: [-count[name] for count in counts])
    if len(ordered) <= _MOST_CLASSES:
        return ordered, "each part has a scale of its own: where the shapes differ, the classes are split unevenly"
    half = _MOST_CLASSES // 2
    note = f"of {len(ordered)} classes the {half} with the most boxes and the {half} with the fewest"
    return ordered[:half] + ordered[-half:], note


def _draw_bars(axes: Axes, heading: str, counts: list[int], colour: str) -> None:
    axes.axis("on")
    bars = axes.barh(range(len(counts)), counts, color=colour, height=0.72)
    for bar, count in zip(bars, counts, strict=True):
        middle = bar.get_y() + bar.get_height() / 2
        place, ink = (count, middle), "black" if count else _ALARM
        axes.annotate(f"{count:,}", place, (3, 0), textcoords="offset points", va="center", fontsize=8, color=ink)
    axes.set_title(heading, loc="left", color=colour, fontsize=9)
    axes.set_ylim(max(len(counts), 1) - 0.5, -0.5)
    axes.set_xlim(0, max([*counts, 1]) * 1.18)
    axes.tick_params(left=False)
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_sizes(path: Path, title: str, parts: Parts, shown: dict[str, str]) -> None:
    """Width and height of every box against the photo's longer side, which is what imgsz is the pixels of."""
    sides, names = _measure_boxes(parts)
    with make_figure(path, (9.6, 6.8), names=(title, *shown.values())) as (figure, axes):
        place: Axes = axes[0][0]
        small = int((sides * 640 < _SMALL_PX).all(axis=1).sum())
        boxes = _some(len(sides), "box", "boxes")
        note = f"{small:,} of {boxes} less than {_SMALL_PX} px wide and high at imgsz 640, where they are hard to find"
        _head(figure, f"Sizes of the boxes in {title}", note)
        if not len(sides):
            _say(place, "no boxes")
            return
        low = max(0.002, min(0.04, float(sides.min()) * 0.8))
        _dress_sizes(place, low)
        present = [name for name in shown if name in set(names)]
        if len(present) > len(_PALETTE) or len(sides) > _MOST_POINTS:
            _draw_density(place, sides, low)
        else:
            _draw_points(place, sides, names, {name: shown[name] for name in present})


def _measure_boxes(parts: Parts) -> tuple[NDArray[np.float64], list[str]]:
    """Width and height of each box as parts of its photo's longer side, shape (boxes, 2), and its class."""
    found = [
        (subject.box.width / max(annotation.size), subject.box.height / max(annotation.size), subject.class_name)
        for annotations in parts.values()
        for annotation in annotations
        for subject in annotation.subjects
    ]
    sides = np.array([sizes[:2] for sizes in found], np.float64).reshape(-1, 2)
    return np.clip(sides, 0.002, 1.0), [sizes[2] for sizes in found]


def _dress_sizes(axes: Axes, low: float) -> None:
    ticks = [tick for tick in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if tick >= low]
    for axis, side in ((axes.xaxis, "width"), (axes.yaxis, "height")):
        axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, 1.12)})
        axis.set_ticks(ticks, [f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}" for tick in ticks])
        axis.set_ticks([], minor=True)
        axis.set_label_text(f"{side} of the box, as a part of the photo's longer side")
    axes.set_aspect("equal")
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
    axes.plot((low, 1), (low, 1), color="#cccccc", linewidth=0.8, zorder=1)
    axes.annotate("square", (0.86, 0.86), color="#999999", fontsize=8, rotation=45, ha="right", va="bottom")
    for imgsz in _SIZES:
        edge = _SMALL_PX / imgsz
        if edge > low * 1.2:
            axes.plot((low, edge, edge), (edge, edge, low), color=_GREY, linestyle=":", linewidth=1, zorder=3)
            words = f"{_SMALL_PX} px at imgsz {imgsz}"
            axes.annotate(words, (low, edge), (4, 3), textcoords="offset points", color=_GREY, fontsize=8, zorder=5)


def _draw_points(axes: Axes, sides: NDArray[np.float64], names: list[str], shown: dict[str, str]) -> None:
    alpha = 0.75 if len(sides) < 500 else 0.45
    for colour, (name, text) in zip(_PALETTE, shown.items(), strict=False):
        mine = sides[[index for index, one in enumerate(names) if one == name]]
        label = f"{shorten(text, _NAME_WIDTH)} ({len(mine):,})"
        axes.scatter(mine[:, 0], mine[:, 1], s=16, color=colour, alpha=alpha, linewidths=0, label=label, zorder=4)
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, borderaxespad=0)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def _draw_density(axes: Axes, sides: NDArray[np.float64], low: float) -> None:
    from matplotlib.ticker import MaxNLocator

    bins = np.geomspace(low, 1.0, 41)
    inside = np.clip(sides, low, 1.0)
    counts = np.histogram2d(inside[:, 0], inside[:, 1], bins=[bins, bins])[0].T
    drawn = axes.pcolormesh(bins, bins, np.ma.masked_equal(counts, 0), cmap="viridis_r", vmin=0, zorder=2)
    ticks = MaxNLocator(integer=True)
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.6, ticks=ticks, label="boxes of this size")
    bar.outline.set_visible(False)


def _draw_samples(path: Path, title: str, annotations: Sequence[Annotation], shown: dict[str, str]) -> None:
    samples = list(_read_samples(annotations))
    columns = min(4, max(len(samples), 1))
    rows = max(-(-len(samples) // columns), 1)
    colours = {name: _PALETTE[index % len(_PALETTE)] for index, name in enumerate(shown)}
    size = 3.0 * max(columns, 2), 0.7 + 2.6 * rows
    with make_figure(path, size, rows=rows, columns=columns, names=(title, *shown.values())) as (figure, axes):
        _head(figure, f"Photos from train of {title}", _describe_samples(samples, annotations))
        for place in axes.flat:
            place.axis("off")
        if not samples:
            _say(axes[0][0], "no photos")
        for place, (annotation, pixels) in zip(axes.flat, samples, strict=False):
            _draw_sample(place, annotation, pixels, shown, colours)


def _describe_samples(samples: Sequence[tuple[Annotation, Pixels]], annotations: Sequence[Annotation]) -> str:
    drawn = {name for annotation, _ in samples for name in _class_names(annotation)}
    present = {name for annotation in annotations for name in _class_names(annotation)}
    classes = "every class that train has" if drawn == present else f"{len(drawn)} of {len(present)} classes"
    return f"{len(samples)} of {_some(len(annotations), 'photo', 'photos')}, chosen by chance to show {classes}"


def _read_samples(annotations: Sequence[Annotation]) -> Iterator[tuple[Annotation, Pixels]]:
    chosen, others = _choose_samples(annotations)
    left = min(max(len(chosen), _SAMPLES), _MOST_SAMPLES)
    for annotation in (*chosen, *others):
        if not left:
            return
        try:
            pixels = shrink(read_photo(annotation.photo).pixels, _SAMPLE_PX)
        except PhotoError:  # a problem that is said elsewhere
            continue
        left -= 1
        yield annotation, pixels


def _choose_samples(annotations: Sequence[Annotation]) -> tuple[list[Annotation], list[Annotation]]:
    """A photo for every class, the rarest first, and the others, backgrounds last; by chance, but always the same."""
    shuffled = random.Random(0).sample(list(annotations), len(annotations))
    showing: dict[str, Annotation] = {}
    for annotation in shuffled:
        for name in _class_names(annotation):
            showing.setdefault(name, annotation)
    counts = _count_boxes(annotations)
    chosen: dict[Path, Annotation] = {}
    shown: set[str] = set()
    for name in sorted(showing, key=lambda name: (counts[name], name)):
        if name not in shown:
            chosen[showing[name].photo] = showing[name]
            shown.update(_class_names(showing[name]))
    others = [annotation for annotation in shuffled if annotation.photo not in chosen]
    return list(chosen.values()), sorted(others, key=lambda annotation: not annotation.subjects)


def _draw_sample(
    axes: Axes, annotation: Annotation, pixels: Pixels, shown: dict[str, str], colours: dict[str, str]
) -> None:
    factor = max(pixels.shape[:2]) / max(annotation.size)
    axes.imshow(pixels)
    named: list[Box] = []
    for subject in sorted(annotation.subjects, key=lambda subject: -subject.box.area):
        box = subject.box.scaled(factor)
        text = shorten(shown[subject.class_name], _NAME_WIDTH)
        place = Box(box.left, box.top, box.left + 12 * text_width(text) + 10, box.top + 26)
        free = all(iou(place, other) == 0 for other in named)  # the frame's colour says the class, too
        draw_box(axes, box.edges, colours[subject.class_name], text if free else "")
        named += [place] if free else []


def _head(figure: Figure, heading: str, note: str) -> None:
    """Heading and note over a figure; the heading's second line keeps the place for the note, which is smaller."""
    figure.suptitle(f"{heading}\n", x=0.012, ha="left", fontsize=12, linespacing=1.8)
    figure.text(0.012, 1 - 0.33 / figure.get_figheight(), note, va="top", color=_GREY)


def _say(axes: Axes, text: str) -> None:
    axes.axis("off")
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=_GREY, fontsize=12)


def _part_colour(part: str) -> str:
    return _PART_COLOURS.get(part, _GREY)


def _count_boxes(annotations: Sequence[Annotation]) -> Counter[str]:
    return Counter(name for annotation in annotations for name in _class_names(annotation))


def _class_names(annotation: Annotation) -> list[str]:
    return [subject.class_name for subject in annotation.subjects]


def _some(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
