"""A start for the classifier that puzzles of the user's own photos have given it."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photos import write_photo
from rich.console import Console

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.boxes import Box
from pipeline.config import Config, read_config
from pipeline.dataset import DataSet, load_dataset
from pipeline.ensemble import read_starts
from pipeline.errors import DataError, WeightsError
from pipeline.jigsaw.kept import BACKBONE, PuzzleCard, jigsaw_weights, read_puzzle_card, write_kept
from pipeline.jigsaw.network import build_puzzle_network
from pipeline.jigsaw.pretraining import choose_settings, pretrain, take_backbone
from pipeline.jigsaw.starting import settle_start
from pipeline.jigsaw.unlabelled import Gathered, gather_unlabelled, leave_out_small, share_out_photos
from pipeline.labels import Annotation, Subject
from pipeline.settings import ClassifierSettings
from pipeline.starts import list_candidates
from pipeline.training import take_fingerprint, train

DATA = Path("data.yaml")
CARD = PuzzleCard(BACKBONE, "yolo11n-cls", 3, 192, 0.2, 0.3, 0, 9, "data.yaml", {"tiles": 0.5, "pictures": 0.1})


def start_with_puzzles(data: Path, model: str = "model: yolo11n-cls, ") -> None:
    text = data.read_text(encoding="utf-8")
    data.write_text(text.replace("{model: yolo11n-cls, start: scratch", f"{{{model}start: jigsaw"), encoding="utf-8")


def keep_backbone(card: PuzzleCard = CARD, *, seed: int = 0) -> Path:
    """Put one there as pretraining would."""
    torch.manual_seed(seed)
    network = build_puzzle_network(card.model_name, grid=3, side=192)
    folder = jigsaw_weights("tiny")
    write_kept(folder, card, yolo.Checkpoint(card.model_name, yolo.CLASSIFY, take_backbone(network)))
    return folder / "backbone.pt"


def gather(photos: Path | None) -> tuple[DataSet, Gathered]:
    dataset = load_dataset(DATA, read_config(DATA))
    return dataset, gather_unlabelled(dataset, photos, on_photo=lambda: None)


def settled() -> Config:
    return settle_start(read_config(DATA), DATA)


def test_backbone_is_all_but_the_last_layer(tiny: Path) -> None:
    start_with_puzzles(DATA)
    file = keep_backbone()
    config = settled()
    assert (tiny / config.classifier.start) == tiny / file
    start = read_starts(config.classifier)["yolo11n-cls"]
    network = build_backbone("yolo11n-cls", class_count=4)
    missing = set(network.state_dict()) - set(start.tensors)
    assert {name.rpartition(".")[2] for name in missing} == {"weight", "bias"}
    assert len(missing) == 2  # the last layer's
    assert yolo.transfer(network, start.tensors) == len(start.tensors)
    assert not start.complete
    assert start.told == f"yolo11n-cls from backbone.pt: {len(start.tensors)} of its {len(start.tensors)} tensors match"


@pytest.mark.usefixtures("tiny")
def test_other_settings_stay_as_they_are() -> None:
    config = read_config(DATA)
    assert settle_start(config, DATA) is config


@pytest.mark.usefixtures("tiny")
def test_missing_backbone_is_one_line() -> None:
    start_with_puzzles(DATA)
    with pytest.raises(WeightsError) as caught:
        settled()
    file = Path("weights/tiny-jigsaw/backbone.pt")
    expected = "what 'start: jigsaw' under classifier: in data.yaml begins with"
    remedy = "run cropsort jigsaw pretrain --data data.yaml"
    assert str(caught.value) == f"{file} - no such file - expected {expected} - {remedy}"
    with pytest.raises(WeightsError, match="run cropsort jigsaw pretrain"):
        train(DATA, Console(file=io.StringIO()))
    assert not Path("runs").exists()


@pytest.mark.usefixtures("tiny")
def test_backbone_for_another_model_is_one_line() -> None:
    start_with_puzzles(DATA, "model: yolo11s-cls, ")
    keep_backbone()
    with pytest.raises(WeightsError, match=r"made for yolo11n-cls - expected yolo11s-cls, as 'model' under classifier"):
        settled()


@pytest.mark.usefixtures("tiny")
def test_model_is_that_of_the_backbone_where_none_is_named() -> None:
    start_with_puzzles(DATA, "")
    keep_backbone(replace(CARD, model_name="mobilenetv3_small_050"))
    assert list_candidates("classifier", settled().classifier) == ("mobilenetv3_small_050",)


@pytest.mark.usefixtures("tiny")
def test_backbone_of_another_data_set_is_one_line() -> None:
    """It may have learnt from photos that are scored here."""
    start_with_puzzles(DATA)
    keep_backbone(replace(CARD, data="other.yaml"))
    assert settled().classifier.start  # other.yaml is gone: moved here, say
    shutil.copyfile(DATA, "other.yaml")
    with pytest.raises(WeightsError, match=r"belongs to other\.yaml - give this one a name of its own"):
        settled()
    with pytest.raises(WeightsError, match=r"belongs to other\.yaml"):
        pretrain(DATA, None, console=Console(file=io.StringIO()))


@pytest.mark.usefixtures("tiny")
def test_damaged_backbone_is_one_line() -> None:
    start_with_puzzles(DATA)
    file = keep_backbone()
    file.with_suffix(".json").write_text("{}", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"backbone\.json - not a card of weights"):
        settled()
    keep_backbone()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"backbone\.pt"):
        list_candidates("classifier", settled().classifier.model_copy(update={"model": None}))


@pytest.mark.usefixtures("tiny")
def test_stopped_training_goes_on_only_with_the_same_backbone() -> None:
    start_with_puzzles(DATA)
    taken = []
    for seed in (0, 0, 1):
        keep_backbone(seed=seed)
        config = settled()
        taken.append(take_fingerprint(config, load_dataset(DATA, config), None))
    assert taken[0] == taken[1] != taken[2]


def test_photos_of_val_are_not_learnt_from(tiny: Path) -> None:
    """Neither the same file nor a copy of it under another name; what is in train already counts once."""
    folder = tiny / "더 많은 사진"
    for seed in (1, 2):
        write_photo(folder / f"new-{seed}.jpg", seed=seed)
    shutil.copyfile(folder / "new-1.jpg", folder / "twice.jpg")
    shutil.copyfile(sorted((tiny / "images" / "val").iterdir())[0], folder / "held.jpg")
    shutil.copyfile(tiny / "images" / "train" / "photo-0001.jpg", folder / "known.jpg")
    (folder / "damaged.jpg").write_bytes(b"no photo")
    dataset, gathered = gather(folder)
    assert [one.photo.name for one in gathered.annotations[len(dataset.train) :]] == ["new-1.jpg", "new-2.jpg"]
    assert sorted(gathered.notes)[0].startswith("1 photos in ")
    assert any("are in val or test: left out" in note for note in gathered.notes)
    assert any(note.startswith("2 photos in ") and "they count once" in note for note in gathered.notes)
    assert any("damaged.jpg" in note for note in gathered.notes)
    _, whole = gather(tiny / "images")  # the data set's own folder, val and all
    assert whole.annotations == dataset.train
    assert any(note.startswith("4 photos") for note in whole.notes)


def test_crops_are_what_is_learnt_of_labelled_photos(tiny: Path) -> None:
    assert tiny.is_dir()
    dataset, gathered = gather(None)
    assert gathered.annotations == dataset.train
    assert gathered.subjects == sum(len(one.subjects) for one in dataset.train) > len(dataset.train)


def make_annotation(*sides: float) -> Annotation:
    subjects = tuple(Subject(Box(0, 0, side, 2 * side), "a") for side in sides)
    return Annotation(Path("photo.jpg"), (400, 400), subjects, None)


def test_subjects_too_small_for_tiles_are_counted() -> None:
    left = leave_out_small(
        Gathered((make_annotation(30, 10, 50), make_annotation(5), make_annotation(90, 99)), ()), DATA
    )
    assert [len(one.subjects) for one in left.annotations] == [2, 2]
    assert left.notes == ("2 subjects are smaller than 24 pixels: no puzzles are made of them",)
    with pytest.raises(
        DataError, match=r"1 subjects to make puzzles of - expected at least 4 - name a folder of photos"
    ):
        leave_out_small(Gathered((make_annotation(30, 10),), ()), DATA)


def test_a_tenth_of_the_photos_chooses_the_epoch() -> None:
    some = tuple(replace(make_annotation(30), photo=Path(f"{number}.jpg")) for number in range(40))
    train, val = share_out_photos(some, 0)
    assert (len(train), len(val)) == (36, 4)
    assert {one.photo for one in (*train, *val)} == {one.photo for one in some}
    assert share_out_photos(some, 0) == (train, val) != share_out_photos(some, 1)
    train, val = share_out_photos((make_annotation(30, 40, 50, 60),), 0)
    assert [len(part) for part in (train, val)] == [3, 1]


@pytest.mark.parametrize(
    ("imgsz", "grid", "side"), [(160, 3, 192), (96, 3, 192), (224, 3, 192), (320, 3, 288), (160, 2, 128)]
)
def test_puzzles_are_about_as_large_as_the_crops(imgsz: int, grid: int, side: int) -> None:
    classifier = ClassifierSettings(imgsz=imgsz)
    settings = choose_settings(classifier, Gathered((make_annotation(99),), ()), grid=grid, epochs=5)
    assert (settings.imgsz, settings.grid, settings.epochs) == (side, grid, 5)
    assert settings.gap > 0 < settings.colour


@pytest.mark.slow
def test_pretraining_gives_the_classifier_its_start(tiny: Path) -> None:
    start_with_puzzles(DATA)
    told = io.StringIO()
    shutil.copytree(tiny / "images" / "val", tiny / "more")
    write_photo(tiny / "more" / "new.jpg", seed=5)
    console = Console(file=told, width=200)
    made = pretrain(DATA, tiny / "more", epochs=1, grid=2, start="scratch", console=console)
    said = told.getvalue()
    assert "backbone starts as yolo11n-cls from scratch\n" in said
    assert "4 photos in" in said
    assert "backbone  epoch   1/1  tiles " in said
    assert made.weights == Path("weights/tiny-jigsaw/backbone.pt")
    card = read_puzzle_card(made.weights.parent, BACKBONE)
    assert (card.model_name, card.grid, card.photos, card.data) == ("yolo11n-cls", 2, made.pictures, "data.yaml")
    assert not (made.run / "prepared").exists()
    trained = train(DATA, console)
    assert "classifier starts as yolo11n-cls from backbone.pt: " in told.getvalue()
    assert trained.replaced
