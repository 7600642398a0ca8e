"""LabelImg's window under a virtual screen, driven by mouse and keyboard, on every Python that can be had."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageGrab, features

from pipeline.environment import ROOT
from pipeline.images import read_header
from pipeline.labelimg.launch import child_environment
from pipeline.labelimg.plan import Plan, Task
from pipeline.labels import FORMATS, parse_label, read_class_list
from pipeline.problems import Severity

XVFB, XDOTOOL = shutil.which("Xvfb"), shutil.which("xdotool")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(XVFB is None or XDOTOOL is None, reason="needs Xvfb and xdotool"),
    pytest.mark.skipif(not features.check("xcb"), reason="this Pillow cannot look at a screen"),
]

VERSIONS = ["3.11", "3.12", "3.13", "3.14"]
NAMES = ("책", "apple pie")
SUBJECT = (60, 40, 170, 130)
"""Where the red subject is in each photo, in upright pixels."""
DIALOG = "^class of the box$"
PATIENCE = 10.0
LIST_HEIGHT = 192
"""Of the list of classes at the bottom of LabelImg's dialog, and its margin; Qt's own, whatever the font."""


def find_python(version: str) -> str | None:
    """This one, one of pyenv's, or one on the path, which may be a stand-in of pyenv's for one that is not there."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    python = str(installed[-1]) if installed else shutil.which(f"python{version}")
    works = python and subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0
    return python if works else None


def make_environment(python: str, folder: Path, display: str) -> Path:
    """An environment with LabelImg and nothing else, as its lock names it."""
    subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True)
    made = folder / "bin" / "python"
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--no-binary", "labelimg"]
    command = [str(made), "-m", "pip", "install", *options, "--requirement", "requirements-label.lock"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"LabelImg cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    qt = "from PyQt5.QtWidgets import QApplication; QApplication([])"
    env = {**child_environment(), "DISPLAY": display}
    opened = subprocess.run([made, "-c", qt], env=env, check=False, capture_output=True, text=True)
    if opened.returncode:
        pytest.skip(f"Qt cannot open windows here: {opened.stderr.strip().splitlines()[0]}")
    return made


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory, screen: Screen) -> Callable[[str], Path]:
    """The Python with LabelImg of each version, made when first wanted."""
    made: dict[str, Path] = {}

    def find(version: str) -> Path:
        if version not in made:
            python = find_python(version)
            if python is None:
                pytest.skip(f"no Python {version} on this machine")
            folder = tmp_path_factory.mktemp(f"labelimg-{version}") / "venv"
            made[version] = make_environment(python, folder, screen.display)
        return made[version]

    return find


