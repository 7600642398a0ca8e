"""Work in a process of its own: what comes back, however it ends, and that nothing is left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apart_work as work
import cv2
import numpy as np
import psutil
import pytest
import torch

from pipeline.apart import Apart, is_out_of_memory, run_apart
from pipeline.environment import ROOT
from pipeline.errors import ConfigError, CropsortError, DataError, OutOfMemoryError, ProcessDiedError

MB = 2**20
SELF = psutil.Process()
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="proportional memory")


@pytest.fixture(scope="module", autouse=True)
def _tracker() -> None:
    """Python starts a process with the first of ours that ends with this one."""
    run_apart(work.add, 1, 1)


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = _belongings()
    yield
    assert _belongings() == before
    assert not list(folder.iterdir())


def _belongings() -> tuple[set[int], int, int]:
    handles = 0 if sys.platform == "win32" else SELF.num_fds()
    return {child.pid for child in SELF.children(recursive=True)}, threading.active_count(), handles


def _gone(*pids: int) -> bool:
    """Whether the processes end soon; in a container nobody may have asked for the last word of some."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _start(folder: Path, function: str) -> tuple[subprocess.Popen[str], list[int]]:
    """Run a script that has work done apart, as a terminal would; also the processes that the work consists of."""
    folder.mkdir()
    script = folder / "a script.py"
    lines = "import apart_work", "from pipeline.apart import run_apart", "if __name__ == '__main__':"
    call = f"    run_apart(apart_work.{function}, on_message=lambda pids: print(*pids, flush=True))"
    script.write_text("\n".join([*lines, call]), encoding="utf-8")
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    started = subprocess.Popen(
        [sys.executable, "-W", "error", script.name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert started.stdout
    return started, [int(word) for word in started.stdout.readline().split()]


@pytest.mark.parametrize(
    ("said", "heard"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE"), pytest.param("", "", marks=on_posix)]
)
def test_idle_threads_sleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: str | None, heard: str
) -> None:
    name = "OMP_WAIT_POLICY"
    if said is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, said)
    assert run_apart(os.getenv, name).result == heard
    assert os.environ.get(name) == said


def test_result_and_messages_come_back_in_order() -> None:
    told: list[object] = []
    outcome = run_apart(work.count, 1000, on_message=told.append)
    assert told == list(range(1000))
    assert outcome.result != os.getpid()


def test_messages_may_be_left_unread() -> None:
    assert run_apart(work.add, 1, 2).result == 3


def test_work_prints_nothing_here(capfd: pytest.CaptureFixture[str]) -> None:
    run_apart(work.chatter)
    assert capfd.readouterr() == ("", "")


def test_data_loaders_start_their_processes_as_elsewhere() -> None:
    default = run_apart(work.chatter).result
    assert (
        default
        == subprocess.run(
            [sys.executable, "-c", "import multiprocessing as m; print(m.get_start_method(), end='')"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_one_process_does_several_works() -> None:
    with Apart() as process:
        first, second = (process.call(work.count, count).result for count in (1, 2))
        with pytest.raises(KeyError):
            process.call(work.raise_bug)
        assert process.call(work.count, 0).result == first == second


def test_after_its_death_a_fresh_process_goes_on() -> None:
    with Apart() as process:
        first = process.call(work.count, 1).result
        with pytest.raises(ProcessDiedError):
            process.call(work.leave, 1)
        assert process.call(work.count, 1).result != first


def test_process_that_died_between_two_works_is_told() -> None:
    with Apart() as process:
        os.kill(process.call(work.count, 1).result, signal.SIGTERM)
        with pytest.raises(ProcessDiedError):
            process.call(work.count, 1)


def test_work_may_have_work_done_apart_itself() -> None:
    assert run_apart(work.nest).result == 7


def test_own_errors_keep_all_their_fields() -> None:
    with pytest.raises(ConfigError) as caught:
        run_apart(work.raise_config)
    assert str(caught.value) == "data.yaml:3 - found - expected this - do that"
    assert (caught.value.line, caught.value.remedy) == (3, "do that")


def test_several_errors_come_back_together() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        run_apart(work.raise_group)
    assert [(type(error), str(error)) for error in caught.value.exceptions] == [
        (DataError, "one"),
        (DataError, "x - another"),
    ]


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (work.raise_bug, KeyError),
        (work.raise_odd, RuntimeError),
        (work.return_unpicklable, (AttributeError, TypeError)),
    ],
)
def test_bug_is_raised_here_with_the_traceback_from_there(function: Callable[..., None], kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        run_apart(function)
    assert any("apart_work.py" in note or "apart_child.py" in note for note in caught.value.__notes__)


def test_unpicklable_work_is_refused_before_a_process_starts() -> None:
    with pytest.raises((AttributeError, TypeError)):
        run_apart(lambda _: None)


@on_posix
@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (work.die, (11,), "died of SIGSEGV, after it said: the last words"),
        (work.die, (15,), "died of SIGTERM, after it said: the last words"),
        (work.die, (50,), "died of signal 50, after it said: the last words"),
        (work.crash, (), "died of SIGSEGV"),
        (work.leave, (3,), "ended with exit code 3, after it said: no weights today"),
        (work.leave, (0,), "ended with exit code 0, after it said: no weights today"),
    ],
)
def test_death_is_one_line(function: Callable[..., None], arguments: tuple[int, ...], said: str) -> None:
    told: list[object] = []
    with pytest.raises(ProcessDiedError) as caught:
        run_apart(function, *arguments, on_message=told.append, name="the training")
    assert str(caught.value) == f"the training - the process {said}"
    assert told == (["alive"] if function is work.die else [])


@on_posix
def test_killed_by_the_system_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemoryError, match=r"^the training - was killed, as the system does when memory runs out"):
        run_apart(work.die, int(signal.SIGKILL), name="the training")


