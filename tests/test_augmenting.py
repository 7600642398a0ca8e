"""Each setting does to a crop what it says, drawn from the seed alone; the contact sheet shows it before training."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.random import Generator
from PIL import Image

from pipeline.augmenting import (
    PRESETS,
    Augmentation,
    Finish,
    Mixer,
    change_colours,
    choose_augmentation,
    draw_augmented,
    draw_change,
    mirror_note,
    suit_photos,
)
from pipeline.boxes import Box
from pipeline.config import Config
from pipeline.errors import DataError
from pipeline.images import GREY, Pixels, write_jpeg
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings

NOTHING = Augmentation()


def seeded(seed: int = 0) -> Generator:
    return np.random.default_rng(seed)


def noise(side: int = 32, seed: int = 0) -> Pixels:
    return seeded(seed).integers(40, 200, (side, side, 3), np.uint8)


def test_what_data_yaml_says_goes_before_the_preset() -> None:
    assert choose_augmentation(ClassifierSettings(augment="light")) == PRESETS["light"]
    chosen = choose_augmentation(ClassifierSettings(augment="art", degrees=0.0, randaugment=2))
    assert chosen == replace(PRESETS["art"], degrees=0.0, randaugment=2)


def test_nothing_wanted_changes_nothing() -> None:
    crop = noise()
    assert np.array_equal(draw_change(NOTHING, seeded()), np.eye(2, 3))
    assert change_colours(crop, NOTHING, seeded()) is crop
    assert np.array_equal(Finish(NOTHING)(crop, seeded()), crop)


def test_geometry_stays_within_what_is_set() -> None:
    rng = seeded()
    shifts, sizes, angles = [], [], []
    for _ in range(500):
        change = draw_change(replace(NOTHING, degrees=15.0, scale=0.2, shrink=0.1, translate=0.06), rng)
        sizes.append(math.sqrt(np.linalg.det(change[:, :2])))
        shifts.append(np.abs(change[:, 2]) - max(0, sizes[-1] - 1) / 2)  # what is enlarged is seen from anywhere
        angles.append(math.degrees(math.atan2(change[1, 0], change[0, 0])))
    assert 0.05 < np.max(shifts) <= 0.06
    assert (min(sizes), max(sizes)) == pytest.approx((0.9, 1.2), abs=0.01)
    assert (min(angles), max(angles)) == pytest.approx((-15, 15), abs=0.5)
    wide = [draw_change(replace(NOTHING, stretch=0.33), rng) for _ in range(500)]
    assert max(change[0, 0] / change[1, 1] for change in wide) == pytest.approx(1.33, abs=0.02)
    assert min(change[0, 0] / change[1, 1] for change in wide) == pytest.approx(1 / 1.33, abs=0.02)
    leant = [draw_change(replace(NOTHING, shear=6.0), rng) for _ in range(200)]
    assert max(math.degrees(math.atan(change[0, 1])) for change in leant) == pytest.approx(6, abs=0.3)
    assert all(np.array_equal(change[:, 0], (1, 0)) for change in leant)


def test_whole_photos_are_zoomed_into_further_unless_the_user_says_otherwise() -> None:
    plain = Config.model_validate({"names": ["a", "b"], "train": "photos"})
    own = plain.model_copy(update={"classifier": ClassifierSettings(scale=0.1)})
    assert suit_photos(plain, whole=False) == plain
    assert choose_augmentation(suit_photos(plain, whole=True).classifier).scale > PRESETS["photo"].scale
    kept = choose_augmentation(suit_photos(own, whole=True).classifier)
    assert (kept.scale, kept.shrink) == (0.1, 0.0)


def test_brightness_and_contrast_leave_grey_grey() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    seen = [change_colours(grey, replace(NOTHING, brightness=0.4), seeded(seed)) for seed in range(200)]
    assert all(np.ptp(crop, axis=-1).max() <= 1 for crop in seen)
    means = [crop.mean() for crop in seen]
    assert (min(means), max(means)) == pytest.approx((60, 140), abs=2)
    spreads = [change_colours(noise(), replace(NOTHING, brightness=0.4), seeded(seed)).std() for seed in range(200)]
    assert min(spreads) < 0.6 * noise().std() < 1.4 * noise().std() < max(spreads)


def test_colour_leaves_brightness_as_it_is() -> None:
    luma = np.array([0.299, 0.587, 0.114])
    crop = noise()
    for seed in range(50):
        changed = change_colours(crop, replace(NOTHING, color=0.4), seeded(seed))
        assert not np.array_equal(changed, crop)
        inside = ((changed > 0) & (changed < 255)).all(-1)
        assert np.abs(changed[inside] @ luma - crop[inside] @ luma).max() < 2


def test_colours_are_those_of_torchvision() -> None:
    """The same factors through the library's own functions, for a crop that nothing of is clipped."""
    from torchvision.transforms.v2 import functional

    crop = seeded().integers(100, 150, (16, 16, 3), np.uint8)
    ours = change_colours(crop, replace(NOTHING, brightness=0.3), seeded(4)).astype(float)
    light, contrast = seeded(4).uniform(0.7, 1.3, 2)
    image = torch.from_numpy(crop).permute(2, 0, 1).float() / 255
    theirs = functional.adjust_contrast(functional.adjust_brightness(image, light), contrast)
    assert np.abs(ours - theirs.permute(1, 2, 0).numpy() * 255).max() < 2


