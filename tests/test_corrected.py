"""Single corrected boxes: the classifier learns them, the detector never, and nothing that is scored is among them."""

from __future__ import annotations

import io
import json
import re
import shutil
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from conftest import Run, hash_files
from photos import createml, voc, write_text
from PIL import Image, ImageOps
from rich.console import Console

from pipeline import yolo
from pipeline.boxes import Box
from pipeline.check import check_dataset
from pipeline.config import read_config
from pipeline.corrected import FOLDER, describe_corrected, folder_of
from pipeline.dataset import DataSet, digest, list_parts, load_dataset
from pipeline.errors import DataError
from pipeline.init import init_dataset
from pipeline.labels import Annotation, Subject
from pipeline.prepare import prepare
from pipeline.problems import Kind
from pipeline.sample import KINDS, draw_photos
from pipeline.training import take_fingerprint, train
from pipeline.weights import read_cards

ROW = "1 0.5 0.5 0.4 0.5\n"
DATA = Path("data.yaml")
Form = Literal["NFC", "NFD"]


def correct(folder: Path, name: str = "first", rows: str = ROW, *, index: int = 20) -> Path:
    """A photo that is nowhere else, with a label beside it."""
    drawn = folder.parent / "drawn"
    draw_photos(drawn, drawn, count=1, seed=3, size=(160, 128), first=index)
    photo = folder / FOLDER / f"{name}.jpg"
    copy_upright(drawn / f"photo-{index + 1:04d}.jpg", photo, rows)
    return photo


def copy_upright(photo: Path, copy: Path, rows: str = ROW) -> None:
    """As corrections are copied: another file, the same picture."""
    copy.parent.mkdir(exist_ok=True)
    with Image.open(photo) as image:
        ImageOps.exif_transpose(image).save(copy, quality=90, exif=Image.Exif())
    write_text(copy.with_suffix(".txt"), rows)


def check(file: Path = DATA) -> DataSet:
    return check_dataset(file, read_config(file))


def find() -> list[tuple[Kind, str, int | None]]:
    """The problems in corrections."""
    found = check().problems
    return [(one.kind, one.path.name, one.line) for one in found if one.path.is_relative_to(folder_of(DATA))]


def fingerprint() -> str:
    return take_fingerprint(read_config(DATA), check(), None)


def edit(old: str, new: str) -> None:
    text = DATA.read_text(encoding="utf-8")
    assert old in text
    DATA.write_text(text.replace(old, new), encoding="utf-8")


def add(line: str) -> None:
    DATA.write_text(f"{DATA.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")


def first_photo(part: str) -> Path:
    return min((Path("images") / part).resolve().glob("*.jpg"))


def test_folder_is_beside_data_yaml_wherever_the_command_runs(tiny: Path) -> None:
    assert folder_of(DATA) == folder_of(tiny / DATA) == tiny.resolve() / "corrections"


def test_corrected_boxes_are_read_and_told_and_no_part_has_them(tiny: Path) -> None:
    before = check()
    correct(tiny, "first", f"{ROW}0 0.2 0.2 0.1 0.2\n")
    correct(tiny, "second", index=21)
    data = check()
    assert data.parts == before.parts
    names = [[one.class_name for one in photo.subjects] for photo in data.corrected]
    assert names == [["fairy tale", "comic"], ["fairy tale"]]
    assert data.learnt == (*data.train, *data.corrected)
    told = "3 corrected subjects of 2 photos from corrections/: the classifier learns them as well"
    assert [note for note in data.notes if note not in before.notes] == [told]
    assert load_dataset(DATA, read_config(DATA)).corrected == ()  # nobody has compared them there


def test_one_is_not_many() -> None:
    subject = Subject(Box(1, 1, 5, 5), "comic")
    photo = Annotation(Path("a.jpg"), (9, 9), (subject,), None)
    assert describe_corrected([photo]).startswith("1 corrected subject of 1 photo from corrections/")
    assert describe_corrected([]) == ""


@pytest.mark.parametrize("format", ["voc", "createml"])
def test_labels_of_every_format_are_read(tiny: Path, format: str) -> None:
    photo = correct(tiny)
    photo.with_suffix(".txt").unlink()
    with Image.open(photo) as image:
        size = image.size
    text = voc([("novel", 10, 12, 70, 60)], size)
    if format == "createml":
        text = createml([("novel", 10, 12, 70, 60)], photo.name)
    write_text(photo.with_suffix(".xml" if format == "voc" else ".json"), text)
    (one,) = check().corrected
    assert [(subject.class_name, subject.box.edges) for subject in one.subjects] == [("novel", (10, 12, 70, 60))]