@dataclass
class Screen:
    """A virtual screen with a mouse and a keyboard.

    Args:
        display: its name, such as ``:99``.
    """

    display: str

    def do(self, *words: str | int) -> str:
        """Have xdotool do something."""
        env = {**os.environ, "DISPLAY": self.display}
        done = subprocess.run(
            [XDOTOOL or "xdotool", *map(str, words)], env=env, capture_output=True, text=True, check=False
        )
        return done.stdout

    def wait_for(self, title: str) -> str:
        """Wait for a window whose title matches, and give it the keyboard, which no window manager does here."""
        found = wait(lambda: self.do("search", "--onlyvisible", "--name", title).split(), f"a window '{title}'")
        window = str(found[0])
        self.do("windowfocus", "--sync", window)
        return window

    def wait_until_gone(self, title: str) -> None:
        wait(lambda: not self.do("search", "--onlyvisible", "--name", title).split(), f"'{title}' closed")

    def press(self, number: int, count: int, key: str) -> None:
        """Press a key in the main window while it shows photo ``number`` of ``count``."""
        self.wait_for(main_title(number, count))
        self.do("key", key)

    def see_subject(self) -> tuple[int, int, int, int]:
        """Where the red subject is on the screen, once it is there and at rest."""
        places: list[tuple[int, int, int, int] | None] = [None]

        def is_at_rest() -> bool:
            picture = np.asarray(ImageGrab.grab(xdisplay=self.display)).astype(int)
            red = (picture[..., 0] > 180) & (picture[..., 1] < 70) & (picture[..., 2] < 70)
            rows, columns = np.flatnonzero(red.sum(axis=1) > 20), np.flatnonzero(red.sum(axis=0) > 20)
            found = rows.size and columns.size
            places.append((int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])) if found else None)
            return places[-1] is not None and places[-1] == places[-2]

        wait(is_at_rest, "the subject")
        seen = places[-1]
        assert seen is not None
        return seen

    def draw_box(self, number: int, count: int) -> None:
        """W, then drag a box around the subject that is seen."""
        left, top, right, bottom = self.see_subject()
        self.press(number, count, "w")
        self.do("mousemove", left - 30, top - 30, "mousemove", left, top, "mousedown", 1)
        self.do("mousemove", left + 20, top + 20, "mousemove", right, bottom, "mouseup", 1)

    def choose_first_class(self) -> None:
        """Double-click the first class in the dialog."""
        window = self.wait_for(DIALOG)
        height = int(re.findall(r"Geometry: \d+x(\d+)", self.do("getwindowgeometry", window))[0])
        self.do("mousemove", "--window", window, 40, height - LIST_HEIGHT, "click", "--repeat", 2, "--delay", 40, 1)
        self.wait_until_gone(DIALOG)

    def answer(self, *keys: str) -> None:
        """Press keys in the dialog, the last of which closes it."""
        self.wait_for(DIALOG)
        self.do("key", *keys)
        self.wait_until_gone(DIALOG)


def wait(ask: Callable[[], Any], what: str) -> Any:
    """Ask until the answer is true."""
    end = time.monotonic() + PATIENCE
    while not (answer := ask()):
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.02)
    return answer


def main_title(number: int, count: int) -> str:
    return rf"^labelImg /.*\[{number} / {count}\]$"


@pytest.fixture(scope="session")
def screen() -> Iterator[Screen]:
    """A screen on a free display."""
    reading, writing = os.pipe()
    command = [
        XVFB or "Xvfb",
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        "1280x800x24",
        "-nolisten",
        "tcp",
        "-noreset",
    ]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as process:
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        yield Screen(f":{number}")
        process.terminate()


def draw_photo(path: Path, *, orientation: int = 1) -> Path:
    """A grey photo of 320 x 240 upright pixels with a red subject, stored turned where ``orientation`` is 6."""
    image = Image.new("RGB", (320, 240), (120, 130, 120))
    left, top, right, bottom = SUBJECT
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=(230, 10, 10))
    exif = Image.Exif()
    if orientation == 6:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95, exif=exif)
    return path


def make_plan(folder: Path, photos: list[Path], suffix: str) -> Plan:
    """Labels in the place of ``images``."""
    (folder / "labels").mkdir(exist_ok=True)
    tasks = [Task(photo, folder / "labels" / f"{photo.stem}{suffix}", photo.name) for photo in photos]
    return Plan(tuple(tasks), NAMES)


def hash_all(folder: Path) -> dict[str, str]:
    return {
        path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Window:
    """LabelImg's process.

    Args:
        process: it.
        log: its standard error.
        home: its home folder.
    """

    process: subprocess.Popen[bytes]
    log: Path
    home: Path

    def close(self, screen: Screen, number: int, count: int) -> None:
        """Close the window by its shortcut, and see that nothing went wrong."""
        screen.press(number, count, "ctrl+q")
        assert self.process.wait(PATIENCE) == 0
        assert "Traceback" not in self.log.read_text(encoding="utf-8")
        assert not list(self.home.iterdir()), "no settings are kept"


Open = Callable[..., Window]


@pytest.fixture
def opened(screen: Screen, tmp_path: Path) -> Iterator[Open]:
    """Open a window; one that is still there in the end is ended."""
    processes = []

    def start(python: Path, plan: Plan, code: str = "") -> Window:
        file, log, home = tmp_path / "plan.json", tmp_path / "log.txt", tmp_path / "home"
        file.write_text(plan.as_json(), encoding="utf-8")
        home.mkdir()
        env = {**child_environment(), "DISPLAY": screen.display, "HOME": str(home), "XDG_RUNTIME_DIR": str(tmp_path)}
        with log.open("wb") as errors:
            command = [str(python), *(["-c", code] if code else ["-m", "pipeline.labelimg"]), str(file)]
            process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=errors)
        processes.append(process)
        return Window(process, log, home)

    yield start
    for process in processes:
        process.kill()
        process.wait()