@pytest.mark.parametrize(("always", "axis"), [(replace(NOTHING, fliplr=1.0), 1), (replace(NOTHING, flipud=1.0), 0)])
def test_flips(always: Augmentation, axis: int) -> None:
    crop = noise()
    assert np.array_equal(Finish(always)(crop, seeded()), np.flip(crop, axis))
    half = Finish(replace(always, fliplr=always.fliplr / 2, flipud=always.flipud / 2))
    assert 30 < sum(np.array_equal(half(crop, seeded(seed)), crop) for seed in range(100)) < 70


def test_erasing_covers_a_piece_in_grey() -> None:
    finish, crop = Finish(replace(NOTHING, erasing=1.0)), np.full((64, 64, 3), 250, np.uint8)
    for seed in range(30):
        seen = finish(crop, seeded(seed))
        assert set(np.unique(seen)) == {GREY, 250}
        assert 0.01 < (seen == GREY).mean() < 0.17


def test_randaugment_draws_changes() -> None:
    finish, crop = Finish(replace(NOTHING, randaugment=2)), noise()
    seen = {finish(crop, seeded(seed)).tobytes() for seed in range(10)}
    assert len(seen) > 6


def test_crop_depends_on_the_seed_and_leaves_what_torch_draws_alone() -> None:
    finish, crop = Finish(replace(PRESETS["photo"], randaugment=1)), noise()
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    one = finish(crop, seeded(7))
    assert torch.equal(torch.rand(3), wanted)
    assert np.array_equal(one, finish(crop, seeded(7)))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    levels = torch.tensor([10, 90, 170, 250], dtype=torch.uint8)
    return levels[:, None, None, None].expand(4, 3, 32, 32).clone(), torch.tensor([0, 1, 2, 2])


def test_cutmix_puts_pieces_in_and_says_how_large() -> None:
    images, targets = batch()
    mixed, shares = Mixer(replace(NOTHING, cutmix=1.0), 3).mix(images, targets, seeded(2))
    assert mixed.dtype == torch.uint8
    for index in range(4):
        own = float((mixed[index] == images[index]).float().mean())
        wanted = torch.zeros(3)
        wanted[targets[index]] += own
        wanted[targets[index - 1]] += 1 - own
        assert torch.allclose(shares[index], wanted, atol=1e-5)
    assert 0 < float((mixed == images).float().mean()) < 1


def test_mixup_blends_as_it_says() -> None:
    images, targets = batch()
    mixed, shares = Mixer(replace(NOTHING, mixup=1.0), 3).mix(images, targets, seeded(3))
    own = float(shares[0, 0])
    assert 0 < own < 1
    assert mixed.dtype == torch.uint8
    assert float(mixed[0, 0, 0, 0]) == pytest.approx(10 * own + 250 * (1 - own), abs=0.51)


def test_part_of_the_batches_is_mixed_and_all_have_shares() -> None:
    images, targets = batch()
    mixer = Mixer(replace(NOTHING, cutmix=0.3, mixup=0.3), 3)
    made = [mixer.mix(images, targets, seeded(seed)) for seed in range(200)]
    assert all(shares.shape == (4, 3) and torch.allclose(shares.sum(1), torch.ones(4)) for _, shares in made)
    assert 60 < sum(torch.equal(mixed, images) for mixed, _ in made) < 130  # a blend may be of one alone, nearly
    both = Mixer(replace(NOTHING, cutmix=1.0, mixup=1.0), 3)
    kinds = [len(np.unique(both.mix(images, targets, seeded(seed))[0][0])) for seed in range(100)]
    assert 25 < sum(kind == 2 for kind in kinds) < 75  # pieces; a blend has one level


