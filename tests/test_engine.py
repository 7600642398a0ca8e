"""Networks that OpenVINO runs: converted once, kept, silent, and saying what torch says."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Run
from networks import write_detector

from pipeline import yolo
from pipeline.boxes import iou
from pipeline.engine import compiled_precision, pick_engine
from pipeline.engine.cached import find_network, keep_network, network_name, open_network
from pipeline.engine.converting import Built, Recipe
from pipeline.engine.detecting import STRIDE, load_detector, recipe_detector
from pipeline.engine.network import Network
from pipeline.engine.quiet import import_nncf
from pipeline.errors import ConfigError, CropsortError, OutputError, WeightsError
from pipeline.images import Pixels

SHAPES = ((96, 128, 3), (128, 96, 3), (50, 128, 3), (128, 128, 3), (40, 33, 3))
PHOTOS: list[Pixels] = [np.random.default_rng(0).integers(0, 256, shape, np.uint8) for shape in SHAPES]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("검출기") / "detector.pt", "yolov5n")


def open_detector(weights: Path) -> Network:
    network = open_network(weights, recipe_detector(weights), "fp32")
    assert network is not None
    return network


@pytest.mark.parametrize(
    ("device", "int8", "engine"),
    [("cpu", False, "openvino"), ("cpu", True, "int8"), ("0", False, "half"), ("mps", False, "torch")],
)
def test_each_device_has_its_engine(device: str, int8: bool, engine: str) -> None:
    assert pick_engine(device, int8=int8) == engine


@pytest.mark.parametrize("device", ["0", "mps"])
def test_int8_is_for_cpus(device: str) -> None:
    with pytest.raises(ConfigError, match=rf"--int8 - int8 on device {device} - expected a CPU - leave --int8 out"):
        pick_engine(device, int8=True)


def test_torch_computes_by_itself() -> None:
    assert (compiled_precision("torch"), compiled_precision("half")) == (None, None)
    assert (compiled_precision("openvino"), compiled_precision("int8")) == ("fp32", "int8")


@pytest.mark.slow
@pytest.mark.parametrize("model_name", ["yolov5n", "yolo11n", "yolo26n"])
def test_network_is_as_close_to_the_truth_as_torch_is(model_name: str, tmp_path: Path) -> None:
    """The truth is what comes out in 64 bits: what is left between the engines is noise of the same size."""
    path = write_detector(tmp_path / "detector.pt", model_name)
    (output,) = open_detector(path).run(PHOTOS[3:4])
    module, _ = yolo.exportable_detector(path)
    images = torch.from_numpy(PHOTOS[3]).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        single = module(images)[0].numpy()
        double = module.double()(images.double())[0].numpy()
    # All of a box together: which coordinate of which box is rounded worst is the processor's luck.
    for rows in (slice(4), slice(4, None)):
        noise = np.abs(single - double)[rows].max()
        assert np.abs(output - double)[rows].max() <= 4 * noise + 1e-3


def test_the_same_is_found_as_with_torch(weights: Path) -> None:
    compiled = load_detector(weights, device="cpu", engine="openvino")
    plain = load_detector(weights, device="cpu", engine="torch")
    assert (compiled.mixes_shapes, plain.mixes_shapes) == (True, False)
    alone = [plain.detect([photo], imgsz=128, conf=0.1, iou=0.5)[0] for photo in PHOTOS]
    together = compiled.detect(PHOTOS, imgsz=128, conf=0.1, iou=0.5)
    assert sum(map(len, alone)) > 20
    for some, others in zip(alone, together, strict=True):
        assert [one.confidence for one in others] == pytest.approx([one.confidence for one in some], abs=1e-3)
        assert all(iou(one.box, other.box) > 0.98 for one, other in zip(some, others, strict=True))


def test_what_is_found_in_a_photo_does_not_depend_on_the_others(weights: Path) -> None:
    compiled = load_detector(weights, device="cpu", engine="openvino")
    alone = [compiled.detect([photo], imgsz=128, conf=0.01, iou=0.5)[0] for photo in PHOTOS]
    assert compiled.detect(PHOTOS * 3, imgsz=128, conf=0.01, iou=0.5) == alone * 3
    assert compiled.detect([], imgsz=128, conf=0.01, iou=0.5) == []


def test_size_that_is_no_multiple_of_the_stride_is_rounded_up_as_ultralytics_does(weights: Path) -> None:
    assert yolo.make_padding(100, 32)(PHOTOS[0]).shape == (96, 128, 3)
    found = load_detector(weights, device="cpu", engine="openvino").detect(PHOTOS[:1], imgsz=100, conf=0.1, iou=0.5)
    same = load_detector(weights, device="cpu", engine="openvino").detect(PHOTOS[:1], imgsz=128, conf=0.1, iou=0.5)
    assert found == same


@pytest.mark.slow
def test_boxes_turned_inside_out_are_none(tmp_path: Path) -> None:
    """YOLO26 says how far the edges are from a point, and may say less than nothing."""
    path = write_detector(tmp_path / "detector.pt", "yolo26n")
    for engine in ("openvino", "torch"):
        detector = load_detector(path, device="cpu", engine=engine)
        assert detector.detect(PHOTOS[:1], imgsz=128, conf=0.001, iou=0.9)[0]


def test_network_is_made_once(weights: Path) -> None:
    made = open_detector(weights)
    assert made.facts == {STRIDE: 32}
    assert made.path.parent.parent == weights.parent / "openvino"
    stamp = made.path.stat().st_mtime_ns

    def build() -> Built:
        raise AssertionError("made again")

    again = open_network(weights, Recipe("detector", (), build), "fp32")
    assert again is not None
    assert again.path.stat().st_mtime_ns == stamp


def test_name_tells_weights_and_traits_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "1.pt", tmp_path / "2.pt"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    recipes = [Recipe("classifier", traits, lambda: pytest.fail("built")) for traits in ((3, 64), (3, 96))]
    names = {
        network_name(file, recipe, kind) for file in (one, other) for recipe in recipes for kind in ("fp32", "int8")
    }
    assert len(names) == 8


def test_network_that_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    weights = tmp_path / "detector.pt"

    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_network(weights, "detector-fp32-1", write)
    assert list((tmp_path / "openvino").iterdir()) == []
    assert find_network(weights, "detector-fp32-1") is None


def write_pair(path: Path) -> None:
    path.write_bytes(b"xml")
    path.with_suffix(".bin").write_bytes(b"bin")


def test_networks_of_former_weights_are_removed(tmp_path: Path) -> None:
    weights = tmp_path / "detector.pt"
    for name in ("detector-fp32-1", "classifier-fp32-1", "detector-int8-1", "detector-fp32-2"):
        keep_network(weights, name, write_pair)
    left = {path.name for path in (tmp_path / "openvino").iterdir()}
    assert left == {"classifier-fp32-1", "detector-int8-1", "detector-fp32-2"}


def test_network_that_was_made_anew_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    weights, name = tmp_path / "detector.pt", "detector-int8-1"

    def write_other(path: Path) -> None:
        path.write_bytes(b"other")
        path.with_suffix(".bin").write_bytes(b"other bin")

    keep_network(weights, name, write_pair)
    assert keep_network(weights, name, write_other).read_bytes() == b"xml"
    path = keep_network(weights, name, write_other, anew=True)
    assert (path.read_bytes(), path.with_suffix(".bin").read_bytes()) == (b"other", b"other bin")
    assert [one.name for one in (tmp_path / "openvino").iterdir()] == [name]
    assert find_network(weights, name) == path


def test_network_that_cannot_be_replaced_is_an_error_and_not_put_where_nobody_looks(tmp_path: Path) -> None:
    weights, name = tmp_path / "detector.pt", "detector-int8-1"
    in_the_way = tmp_path / "openvino" / name
    in_the_way.parent.mkdir()
    in_the_way.write_text("in use")
    with pytest.raises(OutputError):
        keep_network(weights, name, write_pair, anew=True)
    assert find_network(weights, name) is None
    assert list((tmp_path / "openvino").iterdir()) == [in_the_way]


def test_several_at_once_keep_one_whole_network(tmp_path: Path) -> None:
    weights, start = tmp_path / "detector.pt", threading.Barrier(4)

    def keep() -> None:
        def write(path: Path) -> None:
            start.wait()
            write_pair(path)

        kept.append(keep_network(weights, "detector-fp32-1", write))

    kept: list[Path] = []
    threads = [threading.Thread(target=keep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(kept) == {find_network(weights, "detector-fp32-1")}
    assert len(kept) == 4
    assert [path.name for path in (tmp_path / "openvino").iterdir()] == ["detector-fp32-1"]


def test_where_nothing_can_be_kept_beside_the_weights_the_cache_is_used(tmp_path: Path) -> None:
    """Not by permissions, which count for nothing for who runs tests as root."""
    (tmp_path / "openvino").write_text("a file in the way", encoding="utf-8")
    kept = keep_network(tmp_path / "detector.pt", f"detector-fp32-{tmp_path.name}", write_pair)
    assert kept.is_file()
    assert tmp_path not in kept.parents


def test_int8_that_was_never_made_says_how(weights: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"detector\.pt - has no network of 8 bits.* - make it once: cropsort export"
    ):
        load_detector(weights, device="cpu", engine="int8")


def test_weights_that_are_missing_are_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"detector\.pt - no such file"):
        load_detector(tmp_path / "detector.pt", device="cpu", engine="openvino")


def test_what_openvino_cannot_do_torch_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as a detector that was stripped of the branch with suppression."""
    path = write_detector(tmp_path / "detector.pt", "yolo26n", alone=True)
    detector = load_detector(path, device="cpu", engine="openvino")
    assert isinstance(detector, yolo.Detector)
    told = capsys.readouterr().err
    assert told.startswith("note: detector: torch is used, since OpenVINO cannot (")
    assert told.count("\n") == 1


