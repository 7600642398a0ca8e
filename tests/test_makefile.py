"""The Makefile: its targets, and that a path reaches the command as it was typed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.environment import ROOT

MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None or os.name == "nt", reason="needs make and a POSIX shell")

TARGETS = ["setup", "doctor", "label", "train", "check", "predict", "report", "correct"]
TARGETS += ["evaluate", "sample", "init", "import"]
TARGETS += ["test", "test-slow", "lint", "format", "lock", "bench", "clean"]
STAND_IN = """\
#!/bin/sh
# Set-up makes a Python for .venv that writes down what it is called with.
case "$*" in
    "-m pipeline setup") stamp=.ready ;;
    "-m pipeline setup --label") stamp=.ready-label ;;
    "-m pipeline doctor"*) printf '%s\\0' "$@" > called; exit 0 ;;
    *) exit 99 ;;
esac
mkdir -p .venv/bin
printf '#!/bin/sh\\nprintf "%%s\\\\0" "$@" > called; exit ${EXIT_CODE:-0}\\n' > .venv/bin/python
chmod +x .venv/bin/python
touch .venv/$stamp set-up
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile and a stand-in for Python."""
    root = tmp_path / "내 project"
    root.mkdir()
    for name in ("Makefile", "requirements.lock", "requirements-label.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    (root / "python").write_text(STAND_IN, encoding="utf-8")
    (root / "python").chmod(0o755)
    return root


def run_make(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make without what an outer make, which may run these tests, hands on."""
    inherited = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "DATA", "PHOTOS", "OUT", "PYTHON"}
    surroundings = {name: value for name, value in os.environ.items() if name not in inherited}
    command = [MAKE or "make", *arguments, "PYTHON=./python"]
    env = {**surroundings, **variables}
    return subprocess.run(command, cwd=root, env=env, check=False, capture_output=True, text=True, encoding="utf-8")


def read_call(root: Path) -> list[str]:
    """Arguments that the stand-in was called with."""
    return (root / "called").read_text(encoding="utf-8").split("\0")[:-1]


def test_make_alone_lists_every_target(project: Path) -> None:
    shown = run_make(project)
    assert shown.returncode == 0
    listed = re.findall(r"^make (\S+) +\S", shown.stdout, re.MULTILINE)
    assert listed == TARGETS
    assert not (project / "set-up").exists()


def test_every_listed_target_is_phony() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(TARGETS) <= set(phony.group(1).split())


@pytest.mark.parametrize(
    "photos",
    [
        "내 사진 (1)",
        "it's",
        'the "best" ones',
        "a;b&c|d>e",
        "`date` \\ *",
        "#1, 50%",
        "--help",
        " in front",
    ],
)
def test_photos_reach_the_command_as_typed(project: Path, photos: str) -> None:
    out = f"out of {photos}"
    shown = run_make(project, "predict", f"PHOTOS={photos}", f"OUT={out}")
    assert shown.returncode == 0, shown.stderr
    # make itself drops blanks in front of a value
    expected = ["-m", "pipeline", "predict", "--data", "data.yaml", "--out", out, "--", photos.lstrip()]
    assert read_call(project) == expected


def test_dollar_is_written_twice(project: Path) -> None:
    run_make(project, "predict", "PHOTOS=$$HOME $$(date)", "DATA=my $$data.yaml")
    assert read_call(project) == ["-m", "pipeline", "predict", "--data", "my $data.yaml", "--", "$HOME $(date)"]


@pytest.mark.parametrize("target", ["predict", "init", "import"])
def test_without_photos_one_line_says_so_before_anything_is_set_up(project: Path, target: str) -> None:
    shown = run_make(project, target)
    assert shown.returncode == 2
    assert shown.stderr.count("\n") == 1
    assert f'make {target} PHOTOS="' in shown.stderr
    assert not (project / "set-up").exists()


def test_init_is_given_the_photos(project: Path) -> None:
    assert run_make(project, "init", "PHOTOS=내 사진").returncode == 0
    assert read_call(project) == ["-m", "pipeline", "init", "--", "내 사진"]
    assert run_make(project, "init", "PHOTOS=내 사진", "DATA=my data.yaml").returncode == 0
    assert read_call(project) == ["-m", "pipeline", "init", "--data", "my data.yaml", "--", "내 사진"]
    assert run_make(project, "init", "PHOTOS=내 사진", "NAMES=사과, my pear").returncode == 0
    assert read_call(project) == ["-m", "pipeline", "init", "--names", "사과, my pear", "--", "내 사진"]


def test_import_is_given_the_photos_and_where_to(project: Path) -> None:
    run_make(project, "import", "PHOTOS=내 사진", "OUT=my copies")
    assert read_call(project) == ["-m", "pipeline", "import", "--out", "my copies", "--", "내 사진"]
    run_make(project, "import", "PHOTOS=내 사진")
    assert read_call(project) == ["-m", "pipeline", "import", "--", "내 사진"]


