"""What data.yaml says of each stage: names, units, ranges and defaults."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline.tune.sizes import STRIDE, nearest_sizes


class Section(BaseModel):
    """Settings of one part of data.yaml: frozen, typed, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    def is_pinned(self, name: str) -> bool:
        """Whether data.yaml itself says this setting; what it leaves open is chosen for the machine at hand."""
        return name in self.model_fields_set


def _check_stride(value: int) -> int:
    if value % STRIDE:
        near = " or ".join(str(size) for size in sorted(set(nearest_sizes(value))))
        raise ValueError(f"a multiple of {STRIDE} is wanted, such as {near}")
    return value


ImageSize = Annotated[int, AfterValidator(_check_stride)]


class DetectorSettings(Section):
    """How stage one is trained and used.

    Attributes:
        weights: a detector that cropsort trained, ``weights/<data set>/detector.pt``, to crop with where the photos are
            sorted and not labelled; by default none, and the whole photo is the subject.
        model: an Ultralytics detection model by name, such as ``yolov5n`` or ``yolo11s``; by default that of the
            weights it starts from, else ``yolov5n``.
        start: weights to start from: ``auto`` (what ``weights/start/`` ships for the model, else none), ``scratch``,
            a name such as ``yolov5nu.pt`` (fetched once), or a ``.pt`` file, YOLOv5's own format included.
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

    Attributes:
        model: an Ultralytics classification model by name, such as ``yolo11n-cls``; by default that of the weights it
            starts from, else ``yolo11n-cls``.
        start: weights to start from; see ``DetectorSettings.start``.
        imgsz: side of the square crop that the network sees, pixels, a multiple of 32.
        batch: crops a training step.
        epochs: most passes over the training crops.
        patience: passes without a better score on val after which training stops.
        margin: what is added around a box before it is cropped, as a part of its longer side, 0 to 1.
        degrees: training crops are turned by up to this angle either way, 0 to 180.
        fliplr: part of the training crops that are mirrored, 0 to 1; 0 where the mirror image is another class, as with
            writing.
    """

    model: str | None = Field(default=None, min_length=1)
    start: str = Field(default="auto", min_length=1)
    imgsz: ImageSize = Field(default=160, ge=32, le=1024)
    batch: int = Field(default=32, ge=2)
    epochs: int = Field(default=30, ge=1)
    patience: int = Field(default=10, ge=1)
    margin: float = Field(default=0.05, ge=0, le=1)
    degrees: float = Field(default=15.0, ge=0, le=180)
    fliplr: float = Field(default=0.5, ge=0, le=1)
