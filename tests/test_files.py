"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.files import output_error, replacing, write_text

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX limits or permissions")


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: BaseException) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise error


def test_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "만화\r\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == "만화\r\nb\n".encode()
    assert list_names(tmp_path) == ["a.txt"]


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "보고서" / "a.txt", "x")
    assert (tmp_path / "new" / "보고서" / "a.txt").read_text(encoding="utf-8") == "x"


def test_temporary_name_keeps_the_suffix_and_is_hidden(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.xlsx") as temporary:
        temporary.write_bytes(b"x")
        assert temporary.suffix == ".xlsx"
        assert temporary.name.startswith(".")
        assert not (tmp_path / "a.xlsx").exists()


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_the_block_early_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, error: BaseException
) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(type(error)):
        write_half(tmp_path / "a.txt", error)
    assert list_names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"


def test_our_own_error_passes_through_unchanged(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^inner$"):
        write_half(tmp_path / "a.txt", OutputError("inner"))


def test_folder_in_the_file_s_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match=r"a\.txt"):
        write_text(tmp_path / "a.txt", "x")
    assert list_names(tmp_path) == ["a.txt"]


def test_file_in_the_folder_s_place_is_an_output_error(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "a" / "b.txt", "x")


def test_name_that_is_too_long_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / ("n" * 300), "x")


@posix
def test_file_that_outgrows_its_limit_leaves_the_old_one_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from pipeline.errors import OutputError\n"
        "from pipeline.files import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_text(Path(sys.argv[1]), 'x' * 100_000)\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.txt")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout.startswith(f"{tmp_path / 'a.txt'} - cannot be written (")
    assert list_names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_full_disk_is_said_with_what_to_do_and_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(OutputError, match="the disk is full - free some space"), replacing(tmp_path / "a.txt") as part:
        part.symlink_to("/dev/full")
        part.write_text("x" * 100_000, encoding="utf-8")
    assert list_names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"


@posix
def test_folder_that_may_not_be_written_to_is_said_with_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from pipeline.errors import OutputError\n"
        "from pipeline.files import write_text\n"
        "path = Path(sys.argv[1])\n"
        "path.parent.mkdir(mode=0o555)\n"
        "os.chdir(path.parent)\n"
        "if os.geteuid() == 0:\n"
        "    os.seteuid(65534)\n"
        "try:\n"
        "    write_text(Path('a.txt'), 'x')\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "closed" / "a.txt")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    assert (
        done.stdout.strip()
        == "a.txt - may not be written - close the program that has it open, or choose another folder"
    )


def test_quota_counts_as_a_full_disk() -> None:
    assert "the disk is full" in str(output_error(OSError(errno.EDQUOT, "quota"), Path("a")))
