"""The inputs of a network: declared ones, Input layers, and data layers whose shape the file says.

What a data layer does to its images (mean, scale, crop) is not part of the network: the input takes them ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from converters.caffe.kind import Layer, Shape, Symbols, kinds
from converters.caffe.schema import INPUT_TYPES, Entry
from converters.errors import BadInput, Unsupported
from converters.onnx_file import LARGEST

MOST_AXES = 32
"""Caffe's own limit."""

MOST_INPUTS = 1000
"""More than any network has."""


def read_inputs(path: Path, message: Any, entries: Sequence[Entry], ops: Sequence[Layer]) -> dict[str, Shape]:
    """Return names and shapes of the inputs that the layers ``ops`` read. Raises BadInput for what Caffe would refuse.

    Labels, which only losses and scores read, are left out, but for a network that has nothing else.
    """
    names, shapes = list(message.input), [tuple(shape.dim) for shape in message.input_shape]
    if message.input_dim and not shapes:
        shapes = [tuple(message.input_dim[i : i + 4]) for i in range(0, len(message.input_dim), 4)]
    elif message.input_dim:
        raise BadInput(f"{path}: has input_dim and input_shape; Caffe takes one of the two")
    if len(shapes) != len(names):
        raise BadInput(
            f"{path}: {len(names)} inputs, but shapes for {len(shapes)}; each needs 4 input_dim or an input_shape"
        )
    read = {bottom for op in ops for bottom in op.bottoms}
    for entry in entries:
        if entry.type in INPUT_TYPES:
            tops, given = list(entry.message.top), _shapes(entry)
            pairs = [(top, shape) for top, shape in zip(tops, given, strict=True) if _wanted(entry, top, read)]
            names, shapes = names + [top for top, _ in pairs], shapes + [shape for _, shape in pairs]
    if not names:
        weights = any(entry.message.blobs for entry in entries)
        own = (
            "it holds weights: give it second, and its network (.prototxt) first"
            if weights
            else ("give a deploy network, with 'input' and its shape or an Input layer")
        )
        raise BadInput(f"{path}: has no input; {own}")
    if len(names) > MOST_INPUTS:
        raise BadInput(f"{path}: has {len(names)} inputs; a network may have {MOST_INPUTS}")
    inputs: dict[str, Shape] = {}
    for name, shape in zip(names, shapes, strict=True):
        if not name:
            raise BadInput(f"{path}: an input without a name")
        if name in inputs:
            raise BadInput(f"{path}: two inputs are named {name!r}")
        if "\0" in name:
            raise BadInput(f"{path}: the name of input {name!r} has a NUL in it; runtimes end a name there")
        if len(shape) > MOST_AXES:
            raise BadInput(f"{path}: input {name!r} has {len(shape)} axes; a blob has at most {MOST_AXES}")
        if prod(shape) > LARGEST:
            raise BadInput(f"{path}: input {name!r} of shape {shape} has more than {LARGEST} numbers; check the sizes")
        if not shape or min(shape) < 1:
            raise BadInput(f"{path}: input {name!r} has the shape {shape}; its sizes must be above 0")
        inputs[name] = shape
    return _without_labels(inputs, ops)


def _wanted(entry: Entry, top: str, read: set[str]) -> bool:
    """Whether a top becomes an input: that of a data layer only where a layer reads it."""
    return entry.type == "Input" or top in read


def _without_labels(inputs: dict[str, Shape], ops: Sequence[Layer]) -> dict[str, Shape]:
    judged = {bottom for op in ops if kinds()[op.type].dropped for bottom in op.bottoms}
    used = {blob for op in ops if not kinds()[op.type].dropped for blob in (*op.bottoms, *op.tops)}
    return {name: shape for name, shape in inputs.items() if name in used or name not in judged} or inputs


def _shapes(entry: Entry) -> list[Shape]:
    """Return the shape of each top of an Input layer or a data layer."""
    message, tops = entry.message, list(entry.message.top)
    if message.bottom:
        raise BadInput(f"{entry.where}: has a bottom; a layer of this type has tops only")
    if entry.type == "Input":
        given = [tuple(shape.dim) for shape in message.input_param.shape]
        if len(given) not in (1, len(tops)):
            raise BadInput(f"{entry.where}: {len(given)} shapes for {len(tops)} tops; give one shape, or one a top")
        return given * len(tops) if len(given) == 1 else given
    if not 1 <= len(tops) <= 2:
        raise BadInput(f"{entry.where}: {len(tops)} tops; a data layer has images, and labels behind them")
    images = _images(entry)
    return [images, images[:1]][: len(tops)]


def _images(entry: Entry) -> Shape:
    """Return (batch, channels, height, width) of a data layer. Raises Unsupported where only its data would say."""
    p, transform = entry.message, entry.message.transform_param
    if entry.type == "MemoryData":
        memory = p.memory_data_param
        return memory.batch_size, memory.channels, memory.height, memory.width
    if entry.type == "WindowData":
        size = transform.crop_size or p.window_data_param.crop_size
        return p.window_data_param.batch_size, 3, size, size
    if entry.type == "ImageData":
        images = p.image_data_param
        crop = transform.crop_size
        sides = (crop, crop) if crop else (images.new_height, images.new_width)
        if min(sides) > 0:
            return images.batch_size, 3 if images.is_color else 1, *sides
    if entry.type == "Data" and transform.crop_size and (transform.force_color or transform.force_gray):
        return p.data_param.batch_size, 3 if transform.force_color else 1, transform.crop_size, transform.crop_size
    raise Unsupported(
        f"{entry.where}: the shape of its images stands in its data only; put an Input layer with a shape in its place"
    )


def first_symbols(inputs: Mapping[str, Shape]) -> dict[str, Symbols]:
    """Return a symbol for the batch of each input, ``N`` for the first: layers that read two make them one."""
    return {name: {0: f"{name}_N" if place else "N"} for place, name in enumerate(inputs)}
