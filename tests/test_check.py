"""Every kind of fault, put into a clean data set by itself: found where it is, and nothing else."""

from __future__ import annotations

import cProfile
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run
from photos import createml, hash_files, voc, write_text
from PIL import Image

from pipeline.balance import PREDEFINED_CLASSES
from pipeline.check import check_dataset
from pipeline.config import read_config
from pipeline.dataset import DataSet
from pipeline.duplicates import find_duplicates
from pipeline.environment import ROOT
from pipeline.errors import DataError
from pipeline.fingerprints import Fingerprint, take_fingerprints
from pipeline.init import init_dataset
from pipeline.labels import Annotation
from pipeline.problems import Kind, Severity
from pipeline.sample import draw_sample

SIZE = (160, 120)
YAML = "train: images/train\nval: images/val\nnames:\n  - ace\n  - king\n"
ROW = "0 0.5 0.5 0.5 0.5\n"
TAKEN = 0x9003
Found = tuple[Kind, str, int | None]


def draw(path: Path, seed: int, exif: Image.Exif | None = None) -> Path:
    """A photo that looks like no other with another seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC)).save(path, exif=exif or Image.Exif())
    return path


def add(folder: Path, name: str, label: str | bytes | None = ROW, *, seed: int = 99, part: str = "train") -> Path:
    """A photo and its label; the suffix of the label says its format where ``name`` gives it as ``a.jpg a.xml``."""
    photo_name, _, label_name = name.partition(" ")
    photo = draw(folder / "images" / part / photo_name, seed)
    path = folder / "labels" / part / (label_name or f"{photo.stem}.txt")
    if label is not None:
        path.write_bytes(label if isinstance(label, bytes) else label.encode())
    return photo


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photos to learn from, four for val, in which nothing is wrong; for copying only."""
    folder = tmp_path_factory.mktemp("clean")
    for part, count in (("train", 10), ("val", 4)):
        (folder / "labels" / part).mkdir(parents=True)
        for number in range(count):
            row = f"{number % 2} 0.4 0.5 0.25 0.5\n"
            add(folder, f"{part}-{number}.jpg", row, seed=1000 + count * 100 + number, part=part)
    write_text(folder / "data.yaml", YAML)
    return folder


@pytest.fixture
def folder(clean: Path, tmp_path: Path) -> Path:
    """A copy of it, with a name that needs care."""
    return shutil.copytree(clean, tmp_path / "내 사진 & <b>")


def check(folder: Path, name: str = "data.yaml") -> DataSet:
    return check_dataset(folder / name, read_config(folder / name))


def find(folder: Path) -> list[Found]:
    root = folder.resolve()
    return [(one.kind, one.path.relative_to(root).as_posix(), one.line) for one in check(folder).problems]