def test_check_is_given_data_and_the_folder_of_the_page(project: Path) -> None:
    run_make(project, "check", "DATA=내 data.yaml", "OUT=my page")
    assert read_call(project) == ["-m", "pipeline", "check", "--data", "내 data.yaml", "--out", "my page"]


def test_report_is_given_the_results_and_where_the_workbook_goes(project: Path) -> None:
    run_make(project, "report", "RESULTS=reports/내 사진 (1)", "OUT=for kim.xlsx")
    assert read_call(project) == ["-m", "pipeline", "report", "--out", "for kim.xlsx", "--", "reports/내 사진 (1)"]
    run_make(project, "report", 'RESULTS=it\'s; a "b"')
    assert read_call(project) == ["-m", "pipeline", "report", "--", 'it\'s; a "b"']


def test_correct_is_given_the_workbook_and_the_data(project: Path) -> None:
    run_make(project, "correct", "WORKBOOK=내 report `1`.xlsx", "DATA=내 data.yaml")
    assert read_call(project) == ["-m", "pipeline", "correct", "--data", "내 data.yaml", "--", "내 report `1`.xlsx"]


@pytest.mark.parametrize(("target", "wanted"), [("report", "RESULTS"), ("correct", "WORKBOOK")])
def test_without_what_to_work_on_one_line_says_so_before_anything_is_set_up(
    project: Path, target: str, wanted: str
) -> None:
    shown = run_make(project, target, **{wanted: "from the surroundings"})
    assert shown.returncode == 2
    assert shown.stderr.count("\n") == 1
    assert f"{wanted} is empty - " in shown.stderr
    assert f"make {target} {wanted}=" in shown.stderr
    assert not (project / "set-up").exists()


def test_sample_is_drawn_where_one_says(project: Path) -> None:
    run_make(project, "sample")
    assert read_call(project) == ["-m", "pipeline", "sample", "--", "sample"]
    run_make(project, "sample", "OUT=my sample")
    assert read_call(project) == ["-m", "pipeline", "sample", "--", "my sample"]


def test_doctor_looks_at_what_is_there_and_sets_nothing_up(project: Path) -> None:
    assert run_make(project, "doctor").returncode == 0
    assert read_call(project) == ["-m", "pipeline", "doctor"]
    run_make(project, "doctor", "DATA=내 data.yaml")
    assert read_call(project) == ["-m", "pipeline", "doctor", "--data", "내 data.yaml"]
    assert not (project / "set-up").exists()


def test_doctor_does_not_start_an_environment_that_may_be_broken(project: Path) -> None:
    run_make(project, "evaluate")
    (project / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 99\n", encoding="utf-8")
    assert run_make(project, "doctor").returncode == 0
    assert read_call(project) == ["-m", "pipeline", "doctor"]


def test_surroundings_do_not_choose_the_data(project: Path) -> None:
    run_make(project, "train", DATA="/data", OUT="/out")
    assert read_call(project) == ["-m", "pipeline", "train", "--data", "data.yaml"]


def test_failed_command_fails_make(project: Path) -> None:
    shown = run_make(project, "train", EXIT_CODE="1")
    assert shown.returncode == 2, "GNU make ends with 2 whatever a command ended with"
    assert "Error 1" in shown.stderr


def test_set_up_runs_once_and_again_for_a_newer_lock(project: Path) -> None:
    run_make(project, "evaluate")
    (project / "set-up").unlink()
    run_make(project, "evaluate")
    assert not (project / "set-up").exists()
    ready = (project / ".venv" / ".ready").stat().st_mtime
    os.utime(project / "requirements.lock", (ready + 10, ready + 10))
    run_make(project, "evaluate")
    assert (project / "set-up").exists()


def test_labelimg_is_fetched_for_label_alone_and_once(project: Path) -> None:
    assert run_make(project, "train").returncode == 0
    assert not (project / ".venv" / ".ready-label").exists()
    (project / "set-up").unlink()
    assert run_make(project, "label", "DATA=내 data.yaml").returncode == 0
    assert read_call(project) == ["-m", "pipeline", "label", "--data", "내 data.yaml"]
    assert (project / ".venv" / ".ready-label").exists()
    (project / "set-up").unlink()
    assert run_make(project, "label").returncode == 0
    assert not (project / "set-up").exists()


def test_clean_keeps_what_is_dear(project: Path) -> None:
    for name in (".venv", "weights", "runs", "reports", "build", ".mypy_cache", "pipeline/__pycache__"):
        (project / name).mkdir(parents=True)
    assert run_make(project, "clean").returncode == 0
    left = {path.name for path in project.iterdir() if path.is_dir()}
    assert left == {".venv", "weights", "runs", "reports", "pipeline"}
    assert not (project / "pipeline" / "__pycache__").exists()
