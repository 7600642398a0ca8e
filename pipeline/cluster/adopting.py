"""``cropsort cluster --adopt``: groups that their reader named become training data of these classes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.cluster.class_list import add_classes, extend_names
from pipeline.cluster.classes import ClassPlan, name_classes
from pipeline.cluster.groups import name_group
from pipeline.cluster.reading import GroupedSubject, ReadGroups, read_groups
from pipeline.cluster.shelves import Shelves
from pipeline.cluster.wording import COUNT_NOTE, DATA_NOTE, PHOTOS_NOTE, some
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.corrected import folder_of
from pipeline.corrections.applying import apply_plan
from pipeline.corrections.cases import Case, Found
from pipeline.corrections.ledger import LEDGER, read_ledger
from pipeline.corrections.places import find_places
from pipeline.corrections.plan import Plan, Remark, preview_lists
from pipeline.corrections.planning import make_plan
from pipeline.corrections.verdicts import Verdict
from pipeline.errors import DataError, PhotoError
from pipeline.images import read_size
from pipeline.keys import photo_key
from pipeline.results import Detection, PhotoResult, Prediction
from pipeline.sources import find_path
from pipeline.workbook.notes import read_note


@dataclass(frozen=True, slots=True)
class AdoptedGroup:
    """A group that was named.

    Args:
        name: what its reader calls the group.
        class_name: what he calls its class, as ``names`` of data.yaml spells it.
        is_new: whether data.yaml does not have it yet.
        near: a class of data.yaml that is spelled nearly so; empty where there is none.
        subjects: that are in the group.
        photos: that they are of.
    """

    name: str
    class_name: str
    is_new: bool
    near: str
    subjects: int
    photos: int

    def __str__(self) -> str:
        new = f" (new class{f'; or did you mean {self.near}?' if self.near else ''})" if self.is_new else ""
        counts = f"{some(self.subjects, 'subject')} of {some(self.photos, 'photo')}"
        return f"{self.name} is {self.class_name}{new}: {counts}"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What adopting changes, before anything is changed.

    Args:
        data_file: the data.yaml.
        groups: those that were named.
        new_classes: that data.yaml gets: those of which something is written.
        plan: what is written.
    """

    data_file: Path
    groups: tuple[AdoptedGroup, ...]
    new_classes: tuple[str, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a workbook's groups.

    Args:
        adoption: what they change.
        applied: whether that was written; also where there was nothing to write.
        failed: photos that could not be copied, and why.
    """

    adoption: Adoption
    applied: bool
    failed: tuple[Remark, ...] = ()

    @property
    def refused(self) -> tuple[Remark, ...]:
        """All that could not be adopted, and why."""
        return (*self.adoption.plan.refused, *self.failed)


def adopt_groups(
    workbook: Path, data_file: Path | None, *, apply: Callable[[Adoption], bool], console: Console
) -> Outcome:
    """Read which groups are classes, and make training data of their subjects.

    Where photos are sorted, an upright copy goes to where those of the class are; where they are labelled, the subject
    becomes a crop that the classifier alone learns from, since the photo's other subjects were not judged. What is in
    the data set already stays as it is. A second time nothing more happens.

    Args:
        workbook: the groups.xlsx in which somebody named groups; only read.
        data_file: the data.yaml of the data set that learns from it; None for the one that the workbook names, else
            the one in the current folder.
        apply: shown what would change, where anything would; says whether to write it.
        console: told of the progress.

    Raises:
        DataError: the workbook is not one of groups, a sheet or a column was deleted, the photos have gone, or the
            data set cannot be read.
        ExceptionGroup: of ``DataError``, for each cell that cannot be understood.
        ConfigError: data.yaml cannot be understood, or added to.
        OutputError: something cannot be written; the same command goes on.
    """
    console.print("reading the workbook ...")
    read = read_groups(workbook)
    data = data_file or _find_data(read.properties)
    config = read_config(data)
    classes = name_classes(read.groups, config, workbook)
    extend_names(data.read_bytes(), classes.new, where=data)  # said before the work that it cannot be
    adoption = _plan(data, config, read, classes, console)
    plan = adoption.plan
    if plan.changes and not apply(adoption):
        return Outcome(adoption, applied=False)
    if not (plan.changes or plan.confirmed):
        return Outcome(adoption, applied=True)
    add_classes(data, adoption.new_classes)  # first: labels of a class that data.yaml lacks would be errors
    with counting(console, "adopting photos", plan.changes) as advance:
        return Outcome(adoption, applied=True, failed=apply_plan(plan, on_photo=advance))


def preview(adoption: Adoption) -> list[str]:
    """What adopting changes, in lines: the groups, the classes, then photo by photo, the first ones of each kind."""
    plan = adoption.plan
    if not adoption.groups:
        return ["no group is named in the workbook: write a class into the yellow column of Groups"]
    lines = [f"{group}" for group in adoption.groups]
    if adoption.new_classes:
        lines.append(f"names in {adoption.data_file} gets: {', '.join(adoption.new_classes)}")
    return lines + preview_lists(
        (
            ("photos that are copied to where those of their class are", plan.sorted),
            ("photos whose subjects become crops for the classifier", plan.crops),
            ("labels of crops that change", plan.labels),
            ("nothing to do", plan.settled),
            ("cannot be adopted", plan.refused),
        )
    )


def _find_data(properties: Mapping[str, str]) -> Path:
    said = read_note(properties, DATA_NOTE)
    return Path(said) if said and Path(said).is_file() else Path("data.yaml")


def _plan(data_file: Path, config: Config, read: ReadGroups, classes: ClassPlan, console: Console) -> Adoption:
    named = [one for one in read.subjects if one.label in classes.by_label]
    folder = Path(read_note(read.properties, PHOTOS_NOTE) or "")
    if named and not folder.is_dir():
        remedy = "put it back, or group the photos again where they are now"
        raise DataError("the folder of the photos is not there any more", where=folder, remedy=remedy)
    cases, remarks = _gather_cases(named, classes.by_label, folder)
    extended = config.model_copy(update={"names": (*config.names, *classes.new)})
    places = find_places(data_file, config)
    ledger = read_ledger(folder_of(data_file) / LEDGER)
    shelves = Shelves(data_file, extended, places, Counter(one.photo for one in read.subjects))
    with counting(console, "looking for the photos in the data set", len(places.parts) + len(cases)) as advance:
        plan = make_plan(
            data_file,
            extended,
            cases,
            folders=[folder],
            places=places,
            ledger=ledger,
            remarks=remarks,
            adopting=shelves.find_place,
            on_photo=advance,
        )
    written = _written_classes(plan)
    new = tuple(name for name in classes.new if name in written)
    plan = replace(plan, class_names=(*config.names, *new))
    return Adoption(data_file, _list_groups(named, classes, read.properties), new, plan)


def _gather_cases(
    named: Iterable[GroupedSubject], by_label: Mapping[int, str], folder: Path
) -> tuple[list[Case], list[Remark]]:
    """Photos with the subjects that have a class, and what cannot be used."""
    by_photo: dict[str, list[tuple[GroupedSubject, str]]] = defaultdict(list)
    remarks = []
    for one in named:
        if one.box is None:
            why = "photo and box do not go with the key in its row: the row was changed"
            remarks.append(Remark(f"{one.photo or 'no photo'} ({one.place})", why))
        elif one.label is not None:
            by_photo[one.photo].append((one, by_label[one.label]))
    cases = []
    for photo, some in sorted(by_photo.items()):
        path = find_path(folder / photo)
        if path is not None and some[0][0].file_bytes not in (None, path.stat().st_size):
            remarks.append(Remark(photo, "has changed since it was grouped: group the photos again"))
        else:
            cases.append(_make_case(photo, some, path))
    return cases, remarks


def _make_case(photo: str, some: Sequence[tuple[GroupedSubject, str]], path: Path | None) -> Case:
    predictions = tuple(Prediction(Detection(one.box, 1.0), {name: 1.0}) for one, name in some if one.box is not None)
    found = tuple(Found(one.key, Verdict(name), answered=True) for one, name in some)
    size = None if path is None else _read_size(path)
    return Case(PhotoResult(photo, "ok", size, predictions=predictions), photo_key(photo), found, reviewed=False)


def _read_size(path: Path) -> tuple[int, int] | None:
    """None of a photo that cannot be read, which is said where it would be copied."""
    try:
        return read_size(path)
    except PhotoError:
        return None


def _written_classes(plan: Plan) -> set[str]:
    labels = [*(one.label for one in plan.crops), *(one.label for one in plan.labels)]
    boxes = [box for label in labels for box in label.boxes]
    return {box.class_name for box in boxes} | {one.class_name for one in plan.sorted}


def _list_groups(
    named: Iterable[GroupedSubject], classes: ClassPlan, properties: Mapping[str, str]
) -> tuple[AdoptedGroup, ...]:
    subjects, photos = Counter[int](), defaultdict[int, set[str]](set)
    for one in named:
        if one.label is not None:
            subjects[one.label] += 1
            photos[one.label].add(one.photo)
    count = int(properties[COUNT_NOTE])
    return tuple(
        AdoptedGroup(
            name_group(label, count),
            name,
            name in classes.new,
            classes.near.get(name, ""),
            subjects[label],
            len(photos[label]),
        )
        for label, name in sorted(classes.by_label.items())
    )