@on_posix
def test_native_code_that_finds_no_memory_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemoryError, match="bad_alloc"):
        run_apart(work.exhaust_natively)


@pytest.mark.parametrize("said", ["", "CUDA out of memory. Tried to allocate 20.00 MiB.\nGPU 0"])
def test_memory_error_of_the_work_leaves_the_process_alive(said: str) -> None:
    with Apart("the training") as process:
        first = process.call(work.count, 1).result
        with pytest.raises(OutOfMemoryError, match=r"^the training - ") as caught:
            process.call(work.raise_memory, said)
        assert "\n" not in str(caught.value)
        assert process.call(work.count, 1).result == first


@pytest.mark.slow
def test_torch_that_finds_no_memory_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemoryError, match="you tried to allocate"):
        run_apart(work.allocate_with_torch)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(work.take, (400 * MB, 60.0)), (work.take_in_a_descendant, (400 * MB,))],
)
def test_process_over_its_limit_is_killed(function: Callable[..., object], arguments: tuple[float, ...]) -> None:
    begin = time.monotonic()
    with pytest.raises(OutOfMemoryError, match=r"^the training - took \d+ MB of memory - expected at most 150 MB"):
        run_apart(function, *arguments, limit_bytes=150 * MB, name="the training")
    assert time.monotonic() - begin < 60


def test_process_under_its_limit_is_measured() -> None:
    with Apart() as process:
        large = process.call(work.take, 300 * MB, 0.4, limit_bytes=600 * MB).peak_bytes
        small = process.call(work.take, 100 * MB, 0.4).peak_bytes
    assert 300 * MB < large < 345 * MB
    assert 100 * MB < small < 145 * MB


@on_linux
def test_memory_that_data_loaders_share_counts_once(tmp_path: Path) -> None:
    peak = run_apart(work.load_then_take, tmp_path, 200 * MB, limit_bytes=300 * MB).peak_bytes
    assert 200 * MB < peak < 260 * MB


def test_process_that_does_not_answer_in_time_is_killed() -> None:
    pids: list[int] = []
    with pytest.raises(ProcessDiedError, match=r"^probing - no answer within 1 s"):
        run_apart(work.sleep_with_descendant, on_message=pids.extend, timeout=1, name="probing")  # type: ignore[arg-type]
    assert len(pids) == 2
    assert _gone(*pids)


@on_posix
def test_processes_that_it_left_behind_are_killed() -> None:
    left: list[object] = []
    begin = time.monotonic()
    with pytest.raises(ProcessDiedError):
        run_apart(work.fork_and_die, int(signal.SIGTERM), on_message=left.append)
    assert time.monotonic() - begin < 60  # it holds the pipes open
    assert isinstance(left[0], int)
    assert _gone(left[0])


def test_error_of_the_listener_ends_the_process() -> None:
    pids: list[int] = []

    def listen(told: object) -> None:
        assert isinstance(told, tuple)
        pids.extend(told)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_apart(work.sleep_with_descendant, on_message=listen)
    assert _gone(*pids)


@on_posix
def test_ctrl_c_ends_the_process_and_all_that_it_started(tmp_path: Path) -> None:
    started, pids = _start(tmp_path / "내 사진 (1)", "sleep_with_descendant")
    os.killpg(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=20)
    assert started.returncode == -signal.SIGINT
    assert said.count("Traceback") == 1
    assert said.strip().endswith("KeyboardInterrupt")
    assert len(pids) == 2
    assert _gone(*pids)


@on_posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_process_does_not_outlive_the_one_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    started, pids = _start(tmp_path / "내 사진 (1)", "sleep_with_descendant")
    started.send_signal(number)
    _, said = started.communicate(timeout=20)
    assert said == ""
    assert len(pids) == 2
    assert _gone(*pids)


@pytest.mark.parametrize("options", [["-c"], ["-W", "error", "-c"]])
def test_program_without_a_file_can_have_work_done_apart(options: list[str]) -> None:
    code = "from pipeline.apart import run_apart; print(run_apart(print, 4, timeout=60).result)"
    done = subprocess.run(
        [sys.executable, *options, code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_full_or_missing_temporary_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    with pytest.raises(CropsortError, match="no such folder"):
        run_apart(work.add, 1, 2)


def _numpy_error() -> MemoryError:
    with pytest.raises(MemoryError) as caught:
        np.empty(2**59)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("x"),
        torch.OutOfMemoryError("Allocation on device"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("could not create a primitive"),
        OSError("out of memory when reading image file"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("FIND was unable to find an engine to execute this computation"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1 GB, max allowed: 9 GB)"),
        RuntimeError("Invalid buffer size: 24.00 GiB"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
                     "workers are out of shared memory. Please try to raise your shared memory limit."),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        _numpy_error(),
        cv2.error("OpenCV(4.13.0) error: (-4:Insufficient memory) Failed to allocate 9 bytes in function 'x'"),
    ],
    ids=lambda error: f"{type(error).__name__}-{str(error)[:30]}",
)  # fmt: skip
def test_memory_that_ran_out_is_recognised(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("out of memory"),
        DataError("a class called 'out of memory'"),
        cv2.error("(-215:Assertion failed) !_src.empty() in function 'cvtColor'"),
    ],
    ids=lambda error: f"{type(error).__name__}-{str(error)[:30]}",
)
def test_other_errors_are_not_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)
