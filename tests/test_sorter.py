"""The pair at work on photos."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Transpose
from torch import nn

import pipeline
from pipeline import yolo
from pipeline.boxes import Box
from pipeline.errors import ConfigError, PhotoError, WeightsError
from pipeline.images import ScaledPhoto, open_photo, read_photo
from pipeline.results import Detection, Prediction
from pipeline.sorter import Sorter, load

STORED = {
    1: (),
    2: (Transpose.FLIP_LEFT_RIGHT,),
    3: (Transpose.ROTATE_180,),
    4: (Transpose.FLIP_TOP_BOTTOM,),
    5: (Transpose.TRANSPOSE,),
    6: (Transpose.ROTATE_90,),
    7: (Transpose.TRANSVERSE,),
    8: (Transpose.ROTATE_270,),
}
"""How a camera stores an upright picture under each EXIF orientation."""


@pytest.fixture
def photo(home: Path) -> Path:
    return home / "images" / "train" / "photo-0001.jpg"


def check_alike(one: tuple[Prediction, ...], other: tuple[Prediction, ...]) -> None:
    assert one
    assert [a.detection.box.edges for a in one] == [pytest.approx(b.detection.box.edges) for b in other]
    assert [a.probabilities for a in one] == [pytest.approx(b.probabilities) for b in other]


def test_path_text_bytes_and_pixels_are_the_same_photo(sorter: Sorter, photo: Path) -> None:
    pixels = read_photo(photo).pixels
    wanted = sorter(photo)
    for source in (str(photo), photo.read_bytes(), pixels):
        check_alike(sorter(source), wanted)


def test_list_is_answered_in_its_order(sorter: Sorter, home: Path) -> None:
    photos = sorted((home / "images" / "val").iterdir())
    assert sorter(list(photos)) == [sorter(photo) for photo in photos]
    assert sorter([]) == []


def test_several_photos_together_are_answered_as_each_alone(sorter: Sorter, home: Path) -> None:
    """Photos of several shapes, and one without anything in it; what is left is the noise of sums in another order."""
    pixels = [read_photo(photo).pixels for photo in sorted((home / "images" / "train").iterdir())]
    photos = [*pixels[:4], np.full((5, 300, 3), 90, np.uint8), *pixels[4:], pixels[0][:40, :60]]
    alone = [sorter.sort(photo) for photo in photos]
    together = sorter.sort_many(photos)
    assert len({photo.shape for photo in photos}) > 2
    assert any(alone)
    for one, other in zip(together, alone, strict=True):
        assert [a.detection.box.edges for a in one] == [pytest.approx(b.detection.box.edges, abs=1e-3) for b in other]
        assert [a.detection.confidence for a in one] == [pytest.approx(b.detection.confidence, abs=1e-6) for b in other]
        assert [dict(a.probabilities) for a in one] == [pytest.approx(b.probabilities, abs=1e-6) for b in other]
    assert sorter.sort_many([]) == []


def test_more_crops_than_go_into_the_classifier_at_a_time_are_classified_in_their_order(
    sorter: Sorter, photo: Path
) -> None:
    pixels = read_photo(photo).pixels
    boxes = [Box(x, y, x + 30, y + 40) for x in range(0, 120, 8) for y in range(0, 80, 8)]
    detections = [Detection(box, 0.5) for box in boxes]
    together = sorter.classify(pixels, detections)
    assert [one.detection for one in together] == detections
    for one in together[::7]:
        (alone,) = sorter.classify(pixels, [one.detection])
        assert dict(one.probabilities) == pytest.approx(alone.probabilities, abs=1e-6)


def test_same_photo_gets_the_same_answer_each_time(sorter: Sorter, eager: Path, photo: Path) -> None:
    assert sorter(photo) == sorter(photo) == Sorter(eager, device="cpu")(photo)


def test_boxes_lie_in_the_photo_and_the_surest_comes_first(sorter: Sorter, photo: Path) -> None:
    predictions = sorter(photo)
    width, height = read_photo(photo).size
    assert all(one.detection.box == one.detection.box.clipped(width, height) for one in predictions)
    confidences = [one.detection.confidence for one in predictions]
    assert confidences == sorted(confidences, reverse=True)
    for one in predictions:
        assert tuple(one.probabilities) == sorter.class_names
        assert sum(one.probabilities.values()) == pytest.approx(1)


def test_threshold_of_the_card_holds(sorter: Sorter, photo: Path) -> None:
    pixels = read_photo(photo).pixels
    everything = sorter.detect(pixels, conf=0.001)
    surest = everything[0].confidence
    assert len(everything) > 1
    assert [one.confidence for one in sorter.detect(pixels, conf=surest * 0.99)] == [surest]
    assert sorter.detect(pixels, conf=surest * 1.01) == []
    assert len(sorter(photo)) == len(sorter.detect(pixels, conf=sorter.confidence))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((3, 10, 10), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((1, 10, 10, 3), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_wrong_array_is_refused(sorter: Sorter, wrong: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    with pytest.raises(ValueError, match=r"must be uint8 RGB of shape \(height, width, 3\), got "):
        sorter(wrong)


@pytest.mark.parametrize("data", [b"", b"no photo", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_no_photo_is_an_error(sorter: Sorter, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(data)
    for source in (data, tmp_path / "photo.jpg", str(tmp_path / "missing.jpg")):
        with pytest.raises(PhotoError):
            sorter(source)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 1, 3), (2, 3, 3)])
def test_smallest_photos_are_sorted_too(sorter: Sorter, shape: tuple[int, int, int]) -> None:
    for prediction in sorter(np.full(shape, 90, np.uint8)):
        assert prediction.detection.box.right <= shape[1]


@pytest.mark.parametrize("orientation", STORED)
def test_orientation_changes_nothing(sorter: Sorter, photo: Path, tmp_path: Path, orientation: int) -> None:
    pixels = read_photo(photo).pixels
    image = Image.fromarray(pixels)
    for turn in STORED[orientation]:
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "stored.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "stored.png").pixels, pixels)
    check_alike(sorter(tmp_path / "stored.png"), sorter(pixels))


@pytest.mark.parametrize("scene", ["Landscape", "Portrait"])
def test_real_photos_are_the_same_in_all_orientations(sorter: Sorter, shared: Path, scene: str) -> None:
    answers = [sorter(shared / "data" / "phone" / "orientation" / f"{scene}_{number}.jpg") for number in range(1, 9)]
    first = answers[0][0].detection.box.edges
    for answer in answers:
        assert answer[0].detection.box.edges == pytest.approx(first, abs=0.02 * max(first))


def test_load_is_all_that_a_program_needs(eager: Path, sorter: Sorter, photo: Path) -> None:
    assert pipeline.load is load
    check_alike(pipeline.load(str(eager), device="cpu")(str(photo)), sorter(photo))


def change_card(pair: Path, folder: Path, **fields: object) -> Sorter:
    """A copy of a pair with other fields in the classifier's card."""
    shutil.copytree(pair, folder)
    card = folder / "classifier.json"
    card.write_text(json.dumps(json.loads(card.read_text(encoding="utf-8")) | fields), encoding="utf-8")
    return Sorter(folder, device="cpu")