def assert_labelled(task: Task, class_name: str) -> None:
    """The label says the class, and a box about where the subject is."""
    size = read_header(task.photo).size
    label = parse_label(task.photo, size, task.label, NAMES, orientation=read_header(task.photo).orientation)
    assert not any(problem.severity is Severity.ERROR for problem in label.problems)
    assert [box.class_name for box in label.boxes] == [class_name]
    assert label.boxes[0].edges == pytest.approx(SUBJECT, abs=2)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("version", VERSIONS)
def test_draw_scroll_zoom_save_next(
    version: str,
    form: str,
    environments: Callable[[str], Path],
    screen: Screen,
    opened: Open,
    tmp_path: Path,
) -> None:
    python, folder = environments(version), tmp_path / "내 사진"
    photos = [draw_photo(folder / "images" / name) for name in ("책 1.jpg", "c.jpg")]
    photos.insert(1, draw_photo(folder / "images" / "b.jpg", orientation=6))
    plan = make_plan(folder, photos, FORMATS[form])
    (folder / "labels" / "classes.txt").write_bytes("책\r\napple pie\r\n".encode())
    before = hash_all(folder)
    window = opened(python, plan)

    screen.draw_box(1, 3)
    screen.choose_first_class()
    left, _, right, bottom = screen.see_subject()
    screen.do("mousemove", right + 60, bottom + 20, "keydown", "ctrl", "click", "--repeat", 3, 4, "keyup", "ctrl")
    wait(lambda: screen.see_subject()[2] - screen.see_subject()[0] > right - left, "a larger picture")
    screen.do("click", "--repeat", 3, 5, "click", "--repeat", 2, 4, "click", 7)
    screen.do("mousedown", 1, "mousemove_relative", 40, 30, "mousemove_relative", 7, 3, "mouseup", 1)
    screen.press(1, 3, "ctrl+shift+p")  # class names beside the boxes
    screen.press(1, 3, "ctrl+s")
    wait(plan.tasks[0].label.exists, "the first label")
    screen.press(1, 3, "d")

    screen.wait_for(main_title(2, 3))
    screen.draw_box(2, 3)
    screen.answer("Return")  # the class before is offered again
    screen.press(2, 3, "d")  # saves, too
    screen.press(3, 3, "a")
    screen.press(2, 3, "ctrl+shift+d")  # would delete the photo in LabelImg itself
    window.close(screen, 2, 3)

    assert_labelled(plan.tasks[0], "책")
    assert_labelled(plan.tasks[1], "책")
    assert not plan.tasks[2].label.exists()
    after = hash_all(folder)
    assert {path: after[path] for path in before} == before, "photos and classes.txt are as they were"
    assert len(after) == len(before) + 2


@pytest.mark.parametrize("version", VERSIONS)
def test_browsing_changes_no_file(
    version: str,
    environments: Callable[[str], Path],
    screen: Screen,
    opened: Open,
    tmp_path: Path,
) -> None:
    python, folder = environments(version), tmp_path / "data"
    photos = [draw_photo(folder / "images" / f"{name}.jpg") for name in "abc"]
    labels = folder / "labels"
    labels.mkdir()
    (labels / "a.txt").write_bytes(b"0 0.1 0.5 0.6 0.5\r\n\r\n")  # reaches outside the photo; no classes.txt
    (labels / "b.xml").write_text(
        "<annotation><size><width>320</width><height>240</height></size><object><name>apple pie</name><bndbox>"
        "<xmin>-5</xmin><ymin>1</ymin><xmax>320</xmax><ymax>241</ymax></bndbox></object></annotation>"
    )
    box = '{"label": "apple pie", "coordinates": {"x": 50.5, "y": 50, "width": 30.25, "height": 20}}'
    (labels / "c.json").write_text(f'[{{"image": "c.jpg", "annotations": [{box}]}}]')
    suffixes = (".txt", ".xml", ".json")
    tasks = [
        Task(photo, labels / f"{photo.stem}{suffix}", photo.name)
        for photo, suffix in zip(photos, suffixes, strict=True)
    ]
    before = hash_all(folder)
    window = opened(python, Plan(tuple(tasks), NAMES))
    for number, key in ((1, "d"), (2, "U3147"), (3, "a"), (2, "U3141")):  # and while the keyboard is set to Korean
        screen.press(number, 3, key)
    window.close(screen, 1, 3)
    assert hash_all(folder) == before


