"""What data.yaml says of each stage: names, units, ranges and defaults."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.tune.sizes import STRIDE, nearest_sizes


class Section(BaseModel):
    """Settings of one part of data.yaml: frozen, typed, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    def is_pinned(self, name: str) -> bool:
        """Whether data.yaml itself says this setting; what it leaves open is chosen for the machine at hand."""
        return name in self.model_fields_set


def as_places(value: object) -> object:
    """One text, or a list of them, as a tuple."""
    return tuple(value) if isinstance(value, list) else (value,)


def _check_stride(value: int) -> int:
    if value % STRIDE:
        near = " or ".join(str(size) for size in sorted(set(nearest_sizes(value))))
        raise ValueError(f"a multiple of {STRIDE} is wanted, such as {near}")
    return value


ImageSize = Annotated[int, AfterValidator(_check_stride)]


class ReportSettings(Section):
    """How the report is written.

    Attributes:
        language: of its headings and explanations: ``en`` or ``ko``.
    """

    language: Literal["en", "ko"] = "en"


class DetectorSettings(Section):
    """How stage one is trained and used.

    Attributes:
        weights: a detector that cropsort trained, ``weights/<data set>/detector.pt``, to crop with where the photos are
            sorted and not labelled; by default none, and the whole photo is the subject.
        model: an Ultralytics detection model by name, such as ``yolov5n`` or ``yolo11s``; by default that of the
            weights it starts from, else ``yolov5n``.
        start: weights to start from: ``auto`` (what ``weights/start/`` ships for the model, else none), ``scratch``,
            ``pretrained`` (what is published for the model, fetched once), a name such as ``yolov5nu.pt`` (the same),
            or a ``.pt`` file, YOLOv5's own format included.
        imgsz: longer side of the image that the network sees, pixels, a multiple of 32; what data.yaml leaves open of
            model, imgsz and batch is chosen by ``tune``.
        batch: photos a training step.
        epochs: most passes over the training photos.
        patience: passes without a better score on val after which training stops.
        iou: overlap above which two detections are the same subject, 0 to 1.
        single_cls: find "the subject" whatever its class, and leave the class to stage two.
    """

    weights: str | None = Field(default=None, min_length=1)
    model: str | None = Field(default=None, min_length=1)
    start: str = Field(default="auto", min_length=1)
    imgsz: ImageSize = Field(default=640, ge=32, le=4096)
    batch: int = Field(default=16, ge=1)
    epochs: int = Field(default=60, ge=1)
    patience: int = Field(default=15, ge=1)
    iou: float = Field(default=0.6, gt=0, le=1)
    single_cls: bool = True


