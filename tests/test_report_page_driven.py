"""The report's page, driven in Chromium as its reader would."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.boxes import Box
from pipeline.report.page import write_report_page
from pipeline.results import Detection, PhotoResult, Prediction
from pipeline.run_info import Language, RunInfo
from pipeline.thumbnails import Thumbnails

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "</script><img src=x onerror=\"document.title='hit'\"><!-- '&amp;\u2028\u2029 {{ 1 }} ${1} 사진"
BOX = Box(120, 60, 200, 180)
GREEN, BLUE, RED = (0, 160, 0), (0, 0, 200), (255, 45, 31)
NAMES = ("곧은 #1.jpg", "turned.jpg", "changed.jpg", "drawn.jpg", "lost.heic", "nowhere.jpg", HOSTILE)
MORE = 200

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs Chromium")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on photos upright, turned, changed and gone, with a box around what is blue in them."""
    return write_report(tmp_path_factory.mktemp("우리 집"), "en")


def write_report(root: Path, language: Language) -> Path:
    photos, report = root / "사진", root / "reports" / "사진"
    photos.mkdir()
    (report / "boxes").mkdir(parents=True)
    drawn = report / "boxes" / "drawn.jpg"
    for path in (photos / "곧은 #1.jpg", drawn):
        draw_photo(path)
    draw_photo(photos / "turned.jpg", turn=True)
    draw_photo(photos / "changed.jpg", size=(300, 300))
    thumbnails = Thumbnails(report / "thumbnails")
    for name in NAMES:
        if name != "nowhere.jpg":
            thumbnails.write(name, 0, encode((80, 96), BLUE))
    found = [describe(name, {"고양이": 0.9 - 0.1 * place, "강아지": 0.1}, True) for place, name in enumerate(NAMES)]
    unsure = [describe(f"{place}.jpg", {HOSTILE: 0.4 + place / 1000}, False) for place in range(MORE)]
    finished = datetime(2025, 4, 30, 17, 42)
    run = RunInfo(
        photos,
        Path("weights/동물"),
        ("고양이", "강아지"),
        0.25,
        finished,
        0,
        "0.1.0",
        trained_on=HOSTILE,
        language=language,
    )
    write_report_page(
        [*found, *unsure], run, report, thumbnails=lambda _result, _index: None, drawn={"drawn.jpg": drawn}.get
    )
    return report


def describe(photo: str, probabilities: dict[str, float], sure: bool) -> PhotoResult:
    one = Prediction(Detection(BOX, 0.8), probabilities, sure=sure)
    return PhotoResult(photo, "ok", (400, 300), None, 0.1, (one,), camera=HOSTILE)


def draw_photo(path: Path, *, size: tuple[int, int] = (400, 300), turn: bool = False) -> None:
    """What is in ``BOX`` is blue in the upright photo; turned as a camera held on its side stores it."""
    image, exif = Image.new("RGB", size, GREEN), Image.Exif()
    image.paste(BLUE, (120, 60, 200, 180))
    if turn:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    image.save(path, quality=95, exif=exif)


