"""The README's view, taken from there and run in a Django site of one file."""

from __future__ import annotations

import re
import shutil
from contextlib import chdir
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.environment import ROOT
from pipeline.sorter import Sorter

pytest.importorskip("django", reason="Django is in the dev extra only")

import django
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import path


@pytest.fixture(scope="module")
def site(eager: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of the site whose one view is the README's."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## In a Django site\n.*?^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, "README.md shows no view"
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(eager, folder / "weights" / "sample")
    settings.configure(ALLOWED_HOSTS=["testserver"])
    django.setup()
    urls: Any = ModuleType("urls")
    with chdir(folder):
        exec(compile(found[1], "README.md", "exec"), urls.__dict__)
    urls.urlpatterns = [path("sort", urls.sort_photo)]
    settings.ROOT_URLCONF = urls
    return Client()


def upload(site: Any, data: bytes) -> Any:
    return site.post("/sort", {"photo": SimpleUploadedFile("사진.jpg", data)})


def test_photo_is_answered_with_classes_confidences_and_boxes(site: Any, sorter: Sorter, home: Path) -> None:
    photo = home / "images" / "val" / "photo-0009.jpg"
    answer = upload(site, photo.read_bytes())
    assert answer.status_code == 200
    wanted = [
        {"class": one.class_name, "confidence": one.confidence, "box": list(one.detection.box.edges)}
        for one in sorter(photo)
    ]
    assert answer.json() == {"subjects": wanted}
    assert wanted


@pytest.mark.parametrize("data", [b"no photo at all", b"\xff\xd8\xff\xe0 cut"], ids=["text", "cut"])
def test_file_that_is_no_photo_is_refused_in_a_line(site: Any, data: bytes) -> None:
    answer = upload(site, data)
    assert answer.status_code == 400
    (said,) = answer.json().values()
    assert said
    assert "\n" not in said


def test_upload_without_a_photo_is_refused(site: Any) -> None:
    answer = site.post("/sort", {"picture": SimpleUploadedFile("a.jpg", b"x")})
    assert (answer.status_code, answer.json()) == (400, {"error": "no file called photo"})
    assert site.get("/sort").status_code == 405
