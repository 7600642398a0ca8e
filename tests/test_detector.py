"""What the detector is trained with."""

from __future__ import annotations

from pathlib import Path

from pipeline.detector import make_detector_job
from pipeline.prepare import DetectorData
from pipeline.settings import DetectorSettings
from pipeline.yolo import DetectorJob


def describe(*, photos: int, batch: int, accumulate: int, complete: bool = True) -> DetectorJob:
    return make_detector_job(
        Path("start.pt"),
        complete=complete,
        model_name="yolov5s",
        data=DetectorData(Path("data.yaml"), photos),
        settings=DetectorSettings(imgsz=320, batch=batch, epochs=7, patience=3),
        accumulate=accumulate,
        folder=Path("runs"),
        seed=5,
        device="cpu",
    )


def test_settings_reach_the_job() -> None:
    job = describe(photos=400, batch=8, accumulate=1)
    assert (job.model_name, job.start, job.data, job.folder) == (
        "yolov5s",
        Path("start.pt"),
        Path("data.yaml"),
        Path("runs"),
    )
    assert (job.imgsz, job.batch, job.epochs, job.patience, job.seed, job.device) == (320, 8, 7, 3, 5, "cpu")


def test_weights_that_fill_the_network_are_changed_gently() -> None:
    assert describe(photos=80, batch=8, accumulate=1).lr0 == 1e-4
    assert describe(photos=80, batch=8, accumulate=1, complete=False).lr0 is None


def test_smaller_batch_gathers_as_many_photos_as_before() -> None:
    assert describe(photos=80, batch=4, accumulate=4).nbs == describe(photos=80, batch=2, accumulate=8).nbs == 16
