"""The first sheet of ``groups.xlsx``: what was grouped and how, what came out, and what to do with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline import __version__
from pipeline.cluster.features import FeatureKind
from pipeline.cluster.groups import Group, Grouped
from pipeline.cluster.wording import PROBLEMS, WORKBOOK, Run, some
from pipeline.workbook.tables import DATE, MAX_PICTURES, PERCENT, TEXT, WHOLE, Column, Summary, Table, Value

_FEATURES: dict[FeatureKind, str] = {
    "probabilities": "the classifier's probabilities of the classes that it knows",
    "embedding": "what the classifier decides by: the input of its last layer",
    "pixels": "the crops' pixels, without a classifier",
}
_ALGORITHMS = {"agglomerative": "agglomerative (Ward)", "hdbscan": "HDBSCAN", "dbscan": "DBSCAN"}

_SHOWN = 40
"""Groups and classes in a table of the summary."""

_SCORE = "0.000"


class _TrueClass(NamedTuple):
    name: str
    subjects: int
    group: str
    share: float


def summarise(grouped: Grouped, run: Run) -> Summary:
    """The first sheet.

    Args:
        grouped: the subjects and their groups.
        run: what was run.
    """
    subjects, groups = len(grouped.gathered.subjects), len(grouped.grouping.centres)
    left = f", {some(grouped.noise, 'subject')} in none" if grouped.noise else ""
    return Summary(
        title=f"Groups in {run.title}",
        headline=f"{some(subjects, 'subject')} in {some(groups, 'group')}{left}.",
        facts=list(_list_facts(grouped, run)),
        warnings=list(_list_warnings(grouped)),
        tables=[_group_table(grouped), *_truth_tables(grouped)],
    )


def _list_facts(grouped: Grouped, run: Run) -> Iterator[tuple[str, Value, str]]:
    yield "finished", run.finished, DATE
    yield "to do", "write a class into the yellow column of Groups for each group that is one;", TEXT
    yield "", "subjects in a wrong group are moved in the yellow column of Subjects;", TEXT
    yield "", f"save, then: cropsort cluster --adopt {WORKBOOK}", TEXT
    yield "photos", str(run.photos), TEXT
    if run.weights is not None:
        yield "weights", str(run.weights), TEXT
    yield "grouped by", _FEATURES[run.kind], TEXT
    yield "algorithm", _ALGORITHMS.get(run.algorithm, run.algorithm), TEXT
    yield "rule", grouped.grouping.rule, TEXT
    if grouped.agreement is not None:
        yield "adjusted Rand index", grouped.agreement.adjusted_rand, _SCORE
        yield "adjusted mutual information", grouped.agreement.adjusted_mutual_information, _SCORE
    yield "cropsort version", __version__, TEXT


def _list_warnings(grouped: Grouped) -> Iterator[str]:
    subjects, noise = len(grouped.gathered.subjects), grouped.noise
    if noise * 2 > subjects:
        yield f"{noise:,} of {subjects:,} subjects are noise: try --algorithm agglomerative, or a larger --eps."
    if grouped.truth is not None and (unknown := grouped.truth.count(None)):
        yield f"The true class of {some(unknown, 'subject')} is not known: they do not count in the agreement."
    failed = grouped.gathered.failed
    if failed:
        yield f"{some(failed, 'photo')} could not be read: see {PROBLEMS}."
    if others := len(grouped.gathered.problems) - failed:
        yield f"{some(others, 'file')} gave nothing to group, no photos or nothing found in them: see {PROBLEMS}."
    if grouped.gathered.hidden:
        yield f"{some(grouped.gathered.hidden, 'hidden file')} {_were(grouped.gathered.hidden)} skipped."
    if subjects > MAX_PICTURES:
        yield f"Crops are shown for the first {MAX_PICTURES:,} subjects only."


def _group_table(grouped: Grouped) -> Table[Group]:
    total = len(grouped.gathered.subjects)
    columns: list[Column[Group]] = [
        Column("group", lambda group: group.name),
        Column("subjects", lambda group: len(group.members), number_format=WHOLE),
        Column("share", lambda group: len(group.members) / total, number_format=PERCENT),
        Column("most like", lambda group: group.nearest[0] if group.nearest else None),
    ]
    shown = columns if any(group.nearest for group in grouped.groups) else columns[:3]
    return Table("Subjects by group", shown, grouped.groups[:_SHOWN], chart="bars")


def _truth_tables(grouped: Grouped) -> list[Table[Any]]:
    """How the subjects of each true class were grouped."""
    if grouped.truth is None:
        return []
    columns: list[Column[_TrueClass]] = [
        Column("true class", lambda row: row.name),
        Column("subjects", lambda row: row.subjects, number_format=WHOLE),
        Column("most are in", lambda row: row.group),
        Column("share", lambda row: row.share, number_format=PERCENT),
    ]
    return [Table("True classes", columns, _count_classes(grouped)[:_SHOWN])]


def _count_classes(grouped: Grouped) -> list[_TrueClass]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    names, labels = grouped.names, grouped.grouping.labels
    for name, label in zip(grouped.truth or (), labels, strict=True):
        if name is not None:
            counts[name][names[int(label)]] += 1
    rows = []
    for name, found in sorted(counts.items()):
        group, count = min(found.items(), key=lambda item: (-item[1], item[0]))
        rows.append(_TrueClass(name, found.total(), group, count / found.total()))
    return rows


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
