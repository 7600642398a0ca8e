"""New classes in data.yaml: added to the end of ``names``, every other byte of the file as it was."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError
from pipeline.files import replacing

_LONGEST_LINE = 1 << 30


def add_classes(file: Path, class_names: Sequence[str]) -> None:
    """Add classes to ``names``, and to ``nc`` where data.yaml has it.

    Args:
        file: the data.yaml, which ``read_config`` understands.
        class_names: new ones; none for nothing to do.

    Raises:
        ConfigError: ``names`` is written so that nothing can be added to it alone; the file stays as it was.
        OutputError: it cannot be written.
    """
    content = file.read_bytes()
    mended = extend_names(content, class_names, where=file)
    if mended != content:
        with replacing(file.resolve()) as temporary:  # a link stays one
            temporary.write_bytes(mended)


def extend_names(content: bytes, class_names: Sequence[str], *, where: Path) -> bytes:
    """The content of a data.yaml with more classes; see ``add_classes``.

    Args:
        content: UTF-8, with a mark at its beginning or without.
        class_names: new ones.
        where: the file, for the error.

    Raises:
        ConfigError: as ``add_classes`` does.
    """
    if not class_names:
        return content
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    text = content[len(mark) :].decode()
    mended = _extend(text, class_names)
    if mended is None or not _says_the_same(text, mended, class_names):
        remedy = f"write them there by hand ({', '.join(class_names)}), then run the same command again"
        raise ConfigError("names is written in a way that classes cannot be added to", where=where, remedy=remedy)
    return mark + mended.encode()


def _extend(text: str, class_names: Sequence[str]) -> str | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return None
    nodes = {key.value: value for key, value in root.value}
    names, number = nodes.get("names"), nodes.get("nc")
    if not isinstance(names, yaml.CollectionNode) or not names.value:
        return None
    changes = [_more(text, names, class_names)]
    if isinstance(number, yaml.ScalarNode):
        count = len(names.value) + len(class_names)
        changes.append((number.start_mark.index, number.end_mark.index, str(count)))
    for begin, end, written in sorted(changes, reverse=True):
        text = text[:begin] + written + text[end:]
    return text


def _more(text: str, names: yaml.CollectionNode, class_names: Sequence[str]) -> tuple[int, int, str]:
    """Where something is to be written in the text, up to where it stands in the place of what is there, and what."""
    last = max(_ends(names), key=lambda mark: mark.index)
    first = len(names.value)
    written = [_write(name) for name in class_names]
    if isinstance(names, yaml.MappingNode):
        written = [f"{first + at}: {name}" for at, name in enumerate(written)]
    if names.flow_style:
        return last.index, last.index, "".join(f", {item}" for item in written)
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = " " * names.start_mark.column + ("" if isinstance(names, yaml.MappingNode) else "- ")
    lines = "".join(f"{newline}{indent}{item}" for item in written)
    end = _end_of_line(text, last.index)
    return end, end, lines


def _ends(names: yaml.CollectionNode) -> list[yaml.Mark]:
    """Where each of the names ends."""
    return [(item[1] if isinstance(item, tuple) else item).end_mark for item in names.value]


def _end_of_line(text: str, index: int) -> int:
    """Where the line ends that comes to its end at or after a place; before the line break."""
    end = text.find("\n", index)
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1 : end] == "\r" else end


def _write(name: str) -> str:
    """A name as it may stand in a list of either kind, in quotes where it needs them."""
    return yaml.safe_dump([name], default_flow_style=True, allow_unicode=True, width=_LONGEST_LINE).strip()[1:-1]


def _says_the_same(before: str, after: str, class_names: Sequence[str]) -> bool:
    """Whether all that has changed is that there are more classes."""
    try:
        was, now = yaml.safe_load(before), yaml.safe_load(after)
    except yaml.YAMLError:
        return False
    return bool(now == was | _expect(was, class_names))


def _expect(was: dict[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    names = was["names"]
    count = len(names) + len(class_names)
    more = {"nc": count} if "nc" in was else {}
    if isinstance(names, dict):
        return {"names": names | dict(enumerate(class_names, start=len(names))), **more}
    return {"names": [*names, *class_names], **more}
