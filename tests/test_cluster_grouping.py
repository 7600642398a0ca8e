"""Grouping: Ward's tree and DBSCAN as others have them, parameters by their rules, and what cannot be grouped."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, is_valid_linkage, linkage
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from pipeline.cluster import ward
from pipeline.cluster.agreement import agree
from pipeline.cluster.choosing import SAMPLE, choose_count, choose_eps, choose_min_size
from pipeline.cluster.density import find_dense, measure_neighbours
from pipeline.cluster.features import Features
from pipeline.cluster.grouping import ALGORITHMS, MOST_NUMBERS, NOISE, Algorithm, Grouping, Settings, group
from pipeline.environment import ROOT
from pipeline.errors import ConfigError, DataError

Points = NDArray[np.float64]
Truth = NDArray[np.int64]

SIZES = (40, 30, 20, 10)


def scatter(
    sizes: tuple[int, ...] = SIZES, *, spread: float = 0.05, noise: int = 0, numbers: int = 8, seed: int = 0
) -> tuple[Features, Truth]:
    """Blobs around the corners of a simplex, in an order that tells nothing, and some points far from all."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    points = np.eye(len(sizes), numbers)[truth] + rng.normal(0, spread, (len(truth), numbers))
    points = np.concatenate([points, rng.uniform(2, 9, (noise, numbers))])
    truth = np.concatenate([truth, np.full(noise, NOISE)])
    order = rng.permutation(len(truth))
    return points[order].astype(np.float32), truth[order]


def check(made: Grouping, features: Features) -> None:
    """What holds of every grouping."""
    count = len(made.centres)
    sizes = np.bincount(made.labels[made.labels != NOISE], minlength=count)
    assert (sizes > 0).all() and (np.diff(sizes) <= 0).all()
    assert set(made.labels.tolist()) - {NOISE} == set(range(count))
    for number, centre in enumerate(made.centres):
        assert centre == pytest.approx(features[made.labels == number].mean(0), abs=1e-5)
    to_centres = np.linalg.norm(features[:, None] - made.centres[None], axis=2)
    own = np.where(made.labels == NOISE, to_centres.min(1), to_centres[np.arange(len(features)), made.labels])
    assert made.distances == pytest.approx(own, abs=1e-4)
    assert made.tree.shape == (count - 1, 4)
    assert count == 1 or is_valid_linkage(made.tree)
    assert made.labels.dtype == np.int64 and made.distances.dtype == made.centres.dtype == np.float32


# Ward's tree


@pytest.mark.parametrize(("count", "numbers"), [(2, 1), (3, 2), (60, 3), (300, 20)])
def test_tree_is_the_one_that_scipy_makes_of_all_pairs(count: int, numbers: int) -> None:
    points = np.random.default_rng(count).normal(size=(count, numbers)) + 100  # far from 0, where sums lose digits
    merges, wanted = ward.merge(points, np.ones(count, np.int64)), linkage(points, "ward")
    assert merges.heights == pytest.approx(wanted[:, 2], rel=1e-6)
    for groups in {1, 2, 3, count // 2, count}:
        if 1 <= groups <= count:
            assert adjusted_rand_score(merges.cut(groups), cut_tree(wanted, groups).ravel()) == 1.0
            assert len(set(merges.cut(groups).tolist())) == groups


def test_points_in_one_place_count_as_many_as_they_are() -> None:
    rng = np.random.default_rng(1)
    places, times = rng.normal(size=(12, 2)), rng.integers(1, 5, 12)
    wanted = linkage(np.repeat(places, times, axis=0), "ward")[:, 2]
    assert ward.merge(places, times).heights == pytest.approx(wanted[times.sum() - 12 :], rel=1e-6)


@given(st.integers(1, 30), st.integers(1, 3), st.integers(0, 10_000))
def test_ties_and_equal_points_end_in_one_tree(count: int, numbers: int, seed: int) -> None:
    """On a small grid nearly all distances are the distance of others too."""
    points: Points = np.random.default_rng(seed).integers(0, 3, (count, numbers)) * np.float64(0.1)
    merges = ward.merge(points, np.ones(count, np.int64))
    assert merges.pairs.shape == (count - 1, 2)
    assert all(one <= other for one, other in pairwise(merges.heights))
    assert [len(set(merges.cut(groups).tolist())) for groups in range(1, count + 1)] == [*range(1, count + 1)]


# DBSCAN


@pytest.mark.parametrize("eps", [0.05, 0.15, 0.3, 0.8, 50.0])
def test_dense_groups_are_those_of_scikit_learn(eps: float) -> None:
    """But for subjects at the edge of two groups: there the nearer one has them, and not the first one."""
    features, _ = scatter((700, 300, 60, 5), noise=30, spread=0.04)  # more than are looked at together
    points = features.astype(np.float64)
    distances = measure_neighbours(points, 5)
    found, wanted = find_dense(points, distances, eps), DBSCAN(eps=eps, min_samples=5).fit(points)
    core = wanted.core_sample_indices_
    assert np.array_equal(np.flatnonzero(distances <= eps), core)
    assert np.array_equal(found == NOISE, wanted.labels_ == NOISE)
    if len(core):
        assert adjusted_rand_score(found[core], wanted.labels_[core]) == 1.0


def test_who_is_near_two_groups_belongs_to_the_nearer_one() -> None:
    points = np.array([0.0, 0.05, 0.1, 0.2, 0.75, 1.25, 1.4, 1.45, 1.5])[:, None]
    distances = measure_neighbours(points, 4)
    assert np.flatnonzero(distances > 0.6).tolist() == [4]
    assert find_dense(points, distances, 0.6).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]


