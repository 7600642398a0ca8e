"""The networks that make up a classifier: each backbone, and each of them once a fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.folds import Folds, group_near, make_folds, note_rare
from pipeline.members import write_members
from pipeline.plan import Plan
from pipeline.prepare import CropSource, Prepared
from pipeline.settings import ClassifierSettings
from pipeline.stages import Lesson, Spot, StageRoom, Trained, train_classifier_stage
from pipeline.starts import TASKS, Start, read_stage_start, read_start
from pipeline.weights import weights_file

_WORDS = ("auto", "scratch", "pretrained")
"""Starts that say something of every backbone; a name or a file is one network's."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the networks.

    Args:
        name: its folder in the training's: ``classifier``, ``classifier-2`` and so on.
        title: what the user is told: ``classifier`` where it is the only one, else ``classifier 2/6``.
        model_name: its backbone.
        fold: the fold that it does not learn from and chooses its epoch on, counted from 0; None where it learns from
            all training subjects, and chooses on val.
        seed: of its training.
    """

    name: str
    title: str
    model_name: str
    fold: int | None
    seed: int


def list_members(settings: ClassifierSettings, seed: int) -> tuple[Member, ...]:
    """All networks of a classifier, a backbone after the other; the first has the seed itself, each other its own.

    Args:
        settings: with the ``model`` that was chosen.
        seed: of the whole training.
    """
    folds = range(settings.folds) if settings.folds > 1 else (None,)
    kinds = [(model, fold) for model in list_backbones(settings) for fold in folds]
    return tuple(
        Member(
            name="classifier" if index == 0 else f"classifier-{index + 1}",
            title="classifier" if len(kinds) == 1 else f"classifier {index + 1}/{len(kinds)}",
            model_name=model,
            fold=fold,
            seed=_derive(seed, index),
        )
        for index, (model, fold) in enumerate(kinds)
    )


def list_backbones(settings: ClassifierSettings) -> tuple[str, ...]:
    """The backbones by name; one that is named twice is trained twice, from other seeds."""
    assert settings.model is not None  # whoever asks has a plan
    return (settings.model, *settings.ensemble)


def describe_members(settings: ClassifierSettings) -> str:
    """The backbones in a line, for the weights' card: ``yolo11n-cls + efficientnet_b4 (5 folds)``."""
    folds = f" ({settings.folds} folds)" if settings.folds > 1 else ""
    return " + ".join(list_backbones(settings)) + folds


def read_starts(settings: ClassifierSettings) -> dict[str, Start]:
    """What each backbone starts from, by its name.

    Raises:
        ConfigError: one of them cannot work with crops of that size; the first, which is trained at once, says so then.
        WeightsError: a file is missing, holds something else, or fits nowhere.
    """
    first, *others = list_backbones(settings)
    word = settings.start if settings.start in _WORDS else "auto"
    starts = {first: read_stage_start("classifier", settings)}
    for model in others:
        if model not in starts:
            build_backbone(model, class_count=2, imgsz=settings.imgsz)
            starts[model] = read_start(word, task=TASKS["classifier"], model_name=model, default_model=model)
    return starts


@dataclass(frozen=True, slots=True)
class Material:
    """What the networks of a classifier learn from.

    Args:
        train: the training subjects.
        val: subjects that those choose their epoch on which learn from all of ``train``.
        class_names: in the order of the output.
        folds: of ``train``; none where there are none.
    """

    train: tuple[CropSource, ...]
    val: tuple[CropSource, ...]
    class_names: tuple[str, ...]
    folds: Folds = ()

    def parts(self, fold: int | None) -> tuple[tuple[CropSource, ...], tuple[CropSource, ...]]:
        """What a member learns from, and what it chooses its epoch on."""
        if fold is None:
            return self.train, self.val
        held = set(self.folds[fold].tolist())
        learnt = tuple(source for index, source in enumerate(self.train) if index not in held)
        return learnt, tuple(self.train[index] for index in sorted(held))


def make_material(
    prepared: Prepared, class_names: tuple[str, ...], settings: ClassifierSettings, seed: int, console: Console
) -> Material:
    """What the networks of a classifier learn from, in folds where the settings want some.

    Args:
        prepared: the subjects.
        class_names: in the order of the output.
        settings: how many folds.
        seed: of the folds.
        console: told what there is to know of the folds.

    Raises:
        DataError: there are too few subjects for so many folds.
    """
    material = Material(prepared.train, prepared.val, class_names)
    if settings.folds < 2:
        return material
    photos, classes = [one.origin for one in prepared.train], [one.class_name for one in prepared.train]
    groups = group_near(photos, console)
    folds = make_folds(photos, classes, count=settings.folds, seed=seed, groups=groups)
    for note in note_rare(photos, classes, count=settings.folds, groups=groups):
        console.print(f"note: {note}")
    return replace(material, folds=folds)


def train_members(
    room: StageRoom, starts: Mapping[str, Start], material: Material, folder: Path, pair: Path
) -> list[Trained]:
    """Train each network that is not done yet, and join them in one file of weights.

    Args:
        room: see ``StageRoom``.
        starts: what each backbone starts from.
        material: what they learn from.
        folder: where each gets a folder of its own.
        pair: folder of the trained weights, where ``classifier.pt`` is written.

    Returns:
        What came of each; the plan of the last has the batches that did fit of all.

    Raises:
        OutOfMemoryError: not even the smallest batch fits.
        CropsortError: one could not be trained.
    """
    plan, target = room.plan, weights_file(pair, "classifier")
    members = list_members(plan.config.classifier, plan.config.seed)
    files = [folder / one.name / "trained.pt" for one in members] if len(members) > 1 else [target]
    done: list[Trained] = []
    for member, weights in zip(members, files, strict=True):
        if len(members) > 1 and not weights.is_file():
            room.console.print(f"{member.title}: {_describe(member, plan)}")
        spot = Spot(member.name, folder / member.name, weights, member.title)
        done.append(train_classifier_stage(room, _make_lesson(member, plan, starts, material), spot))
        room = room.with_plan(done[-1].plan)
    if not target.is_file():
        write_members(target, [yolo.read_checkpoint(file) for file in files])
    return done


def _make_lesson(member: Member, plan: Plan, starts: Mapping[str, Start], material: Material) -> Lesson:
    train, val = material.parts(member.fold)
    key = plan.key(member.model_name)
    return Lesson(starts[member.model_name], train, val, material.class_names, member.seed, key)


def _describe(member: Member, plan: Plan) -> str:
    if member.fold is None:
        return member.model_name
    return f"{member.model_name}, held out: fold {member.fold + 1} of {plan.config.classifier.folds}"


def _derive(seed: int, index: int) -> int:
    """Seeds that have nothing to do with each other, nor with those of other seeds' members."""
    return seed if index == 0 else int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1)[0])