def test_two_threads_may_ask_at_the_same_time(weights: Path) -> None:
    network, outputs = open_detector(weights), dict[int, list[bool]]()
    expected = [network.run([photo])[0] for photo in PHOTOS[:1]]

    def ask(number: int) -> None:
        got = network.run(PHOTOS[:1] * 6)
        outputs[number] = [bool((one == expected[0]).all()) for one in got]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {number: [True] * 6 for number in range(3)}


_SIGNALLED = """
import gc, os, signal, sys
from pathlib import Path
from pipeline.engine.network import Network

networks = [Network(Path(sys.argv[1])) for _ in range(2)]
while networks:
    networks.pop(0)
    gc.collect()
signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_signals_are_heard_after_networks_have_gone(weights: Path) -> None:
    path = str(open_detector(weights).path)
    heard = subprocess.run([sys.executable, "-c", _SIGNALLED, path], capture_output=True, text=True, check=False)
    assert (heard.returncode, heard.stdout) == (0, "heard\n"), heard.stderr


def test_image_that_the_network_cannot_take_is_an_error_and_the_next_one_is_not(weights: Path) -> None:
    network = open_detector(weights)
    with pytest.raises(RuntimeError):
        network.run([PHOTOS[3], np.zeros((64, 64, 4), np.uint8)])
    assert len(network.run([PHOTOS[3]])) == 1


SILENT = """
import socket, sys
told = []
def refuse(*what):
    told.append(str(what))
    raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = socket.getaddrinfo = refuse
from pathlib import Path
import numpy as np
from pipeline.engine.converting import convert
from pipeline.engine.detecting import load_detector, recipe_detector
from pipeline.engine.eight_bits import quantise
weights = Path(sys.argv[1])
load_detector(weights, device="cpu", engine="openvino")
quantise(convert(recipe_detector(weights).build()), [np.zeros((64, 64, 3), np.uint8)] * 2)
import json, threading
reports = [name for name, module in sys.modules.items() if module and name.startswith("openvino_telemetry")]
print(json.dumps([told, reports]))
"""


@pytest.mark.slow
def test_nothing_is_reported_to_anybody_and_nothing_shown(cropsort: Run, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "detector.pt", "yolov5n")
    user = tmp_path / "user"
    user.mkdir()
    answer = cropsort(path, code=SILENT, cwd=tmp_path, HOME=str(user), CI="", CUDA_HOME=str(user))
    assert answer.returncode == 0, answer.stderr
    assert (answer.stdout, answer.stderr) == ("[[], []]\n", "")
    assert not (user / "intel").exists()


def test_nncf_that_is_missing_is_a_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import_nncf.cache_clear()
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(CropsortError, match=r"--int8 - int8 takes NNCF .* - pip install nncf"):
        import_nncf()