# Rules


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_number_of_groups_is_the_one_with_the_best_silhouette(count: int) -> None:
    features, truth = scatter(tuple(range(20, 20 + count)), numbers=12)
    made = group(features, Settings("agglomerative"))
    check(made, features)
    assert adjusted_rand_score(made.labels, truth) == 1.0
    assert made.rule.startswith(f"{count} groups: of 2 to 40, the number with the best silhouette, 0.")


def test_of_many_subjects_the_silhouette_is_that_of_a_part() -> None:
    features, truth = scatter((SAMPLE, 200, 100), numbers=4)
    made = group(features, Settings("agglomerative"))
    assert adjusted_rand_score(made.labels, truth) == 1.0
    assert f"silhouette of {SAMPLE} subjects, " in made.rule


def test_silhouette_of_one_group_is_none() -> None:
    points = np.arange(4.0)[:, None]
    count, score = choose_count(points, [1, 2], lambda count: np.array([0, 0, 1, 1]) % count)
    assert count == 2 and score == pytest.approx(0.4666667)
    assert choose_count(points, [1, 4], lambda count: np.arange(4) % count) == (1, -1.0)


def test_eps_is_where_the_distances_begin_to_rise() -> None:
    dense, alone = np.linspace(0.9, 1.0, 90), np.linspace(2, 9, 10)
    assert choose_eps(np.concatenate([alone, dense])) == pytest.approx(1.0)
    assert choose_eps(np.array([0.0, 0.0, 3.0])) == choose_eps(np.array([3.0, 3.0])) == 3.0
    assert 0 < choose_eps(np.zeros(3)) < 1e-5


@pytest.mark.parametrize(("count", "size"), [(2, 5), (500, 5), (650, 6), (20_000, 200)])
def test_a_hundredth_of_the_subjects_makes_a_group(count: int, size: int) -> None:
    assert choose_min_size(count) == size


@pytest.mark.parametrize("algorithm", ["hdbscan", "dbscan"])
def test_what_lies_between_groups_is_noise(algorithm: Algorithm) -> None:
    features, truth = scatter(noise=4)  # one less than a group has
    made = group(features, Settings(algorithm))
    check(made, features)
    assert adjusted_rand_score(made.labels, truth) == 1.0
    assert (made.labels[truth == NOISE] == NOISE).all()
    assert (
        made.rule
        == {
            "hdbscan": "at least 5 subjects to a group, one in a hundred, and no fewer than 5",
            "dbscan": made.rule,
        }[algorithm]
    )