@pytest.fixture
def newest(environments: Callable[[str], Path]) -> Path:
    """LabelImg on the newest Python that there is."""
    return environments(next(version for version in reversed(VERSIONS) if find_python(version)))


def test_broken_photo_is_told_and_passed(newest: Path, screen: Screen, opened: Open, tmp_path: Path) -> None:
    photos = [draw_photo(tmp_path / "data" / "images" / f"{name}.jpg") for name in "abc"]
    photos[1].write_bytes(b"\xff\xd8 no photo")
    window = opened(newest, make_plan(tmp_path / "data", photos, ".txt"))
    screen.press(1, 3, "d")
    screen.wait_for("Error opening file")
    screen.do("key", "Return")
    screen.wait_until_gone("Error opening file")
    screen.press(2, 3, "w")
    screen.press(2, 3, "ctrl+s")
    screen.press(2, 3, "d")
    screen.draw_box(3, 3)
    screen.choose_first_class()
    window.close(screen, 3, 3)
    assert sorted(path.name for path in (tmp_path / "data" / "labels").iterdir()) == ["c.txt", "classes.txt"]


def test_boxes_of_the_photo_before_are_added(newest: Path, screen: Screen, opened: Open, tmp_path: Path) -> None:
    photos = [draw_photo(tmp_path / "data" / "images" / f"{name}.jpg") for name in "ab"]
    plan = make_plan(tmp_path / "data", photos, ".xml")
    box = "<object><name>{}</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>99</xmax><ymax>{}</ymax></bndbox></object>"
    for task, name, bottom in zip(plan.tasks, NAMES, (90, 200), strict=True):
        task.label.write_text(f"<annotation>{box.format(name, bottom)}</annotation>", encoding="utf-8")
    window = opened(newest, plan)
    screen.press(1, 2, "d")
    screen.press(2, 2, "ctrl+v")
    window.close(screen, 2, 2)
    label = parse_label(photos[1], (320, 240), plan.tasks[1].label, NAMES)
    assert [(box.class_name, box.edges[3]) for box in label.boxes] == [("apple pie", 200), ("책", 90)]


def test_save_that_fails_is_told_and_can_be_repeated(
    newest: Path, screen: Screen, opened: Open, tmp_path: Path
) -> None:
    plan = make_plan(tmp_path / "data", [draw_photo(tmp_path / "data" / "images" / "a.jpg")], ".txt")
    class_list = tmp_path / "data" / "labels" / "classes.txt"
    class_list.mkdir()
    window = opened(newest, plan)
    screen.draw_box(1, 1)
    screen.choose_first_class()
    screen.press(1, 1, "ctrl+s")
    screen.wait_for("Error saving label data")
    screen.do("key", "Return")
    screen.wait_until_gone("Error saving label data")
    assert not plan.tasks[0].label.exists()
    class_list.rmdir()
    window.close(screen, 1, 1)
    assert_labelled(plan.tasks[0], "책")
    assert read_class_list(class_list) == NAMES