@pytest.mark.parametrize(("photo_form", "label_form"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_korean_names_are_found_in_either_form(tiny: Path, photo_form: Form, label_form: Form) -> None:
    photo = correct(tiny)
    photo.rename(photo.with_name(unicodedata.normalize(photo_form, "동화책 1.jpg")))
    label = photo.with_suffix(".txt")
    label.rename(label.with_name(unicodedata.normalize(label_form, "동화책 1.txt")))
    assert len(check().corrected) == 1
    assert find() == []


def test_labels_elsewhere_are_not_theirs(tiny: Path) -> None:
    """``labels`` beside data.yaml is beside ``corrections`` as well."""
    correct(tiny)
    write_text(tiny / "labels" / "first.txt", "3 0.5 0.5 0.1 0.1\n")
    assert [one.subjects[0].class_name for one in check().corrected] == ["fairy tale"]
    assert find() == []
    (tiny / FOLDER / "first.txt").unlink()
    assert check().corrected == ()


def test_missing_or_empty_folder_changes_nothing_and_a_correction_does(tiny: Path) -> None:
    before, data = fingerprint(), check()
    write_text(tiny / FOLDER / "classes.txt", "".join(f"{kind}\n" for kind in KINDS))
    write_text(tiny / FOLDER / "applied.jsonl", "{}\n")
    assert (fingerprint(), check()) == (before, data)
    photo = correct(tiny)
    changed = fingerprint()
    assert changed != before
    assert fingerprint() == changed
    write_text(photo.with_suffix(".txt"), ROW.replace("1", "2", 1))
    assert fingerprint() not in (before, changed)
    write_text(photo.with_suffix(".txt"), "")
    assert fingerprint() == before
    correct(tiny, "second", index=21)
    photo.unlink()
    assert find() == [(Kind.LABEL_ORPHAN, "first.txt", None)]


def test_language_of_the_report_is_nothing_that_a_training_depends_on(tiny: Path) -> None:
    before = fingerprint()
    add("report: {language: ko}")
    assert read_config(tiny / DATA).report.language == "ko"
    assert fingerprint() == before


def test_problems_are_those_of_other_labels(tiny: Path) -> None:
    correct(tiny, "class", f"{ROW}7 0.5 0.5 0.1 0.1\n", index=20)
    correct(tiny, "words", "a book\n", index=21)
    correct(tiny, "bare", index=22).with_suffix(".txt").unlink()
    cut = correct(tiny, "cut", index=23)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    correct(tiny, "no-photo", index=24).write_text("text")
    write_text(tiny / FOLDER / "classes.txt", "novel\ncomic\n")
    assert set(find()) == {
        (Kind.CLASS_UNKNOWN, "class.txt", 2),
        (Kind.ROW_MALFORMED, "words.txt", 1),
        (Kind.LABEL_MISSING, "bare.jpg", None),
        (Kind.PHOTO_TRUNCATED, "cut.jpg", None),
        (Kind.PHOTO_UNREADABLE, "no-photo.jpg", None),
        (Kind.CLASS_LIST_DIFFERS, "classes.txt", 1),
    }
    (bare,) = (str(one) for one in check().problems if one.kind is Kind.LABEL_MISSING)
    assert bare.endswith(
        "bare.jpg - has no label beside it: nothing is learnt from it - bring the label back, or remove the photo"
    )


def test_corrections_that_cannot_be_opened_stop_nothing(tiny: Path) -> None:
    before = fingerprint()
    correct(tiny).write_text("text")
    assert find() == [(Kind.PHOTO_UNREADABLE, "first.jpg", None)]
    assert fingerprint() == before


def test_class_that_data_yaml_lacks_stops_a_training_in_one_line(tiny: Path, here: Run) -> None:
    photo = correct(tiny, rows="9 0.5 0.5 0.5 0.5\n")
    done = here("train")
    assert done.returncode == 1
    assert done.stderr.startswith(f"cropsort: {photo.resolve().with_suffix('.txt')}:1 - class 9, but names has 4")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("way", ["copied", "the file itself"])
def test_photo_of_the_data_set_is_not_learnt_from_and_named(tiny: Path, part: str, way: str) -> None:
    if part == "test":
        (tiny / "images" / "val").rename(tiny / "images" / "test")
        (tiny / "labels" / "val").rename(tiny / "labels" / "test")
        edit("val: images/val", "test: images/test")
    before, taken = check(), fingerprint()
    photo, copy = first_photo(part), tiny / FOLDER / "again.jpg"
    copy_upright(photo, copy)
    if way == "the file itself":
        shutil.copyfile(photo, copy)
    other = correct(tiny, "other")
    data = check()
    assert [one.photo.name for one in data.corrected] == ["other.jpg"]
    assert data.parts == before.parts
    (problem,) = (one for one in data.problems if one.kind is Kind.CORRECTION_LEFT_OUT)
    assert (problem.path, problem.photo, problem.others) == (copy.resolve(), copy.resolve(), (photo,))
    scored = f"is, or nearly is, {photo} of {part}, which is scored on"
    assert problem.found == (f"is {photo} of train, whose label counts" if part == "train" else scored)
    twice = {Kind.PHOTO_LEAKED, Kind.PHOTO_REPEATED, Kind.PHOTO_SIMILAR}
    assert not twice & {one.kind for one in data.problems if copy.resolve() in (one.path, *one.others)}
    add("ignore: correction-left-out")
    assert len(check().corrected) == 1  # said or not
    other.unlink()
    assert fingerprint() == taken


def test_photo_that_is_kept_back_for_val_is_not_learnt_from(tiny: Path) -> None:
    shutil.rmtree(tiny / "images" / "val")
    edit("val: images/val\n", "")
    before = check()
    for photo in (tiny / "images" / "train").glob("*.jpg"):
        copy_upright(photo, tiny / FOLDER / f"again-{photo.name}")
    data = check()
    assert (data.train, data.val, data.corrected) == (before.train, before.val, ())


@pytest.mark.parametrize("part", ["train", "val"])
def test_next_frame_of_a_burst_is_learnt_from_unless_it_is_of_val(tiny: Path, part: str) -> None:
    """Nearly the same photo: what lies in it was not labelled before, but it gives away what is scored on."""
    photo = min(one for one in (tiny / "images" / part).resolve().glob("*.jpg") if one.stem != "photo-0002")
    following = (tiny / FOLDER / "next.jpg").resolve()
    copy_upright(photo, following)
    with Image.open(following) as image:
        pixels = np.asarray(image).astype(float)
    grain = np.random.default_rng(1).normal(0, 35, pixels.shape)
    Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(following, quality=95)
    data = check()
    found = [one.kind for one in data.problems if following in (one.path, *one.others)]
    assert found == [Kind.PHOTO_SIMILAR if part == "train" else Kind.CORRECTION_LEFT_OUT]
    assert len(data.corrected) == (part == "train")


def test_the_same_picture_twice_in_corrections_is_warned_of(tiny: Path) -> None:
    photo = correct(tiny)
    shutil.copyfile(photo, photo.with_name("second.jpg"))
    write_text(photo.with_name("second.txt"), ROW.replace("1", "2", 1))
    (problem,) = (one for one in check().problems if one.kind is Kind.PHOTO_REPEATED)
    assert problem.found.endswith("but labelled otherwise: fairy tale; novel")


@pytest.mark.parametrize("place", [".", "images/../corrections/../images/train"])
def test_folder_above_corrections_may_be_named(tiny: Path, place: str) -> None:
    edit("train: images/train", f"train: [{place}, corrections]")
    edit("val: images/val\n", "")
    correct(tiny)
    listed = list_parts(DATA, read_config(DATA))["train"]
    assert len(listed) == (12 if place == "." else 8)
    assert not [photo for photo in listed if FOLDER in photo.resolve().parts]
    assert len(check().corrected) == 1


def test_corrections_alone_are_no_data_set(tiny: Path, here: Run) -> None:
    edit("train: images/train", "train: corrections")
    correct(tiny)
    done = here("check")
    assert done.returncode == 1
    found = "the only photos that data.yaml names, and only single boxes of them are judged"
    expected = "photos elsewhere whose subjects are all labelled"
    assert done.stderr == f"cropsort: {tiny.resolve() / FOLDER} - {found} - expected {expected}\n"


def test_new_data_yaml_names_no_corrections(tiny: Path) -> None:
    (tiny / "images").rename(tiny / "books")  # else its folders train and val are taken as they are
    correct(tiny)
    DATA.unlink()
    made = init_dataset(tiny, DATA, class_names=KINDS)
    assert sum(made.photos.values()) == 12
    assert FOLDER not in "".join(path.read_text(encoding="utf-8") for path in tiny.glob("data.*.txt"))
    shutil.rmtree(tiny / "books")
    with pytest.raises(DataError, match="the only photos"):
        init_dataset(tiny, Path("other.yaml"), class_names=KINDS)


def test_copied_data_set_has_the_corrections_of_the_old_one(tiny: Path, here: Run) -> None:
    correct(tiny)
    before = hash_files(tiny / FOLDER)
    done = here("split", "--copy", "copied", "--val", "0.3")
    assert done.returncode == 0, done.stderr
    assert hash_files(tiny / "copied" / FOLDER) == before
    assert len(check(Path("copied/data.yaml")).corrected) == 1


def test_class_that_only_corrections_show_can_be_learnt(tiny: Path) -> None:
    edit("science]", "science, magazine]")
    assert Kind.CLASS_NOT_IN_TRAIN in {one.kind for one in check().problems}
    correct(tiny, rows="4 0.5 0.5 0.5 0.5\n")
    found = [(one.kind, one.found) for one in check().problems]
    assert Kind.CLASS_NOT_IN_TRAIN not in dict(found)
    assert (Kind.CLASS_NOT_IN_VAL, "no val photo shows 'magazine', 1 boxes of it are in train") in found


def test_detector_cannot_do_with_corrections_alone(tiny: Path) -> None:
    for label in (tiny / "labels" / "train").glob("photo-*.txt"):
        label.write_text("")
    correct(tiny)
    assert [one.found for one in check().problems if one.kind is Kind.PART_UNLABELLED] == ["no labelled box in train"]


def test_check_tells_them_to_people_and_programs(tiny: Path, here: Run) -> None:
    correct(tiny)
    copy_upright(first_photo("val"), tiny / FOLDER / "again.jpg")
    told = here("check")
    assert told.returncode == 0, told.stderr
    assert "note: 1 corrected subject of 1 photo from corrections/: the classifier learns them as well" in told.stdout
    assert f"warning: {Kind.CORRECTION_LEFT_OUT.title} (correction-left-out, 1)\n" in told.stdout
    assert "tiny: 12 photos, " in told.stdout
    page = (tiny / "runs" / "tiny" / "check" / "check.html").read_text(encoding="utf-8")
    assert "1 corrected subject of 1 photo from corrections/" in page
    record = json.loads(here("check", "--json").stdout)
    classes = {kind: int(kind == "fairy tale") for kind in KINDS}
    assert record["corrected"] == {"photos": 1, "boxes": 1, "classes": classes}
    assert record["counts"]["train"]["photos"] == 8


def test_sorted_photos_can_have_corrected_boxes(tiny: Path) -> None:
    add("classes_from: folders")
    for part in ("train", "val"):
        for number, photo in enumerate(sorted((tiny / "images" / part).glob("*.jpg"))):
            target = photo.parent / ("comic", "novel")[number % 2] / photo.name
            target.parent.mkdir(exist_ok=True)
            photo.rename(target)
    correct(tiny)
    made = prepare(check(), read_config(DATA), tiny / "out", on_photo=lambda: None)
    assert made.detector is None
    assert [source.class_name for source in made.train] == ["comic"] * 4 + ["novel"] * 4 + ["fairy tale"]


def train_pair() -> tuple[str, Path]:
    """What the training says, and its run."""
    told = io.StringIO()
    made = train(DATA, Console(file=told, width=400))
    return told.getvalue(), made.run


def has_same_weights(first: Path, second: Path, stage: str) -> bool:
    one, other = (yolo.read_checkpoint(run / "weights" / f"{stage}.pt").tensors for run in (first, second))
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.slow
def test_classifier_learns_a_corrected_box_and_the_detector_does_not(tiny: Path) -> None:
    """The tiny pair before and after a correction: of the same seed, so that all that differs is due to it."""
    edit("imgsz: 32,", "imgsz: 32, balance: oversample,")
    shown = [subject.class_name for photo in check().train for subject in photo.subjects]
    usual = max(KINDS, key=shown.count)
    first_told, first = train_pair()
    assert "corrected" not in first_told
    photo = correct(tiny, rows=ROW.replace("1", str(KINDS.index(usual)), 1))
    before = [hash_files(tiny / name) for name in ("images", "labels", FOLDER)]
    told, second = train_pair()
    assert (first.name, second.name) == ("1", "2")  # begun anew
    assert "note: 1 corrected subject of 1 photo from corrections/: the classifier learns them as well\n" in told
    assert re.findall(r"(\d+) boxes to learn from", first_told + told) == [str(len(shown))] * 2  # those of train
    counts = re.findall(r"an epoch shows (\d+) of each", first_told + told)
    assert counts == [str(shown.count(usual)), str(shown.count(usual) + 1)]
    assert has_same_weights(first, second, "detector")
    assert not has_same_weights(first, second, "classifier")
    old, new = read_cards(first / "weights"), read_cards(second / "weights")
    assert new.detector is not None
    assert new.classifier.corrected == digest(check().corrected)
    assert new.detector.corrected is old.classifier.corrected is None
    assert new.classifier.data == new.detector.data == old.classifier.data
    assert "corrected" not in (first / "weights" / "classifier.json").read_text(encoding="utf-8")
    assert before == [hash_files(tiny / name) for name in ("images", "labels", FOLDER)]
    photo.unlink()
    assert fingerprint() == json.loads((first / "run.json").read_text(encoding="utf-8"))["fingerprint"]
