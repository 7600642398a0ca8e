"""Memory: what a device has, how limits are written and chosen, and what processes take."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import torch

from pipeline.container import container_room
from pipeline.errors import ConfigError
from pipeline.memory import GB, MB, Meter, Room, choose_limit, format_bytes, measure_pss, measure_room, parse_memory

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0
HERE = Room("cpu", "a laptop", 16 * GB, 10 * GB, "")
CARD = Room("0", "a card", 4 * GB, 3 * GB, "580.1")


@contextmanager
def _taking(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has run the code, and waits."""
    lines = f"import sys, os\n{code}\nprint('ready', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        assert process.stdin
        process.stdin.close()


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="ascii")
    return folder


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4GB", 4 * GB),
        ("4 GB", 4 * GB),
        ("4gb", 4 * GB),
        (" 1.5Gb ", 3 * GB // 2),
        ("900MB", 900 * MB),
        ("80%", 8 * GB),
        ("80 %", 8 * GB),
        ("100%", 10 * GB),
        ("10GB", 10 * GB),
    ],
)
def test_limit_is_understood(text: str, count: int) -> None:
    assert parse_memory(text, 10 * GB) == count


@pytest.mark.parametrize("text", ["4 gigs", "4", "", "GB", "-4GB", "4,5GB", "4GiB", "4GB 2MB", "nanGB", "80 percent"])
def test_limit_written_otherwise_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_memory(text, 10 * GB)
    assert str(caught.value) == f"memory - {text!r} is no amount of memory - expected 4GB, 900MB or 80%"


@pytest.mark.parametrize("text", ["11GB", "101%", "9" * 30 + "GB"])
def test_limit_over_what_there_is_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_memory(text, 10 * GB)
    assert str(caught.value) == f"memory - a limit of {text} - expected no more than the 10.0 GB that the device has"


@pytest.mark.parametrize("text", ["0GB", "0 %", "0.0000000001MB"])
def test_limit_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected more than nothing"):
        parse_memory(text, 10 * GB)


