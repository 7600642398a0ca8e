"""data.yaml: the one file a user edits, for both stages, which plain Ultralytics reads as well."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from pipeline.errors import ConfigError
from pipeline.memory import MEMORY
from pipeline.problems import Kind, Severity
from pipeline.settings import ClassifierSettings, DetectorSettings, ReportSettings, Section, as_places

_DOWNLOAD = "runs a program or fetches files when Ultralytics sees it"
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(h|min)", re.IGNORECASE)
_PATTERNS = {
    "name": "a name that can be a folder's: without / \\ : * ? \" < > | and no dot in front",
    "device": "auto, cpu, mps, or the number of a CUDA GPU",
}
_DEEPEST = 2


def _as_names(value: object) -> object:
    """Ultralytics takes a list, or a mapping from 0, 1, 2 ... to names; inside there are only tuples."""
    if isinstance(value, dict):
        if sorted(value, key=str) != sorted(range(len(value)), key=str):
            raise ValueError(f"the numbers of the classes must be 0 to {len(value) - 1}, each once")
        value = [value[index] for index in range(len(value))]
    if not isinstance(value, list) or not value:
        raise ValueError("a list of class names is wanted, at least one")
    if any(isinstance(name, bool) for name in value):
        raise ValueError("YAML takes yes, no, on and off for true and false; put such a class name in quotes")
    names = [str(name).strip() if isinstance(name, str | int | float) else name for name in value]
    repeated = [str(name) for name, count in Counter(map(str, names)).items() if count > 1]
    if repeated:
        raise ValueError(f"repeated: {', '.join(repeated)}; give every class a name of its own")
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("every class name must be a text that is not empty")
    return tuple(names)


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) else value


def _as_section(value: object) -> object:
    """A section whose settings are all commented out is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict | Section):
        raise ValueError("settings such as 'epochs: 60' are wanted, one a line, indented")
    return value


Places = Annotated[tuple[str, ...], BeforeValidator(as_places), Field(min_length=1)]


class Config(Section):
    """What data.yaml says.

    Attributes:
        names: class names; a class's number in a label is its place here.
        train: folders of photos, or text files that list photos; relative to ``path``.
        val: the same, for choosing epochs and thresholds; None keeps a seeded part of ``train`` back.
        test: the same, only ever scored.
        path: folder that the others are relative to; itself relative to data.yaml's folder.
        name: what ``weights/`` and ``runs/`` call this data set; by default data.yaml's folder.
        nc: number of classes, as Ultralytics and Roboflow write it; must agree with ``names``.
        channels: colour channels; only 3.
        roboflow: where Roboflow keeps its own notes; not read.
        label_format: what new labels are written as, ``yolo``, ``voc`` or ``createml``; by default what the data set's
            labels are in, else ``yolo``.
        classes_from: what says the class of a photo: ``labels``, the boxes drawn in it; ``folders``, the folder it
            lies in (``apple/001.jpg``); or ``names``, the beginning of its name (``cat.0.jpg``).
        ignore: kinds of warnings of ``cropsort check`` that the user has looked at and that shall not be said again.
        seed: seed of the split, the start and the training.
        device: ``auto``, ``cpu``, ``mps``, or the number of a CUDA GPU.
        memory: limit for training and prediction, such as ``4GB`` or ``80%`` of what the device has; by default what is
            free on it, less a margin.
        time: longest that the training of a stage may take, such as ``2h`` or ``30min``: larger models are chosen only
            within it; by default two hours on a GPU, and without one the smallest model, however long it takes.
        detector: stage one.
        classifier: stage two.
        report: the workbook, tables and page that ``predict`` writes.
    """

    names: Annotated[tuple[str, ...], BeforeValidator(_as_names)]
    train: Places
    val: Places | None = None
    test: Places | None = None
    path: str | None = None
    name: str | None = Field(default=None, pattern=r"^[^/\\:*?\"<>|.][^/\\:*?\"<>|]*$")
    nc: int | None = None
    channels: int = 3
    roboflow: dict[str, Any] | None = None
    label_format: Literal["yolo", "voc", "createml"] | None = None
    classes_from: Literal["labels", "folders", "names"] = "labels"
    ignore: Annotated[tuple[str, ...], BeforeValidator(as_places)] = ()
    seed: int = Field(default=0, ge=0)
    device: Annotated[str, BeforeValidator(_as_text)] = Field(default="auto", pattern=r"^(auto|cpu|mps|\d+)$")
    memory: str | None = None
    time: str | None = None
    detector: Annotated[DetectorSettings, BeforeValidator(_as_section)] = DetectorSettings()
    classifier: Annotated[ClassifierSettings, BeforeValidator(_as_section)] = ClassifierSettings()
    report: Annotated[ReportSettings, BeforeValidator(_as_section)] = ReportSettings()

    @field_validator("channels")
    @classmethod
    def _check_channels(cls, value: int) -> int:
        if value != 3:
            raise ValueError("only colour photos with 3 channels can be worked with")
        return value

    @field_validator("memory")
    @classmethod
    def _check_memory(cls, value: str | None) -> str | None:
        if value is not None and not MEMORY.fullmatch(value):
            raise ValueError("a limit such as 4GB, 900MB or 80% is wanted")
        return value

    @field_validator("time")
    @classmethod
    def _check_time(cls, value: str | None) -> str | None:
        found = _TIME.fullmatch(value or "")
        if value is not None and (found is None or not float(found[1])):
            raise ValueError("a time such as 2h or 30min is wanted")
        return value

    @property
    def seconds(self) -> float | None:
        """``time`` in seconds; None where it is not said."""
        found = _TIME.fullmatch(self.time or "")
        return None if found is None else float(found[1]) * (3600 if found[2].lower() == "h" else 60)

    @field_validator("ignore")
    @classmethod
    def _check_ignored(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = [kind.slug for kind in Kind if kind.severity is not Severity.ERROR]
        for name in value:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                raise ValueError(
                    f"'{name}' is no warning of cropsort check{f', did you mean {near[0]}?' if near else ''}"
                )
        return value

    @model_validator(mode="after")
    def _check_count(self) -> Config:
        if self.nc is not None and self.nc != len(self.names):
            raise ValueError(f"nc says {self.nc} classes, names has {len(self.names)}; correct one of them")
        return self


def read_config(path: Path) -> Config:
    """Read and check data.yaml.

    Raises:
        ConfigError: there is no such file, or it is not YAML.
        ExceptionGroup: of ``ConfigError``, one for everything wrong in it.
    """
    root = _compose(path, _read_text(path))
    lines = dict(_key_lines(root))
    errors = [*_repeated_keys(path, root), *_forbidden_keys(path, lines)]
    if not errors:
        try:
            return Config.model_validate(_construct(path, root))
        except ValidationError as error:
            errors = [_one_line(path, lines, detail) for detail in error.errors()]
    raise ExceptionGroup(f"{path} cannot be understood", errors)


def _read_text(path: Path) -> str:
    try:
        if path.is_dir():
            found, remedy = "this is a folder", f"name {path / 'data.yaml'}"
            raise ConfigError(found, where=path, expected="a data.yaml", remedy=remedy)
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            "no such file", where=path, remedy="cropsort init FOLDER writes one for a folder of photos"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError("not UTF-8 text", where=path, remedy="save it as UTF-8 in your editor") from error
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=path) from error


