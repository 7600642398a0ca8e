"""Subjects and their features: found in photos, one row each, whatever the photos are like."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import hash_files
from photos import write_photo
from rich.console import Console

from pipeline.boxes import Box
from pipeline.cluster.features import KINDS, PIXELS_SIDE, FeatureKind, from_embeddings, from_pixels, from_probabilities
from pipeline.cluster.subjects import Gathered, gather
from pipeline.errors import DataError
from pipeline.images import read_photo
from pipeline.keys import subject_key
from pipeline.sorter import Sorter
from pipeline.sources import Source, Sources, find_sources
from pipeline.thumbnails import SIDE


def look(photos: Path, sorter: Sorter | None, kind: FeatureKind, *, crops: bool = False) -> Gathered:
    return gather(find_sources(photos), sorter, kind, crops=crops, console=Console(file=io.StringIO()))


@pytest.fixture
def photos(home: Path, tmp_path: Path) -> Path:
    """Some that show something, and all that may lie between them."""
    folder = tmp_path / "내 사진 [1]"
    shutil.copytree(home / "images" / "val", folder / "val")
    (folder / "b.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no photo", encoding="utf-8")
    (folder / ".hidden.jpg").write_bytes(b"")
    whole = sorted((home / "images" / "val").iterdir())[0].read_bytes()
    (folder / "a.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def test_how_many_times_more_probable_each_class_is() -> None:
    features = from_probabilities([[0.5, 0.25, 0.25], [0.2, 0.4, 0.4], [1.0, 0.0, 0.0], [1.0, 1e-9, 1e-5]])
    assert features.dtype == np.float32
    assert features.sum(1) == pytest.approx(np.zeros(4), abs=1e-5)
    assert features[0] == pytest.approx(-features[1])
    assert features[2] == pytest.approx(features[3])  # what is next to nothing is nothing
    assert np.isfinite(features).all()


def test_embeddings_have_length_one_where_they_have_any() -> None:
    assert from_embeddings([[3.0, 4.0], [0.0, 0.0]]) == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))


def test_pixels_are_averaged() -> None:
    assert from_pixels(np.full((96, 96, 3), 51, np.uint8)) == pytest.approx(np.full(PIXELS_SIDE**2 * 3, 0.2))
    checks = np.indices((64, 64)).sum(0) % 2 * np.uint8(254)
    assert from_pixels(cv2.merge([checks.astype(np.uint8)] * 3)).tolist() == pytest.approx([127 / 255] * 3072)


@pytest.mark.parametrize("kind", KINDS)
def test_each_subject_has_a_row(photos: Path, sorter: Sorter, kind: FeatureKind) -> None:
    before = hash_files(photos)
    made = look(photos, sorter, kind)
    assert hash_files(photos) == before
    assert len(made.features) == len(made.subjects) > 4
    assert made.features.dtype == np.float32 and np.isfinite(made.features).all()
    assert made.features.shape[1] == {"probabilities": 4, "embedding": 1280, "pixels": 3072}[kind]
    names = [one.photo for one in made.subjects]
    assert names == sorted(names)
    (truncated, reason), *others = made.problems
    assert truncated == "a.jpg" and reason.startswith("its end is missing")
    assert others == [("b.jpg", "the file is empty"), ("notes.txt", "no photo by its name or its first bytes")]
    assert (made.hidden, made.failed) == (1, 2)


def test_subjects_are_those_that_sorting_finds(photos: Path, sorter: Sorter) -> None:
    made = look(photos, sorter, "embedding")
    for path in sorted((photos / "val").iterdir()):
        wanted = sorter(path)
        found = [one for one in made.subjects if one.path == path]
        assert [one.number for one in found] == [*range(len(wanted))]
        for one, prediction in zip(found, wanted, strict=True):
            assert one.box.edges == pytest.approx(prediction.detection.box.edges, abs=0.1)
            assert dict(one.probabilities) == pytest.approx(prediction.probabilities, abs=0.02)
            assert one.key == subject_key(one.photo, one.box)
            assert one.photo == f"val/{path.name}"
            assert max(read_photo(one.thumbnail).size) <= SIDE


def test_features_are_those_of_the_subject(photos: Path, sorter: Sorter) -> None:
    """And do not depend on what else there is to look at."""
    made, other = look(photos, sorter, "probabilities"), look(photos, sorter, "probabilities")
    assert np.array_equal(made.features, other.features)
    tables = [[*one.probabilities.values()] for one in made.subjects]
    assert made.features == pytest.approx(from_probabilities(tables), abs=1e-6)
    embedded = look(photos, sorter, "embedding").features
    assert np.linalg.norm(embedded, axis=1) == pytest.approx(np.ones(len(embedded)), abs=1e-5)
    alone = look(sorted((photos / "val").iterdir())[1], sorter, "embedding")
    place = next(place for place, one in enumerate(made.subjects) if one.path == alone.subjects[0].path)
    assert embedded[place] == pytest.approx(alone.features[0], abs=1e-4)


def test_several_sets_of_weights_stand_side_by_side(photos: Path, sorter: Sorter, eager: Path, tmp_path: Path) -> None:
    """And decide together, as where photos are sorted."""
    other = shutil.copytree(eager, tmp_path / "other")
    both, alone = look(photos, Sorter([eager, other], device="cpu"), "embedding"), look(photos, sorter, "embedding")
    assert both.features * 2**0.5 == pytest.approx(np.tile(alone.features, 2), abs=1e-5)
    for one, subject in zip(both.subjects, alone.subjects, strict=True):
        assert dict(one.probabilities) == pytest.approx(subject.probabilities, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_photos_that_are_crops_are_taken_whole(photos: Path, sorter: Sorter, kind: FeatureKind) -> None:
    made = look(photos, sorter, kind, crops=True)
    assert [one.number for one in made.subjects] == [0] * 4
    for one in made.subjects:
        width, height = read_photo(one.path).size
        assert one.box == Box(0, 0, width, height)
        assert set(one.probabilities) == set(sorter.class_names)


def test_pixels_of_whole_photos_need_no_weights(photos: Path) -> None:
    made = look(photos, None, "pixels")
    assert len(made.subjects) == 4
    assert made.features.shape == (4, 3072)
    assert all(one.probabilities == {} for one in made.subjects)
    assert [name for name, _ in made.problems] == ["a.jpg", "b.jpg", "notes.txt"]
    with pytest.raises(ValueError, match="embedding need a sorter"):
        look(photos, None, "embedding")


def test_many_more_photos_than_are_looked_at_together_stay_in_order(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (150, 3), np.uint8)
    for number, colour in enumerate(colours):
        path = tmp_path / f"{number:03}.png"
        path.write_bytes(cv2.imencode(".png", np.full((8, 8, 3), colour[::-1], np.uint8))[1].tobytes())
    made = look(tmp_path, None, "pixels")
    assert [one.photo for one in made.subjects] == [f"{number:03}.png" for number in range(150)]
    assert np.rint(made.features[:, :3] * 255).tolist() == colours.tolist()


def test_one_photo_and_one_on_the_web(tmp_path: Path) -> None:
    one = Source("a.png", write_photo(tmp_path / "a.png"))
    web = Source("http://example.com/b.jpg", "http://example.com/b.jpg")
    sources = Sources("list", "list", tmp_path, (one, web))
    made = gather(sources, None, "pixels", console=Console(file=io.StringIO()))
    assert [subject.photo for subject in made.subjects] == ["a.png"]
    assert made.problems == ((web.name, "lies on the web: save it first, and group the file"),)
    assert made.failed == 0


def test_photos_that_show_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"no subject found in 1 files \(broken.jpg: .*\) - other photos, or --crops"):
        look(tmp_path, None, "pixels")