class ClassifierSettings(Section):
    """How stage two is trained and used.

    Of what is done to training crops (``fliplr`` to ``randaugment``), what is left open is as ``augment`` says; see
    ``augmenting``.

    Attributes:
        model: the backbone: an Ultralytics classification model, such as ``yolo11n-cls``, or any of timm's, such as
            ``efficientnet_b4``; by default that of the weights it starts from, else ``yolo11n-cls``.
        ensemble: further backbones, each trained by itself; the mean of all members' probabilities decides.
        folds: parts that the training photos are shared out to; from 2 on each backbone is trained so many times, each
            time without one part, which its epoch is chosen on, and all of them decide.
        start: weights to start from: ``auto``, ``scratch``, ``pretrained`` (what is published for the model, fetched
            once), ``jigsaw`` (what ``cropsort jigsaw pretrain`` has made of the data set's own photos), a name or a
            file; see ``DetectorSettings.start``. ``jigsaw``, a name or a file is for ``model`` only; the backbones of
            ``ensemble`` then start as with ``auto``.
        imgsz: side of the square crop that the network sees, pixels, a multiple of 32.
        batch: crops a training step.
        epochs: most passes over the training crops.
        patience: passes without a better score on val after which training stops.
        layers: what is trained: ``all`` of the network, its ``head`` alone, or for the first fifth of the epochs the
            head and then all (``head-first``).
        schedule: of the learning rate: ``cosine`` (one cycle, up and down) or ``plateau`` (halved where the loss on val
            falls no more for half of ``patience``).
        lr0: highest learning rate; by default 1e-3, or a tenth of it for weights that fill the whole network.
        balance: against uneven classes: ``none``, ``undersample`` (each epoch another part of the large classes),
            ``oversample`` (small classes are shown more often), ``weights`` (their mistakes count more).
        margin: what is added around a box before it is cropped, as a part of its longer side, 0 to 1.
        augment: how much training crops are changed: ``light``, ``photo`` or ``art``.
        fliplr: part of the training crops that are mirrored, 0 to 1; 0 where the mirror image is another class, as with
            writing.
        flipud: part that is turned upside down, 0 to 1.
        degrees: largest angle that crops are turned by either way, 0 to 180.
        scale: by how much of their size crops are enlarged at most, 0 to 0.9; whole photos, where those are the crops,
            by 0.7.
        shrink: by how much of it they are shrunk at most, 0 to 0.9; whole photos by nothing.
        stretch: by how much of their proportions they are made wider or higher at most, 0 to 1; whole photos by 0.33.
        translate: largest shift, as a part of the crop's side, 0 to 1.
        shear: largest angle that crops are sheared by, degrees, 0 to 45.
        brightness: largest change of brightness and contrast, as a part of them, 0 to 1.
        color: largest change of saturation, and five times that of hue, as a part of the whole range, 0 to 1.
        erasing: part of the crops of which a piece is covered, 0 to 1.
        cutmix: part of the batches whose crops get a piece of another one (Yun et al. 2019), 0 to 1.
        mixup: part of the batches whose crops are blended with another one (Zhang et al. 2018), 0 to 1.
        randaugment: changes that are drawn for each crop (Cubuk et al. 2020), 0 to 5.
        test_flips: whether to decide on the mean of a crop and its mirror image, where training has seen such.
        sure_precision: part of the predictions that shall be right; the less probable ones, which would make it less on
            val, are called unsure; 0 to 1.
    """

    model: str | None = Field(default=None, min_length=1)
    ensemble: Annotated[tuple[str, ...], BeforeValidator(as_places)] = ()
    folds: int = Field(default=1, ge=1, le=20)
    start: str = Field(default="auto", min_length=1)
    imgsz: ImageSize = Field(default=160, ge=32, le=1024)
    batch: int = Field(default=32, ge=2)
    epochs: int = Field(default=30, ge=1)
    patience: int = Field(default=10, ge=1)
    layers: Literal["all", "head", "head-first"] = "all"
    schedule: Literal["cosine", "plateau"] = "cosine"
    lr0: float | None = Field(default=None, gt=0, le=1)
    balance: Literal["none", "undersample", "oversample", "weights"] = "none"
    margin: float = Field(default=0.05, ge=0, le=1)
    augment: Literal["light", "photo", "art"] = "photo"
    fliplr: float | None = Field(default=None, ge=0, le=1)
    flipud: float | None = Field(default=None, ge=0, le=1)
    degrees: float | None = Field(default=None, ge=0, le=180)
    scale: float | None = Field(default=None, ge=0, le=0.9)
    shrink: float | None = Field(default=None, ge=0, le=0.9)
    stretch: float | None = Field(default=None, ge=0, le=1)
    translate: float | None = Field(default=None, ge=0, le=1)
    shear: float | None = Field(default=None, ge=0, le=45)
    brightness: float | None = Field(default=None, ge=0, le=1)
    color: float | None = Field(default=None, ge=0, le=1)
    erasing: float | None = Field(default=None, ge=0, le=1)
    cutmix: float | None = Field(default=None, ge=0, le=1)
    mixup: float | None = Field(default=None, ge=0, le=1)
    randaugment: int | None = Field(default=None, ge=0, le=5)
    test_flips: bool = True
    sure_precision: float = Field(default=0.95, gt=0, lt=1)
