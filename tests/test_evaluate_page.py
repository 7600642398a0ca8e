"""The page that shows how good a pair is: one file, whatever classes and photos are called."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from photos import write_photo, write_text
from test_check_page import BROWSER, HOSTILE, Page

from pipeline.boxes import Box
from pipeline.errors import OutputError
from pipeline.evaluate_page import find_run, write_page
from pipeline.evaluation import Evaluation, Trial, evaluate_judged
from pipeline.labels import Subject
from pipeline.results import Detection, Prediction
from pipeline.runs import keep_epoch
from pipeline.scores import JudgedPhoto
from pipeline.weights import Card, Cards
from pipeline.worth import Rival, Row, compare
from pipeline.yolo import Epoch

NAMES = ("고양이 <u>", "dog", "never seen")
CAT, DOG, _ = NAMES
HERE, THERE, FAR = Box(8, 8, 40, 40), Box(50, 8, 70, 40), Box(2, 45, 30, 58)

Make = Callable[..., Evaluation]


def card(stage: str, **facts: object) -> Card:
    confidence = 0.5 if stage == "detector" else None
    common = Card(stage, f"{stage}-model", NAMES, 64, 0, "", "", "data.yaml", {}, confidence, iou=0.6, margin=0.05)
    return replace(common, **facts)  # type: ignore[arg-type]


def predict(box: Box, name: str, *, sure: bool = True) -> Prediction:
    return Prediction(Detection(box, 0.9), {one: 0.8 if one == name else 0.1 for one in NAMES}, sure)


@pytest.fixture
def evaluation(tmp_path: Path) -> Make:
    """Makes what is said of a pair that takes a cat for a dog, misses one, and sees one too many."""

    def make(*, labelled: bool = True, trained: dict[str, int] | None = None, **facts: object) -> Evaluation:
        photo = write_photo(tmp_path / f"{HOSTILE[:8]}.jpg", size=(80, 60))
        truth = Subject(HERE, CAT), Subject(THERE, DOG)
        made = predict(HERE, DOG), predict(FAR, CAT)
        judged = JudgedPhoto(truth, (), made, (predict(HERE, DOG), predict(THERE, DOG, sure=False)), photo)
        cards = Cards(card("detector") if labelled else None, card("classifier", **facts))
        counts = trained or {CAT: 30, DOG: 5, NAMES[2]: 0}
        return evaluate_judged(
            [judged] * 4, Trial(HOSTILE, "test", tmp_path / "pair", cards, counts, labelled, ("n & n",))
        )

    return make


def test_page_says_what_there_is_to_say(evaluation: Make, tmp_path: Path) -> None:
    page = Page(write_page(evaluation(), tmp_path / "page", None))
    assert "4 photos, 8 labelled boxes; detector detector-model at 64 px, classifier classifier-model" in page.text
    assert "found and right 0.0 %" in page.text and "right class 50.0 % 50.0 % to 50.0 %" in page.text
    assert f"{CAT} 30 4 0.000 0.000 to 0.490" in page.text
    assert "dog 5 few 4 1.000 0.510 to 1.000" in page.text
    assert "never seen 0 few 0 none here" in page.text
    assert f"{CAT} dog 4 100.0 %" in page.text
    assert "no labelled box" in page.text and "missed" in page.text
    for title in (
        "Given the wrong class (4)",
        "Missed (4)",
        "Boxes that fit no label (4)",
        "Right, but not surely so (4)",
    ):
        assert title in page.text
    assert "n & n" in page.text
    assert "What cropping is worth" not in page.text
    assert "balance:" not in page.text


def test_everything_is_in_the_one_file(evaluation: Make, tmp_path: Path) -> None:
    file = write_page(evaluation(temperature=1.5), tmp_path / "page", None)
    page = Page(file)
    assert len(page.sources) == 4 * 4 + 1  # of each kind, and the reliability
    assert all(re.match("data:image/(jpeg|png);base64,", source) for source in page.sources)
    assert "script" not in page.tags
    assert not re.search("https?://", file.read_text(encoding="utf-8"))


def test_hostile_names_are_only_text(evaluation: Make, tmp_path: Path) -> None:
    page = Page(write_page(evaluation(), tmp_path / "page", None))
    assert HOSTILE in page.text and CAT in page.text
    assert "script" not in page.tags and "u" not in page.tags


def test_calibration_and_balance_are_told_where_there_were_some(evaluation: Make, tmp_path: Path) -> None:
    made = evaluation(temperature=2.0, sure_from=0.85, settings={"balance": "oversample"})
    page = Page(write_page(made, tmp_path / "page", None))
    assert "before calibration after" in page.text
    assert "Trained with balance: oversample : small classes were shown more often" in page.text
    assert "below a probability of 0.850" in page.text
    plain = Page(write_page(evaluation(), tmp_path / "plain", None))
    assert "before calibration" not in plain.text and "its card holds no temperature" in plain.text


def test_what_cropping_is_worth_is_shown_where_it_was_measured(evaluation: Make, tmp_path: Path) -> None:
    truth = (Subject(HERE, CAT),)
    judged = [JudgedPhoto(truth, (), (predict(HERE, CAT),), ())] * 4
    own = Rival(Row("two stages", 12, 81.4, confidence=0.5), [CAT] * 4, judged)
    whole = Rival(Row("whole photo", 9, 40.0, why="learnt from the 9 of 12"), [CAT, DOG, DOG, DOG])
    made = replace(evaluation(), worth=compare(own, [whole], [truth] * 4, ("note: <b> & co",)))
    page = Page(write_page(made, tmp_path / "page", None))
    assert "two stages 12 81 1.000 1.000 to 1.000 – 1.000 1.000 to 1.000 –" in page.text
    assert "whole photo 9 40 0.250 0.000 to 0.750 +0.750 (+0.250 to +1.000) – –" in page.text
    assert "whole photo: learnt from the 9 of 12" in page.text and "note: <b> & co" in page.text
    record = json.loads(json.dumps(made.as_dict(), allow_nan=False))["worth"]
    assert record["rows"][1]["right_class_lead"] == 0.75 and record["rows"][1]["f1"] is None
    assert str(made).endswith("note: <b> & co")


def test_sorted_photos_have_no_detector_to_speak_of(evaluation: Make, tmp_path: Path) -> None:
    made = evaluation(labelled=False)
    text = Page(write_page(made, tmp_path / "page", None)).text
    for word in ("mAP50", "both stages", "Missed", "labelled boxes,", "found at all"):
        assert word not in text
    assert "chain" not in made.as_dict()["confusion"]
    assert "chain" not in str(made)


def test_many_classes_make_no_matrix(tmp_path: Path) -> None:
    names = tuple(f"class {number}" for number in range(50))
    photo = JudgedPhoto(
        tuple(Subject(HERE, name) for name in names),
        (),
        (),
        tuple(Prediction(Detection(HERE, 1), {other: float(other == names[0]) for other in names}) for _ in names),
    )
    cards = Cards(None, replace(card("classifier"), class_names=names))
    made = evaluate_judged([photo], Trial("many", "val", tmp_path, cards, None, labelled=False))
    page = Page(write_page(made, tmp_path / "page", None))
    assert "A matrix of more than 40 classes would not be readable" in page.text
    assert "and 37 pairs more" in page.text
    assert str(made).count("\nclass ") == 1 + 50  # and the heads


def test_nothing_wrong_is_said_too(tmp_path: Path) -> None:
    right = JudgedPhoto((Subject(HERE, DOG),), (), (predict(HERE, DOG),), (predict(HERE, DOG),))
    cards = Cards(card("detector"), card("classifier"))
    made = evaluate_judged([right], Trial("a", "val", tmp_path, cards, None, labelled=True))
    text = Page(write_page(made, tmp_path / "page", None)).text
    assert "every crop of a labelled box is given its class" in text and "Worst mistakes None." in text


def test_photos_without_a_labelled_box_make_a_page(tmp_path: Path) -> None:
    cards = Cards(card("detector"), card("classifier"))
    empty = JudgedPhoto((), (), (predict(HERE, DOG),), ())
    made = evaluate_judged([empty], Trial("a", "val", tmp_path, cards, None, labelled=True))
    text = Page(write_page(made, tmp_path / "page", None)).text
    assert "expected calibration error" not in text
    assert made.as_dict()["calibration"]["after"] is None
    assert "certainty" not in str(made)


def test_record_is_plain_json_with_the_scores_at_the_top(evaluation: Make) -> None:
    record = json.loads(json.dumps(evaluation(temperature=2.0).as_dict(), allow_nan=False))
    assert record.items() >= evaluation().scores.as_dict().items()
    assert record["classes"][0]["class_name"] == CAT and record["classes"][0]["trained"] == 30
    assert record["confusion"]["classifier"] == [[0, 4, 0], [0, 4, 0], [0, 0, 0]]
    assert record["confusion"]["pairs"] == [{"class_name": CAT, "given": DOG, "count": 4, "subjects": 4}]
    assert record["calibration"]["before"]["log_loss"] != record["calibration"]["after"]["log_loss"]
    assert record["unsure"]["classifier"] == {"predictions": 8, "unsure": 0.5, "precision_of_sure": 0.0}
    assert record["mistakes"]["missed"]["count"] == 4


@pytest.mark.slow
def test_curves_of_every_network_are_shown_the_detector_first(evaluation: Make, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "1"
    for name in ("classifier", "detector"):
        keep_epoch(run / name, Epoch(1, 2, {"train": 0.5}, {"top-1": 0.8}))
    page = Page(write_page(evaluation(), tmp_path / "page", run))
    assert sum("image/png" in source for source in page.sources) == 1 + 2 * 2
    assert "No curves" not in page.text
    assert "No curves" in Page(write_page(evaluation(), tmp_path / "other", None)).text


def test_training_is_told_by_the_classifier_that_it_made(tmp_path: Path) -> None:
    pair = tmp_path / "weights"
    write_text(pair / "classifier.pt", "second")
    for number, made in ((2, "second"), (10, "second"), (11, "third")):
        write_text(tmp_path / "runs" / str(number) / "weights" / "classifier.pt", made)
    write_text(tmp_path / "runs" / "12" / "run.json", "{}")  # stopped before it made any
    (tmp_path / "runs" / "check").mkdir()
    assert find_run(tmp_path / "runs", pair) == tmp_path / "runs" / "10"
    assert find_run(tmp_path / "none", pair) is None


def test_page_that_cannot_be_written_is_an_output_error(evaluation: Make, tmp_path: Path) -> None:
    write_text(tmp_path / "page", "")
    with pytest.raises(OutputError, match="cannot be written"):
        write_page(evaluation(), tmp_path / "page", None)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [500, 1200])
def test_page_is_no_wider_than_the_screen(evaluation: Make, tmp_path: Path, width: int) -> None:
    """Wide tables scroll within themselves."""
    page = write_page(evaluation(temperature=2.0), tmp_path / "page", None)
    script = (
        "<script>document.body.append('wide: ' + document.documentElement.scrollWidth + ' of ' + innerWidth)</script>"
    )
    text = page.read_text(encoding="utf-8").replace("</body>", f"{script}</body>")
    page.with_name("measured.html").write_text(text, encoding="utf-8")
    answer = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         f"--window-size={width},900", "--dump-dom", page.with_name("measured.html").as_uri()],
        check=True, capture_output=True, text=True, encoding="utf-8", timeout=120,
    ).stdout  # fmt: skip
    found = re.search(r"wide: (\d+) of (\d+)\b", answer)
    assert found is not None and int(found[1]) <= int(found[2])
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