def _compose(path: Path, text: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise _not_yaml(path, error) from error
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError("no settings in it", where=path, expected="lines such as 'train: images/train'")
    return root


def _construct(path: Path, root: yaml.MappingNode) -> object:
    try:
        return yaml.SafeLoader("").construct_document(root)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that there never was
        raise _not_yaml(path, error) from error


def _not_yaml(path: Path, error: Exception) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    found = getattr(error, "problem", None) or str(error)
    line = None if mark is None else mark.line + 1
    return ConfigError(f"not YAML ({found})", where=path, line=line, remedy="mind the indentation; no tabs")


def _mappings(node: yaml.Node, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], yaml.MappingNode]]:
    """The mapping and those in it, each with the keys above it; only as deep as settings go: YAML may hold itself."""
    if isinstance(node, yaml.MappingNode):
        yield above, node
        for key, value in node.value if len(above) < _DEEPEST else ():
            yield from _mappings(value, (*above, str(key.value)))


def _key_lines(root: yaml.MappingNode) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every key with the keys above it, and its line."""
    for above, mapping in _mappings(root):
        for key, _ in mapping.value:
            yield (*above, str(key.value)), key.start_mark.line + 1


def _repeated_keys(path: Path, root: yaml.MappingNode) -> Iterator[ConfigError]:
    """YAML keeps the last of two equal keys without a word."""
    for _, mapping in _mappings(root):
        seen: dict[str, int] = {}
        for key, _ in mapping.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                found = f"'{name}' stands here and in line {seen[name]}"
                yield ConfigError(found, where=path, line=line, remedy="keep one of them")
            seen[name] = line


def _forbidden_keys(path: Path, lines: dict[tuple[str, ...], int]) -> Iterator[ConfigError]:
    if ("download",) in lines:
        found = f"the key 'download' {_DOWNLOAD}"
        yield ConfigError(found, where=path, line=lines["download",], remedy="remove it and fetch the photos yourself")


def _one_line(path: Path, lines: dict[tuple[str, ...], int], detail: Any) -> ConfigError:
    """Turn one of pydantic's errors into ours."""
    keys = tuple(str(part) for part in detail["loc"])
    line = next((lines[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in lines), None)
    name = ".".join(part for part in keys if not part.isdigit())
    if detail["type"] in ("extra_forbidden", "invalid_key"):
        return ConfigError(f"unknown key '{name or keys[-1]}'", where=path, line=line, remedy=_suggest(keys))
    if detail["type"] == "missing":
        return ConfigError(f"the key '{name}' is missing", where=path, remedy=f"add a line '{name}: ...'")
    expected = detail["msg"].removeprefix("Value error, ")
    if not expected.startswith("YAML"):
        expected = expected[:1].lower() + expected[1:]
    if detail["type"] == "string_pattern_mismatch":
        expected = f"{_PATTERNS[name]} is wanted"
    if not name:
        return ConfigError(expected, where=path, line=lines.get(("nc",)))
    return ConfigError(f"{name}: {_shorten(detail['input'])}", where=path, line=line, remedy=expected)


def _suggest(keys: tuple[str, ...]) -> str:
    sections: dict[str, type[Section]] = {
        "detector": DetectorSettings,
        "classifier": ClassifierSettings,
        "report": ReportSettings,
    }
    known = list(sections.get(keys[0], Config).model_fields if len(keys) > 1 else Config.model_fields)
    near = difflib.get_close_matches(keys[-1], known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"remove it; known are {', '.join(known)}"


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
