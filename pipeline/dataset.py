"""The data set that data.yaml names: its photos and labels, split for training, choosing and scoring."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pipeline.balance import check_classes
from pipeline.config import Config
from pipeline.corrected import describe_corrected, keep_new, without_corrected
from pipeline.errors import DataError
from pipeline.fingerprints import Fingerprint, group_photos, take_fingerprints
from pipeline.labels import Annotation
from pipeline.listing import is_photo, list_files
from pipeline.problems import Kind, Problem, raise_errors
from pipeline.reading import Reading, read_parts
from pipeline.splitting import split_annotations

VAL_FRACTION = 0.2
"""Part of the training photos kept back where data.yaml names no ``val``."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Annotated photos.

    Args:
        name: what ``weights/`` and ``runs/`` call it.
        file: its data.yaml.
        class_names: in the order of the numbers in the labels.
        train: to learn from.
        val: to choose epochs and thresholds on.
        test: to score, never to choose on; may be empty.
        notes: what the user should know of it, a line each; nothing is wrong with it.
        problems: what is wrong with it.
        corrected: photos with boxes that only the classifier learns from, see ``pipeline.corrected``. None where nobody
            has compared them with all others, as ``check_dataset`` does.
    """

    name: str
    file: Path
    class_names: tuple[str, ...]
    train: tuple[Annotation, ...]
    val: tuple[Annotation, ...]
    test: tuple[Annotation, ...]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    corrected: tuple[Annotation, ...] = ()

    @property
    def learnt(self) -> tuple[Annotation, ...]:
        """What the classifier learns from: train, and the corrected boxes."""
        return (*self.train, *self.corrected)

    @property
    def parts(self) -> dict[str, tuple[Annotation, ...]]:
        """Train, val, and test where there is one."""
        parts = {"train": self.train, "val": self.val, "test": self.test}
        return {part: annotations for part, annotations in parts.items() if annotations or part != "test"}


def load_dataset(file: Path, config: Config) -> DataSet:
    """Read all photos' sizes and labels, for commands that need a data set without errors.

    Args:
        file: the data.yaml.
        config: what it says.

    Raises:
        DataError: a folder is missing, unreadable or without photos, nothing is labelled, or a label cannot be used.
        ExceptionGroup: of ``DataError``, where there are several such labels.
    """
    reading = read_dataset(file, config)
    raise_errors(reading.problems)
    dataset = make_dataset(file, config, reading)
    raise_errors(dataset.problems)
    return dataset


def read_dataset(file: Path, config: Config) -> Reading:
    """Read all photos' sizes and labels, whatever is wrong with them.

    Raises:
        DataError: a folder is missing, unreadable or without photos.
    """
    return read_parts(list_parts(file, config), config.names, classes_from=config.classes_from)


def make_dataset(
    file: Path,
    config: Config,
    reading: Reading,
    fingerprints: list[Fingerprint] | None = None,
    corrected: Iterable[Annotation] = (),
) -> DataSet:
    """Put what was read together; where data.yaml names no val, keep a part of train back.

    Args:
        file: the data.yaml.
        config: what it says.
        reading: its photos and labels.
        fingerprints: of the training photos, where somebody has taken them before; others' may be among them.
        corrected: photos with corrected boxes, whose fingerprints are among these, and those of all other photos; what
            must not be learnt from is left out.

    Raises:
        DataError: there are not enough photos to keep some back.
    """
    parts = dict(reading.parts)
    notes: tuple[str, ...] = ()
    if "val" not in parts:
        train, val = keep_back(parts["train"], seed=config.seed, fingerprints=fingerprints)
        parts |= {"train": train, "val": val}
        notes = (_carve_note(len(val), len(train) + len(val), config.seed),)
    kept, left_out = keep_new(corrected, parts, fingerprints or ())
    notes += tuple(filter(None, [describe_corrected(kept)]))
    found = check_classes(file, config.names, parts, kept)
    return DataSet(
        dataset_name(file, config),
        file,
        config.names,
        parts["train"],
        parts["val"],
        parts.get("test", ()),
        notes,
        (*reading.problems, *found, *_find_shared(file, parts), *left_out),
        kept,
    )


def keep_back(
    annotations: tuple[Annotation, ...], *, seed: int, fingerprints: list[Fingerprint] | None = None
) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Split training photos into those to learn from and a fifth for val; near duplicates and bursts stay together.

    Args:
        annotations: the photos.
        seed: of the split.
        fingerprints: of these photos, where somebody has taken them before; others' may be among them.

    Returns:
        The two parts. A photo that cannot be decoded has no say in them and is in the first one: whether somebody has
        left it out before must not change the second.

    Raises:
        DataError: there are fewer than two photos.
    """
    if fingerprints is None:
        taken = take_fingerprints(annotation.photo for annotation in annotations)
        fingerprints = [one for one in taken if isinstance(one, Fingerprint)]
    known = {one.photo: one for one in fingerprints}
    groups = group_photos(known[annotation.photo] for annotation in annotations if annotation.photo in known)
    damaged = tuple(annotation for annotation in annotations if annotation.photo not in known)
    decoded = [annotation for annotation in annotations if annotation.photo in known]
    if len(set(groups.values())) < 2:
        groups = {}  # one video, say: a val that flatters, of which check warns, is better than none
    train, val = split_annotations(decoded, fraction=VAL_FRACTION, seed=seed, groups=groups)
    return (*train, *damaged), val