def cut(folder: Path) -> None:
    photo = add(folder, "cut.jpg")
    photo.write_bytes(photo.read_bytes()[: photo.stat().st_size // 2])


def copy(folder: Path, name: str, to: str) -> None:
    shutil.copyfile(folder / "images" / name, folder / "images" / to)
    (folder / "labels" / to).with_suffix(".txt").write_bytes(
        (folder / "labels" / name).with_suffix(".txt").read_bytes()
    )


def save_again(folder: Path, name: str, to: str) -> None:
    copy(folder, name, to)
    with Image.open(folder / "images" / name) as image:
        image.resize((140, 105)).save(folder / "images" / to, quality=60)


def correct(folder: Path) -> None:
    """A copy of a photo of val with a label beside it."""
    (folder / "corrections").mkdir()
    with Image.open(folder / "images/val/val-2.jpg") as image:
        image.save(folder / "corrections" / "again.jpg", quality=80)
    write_text(folder / "corrections" / "again.txt", ROW)


def call_png_jpg(folder: Path) -> None:
    photo = add(folder, "drawn.png")
    photo.rename(photo.with_suffix(".jpg"))


def turn(folder: Path, name: str, label: str) -> None:
    photo = add(folder, name, label)
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(photo, 99, exif=exif)


def add_aces(folder: Path) -> None:
    for number in range(8):
        add(folder, f"ace-{number}.jpg", "0 0.25 0.5 0.3 0.5\n0 0.75 0.5 0.3 0.5\n", seed=500 + number)


def name_queen(folder: Path) -> None:
    write_text(folder / "data.yaml", f"{YAML}  - queen\n")


def add_queens(folder: Path) -> None:
    name_queen(folder)
    for number in range(3):
        add(folder, f"queen-{number}.jpg", "2 0.5 0.5 0.5 0.5\n", seed=number)


def empty_val(folder: Path) -> None:
    for label in (folder / "labels" / "val").iterdir():
        label.write_text("")


X = "labels/train/x.txt"
TURNED = "0 0.5 0.25 0.5 0.25\n"
FAULTS: dict[str, tuple[Callable[[Path], object], list[Found]]] = {
    "no photo": (lambda f: write_text(f / "images/train/train-0.jpg", "text"),
                 [(Kind.PHOTO_UNREADABLE, "images/train/train-0.jpg", None)]),
    "empty photo": (lambda f: write_text(f / "images/val/val-0.jpg", ""),
                    [(Kind.PHOTO_UNREADABLE, "images/val/val-0.jpg", None)]),
    "cut off": (cut, [(Kind.PHOTO_TRUNCATED, "images/train/cut.jpg", None)]),
    "png called jpg": (call_png_jpg, [(Kind.PHOTO_SUFFIX, "images/train/drawn.jpg", None)]),
    "one label for two": (lambda f: (add(f, "x.jpg"), add(f, "x.png", seed=98)),
                          [(Kind.STEM_SHARED, "images/train/x.jpg", None)]),
    "no label text": (lambda f: add(f, "x.jpg", b"\x89PNG\xff\xfe"), [(Kind.LABEL_UNREADABLE, X, None)]),
    "no xml": (lambda f: add(f, "x.jpg x.xml", ROW), [(Kind.LABEL_UNREADABLE, "labels/train/x.xml", 1)]),
    "label of another": (lambda f: add(f, "x.jpg x.json", createml([("ace", 9, 9, 60, 60)], "y.jpg")),
                         [(Kind.LABEL_OF_ANOTHER, "labels/train/x.json", None)]),
    "row of words": (lambda f: add(f, "x.jpg", f"{ROW}\nan ace\n"), [(Kind.ROW_MALFORMED, X, 3)]),
    "unknown class": (lambda f: add(f, "x.jpg", f"{ROW}7 0.2 0.2 0.1 0.1\n"), [(Kind.CLASS_UNKNOWN, X, 2)]),
    "unknown name": (lambda f: add(f, "x.jpg x.xml", voc([("joker", 9, 9, 60, 60)], SIZE)),
                     [(Kind.CLASS_UNKNOWN, "labels/train/x.xml", 14)]),
    "class of LabelImg's own": (lambda f: add(f, "x.jpg", "16 0.5 0.5 0.5 0.5\n"), [(Kind.CLASS_PREDEFINED, X, 1)]),
    "other order": (lambda f: write_text(f / "labels/train/classes.txt", "ace\nqueen\n"),
                    [(Kind.CLASS_LIST_DIFFERS, "labels/train/classes.txt", 2)]),
    "LabelImg's own list": (lambda f: write_text(f / "labels/val/classes.txt", "\n".join((*PREDEFINED_CLASSES, "ace"))),
                            [(Kind.CLASS_PREDEFINED, "labels/val/classes.txt", 1)]),
    "class list of bytes": (lambda f: (f / "labels/val/classes.txt").write_bytes(b"\xff\xff\xff"),
                            [(Kind.LABEL_UNREADABLE, "labels/val/classes.txt", None)]),
    "nothing labelled": (empty_val, [(Kind.PART_UNLABELLED, "data.yaml", None),
                                     *((Kind.LABEL_EMPTY, f"labels/val/val-{i}.txt", None) for i in range(4))]),
    "no area": (lambda f: add(f, "x.jpg", f"{ROW}1 0.5 0.5 0 0.5\n"), [(Kind.BOX_EMPTY, X, 2)]),
    "all outside": (lambda f: add(f, "x.jpg", f"{ROW}1 1.5 0.5 0.2 0.5\n"), [(Kind.BOX_EMPTY, X, 2)]),
    "another size": (lambda f: add(f, "x.jpg x.xml", voc([("ace", 6, 4, 36, 24)], (640, 480))),
                     [(Kind.SIZE_DIFFERS, "labels/train/x.xml", None)]),
    "partly outside": (lambda f: add(f, "x.jpg", f"{ROW}1 0.9 0.5 0.4 0.2\n"), [(Kind.BOX_OUTSIDE, X, 2)]),
    "tiny": (lambda f: add(f, "x.jpg", f"{ROW}1 0.9 0.5 0.01 0.01\n"), [(Kind.BOX_TINY, X, 2)]),
    "row twice": (lambda f: add(f, "x.jpg", f"{ROW}1 0.1 0.1 0.1 0.1\n{ROW}"), [(Kind.ROW_REPEATED, X, 3)]),
    "nearly the same box": (lambda f: add(f, "x.jpg", f"{ROW}0 0.5 0.5 0.51 0.49\n"), [(Kind.BOXES_SAME, X, 2)]),
    "two classes on one thing": (lambda f: add(f, "x.jpg", f"{ROW}1 0.5 0.5 0.45 0.5\n"),
                                 [(Kind.BOXES_AMBIGUOUS, X, 2)]),
    "no label": (lambda f: add(f, "x.jpg", None), [(Kind.LABEL_MISSING, "images/train/x.jpg", None)]),
    "label without boxes": (lambda f: add(f, "x.jpg", ""), [(Kind.LABEL_EMPTY, X, None)]),
    "label without photo": (lambda f: write_text(f / X, ROW), [(Kind.LABEL_ORPHAN, X, None)]),
    "two labels": (lambda f: (add(f, "x.jpg"), write_text(f / "labels/train/x.xml", voc([], SIZE))),
                   [(Kind.LABEL_SEVERAL, "images/train/x.jpg", None)]),
    "class nowhere": (name_queen, [(Kind.CLASS_NOT_IN_TRAIN, "data.yaml", 6)]),
    "class not in val": (add_queens, [(Kind.CLASS_NOT_IN_VAL, "data.yaml", 6)]),
    "one class in excess": (add_aces, [(Kind.CLASS_IMBALANCE, "data.yaml", None)]),
    "same file": (lambda f: copy(f, "train/train-1.jpg", "train/y.jpg"),
                  [(Kind.PHOTO_REPEATED, "images/train/train-1.jpg", None)]),
    "saved again": (lambda f: save_again(f, "train/train-1.jpg", "train/y.jpg"),
                    [(Kind.PHOTO_SIMILAR, "images/train/train-1.jpg", None)]),
    "same file in val": (lambda f: copy(f, "train/train-1.jpg", "val/y.jpg"),
                         [(Kind.PHOTO_LEAKED, "images/val/y.jpg", None)]),
    "saved again in val": (lambda f: save_again(f, "train/train-1.jpg", "val/y.jpg"),
                           [(Kind.PHOTO_LEAKED, "images/val/y.jpg", None)]),
    "corrected though in val": (correct,
                                [(Kind.CORRECTION_LEFT_OUT, "corrections/again.jpg", None)]),
    "turned by EXIF": (lambda f: turn(f, "x.jpg", TURNED), [(Kind.ORIENTATION_UNCLEAR, X, None)]),
    "drawn on the unturned photo": (lambda f: turn(f, "x.jpg x.xml", voc([("ace", 6, 4, 36, 24)], SIZE)),
                                    [(Kind.ORIENTATION_MAPPED, "labels/train/x.xml", None)]),
}  # fmt: skip


def test_clean_data_set_has_no_problems(folder: Path) -> None:
    before = hash_files(folder)
    data = check(folder)
    assert data.problems == ()
    assert {part: len(annotations) for part, annotations in data.parts.items()} == {"train": 10, "val": 4}
    assert hash_files(folder) == before


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_at_its_file_and_line_and_nothing_else(folder: Path, name: str) -> None:
    plant, expected = FAULTS[name]
    plant(folder)
    assert find(folder) == expected


def test_faults_that_go_together_are_found_together(folder: Path) -> None:
    """More than twenty kinds in one data set."""
    spoil_all = {"nothing labelled", "LabelImg's own list", "no photo", "class nowhere", "one class in excess"}
    retake = {"saved again", "same file in val", "saved again in val"}  # of the photo that "same file" copies
    expected: set[Found] = set()
    for number, (name, (plant, found)) in enumerate(FAULTS.items()):
        if name in spoil_all | retake:
            continue
        plant(folder)
        for file in folder.rglob("x.*"):  # the next one plants another x
            file.rename(file.with_name(f"x{number}{file.suffix}"))
        expected |= {(kind, path.replace("/x.", f"/x{number}."), line) for kind, path, line in found}
    made = set(find(folder))
    assert expected - made == set()
    assert len({kind for kind, _, _ in made}) > 20


def test_every_kind_is_planted_somewhere_in_these_tests() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in Kind if f"Kind.{kind.name}" not in text] == []


def test_pairs_of_photos_are_computed_once(tmp_path: Path) -> None:
    photos = [draw(tmp_path / f"{number * 7}.jpg", number % 3) for number in range(6)]
    fingerprints = [one for one in take_fingerprints(photos) if isinstance(one, Fingerprint)]
    parts = {"train": photos[:3], "val": photos[3:]}
    annotations = {part: tuple(Annotation(photo, (1, 1), (), None) for photo in some) for part, some in parts.items()}
    with cProfile.Profile() as profile:
        leaks = find_duplicates(fingerprints, annotations)
    assert {leak.path: leak.others for leak in leaks} == {photos[i + 3]: (photos[i],) for i in range(3)}
    normalised = [one.callcount for one in profile.getstats() if getattr(one.code, "co_name", "") == "_normalise"]
    assert normalised == [1]


def test_burst_on_both_sides_is_a_leak(tmp_path: Path) -> None:
    for number in range(12):
        exif = Image.Exif()
        exif[0x0110] = "Phone"
        seconds = 0 if number < 2 else number
        exif.get_ifd(0x8769)[TAKEN] = f"2024:05:04 12:{seconds:02}:0{number % 2}"
        draw(tmp_path / f"a{number * 7}.jpg", number, exif=exif)
        write_text(tmp_path / f"a{number * 7}.txt", f"{number // 2 % 2} 0.5 0.5 0.5 0.5\n")
    write_text(tmp_path / "train.list.txt", "".join(f"a{i * 7}.jpg\n" for i in range(12) if i % 3))
    write_text(tmp_path / "val.list.txt", "".join(f"a{i * 7}.jpg\n" for i in range(0, 12, 3)))
    write_text(tmp_path / "data.yaml", "train: train.list.txt\nval: val.list.txt\nnames: [ace, king]\n")
    (problem,) = (one for one in check(tmp_path).problems if one.kind is Kind.PHOTO_LEAKED)
    assert (problem.path.name, [photo.name for photo in problem.others]) == ("a0.jpg", ["a7.jpg"])
    assert problem.found.startswith("a burst: 1 in train, 1 in val, such as ")


def test_labelimg_s_own_classes_in_names_are_said_once(folder: Path) -> None:
    names = "".join(f"  - {name}\n" for name in (*PREDEFINED_CLASSES, "ace", "king"))
    write_text(folder / "data.yaml", YAML.partition("  -")[0] + names)
    for label in (folder / "labels").rglob("*.txt"):
        label.write_text(f"1{int(label.read_text()[0]) + 5}{label.read_text()[1:]}")
    assert find(folder) == [(Kind.NAMES_PREDEFINED, "data.yaml", 4)]


def test_sorted_photo_of_no_class_is_said_and_needs_no_label(folder: Path) -> None:
    for part in ("train", "val"):
        for photo in sorted((folder / "images" / part).iterdir()):
            target = photo.parent / ("ace" if int(photo.stem[-1]) % 2 else "king")
            target.mkdir(exist_ok=True)
            photo.rename(target / photo.name)
    draw(folder / "images" / "train" / "joker" / "1.jpg", 5)
    write_text(folder / "data.yaml", f"{YAML}classes_from: folders\n")
    assert find(folder) == [(Kind.CLASS_UNTOLD, "images/train/joker/1.jpg", None)]


def test_duplicates_that_are_labelled_otherwise_are_said_to_be(folder: Path) -> None:
    copy(folder, "train/train-1.jpg", "train/y.jpg")
    write_text(folder / "labels/train/y.txt", ROW)
    (problem,) = check(folder).problems
    assert problem.found.endswith("y.jpg, but labelled otherwise: king; ace")


def test_names_through_a_yaml_merge_key_have_problems_without_a_line(folder: Path) -> None:
    yaml = "train: images/train\nval: images/val\n<<: {names: [ace, king, never]}\n"
    write_text(folder / "data.yaml", yaml)
    (problem,) = (one for one in check(folder).problems if one.kind is Kind.CLASS_NOT_IN_TRAIN)
    assert (problem.path, problem.line) == (folder / "data.yaml", None)


def test_imbalance_is_told_in_figures(folder: Path) -> None:
    add_aces(folder)
    (problem,) = check(folder).problems
    assert problem.found == (
        "boxes in train: ace 21, king 5; ace has 4.2 times as many as king, "
        "and a classifier that always says ace is right in 81%"
    )
    assert problem.remedy.startswith("best: label more photos, 6 of king, and each class has at least half as many")
    assert "would show each box of king 4 times an epoch" in problem.remedy


def test_photos_that_cannot_be_decoded_are_left_out(folder: Path) -> None:
    cut(folder)
    assert "cut.jpg" not in [annotation.photo.name for annotation in check(folder).train]


def test_part_of_which_no_photo_can_be_decoded_is_an_error(folder: Path) -> None:
    for photo in (folder / "images" / "val").iterdir():
        photo.write_bytes(photo.read_bytes()[:-200])
    with pytest.raises(DataError, match="none of the 4 photos of val can be opened"):
        check(folder)


def test_val_that_is_kept_back_never_parts_duplicates(folder: Path) -> None:
    for number in range(10):
        copy(folder, f"train/train-{number}.jpg", f"train/zz-{number}.jpg")
    for seed in range(5):
        write_text(folder / "data.yaml", YAML.replace("val: images/val\n", "") + f"seed: {seed}\n")
        data = check(folder)
        kinds = {problem.kind for problem in data.problems}
        assert kinds == {Kind.PHOTO_REPEATED}
        assert len(data.val) == 4


def test_sample_has_nothing_wrong() -> None:
    data = check(ROOT)
    assert [problem for problem in data.problems if problem.severity is not Severity.NOTE] == []
    assert any(note.endswith("x orientation-unclear passed over, as data.yaml says") for note in data.notes)


def test_drawn_sample_has_nothing_wrong(tmp_path: Path) -> None:
    draw_sample(tmp_path / "drawn", photos=8, seed=5, size=(320, 240))
    kinds = {problem.kind for problem in check(tmp_path / "drawn").problems if problem.severity is not Severity.NOTE}
    assert kinds <= {Kind.CLASS_NOT_IN_TRAIN, Kind.CLASS_NOT_IN_VAL, Kind.CLASS_IMBALANCE}  # eight photos are few


def test_what_the_user_has_looked_at_is_not_said_again(folder: Path) -> None:
    add(folder, "bare.jpg", None)
    write_text(folder / "data.yaml", YAML + "ignore: [label-missing]\n")
    data = check(folder)
    assert data.problems == ()
    assert data.notes == ("1 x label-missing passed over, as data.yaml says",)


def test_one_video_can_be_trained_on_and_is_warned_of(folder: Path) -> None:
    shutil.rmtree(folder / "images" / "train")
    for number in range(6):
        add(folder, f"frame-{number}.jpg", f"{number % 2} 0.4 0.5 0.25 0.5\n", seed=7)
    write_text(folder / "data.yaml", "train: images/train\nnames: [ace, king]\n")
    data = check(folder)
    assert len(data.train) + len(data.val) == 6
    assert data.val
    assert Kind.PHOTO_LEAKED in {problem.kind for problem in data.problems}


def test_cards_of_other_people_have_no_error(shared: Path, tmp_path: Path) -> None:
    made = init_dataset(shared / "data" / "cards", tmp_path / "cards.yaml")
    data = check(tmp_path, made.file.name)
    assert {problem.kind for problem in data.problems} <= {Kind.PHOTO_SIMILAR, Kind.PHOTO_LEAKED}


def test_command_groups_counts_and_advises(folder: Path, here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for number in range(7):
        add(folder, f"bare-{number}.jpg", None, seed=200 + number)
    done = here("check")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"warning: {Kind.LABEL_MISSING.title} (label-missing, 7)"
    assert lines[1].startswith(f"  {Path('images/train/bare-0.jpg')} - has no label")
    assert lines[6:8] == ["  and 2 more", f"  -> {Kind.LABEL_MISSING.remedy}"]
    assert lines[-2:] == [
        f"{folder.name}: 21 photos, 0 errors, 7 warnings",
        f"with pictures: {Path('runs', folder.name, 'check', 'check.html')}",
    ]
    assert Path("runs", folder.name, "check", "check.html").is_file()


def test_json_is_all_that_is_on_standard_output_and_errors_leave_with_1(folder: Path, here: Run) -> None:
    add(folder, "x.jpg", f"{ROW}9 0.2 0.2 0.1 0.1\n")
    done = here("check", "--data", folder / "data.yaml", "--json", "--out", folder / "page")
    record = json.loads(done.stdout)
    assert done.returncode == 1
    assert (record["dataset"], record["file"]) == (folder.name, str(folder / "data.yaml"))
    assert record["counts"]["val"] == {"photos": 4, "boxes": 4, "classes": {"ace": 2, "king": 2}}
    (problem,) = record["problems"]
    assert problem == {
        "kind": "class-unknown",
        "severity": "error",
        "path": str(folder.resolve() / X),
        "line": 2,
        "found": "class 9, but names has 2 (0 to 1)",
        "remedy": "add the class to names in data.yaml, or label it again",
        "photo": str(folder.resolve() / "images/train/x.jpg"),
        "others": [],
        "boxes": [[pytest.approx(24), pytest.approx(18), pytest.approx(40), pytest.approx(30)]],
    }


def test_training_stops_at_errors_and_says_a_line_for_each(
    folder: Path, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    add(folder, "x.jpg", "9 0.2 0.2 0.1 0.1\n7 0.2 0.2 0.1 0.1\n")
    add(folder, "bare.jpg", None, seed=7)
    done = here("train")
    assert done.returncode == 1
    assert [re.sub(" - .*", "", line) for line in done.stderr.splitlines()] == [
        f"cropsort: {folder.resolve() / X}:{line}" for line in (1, 2)
    ]
    first, where = done.stdout.splitlines()
    assert first.startswith(f"warning: {Kind.LABEL_MISSING.title}: {folder.resolve() / 'images/train/bare.jpg'} - ")
    assert where.endswith(str(Path("runs", folder.name, "check", "check.html")))


def test_readme_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [f"| `{kind.slug}` | {kind.severity} | {kind.title} | {kind.remedy} |" for kind in Kind]
    assert [row for row in rows if row not in text] == []
    assert text.count("| `") >= len(rows)
