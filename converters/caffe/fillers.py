"""Weights for a network that has none: by the fillers that its file names, with a seed.

A file that names none gets numbers scaled to the layer's size, where Caffe would fill in zeros, which show nothing.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from converters.caffe.kind import Array, Layer, Shape
from converters.caffe.weights import Floats

FAN_IN, FAN_OUT, AVERAGE = 0, 1, 2


def filled(op: Layer, index: int, shape: Shape, generator: np.random.Generator, *, positive: bool) -> Floats:
    """Return the numbers of one blob, float32. Raises Unsupported for a filler that Caffe has not.

    ``positive``: none may be negative, whatever the filler says.
    """
    filler = _filler(op, index, shape)
    if positive or (filler is None and index == 0 and len(shape) < 2):
        numbers = generator.uniform(0.5, 1.5, shape)
    elif filler is None:
        numbers = generator.normal(0, sqrt(2 / max(prod(shape[1:]), 1)) if len(shape) > 1 else 0.1, shape)
    else:
        numbers = _by(op, filler, shape, generator)
    return np.asarray(numbers, dtype=np.float32)


def _filler(op: Layer, index: int, shape: Shape) -> Any:
    """Return the FillerParameter that the file gives for a blob, else None."""
    names = ("bias_filler",) if index and len(shape) < 2 else ("weight_filler", "filler", "scale_filler")
    fields = op.param.DESCRIPTOR.fields_by_name if op.param is not None else ()
    given = [name for name in names if name in fields and op.param.HasField(name)]
    return getattr(op.param, given[0]) if given else None


def _by(op: Layer, filler: Any, shape: Shape, generator: np.random.Generator) -> Array:
    kind, fan = filler.type or "constant", _fan(filler, shape)
    if kind == "constant":
        return np.full(shape, filler.value)
    if kind == "uniform":
        return generator.uniform(filler.min, filler.max, shape)
    if kind == "gaussian":
        return generator.normal(filler.mean, abs(filler.std), shape)
    if kind == "xavier":
        return generator.uniform(-sqrt(3 / fan), sqrt(3 / fan), shape)
    if kind == "msra":
        return generator.normal(0, sqrt(2 / fan), shape)
    if kind == "positive_unitball":
        numbers: Array = generator.uniform(0, 1, (shape[0], prod(shape[1:])))
        return np.reshape(numbers / numbers.sum(axis=1, keepdims=True), shape)
    if kind == "bilinear" and len(shape) == 4 and shape[2] == shape[3]:
        return np.broadcast_to(_bilinear(shape[3]), shape)
    known = "constant, uniform, gaussian, positive_unitball, xavier, msra, and bilinear for square kernels"
    raise op.unsupported(f"filler {kind!r} for weights of shape {shape}", f"there are: {known}")


def _fan(filler: Any, shape: Shape) -> float:
    """Return how many numbers meet in one, by the filler's ``variance_norm``."""
    inwards, outwards = prod(shape[1:]), prod(shape) / shape[1] if len(shape) > 1 else prod(shape)
    return {FAN_IN: inwards, FAN_OUT: outwards, AVERAGE: (inwards + outwards) / 2}[filler.variance_norm]


def _bilinear(size: int) -> Array:
    """Return the kernel that enlarges by linear interpolation, as Caffe's BilinearFiller has it: (size, size)."""
    half = (size + 1) // 2
    line: Array = 1 - np.abs(np.arange(size) - (size - 1) / 2) / half
    return line[:, None] * line
