"""The networks that a classifier can be made of: Ultralytics' ``*-cls`` and timm's."""

from __future__ import annotations

import difflib
import logging
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import yolo
from pipeline.apart_child import is_out_of_memory
from pipeline.errors import ConfigError, WeightsError
from pipeline.published import FETCHED, fetch, fetch_ultralytics, published_name
from pipeline.tune.sizes import nearest_sizes

_FLAWS = (RuntimeError, AssertionError, ValueError, IndexError, TypeError, ZeroDivisionError)
"""What networks raise where they are given images of a size that they cannot work with."""


def build_backbone(model_name: str, *, class_count: int, imgsz: int | None = None) -> nn.Module:
    """A network with random weights from images (batch, 3, side, side), 0 to 1, to what ``yolo.logits`` takes.

    A network of timm's is wrapped: it normalises by the mean and deviation that its published weights want.

    Args:
        model_name: an Ultralytics classification model, or one of timm's, with or without the tag of its weights.
        class_count: outputs, at least 1.
        imgsz: side of the images, pixels, for networks that are built for one; None for what it was published for.

    Raises:
        ConfigError: there is no such network, or it cannot work with images of that size.
    """
    if is_timm(model_name):
        return _build_timm(model_name, class_count, imgsz)
    try:
        return yolo.build_classifier(model_name, class_count=class_count)
    except ConfigError as error:
        raise _unknown(model_name) from error


def check_backbone(model_name: str) -> None:
    """See that there is such a network.

    Raises:
        ConfigError: there is none; near names are offered.
    """
    if not is_timm(model_name):
        build_backbone(model_name, class_count=1)


def is_timm(model_name: str) -> bool:
    """Whether timm has a network of that name; for Ultralytics' names timm is not even loaded."""
    return not model_name.startswith("yolo") and model_name in _timm_names()


def head_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Parameters of the last, classifying layer of what ``build_backbone`` made; of all where it has several."""
    return [parameter for head in head_layers(network) for parameter in head.parameters()]


def head_layers(network: nn.Module) -> tuple[nn.Module, ...]:
    """The last, classifying layer of what ``build_backbone`` made; all where it has several."""
    if not isinstance(network, _Normalised):
        return tuple([layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1:])
    heads = network.network.get_classifier()  # type: ignore[operator]  # nn.Module is typed as tensors alone
    return heads if isinstance(heads, tuple) else (heads,)


def pretrained_tensors(model_name: str) -> Mapping[str, Tensor] | None:
    """Published weights under the names of ``build_backbone``'s network, fetched once; None where they cannot be had.

    Raises:
        ConfigError: there is no such network.
        WeightsError: none are published for it.
        OutputError: they cannot be kept in ``weights/start/``.
    """
    if not is_timm(model_name):
        check_backbone(model_name)
        path = fetch_ultralytics(published_name(model_name))
        return None if path is None else yolo.read_checkpoint(path).tensors
    path = FETCHED / f"{model_name}.pt"
    if path.is_file() or _fetch_timm(model_name, path):
        return yolo.read_checkpoint(path).tensors
    return None


def is_published(model_name: str) -> bool:
    """Whether there are weights for a network of timm's."""
    import timm

    return bool(timm.is_model_pretrained(model_name))


class _Normalised(nn.Module):
    """A network of timm's that takes images as ours do."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits


def _build_timm(model_name: str, class_count: int, imgsz: int | None) -> nn.Module:
    """One that is made for one size best gets positions that adapt themselves: published weights fit those."""
    if imgsz is None:
        return _create(model_name, num_classes=class_count)
    fixed = _timm_config(model_name).fixed_input_size
    ways: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"img_size": imgsz}, {}) if fixed else ({},)
    flaw: Exception | None = None
    for way in ways:
        try:
            network = _create(model_name, num_classes=class_count, **way)
            _try_size(network, class_count, imgsz)
        except _FLAWS as error:
            if is_out_of_memory(error):
                raise
            flaw = error
        else:
            return network
    raise _misfit(model_name, imgsz) from flaw


def _create(model_name: str, **options: Any) -> _Normalised:
    import timm

    config = _timm_config(model_name)
    return _Normalised(timm.create_model(model_name, **options), config.mean, config.std)


def _try_size(network: nn.Module, class_count: int, imgsz: int) -> None:
    """Have one image pass: that costs less than to find out after the photos have been made ready."""
    network.eval()
    with torch.no_grad():
        shape = tuple(network(torch.zeros(1, 3, imgsz, imgsz)).shape)
    network.train()
    if shape != (1, class_count):
        raise ValueError(f"an output of shape {shape}")


def _fetch_timm(model_name: str, path: Path) -> bool:
    """Whether the weights could be had; they are kept at ``path`` under our names.

    timm's own download would try for 47 seconds without network, write to the log, and keep a second copy.
    """
    if not is_published(model_name):
        remedy = "set start: auto, or name another model"
        raise WeightsError("timm publishes no weights for it", where=model_name, remedy=remedy)
    url = _find_url(model_name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, url.rpartition("/")[2])
        try:
            fetch(path.name, url, file)
        except OSError:
            return False
        tensors = _read_published(model_name, file)
    if tensors is None:
        return False
    yolo.write_checkpoint(path, yolo.Checkpoint(model_name, yolo.CLASSIFY, tensors))
    return True


def _find_url(model_name: str) -> str:
    from huggingface_hub import hf_hub_url

    config = _timm_config(model_name)
    if not config.hf_hub_id:
        return str(config.url)
    repository, _, revision = config.hf_hub_id.partition("@")
    return hf_hub_url(repository, config.hf_hub_filename or "model.safetensors", revision=revision or None)


def _read_published(model_name: str, file: Path) -> Mapping[str, Tensor] | None:
    """Read weights as timm does, under our names; None where the file holds something else."""
    log = logging.getLogger("timm")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        return _create(model_name, pretrained=True, pretrained_cfg_overlay={"file": str(file)}).state_dict()
    except Exception as error:  # what reads weights raises anything on a file that is something else
        if is_out_of_memory(error):
            raise
        return None
    finally:
        log.setLevel(level)


def _timm_config(model_name: str) -> Any:
    import timm

    return timm.get_pretrained_cfg(model_name)


@cache
def _timm_names() -> frozenset[str]:
    import timm

    return frozenset(timm.list_models()) | frozenset(timm.list_models(include_tags=True))


def _misfit(model_name: str, imgsz: int) -> ConfigError:
    _, side = nearest_sizes(_timm_config(model_name).input_size[-1])
    return ConfigError(
        f"{model_name} cannot work with images of {imgsz} pixels",
        where="imgsz",
        expected=f"a size such as {side}",
        remedy="set it, or name another model",
    )


def _unknown(model_name: str) -> ConfigError:
    published = {name.removesuffix(".pt") for name in yolo.known_weights() if name.endswith("-cls.pt")}
    wanted = model_name.rpartition("/")[2].lower()
    names = sorted(_timm_names() | published)
    shown = names if "." in wanted else [name for name in names if "." not in name]
    near = difflib.get_close_matches(wanted, shown, n=3) or ["yolo11n-cls", "resnet18", "efficientnet_b0"]
    return ConfigError(
        f"neither Ultralytics nor timm has a classification model '{model_name}'",
        expected=f"a name such as {', '.join(near[:-1])} or {near[-1]}",
    )
