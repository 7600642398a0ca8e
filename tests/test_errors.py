"""The error tree: one line an error, the right exit code, and the builtin that others would catch."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pipeline.errors import (
    ConfigError,
    CropsortError,
    DataError,
    OutOfMemoryError,
    OutputError,
    PhotoError,
    ProcessDiedError,
    TooLargeError,
    TruncatedError,
    WeightsError,
)


def test_line_says_where_found_expected_and_remedy_in_this_order() -> None:
    error = DataError("7 classes", where=Path("a.txt"), line=3, expected="six", remedy="draw it again")
    assert str(error) == "a.txt:3 - 7 classes - expected six - draw it again"


def test_parts_that_say_nothing_are_left_out() -> None:
    assert str(CropsortError("no more")) == "no more"
    assert str(CropsortError("no more", where="--size")) == "--size - no more"
    assert str(CropsortError("no more", line=3, remedy="stop")) == "no more - stop"


def test_error_is_one_line_whatever_a_library_said() -> None:
    assert "\n" not in str(ConfigError("first\nsecond", where="a", remedy="third\nfourth"))


@pytest.mark.parametrize(
    ("kind", "code"), [(CropsortError, 2), (ConfigError, 2), (WeightsError, 2), (DataError, 1), (OutputError, 1)]
)
def test_exit_code_tells_set_up_from_data(kind: type[CropsortError], code: int) -> None:
    assert kind("x").exit_code == code


def test_each_error_is_also_the_builtin_that_a_library_would_raise() -> None:
    assert all(issubclass(kind, ValueError) for kind in (DataError, ConfigError, WeightsError, PhotoError))
    assert issubclass(OutputError, OSError)
    assert issubclass(OutOfMemoryError, MemoryError)
    assert issubclass(ProcessDiedError, ChildProcessError)


@pytest.mark.parametrize("kind", [CropsortError, DataError, OutputError, OutOfMemoryError, ProcessDiedError])
def test_error_comes_whole_out_of_another_process(kind: type[CropsortError]) -> None:
    error = kind("7 classes", where=Path("책.txt"), line=3, expected="six", remedy="draw it again")
    error.add_note("said there")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", [PhotoError, TruncatedError, TooLargeError])
def test_photo_error_comes_whole_out_of_another_process(kind: type[PhotoError]) -> None:
    again = pickle.loads(pickle.dumps(kind("empty", where="a.jpg")))
    assert (type(again), str(again)) == (kind, "a.jpg - empty")


def test_truncated_and_too_large_are_told_apart_from_other_photo_errors_by_type() -> None:
    assert issubclass(TruncatedError, PhotoError)
    assert issubclass(TooLargeError, PhotoError)
    assert not issubclass(TruncatedError, TooLargeError)
    assert not issubclass(TooLargeError, TruncatedError)


def test_photo_error_is_a_data_error_that_names_the_photo() -> None:
    error = PhotoError("the file is empty", where=Path("책.jpg"))
    assert isinstance(error, DataError)
    assert str(error) == "책.jpg - the file is empty"
