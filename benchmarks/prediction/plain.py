"""The plain chain as people write it: a detector, its saved crops, a classifier, a table. A script, and not imported.

    python plain.py detector.pt classifier.pt PHOTOS OUT --det-size 640 --cls-size 160 --conf 0.25 --iou 0.6

Photos are streamed, which plain Ultralytics only advises, since 60 of them would take 2 GB.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def main() -> None:
    """Find, crop, classify, write."""
    given = parse_options()
    import pandas as pd
    import torch
    from ultralytics import YOLO  # type: ignore[attr-defined]  # it lists its names in a way of its own

    detector: Any = YOLO(given.detector)
    classifier: Any = YOLO(given.classifier)
    for model in (detector, classifier):
        if given.threads:  # of its own accord it takes one core less than there are
            model.add_callback("on_predict_start", lambda _: torch.set_num_threads(given.threads))
    settings = {"device": given.device, "verbose": False, "stream": True}
    sizes = {"imgsz": given.det_size, "conf": given.conf, "iou": given.iou}
    boxes = sum(
        len(result.boxes)
        for result in detector.predict(
            given.photos, save_crop=True, project=given.out, name="photos", exist_ok=True, **sizes, **settings
        )
    )
    rows = []
    if boxes:
        answers = classifier.predict(f"{given.out}/photos/crops/**/*.jpg", imgsz=given.cls_size, **settings)
        rows = [(Path(one.path).name, one.names[one.probs.top1], float(one.probs.top1conf)) for one in answers]
    table = pd.DataFrame(rows, columns=["crop", "class", "confidence"])
    out = Path(given.out)
    out.mkdir(parents=True, exist_ok=True)  # where nothing was found, nothing has made it
    table.to_excel(out / "report.xlsx", index=False)
    print(f"{boxes} boxes")


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    for name in ("detector", "classifier", "photos", "out"):
        parser.add_argument(name)
    for name in ("--det-size", "--cls-size", "--threads"):
        parser.add_argument(name, type=int, default=0)
    for name in ("--conf", "--iou"):
        parser.add_argument(name, type=float)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
