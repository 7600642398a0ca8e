"""What cropping is worth: the figures on answers made up so that they can be worked out by hand, and a real contest."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from test_evaluate_page import CAT, DOG, FAR, HERE, NAMES, card, predict

from pipeline.config import Config, read_config
from pipeline.contest import as_trained, count_seconds
from pipeline.dataset import load_dataset
from pipeline.errors import CropsortError, DataError, WeightsError
from pipeline.labels import Subject
from pipeline.results import Detection, Prediction
from pipeline.rivals import check_contest
from pipeline.runs import keep_epoch
from pipeline.scores import JudgedPhoto, compare_f1
from pipeline.weights import Cards
from pipeline.worth import Rival, Row, answer, answer_surest, compare, find_single
from pipeline.yolo import Epoch


def judge(truth: list[str], *made: Prediction) -> JudgedPhoto:
    return JudgedPhoto(tuple(Subject(HERE, name) for name in truth), (), made, ())


def sees(name: str, probability: float, confidence: float = 0.9) -> Prediction:
    other = {CAT: DOG, DOG: CAT}[name]
    return Prediction(Detection(FAR, confidence), {name: probability, other: 1 - probability})


def test_photo_of_one_class_has_a_right_class() -> None:
    assert find_single((Subject(HERE, CAT), Subject(FAR, CAT))) == CAT
    assert find_single((Subject(HERE, CAT), Subject(FAR, DOG))) is None
    assert find_single(()) is None


def test_sum_of_probabilities_answers_for_two_stages() -> None:
    photo = judge([CAT], sees(DOG, 0.9, 0.95), sees(CAT, 0.8), sees(CAT, 0.8))
    assert answer(photo, 0.5) == CAT  # 1.7 against 1.3
    assert answer(photo, 0.93) == DOG
    assert answer(photo, 0.99) is None


def test_surest_box_answers_for_one_stage() -> None:
    photo = judge([CAT], sees(CAT, 0.9, 0.5), sees(DOG, 0.9, 0.6), sees(CAT, 0.9, 0.5))
    assert answer_surest(photo, 0.1) == DOG
    assert answer_surest(photo, 0.7) is None


def test_ways_are_compared_photo_by_photo() -> None:
    truth = [(Subject(HERE, CAT),)] * 3 + [(Subject(HERE, DOG),), (Subject(HERE, CAT), Subject(FAR, DOG)), ()]
    own = Rival(Row("two stages", confidence=0.5), [CAT, CAT, CAT, None, DOG, None])
    other = Rival(Row("whole photo"), [CAT, CAT, DOG, DOG, None, None])
    worth = compare(own, [other, Rival(Row("one stage", why="not tried"))], truth, ("note: n",))
    ours, whole, one = worth.rows
    assert (worth.photos, worth.single) == (6, 4)
    assert ours.right is not None and whole.right is not None and whole.right_lead is not None
    assert (ours.right.value, whole.right.value, whole.right_lead.value) == (0.75, 0.75, 0)
    assert whole.right_lead.interval[0] < 0 < whole.right_lead.interval[1]
    assert ours.right_lead is None and one.right is None
    assert "right class: of the 4 photos, of 6, that show one class; the other 2 show several" in str(worth)
    assert "one stage: not tried" in str(worth) and str(worth).endswith("note: n")
    json.dumps(worth.as_dict(), allow_nan=False)


def test_same_answers_leave_no_lead_and_no_doubt_of_it() -> None:
    truth = [(Subject(HERE, CAT),)] * 5
    answers = [CAT, DOG, CAT, None, CAT]
    row = compare(Rival(Row("a"), answers), [Rival(Row("b"), answers)], truth, ()).rows[1]
    assert row.right_lead is not None
    assert (row.right_lead.value, row.right_lead.interval) == (0, (0, 0))


def test_photos_of_several_classes_alone_leave_only_the_boxes() -> None:
    truth = [(Subject(HERE, CAT), Subject(FAR, DOG))] * 2
    photo = JudgedPhoto(truth[0], (), (predict(HERE, CAT), predict(FAR, DOG)), ())
    blank = replace(photo, predictions=())
    own = Rival(Row("a", confidence=0.5), [CAT] * 2, [photo, photo])
    rows = compare(own, [Rival(Row("b", confidence=0.5), [None] * 2, [photo, blank])], truth, ()).rows
    assert rows[0].right is None and rows[1].right is None
    assert rows[0].f1 is not None and rows[1].f1 is not None and rows[1].f1_lead is not None
    assert (rows[0].f1.value, rows[1].f1.value) == pytest.approx((1, 2 / 3))
    assert rows[1].f1_lead.value == pytest.approx(1 / 3)
    assert rows[1].f1_lead.interval == pytest.approx((0, 1))


def test_chains_are_compared_each_at_its_own_threshold() -> None:
    faint = JudgedPhoto((Subject(HERE, CAT),), (), (Prediction(Detection(HERE, 0.3), {CAT: 1.0}),), ())
    assert compare_f1(([faint], 0.2), ([faint], 0.5)) == (1, (1, 1))


def test_table_says_what_is_not_known() -> None:
    truth = [(Subject(HERE, CAT),)]
    rows = compare(Rival(Row("two stages"), [CAT]), [Rival(Row("whole photo", why="too few"))], truth, ())
    lines = str(rows).splitlines()
    assert re.fullmatch(r"two stages +\? +\? +1.000 \(1.000 to 1.000\) +- +- +-", lines[2])
    assert re.fullmatch(r"whole photo +(- *){6}", lines[3])


def test_pair_is_matched_with_what_it_was_trained_with() -> None:
    config = Config.model_validate({"names": list(NAMES), "train": "a", "seed": 3})
    detector = card("detector", settings=config.detector.model_dump(mode="json") | {"model": "yolov5s", "batch": 5})
    old = card("classifier", seed=9, model_name="yolo11s-cls")
    found = as_trained(config, Cards(detector, old))
    assert (found.detector.model, found.detector.batch, found.detector.is_pinned("batch")) == ("yolov5s", 5, True)
    assert (found.classifier.model, found.classifier.imgsz) == ("yolo11s-cls", 64)  # of a card without settings
    assert not found.classifier.is_pinned("batch")
    assert found.seed == 9
    with pytest.raises(WeightsError, match=r"detector.json - settings of the detector that this version"):
        as_trained(config, Cards(card("detector", settings={"colour": "red"}), old))


def test_seconds_of_all_networks_count(tmp_path: Path) -> None:
    for folder, seconds in (("detector", 2.0), ("classifier-2", 3.5)):
        keep_epoch(tmp_path / folder, Epoch(1, 1, {}, {}, seconds=seconds))
    assert count_seconds(tmp_path) == 5.5
    assert count_seconds(None) is count_seconds(tmp_path / "none") is None


def test_missing_pair_is_said_in_a_line(tiny: Path, here: Run) -> None:
    none = here("evaluate", "--cropping", "--weights", tiny / "nowhere")
    assert none.returncode == 2
    assert none.stderr.count("\n") == 1 and "no trained detector and classifier here" in none.stderr


def test_pair_that_crops_nothing_has_nothing_to_compare(tiny: Path) -> None:
    dataset = load_dataset(tiny / "data.yaml", read_config(tiny / "data.yaml"))
    names = dataset.class_names
    own = Cards(card("detector", class_names=names), card("classifier", class_names=names))
    check_contest(dataset, own, tiny, dataset.val)
    with pytest.raises(CropsortError, match="takes photos whole: there is no cropping to compare"):
        check_contest(dataset, replace(own, detector=None), tiny, dataset.val)
    with pytest.raises(DataError, match=r"data.yaml - names .* - expected .*never seen, which the pair"):
        check_contest(dataset, Cards(card("detector"), card("classifier")), tiny, dataset.val)
    bare = tuple(replace(one, subjects=()) for one in dataset.val)
    with pytest.raises(DataError, match=r"data.yaml - no labelled box in the 4 photos to score - label some"):
        check_contest(dataset, own, tiny, bare)
    single = replace(dataset, class_names=names[:1])
    few = Cards(card("detector", class_names=names[:1]), card("classifier", class_names=names[:1]))
    with pytest.raises(DataError, match=f"'{names[0]}' is the only class - expected two or more"):
        check_contest(single, few, tiny, dataset.val)


def keep_single(folder: Path) -> None:
    """Leave in every second label only the boxes of its first one's class."""
    for label in sorted(folder.rglob("photo-*.txt"))[::2]:
        rows = label.read_text(encoding="utf-8").splitlines()
        kept = [row for row in rows if row.split()[0] == rows[0].split()[0]]
        label.write_text("\n".join(kept) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_all_ways_are_trained_scored_and_not_trained_again(eager: Path, tiny: Path, here: Run) -> None:
    keep_single(tiny / "labels")
    own = shutil.copytree(eager, tiny / "own")
    record = json.loads((own / "classifier.json").read_text(encoding="utf-8")) | {"corrected": "0123"}
    (own / "classifier.json").write_text(json.dumps(record), encoding="utf-8")
    first = here("evaluate", "--cropping", "--weights", own)
    assert first.returncode == 0, first.stderr
    assert "training the classifier on" in first.stdout and "training a detector of" in first.stdout
    folder = tiny / "runs" / "tiny"
    record = json.loads((folder / "evaluate" / "val" / "evaluate.json").read_text(encoding="utf-8"))["worth"]
    ours, whole, one = record["rows"]
    assert [row["name"] for row in record["rows"]] == ["two stages", "whole photo", "one stage"]
    assert 0 < record["photos_of_one_class"] <= record["photos"] == 4
    for row in (whole, one):
        assert row["seconds"] > 0 and 0 <= row["right_class"] <= 1
        low, high = row["right_class_lead_interval"]
        assert low <= row["right_class_lead"] <= high
    assert whole["f1"] is None and 0 <= one["f1"] <= 1 and ours["seconds"] is None
    assert "learnt from the" in whole["why"]
    assert record["notes"] == [
        "note: the pair was trained on other photos or labels than data.yaml names now",
        "note: the two stages have also learnt from corrected boxes, from which the other ways cannot",
    ]
    assert "What cropping is worth" in (folder / "evaluate" / "val" / "evaluate.html").read_text(encoding="utf-8")
    assert not list((folder / "worth").rglob("prepared"))
    again = here("evaluate", "--cropping", "--weights", own, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["worth"] == record
    assert "training" not in again.stderr.replace("was trained on", "")
    assert [path.name for path in sorted((folder / "worth").glob("*/*"))] == ["1", "1"]
