"""How near we come to what the machine can do: the bare decoding of the photos and the bare networks, on all cores."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from pipeline.crops import count_views
from pipeline.yolo import logits
from prediction.drawn import count_cores
from prediction.figures import spread
from prediction.options import Figures, Options, Row, empty, keep
from prediction.pairs import Pair, build_classifiers, build_detector, pairs_for_drawn
from prediction.speed import Photos, drawn_photos, rates, time_ours

GOAL = "<= 1.25"

_STRIDE = 32
_TIMES = 3
"""How often each photo is shown to the bare networks: they are soon done."""


def show_limit(options: Options) -> list[Row]:
    """Seconds that a photo takes over those that it must take, for each pair."""
    if options.device != "cpu":
        return []
    photos = drawn_photos(options)
    return [row for pair in pairs_for_drawn(options) for row in measure(options, pair, photos)]


def measure(options: Options, pair: Pair, photos: Photos) -> list[Row]:
    """Our own run, the decoding and the networks in turns, round by round."""
    if pair.cards.detector is None:
        return []
    place = options.work / "limit" / f"{pair.name}-{photos.count}"
    keep(place / "warm.json", lambda: time_ours(options, pair, photos.few, empty(place / "run") / "out"))
    bare = Bare(pair, sorted(photos.all.iterdir()))
    rounds = [
        keep(place / f"{number}.json", lambda: time_round(options, pair, photos, bare, place / "run"))
        for number in range(options.rounds)
    ]
    ours = [1 / rate for rate in rates(photos, rounds)]
    least = [one["decode"] + one["detect"] + one["classify"] * one["all"]["boxes"] / photos.count for one in rounds]
    shares = [mine / bound for mine, bound in zip(ours, least, strict=True)]
    parts = [
        f"decoding {spread([1 / one['decode'] for one in rounds], 1)} photos/s",
        f"detection {spread([1 / one['detect'] for one in rounds], 1)} photos/s",
        f"classification {spread([1 / one['classify'] for one in rounds], 0)} crops/s",
    ]
    speeds = [spread([1 / one for one in seconds]) for seconds in (ours, least)]
    told = f"{spread(shares)}; {speeds[0]} photos/s of at most {speeds[1]}"
    return [
        (f"{photos.name}, {pair.name}", "seconds a photo over the limit's", f"{told}; bare {', '.join(parts)}", GOAL)
    ]


def time_round(options: Options, pair: Pair, photos: Photos, bare: Bare, folder: Path) -> Figures:
    """Seconds of both our runs, and of what a photo and a crop must take."""
    return {
        "few": time_ours(options, pair, photos.few, empty(folder) / "out"),
        "decode": bare.decode(),
        "all": time_ours(options, pair, photos.all, empty(folder) / "out"),
        "detect": bare.detect(),
        "classify": bare.classify(),
    }


class Bare:
    """Decoding alone, and networks alone, each on all cores.

    Args:
        pair: of a detector and a classifier.
        files: the photos.
    """

    def __init__(self, pair: Pair, files: Sequence[Path]) -> None:
        assert pair.cards.detector is not None  # whoever asks has looked
        self._side, self._card, self._files = pair.cards.detector.imgsz, pair.cards.classifier, files
        detector = build_detector(pair)
        shapes = [self._seen_shape(path) for path in files]
        self._detectors = [(_compile(_Boxes(detector), shape), shapes.count(shape)) for shape in sorted(set(shapes))]
        square = (self._card.imgsz, self._card.imgsz)
        self._classifiers = [_compile(_Scores(network), square) for network in build_classifiers(pair)]

    def decode(self) -> float:
        """Seconds that a photo takes at the smallest JPEG scale that serves the detector."""
        begin = time.perf_counter()
        with ThreadPoolExecutor(count_cores()) as pool:
            list(pool.map(self._decode_one, self._files))
        return (time.perf_counter() - begin) / len(self._files)

    def detect(self) -> float:
        """Seconds that a photo takes in the detector."""
        begin = time.perf_counter()
        for network, count in self._detectors:
            _run(network, count * _TIMES)
        return (time.perf_counter() - begin) / (len(self._files) * _TIMES)

    def classify(self) -> float:
        """Seconds that a crop takes in the classifier, with all the looks that it is given."""
        begin, crops = time.perf_counter(), len(self._files) * _TIMES
        looks = count_views(whole=self._card.whole_photo) * (2 if self._card.test_flips else 1)
        for network in self._classifiers:
            _run(network, crops * looks)
        return (time.perf_counter() - begin) / crops

    def _decode_one(self, path: Path) -> None:
        with Image.open(BytesIO(path.read_bytes())) as image:
            longer = max(image.size)
            image.draft("RGB", (image.width * self._side // longer, image.height * self._side // longer))
            image.load()

    def _seen_shape(self, path: Path) -> tuple[int, int]:
        """Height and width that the detector sees of a photo, held as its EXIF says."""
        with Image.open(path) as image:
            size = image.size[::-1] if image.getexif().get(0x0112, 1) >= 5 else image.size
        width, height = (-(-side * self._side // max(size) // _STRIDE) * _STRIDE for side in size)
        return height, width


class _Boxes(nn.Module):
    """A detector's boxes without what it keeps for its training."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        made = self.network(images)
        boxes: Tensor = made[0] if isinstance(made, tuple) else made
        return boxes


class _Scores(nn.Module):
    """A classifier's logits alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return logits(self.network(images))


def _compile(network: nn.Module, shape: tuple[int, int]) -> Any:
    """For as many images a second as the processor gives, one image a request."""
    import openvino

    example = torch.zeros(1, 3, *shape)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's, of the tracing that openvino does
        network(example)  # what it makes once stays outside of the graph
        model = openvino.convert_model(network, example_input=example, input=[example.shape])
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}  # as ours: some would take 16 bits
    return openvino.Core().compile_model(model, "CPU", settings)


def _run(network: Any, images: int) -> None:
    import openvino

    queue = openvino.AsyncInferQueue(network)
    shown = torch.rand(tuple(network.input(0).shape)).numpy()
    for _ in range(images):
        queue.start_async({0: shown})
    queue.wait_all()