def test_rules_say_what_was_chosen_and_what_was_given() -> None:
    features, _ = scatter(noise=6)
    told = [
        group(features, settings).rule
        for settings in (
            Settings("agglomerative", groups=3),
            Settings("hdbscan", min_size=8),
            Settings("dbscan", eps=0.5),
            Settings("dbscan", min_size=8),
        )
    ]
    assert told[:3] == [
        "3 groups, as asked for",
        "at least 8 subjects to a group, as asked for",
        "eps 0.5, as asked for; 5 subjects make a group",
    ]
    assert told[3].startswith("eps 0.") and told[3].endswith(
        ", the knee of the sorted distances within which 8 subjects lie; 8 subjects make a group"
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_of_many_numbers_the_main_ones_are_compared(algorithm: Algorithm) -> None:
    features, truth = scatter(numbers=MOST_NUMBERS * 3, spread=0.03)
    made = group(features, Settings(algorithm))
    check(made, features)
    assert adjusted_rand_score(made.labels, truth) == 1.0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_same_features_give_the_same_groups(algorithm: Algorithm) -> None:
    features, _ = scatter(numbers=MOST_NUMBERS + 9, spread=0.2, noise=5)
    settings = Settings(algorithm, min_size=None if algorithm == "agglomerative" else 3)
    one, other = group(features, settings), group(features.copy(), settings)
    assert np.array_equal(one.labels, other.labels) and np.array_equal(one.distances, other.distances)
    assert np.array_equal(one.tree, other.tree) and one.rule == other.rule


def test_of_two_groups_of_one_size_the_one_of_the_first_subject_is_first() -> None:
    features = np.array([[0], [0.1], [5], [5.1]], np.float32)
    for rows in (features, features[::-1]):
        assert group(rows, Settings(groups=2)).labels.tolist() == [0, 0, 1, 1]


def test_tree_of_groups_begins_with_the_nearest() -> None:
    features = np.repeat(np.array([[0.0], [1.0], [9.0]], np.float32), [4, 3, 2], axis=0)
    made = group(features, Settings(groups=3))
    assert made.tree.tolist() == [[0, 1, 1, 2], [2, 3, 8.5, 3]]
    assert made.distances.tolist() == [0] * 9


# What cannot be grouped


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("numbers", [3, MOST_NUMBERS * 2])
def test_subjects_that_are_all_the_same_are_one_group(algorithm: Algorithm, numbers: int) -> None:
    features = np.full((7, numbers), 0.1, np.float32)
    made = group(features, Settings(algorithm))
    check(made, features)
    assert made.labels.tolist() == [0] * 7
    assert made.rule == "all subjects are the same: one group"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("numbers", [3, MOST_NUMBERS * 2])
def test_groups_of_subjects_that_are_the_same(algorithm: Algorithm, numbers: int) -> None:
    """As of photos that were copied, and of probabilities that are all 0 and 1."""
    places = np.random.default_rng(0).normal(size=(3, numbers)).astype(np.float32)
    features = np.repeat(places, [30, 20, 10], axis=0)
    made = group(features, Settings(algorithm))
    check(made, features)
    assert made.labels.tolist() == [0] * 30 + [1] * 20 + [2] * 10


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("count", [0, 1])
def test_one_subject_is_nothing_to_group(algorithm: Algorithm, count: int) -> None:
    many = "1 subject" if count else "0 subjects"
    with pytest.raises(DataError, match=rf"^{many} to group - expected at least 2 - more photos$"):
        group(np.zeros((count, 4), np.float32), Settings(algorithm))


def test_two_subjects_are_a_group_each() -> None:
    made = group(np.eye(2, dtype=np.float32), Settings())
    assert made.labels.tolist() == [0, 1]
    assert made.rule == "2 groups of one subject each: there is nothing to choose"


@pytest.mark.parametrize("times", [[1, 1], [9, 9]])
def test_fewer_different_subjects_than_groups(times: list[int]) -> None:
    features = np.repeat(np.eye(2, 3, dtype=np.float32), times, axis=0)
    what = "2 subjects" if times == [1, 1] else "2 different subjects"
    match = rf"^{what} to group - expected at least 3, for as many groups - fewer --groups, or more photos$"
    with pytest.raises(DataError, match=match):
        group(features, Settings(groups=3))


@pytest.mark.parametrize("algorithm", ["hdbscan", "dbscan"])
def test_fewer_subjects_than_a_group_has(algorithm: Algorithm) -> None:
    match = "^4 subjects to group - expected at least 5, one group - more photos, a smaller --min-size, or --algorithm"
    with pytest.raises(DataError, match=match):
        group(np.eye(4, dtype=np.float32), Settings(algorithm))


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [(Settings("dbscan", eps=0.01), "a larger --eps"), (Settings("hdbscan", min_size=20), "a smaller --min-size")],
)
def test_all_of_it_noise(settings: Settings, remedy: str) -> None:
    features = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    with pytest.raises(DataError, match=rf"^all 30 subjects are noise: .* as asked for.* - {remedy}, or --algorithm a"):
        group(features, settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"algorithm": "hdbscan", "groups": 3},
            "--groups - hdbscan knows no such thing - leave it out, or choose",
        ),
        ({"algorithm": "agglomerative", "eps": 0.1}, "--eps - agglomerative knows no such thing - .* --algorithm dbs"),
        ({"algorithm": "hdbscan", "eps": 0.1}, "--eps - hdbscan knows no such thing"),
        ({"algorithm": "agglomerative", "min_size": 4}, "--min-size - agglomerative knows no such thing"),
        ({"groups": 1}, "--groups - is 1 - expected at least 2"),
        ({"algorithm": "dbscan", "eps": 0.0}, r"--eps - is 0.0 - expected a distance above 0"),
        ({"algorithm": "dbscan", "eps": float("nan")}, r"--eps - is nan - expected a distance above 0"),
        ({"algorithm": "dbscan", "eps": float("inf")}, r"--eps - is inf - expected a distance above 0"),
        ({"algorithm": "dbscan", "min_size": 1}, "--min-size - is 1 - expected at least 2"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        Settings(**options)  # type: ignore[arg-type]


# Agreement


def test_the_same_groups_under_other_names_agree() -> None:
    made = agree(np.array([0, 0, 1, 1, 2]), ["b", "b", "갑", "갑", "a"])
    assert (made.adjusted_rand, made.adjusted_mutual_information, made.purity) == (1.0, 1.0, 1.0)
    assert (made.subjects, made.classes, made.groups) == (5, 3, 3)


def test_groups_by_chance_agree_with_nothing() -> None:
    rng = np.random.default_rng(0)
    made = agree(rng.integers(0, 5, 2000), [f"class {number}" for number in rng.integers(0, 5, 2000)])
    assert abs(made.adjusted_rand) < 0.01 and abs(made.adjusted_mutual_information) < 0.01
    assert 0.2 < made.purity < 0.3


def test_noise_is_a_group_and_what_is_unknown_does_not_count() -> None:
    labels = np.array([NOISE, NOISE, 0, 0, 0])
    assert agree(labels, ["a", "a", "b", "b", None]).adjusted_rand == 1.0
    assert agree(labels, ["a", "a", "b", "b", None]).subjects == 4
    assert agree(labels, ["a", "b", "a", "b", "b"]).purity == 0.6


def test_without_a_single_known_class_there_is_nothing_to_agree_with() -> None:
    with pytest.raises(DataError, match="the true class of none of the subjects is known"):
        agree(np.array([0, 1]), [None, None])
    with pytest.raises(ValueError, match="shorter"):
        agree(np.array([0, 1]), ["a"])


MEMORY = """
import sys
from pathlib import Path
import numpy as np
from pipeline.cluster.grouping import Settings, group

def peak():  # not ru_maxrss, in which the memory of who started this process counts as well
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

rng = np.random.default_rng(0)
kind = sys.argv[1]
group(rng.normal(size=(50, 4)).astype(np.float32), Settings(kind, **({"eps": 9.0} if kind == "dbscan" else {})))
before = peak()  # with all that is imported
features = rng.normal(size=(10_000, 4)).astype(np.float32) * 1e-3
features[:5000] += 1
group(features, Settings(kind, **({"eps": 0.1} if kind == "dbscan" else {})))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_memory_is_not_that_of_all_pairs(algorithm: Algorithm) -> None:
    """Half of all pairs are neighbours here: 10,000 * 10,000 distances would take 800 MB."""
    run = [sys.executable, "-c", MEMORY, algorithm]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    assert float(done.stdout) < 300
