"""Whether the fast way gives the same answer as the slow and careful one: full decode, torch, one photo at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import load
from pipeline.images import Pixels, read_photo
from pipeline.labels import Annotation
from pipeline.listing import is_photo, list_files
from pipeline.reading import read_parts
from pipeline.results import Detection, PhotoResult, Prediction, read_results, to_json
from pipeline.scores import JudgedPhoto, compare_f1, measure_f1
from pipeline.sorter import Sorter
from prediction.commands import predict, read_answer
from prediction.drawn import PHONE, draw, link
from prediction.figures import SIZES, count_again
from prediction.options import Figures, Options, Row, empty, keep, not_measured
from prediction.pairs import Pair, make_int8, pair_for_cards, pairs_for_drawn

GOALS = {"again": ">= 0.99", "f1": "0 within the interval", "int8": "loss <= 0.5 points"}

_AGAIN = "clear boxes found again at IoU 0.9 with their class"


def show_same(options: Options) -> list[Row]:
    """On drawn photos, and on the cards where they are."""
    drawn = draw(options.work / "phone", range(options.judged), PHONE)
    name = f"{options.judged} drawn photos, 4032 x 3024"
    rows = [row for pair in pairs_for_drawn(options) for row in compare(options, pair, name, drawn)]
    cards = options.real("cards")
    if cards is None:
        return [*rows, ("cards", "the same answer", not_measured("same", "--data DIR"), GOALS["again"])]
    photos = [path for path in list_files(cards / "test").files if is_photo(path)]
    return [*rows, *compare(options, pair_for_cards(options), f"{len(photos)} photos of cards", photos)]


def compare(options: Options, pair: Pair, name: str, photos: Sequence[Path]) -> list[Row]:
    """The boxes that are found again, and the F1 of the chain, for fp32 and int8.

    A yardstick stands before them: the same slow way, but for another library's mean over the same pixels.
    """
    place = options.work / "same" / f"{pair.name}-{len(photos)}"
    truth = {path.name: one for path, one in zip(photos, read_truth(pair, photos), strict=True)}
    reference = read_slowly(pair, photos, place / "reference.jsonl", Sorter.sort)
    by_pillow = read_slowly(pair, photos, place / "pillow.jsonl", sort_by_pillow)
    on = f"{name}, {pair.name}"
    rows = [
        (on, f"the slow way with Pillow's box filter for OpenCV's: {_AGAIN}", count(reference, by_pillow, pair), "")
    ]
    for arm, flags in {"fp32": (), "int8": ("--int8",)}.items():
        if flags and not make_int8(options, pair):
            rows.append((on, arm, not_measured("same", "--data DIR"), GOALS["int8"]))
            continue
        answer = read_fast(options, pair, photos, place / arm, flags)
        rows += tell(on, arm, truth, reference, answer, pair)
    return rows


def read_truth(pair: Pair, photos: Sequence[Path]) -> Sequence[Annotation]:
    """What is labelled in each photo, in their order."""
    return read_parts({"test": list(photos)}, pair.cards.classifier.class_names).parts["test"]


def read_slowly(
    pair: Pair, photos: Sequence[Path], file: Path, sort: Callable[[Sorter, Pixels], Sequence[Prediction]]
) -> dict[str, PhotoResult]:
    """Every photo by itself, decoded whole; a file keeps what is done."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")  # a line that was cut off is done again
    done = {result.photo: result for result in read_results(file)}
    missing = [path for path in photos if path.name not in done]
    if missing:
        sorter = load(pair.folder, device="cpu")
        with file.open("a", encoding="utf-8", newline="\n") as out:
            for path in missing:
                photo = read_photo(path)
                found = tuple(sort(sorter, photo.pixels))
                done[path.name] = PhotoResult(path.name, "ok" if found else "empty", photo.size, predictions=found)
                out.write(to_json(done[path.name]) + "\n")
                out.flush()
    return {path.name: done[path.name] for path in photos}


def sort_by_pillow(sorter: Sorter, pixels: Pixels) -> Sequence[Prediction]:
    """As ``Sorter.sort``, but the detector sees what Pillow's box filter makes of the photo."""
    height, width = pixels.shape[:2]
    factor = max(1.0, max(height, width) / sorter.finder.side)
    small = Image.fromarray(pixels).resize((round(width / factor), round(height / factor)), Image.Resampling.BOX)
    found = sorter.detect(np.asarray(small), conf=sorter.confidence)
    boxes = [Detection(one.box.scaled(factor).clipped(width, height), one.confidence) for one in found]
    return sorter.classify(pixels, boxes)


def read_fast(
    options: Options, pair: Pair, photos: Sequence[Path], folder: Path, flags: Sequence[str]
) -> dict[str, PhotoResult]:
    """What the command says of each photo, by the names that they have where they come from."""

    def run() -> Figures:
        copies = not photos[0].is_relative_to(options.work)  # others' files are not even linked to
        linked = link(folder / "photos", photos, len(photos), copies=copies)
        made = predict(linked, empty(folder / "out"), pair.folder, options, *flags)
        return {"seconds": made.seconds}

    keep(folder / "done.json", run)
    answer = read_answer(folder / "out")
    return {path.name: answer[f"{place:05d}{path.suffix}"] for place, path in enumerate(photos)}


def tell(
    on: str,
    arm: str,
    truth: Mapping[str, Annotation],
    reference: Mapping[str, PhotoResult],
    answer: Mapping[str, PhotoResult],
    pair: Pair,
) -> list[Row]:
    """A row for the boxes, one for the F1."""
    threshold = read_threshold(pair)
    chains = [judge(truth, said) for said in (answer, reference)]
    (ours, _), (slow, _) = (measure_f1(chain, threshold) for chain in chains)
    lead, (low, high) = compare_f1((chains[0], threshold), (chains[1], threshold))
    points = f"{100 * lead:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f})"
    return [
        (on, f"{arm}: {_AGAIN}", count(reference, answer, pair), GOALS["again"] if arm == "fp32" else ""),
        (
            on,
            f"{arm}: F1 of the chain",
            f"{ours:.4f}, of the slow way {slow:.4f}: {points}",
            GOALS["f1" if arm == "fp32" else arm],
        ),
    ]


def count(reference: Mapping[str, PhotoResult], answer: Mapping[str, PhotoResult], pair: Pair) -> str:
    """How many of the clear boxes of each are found again in the other."""
    threshold = read_threshold(pair)
    there, back = count_again(reference, answer, threshold), count_again(answer, reference, threshold)
    sizes = ", ".join(f"{size} {there[size]}" for size in SIZES)
    return f"{there['all']} boxes; {sizes}; the other way round {back['all']}"


def read_threshold(pair: Pair) -> float:
    """The confidence from which its detector's boxes count; 0 for a classifier of whole photos."""
    return 0.0 if pair.cards.detector is None else pair.cards.detector.confidence or 0.0


def judge(truth: Mapping[str, Annotation], said: Mapping[str, PhotoResult]) -> list[JudgedPhoto]:
    """What was said of each photo beside what is labelled in it."""
    return [JudgedPhoto(one.subjects, (), said[name].predictions, ()) for name, one in truth.items()]
