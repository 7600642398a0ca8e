"""Corrections into files: each whole or not at all, and what was applied last of all.

Whatever stops it, doing it again is safe: what was written is found by its content, and is as it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.corrections.ledger import LEDGER, Entry, write_ledger
from pipeline.corrections.plan import LabelChange, NewPhoto, Plan, Remark, SortedPhoto
from pipeline.errors import PhotoError
from pipeline.files import claimed_folder, output_error, replacing, write_text
from pipeline.images import encode_jpeg, read_photo
from pipeline.labels import CLASS_LIST, FORMATS, LABEL_SUFFIXES, Label, plain_name, read_class_list, write_label
from pipeline.listing import is_photo, list_files

_FORMATS = {suffix: name for name, suffix in FORMATS.items()}


def apply_plan(plan: Plan, *, on_photo: Callable[[], None] = lambda: None) -> tuple[Remark, ...]:
    """Write copies and labels.

    Args:
        plan: what to write.
        on_photo: called after each photo or label.

    Returns:
        Photos that could not be copied, and why; the others are.

    Raises:
        CropsortError: corrections of this data set are being applied already.
        OutputError: something cannot be written; what was written before it stays, and the same command goes on.
    """
    failed: list[Remark] = []
    done: list[Entry] = [*plan.confirmed]
    with claimed_folder(plan.folder, "correction", "let it finish, then run the same command again"):
        news: tuple[NewPhoto | SortedPhoto, ...] = (*plan.photos, *plan.crops, *plan.sorted)
        for new in news:
            try:
                if isinstance(new, SortedPhoto):
                    _copy_upright(new.source, new.size, new.copy)
                else:
                    _copy(new, plan.class_names)
                done += new.entries
            except PhotoError as error:
                failed.append(Remark(new.photo, error.found))
            on_photo()
        for change in plan.labels:
            _relabel(change, plan.class_names)
            done += change.entries
            on_photo()
        if plan.list_file is not None:
            _list_copies(plan.list_file, plan.copies)
        write_ledger(plan.folder / LEDGER, plan.ledger, done)
    return tuple(failed)


def _copy(new: NewPhoto, class_names: tuple[str, ...]) -> None:
    """The label comes first: a photo without one would be a background."""
    jpeg = _encode_upright(new.source, new.label.size)
    _write_label(new.label, class_names)
    with replacing(new.label.photo) as temporary:
        temporary.write_bytes(jpeg)
    if new.instead is not None:
        _remove(new.instead)


def _copy_upright(source: Path, size: tuple[int, int], copy: Path) -> None:
    jpeg = _encode_upright(source, size)
    with replacing(copy) as temporary:
        temporary.write_bytes(jpeg)


def _encode_upright(source: Path, size: tuple[int, int]) -> bytes:
    photo = read_photo(source)
    if photo.size != size:
        raise PhotoError("has changed while its corrections were looked at", where=source)
    return encode_jpeg(photo.pixels, captured=photo.captured)


def _relabel(change: LabelChange, class_names: tuple[str, ...]) -> None:
    if change.part == "corrections" and not change.label.boxes:
        _remove(change.label.photo)
    else:
        _write_label(change.label, class_names)


def _write_label(label: Label, class_names: tuple[str, ...]) -> None:
    form = _FORMATS[label.path.suffix.lower()]
    write_label(label, label.path, form, class_names)
    if form == "yolo":
        _write_class_list(label.path.with_name(CLASS_LIST), class_names)


def _write_class_list(path: Path, class_names: tuple[str, ...]) -> None:
    """What the numbers mean; one that says so already stays as it is."""
    listed = read_class_list(path) if path.is_file() else ()
    if len(listed) < len(class_names) and listed == tuple(map(plain_name, class_names))[: len(listed)]:
        write_text(path, "".join(f"{name}\n" for name in class_names))


def _remove(copy: Path) -> None:
    """Remove a copy that corrections made, the photo first: one without a label would count as something else."""
    try:
        for path in (copy, *map(copy.with_suffix, LABEL_SUFFIXES)):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(error, copy) from error


def _list_copies(list_file: Path, folder: Path) -> None:
    """Add the copies to a list of photos, those too that a stopped run did not come to."""
    text = list_file.read_text(encoding="utf-8-sig")
    known = {list_file.parent / line.strip() for line in text.splitlines()}
    there = list_files(folder).files if folder.is_dir() else ()
    new = [path for path in there if is_photo(path) and path not in known]
    if new:
        lines = "".join(f"./{path.relative_to(list_file.parent).as_posix()}\n" for path in new)
        write_text(list_file, f"{text.rstrip()}\n{lines}")