@pytest.mark.parametrize(
    ("room", "limit"),
    [
        (HERE, 10 * GB - 16 * GB // 10),
        (Room("cpu", "", 4 * GB, 3 * GB, ""), 3 * GB - 512 * MB),
        (Room("cpu", "", 64 * GB, 8 * GB, ""), 4 * GB),
        (Room("cpu", "", 16 * GB, 0, ""), 0),
        (Room("mps", "", 16 * GB, 10 * GB, ""), 10 * GB - 16 * GB // 10),
        (CARD, 3 * GB - 3 * GB // 20),
    ],
)
def test_default_limit_leaves_a_margin(room: Room, limit: int) -> None:
    assert choose_limit(None, room) == (limit, "")


@pytest.mark.parametrize(("wanted", "limit"), [("10GB", 10 * GB), ("50%", 8 * GB), ("1 mb", MB)])
def test_wanted_limit_is_taken_where_it_is_free(wanted: str, limit: int) -> None:
    assert choose_limit(wanted, HERE) == (limit, "")


def test_wanted_limit_is_cut_to_what_is_free_and_says_so() -> None:
    limit, note = choose_limit("4GB", CARD)
    assert limit == choose_limit(None, CARD)[0]
    assert note == "memory: 4GB is wanted, but only 3.0 GB are free now; going on with 2.9 GB"


def test_wanted_limit_over_the_device_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no more than the 4\.0 GB"):
        choose_limit("4.1GB", CARD)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 MB"), (900 * MB, "900 MB"), (GB, "1.0 GB"), (int(3.24 * GB), "3.2 GB")]
)
def test_amounts_are_written_for_people(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(("total", "free"), [(1, 2), (1, -1), (-1, -1)])
def test_impossible_room_is_refused(total: int, free: int) -> None:
    with pytest.raises(ValueError, match="bytes free"):
        Room("cpu", "", total, free, "")


def test_cpu_has_the_memory_of_the_machine() -> None:
    room = measure_room("cpu")
    assert room.name
    assert 0 < room.free_bytes <= room.total_bytes <= psutil.virtual_memory().total


V2 = {
    "proc/self/cgroup": "0::/user.slice/app.scope\n",
    "sys/fs/cgroup/user.slice/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/app.scope/memory.max": f"{4 * GB}\n",
    "sys/fs/cgroup/user.slice/app.scope/memory.high": "max\n",
    "sys/fs/cgroup/user.slice/app.scope/memory.current": f"{3 * GB}\n",
    "sys/fs/cgroup/user.slice/app.scope/memory.stat": f"anon {GB}\ninactive_file {GB}\nactive_file 7\n",
}
ABOVE = {"sys/fs/cgroup/user.slice/memory.max": f"{6 * GB}", "sys/fs/cgroup/user.slice/memory.current": f"{5 * GB}"}
V1 = {
    "proc/self/cgroup": "9:cpuset:/\n4:cpu,memory:/docker/abc\n0::/\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{3 * GB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {GB}\n",
}


@pytest.mark.parametrize(
    ("files", "room"),
    [
        ({}, (16 * GB, 10 * GB)),
        (V2, (4 * GB, 2 * GB)),
        (V2 | {"sys/fs/cgroup/user.slice/app.scope/memory.high": f"{3 * GB}"}, (3 * GB, GB)),
        (V2 | ABOVE, (4 * GB, GB)),
        (V2 | {"sys/fs/cgroup/user.slice/app.scope/memory.max": "max"}, (16 * GB, 10 * GB)),
        (V2 | {"sys/fs/cgroup/user.slice/app.scope/memory.current": f"{6 * GB}"}, (4 * GB, 0)),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{GB}"}, (GB, GB)),
        (V1, (4 * GB, 2 * GB)),
        (V1 | {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, (16 * GB, 10 * GB)),
    ],
    ids=["none", "v2", "v2 high", "v2 above", "v2 unlimited", "v2 overdrawn", "v2 container", "v1", "v1 unlimited"],
)
def test_container_has_less_than_the_machine(tmp_path: Path, files: dict[str, str], room: tuple[int, int]) -> None:
    assert container_room(16 * GB, 10 * GB, _write(tmp_path, files)) == room


def test_process_and_descendants_are_measured_together() -> None:
    code = "import subprocess\nb = bytearray(b'1') * (100 * 2**20)\n"
    nested = "subprocess.run([sys.executable, '-c', 'b = bytearray(b\"1\") * (80 * 2**20); print(1); input()'])"
    with _taking(f"import threading\n{code}threading.Thread(target=lambda: {nested}).start()") as process:
        end = time.monotonic() + 10
        while (taken := measure_pss(process.pid)) < 180 * MB and time.monotonic() < end:
            time.sleep(0.05)
        assert 180 * MB < taken < 240 * MB


@pytest.mark.skipif(sys.platform != "linux", reason="proportional memory")
def test_shared_memory_counts_once() -> None:
    fork = "for _ in range(3):\n    if not os.fork():\n        sys.stdin.read()\n        os._exit(0)"
    with _taking(f"b = bytearray(b'1') * (100 * 2**20)\n{fork}") as process:
        assert 100 * MB < measure_pss(process.pid) < 150 * MB


def test_process_that_is_gone_takes_nothing() -> None:
    with _taking("") as process:
        meter = Meter(process.pid)
    assert measure_pss(process.pid) == 0
    assert not meter.watch(0)
    assert meter.peak_bytes == 0


def test_meter_sees_what_measuring_sees() -> None:
    with _taking("b = bytearray(b'1') * (500 * 2**20)") as process:
        meter = Meter(process.pid)
        begin = time.monotonic()
        while time.monotonic() < begin + 1:
            assert not meter.watch(GB)
            time.sleep(0.01)
        assert meter.peak_bytes == pytest.approx(measure_pss(process.pid), rel=0.02)
        time.sleep(0.3)
        assert meter.watch(400 * MB)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel keeps the most")
def test_meter_sees_what_was_taken_between_two_looks() -> None:
    with _taking("b = bytearray(b'1') * (300 * 2**20)\nprint(1)\nsys.stdin.readline(); del b\nc = 1") as process:
        assert process.stdin
        assert process.stdout
        meter = Meter(process.pid)
        assert not meter.watch(GB)
        assert 300 * MB < meter.peak_bytes < 340 * MB
        meter.restart()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        assert meter.watch(200 * MB)
        assert 300 * MB < meter.peak_bytes < 340 * MB
        meter.restart()
        time.sleep(0.5)
        assert not meter.watch(200 * MB)
        assert meter.peak_bytes < 40 * MB


@pytest.mark.gpu
def test_gpu_is_measured_without_a_context() -> None:
    if not GPUS:
        pytest.skip("no CUDA device")
    room = measure_room("0")
    assert room.name
    assert room.driver
    assert not torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch gives it no types
    code = "import torch; print(*torch.cuda.mem_get_info(0), torch.cuda.get_device_name(0), sep='|')"
    free, total, name = subprocess.check_output([sys.executable, "-c", code], text=True).strip().split("|")
    assert room.name == name
    assert room.total_bytes == pytest.approx(int(total), rel=0.05)
    assert room.free_bytes == pytest.approx(int(free), rel=0.1)


@pytest.mark.gpu
def test_numbers_of_gpus_are_those_of_torch() -> None:
    if GPUS < 2:
        pytest.skip("no two CUDA devices")
    before = [measure_room(str(index)).free_bytes for index in range(2)]
    with _taking("import torch; kept = torch.ones(2**30, dtype=torch.uint8, device='cuda:1')"):
        after = [measure_room(str(index)).free_bytes for index in range(2)]
    assert before[0] - after[0] < GB < before[1] - after[1]
