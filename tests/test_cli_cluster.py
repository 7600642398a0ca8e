"""The command that groups photos, as somebody types it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest
import typer
from conftest import hash_files
from corrections import DATA, draw, make_home
from grouped import gather_drawn, group_by_hand, name_groups, write_groups
from PIL import Image

from pipeline.cli_cluster import cluster
from pipeline.errors import CropsortError


class Told(NamedTuple):
    """What the command printed, on both streams, and the code it left with."""

    output: str
    code: int


Type = Callable[..., Told]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Type:
    """The command in an application of its own; what goes wrong on purpose is raised."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(cluster)

    def run(*words: str | Path) -> Told:
        capsys.readouterr()
        code = typer.main.get_command(app).main(list(map(str, words)), standalone_mode=False)
        told = capsys.readouterr()
        return Told(told.out + told.err, int(code or 0))

    return run


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sorted photos in two colours, in the current folder; no data.yaml and no weights."""
    monkeypatch.chdir(tmp_path)
    for name, colour in (("사과", (200, 30, 30)), ("pear", (40, 190, 60))):
        for number in range(4):
            path = tmp_path / "shop" / name / f"{name}-{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (48, 40), tuple(level + 5 * number for level in colour)).save(path)
    return tmp_path / "shop"


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A workbook with a named group, of photos that the data set beside it does not have."""
    home, phone = make_home(tmp_path / "home"), tmp_path / "phone"
    grouped = group_by_hand(gather_drawn(phone), (0, 0, 0, 1, 1, -1))
    workbook = write_groups(tmp_path / "report", grouped, phone, home / "data.yaml")
    name_groups(workbook, {"group 2": "사과"})
    return workbook


def test_photos_are_grouped_by_their_pixels_without_any_training(shop: Path, typed: Type, tmp_path: Path) -> None:
    before = hash_files(shop)
    told = typed("shop", "--features", "pixels", "--crops", "--groups", "2", "--truth", "folders", "--folders", "copy")
    assert told.code == 0, told.output
    assert "8 subjects in 2 groups" in told.output
    assert "agreement with the true classes: adjusted Rand 1.000, adjusted mutual information 1.000" in told.output
    report = tmp_path / "reports" / "shop-groups"
    made = {path.name for path in report.iterdir() if not path.name.startswith(".")}
    assert made == {"groups.xlsx", "groups.csv", "subjects.csv", "problems.csv", "map.jpg", "dendrogram.png", "groups"}
    for name in ("map.jpg", "dendrogram.png"):
        with Image.open(report / name) as image:
            image.verify()
    assert sorted(len(list(one.iterdir())) for one in (report / "groups").iterdir() if one.is_dir()) == [4, 4]
    assert hash_files(shop) == before
    book = openpyxl.load_workbook(report / "groups.xlsx")
    assert {cell.value for cell in book["Groups"]["B"][1:]} == {"group 1", "group 2"}
    facts = {row[0]: row[1] for row in book["Summary"].iter_rows(values_only=True) if row[0]}
    assert facts["photos"] == str(shop) and facts["adjusted Rand index"] == 1


def test_a_workbook_that_may_hold_names_is_kept(shop: Path, typed: Type, tmp_path: Path) -> None:
    assert shop
    words = ("shop", "--features", "pixels", "--crops", "-o", tmp_path / "out")
    assert typed(*words).code == 0
    name_groups(tmp_path / "out" / "groups.xlsx", {"group 1": "사과"})
    told = typed(*words)
    assert told.code == 0
    (kept,) = (tmp_path / "out").glob("groups-*.xlsx")
    assert f"groups.xlsx from before is {kept.name} now, with all that was written into it" in told.output
    assert any(cell.value == "사과" for cell in openpyxl.load_workbook(kept)["Groups"]["C"])


def test_a_report_among_the_photos_is_not_grouped(shop: Path, typed: Type) -> None:
    words = (shop, "--features", "pixels", "--crops", "-o", shop / "out", "--folders", "copy")
    for _ in range(2):
        assert "8 subjects in " in typed(*words).output