def dataset_name(file: Path, config: Config) -> str:
    """``name`` in data.yaml; else the folder it lies in, or its own name where it is not called data.yaml."""
    own = file.resolve()
    return config.name or (own.parent.name if own.name == "data.yaml" else own.stem)


def list_parts(file: Path, config: Config) -> dict[str, list[Path]]:
    """The photos of train, val and test, in this order, as data.yaml names them; only the parts that it names.

    Raises:
        DataError: a folder is missing, unreadable or without photos, or a list of photos cannot be read.
    """
    places = {"train": config.train, "val": config.val, "test": config.test}
    return {part: _photos(file, config, part, named) for part, named in places.items() if named is not None}


def digest(annotations: Iterable[Annotation]) -> str:
    """A short hash of the photos' names and sizes and of what is labelled in them, not of where they lie."""
    lines = sorted(f"{a.photo.name} {a.photo.stat().st_size} {a.size} {a.subjects}" for a in annotations)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def list_photos(folder: Path) -> list[Path]:
    """All photos in a folder and below.

    Raises:
        DataError: the folder is missing, unreadable, or holds no photo.
    """
    photos = [path for path in list_files(folder).files if is_photo(path)]
    if not photos:
        raise DataError("no photos in this folder", where=folder, expected="JPEG, PNG, HEIC or the like")
    return photos


def _photos(file: Path, config: Config, part: str, places: tuple[str, ...]) -> list[Path]:
    base = file.resolve().parent / (config.path or "")
    found: list[Path] = []
    for place in places:
        path = _resolve(base, place)
        if not path.exists():
            said = "no such file" if path.suffix == ".txt" else "no such folder"
            raise DataError(said, where=path, remedy=f"check the spelling of '{part}' in {file.name}")
        found += _read_list(path) if path.suffix == ".txt" and path.is_file() else list_photos(path)
    return without_corrected(dict.fromkeys(found), file)


def _resolve(base: Path, place: str) -> Path:
    path = base / place
    if not path.exists() and place.startswith(
        "../"
    ):  # Roboflow's data.yaml is off by a folder; Ultralytics mends it so
        return base / place[3:]
    return path


def _read_list(path: Path) -> list[Path]:
    """Photos named in a text file, one a line, relative to the file."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=path, expected="a list of photos in UTF-8") from error
    if not names:
        raise DataError("names no photo", where=path, expected="the path of a photo in each line")
    return [path.parent / name for name in names]


def _find_shared(file: Path, parts: dict[str, tuple[Annotation, ...]]) -> list[Problem]:
    """A photo that was learnt from says nothing about photos to come."""
    photos = {part: {annotation.photo for annotation in annotations} for part, annotations in parts.items()}
    shared = ((one, other, sorted(photos[one] & photos[other])) for one, other in combinations(photos, 2))
    return [
        Problem(
            Kind.PHOTO_LEAKED,
            file,
            f"{len(both)} photos are in {one} and in {other}, such as {both[0]}: the scores will flatter",
            photo=both[0],
            remedy="name each photo in one part only",
        )
        for one, other, both in shared
        if both
    ]


def _carve_note(kept: int, photos: int, seed: int) -> str:
    return f"data.yaml names no val: {kept} of {photos} training photos are kept back (seed {seed})"