def test_exception_does_not_end_the_window(newest: Path, screen: Screen, opened: Open, tmp_path: Path) -> None:
    code = (
        "from pipeline.labelimg import __main__ as child; child._stand_in_for_distutils()\n"
        "import pipeline.labelimg.window as w\n"
        "w.Window.verify_image = lambda *_: 1 / 0\n"
        "child.main()"
    )
    plan = make_plan(tmp_path / "data", [draw_photo(tmp_path / "data" / "images" / "a.jpg")], ".txt")
    window = opened(newest, plan, code)
    screen.draw_box(1, 1)
    screen.choose_first_class()
    screen.press(1, 1, "space")
    screen.wait_for("something went wrong")
    screen.do("key", "Return")
    screen.wait_until_gone("something went wrong")
    screen.press(1, 1, "ctrl+q")
    assert window.process.wait(PATIENCE) == 0
    assert "ZeroDivisionError" in window.log.read_text(encoding="utf-8")
    assert_labelled(plan.tasks[0], "책")


def test_ctrl_c_saves_and_closes(newest: Path, screen: Screen, opened: Open, tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "data", [draw_photo(tmp_path / "data" / "images" / "a.jpg")], ".json")
    window = opened(newest, plan)
    screen.draw_box(1, 1)
    screen.choose_first_class()
    window.process.send_signal(signal.SIGINT)
    assert window.process.wait(PATIENCE) == 0
    assert_labelled(plan.tasks[0], "책")


def test_label_that_cannot_be_read_whole_is_kept(newest: Path, screen: Screen, opened: Open, tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "data", [draw_photo(tmp_path / "data" / "images" / "a.jpg")], ".txt")
    plan.tasks[0].label.write_text("0 0.5 0.5\n")
    (tmp_path / "data" / "labels" / "a.txt.bak").write_text("older")
    window = opened(newest, plan)
    screen.wait_for("label not read whole")
    screen.do("key", "Return")
    screen.draw_box(1, 1)
    screen.choose_first_class()
    window.close(screen, 1, 1)
    assert_labelled(plan.tasks[0], "책")
    assert (tmp_path / "data" / "labels" / "a.txt.bak1").read_text() == "0 0.5 0.5\n"
    assert (tmp_path / "data" / "labels" / "a.txt.bak").read_text() == "older"


@pytest.fixture
def command(screen: Screen, environments: Callable[[str], Path], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``cropsort label`` on a data set with one photo and two classes."""
    python = environments("{}.{}".format(*sys.version_info))
    others = next((python.parent.parent / "lib").glob("python*/site-packages")) / "others.pth"
    others.write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    draw_photo(tmp_path / "images" / "배 1.jpg")
    (tmp_path / "data.yaml").write_text("train: images\nnames: [책, apple pie]\n", encoding="utf-8")
    words = [str(python), "-m", "pipeline", "label", "--data", str(tmp_path / "data.yaml")]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": screen.display, "QT_QPA_PLATFORM_PLUGIN_PATH": "/nowhere"}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()
    others.unlink()


def test_command_says_what_changed(command: subprocess.Popen[bytes], screen: Screen, tmp_path: Path) -> None:
    screen.draw_box(1, 1)
    screen.wait_for(DIALOG)
    screen.do("type", "mango")
    screen.answer("Return")
    screen.press(1, 1, "ctrl+q")
    out, err = (said.decode() for said in command.communicate(timeout=PATIENCE))
    assert (command.returncode, err) == (0, "")
    assert "labels: 1 new\nboxes: mango +1\n" in out
    assert out.endswith("names: [책, apple pie, mango]\n")
    assert read_class_list(tmp_path / "labels" / "classes.txt") == ("책", "apple pie", "mango")


def test_command_keeps_what_was_saved_when_the_window_dies(
    command: subprocess.Popen[bytes], screen: Screen, tmp_path: Path
) -> None:
    screen.draw_box(1, 1)
    screen.choose_first_class()
    screen.press(1, 1, "ctrl+s")
    label = tmp_path / "labels" / "배 1.txt"
    wait(label.exists, "the label")
    os.kill(int(screen.do("getwindowpid", screen.wait_for(main_title(1, 1)))), signal.SIGKILL)
    out, err = (said.decode() for said in command.communicate(timeout=PATIENCE))
    assert command.returncode == 2
    assert err.startswith("cropsort: LabelImg ended with code -9, ")
    assert err.count("\n") == 1
    assert "labels: 1 new\nboxes: 책 +1\n" in out
    assert label.read_text().startswith("0 0.35")
