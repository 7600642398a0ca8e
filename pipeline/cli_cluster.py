"""The command that sorts unlabelled photos into groups, and makes classes of the groups that were named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli_asking import ask_to_apply
from pipeline.cli_options import DATA, Weights
from pipeline.errors import CropsortError

if TYPE_CHECKING:
    from pipeline.cluster.adopting import Adoption
    from pipeline.cluster.clustering import Clustered


def cluster(
    photos: Annotated[
        str | None,
        typer.Argument(
            metavar="PHOTOS",
            show_default=False,
            help="Unlabelled photos: a folder, a pattern in quotes, or a .txt with a path a line; see predict.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="The data.yaml whose weights look at the photos; with --adopt, the one that gets the classes.",
            show_default="data.yaml; with --adopt, what the workbook says",
        ),
    ] = None,
    weights: Weights = None,
    features: Annotated[
        Literal["probabilities", "embedding", "pixels"],
        typer.Option(help="What is compared: probabilities of the known classes, what they are decided by, or pixels."),
    ] = "embedding",
    algorithm: Annotated[
        Literal["agglomerative", "hdbscan", "dbscan"],
        typer.Option(help="How; hdbscan and dbscan leave what fits nowhere as noise."),
    ] = "agglomerative",
    groups: Annotated[int | None, typer.Option(help="How many groups (agglomerative).", show_default="chosen")] = None,
    eps: Annotated[
        float | None, typer.Option(help="Distance up to which subjects are neighbours (dbscan).", show_default="chosen")
    ] = None,
    min_size: Annotated[
        int | None,
        typer.Option("--min-size", help="Subjects that make a group (hdbscan, dbscan).", show_default="chosen"),
    ] = None,
    crops: Annotated[
        bool, typer.Option("--crops", help="Each photo is a subject already: nothing is looked for in it.")
    ] = False,
    truth: Annotated[
        Literal["folders", "names"] | None,
        typer.Option(help="Compare the groups with the classes that folders or names of photos say."),
    ] = None,
    folders: Annotated[
        Literal["copy", "link"] | None,
        typer.Option(help="Also a folder a group, with copies of its photos or links to them."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder of the report; by default reports/<name of PHOTOS>-groups."),
    ] = None,
    adopt: Annotated[
        Path | None,
        typer.Option(
            "--adopt",
            metavar="FILE",
            help="A groups.xlsx in which groups were named: their subjects become training data of these classes.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --adopt: apply without asking.")] = False,
) -> None:
    """Sort unlabelled photos into groups of like subjects; or make classes of groups that were named (--adopt)."""
    if (photos is None) == (adopt is None):
        found = "neither photos nor a workbook" if photos is None else f"both {photos} and --adopt {adopt}"
        raise CropsortError(found, expected="PHOTOS to group, or --adopt groups.xlsx")
    if adopt is not None:
        grouping = {"--weights": weights, "--groups": groups, "--eps": eps, "--min-size": min_size, "--crops": crops}
        writing = {"--truth": truth, "--folders": folders, "--out": out}
        for name, given in {**grouping, **writing}.items():
            if given:
                raise CropsortError(
                    f"{name} beside --adopt", remedy="leave it out: the workbook has its groups already"
                )
        _adopt(adopt, data, yes=yes)
        return
    if yes:
        raise CropsortError("--yes without --adopt", remedy="remove it")
    from pipeline.cluster.grouping import Settings

    settings = Settings(algorithm, groups, eps, min_size)
    from pipeline.cluster.clustering import cluster_photos
    from pipeline.console import make_console

    made = cluster_photos(
        str(photos),
        data or DATA,
        weights=weights,
        kind=features,
        settings=settings,
        crops=crops,
        truth=truth,
        folders=folders,
        folder=out,
        console=make_console(),
    )
    _tell(made)
    for photo, reason in made.failed:
        print(f"cropsort: {photo} - {reason}", file=sys.stderr)
    failed = made.grouped.gathered.failed
    if failed:
        print(f"{failed} of the photos could not be read: the Problems sheet says why", file=sys.stderr)
    if failed or made.failed:
        raise typer.Exit(1)


def _tell(made: Clustered) -> None:
    """What came out, and where everything is."""
    from pipeline.cluster.wording import some

    grouped = made.grouped
    left = f", {grouped.noise:,} in none" if grouped.noise else ""
    count = some(len(grouped.gathered.subjects), "subject")
    print(f"{count} in {some(len(grouped.grouping.centres), 'group')}{left}")
    if problems := len(grouped.gathered.problems):
        print(f"{some(problems, 'file')} without a subject: the Problems sheet says why")
    print(f"how that was chosen: {grouped.grouping.rule}")
    if grouped.agreement is not None:
        rand, mutual = grouped.agreement.adjusted_rand, grouped.agreement.adjusted_mutual_information
        print(f"agreement with the true classes: adjusted Rand {rand:.3f}, adjusted mutual information {mutual:.3f}")
    tables = ", ".join(path.stem for path in made.tables)
    print(f"workbook {made.workbook}, tables {tables} (csv), pictures {made.map.name} and {made.dendrogram.name}")
    if made.folders is not None:
        print(f"a folder a group in {made.folders}")
    print(f'name groups in its sheet Groups, save, then: cropsort cluster --adopt "{made.workbook}"')


def _adopt(workbook: Path, data: Path | None, *, yes: bool) -> None:
    from pipeline.cluster.adopting import adopt_groups, preview
    from pipeline.console import make_console

    def ask(adoption: Adoption) -> bool:
        return ask_to_apply(preview(adoption), yes=yes)

    made = adopt_groups(workbook, data, apply=ask, console=make_console())
    if not made.adoption.plan.changes:
        print(*preview(made.adoption), sep="\n")
    elif made.applied:
        print(f'adopted; go on with: make train DATA="{made.adoption.data_file}"')
    else:
        print("nothing was changed")
    for remark in made.refused:
        print(f"cropsort: {remark}", file=sys.stderr)
    if made.refused:
        raise typer.Exit(1)
