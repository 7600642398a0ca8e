"""From what a reader corrected to what changes in the data set; nothing is written here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.boxes import Box
from pipeline.config import Config
from pipeline.corrections.cases import Case, Photo, entries_of, find_photo
from pipeline.corrections.ledger import Entry, Ledger
from pipeline.corrections.places import Names, Places
from pipeline.corrections.plan import LabelChange, NewPhoto, Part, Plan, Remark, SortedPhoto
from pipeline.corrections.relabelling import Wanted, relabel
from pipeline.corrections.sameness import find_same
from pipeline.corrections.verdicts import Verdict
from pipeline.errors import DataError
from pipeline.images import read_header
from pipeline.labels import CLASS_LIST, Label, LabelledBox, parse_label, plain_name, read_class_list
from pipeline.problems import Severity

Sorting = Callable[[Case], tuple[Path, str] | None]
"""Where a photo is copied to in a data set of sorted photos, and its class; None for one that gets labelled boxes."""


def make_plan(
    data_file: Path,
    config: Config,
    cases: Sequence[Case],
    *,
    folders: Sequence[Path],
    places: Places,
    ledger: Ledger,
    remarks: Iterable[Remark] = (),
    adopting: Sorting | None = None,
    on_photo: Callable[[], None] | None = None,
) -> Plan:
    """Decide what becomes of each photo.

    Args:
        data_file: the data.yaml.
        config: what it says.
        cases: photos and what was answered about them.
        folders: where these photos may be.
        places: what there is in the data set.
        ledger: what was applied before.
        remarks: what is refused already.
        adopting: for photos that nobody has corrected, but that are taken into the data set: those that train, val and
            test have already are left as they are. None for corrections.
        on_photo: called after each photo of the data set, and each of ``cases`` that is left to do, was looked at.
    """
    planning = _Planning(config, folders, places, ledger, adopting, refused=list(remarks))
    todo = planning.leave_out_applied(cases)
    same = find_same([photo.path for _, photo in todo], list(places.parts), on_photo=on_photo)
    for case, photo in todo:
        planning.plan_photo(case, photo, same.get(photo.path))
    return Plan(
        data_file,
        places.corrections,
        config.names,
        tuple(planning.photos),
        tuple(planning.crops),
        tuple(planning.labels),
        places.copies,
        places.list_file,
        tuple(planning.settled),
        tuple(planning.refused),
        tuple(planning.confirmed),
        ledger,
        tuple(planning.sorted),
    )


@dataclass(slots=True)
class _Planning:
    config: Config
    folders: Sequence[Path]
    places: Places
    ledger: Ledger
    adopting: Sorting | None
    photos: list[NewPhoto] = field(default_factory=list)
    crops: list[NewPhoto] = field(default_factory=list)
    labels: list[LabelChange] = field(default_factory=list)
    sorted: list[SortedPhoto] = field(default_factory=list)
    settled: list[Remark] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)
    confirmed: list[Entry] = field(default_factory=list)
    taken: dict[Path, str] = field(default_factory=dict)
    names: dict[Path, Names] = field(default_factory=dict)

    def leave_out_applied(self, cases: Iterable[Case]) -> list[tuple[Case, Photo]]:
        """The photos that something is left to do about, each with its file."""
        todo = []
        for case in cases:
            photo = find_photo(case.result, self.folders)
            entries = entries_of(case, self.folders[0], "" if isinstance(photo, str) else photo.digest)
            if all(map(self.ledger.holds, entries)):
                self.settled.append(Remark(case.result.photo, f"applied before: {_say(case)}"))
            elif isinstance(photo, str):
                self.refused.append(Remark(case.result.photo, photo))
            else:
                todo.append((case, photo))
        return todo

    def plan_photo(self, case: Case, photo: Photo, same: Path | None) -> None:
        """Decide what becomes of a photo.

        Args:
            case: what was answered.
            photo: its file.
            same: the photo of the data set, or of the workbook, that shows the same picture.
        """
        part = None if same is None else self.places.parts.get(same)
        if not self._leave(case.result.photo, same or photo.path, part):
            sorted_to = self.adopting(case) if self.adopting is not None and part is None else None
            if sorted_to is None:
                self._correct(case, photo, same, part)
            else:
                self._sort(case, photo, *sorted_to)

    def _leave(self, name: str, picture: Path, part: Part | None) -> bool:
        """Whether nothing is to be done about a photo; says why."""
        if self.adopting is not None and part in ("train", "val", "test"):
            self.settled.append(Remark(name, f"is in {part} already: left as it is"))
            return True
        other = self.taken.setdefault(picture, name)
        if other != name:
            what, told = ("corrected", self.refused) if self.adopting is None else ("taken", self.settled)
            told.append(Remark(name, f"is the same picture as {other}, which is {what} as well: only that one counts"))
        return other != name

    def _correct(self, case: Case, photo: Photo, same: Path | None, part: Part | None) -> None:
        name = case.result.photo
        labelled = self.config.classes_from == "labels"
        if not labelled and (case.reviewed or part not in (None, "corrections")):
            by = self.config.classes_from
            found = f"the {by} of the photos say their classes in this data set: there are no labels to correct"
            self.refused.append(
                Remark(name, f"{found}; sort it there, or answer single boxes of photos that are not in it")
            )
        elif same is not None and part in ("train", "val", "test"):
            self._change_label(case, photo, same, part)
        elif case.reviewed:
            self._add(case, photo, part="train", instead=same if part == "corrections" else None)
        elif same is not None and part == "corrections":
            self._change_label(case, photo, same, part)
        else:
            self._add(case, photo, part="corrections")

    def _sort(self, case: Case, photo: Photo, copy: Path, class_name: str) -> None:
        """A copy of a photo where those of its class are."""
        assert case.result.size is not None
        entries = entries_of(case, self.folders[0], photo.digest)
        self.sorted.append(SortedPhoto(case.result.photo, photo.path, copy, case.result.size, class_name, entries))

    def _add(self, case: Case, photo: Photo, *, part: Part, instead: Path | None = None) -> None:
        """A copy of a photo with the boxes that were judged."""
        places = range(len(case.found)) if case.reviewed else case.answered
        assert case.result.size is not None
        size = case.result.size
        boxes = [(case.result.predictions[at].detection.box.clipped(*size), case.found[at].verdict) for at in places]
        drawn = tuple(
            LabelledBox(verdict.class_name, box.edges)
            for box, verdict in boxes
            if isinstance(verdict, Verdict) and verdict.class_name is not None and box.area > 0
        )
        name, entries = case.result.photo, entries_of(case, self.folders[0], photo.digest)
        if not (drawn or case.reviewed):
            why = "not a subject: nothing to learn from that, unless the photo is marked as reviewed"
            self.settled.append(Remark(name, why))
            return
        copy, label = self._claim(name, part)
        new = Label(label, copy, size, drawn, ())
        if part == "train":
            self.photos.append(NewPhoto(name, photo.path, "train", new, entries, instead))
        else:
            self.crops.append(NewPhoto(name, photo.path, "corrections", new, entries))

    def _claim(self, photo: str, part: Part) -> tuple[Path, Path]:
        folder = self.places.copies if part == "train" else self.places.corrections
        if folder not in self.names:
            self.names[folder] = Names(folder, self.places.suffix, beside=part == "corrections")
        return self.names[folder].claim(photo)

    def _change_label(self, case: Case, photo: Photo, same: Path, part: Part) -> None:
        """Correct the label that the picture has in the data set."""
        name = case.result.photo
        try:
            label = read_own_label(same, self.places.destinations[same], self.config.names)
        except DataError as error:
            self.refused.append(Remark(name, f"its label in the data set cannot be corrected: {error}"))
            return
        wanted = _want(case, label.size)
        corrected = part == "corrections"
        made = relabel(
            label,
            [one for _, one in wanted],
            may_add=case.reviewed or corrected,
            may_remove=corrected,
            may_change=self.adopting is None,
        )
        held = {case.found[wanted[index][0]].key for index in made.refused}
        told = self.refused if self.adopting is None else self.settled
        told += [Remark(name, reason) for reason in dict.fromkeys(made.refused.values())]
        entries = entries_of(case, self.folders[0], photo.digest)
        entries = tuple(one for one in entries if one.key not in held and not (held and one.key == case.key))
        if made.changes:
            self.labels.append(LabelChange(name, part, made.label, made.changes, entries))
        elif entries:
            self.confirmed += entries
            self.settled.append(Remark(name, f"its label in {part} says so already: {_say(case)}"))
        if case.reviewed and made.left:
            more = f"{made.left} labelled boxes in {part} that were not found stay as they are"
            self.settled.append(Remark(name, more))


def read_own_label(photo: Path, path: Path, class_names: tuple[str, ...]) -> Label:
    """The label of a photo of the data set, to be written back with its boxes corrected; empty where there is none.

    Raises:
        DataError: something in it is not understood, and would be lost; or a classes.txt has another order.
    """
    header = read_header(photo)
    _check_class_list(path, class_names)
    if not path.is_file():
        return Label(path, photo, header.size, (), ())
    label = parse_label(photo, header.size, path, class_names, orientation=header.orientation)
    errors = [problem for problem in label.problems if problem.severity is Severity.ERROR]
    if errors:
        raise errors[0].as_error()
    return label


def _check_class_list(label: Path, class_names: Sequence[str]) -> None:
    path = label.with_name(CLASS_LIST)
    if label.suffix.lower() != ".txt" or not path.is_file():
        return
    known = tuple(map(plain_name, class_names))
    for here, named in zip(read_class_list(path), known, strict=False):
        if here != named:
            remedy = "bring both lists into the same order"
            raise DataError(f"'{here}' stands where names in data.yaml has '{named}'", where=path, remedy=remedy)


def _want(case: Case, size: tuple[int, int]) -> list[tuple[int, Wanted]]:
    """The boxes that something is to be said of, and their places; in pixels of the photo of the data set."""
    assert case.result.size is not None
    across, down = size[0] / case.result.size[0], size[1] / case.result.size[1]

    def fit(box: Box) -> Box:
        scaled = Box(box.left * across, box.top * down, box.right * across, box.bottom * down)
        return scaled.clipped(*size)

    return [
        (place, Wanted(fit(case.result.predictions[place].detection.box), one.verdict, one.answered))
        for place, one in enumerate(case.found)
        if isinstance(one.verdict, Verdict) and (one.answered or case.reviewed)
    ]


def _say(case: Case) -> str:
    said = ["all boxes right"] if case.reviewed else []
    counted = Counter(str(case.found[place].verdict) for place in case.answered)
    return ", ".join([*said, *(f"{count} x {one}" if count > 1 else one for one, count in counted.items())])
