"""A network that OpenVINO has compiled for the CPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.engine.quiet import import_openvino, keep_core
from pipeline.images import Pixels

Output = NDArray[np.float32]

FACTS = "cropsort"
"""Where a converted network keeps what else must be known of it."""

_MOST_STREAMS = 8
"""Images that a network looks at side by side; each takes memory of its own, and more are not there as a rule."""


class Network:
    """A network at work on single images, as many side by side as there are threads; callers take turns.

    What is made of an image depends on nothing but the image: not on how many come with it, nor on their shapes. It
    takes as many threads as torch would, which ``OMP_NUM_THREADS`` limits.

    Args:
        path: an ``.xml`` of OpenVINO's.

    Raises:
        RuntimeError: OpenVINO cannot read or compile it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._openvino = path, import_openvino()
        threads = torch.get_num_threads()
        streams = min(threads, _MOST_STREAMS)
        model = _read(path)
        self.facts = _read_facts(model)
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # the two stages and the decoders share the cores
            "INFERENCE_PRECISION_HINT": "f32",  # or some CPUs would compute in bfloat16, boxes off by pixels
        }
        compiled = keep_core().compile_model(model, "CPU", settings)
        self._requests = [compiled.create_infer_request() for _ in range(streams)]
        self._turn = Lock()

    def run(self, images: Iterable[Pixels]) -> list[Output]:
        """What the network says of each image.

        Args:
            images: RGB, shape (height, width, 3), 0 to 255.

        Returns:
            For each its output, without the axis of the batch.
        """
        outputs: list[Output] = []
        with self._turn:
            free, busy = deque(self._requests), deque[tuple[Any, Pixels]]()
            try:
                for image in images:
                    if not free:
                        free.append(_finish(busy, outputs))
                    request, whole = free.popleft(), np.ascontiguousarray(image[None])
                    request.set_input_tensor(self._openvino.Tensor(whole, shared_memory=True))
                    request.start_async()
                    busy.append((request, whole))  # the pixels must stay until it is done
                while busy:
                    _finish(busy, outputs)
            finally:
                for request, _ in busy:
                    request.wait()
        return outputs


def _finish(busy: deque[tuple[Any, Pixels]], outputs: list[Output]) -> Any:
    """Wait for the request that began first, keep what it says, and give it back."""
    request, _pixels = busy.popleft()
    request.wait()
    outputs.append(request.get_output_tensor(0).data[0].copy())
    return request


def _read(path: Path) -> Any:
    """From memory: OpenVINO's own reading of files knows no path that is not in the system's code page on Windows."""
    openvino = import_openvino()
    weights = np.frombuffer(path.with_suffix(".bin").read_bytes(), np.uint8)
    return keep_core().read_model(path.read_bytes(), openvino.Tensor(weights))


def _read_facts(model: Any) -> dict[str, int]:
    if not model.has_rt_info([FACTS]):
        return {}
    return {name: int(model.get_rt_info([FACTS, name]).astype(str)) for name in model.get_rt_info([FACTS]).astype(dict)}
