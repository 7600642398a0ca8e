"""New classes come into data.yaml, and nothing else in it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.cluster.class_list import add_classes, extend_names
from pipeline.errors import ConfigError

HERE = Path("data.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("names: [ace, king]  # two\nseed: 1\n", "names: [ace, king, 사과]  # two\nseed: 1\n"),
        ("names: [ace, king,]\n", "names: [ace, king, 사과,]\n"),
        ("names: [ace,\n  'king' # last\n  ]\n", "names: [ace,\n  'king', 사과 # last\n  ]\n"),
        ("names:\n- ace\n- king\nseed: 1\n", "names:\n- ace\n- king\n- 사과\nseed: 1\n"),
        ("names:\n  - ace\n  - king  # the last\n\n# end", "names:\n  - ace\n  - king  # the last\n  - 사과\n\n# end"),
        ("names:\n  - ace", "names:\n  - ace\n  - 사과"),
        ("names:\n  0: ace\n  1: king # b\nseed: 1\n", "names:\n  0: ace\n  1: king # b\n  2: 사과\nseed: 1\n"),
        ("names:\n  1: king\n  0: ace\nseed: 1\n", "names:\n  1: king\n  0: ace\n  2: 사과\nseed: 1\n"),
        ("names: {0: ace, 1: king}\n", "names: {0: ace, 1: king, 2: 사과}\n"),
        ("nc: 2  # classes\nnames: [ace, king]\n", "nc: 3  # classes\nnames: [ace, king, 사과]\n"),
        ("names: [ace, king]\nnc: 2\n", "names: [ace, king, 사과]\nnc: 3\n"),
        ("names:\r\n  - ace\r\nseed: 1\r\n", "names:\r\n  - ace\r\n  - 사과\r\nseed: 1\r\n"),
        ("\ufeffnames: [ace]\n", "\ufeffnames: [ace, 사과]\n"),
        ("{names: [ace], train: a}\n", "{names: [ace, 사과], train: a}\n"),
        ("# 🙂\nnames: [여왕]\n", "# 🙂\nnames: [여왕, 사과]\n"),
    ],
)
def test_names_are_extended_however_they_are_written(before: str, after: str) -> None:
    assert extend_names(before.encode(), ("사과",), where=HERE).decode() == after


@pytest.mark.parametrize("names", ["[ace]", "\n  - ace", "{0: ace}", "\n  0: ace"])
@pytest.mark.parametrize("name", ["7", "yes", "a, b", "it's", "- x", "a: b", "#1", "null", "{x}", "사 과", "1-2", "*"])
def test_names_that_yaml_would_take_for_something_else_come_back_as_they_are(names: str, name: str) -> None:
    made = yaml.safe_load(extend_names(f"names: {names}\n".encode(), (name, "pear"), where=HERE))["names"]
    assert (list(made.values()) if isinstance(made, dict) else made) == ["ace", name, "pear"]


@pytest.mark.parametrize(
    "text",
    [
        "base: &base\n  names: [ace]\n<<: *base\n",
        "ignore: &shared [ace]\nnames: *shared\n",
        "names:\n  - |\n    ace\nseed: 1\n",
    ],
)
def test_names_that_cannot_be_extended_alone_are_left(tmp_path: Path, text: str) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="write them there by hand"):
        add_classes(file, ["사과"])
    assert file.read_text(encoding="utf-8") == text


def test_a_link_stays_a_link_and_nothing_new_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("names: [ace]\n", encoding="utf-8")
    link = tmp_path / "data.yaml"
    link.symlink_to(file)
    add_classes(link, ["king"])
    assert link.is_symlink() and file.read_text(encoding="utf-8") == "names: [ace, king]\n"
    before = file.stat().st_mtime_ns
    add_classes(link, [])
    assert file.stat().st_mtime_ns == before
