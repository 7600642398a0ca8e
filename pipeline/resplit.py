"""``cropsort split``: the photos of a data set shared out anew, into lists, folds or copies."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

from pipeline.config import Config, Places, read_config
from pipeline.copies import format_settings, write_copies
from pipeline.dataset import dataset_name
from pipeline.errors import CropsortError
from pipeline.files import write_text
from pipeline.lists import absolute, list_file, write_list
from pipeline.pool import Pool, gather_pool, lonely_notes, tabulate
from pipeline.splitting import Annotations, fold_annotations, share_out

_FOLD_MARK = "# One fold of several, by cropsort split, which writes this file anew.\n"


@dataclass(frozen=True, slots=True)
class Resplit:
    """What was written.

    Args:
        parts: the photos by part; of folds ``fold1.train`` and so on.
        files: the lists, the data.yaml of each fold, or that of the copies.
        remedy: what to do for it to count, a line each.
        table: boxes and photos of each class in each part; of folds in each val.
        notes: what the user should know, a line each.
    """

    parts: dict[str, Annotations]
    files: tuple[Path, ...]
    remedy: tuple[str, ...]
    table: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        told = [*(f"note: {note}" for note in self.notes), *(f"written: {path}" for path in self.files), *self.remedy]
        return "\n".join([self.table, "", *told])


def resplit(
    file: Path,
    *,
    val: float,
    test: float = 0.0,
    seed: int = 0,
    copy: Path | None = None,
    console: Console,
) -> Resplit:
    """Share the photos of train and val out anew; those of test too, where ``test`` is not 0.

    Args:
        file: the data.yaml; it is not written to.
        val: part for choosing epochs, above 0; with ``test`` below 1.
        test: part for scoring; 0 leaves test as it is.
        seed: of the shuffle.
        copy: folder to copy photos and labels to; by default lists are written beside ``file``.
        console: for the bar.

    Raises:
        CropsortError: the parts make no sense, ``copy`` is not empty, or a file that is no list of these photos is in
            the way.
        DataError: there are too few photos, or labels that cannot be used.
        OutputError: it cannot be written there.
    """
    if not (val > 0 and test >= 0 and val + test < 1):
        raise CropsortError(f"--val {val} --test {test}", expected="more than 0 for val, and less than 1 together")
    config = read_config(file)
    pool = gather_pool(file, config, with_test=test > 0, console=console)
    parts = share_out(pool.annotations, val=val, test=test, seed=seed, groups=pool.groups)
    notes = (*pool.notes, *lonely_notes(pool, config.names, len(parts)))
    table = tabulate(parts, config.names)
    if copy is not None:
        made = write_copies(copy, file, config, parts | ({"test": pool.test} if pool.test else {}))
        return Resplit(parts, (made,), (f'go on with: make train DATA="{made}"',), table, notes)
    files = {part: list_file(file, part) for part in parts}
    _check_lists(files.values(), file, config, pool)
    _write_lists(files, parts)
    return Resplit(parts, tuple(files.values()), _say_lines(file, config, files), table, notes)


def resplit_folds(file: Path, *, folds: int, seed: int = 0, console: Console) -> Resplit:
    """Write two lists and a data.yaml for each of several folds; test stays as it is.

    Args:
        file: the data.yaml; it is not written to.
        folds: how many, at least 2.
        seed: of the shuffle.
        console: for the bar.

    Raises:
        CropsortError: a file that is no list of these photos, or no fold's data.yaml, is in the way.
        DataError: there are too few photos, or labels that cannot be used.
        OutputError: it cannot be written there.
    """
    config = read_config(file)
    pool = gather_pool(file, config, with_test=False, console=console)
    split = fold_annotations(pool.annotations, folds=folds, seed=seed, groups=pool.groups)
    parts: dict[str, Annotations] = {}
    for number, (train, val) in enumerate(split, 1):
        parts |= {f"fold{number}.train": train, f"fold{number}.val": val}
    files = {part: list_file(file, part) for part in parts}
    settings = {f"fold{number}": file.with_name(f"{file.stem}.fold{number}.yaml") for number in range(1, folds + 1)}
    _check_lists(files.values(), file, config, pool)
    _check_folds(settings.values())
    _write_lists(files, parts)
    for fold, path in settings.items():
        write_text(path, _FOLD_MARK + _format_fold(file, config, fold))
    table = tabulate({part: photos for part, photos in parts.items() if part.endswith(".val")}, config.names)
    notes = (*pool.notes, *lonely_notes(pool, config.names, folds))
    remedy = f'go on with: make train DATA="{settings["fold1"]}", and so on'
    return Resplit(parts, tuple(settings.values()), (remedy,), table, notes)


def _write_lists(files: dict[str, Path], parts: dict[str, Annotations]) -> None:
    for part, annotations in parts.items():
        write_list(files[part], (annotation.photo for annotation in annotations))


def _base(file: Path, config: Config) -> Path:
    return file.resolve().parent / (config.path or "")


def _say_lines(file: Path, config: Config, files: dict[str, Path]) -> tuple[str, ...]:
    """The lines that data.yaml must hold."""
    base = _base(file, config)
    named = {"train": config.train, "val": config.val, "test": config.test}
    if all(_listed(base, named[part]) == {_real(path)} for part, path in files.items()):
        return (f"{file} names these lists already: nothing else need be done",)
    places = {part: Path(os.path.relpath(_real(path), base)).as_posix() for part, path in files.items()}
    text = yaml.safe_dump(places, allow_unicode=True, sort_keys=False, width=math.inf)
    return f"put these lines into {file}, in the place of its own:", *text.splitlines()


def _listed(base: Path, places: Places | None) -> set[Path]:
    return {_real(base / place) for place in places or ()}


def _real(path: Path) -> Path:
    """The file's place, whatever links lead to its folder."""
    return path.parent.resolve() / path.name


def _check_lists(lists: Iterable[Path], file: Path, config: Config, pool: Pool) -> None:
    """Only a list that data.yaml names, or that has none but photos of this data set, is replaced."""
    base = _base(file, config)
    named = _listed(base, (*config.train, *(config.val or ()), *(config.test or ())))
    photos = {os.fspath(one.photo) for one in (*pool.annotations, *pool.test)}
    for path in lists:
        if path.exists() and _real(path) not in named and not _lists_only(path, photos):
            found = "is there already, and is no list of this data set's photos"
            raise CropsortError(found, where=path, remedy="move it away")


def _lists_only(path: Path, photos: set[str]) -> bool:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return all(os.fspath(absolute(path.parent / line)) in photos for line in lines if line)


def _check_folds(files: Iterable[Path]) -> None:
    for path in files:
        if path.exists() and not (path.is_file() and path.read_bytes().startswith(_FOLD_MARK.encode())):
            raise CropsortError("is there already, and was not written by split", where=path, remedy="move it away")


def _format_fold(file: Path, config: Config, fold: str) -> str:
    """The same settings with the fold's lists; weights/ and runs/ are called after the fold."""
    changes: dict[str, object] = {part: list_file(file, f"{fold}.{part}").name for part in ("train", "val")}
    if config.test:
        changes["test"] = [Path(config.path or "", place).as_posix() for place in config.test]
    return format_settings(file, changes | {"name": f"{dataset_name(file, config)}-{fold}"})
