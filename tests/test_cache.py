"""Where things are kept that can be made again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import Run

from pipeline.cache import cache_folder, usual_cache


def test_folder_is_where_the_system_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "캐시 folder"))
    assert usual_cache() == tmp_path / "캐시 folder" / "cropsort"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert usual_cache() == tmp_path / ".cache" / "cropsort"


def test_windows_has_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "win32")
    assert usual_cache() == tmp_path / "cropsort"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert usual_cache() != tmp_path / "cropsort"


def test_folder_is_made_with_what_shall_be_in_it_and_asked_again_the_same(cropsort: Run, tmp_path: Path) -> None:
    code = "from pipeline.cache import cache_folder as c; print(c('Ultralytics')); print(c('Ultralytics'))"
    done = cropsort(code=code, XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout.splitlines() == [str(tmp_path / "cropsort")] * 2
    assert (tmp_path / "cropsort" / "Ultralytics").is_dir()


def test_folder_that_cannot_be_made_is_a_temporary_one(cropsort: Run, tmp_path: Path) -> None:
    (tmp_path / "cropsort").write_text("in the way", encoding="utf-8")
    code = "from pipeline.cache import cache_folder as c; print(c()); print(c())"
    done = cropsort(code=code, XDG_CACHE_HOME=str(tmp_path))
    first, second = done.stdout.splitlines()
    assert first == second
    assert Path(first).is_dir()
    assert tmp_path not in Path(first).parents
    Path(first).rmdir()


def test_folder_is_found_in_this_process_too() -> None:
    assert cache_folder().is_dir()
