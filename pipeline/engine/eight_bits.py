"""Networks of 8 bits, and what of them stays in 32 since it would cost more than it saves.

Measured layer by layer against the same network in 32 bits: the first convolution in 8 bits is half of a detector's
error, and the ranges that NNCF takes by itself, which leave out what is rare, most of a classifier's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pipeline.engine.quiet import import_nncf, unseen, untold
from pipeline.images import Pixels

_SUBSET = 300
"""Photos that NNCF measures ranges on, of those that it is given."""

_WEIGHTED = ("Convolution", "GroupConvolution", "MatMul")


def quantise(model: Any, photos: Sequence[Pixels]) -> Any:
    """A model in 8 bits; ``kept_names`` says what of it stays in 32.

    Args:
        model: what ``convert`` gave.
        photos: as the network will be given them.

    Raises:
        CropsortError: NNCF is not installed.
    """
    nncf = import_nncf()
    ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet.MINMAX
    with warnings.catch_warnings(), untold(), unseen():
        warnings.simplefilter("ignore")
        return nncf.quantize(
            model,
            nncf.Dataset([pixels[None] for pixels in photos]),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=min(_SUBSET, len(photos)),
            fast_bias_correction=False,
            ignored_scope=nncf.IgnoredScope(names=kept_names(model), validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=ranges),
        )


def kept_names(model: Any) -> list[str]:
    """What stays in 32 bits, by name, each once.

    1. What a detector's head does by itself after its last convolutions: boxes in pixels and confidences below 1 would
       share the 256 steps of one tensor, and every confidence would be 0.
    2. The first convolutions: their weights cancel out on smooth surfaces, where nothing but their error would be left.
    3. The last convolutions and linear layers, which nothing comes after that would even their errors out.
    4. Attention: products of two tensors neither of which is weights, and softmax.
    """
    operations = list(model.get_ordered_ops())
    head = _head_names(operations)
    weighted = [one for one in operations if one.get_type_name() in _WEIGHTED and one.get_friendly_name() not in head]
    fed = _reached(operations, [one for one in operations if one.get_type_name() == "Parameter"], _sources)
    attention = [one for one in weighted if all(_name(source) in fed for source in _sources(one))]
    heavy = [one for one in weighted if not all(_name(source) in fed for source in _sources(one))]
    later, sooner = _reached(operations, heavy, _sources), _reached(operations[::-1], heavy, _followers)
    ends = [one for one in heavy if _name(one) not in later or _name(one) not in sooner]
    softmax = [one for one in operations if one.get_type_name() == "Softmax"]
    return list(dict.fromkeys([*head, *map(_name, (*ends, *attention, *softmax))]))


def _head_names(operations: Iterable[Any]) -> list[str]:
    """As in Ultralytics' own export: all sigmoids, and the work of the module that the last of them is in."""
    names = [(_name(one), one.get_type_name()) for one in operations]
    sigmoids = [name for name, kind in names if kind == "Sigmoid"]
    if not sigmoids or "/" not in sigmoids[-1]:
        return []
    head = sigmoids[-1].split("/", 1)[0]
    return [name for name, _ in names if name in sigmoids or name.startswith((f"{head}/", f"{head}.dfl"))]


def _reached(ordered: Iterable[Any], starts: Iterable[Any], neighbours: Callable[[Any], Iterator[Any]]) -> set[str]:
    """Names of what comes after any of the starts, in an order in which all ``neighbours`` come before."""
    beginnings, reached = {_name(one) for one in starts}, set[str]()
    for one in ordered:
        if any(name in beginnings or name in reached for name in map(_name, neighbours(one))):
            reached.add(_name(one))
    return reached


def _sources(one: Any) -> Iterator[Any]:
    return (one.input_value(number).get_node() for number in range(one.get_input_size()))


def _followers(one: Any) -> Iterator[Any]:
    return (place.get_node() for output in one.outputs() for place in output.get_target_inputs())


def _name(one: Any) -> str:
    name: str = one.get_friendly_name()
    return name
