"""The road of a photo whose subjects are to be grouped, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from photos import write_photo

from pipeline.cluster.searching import Problem, Search
from pipeline.sources import find_sources


def test_photo_that_does_not_fit_into_memory_alone_is_a_row_that_failed(tmp_path: Path) -> None:
    write_photo(tmp_path / "photos" / "large.png")
    (source,) = find_sources(tmp_path / "photos").files
    thing: Any = (3, source)
    for stage in Search(None, whole=True).stages():
        told = stage.alone(thing).result
        assert told == Problem(3, "large.png", "does not fit into memory alone", failed=True)
        (thing,) = stage.work([thing])


def test_what_is_no_photo_or_cannot_be_read_is_done_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "empty.jpg").touch()
    first, *_ = Search(None, whole=True).stages()
    told = [one.result for one in first.work(list(enumerate(find_sources(tmp_path).files)))]
    assert told == [
        Problem(0, "empty.jpg", "the file is empty", failed=True),
        Problem(1, "notes.txt", "no photo by its name or its first bytes"),
    ]
