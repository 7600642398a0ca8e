"""Ultralytics' and timm's networks as backbones: built, trained a step, saved, rebuilt, fetched."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy

from pipeline import yolo
from pipeline.backbones import build_backbone, head_parameters, is_timm, pretrained_tensors
from pipeline.environment import ROOT
from pipeline.errors import ConfigError

_SMALL = "mobilenetv3_small_050"


def train_a_step(network: nn.Module, imgsz: int) -> float:
    """Losses before and after are not compared: one step of a network with random weights may go either way."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    loss = cross_entropy(yolo.logits(network.train()(torch.rand(2, 3, imgsz, imgsz))), torch.tensor([0, 1]))
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    optimizer.step()
    return loss.item()


def hold(network: nn.Module, model_name: str, imgsz: int, file: Path) -> None:
    """Hold that it trains, classifies, and is the same after it was written and read."""
    assert torch.isfinite(torch.tensor(train_a_step(network, imgsz)))
    images = torch.rand(2, 3, imgsz, imgsz)
    with torch.inference_mode():
        before = yolo.logits(network.eval()(images))
    assert before.shape == (2, 3)
    yolo.write_checkpoint(file, yolo.Checkpoint(model_name, yolo.CLASSIFY, network.state_dict()))
    read = yolo.read_checkpoint(file)
    other = build_backbone(read.model_name, class_count=3, imgsz=imgsz)
    assert yolo.transfer(other, read.tensors) == len(other.state_dict()) == len(read.tensors)
    with torch.inference_mode():
        assert torch.equal(yolo.logits(other.eval()(images)), before)


def head_shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for parameter in head_parameters(network)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width"), [("xception41", 2048), ("efficientnet_b4", 1792), ("densenet201", 1920)])
def test_large_backbone_trains_and_is_rebuilt_the_same(name: str, width: int, tmp_path: Path) -> None:
    network = build_backbone(name, class_count=3, imgsz=64)
    assert head_shapes(network) == [(3, width), (3,)]
    hold(network, name, 64, tmp_path / "own.pt")


@pytest.mark.parametrize("imgsz", [64, 96])
@pytest.mark.parametrize(("name", "width"), [("yolo11n-cls", 1280), (_SMALL, 1024), ("vit_tiny_patch16_224", 192)])
def test_backbone_trains_and_is_rebuilt_the_same(name: str, width: int, imgsz: int, tmp_path: Path) -> None:
    network = build_backbone(name, class_count=3, imgsz=imgsz)
    assert head_shapes(network) == [(3, width), (3,)]
    hold(network, name, imgsz, tmp_path / "own.pt")


def test_network_of_one_size_is_built_for_another(tmp_path: Path) -> None:
    hold(build_backbone("levit_128s", class_count=3, imgsz=64), "levit_128s", 64, tmp_path / "own.pt")


def test_positions_that_adapt_themselves_fit_weights_of_any_size() -> None:
    made, published = (build_backbone("vit_tiny_patch16_224", class_count=3, imgsz=size) for size in (96, None))
    assert yolo.transfer(made, published.state_dict()) == len(made.state_dict())


def test_both_heads_of_a_distilled_network_are_its_head() -> None:
    network = build_backbone("deit_tiny_distilled_patch16_224", class_count=3, imgsz=32)
    assert head_shapes(network) == [(3, 192), (3,)] * 2


def test_timms_networks_normalise_by_their_own_mean_and_keep_it_out_of_the_weights() -> None:
    network = build_backbone("vit_tiny_patch16_224", class_count=3, imgsz=32)
    assert {name.partition(".")[0] for name in network.state_dict()} == {"network"}
    seen: list[torch.Tensor] = []
    network.get_submodule("network").register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    network(torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)]))
    assert (seen[0].min().item(), seen[0].max().item()) == (-1, 1)  # its mean and deviation are 0.5


