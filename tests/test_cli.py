"""The command line: quick help, one-line errors, exit codes that tell what kind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from photos import ACE, KING, hash_files, write_labelled, write_text

from pipeline.cli import app
from pipeline.problems import Kind

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)
# not pydantic: typer imports it by itself
HEAVY = {"torch", "torchvision", "ultralytics", "lightning", "pandas", "cv2", "numpy", "PIL", "matplotlib"}


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, encoding="utf-8")


def complain(folder: Path, *arguments: str | Path, code: int) -> str:
    """The one line on standard error of a command that fails."""
    done = run(folder, *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done
    (line,) = done.stderr.splitlines()
    return line


def run_here(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout


def test_help_of_everything_is_there_and_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from pipeline import cli\n"
        "for command in [[]] + [[name] for name in sys.argv[1:]]:\n"
        "    sys.argv[1:] = [*command, '--help']\n"
        "    try:\n"
        "        cli.main()\n"
        "    except SystemExit as leaving:\n"
        "        assert leaving.code == 0, command\n"
        "print('modules:', *sys.modules)\n"
    )
    text, _, modules = run_here(script, *COMMANDS).partition("modules:")
    assert len(re.findall(r"^ *Usage: ", text, re.MULTILINE)) == 1 + len(COMMANDS)
    assert HEAVY & set(modules.split()) == set()
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*", text, re.MULTILINE), name


def test_every_command_is_documented() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md yet")
    text = readme.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if not re.search(rf"\b(make|cropsort|pipeline) {name}\b", text)] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trian",), "No such command 'trian'"),
        (("train", "--dat", "x"), "No such option"),
        (("init",), "Missing argument"),
        (("sample", "new", "--photos", "1"), "Invalid value"),
    ],
)
def test_usage_error_leaves_with_2_and_says_what(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_size_that_is_none_leaves_with_2_says_so_and_draws_nothing(tmp_path: Path) -> None:
    sizes = ["nonsense", "640", "640x", "x480", "640x480x3", "²x³", ""]
    script = (
        "import sys\nfrom pipeline import cli\n"
        "for size in sys.argv[1:]:\n"
        "    sys.argv[1:] = ['sample', 'new', '--size', size]\n"
        "    try:\n        cli.main()\n"
        "    except SystemExit as leaving:\n        assert leaving.code == 2, size\n"
    )
    command = [sys.executable, "-c", script, *sizes]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, encoding="utf-8")
    expected = "expected width x height in pixels, such as 4032x3024"
    assert done.stderr.splitlines() == [f"cropsort: --size - '{size}' - {expected}" for size in sizes]
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_missing_data_yaml_leaves_with_2_and_says_how_to_make_one(tmp_path: Path, command: str) -> None:
    line = complain(tmp_path, command, code=2)
    assert line == "cropsort: data.yaml - no such file - cropsort init FOLDER writes one for a folder of photos"


def test_everything_wrong_in_data_yaml_is_a_line_each(tmp_path: Path) -> None:
    write_text(tmp_path / "data.yaml", "train: a\nnames: [a]\nsede: 1\ndetector:\n  epoch: 2\n")
    done = run(tmp_path, "train")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "cropsort: data.yaml:5 - unknown key 'detector.epoch' - did you mean 'epochs'?",
        "cropsort: data.yaml:3 - unknown key 'sede' - did you mean 'seed'?",
    ]


def test_wrong_data_leaves_with_1(tmp_path: Path) -> None:
    line = complain(tmp_path, "init", "없는 폴더", code=1)
    assert line == "cropsort: 없는 폴더 - no such folder - check the spelling"


def test_debug_shows_the_traceback_of_the_same_error(tmp_path: Path) -> None:
    done = run(tmp_path, "--debug", "init", "none")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.splitlines()[-1] == "pipeline.errors.DataError: none - no such folder - check the spelling"


def test_init_says_what_it_found_and_what_comes_next_and_does_it_only_once(tmp_path: Path) -> None:
    folder = tmp_path / "내 사진 [1]"
    write_labelled(folder, {f"p{i}": [ACE if i % 2 else KING] for i in range(10)}, ("king", "ace"))
    (folder / "broken.jpg").touch()
    done = run(tmp_path, "init", folder.name)
    assert (done.returncode, done.stderr) == (0, "")
    note, made, hint = done.stdout.splitlines()
    file = Path(folder.name, "data.yaml")
    assert note.startswith(f"warning: {Kind.PHOTO_UNREADABLE.title}: {file.with_name('broken.jpg')} - ")
    assert made == f"{file}: 2 classes (king, ace), 8 train, 2 val photos"
    assert hint == f'go on with: make train DATA="{file}"'
    before = hash_files(tmp_path)
    line = complain(tmp_path, "init", folder.name, code=2)
    assert line == f"cropsort: {file} - is there already - move it away, or choose another name with --data"
    assert hash_files(tmp_path) == before


def test_sample_draws_a_data_set_that_is_named_and_never_into_a_full_folder(tmp_path: Path) -> None:
    done = run(tmp_path, "sample", "new", "--photos", "6", "--size", "128x96")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f'6 photos drawn; go on with: make train DATA="{Path("new", "data.yaml")}"\n'
    before = hash_files(tmp_path)
    line = complain(tmp_path, "sample", "new", code=1)
    assert line == "cropsort: new - is not empty - expected a new or empty folder - name another folder"
    assert hash_files(tmp_path) == before


def test_predict_on_a_missing_folder_leaves_with_1_and_writes_nothing(tmp_path: Path) -> None:
    line = complain(tmp_path, "predict", "없는 사진", code=1)
    assert line == "cropsort: 없는 사진 - no such folder - check the spelling"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_leaves_with_130_says_so_and_leaves_no_half_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "sample", "new", "--photos", "5000", "--size", "128x96"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            end = time.monotonic() + 60
            while not list((tmp_path / "new").rglob("*.jpg")) and time.monotonic() < end:
                time.sleep(0.02)
            child.send_signal(signal.SIGINT)
            out, said = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (child.returncode, out) == (130, "")
    assert said.splitlines()[-1] == "cropsort: stopped; what was finished stays"
    assert "Traceback" not in said
    assert not [path for path in (tmp_path / "new").rglob("*") if ".part" in path.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_full_disk_is_one_line_wherever_it_is_met(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom pipeline import cli\n"
        "@cli.app.command()\ndef fill() -> None:\n    Path('/dev/full').write_text('x' * 100_000)\n"
        "sys.argv[1:] = ['fill']\ncli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith(" - the disk is full - free some space and run the same command again\n")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "raised", ["MemoryError()", "RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB.\\nmore')"]
)
def test_memory_that_runs_out_is_one_line_wherever_it_does(tmp_path: Path, raised: str) -> None:
    script = (
        "import sys\nfrom pipeline import cli\n"
        f"@cli.app.command()\ndef fill() -> None:\n    raise {raised}\n"
        "sys.argv[1:] = ['fill']\ncli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("cropsort: memory ran out (")
    assert len(done.stderr.splitlines()) == 1


def test_names_that_a_korean_console_lacks_do_not_end_a_command(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "cp949"}
    command = [sys.executable, "-m", "pipeline", "init", "Zoë 책 😀"]
    done = subprocess.run(command, cwd=tmp_path, env=env, check=False, capture_output=True)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("cropsort: Zoë 책 😀 - no such folder")
