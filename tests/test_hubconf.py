"""torch.hub's door to a trained pair."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Run

from pipeline.environment import ROOT
from pipeline.errors import WeightsError
from pipeline.sorter import Sorter

load: Any = torch.hub.load  # torch gives it no types

ELSEWHERE = """
import importlib.util, json, sys
import torch
# a development install would find the package by itself
sys.meta_path = [one for one in sys.meta_path if "__editable__" not in getattr(one, "__module__", "")]
assert importlib.util.find_spec("pipeline") is None
root, weights, photo = sys.argv[1:]
sorter = torch.hub.load(root, "custom", path=weights, source="local", device="cpu")
print(json.dumps([[one.class_name, one.detection.box.edges] for one in sorter(photo)]))
"""


@pytest.fixture
def photo(home: Path) -> Path:
    return home / "images" / "val" / "photo-0009.jpg"


def test_hub_gives_what_load_gives(
    eager: Path, sorter: Sorter, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(str(ROOT), "custom", path=str(eager), source="local", device="cpu")
    assert type(loaded) is Sorter
    assert loaded(photo) == sorter(photo)


@pytest.mark.slow
def test_program_in_another_folder_needs_only_where_the_project_is(
    eager: Path, sorter: Sorter, photo: Path, tmp_path: Path, cropsort: Run
) -> None:
    folder = tmp_path / "남의 프로그램"
    shutil.copytree(eager, folder / "내 무게")
    answer = cropsort(ROOT, "내 무게", photo, cwd=folder, code=ELSEWHERE, PYTHONPATH="")
    assert answer.returncode == 0, answer.stderr
    found = [(name, tuple(edges)) for name, edges in json.loads(answer.stdout)]
    assert found == [(one.class_name, one.detection.box.edges) for one in sorter(photo)]
    assert found


def test_missing_pair_is_said_as_load_says_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no trained detector and classifier here - train first"):
        load(str(ROOT), "custom", path=str(tmp_path), source="local")


def test_missing_package_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    text = (ROOT / "hubconf.py").read_text(encoding="utf-8").replace('"rich"', '"rich", "no_such_package"')
    (tmp_path / "hubconf.py").write_text(text, encoding="utf-8")
    with pytest.raises(RuntimeError, match="Missing dependencies: no_such_package"):
        load(str(tmp_path), "custom", path=".", source="local")