@pytest.mark.parametrize(
    ("name", "imgsz", "remedy"),
    [("inception_v4", 64, "320"), ("efficientformer_l1", 96, "224"), ("halonet26t", 96, "256")],
)
def test_size_that_a_network_cannot_work_with_is_said(name: str, imgsz: int, remedy: str) -> None:
    found = f"imgsz - {name} cannot work with images of {imgsz} pixels - expected a size such as {remedy} - set it"
    with pytest.raises(ConfigError, match=found):
        build_backbone(name, class_count=3, imgsz=imgsz)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("efficientnet_b44", "efficientnet_b4,"),
        ("xeption41", "xception41,"),
        ("ResNet50", "resnet50,"),
        ("resnet18.a1_in1", "resnet18.a1_in1k,"),
        ("hf-hub:timm/resnet18.a1_in1k", "resnet18.a1_in1k,"),
        ("yolo11n", "yolo11n-cls,"),
        ("yolov11n-cls", "yolo11n-cls,"),
        ("한국어", "yolo11n-cls, resnet18 or efficientnet_b0"),
        ("", "yolo11n-cls, resnet18 or efficientnet_b0"),
    ],
)
def test_unknown_name_is_refused_with_near_ones(name: str, near: str) -> None:
    assert not is_timm(name)
    with pytest.raises(ConfigError) as caught:
        build_backbone(name, class_count=2)
    found = f"neither Ultralytics nor timm has a classification model '{name}' - expected a name such as {near}"
    assert str(caught.value).startswith(found)


@pytest.mark.slow
def test_timm_is_not_loaded_for_ultralytics_networks() -> None:
    code = (
        "import sys; from pipeline.backbones import *; from pipeline.starts import *\n"
        "head_parameters(build_backbone('yolo11n-cls', class_count=2, imgsz=64))\n"
        "assert not is_timm('yolo11n-cls') and 'timm' not in sys.modules and 'huggingface_hub' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process's memory are Linux's")
def test_no_memory_is_not_taken_for_a_size_that_does_not_fit() -> None:
    code = (
        "import resource, psutil, timm; from pipeline.backbones import *; from pipeline.apart_child import *\n"
        "build_backbone('resnet18', class_count=2, imgsz=64)\n"
        "limit = psutil.Process().memory_info().vms + (64 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "try: build_backbone('vgg16', class_count=2, imgsz=64)\n"
        "except Exception as error: assert is_out_of_memory(error), repr(error)\n"
        "else: raise AssertionError('it fits')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


class Hub:
    """A server of one file, on this machine."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.promised = 0
        self.asked: list[str] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(self.path)
                if hub.content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(hub.promised or len(hub.content)))
                self.end_headers()
                self.wfile.write(hub.content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.template = f"http://127.0.0.1:{self.server.server_port}/{{repo_id}}/{{revision}}/{{filename}}"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub()
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.template)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def published(tmp_path: Path) -> dict[str, torch.Tensor]:
    """Weights under timm's names, as a file of theirs."""
    network = build_backbone(_SMALL, class_count=1000).state_dict()
    tensors = {name.removeprefix("network."): tensor for name, tensor in network.items()}
    save_file(tensors, tmp_path / "model.safetensors")
    return tensors


def test_published_weights_are_fetched_once(
    hub: Hub,
    published: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError("no network any more")

    hub.content = (tmp_path / "model.safetensors").read_bytes()
    fetched = pretrained_tensors(_SMALL)
    assert fetched is not None
    assert all(torch.equal(fetched[f"network.{name}"], tensor) for name, tensor in published.items())
    assert hub.asked == ["/timm/mobilenetv3_small_050.lamb_in1k/main/model.safetensors"]
    assert capsys.readouterr().err == (
        f"fetching {_SMALL}.pt from {hub.template.partition('{')[0]}{hub.asked[0][1:]} into weights/start/ ...\n"
    )
    network = build_backbone(_SMALL, class_count=3)
    assert yolo.transfer(network, fetched) == len(published) - 2  # all but the head

    monkeypatch.setattr(socket.socket, "connect", refuse)
    again = pretrained_tensors(_SMALL)
    assert again is not None
    assert all(torch.equal(again[name], tensor) for name, tensor in fetched.items())


@pytest.mark.parametrize("what", ["nothing", "half", "a page", "half a file that says it is whole"])
@pytest.mark.usefixtures("published")
def test_what_is_not_the_whole_file_is_not_kept(hub: Hub, what: str, tmp_path: Path) -> None:
    whole = (tmp_path / "model.safetensors").read_bytes()
    half = whole[: len(whole) // 2]
    kinds = {"nothing": None, "half": half, "a page": b"<html>log in</html>", "half a file that says it is whole": half}
    hub.content = kinds[what]
    hub.promised = len(whole) if what == "half" else 0
    assert pretrained_tensors(_SMALL) is None
    assert not Path("weights").exists()
