"""Where training starts from: shipped weights, a file, a name to fetch, YOLOv5's own format, or nothing."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from pipeline import yolo
from pipeline.backbones import build_backbone, check_backbone, is_published, is_timm, pretrained_tensors
from pipeline.errors import WeightsError
from pipeline.published import FETCHED, fetch_ultralytics, published_name
from pipeline.settings import ClassifierSettings, DetectorSettings
from pipeline.tune.policy import family
from pipeline.weights import SHIPPED

TASKS = {"detector": yolo.DETECT, "classifier": yolo.CLASSIFY}
DEFAULTS = {"detector": "yolov5n", "classifier": "yolo11n-cls"}
"""Architecture of each stage where neither data.yaml nor the weights that it names say one."""

_YOLOV5_WIDTHS = {16: "n", 32: "s", 48: "m", 64: "l", 80: "x"}
_P6_LAYERS = 30


@dataclass(frozen=True, slots=True)
class Start:
    """Weights to start from.

    Args:
        model_name: the architecture to train.
        tensors: weights and buffers by name; none to start from scratch.
        told: what the user is told of it, in a line.
        complete: whether they fill the whole network, its head for one class included.
    """

    model_name: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    told: str
    complete: bool = False


def read_start(start: str, *, task: str, model_name: str | None, default_model: str) -> Start:
    """Find and read the weights that training starts from.

    Args:
        start: ``auto``, ``scratch``, ``pretrained``, a published name such as ``yolov5nu.pt`` or ``resnet18``, or a
            path.
        task: ``yolo.DETECT`` or ``yolo.CLASSIFY``.
        model_name: the architecture; None for that of the file.
        default_model: the architecture where there is neither a name nor a file.

    Raises:
        ConfigError: there is no such architecture.
        WeightsError: the file is missing, holds something else, or fits the architecture nowhere.
    """
    wanted = model_name or default_model
    if start == "scratch":
        return _from_scratch(wanted, task, "as data.yaml says")
    if start == "auto":
        return _read_auto(wanted, task)
    if start == "pretrained":
        return _read_published(wanted, task, wanted)
    path = Path(start).expanduser()
    if not path.is_file() and path.name == start:
        return _read_published(start, task, model_name)
    return _read_file(path, task, model_name)


def read_stage_start(stage: str, settings: DetectorSettings | ClassifierSettings) -> Start:
    """What a stage starts from, as its settings say; see ``read_start``."""
    return read_start(settings.start, task=TASKS[stage], model_name=settings.model, default_model=DEFAULTS[stage])


def list_candidates(stage: str, settings: DetectorSettings | ClassifierSettings) -> tuple[str, ...]:
    """The architectures to choose from, small to large; one where data.yaml, or the weights it names, say which.

    With ``auto`` larger models of the family count only where weights for them are on disk: from nothing they would
    learn less from a few hundred photos than the smallest one does from its start.

    Raises:
        ConfigError: timm or Ultralytics have no classifier of a name that data.yaml says.
        WeightsError: the file that training shall start from is missing or holds something else.
    """
    default = DEFAULTS[stage]
    if isinstance(settings, ClassifierSettings):
        for name in (settings.model, *settings.ensemble):
            if name is not None:
                check_backbone(name)
    if settings.model is not None:
        return (settings.model,)
    if settings.start in ("scratch", "pretrained"):
        return family(default)
    if settings.start == "auto":
        return tuple(name for name in family(default) if name == default or _find_shipped(name))
    return (read_stage_start(stage, settings).model_name,)


def read_yolov5(path: Path) -> Start:
    """Read a checkpoint of the classic YOLOv5 repository without running what its pickle names.

    Its classes (``models.yolo.*``) are replaced by empty ones; only tensors and their containers are rebuilt.

    Raises:
        WeightsError: it holds no weights of a YOLOv5 detection model.
    """
    try:
        loaded = torch.load(path, map_location="cpu", pickle_module=_inert_pickle(), weights_only=False)
    except Exception as error:  # unpicklers raise anything on a file that is something else
        raise WeightsError(f"cannot be read as YOLOv5 weights ({error})", where=path) from error
    model = (loaded.get("ema") or loaded.get("model")) if isinstance(loaded, dict) else None
    tensors = {name.removeprefix("model."): tensor for name, tensor in _walk(model, "")}
    tensors = {f"model.{name}": tensor.float() for name, tensor in tensors.items()}
    first = tensors.get("model.0.conv.weight")
    if first is None or first.shape[0] not in _YOLOV5_WIDTHS:
        raise WeightsError("no weights of a YOLOv5 detection model in it", where=path)
    layers = {int(name.split(".")[1]) for name in tensors if name.split(".")[1].isdigit()}
    name = f"yolov5{_YOLOV5_WIDTHS[first.shape[0]]}" + ("6" if max(layers) > _P6_LAYERS else "")
    return Start(name, tensors, f"{path.name}, YOLOv5's own format")


def _read_auto(model_name: str, task: str) -> Start:
    found = _read_shipped(model_name, task)
    if found.tensors or task != yolo.CLASSIFY or not is_timm(model_name) or not is_published(model_name):
        return found
    return replace(found, told=f"{found.told}; 'start: pretrained' fetches published ones")


def _read_shipped(model_name: str, task: str) -> Start:
    path = _find_shipped(model_name)
    if path is not None:
        return _read_file(path, task, model_name)
    return _from_scratch(model_name, task, "as no weights for it are on disk: it will take longer")


def _from_scratch(model_name: str, task: str, told: str) -> Start:
    if task == yolo.CLASSIFY:
        check_backbone(model_name)
    return Start(model_name, {}, f"{model_name} from scratch, {told}")


def _find_shipped(model_name: str) -> Path | None:
    """What is shipped for a model, else what was once fetched for it."""
    places = SHIPPED / f"{model_name}-drawn.pt", FETCHED / published_name(model_name)
    return next((path for path in places if path.is_file()), None)


def _read_file(path: Path, task: str, model_name: str | None) -> Start:
    if _is_yolov5(path):
        found = read_yolov5(path)
        found_task = yolo.DETECT
    else:
        checkpoint = yolo.read_checkpoint(path)
        found, found_task = Start(checkpoint.model_name, checkpoint.tensors, path.name), checkpoint.task
    if found_task != task:
        kinds = {yolo.DETECT: "detector", yolo.CLASSIFY: "classifier"}
        wanted, is_one = kinds[task], kinds.get(found_task, f"model for {found_task}")
        raise WeightsError(f"this is a {is_one}", where=path, expected=f"a {wanted} to start the {wanted} from")
    return _count_matches(found, model_name or found.model_name, task, path)


def _read_published(name: str, task: str, model_name: str | None) -> Start:
    """Weights that are fetched by name, unless they were before; without network it goes on with what there is."""
    if task == yolo.CLASSIFY and is_timm(name.removesuffix(".pt")):
        name = name.removesuffix(".pt")
        tensors = pretrained_tensors(name)
        if tensors is None:
            return _go_on_without(
                f"{name}.pt",
                f"copy it from where it could be into {FETCHED}/ to start from it",
                model_name or name,
                task,
            )
        return _count_matches(Start(name, tensors, f"{name}.pt"), model_name or name, task, FETCHED / f"{name}.pt")
    file = published_name(name)
    try:
        path = fetch_ultralytics(file)
    except WeightsError:
        if task == yolo.CLASSIFY:
            check_backbone(name.removesuffix(".pt"))  # it offers near names
        raise
    if path is None:
        architecture = model_name or re.sub(r"^(yolov[35].*)u$", r"\1", Path(file).stem)
        return _go_on_without(file, f"put it into {FETCHED}/ to start from it", architecture, task)
    return _read_file(path, task, model_name)


def _go_on_without(file: str, remedy: str, model_name: str, task: str) -> Start:
    other = _read_shipped(model_name, task)
    told = f"{file} is not on disk and could not be fetched; {remedy}"
    return replace(other, told=f"{told}. Going on with {other.told}")


def _count_matches(found: Start, model_name: str, task: str, path: Path) -> Start:
    build = yolo.build_detector if task == yolo.DETECT else build_backbone
    model = build(model_name, class_count=1)
    matched = yolo.transfer(model, found.tensors)
    if not matched:
        raise WeightsError(
            f"none of its {len(found.tensors)} tensors fits {model_name}", where=path, remedy="leave 'model' out"
        )
    told = f"{model_name} from {found.told}: {matched} of its {len(found.tensors)} tensors match"
    return Start(model_name, found.tensors, told, complete=matched == len(model.state_dict()))


def _is_yolov5(path: Path) -> bool:
    if not path.is_file():
        raise WeightsError("no such file", where=path, remedy="check the spelling")
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # something else than torch wrote it: whoever reads it says so
        return False
    return any(name.startswith("models.") for name in named)


class _Inert:
    """Stands in for every class that a pickle names: takes anything, does nothing, keeps its state."""

    def __new__(cls, *_args: object, **_kwargs: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        return _ALLOWED.get((module_name, global_name)) or type(global_name, (_Inert,), {})


def _inert_pickle() -> ModuleType:
    """A pickle module for ``torch.load`` whose unpickler runs nothing that the file names."""
    module = ModuleType("inert_pickle")
    module.Unpickler = _InertUnpickler  # type: ignore[attr-defined]  # torch.load looks these two up
    module.load = lambda file, **_options: _InertUnpickler(file).load()  # type: ignore[attr-defined]
    return module


def _walk(module: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a pickled ``nn.Module`` with their names."""
    state = getattr(module, "__dict__", {})
    for name, tensor in {**state.get("_parameters", {}), **state.get("_buffers", {})}.items():
        if isinstance(tensor, Tensor):
            yield f"{prefix}{name}", tensor
    for name, child in state.get("_modules", {}).items():
        yield from _walk(child, f"{prefix}{name}.")