def test_temperature_of_the_card_makes_probabilities_flatter(eager: Path, photo: Path, tmp_path: Path) -> None:
    one = change_card(eager, tmp_path / "one", temperature=1.0)(photo)
    other = change_card(eager, tmp_path / "other", temperature=3.0)(photo)
    assert [a.class_name for a in one] == [b.class_name for b in other]
    assert all(a.confidence > b.confidence for a, b in zip(one, other, strict=True))


def draw_classifier(path: Path, class_count: int) -> None:
    """One that was never trained, but says something else of each crop."""
    torch.manual_seed(0)
    network = yolo.build_classifier("yolo11n-cls", class_count=class_count).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics are those of the one batch below
    with torch.no_grad():
        network(torch.rand(16, 3, 32, 32))
    yolo.write_checkpoint(path, yolo.Checkpoint("yolo11n-cls", yolo.CLASSIFY, network.state_dict()))


@pytest.mark.parametrize("flips", [False, True])
def test_flips_of_the_card_make_a_crop_and_its_mirror_image_the_same(
    eager: Path, tmp_path: Path, photo: Path, flips: bool
) -> None:
    pixels = read_photo(photo).pixels[:96, :96]
    sorter = change_card(eager, tmp_path / "pair", test_flips=flips)
    draw_classifier(tmp_path / "pair" / "classifier.pt", len(sorter.class_names))
    sorter = Sorter(tmp_path / "pair", device="cpu")
    views = pixels, np.ascontiguousarray(pixels[:, ::-1])
    one, other = (sorter.classify(view, [Detection(Box(0, 0, 96, 96), 1.0)])[0].probabilities for view in views)
    largest = max(abs(one[name] - other[name]) for name in sorter.class_names)
    assert largest < 1e-6 if flips else largest > 1e-3


