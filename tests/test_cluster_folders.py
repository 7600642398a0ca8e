"""Folders of groups: copies or links, the photos stay, and so does whatever else is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from corrections import BOXES, draw
from grouped import NAMES, gather_drawn, group_by_hand
from photos import hash_files

from pipeline.cluster.folders import How, count_photos, fill_folders
from pipeline.errors import OutputError

LABELS = (0, 0, 0, 1, 1, -1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "사진"


def names_in(folder: Path) -> dict[str, list[str]]:
    return {
        path.name: sorted(one.name for one in path.iterdir())
        for path in sorted((folder / "groups").iterdir())
        if path.is_dir()
    }


@pytest.mark.parametrize("how", ["copy", "link"])
def test_photos_are_in_the_folders_of_their_groups(photos: Path, tmp_path: Path, how: How) -> None:
    if how == "link" and sys.platform == "win32":
        pytest.skip("links take developer mode there")
    grouped = group_by_hand(gather_drawn(photos), LABELS)
    before = hash_files(photos)
    assert fill_folders(tmp_path / "out", grouped, how) == ()
    assert names_in(tmp_path / "out") == {
        "group 1": ["a.jpg", "c.jpg", "휴가_b (1).png"],
        "group 2": ["d.jpg", "e.jpg"],
        "noise": ["휴가_f.jpg"],
    }
    made = tmp_path / "out" / "groups" / "group 1" / "휴가_b (1).png"
    assert made.is_symlink() == (how == "link")
    assert made.read_bytes() == (photos / "휴가" / "b (1).png").read_bytes()
    assert hash_files(photos) == before


def test_a_photo_of_two_groups_is_in_both_and_once_in_each(photos: Path, tmp_path: Path) -> None:
    gathered = gather_drawn(photos, {"a.jpg": BOXES, "c.jpg": BOXES[:1]})
    grouped = group_by_hand(gathered, (0, 0, 1, 1))
    assert count_photos(grouped) == 3
    fill_folders(tmp_path, grouped, "copy")
    assert names_in(tmp_path) == {"group 1": ["a.jpg"], "group 2": ["a.jpg", "c.jpg"]}


@pytest.mark.parametrize(("first", "second"), [("copy", "link"), ("link", "copy"), ("copy", "copy")])
@pytest.mark.skipif(sys.platform == "win32", reason="links take developer mode there")
def test_another_run_leaves_nothing_of_the_one_before_but_what_somebody_changed(
    photos: Path, tmp_path: Path, first: How, second: How
) -> None:
    gathered = gather_drawn(photos)
    fill_folders(tmp_path, group_by_hand(gathered, LABELS), first)
    own = tmp_path / "groups" / "group 1"
    (own / "a.jpg").unlink()
    (own / "a.jpg").write_bytes(b"mine")
    (own / "notes.txt").write_text("mine", encoding="utf-8")
    before = hash_files(photos)
    fill_folders(tmp_path, group_by_hand(gathered, (0, 0, 0, 0, 0, 0)), second)
    assert set(names_in(tmp_path)) == {"group 1"}
    assert names_in(tmp_path)["group 1"] == sorted(
        ["a.jpg", "a-2.jpg", "notes.txt", "c.jpg", "d.jpg", "e.jpg", "휴가_b (1).png", "휴가_f.jpg"]
    )
    assert (own / "a.jpg").read_bytes() == b"mine"
    assert hash_files(photos) == before


def test_a_run_that_was_stopped_leaves_nothing_that_nobody_knows(photos: Path, tmp_path: Path) -> None:
    gathered, done = gather_drawn(photos), []

    def stop() -> None:
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_folders(tmp_path, group_by_hand(gathered, LABELS), "copy", on_photo=stop)
    fill_folders(tmp_path, group_by_hand(gathered, (0, 1, 1, 1, 1, 1)), "copy")
    assert sum(map(len, names_in(tmp_path).values())) == len(NAMES)


def test_a_photo_that_has_gone_is_said(photos: Path, tmp_path: Path) -> None:
    grouped = group_by_hand(gather_drawn(photos), LABELS)
    (photos / "c.jpg").unlink()
    ((photo, why),) = fill_folders(tmp_path, grouped, "copy")
    assert photo == "c.jpg" and why.startswith("cannot be read")
    assert len(names_in(tmp_path)["group 1"]) == 2


@pytest.mark.parametrize("text", ["no json", "[1]", '[{"name": "../../사진/a.jpg"}]', "{}"])
def test_a_damaged_note_of_what_is_ours_harms_nobody(photos: Path, tmp_path: Path, text: str) -> None:
    grouped = group_by_hand(gather_drawn(photos), LABELS)
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "made.json").write_text(text, encoding="utf-8")
    before = hash_files(photos)
    fill_folders(tmp_path, grouped, "copy")
    assert hash_files(photos) == before


def test_a_file_in_the_place_of_a_folder_is_a_line(photos: Path, tmp_path: Path) -> None:
    grouped = group_by_hand(gather_drawn(photos), LABELS)
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "group 1").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError):
        fill_folders(tmp_path, grouped, "copy")
    assert (tmp_path / "groups" / "group 1").read_text(encoding="utf-8") == "mine"


def test_photos_of_one_name_are_kept_apart(photos: Path, tmp_path: Path) -> None:
    names = ("x/a.jpg", "x_a.jpg", "X/A.jpg")
    for seed, name in enumerate(names):
        draw(photos / name, seed)
    fill_folders(tmp_path, group_by_hand(gather_drawn(photos, names), (0, 0, 0)), "copy")
    assert len(names_in(tmp_path)["group 1"]) == 3