def encode(size: tuple[int, int], colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


_DRIVER = """
const all = query => [...document.querySelectorAll(query)];
const one = query => document.querySelector(query);
const text = query => all(query).map(element => element.textContent);
const pause = time => new Promise(go => setTimeout(go, time));
const until = async met => { for (let n = 0; n < 100 && !met(); n += 1) await pause(50); };
const press = key => one('#viewer').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
const enter = (id, value, event) => { one('#' + id).value = value; one('#' + id).dispatchEvent(new Event(event)); };
const isShown = image => image && image.complete && image.naturalWidth;
const see = async title => {
  all('.card').find(card => card.title === title).click();
  await until(() => one('#stage.none') || isShown(one('#stage img')));
};
const say = answer => {
  const place = document.createElement('pre');
  place.id = 'answer';
  place.textContent = JSON.stringify(answer);
  document.body.append(place);
};
addEventListener('load', async () => say(await (async () => {
"""


def drive(folder: Path, script: str, *options: str) -> Any:
    """What a script gives back that runs in the page, in Chromium without a network."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = folder / "driven.html"
    page.write_text(text.replace("</body>", f"<script>{_DRIVER}{script}}})()));</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1000,900", "--virtual-time-budget=20000",
         *(options or ("--dump-dom",)), page.as_uri()],
        check=True, capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(unescape(answer[1])) if answer else None


def test_gallery_is_shown_class_by_class_and_goes_on(folder: Path) -> None:
    told = drive(
        folder,
        """
        await until(() => isShown(one('.card img')));
        const before = all('.card').length;
        one('#more').click();
        return {
          before, after: all('.card').length, more: one('#more').hidden, shown: text('#shown')[0],
          headings: text('#gallery h3'), first: all('.card').slice(0, 3).map(card => card.title),
          width: one('.card img').naturalWidth, alt: one('.card img').alt, title: document.title,
          buttons: all('.card, .chip').every(one => one.tagName === 'BUTTON'), unsure: all('.card.unsure').length,
          gone: text('.card .frame').filter(said => said === 'no picture').length,
        };
        """,
    )
    assert told["before"] in (120, 207)  # as many as were in sight
    assert (told["after"], told["more"], told["shown"]) == (207, True, "207 of 207 crops")
    assert told["headings"] == ["고양이7", f"{HOSTILE}200"]
    assert told["first"] == list(NAMES[:3])
    assert (told["width"], told["alt"], told["title"]) == (80, "고양이 90%, 곧은 #1.jpg", "Report on 사진")
    assert (told["buttons"], told["unsure"]) == (True, MORE)
    assert told["gone"] > 0


def test_filters_by_class_confidence_and_doubt(folder: Path) -> None:
    told = drive(
        folder,
        """
        const said = [], note = () => said.push([text('#shown')[0], (all('.card')[0] || {}).title || '']);
        const chips = text('.chip');
        all('.chip')[1].click(); note();
        enter('from', 65, 'input'); enter('to', 80, 'input'); await pause(300); note();
        const counts = text('.chip span'), sure = text('.card .sure');
        const pressed = all('.chip').map(chip => chip.getAttribute('aria-pressed'));
        one('#only-unsure').click(); note();
        const none = !one('#none').hidden;
        one('#show-all').click(); note();
        one('#grouped').click();
        for (const order of ['unsure', 'doubt', 'photo']) { enter('sort', order, 'change'); note(); }
        return { chips, said, counts, sure, pressed, none };
        """,
    )
    assert told["chips"] == ["all207", "고양이7", f"{HOSTILE}200"]
    assert told["said"][:4] == [
        ["7 of 207 crops", NAMES[0]],
        ["2 of 207 crops", "turned.jpg"],
        ["0 of 207 crops", ""],
        ["207 of 207 crops", NAMES[0]],
    ]
    assert [first for _, first in told["said"][4:]] == [HOSTILE, "0.jpg", NAMES[0]]
    assert (told["counts"], told["sure"]) == (["2", "2", "0"], ["80%", "70%"])
    assert (told["pressed"], told["none"]) == (["false", "true", "false"], True)


@pytest.mark.parametrize("name", NAMES[:2])
def test_click_shows_the_photo_with_its_box_around_the_subject(folder: Path, name: str, tmp_path: Path) -> None:
    click = f"await see({json.dumps(name)});"
    told = drive(
        folder,
        click
        + """
        const image = one('#stage img').getBoundingClientRect(), mark = one('#stage .mark').getBoundingClientRect();
        const box = [mark.left - image.left, mark.top - image.top, mark.width, mark.height];
        const said = text('#why')[0], open = one('#viewer').open, label = text('#stage .label')[0];
        return { said, open, label, shape: image.width / image.height,
          box: box.map(edge => Math.round(edge / image.width * 400)) };
        """,
    )
    assert told["box"] == [120, 60, 80, 120]
    assert told["shape"] == pytest.approx(4 / 3, abs=0.01)
    assert (told["open"], told["said"], told["label"][:3]) == (True, "", "고양이")
    shot = tmp_path / "shot.png"
    drive(folder, f"{click} one('#stage .label').hidden = true;", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    blue, red = (np.argwhere(np.abs(pixels - colour).max(axis=2) < 25) for colour in (BLUE, RED))
    assert len(blue) > 10_000
    assert np.abs(blue.min(axis=0) - red.min(axis=0)).max() <= 6
    assert np.abs(blue.max(axis=0) - red.max(axis=0)).max() <= 6


def test_photo_that_cannot_be_shown_says_why_and_what_is_shown_instead(folder: Path) -> None:
    told = drive(
        folder,
        """
        const said = {};
        for (const title of ['changed.jpg', 'drawn.jpg', 'lost.heic', 'nowhere.jpg']) {
          await see(title);
          await until(() => one('#stage.photo') === null);
          said[title] = [one('#stage').className, text('#why')[0], all('#stage svg').length];
          one('#close').click();
        }
        return said;
        """,
    )
    gone = "The photo cannot be shown: it was moved or deleted, or this browser does not know its format."
    changed = "The photo has changed since it was sorted: its box would be in the wrong place."
    assert told == {
        "changed.jpg": ["crop", f"{changed} This is the crop, enlarged.", 0],
        "drawn.jpg": ["drawn", f"{gone} This is the picture with boxes that was made of it.", 0],
        "lost.heic": ["crop", f"{gone} This is the crop, enlarged.", 0],
        "nowhere.jpg": ["none", f"{gone} Its crop is not there either.", 0],
    }


def test_arrows_lead_through_the_crops_and_the_last_one_has_the_focus_then(folder: Path) -> None:
    told = drive(
        folder,
        """
        const places = [], note = () => places.push(text('#viewer-place')[0]);
        await see(all('.card')[0].title);
        note();
        for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowRight', 'ArrowLeft']) { press(key); note(); }
        const button = document.activeElement.id;
        // The browser's own event comes when it likes, where time is not real.
        const hear = () => { if (!one('#viewer').open) one('#viewer').dispatchEvent(new Event('close')); };
        one('#viewer').close();
        hear();
        const card = document.activeElement.title;
        all('.card')[119].click();
        press('ArrowRight'); note();
        one('#close').click();
        hear();
        return { places, button, card, last: document.activeElement.dataset.place };
        """,
    )
    assert told["places"] == [f"{place} of 207" for place in (1, 1, 2, 3, 2, 121)]
    assert (told["button"], told["card"], told["last"]) == ("close", "turned.jpg", "120")


def test_hostile_names_are_only_text(folder: Path) -> None:
    told = drive(
        folder,
        """
        await see(all('.card').find(card => card.title.startsWith('<')).title);
        return { title: document.title, facts: text('#facts dd'), names: all('#viewer img').length,
          hits: all('img[src=x]').length, run: text('dl dd') };
        """,
    )
    assert (told["title"], told["names"], told["hits"]) == ("Report on 사진", 1, 0)
    assert told["facts"].count(HOSTILE) == 2  # photo and camera
    assert HOSTILE in told["run"]


def test_page_without_its_data_says_so(folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(folder / "report.html", tmp_path / "report.html")
    told = drive(tmp_path, "return { lost: one('#lost').hidden, loading: one('#loading').hidden };")
    assert told == {"lost": False, "loading": True}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_is_wider_than_a_phone(language: Language, tmp_path: Path) -> None:
    """In a frame, since Chromium opens no window as narrow."""
    report = write_report(tmp_path, language)
    page = json.dumps((report / "report.html").read_text(encoding="utf-8")).replace("<", r"\u003c")
    told = drive(
        report,
        f"""
        const frame = document.createElement('iframe');
        frame.style = 'width: 360px; height: 700px; border: 0';
        frame.srcdoc = {page};
        document.body.append(frame);
        const inside = query => [...frame.contentDocument.querySelectorAll(query)];
        await until(() => inside('.card').length);
        const root = frame.contentDocument.documentElement, scrolls = root.scrollWidth > root.clientWidth;
        const past = inside('body *').filter(one => one.getBoundingClientRect().right > 360 && one.offsetParent);
        inside('.card')[0].click();
        await until(() => isShown(inside('#stage img')[0]));
        const viewer = inside('#viewer')[0];
        return {{ scrolls, past: past.map(one => one.outerHTML), viewer: [viewer.scrollWidth, viewer.offsetWidth] }};
        """,
    )
    assert told == {"scrolls": False, "past": [], "viewer": [360, 360]}
