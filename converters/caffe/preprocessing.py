"""Preprocessing as the first layers of a network, so that its input is the raw image: swap, mean, scale, in that order.

They are ordinary Caffe layers: the numpy reference, the converter and its checks treat them like any other. A
caffemodel says nothing of what its network was trained with; only the person who has its training files knows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from converters.caffe.kind import Layer, Shape
from converters.caffe.net import Net
from converters.caffe.schema import messages
from converters.caffe.weights import Floats, read_mean
from converters.errors import BadInput
from converters.onnx_file import unique


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What is done to an image before the network: ``(image - mean) * scale``, the channels turned round first.

    ``mean`` is float32, (C,) for one number a channel or (C, H, W) for an image, channels in the network's own order;
    ``mean_source`` says where it came from. ``swap_rb`` turns RGB into BGR, or the other way round.
    """

    mean: Floats | None = None
    mean_source: str = ""
    scale: float = 1.0
    swap_rb: bool = False

    def described(self) -> str:
        """Return what the ONNX file says of it (JSON)."""
        return json.dumps({"mean": self.mean_source or None, "scale": self.scale, "swap_rb": self.swap_rb})


def embed(net: Net, preprocessing: Preprocessing) -> Net:
    """Return the network with the preprocessing in front of its one input.

    The input keeps its name and shape; the blob after it is called ``<input>@preprocessing``. A mean image larger than
    the input is cut to its middle, as Caffe cuts both at TEST. Raises BadInput where the two do not fit.
    """
    if len(net.inputs) != 1:
        raise BadInput(f"preprocessing is for networks with one input; {net.name!r} has: {', '.join(net.inputs)}")
    ((name, shape),) = net.inputs.items()
    if len(shape) != 4 or (preprocessing.swap_rb and shape[1] != 3):
        raise BadInput(f"preprocessing is for images; input {name!r} of {net.name!r} has the shape {shape}")
    steps = _swap(shape) if preprocessing.swap_rb else []
    if preprocessing.mean is not None:
        mean = _fitting(preprocessing.mean, preprocessing.mean_source.partition(" sha256 ")[0], shape)
        param = {"axis": 1, "num_axes": mean.ndim}
        steps.append(("mean", "Bias", "bias_param", param, (-mean,), [shape]))
    if preprocessing.scale != 1:
        steps.append(("scale", "Power", "power_param", {"scale": preprocessing.scale}, (), [shape]))
    return _prepend(net, name, steps) if steps else net


Step = tuple[str, str, str, dict[str, Any], tuple[Floats, ...], list[Shape]]
"""Name, type, parameter block and its fields, weights, and the shapes of the tops."""


def _swap(shape: Shape) -> list[Step]:
    one = (shape[0], 1, *shape[2:])
    return [
        ("split", "Slice", "slice_param", {"axis": 1}, (), [one] * 3),
        ("swap", "Concat", "concat_param", {}, (), [shape]),
    ]


def _prepend(net: Net, name: str, steps: list[Step]) -> Net:
    """Put layers in front; what read the input reads the last of their tops."""
    shapes, symbols, layers = dict(net.shapes), dict(net.symbols), []
    taken = dict.fromkeys(net.shapes, 1)
    tops: tuple[str, ...] = (name,)
    for what, kind, block, fields, blobs, sizes in steps:
        bottoms = tops[::-1]  # the parts that Slice makes, turned round for Concat
        last = what == steps[-1][0]
        wanted = [f"{name}@preprocessing"] if last else [f"preprocessing/{what}/{i}" for i in range(len(sizes))]
        tops = tuple(unique(taken, top) for top in wanted)
        where = f"the preprocessing: layer {what!r} ({kind})"
        param = messages()[block](**fields)
        layers.append(Layer(f"preprocessing/{what}", kind, bottoms, tops, param, blobs, where, (), bool(net.fixed)))
        shapes.update(zip(tops, sizes, strict=True))
        symbols.update(dict.fromkeys(tops, net.symbols[name]))
    readers = [
        replace(op, bottoms=tuple(tops[0] if bottom == name else bottom for bottom in op.bottoms)) for op in net.layers
    ]
    return replace(net, layers=(*layers, *readers), shapes=shapes, symbols=symbols)


def _fitting(mean: Floats, source: str, shape: Shape) -> Floats:
    """Return the mean, an image cut to the size of the input. Raises BadInput for other channels or fewer pixels."""
    if mean.shape[0] != shape[1]:
        raise BadInput(f"{source}: a mean of {mean.shape[0]} channels; the network's input has {shape[1]}")
    if mean.ndim == 1:
        return mean
    if mean.shape[1] < shape[2] or mean.shape[2] < shape[3]:
        raise BadInput(f"{source}: a mean image of {mean.shape[1:]} pixels is smaller than the input, {shape[2:]}")
    top, left = (mean.shape[1] - shape[2]) // 2, (mean.shape[2] - shape[3]) // 2
    return mean[:, top : top + shape[2], left : left + shape[3]]


def from_arguments(arguments: argparse.Namespace) -> Preprocessing | None:
    """Return what the options say, None without ``--embed-preprocessing``. Raises BadInput for half of it."""
    given = arguments.mean is not None or arguments.scale != 1 or arguments.swap_rb
    if given and not arguments.embed_preprocessing:
        raise BadInput("--mean, --scale and --swap-rb go into the graph with --embed-preprocessing only; add it")
    if not arguments.embed_preprocessing:
        return None
    if not given:
        raise BadInput("--embed-preprocessing: nothing to embed; give --mean, --scale or --swap-rb")
    if not 1e-30 < abs(arguments.scale) < 1e30:
        raise BadInput(f"--scale {arguments.scale}: must be a number other than 0 that float32 holds")
    mean, source = _mean(arguments.mean) if arguments.mean is not None else (None, "")
    return Preprocessing(mean, source, arguments.scale, arguments.swap_rb)


def _mean(given: str) -> tuple[Floats, str]:
    """Return the mean, and what the ONNX file says of it: the numbers, or the file's name and sha256."""
    path = Path(given)
    if path.is_file():
        return read_mean(path), f"{path.name} sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    try:
        numbers = np.array([float(part) for part in given.split(",")])
    except ValueError:
        raise BadInput(f"--mean {given}: no such file, and no numbers such as 104,117,123") from None
    if not (np.abs(numbers) < 1e30).all():
        raise BadInput(f"--mean {given}: each number must be finite, and one that float32 holds")
    return numbers.astype(np.float32), given