def test_unreadable_photos_are_rows_and_the_exit_code(shop: Path, typed: Type, tmp_path: Path) -> None:
    (shop / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (shop / "notes.txt").write_text("x", encoding="utf-8")
    told = typed("shop", "--features", "pixels", "--crops")
    assert told.code == 1
    assert "1 of the photos could not be read: the Problems sheet says why" in told.output
    assert "2 files without a subject: the Problems sheet says why" in told.output
    book = openpyxl.load_workbook(tmp_path / "reports" / "shop-groups" / "groups.xlsx")
    assert [row[0] for row in book["Problems"].iter_rows(min_row=2, values_only=True)] == ["broken.jpg", "notes.txt"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "neither photos nor a workbook - expected PHOTOS to group, or --adopt groups.xlsx"),
        (("shop", "--adopt", "x.xlsx"), "both shop and --adopt x.xlsx"),
        (("shop", "--yes"), "--yes without --adopt"),
        (("--adopt", "x.xlsx", "--groups", "3"), "--groups beside --adopt"),
        (("--adopt", "x.xlsx", "--folders", "copy"), "--folders beside --adopt"),
        (("none", "--features", "pixels", "--crops"), "none - no such folder"),
        (("shop",), "data.yaml - no such file"),
        (("shop", "--features", "pixels"), "group without a pair: --features pixels --crops"),
        (("shop", "--weights", "none"), "none - no trained detector and classifier here"),
        (("shop", "--weights", "none"), "group without a pair: --features pixels --crops"),
        (("shop", "--groups", "3", "--algorithm", "dbscan"), "--groups"),
        (("shop", "--features", "pixels", "--crops", "--groups", "9"), "8 subjects to group - expected at least 9"),
        (("shop", "--features", "pixels", "--crops", "-o", "shop"), "shop - is the folder of photos itself"),
        (("flat", "--features", "pixels", "--crops", "--truth", "folders"), "none of the folders of the photos says"),
        (("--adopt", "none.xlsx"), "none.xlsx - no such file - name the groups.xlsx"),
    ],
)
def test_what_cannot_be_done_is_a_line_and_nothing_is_written(
    shop: Path, typed: Type, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    for number in range(3):
        draw(tmp_path / "flat" / f"{number}.jpg", number)
    before = hash_files(tmp_path)
    with pytest.raises((CropsortError, ExceptionGroup)) as caught:
        typed(*words)
    error = caught.value.exceptions[0] if isinstance(caught.value, ExceptionGroup) else caught.value
    assert told in str(error) and "\n" not in str(error)
    after = {name for name in hash_files(tmp_path) if not name.endswith(".lock")}
    assert after == set(before)
    assert shop.is_dir()


def test_adopting_is_shown_and_nothing_is_changed_where_nobody_can_be_asked(
    named: Path, typed: Type, tmp_path: Path
) -> None:
    before = hash_files(tmp_path / "home")
    told = typed("--adopt", named)
    assert told.code == 0
    assert "group 2 is 사과 (new class): 2 subjects of 2 photos\n" in told.output
    assert told.output.endswith("\nto apply this, run the same command with --yes\nnothing was changed\n")
    assert hash_files(tmp_path / "home") == before


def test_adopting_is_applied_once(named: Path, typed: Type, tmp_path: Path) -> None:
    told = typed("--adopt", named, "--yes")
    data = tmp_path / "home" / "data.yaml"
    assert told.code == 0 and told.output.endswith(f'adopted; go on with: make train DATA="{data}"\n')
    assert data.read_text(encoding="utf-8") == DATA.replace("여왕]", "여왕, 사과]")
    before = hash_files(tmp_path / "home")
    told = typed("--adopt", named, "--yes")
    assert told.code == 0 and "adopted;" not in told.output and "applied before: 사과" in told.output
    assert hash_files(tmp_path / "home") == before


@pytest.mark.parametrize(("answer", "applied"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_who_can_be_asked_is_asked(
    named: Path, typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, applied: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    told = typed("--adopt", named)
    assert told.code == 0 and "Apply this? [y/N]" in told.output
    assert (tmp_path / "home" / "corrections").is_dir() is applied
    assert told.output.endswith("nothing was changed\n") is not applied


def test_photos_that_have_gone_are_said_and_the_exit_code(named: Path, typed: Type, tmp_path: Path) -> None:
    (tmp_path / "phone" / "d.jpg").unlink()
    told = typed("--adopt", named, "--yes")
    assert told.code == 1
    assert "cropsort: d.jpg - is no longer at" in told.output
    assert [path.name for path in (tmp_path / "home" / "corrections").glob("*.jpg")] == ["e.jpg"]


@pytest.mark.slow
def test_a_trained_pair_finds_and_names_the_subjects(
    tiny: Path, eager: Path, typed: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny)
    told = typed("images/val", "--weights", eager, "--groups", "2")
    assert told.code == 0, told.output
    book = openpyxl.load_workbook(tiny / "reports" / "val-groups" / "groups.xlsx")
    header = [cell.value for cell in book["Subjects"][1]]
    assert {"nearest class", "probability"} <= set(header)
