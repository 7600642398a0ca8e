"""What a review found, on its page, on the terminal and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from photos import write_photo

from pipeline.boxes import Box
from pipeline.dataset import DataSet
from pipeline.labels import Annotation, Subject
from pipeline.mixed_pairs import MixedPair
from pipeline.reviewed import Reviewed, advise, as_record, report
from pipeline.suspects import Suspect
from pipeline.suspects_page import MOST, PAGE, write_page

ALIKE = MixedPair(("만화", "fairy tale"), (20, 18), (40, 40), even=0.1)
CHANCE = MixedPair(("만화", "novel"), (1, 0), (40, 40), even=0.1)
BOX = Box(50, 50, 100, 150)


def suspect(photo: Path, kind: str, number: int = 1) -> Suspect:
    return Suspect(
        kind=kind,  # type: ignore[arg-type]
        photo=photo,
        box=BOX,
        label="" if kind == "overlooked" else "만화",
        given="fairy tale",
        confidence=0.91,
        seen=Box(75, 100, 125, 200) if kind == "misplaced" else None,
        score=0.01 * number,
        reason=f"what speaks <against> it, number {number}",
        file=photo.with_suffix(".txt"),
        line=None if kind == "overlooked" else number,
    )


@pytest.fixture
def reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reviewed:
    monkeypatch.chdir(tmp_path)
    photo = write_photo(tmp_path / "그림" / "사진 1.jpg", size=(400, 300))
    annotation = Annotation(photo, (400, 300), (Subject(BOX, "만화"),), photo.with_suffix(".txt"))
    names = "만화", "fairy tale", "novel"
    return Reviewed(
        dataset=DataSet("책", tmp_path / "data.yaml", names, (annotation,), (), (), ()),
        labelled=True,
        folds=3,
        agreement=0.87,
        suspects=tuple(suspect(photo, kind, i) for i, kind in enumerate(("swapped", "overlooked", "misplaced"), 1)),
        pairs=(ALIKE, CHANCE),
        margin=0.05,
        notes=("novel: a single photo shows it",),
    )


def test_page_shows_each_with_picture_place_and_remedy(reviewed: Reviewed, tmp_path: Path) -> None:
    page = write_page(reviewed, tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert page.name == PAGE
    assert text.count("data:image/jpeg;base64,") == 3
    assert "그림/사진 1.txt, line 1" in text
    assert "what speaks &lt;against&gt; it, number 2" in text
    assert "give it the class fairy tale, if that is right" in text
    assert "mixed up in\n<strong>38 of 80 cases</strong>" in text
    assert "1 more, mixed up no more often than may be chance" in text
    assert "They agree with 87% of the classes" in text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)


def test_frame_lies_where_the_detector_sees_the_subject(reviewed: Reviewed, tmp_path: Path) -> None:
    text = write_page(reviewed, tmp_path).read_text(encoding="utf-8")
    (frame,) = re.findall(r"<span style=\"(.*?)\"", text)
    # shown: 50 - 60 to 100 + 60 of the width, clipped at 0, and 50 - 60 to 150 + 60 of the height, clipped at 0
    assert frame == "left: 46.9%; top: 47.6%; width: 31.2%; height: 47.6%"


def test_only_the_fifty_worst_are_on_the_page(reviewed: Reviewed, tmp_path: Path) -> None:
    photo = reviewed.suspects[0].photo
    many = replace(reviewed, suspects=tuple(suspect(photo, "swapped", number) for number in range(60)))
    text = write_page(many, tmp_path).read_text(encoding="utf-8")
    assert text.count('class="card swapped"') == MOST
    assert "and 10 more; " in text
    assert len(as_record(many)["suspects"]) == 60


def test_page_goes_on_without_the_picture_of_a_photo_that_is_gone(reviewed: Reviewed, tmp_path: Path) -> None:
    reviewed.suspects[0].photo.unlink()
    text = write_page(reviewed, tmp_path).read_text(encoding="utf-8")
    assert "data:image" not in text
    assert text.count('class="card ') == 3


def test_nothing_found_is_said_so(reviewed: Reviewed, tmp_path: Path) -> None:
    clean = replace(reviewed, suspects=(), pairs=())
    text = write_page(clean, tmp_path).read_text(encoding="utf-8")
    assert "No label is likely to be wrong" in text
    assert "No class was taken for another" in text
    assert list(report(clean)) == [
        "no two classes are mixed up more often than may be chance",
        "note: novel: a single photo shows it",
        "the networks agree with 87% of the classes",
        "책: 1 photos reviewed, likely to be wrong: "
        "0 x labelled as another class, 0 x a subject without a box, 0 x a box beside its subject",
    ]


def test_report_says_the_worst_and_the_pairs(reviewed: Reviewed) -> None:
    lines = list(report(reviewed))
    assert lines[:3] == [
        "most likely wrong (3 of 3, the worst first):",
        "  그림/사진 1.txt:1: what speaks <against> it, number 1",
        "    -> give it the class fairy tale, if that is right",
    ]
    assert 'mend them with: cropsort label --data "data.yaml"' in lines
    assert sum("are mixed up in" in line for line in lines) == 1
    assert any("write down a rule that tells 만화 from fairy tale" in line for line in lines)


def test_sorted_photos_are_moved_and_not_labelled(reviewed: Reviewed, tmp_path: Path) -> None:
    moved = replace(reviewed, labelled=False, suspects=reviewed.suspects[:1])
    assert advise(moved.suspects[0], moved) == (
        "if fairy tale is right, sort the photo there: its folder or name says 만화"
    )
    assert list(moved.counts) == ["swapped"]
    assert "cropsort label" not in write_page(moved, tmp_path).read_text(encoding="utf-8")


def test_record_is_json(reviewed: Reviewed) -> None:
    record = json.loads(json.dumps(as_record(reviewed), ensure_ascii=False))
    assert record["counts"] == {"swapped": 1, "overlooked": 1, "misplaced": 1}
    assert record["pairs"][0]["mixed"] == [20, 18]
    first = record["suspects"][0]
    assert (first["kind"], first["line"], first["label"], first["given"]) == ("swapped", 1, "만화", "fairy tale")
    assert first["remedy"].startswith("give it the class")
    assert record["suspects"][2]["seen_px"] == [75, 100, 125, 200]