def test_prediction_is_sure_from_the_card_s_probability_on(
    sorter: Sorter, eager: Path, photo: Path, tmp_path: Path
) -> None:
    first = sorter(photo)[0].confidence
    for sure_from, sure in ((first, True), (first + 1e-6, False)):
        predictions = change_card(eager, tmp_path / str(sure), sure_from=sure_from)(photo)
        assert predictions[0].sure is sure
        assert all(one.sure is (one.confidence >= sure_from) for one in predictions)


def test_missing_pair_and_device_are_said(tmp_path: Path, eager: Path) -> None:
    with pytest.raises(WeightsError, match="make train"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="not on this machine"):
        load(eager, device="17")


def sort_in_steps(sorter: Sorter, photos: list[ScaledPhoto]) -> list[tuple[Prediction, ...]]:
    """What ``predict`` does, step by step: the subjects of all photos are decided on together."""
    found = sorter.find(photos)
    views = [sorter.cut(photo, some) for photo, some in zip(photos, found, strict=True)]
    flat = sorter.decide([one for some in found for one in some], [one for some in views for one in some])
    counts = np.cumsum([0, *map(len, found)])
    return [tuple(flat[start:end]) for start, end in pairwise(counts)]


def test_steps_say_of_full_photos_what_sort_many_says(sorter: Sorter, home: Path) -> None:
    photos = [read_photo(photo).pixels for photo in sorted((home / "images" / "val").iterdir())]
    wanted = sorter.sort_many(photos)
    made = sort_in_steps(sorter, [ScaledPhoto.of(pixels) for pixels in photos])
    assert any(wanted)
    for one, other in zip(made, wanted, strict=True):
        assert [a.detection.box.edges for a in one] == [pytest.approx(b.detection.box.edges, abs=1e-3) for b in other]
        assert [dict(a.probabilities) for a in one] == [pytest.approx(b.probabilities, abs=1e-5) for b in other]
    assert sort_in_steps(sorter, []) == []


def test_small_subject_is_cut_from_the_photo_decoded_again(sorter: Sorter, tmp_path: Path) -> None:
    """Stripes of one pixel each: at half the size they would be grey."""
    pixels = np.zeros((800, 1600, 3), np.uint8)
    pixels[:, ::2] = 255
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    photo = open_photo(tmp_path / "a.jpg", side=200)
    assert photo.factor == 8
    small, large = Detection(Box(800, 400, 824, 424), 0.9), Detection(Box(0, 0, 1600, 800), 0.9)
    (one,), (other,) = sorter.cut(photo, [small, large])
    full = sorter.cut(ScaledPhoto.of(read_photo(tmp_path / "a.jpg").pixels), [small])[0][0]
    assert np.array_equal(one, full)
    assert one.std() > 40
    assert np.array_equal(other, sorter.cut(photo, [large])[0][0])  # whatever else is in the photo
    assert sorter.cut(photo, []) == []


def test_several_threads_may_cut(sorter: Sorter, photo: Path) -> None:
    opened = open_photo(photo, side=sorter.side)
    found = [Detection(Box(x, 0, x + 20, 30), 0.5) for x in range(0, 120, 10)]
    wanted = sorter.cut(opened, found)
    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(lambda _: sorter.cut(opened, found), range(20)):
            assert all(
                np.array_equal(a, b)
                for one, other in zip(made, wanted, strict=True)
                for a, b in zip(one, other, strict=True)
            )


def test_photos_are_wanted_as_large_as_detector_and_crops_need_them(
    sorter: Sorter, eager: Path, tmp_path: Path
) -> None:
    assert sorter.finder.side == 64
    assert sorter.side == 4 * 32
    assert change_card(eager, tmp_path / "pair", imgsz=8).side == 64