def test_mixing_depends_on_the_seed_alone() -> None:
    images, targets = batch()
    mixer = Mixer(replace(NOTHING, cutmix=0.5, mixup=0.5), 3)
    one, again = (mixer.mix(images, targets, seeded(9)) for _ in range(2))
    assert all(torch.equal(first, second) for first, second in zip(one, again, strict=True))


FLIPPED = replace(NOTHING, fliplr=0.5)


@pytest.mark.parametrize(
    "class_names",
    [
        ("left_turn", "stop"),
        ("Arrow Right", "Arrow Left"),
        ("3", "5", "E"),
        ("b", "d"),
        ("왼쪽", "오른쪽"),
        (unicodedata.normalize("NFD", "화살표"), "원"),
    ],
)
def test_mirroring_where_names_tell_left_from_right_is_noted(class_names: tuple[str, ...]) -> None:
    assert "fliplr: 0 under classifier" in mirror_note(class_names, FLIPPED)
    assert "fliplr: 0 and flipud: 0" in mirror_note(class_names, replace(FLIPPED, flipud=0.1))
    assert mirror_note(class_names, NOTHING) == ""


@pytest.mark.parametrize(
    "class_names", [("cat", "dog"), ("bright", "leftover"), ("A", "cat"), ("좌석", "우산"), ("동화", "만화"), ()]
)
def test_other_names_are_not_noted(class_names: tuple[str, ...]) -> None:
    assert mirror_note(class_names, FLIPPED) == ""


def make_sources(folder: Path, class_names: tuple[str, ...], each: int) -> tuple[CropSource, ...]:
    made = []
    for number, name in enumerate(class_names * each):
        write_jpeg(folder / f"{number}.jpg", noise(48, number))
        made.append(CropSource(folder / f"{number}.jpg", Box(4, 4, 44, 44), name))
    return tuple(made)


@pytest.mark.parametrize("mixing", [{}, {"cutmix": 1.0}, {"mixup": 1.0}])
def test_contact_sheet_has_a_row_for_each_class_and_one_for_mixed_batches(
    mixing: dict[str, float], tmp_path: Path
) -> None:
    names = ("동화", unicodedata.normalize("NFD", "만화"), "none of it")
    sources = make_sources(tmp_path, names[:2], 4)
    draw_augmented(tmp_path / "sheet.png", sources, names, ClassifierSettings(imgsz=32, batch=4, **mixing), 1)  # type: ignore[arg-type]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == pytest.approx(165 * (2 + bool(mixing)), abs=2)
        assert np.asarray(sheet.convert("RGB")).std() > 20


def test_contact_sheet_of_more_classes_than_it_has_rows(tmp_path: Path) -> None:
    names = tuple(f"class {number}" for number in range(10))
    draw_augmented(tmp_path / "sheet.jpg", make_sources(tmp_path, names, 1), names, ClassifierSettings(imgsz=32), 1)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.height == pytest.approx(8 * 165, abs=2)


def test_contact_sheet_reads_no_more_than_it_shows(tmp_path: Path) -> None:
    """Of thousands of crops that would take its time, where no batch is mixed."""
    sources = make_sources(tmp_path, ("a", "b"), 7)
    sources[-1].file.unlink()
    draw_augmented(tmp_path / "sheet.jpg", sources, ("a", "b"), ClassifierSettings(imgsz=32), 1)
    assert (tmp_path / "sheet.jpg").exists()


def test_contact_sheet_of_a_crop_that_is_gone_is_one_line(tmp_path: Path) -> None:
    sources = make_sources(tmp_path, ("a", "b"), 1)
    sources[1].file.unlink()
    with pytest.raises(DataError, match=r"1\.jpg - a crop that was kept here is gone"):
        draw_augmented(tmp_path / "sheet.jpg", sources, ("a", "b"), ClassifierSettings(imgsz=32), 1)
    assert not (tmp_path / "sheet.jpg").exists()
