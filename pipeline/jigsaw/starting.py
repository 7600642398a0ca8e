"""What ``start: jigsaw`` in data.yaml means: the backbone that ``cropsort jigsaw pretrain`` made for the data set."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Config
from pipeline.dataset import dataset_name
from pipeline.errors import WeightsError
from pipeline.jigsaw.kept import BACKBONE, PuzzleCard, jigsaw_weights, read_puzzle_card, weights_file

START = "jigsaw"


def settle_start(config: Config, data_file: Path) -> Config:
    """The settings with the file in the place of ``start: jigsaw``, so that all that is trained with them agrees.

    Args:
        config: what data.yaml says.
        data_file: the data.yaml.

    Raises:
        WeightsError: there is no such file yet, or it was made for another backbone or another data set.
    """
    settings = config.classifier
    if settings.start != START:
        return config
    folder = jigsaw_weights(dataset_name(data_file, config))
    file, again = weights_file(folder, BACKBONE), f"run cropsort jigsaw pretrain --data {data_file}"
    if not file.is_file():
        expected = "what 'start: jigsaw' under classifier: in data.yaml begins with"
        raise WeightsError("no such file", where=file, expected=expected, remedy=again)
    card = read_puzzle_card(folder, BACKBONE)
    check_backbone_owner(folder, card, data_file)
    if settings.model is not None and settings.model != card.model_name:
        expected = f"{settings.model}, as 'model' under classifier: says"
        raise WeightsError(f"made for {card.model_name}", where=file, expected=expected, remedy=f"{again} once more")
    return config.model_copy(update={"classifier": settings.model_copy(update={"start": str(file)})})


def check_backbone_owner(folder: Path, card: PuzzleCard, data_file: Path) -> None:
    """Refuse a backbone of another data set, which may have learnt from photos of this one's val or test.

    Raises:
        WeightsError: it is of another data.yaml that is still there.
    """
    owner = Path(card.data)
    if owner.exists() and not owner.samefile(data_file):
        remedy = f"give this one a name of its own: a line 'name: ...' in {data_file}"
        raise WeightsError(f"belongs to {owner}", where=folder, remedy=remedy)