def make_second(eager: Path, folder: Path, **fields: object) -> Path:
    """Another pair for the same classes, which sees crops of another size with another margin."""
    shutil.copytree(eager, folder)
    card = folder / "classifier.json"
    record = json.loads(card.read_text(encoding="utf-8")) | {"imgsz": 64, "margin": 0.2} | fields
    card.write_text(json.dumps(record), encoding="utf-8")
    draw_classifier(folder / "classifier.pt", len(record["class_names"]))
    return folder


def test_several_pairs_decide_by_the_mean_each_on_crops_of_its_own(eager: Path, tmp_path: Path, photo: Path) -> None:
    second = make_second(eager, tmp_path / "second", sure_from=0.0)
    alone = [Sorter(folder, device="cpu") for folder in (eager, second)]
    both = Sorter([eager, second], device="cpu")
    pixels = read_photo(photo).pixels
    found = both.detect(pixels, conf=both.confidence)
    one, other = (sorter.classify(pixels, found) for sorter in alone)
    made = sort_in_steps(both, [ScaledPhoto.of(pixels)])[0]
    assert [a.detection.box.edges for a in made] == [pytest.approx(a.box.edges, abs=1e-3) for a in found]
    assert made
    for mean, a, b in zip(made, one, other, strict=True):
        assert dict(mean.probabilities) == pytest.approx(
            {name: (a.probabilities[name] + b.probabilities[name]) / 2 for name in both.class_names}, abs=1e-5
        )
        assert mean.rule == ("agreed" if a.class_name == b.class_name else "mean")
    assert both.side == 4 * 64
    assert [a.rule for a in one] == ["one"] * len(one)


def test_classes_in_another_order_are_joined_by_name(eager: Path, sorter: Sorter, tmp_path: Path, photo: Path) -> None:
    turned = tmp_path / "turned"
    names = list(reversed(sorter.class_names))
    change_card(eager, turned)
    for stage in ("classifier", "detector"):
        card = turned / f"{stage}.json"
        card.write_text(
            json.dumps(json.loads(card.read_text(encoding="utf-8")) | {"class_names": names}), encoding="utf-8"
        )
    straight, other = (Sorter(folder, device="cpu")(photo)[0].probabilities for folder in (eager, turned))
    mean = Sorter([eager, turned], device="cpu")(photo)[0].probabilities
    assert tuple(mean) == sorter.class_names
    for name in names:
        assert mean[name] == pytest.approx((straight[name] + other[name]) / 2, abs=1e-6)


def test_pairs_for_other_classes_are_refused_in_one_line(eager: Path, sorter: Sorter, tmp_path: Path) -> None:
    other = tmp_path / "other"
    change_card(eager, other)
    for stage in ("classifier", "detector"):
        card = other / f"{stage}.json"
        record = json.loads(card.read_text(encoding="utf-8"))
        card.write_text(json.dumps(record | {"class_names": ["고양이", *record["class_names"][1:]]}), encoding="utf-8")
    with pytest.raises(WeightsError) as told:
        Sorter([eager, other], device="cpu")
    assert str(told.value) == (
        f"{other} - classes 고양이, {', '.join(sorter.class_names[1:])} - expected {', '.join(sorter.class_names)}, "
        f"as {eager} has - give weights of the same data set, or predict with each by itself"
    )


def test_same_weights_do_not_decide_with_themselves(eager: Path) -> None:
    with pytest.raises(WeightsError, match=r"given twice - give each set of weights once"):
        Sorter([eager, eager / ".." / eager.name], device="cpu")


def test_whole_photos_and_crops_do_not_go_together(eager: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    change_card(eager, whole, whole_photo=True)
    with pytest.raises(WeightsError, match=r"whole - sorts whole photos - expected one that sorts crops"):
        Sorter([eager, whole], device="cpu")


def test_whole_photo_is_cut_into_its_views(eager: Path, tmp_path: Path, photo: Path) -> None:
    sorter = change_card(eager, tmp_path / "whole", whole_photo=True)
    opened = open_photo(photo, side=sorter.side)
    found = sorter.find([opened])
    (views,) = sorter.cut(opened, found[0])
    assert len(views) == 3
    (made,) = sorter.decide(found[0], [views])
    assert dict(made.probabilities) == pytest.approx(sorter(photo)[0].probabilities, abs=1e-5)
