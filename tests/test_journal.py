"""Whatever stops a run, its results go on: half lines, zeros, full disks, other runs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.boxes import Box
from pipeline.environment import ROOT
from pipeline.errors import CropsortError, DataError, OutputError
from pipeline.journal import RESULTS, open_journal, read_recorded
from pipeline.report_folder import RunNote
from pipeline.results import Detection, PhotoResult, Prediction, read_results, to_json

NOTE = RunNote("/photos", ("abc",), {"--gps": False, "--int8": False})
NAMES = ("b.jpg", "a/z.jpg", "a.jpg", "밤/c.jpg")
CHOOSE = "choose another one: OUT=folder, or --out folder"


def make(photo: str, seconds: float = 0.5, **fields: object) -> PhotoResult:
    found = Prediction(Detection(Box(1, 2, 3, 4), 0.5), {"책": 1.0})
    result = PhotoResult(photo, "ok", (60, 40), None, seconds, (found,), file_bytes=10, modified_ns=5)
    return replace(result, **fields)  # type: ignore[arg-type]


def write(folder: Path, *results: PhotoResult, note: RunNote = NOTE) -> None:
    with open_journal(folder, note) as journal:
        for result in results:
            journal.append(result)


def test_rows_are_there_as_soon_as_they_are_added_and_sorted_at_the_end(tmp_path: Path) -> None:
    with open_journal(tmp_path / "out", NOTE) as journal:
        for count, name in enumerate(NAMES, start=1):
            journal.append(make(name))
            assert len(list(read_results(journal.path))) == count
        journal.finish(NAMES)
    assert [one.photo for one in read_results(tmp_path / "out" / RESULTS)] == ["a/z.jpg", "a.jpg", "b.jpg", "밤/c.jpg"]


def test_what_is_done_is_known_until_the_file_changes_or_if_it_failed(tmp_path: Path) -> None:
    failed = PhotoResult("b.jpg", "truncated", file_bytes=10, modified_ns=5, error="its end is missing")
    url = replace(make("http://a/b.jpg"), file_bytes=None, modified_ns=None)
    write(tmp_path, make("a.jpg"), failed, url, PhotoResult("c.mp4", "unsupported", file_bytes=1, modified_ns=1))
    with open_journal(tmp_path, NOTE) as journal:
        assert journal.is_done("a.jpg", 10, 5)
        assert not journal.is_done("a.jpg", 11, 5)
        assert not journal.is_done("a.jpg", 10, 6)
        assert not journal.is_done("a.jpg", None, None)
        assert not journal.is_done("b.jpg", 10, 5)
        assert not journal.is_done("new.jpg", 10, 5)
        assert journal.is_done("http://a/b.jpg", None, None)
        assert journal.is_done("c.mp4", 1, 1)
        assert journal.count(["a.jpg", "b.jpg", "new.jpg"]) == {"ok": 1, "truncated": 1}


def test_last_of_several_rows_counts_and_those_that_went_go(tmp_path: Path) -> None:
    with open_journal(tmp_path, NOTE) as journal:
        for name in NAMES:
            journal.append(make(name))
        journal.append(make("b.jpg", file_bytes=99))
        journal.finish(["b.jpg", "a.jpg", "never seen.jpg"])
    rows = {one.photo: one.file_bytes for one in read_results(tmp_path / RESULTS)}
    assert rows == {"a.jpg": 10, "b.jpg": 99}


def test_what_is_left_is_read_anew_each_time(tmp_path: Path) -> None:
    with open_journal(tmp_path, NOTE) as journal:
        for name in NAMES:
            journal.append(make(name))
        left = journal.finish(NAMES[:2])
        assert len(left) == 2
        assert [one.photo for one in left] == [one.photo for one in left] == ["a/z.jpg", "b.jpg"]
        assert journal.count_subjects([*NAMES[:2], "new.jpg"]) == {"b.jpg": 1, "a/z.jpg": 1}


@pytest.mark.parametrize("tail", [b'{"photo": "c.jpg", "sta', b"\0" * 300, b"{", "밤".encode()[:2]])
def test_half_written_line_is_dropped_and_its_photo_done_again(tmp_path: Path, tail: bytes) -> None:
    write(tmp_path, make("a.jpg"), make("b.jpg"))
    good = (tmp_path / RESULTS).read_bytes()
    (tmp_path / RESULTS).write_bytes(good + tail)
    with open_journal(tmp_path, NOTE) as journal:
        assert [journal.is_done(name, 10, 5) for name in ("a.jpg", "b.jpg", "c.jpg")] == [True, True, False]
        assert (tmp_path / RESULTS).read_bytes() == good
        journal.append(make("c.jpg"))
        journal.finish(["a.jpg", "b.jpg", "c.jpg"])
    assert [one.photo for one in read_results(tmp_path / RESULTS)] == ["a.jpg", "b.jpg", "c.jpg"]


def test_every_place_that_a_file_may_be_cut_at_is_gone_on_from(tmp_path: Path) -> None:
    write(tmp_path, *map(make, NAMES))
    whole = (tmp_path / RESULTS).read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / RESULTS).write_bytes(whole[:end])
        with open_journal(tmp_path, NOTE) as journal:
            for name in NAMES:
                if not journal.is_done(name, 10, 5):
                    journal.append(make(name))
        assert (tmp_path / RESULTS).read_bytes() == whole


def test_zeros_in_the_middle_cost_only_their_photo(tmp_path: Path) -> None:
    lines = [f"{to_json(make(name))}\n".encode() for name in NAMES]
    write(tmp_path)
    (tmp_path / RESULTS).write_bytes(lines[0] + b"\0" * 40 + b"\n" + lines[2])
    with open_journal(tmp_path, NOTE) as journal:
        assert [journal.is_done(name, 10, 5) for name in NAMES] == [True, False, True, False]
        journal.append(make(NAMES[1]))
        journal.finish(NAMES)
    assert len(list(read_results(tmp_path / RESULTS))) == 3


def test_same_failure_again_is_nothing_new(tmp_path: Path) -> None:
    failed = PhotoResult("b.jpg", "truncated", seconds=0.1, file_bytes=10, modified_ns=5, error="its end is missing")
    write(tmp_path, make("a.jpg"), failed)
    before = (tmp_path / RESULTS).read_bytes()
    with open_journal(tmp_path, NOTE) as journal:
        journal.append(replace(failed, seconds=0.2))
        assert (tmp_path / RESULTS).read_bytes() == before
        journal.append(replace(failed, error="another"))
        journal.finish(["a.jpg", "b.jpg"])
    assert (tmp_path / RESULTS).read_bytes() == before.replace(b"its end is missing", b"another")


def test_results_of_a_run_that_was_stopped_are_read_as_it_would_leave_them(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    write(tmp_path, *map(make, NAMES))
    with path.open("ab") as file:
        file.write(bytes(50) + b"\n")  # zeros, as a power cut leaves
        file.write(f"{to_json(make('a.jpg', seconds=9.0))}\n{to_json(make('new.jpg'))[:-5]}".encode())
    before = path.read_bytes()
    results = read_recorded(path)
    assert path.read_bytes() == before
    rows = {one.photo: one.seconds for one in results}
    assert list(rows.items()) == [("a/z.jpg", 0.5), ("a.jpg", 9.0), ("b.jpg", 0.5), ("밤/c.jpg", 0.5)]
    assert (len(results), results.spans is not None) == (4, True)
    assert list(results) == list(results)
    with open_journal(tmp_path, NOTE) as journal:
        assert list(journal.list_results()) == list(results)
        finished = journal.finish(NAMES)
    assert read_recorded(path) == finished
    assert finished.spans is None


def test_whole_line_that_lacks_its_line_end_is_a_result(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    path.write_text(f"{to_json(make('a.jpg'))}\n{to_json(make('b.jpg'))}", encoding="utf-8")
    results = read_recorded(path)
    assert ([one.photo for one in results], results.spans) == (["a.jpg", "b.jpg"], None)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\xff\n", b"photo,class\na.jpg,novel\n", b"{}\n", b"[3]", b'{"photo": 3}']
)
def test_file_that_holds_no_results_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(DataError, match="is no file of results - name a report's folder, or the"):
        read_recorded(tmp_path / "other")


def test_results_that_nothing_was_done_of_are_one_line(tmp_path: Path) -> None:
    (tmp_path / RESULTS).touch()
    with pytest.raises(DataError, match="no photo was done before the run was stopped - run predict again"):
        read_recorded(tmp_path / RESULTS)
    with pytest.raises(DataError, match="cannot be read"):
        read_recorded(tmp_path / "none" / RESULTS)


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (NOTE._replace(photos="/others"), f"holds the report of /photos - {CHOOSE}"),
        (NOTE._replace(weights=("other",)), f"was made with other weights - {CHOOSE}; or begin anew: --restart"),
        (NOTE._replace(weights=("abc", "d")), f"was made with other weights - {CHOOSE}; or begin anew: --restart"),
        (
            NOTE._replace(settings={"--gps": True, "--int8": True}),
            f"was made with no --gps and no --int8 - {CHOOSE}; or begin anew: --restart",
        ),
        (NOTE._replace(version=9), f"was made with an older version of cropsort - {CHOOSE}; or begin anew: --restart"),
    ],
)
def test_other_photos_weights_or_settings_are_refused_in_one_line(tmp_path: Path, note: RunNote, told: str) -> None:
    write(tmp_path, make("a.jpg"))
    before = (tmp_path / RESULTS).read_bytes(), (tmp_path / "run.json").read_bytes()
    with pytest.raises(CropsortError) as refused, open_journal(tmp_path, note):
        pass
    assert str(refused.value) == f"{tmp_path} - {told}"
    assert refused.value.exit_code == 2
    assert before == ((tmp_path / RESULTS).read_bytes(), (tmp_path / "run.json").read_bytes())


@pytest.mark.parametrize("note", ["", "{", '{"photos": "/photos"}', "null"])
def test_results_of_an_older_version_are_refused_and_begun_anew(tmp_path: Path, note: str) -> None:
    (tmp_path / "run.json").write_text(note)
    (tmp_path / RESULTS).write_text('{"photo": "a.jpg", "status": "empty"}\n')
    with pytest.raises(CropsortError, match=r"an older version of cropsort - .* OUT=folder.*--restart"):
        write(tmp_path)
    with open_journal(tmp_path, NOTE, restart=True) as journal:
        assert not journal.count(["a.jpg"])
    write(tmp_path, make("a.jpg"))


def test_restart_begins_anew_with_other_weights_but_leaves_the_report_of_others(tmp_path: Path) -> None:
    write(tmp_path, make("a.jpg"))
    other = NOTE._replace(weights=("other",))
    others = open_journal(tmp_path, NOTE._replace(photos="/others"), restart=True)
    with pytest.raises(CropsortError, match="holds the report of /photos"), others:
        pass
    with open_journal(tmp_path, other, restart=True) as journal:
        assert not journal.is_done("a.jpg", 10, 5)
    with open_journal(tmp_path, other):
        pass
    assert json.loads((tmp_path / "run.json").read_text())["weights"] == ["other"]


def test_run_without_results_yet_is_no_hindrance(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, note=NOTE._replace(weights=("other",)))


HOLD = """
import sys
from pathlib import Path
from pipeline.journal import open_journal
from pipeline.report_folder import RunNote
with open_journal(Path(sys.argv[1]), RunNote("/photos", ("abc",), {"--gps": False, "--int8": False})):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_other_run_at_work_is_refused_and_the_lock_of_a_killed_one_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(CropsortError, match="another run is at work here - let it finish, or choose") as refused:
            write(tmp_path)
        assert refused.value.exit_code == 2
        other.kill()
    assert (tmp_path / ".lock").exists() or sys.platform == "win32"
    write(tmp_path, make("a.jpg"))


def test_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as refused:
        write(tmp_path / "file" / "out")
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_full_disk_is_one_line_and_what_is_there_stays(tmp_path: Path) -> None:
    write(tmp_path, make("a.jpg"))
    with open_journal(tmp_path, NOTE) as journal, Path("/dev/full").open("r+b", buffering=0) as full:
        own, journal._file = journal._file, full
        with pytest.raises(OutputError, match="the disk is full - free some space and run the same command again"):
            journal.append(make("b.jpg"))
        journal._file = own
        assert not journal.is_done("b.jpg", 10, 5)
    assert [one.photo for one in read_results(tmp_path / RESULTS)] == ["a.jpg"]


def test_nothing_is_written_anew_where_nothing_changed(tmp_path: Path) -> None:
    with open_journal(tmp_path, NOTE) as journal:
        for name in sorted(NAMES, key=lambda name: name.split("/")):
            journal.append(make(name))
        inode = journal.path.stat().st_ino
        journal.finish(NAMES)
        assert journal.path.stat().st_ino == inode
