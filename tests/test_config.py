"""data.yaml: what is accepted, and one line with file, line and remedy for each thing that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config import Config, read_config
from pipeline.errors import ConfigError
from pipeline.settings import DetectorSettings

BASE = "train: photos\nnames: [ace, king]\n"


def read(folder: Path, text: str | bytes) -> Config:
    path = folder / "data.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_config(path)


def complain(folder: Path, text: str | bytes) -> list[str]:
    """What is said of a data.yaml, without its folder."""
    try:
        config = read(folder, text)
    except ConfigError as error:
        errors: list[Exception] = [error]
    except ExceptionGroup as group:
        errors = list(group.exceptions)
    else:
        raise AssertionError(f"accepted: {config}")
    assert all(isinstance(error, ConfigError) and "\n" not in str(error) for error in errors)
    return [str(error).removeprefix(f"{folder}/").removeprefix(f"{folder}\\") for error in errors]


def test_shortest_file_is_one_that_ultralytics_reads_too(tmp_path: Path) -> None:
    config = read(tmp_path, "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: ace\n  1: king\n")
    assert (config.path, config.train, config.val, config.test) == (".", ("images/train",), ("images/val",), None)
    assert config.names == ("ace", "king")
    assert (config.seed, config.device, config.detector.model, config.classifier.start) == (0, "auto", None, "auto")


@pytest.mark.parametrize(
    ("names", "read_as"),
    [
        ("[ace, king]", ("ace", "king")),
        ("{1: king, 0: ace}", ("ace", "king")),
        ("[동화책, 만화]", ("동화책", "만화")),
        ("[1, 2.5, ' three ']", ("1", "2.5", "three")),
        ("['no', \"on\"]", ("no", "on")),
    ],
)
def test_names_may_be_a_list_or_numbered(tmp_path: Path, names: str, read_as: tuple[str, ...]) -> None:
    assert read(tmp_path, f"train: a\nnames: {names}\n").names == read_as


def test_roboflow_file_is_accepted_as_it_comes(tmp_path: Path) -> None:
    text = (
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: ['ace', 'king']\n\n"
        "roboflow:\n  workspace: me\n  project: cards\n  version: 1\n  license: CC BY 4.0\n"
        "  url: https://universe.roboflow.com/me/cards\n"
    )
    config = read(tmp_path, f"path: ../cards\nchannels: 3\n{text}")
    assert (config.nc, config.train, config.val) == (2, ("../train/images",), ("../valid/images",))


def test_empty_value_of_an_optional_setting_is_none_at_all(tmp_path: Path) -> None:
    text = "val:\ntest: # test images (optional)\npath:\nmemory:\ndetector:\n  # epochs: 9\nclassifier:\n"
    assert read(tmp_path, BASE + text) == read(tmp_path, BASE)


def test_settings_of_both_stages_are_taken(tmp_path: Path) -> None:
    text = "detector: {imgsz: 320, iou: 1, single_cls: false}\nclassifier:\n  degrees: 180\n  fliplr: 0\n"
    config = read(tmp_path, BASE + text)
    assert (config.detector.imgsz, config.detector.iou, config.detector.single_cls) == (320, 1.0, False)
    assert (config.classifier.degrees, config.classifier.fliplr) == (180.0, 0.0)
    assert config.detector.epochs == DetectorSettings().epochs


@pytest.mark.parametrize(("time", "seconds"), [("2h", 7200), ("1.5 h", 5400), ("30min", 1800), ("90 MIN", 5400)])
def test_time_is_taken_as_people_write_it(tmp_path: Path, time: str, seconds: float) -> None:
    assert read(tmp_path, f"{BASE}time: {time}\n").seconds == seconds
    assert read(tmp_path, BASE).seconds is None


def test_what_data_yaml_says_is_pinned_even_where_it_is_the_default(tmp_path: Path) -> None:
    settings = read(tmp_path, BASE + "detector: {imgsz: 640}\n").detector
    assert settings.is_pinned("imgsz")
    assert not settings.is_pinned("batch")


@pytest.mark.parametrize("memory", ["4GB", "900 MB", "80%", "1.5GB", "4gb"])
@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "0", "'1'"])
def test_memory_and_device_are_taken_as_people_write_them(tmp_path: Path, memory: str, device: str) -> None:
    config = read(tmp_path, f"{BASE}memory: {memory}\ndevice: {device}\n")
    assert (config.memory, config.device) == (memory, device.strip("'"))


def test_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode()) == read(tmp_path, BASE)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("epoch: 3", 3, "unknown key 'epoch' - remove it; known are names, train, "),
        ("nmaes: [a]", 3, "unknown key 'nmaes' - did you mean 'names'?"),
        ("detector:\n  epoch: 3", 4, "unknown key 'detector.epoch' - did you mean 'epochs'?"),
        ("classifier:\n  fliplr: 0.5\n  margn: 1", 5, "unknown key 'classifier.margn' - did you mean 'margin'?"),
        ("1: a", 3, "unknown key '1' - remove it"),
        ("seed: one", 3, "seed: 'one' - input should be a valid integer"),
        ("seed: -1", 3, "seed: -1 - input should be greater than or equal to 0"),
        ("seed: true", 3, "seed: True - input should be a valid integer"),
        ("val: 3", 3, "val: 3 - input should be a valid string"),
        ("val: [a, 3]", 3, "val: 3 - input should be a valid string"),
        ("test: []", 3, "test: [] - value should have at least 1 item"),
        ("detector: 3", 3, "detector: 3 - settings such as 'epochs: 60' are wanted"),
        (
            "detector:\n  imgsz: 650",
            4,
            "detector.imgsz: 650 - a multiple of 32 is wanted, such as 640 or 672",
        ),
        (
            "classifier:\n  imgsz: 100",
            4,
            "classifier.imgsz: 100 - a multiple of 32 is wanted, such as 96 or 128",
        ),
        ("detector:\n  epochs: '9'", 4, "detector.epochs: '9' - input should be a valid integer"),
        ("classifier:\n  batch: 1", 4, "classifier.batch: 1 - input should be greater than or equal to 2"),
        ("download: https://example.com/a.zip", 3, "the key 'download' runs a program or fetches files"),
        ("seed: 1\nseed: 2", 4, "'seed' stands here and in line 3 - keep one of them"),
        ("detector:\n  epochs: 1\n  epochs: 2", 5, "'epochs' stands here and in line 4 - keep one of them"),
        ("nc: 3", 3, "nc says 3 classes, names has 2; correct one of them"),
        ("channels: 1", 3, "channels: 1 - only colour photos with 3 channels"),
        ("memory: lots", 3, "memory: 'lots' - a limit such as 4GB, 900MB or 80% is wanted"),
        ("memory: 4 gigs", 3, "memory: '4 gigs' - a limit such as 4GB, 900MB or 80% is wanted"),
        ("time: 0h", 3, "time: '0h' - a time such as 2h or 30min is wanted"),
        ("time: soon", 3, "time: 'soon' - a time such as 2h or 30min is wanted"),
        ("memory: 4", 3, "memory: 4 - input should be a valid string"),
        ("device: gpu", 3, "device: 'gpu' - auto, cpu, mps, or the number of a CUDA GPU is wanted"),
        ("name: ../up", 3, "name: '../up' - a name that can be a folder's"),
    ],
)
def test_wrong_setting_is_one_line_with_file_line_and_remedy(tmp_path: Path, text: str, line: int, said: str) -> None:
    (complaint,) = complain(tmp_path, f"{BASE}{text}\n")
    assert complaint.startswith(f"data.yaml:{line} - {said}")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("ace", "a list of class names is wanted, at least one"),
        ("[]", "a list of class names is wanted, at least one"),
        ("[ace, king, ace]", "repeated: ace; give every class a name of its own"),
        ("[1, '1']", "repeated: 1; give every class a name of its own"),
        ("[ace, 'ace ']", "repeated: ace; give every class a name of its own"),
        ("{0: ace, 2: king}", "the numbers of the classes must be 0 to 1, each once"),
        ("{1: ace, 2: king}", "the numbers of the classes must be 0 to 1, each once"),
        ("{a: ace}", "the numbers of the classes must be 0 to 0, each once"),
        ("[ace, '']", "every class name must be a text that is not empty"),
        ("[ace, ~]", "every class name must be a text that is not empty"),
        ("[[ace], king]", "every class name must be a text that is not empty"),
        ("[yes, no]", "YAML takes yes, no, on and off for true and false; put such a class name in quotes"),
    ],
)
def test_wrong_names_are_said_with_their_line(tmp_path: Path, names: str, said: str) -> None:
    (complaint,) = complain(tmp_path, f"train: a\nnames: {names}\n")
    assert complaint.startswith("data.yaml:2 - names: ")
    assert complaint.endswith(f" - {said}")


def test_missing_keys_are_said_with_the_line_to_add(tmp_path: Path) -> None:
    assert complain(tmp_path, "seed: 1\n") == [
        "data.yaml - the key 'names' is missing - add a line 'names: ...'",
        "data.yaml - the key 'train' is missing - add a line 'train: ...'",
    ]


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = "train: 3\nnames: [a, a]\nsede: 1\ndetector:\n  imgsz: 33\nclassifier:\n  margin: 2\n"
    starts = [re.match(r"data\.yaml:(\d) - ", complaint) for complaint in complain(tmp_path, text)]
    assert sorted(start[1] for start in starts if start) == ["1", "2", "3", "5", "7"]
    assert len(complain(tmp_path, "download: a\ntrain: a\ntrain: b\nnames: [a]\nnames: [a]\n")) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "train: a\nnames:\n\t- ace\n",
            "data.yaml:3 - not YAML (found character '\\t' that cannot start any token) - ",
        ),
        ("train: [a\nnames: b\n", "data.yaml:2 - not YAML ("),
        ("a\nb\n", "data.yaml - no settings in it - expected lines such as 'train: images/train'"),
        ("- a\n- b\n", "data.yaml - no settings in it"),
        ("", "data.yaml - no settings in it"),
        ("# nothing yet\n", "data.yaml - no settings in it"),
        (f"{BASE}---\nseed: 1\n", "data.yaml:3 - not YAML (but found another document)"),
        (f"{BASE}\0", "data.yaml - not YAML ("),
        (BASE.encode("utf-16"), "data.yaml - not UTF-8 text - save it as UTF-8 in your editor"),
        ("train: 사진\nnames: [책]\n".encode("cp949"), "data.yaml - not UTF-8 text - save it as UTF-8 in your editor"),
        ("? [a, b]\n: 1\n", "data.yaml:1 - not YAML (found unhashable key)"),
        ("train: a\nnames: {[0]: ace}\n", "data.yaml:2 - not YAML (found unhashable key)"),
        (f"{BASE}name: !!python/object:os.system ls\n", "data.yaml:3 - not YAML (could not determine a constructor"),
        (f"{BASE}name: 2024-13-01\n", "data.yaml - not YAML (month must be in 1..12)"),
        (f"{BASE}val: {'[' * 1000}\n", "data.yaml - not YAML (maximum recursion depth"),
    ],
)
def test_file_that_is_no_settings_is_one_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    (complaint,) = complain(tmp_path, text)
    assert complaint.startswith(said)


@pytest.mark.parametrize("text", ["a: &x {b: *x}\n", "detector: &x {epochs: *x}\n", "train: &x [*x]\n"])
def test_setting_that_holds_itself_is_refused_like_any_other(tmp_path: Path, text: str) -> None:
    assert any(complaint.startswith("data.yaml:1 - ") for complaint in complain(tmp_path, text))


def test_folder_missing_file_and_impossible_name_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"this is a folder - expected a data\.yaml - name .*data\.yaml"):
        read_config(tmp_path)
    with pytest.raises(ConfigError, match="no such file - cropsort init FOLDER writes one"):
        read_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / ("n" * 300))


def test_warnings_can_be_ignored_one_or_several(tmp_path: Path) -> None:
    assert read(tmp_path, BASE + "ignore: label-missing\n").ignore == ("label-missing",)
    assert read(tmp_path, BASE + "ignore: [label-missing, box-tiny]\n").ignore == ("label-missing", "box-tiny")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("label-mising", "'label-mising' is no warning of cropsort check, did you mean label-missing?"),
        ("row-malformed", "'row-malformed' is no warning of cropsort check"),  # an error: training would learn it
        ("nonsense", "'nonsense' is no warning of cropsort check"),
    ],
)
def test_only_warnings_can_be_ignored(tmp_path: Path, name: str, told: str) -> None:
    (line,) = complain(tmp_path, BASE + f"ignore: {name}\n")
    assert told in line
