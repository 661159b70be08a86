"""A Caffe network in memory: what files of any age say, in one simple form, checked as far as it can be.

Blobs are named as `converters.caffe.connect` says: ``conv1`` is what Caffe leaves in ``conv1``, after an in-place ReLU.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from converters.caffe.binary import read_binary
from converters.caffe.connect import connect
from converters.caffe.emit import Layer, Range, Shape, kinds
from converters.caffe.schema import Entry, is_v1, read_bytes
from converters.caffe.text import read_text
from converters.caffe.weights import Floats, read_blob, read_weights
from converters.errors import BadInput, Unsupported

LARGEST = 2**28
"""How many numbers a blob may have at the file's batch size (1 GiB in float32): beyond it a size is a mistake."""


@dataclass(frozen=True, eq=False)
class Net:
    """A network. ``inputs`` are names and the file's shapes (batch first); ``layers`` stand in the order they run.

    ``outputs`` are the blobs that no layer reads. ``shapes`` holds the shape of every blob at the file's batch size;
    ``sources`` the name and sha256 of each file, by role (``prototxt``, ``caffemodel``).
    """

    name: str
    inputs: dict[str, Shape]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    shapes: dict[str, Shape]
    sources: dict[str, tuple[str, str]]


def read_net(prototxt: Path, caffemodel: Path | None = None) -> Net:
    """Read the TEST phase of a network, with its weights; without a caffemodel they are looked for in the network file.

    Raises Unsupported for layers and features that are not known, and BadInput for what Caffe would refuse too: files
    that are cut off, layers without weights, weights of another size, bottoms that nobody makes.
    """
    data = read_bytes(prototxt, "a Caffe network (.prototxt)")
    message, entries = read_network(prototxt, data)
    sources = {"prototxt": (prototxt.name, hashlib.sha256(data).hexdigest())}
    weights: dict[str, tuple[Floats, ...]] = {}
    if caffemodel is not None:
        binary = read_bytes(caffemodel, "the weights of the network (.caffemodel)")
        weights = read_weights(caffemodel, binary)
        sources["caffemodel"] = (caffemodel.name, hashlib.sha256(binary).hexdigest())
    inputs = _inputs(prototxt, message, entries)
    layers, outputs = connect(prototxt, inputs, [make_layer(entry) for entry in entries if entry.type != "Input"])
    shapes = dict(inputs)
    whole: list[Layer] = []
    for op in layers:
        kind, bottoms = kinds()[op.type], [shapes[bottom] for bottom in op.bottoms]
        for top, shape in zip(op.tops, kind.shape(op, *bottoms), strict=True):
            if min(shape) < 1:
                sizes = " and ".join(str(bottom) for bottom in bottoms)
                raise op.bad(f"a bottom of shape {sizes} is too small: the top {top!r} would be {shape}")
            if prod(shape) > LARGEST:
                raise op.bad(f"the top {top!r} of shape {shape} has more than {LARGEST} numbers; check the sizes")
            shapes[top] = shape
        expected = kind.weights(op, *bottoms) if kind.weights is not None else ()
        if expected and any(other.name == op.name and other.blobs for other in whole):
            raise op.bad("an earlier layer with weights has the same name; weights are matched by name")
        whole.append(replace(op, blobs=_fitting(op, expected, caffemodel, weights)))
    return Net(message.name, inputs, tuple(whole), outputs, shapes, sources)


def read_network(path: Path, data: bytes) -> tuple[Any, list[Entry]]:
    """Read a network, text or binary. Returns the NetParameter and the layers that its TEST phase has, in file order.

    Raises Unsupported for a layer type that is not known, BadInput for what is not Caffe's format.
    """
    is_binary = re.search(rb"[\x00-\x08\x0e-\x1f]", data) is not None
    net, entries = read_binary(path, data) if is_binary else read_text(path, data)
    if len({is_v1(entry.message) for entry in entries}) > 1:
        raise BadInput(f"{path}: has both 'layer' and 'layers' blocks; Caffe reads files of one kind only")
    return net, entries


def _inputs(path: Path, message: Any, entries: Sequence[Entry]) -> dict[str, Shape]:
    """Return names and shapes of the inputs, from ``input_dim``, ``input_shape`` or Input layers."""
    names, shapes = list(message.input), [tuple(shape.dim) for shape in message.input_shape]
    if message.input_dim and not shapes:
        shapes = [tuple(message.input_dim[i : i + 4]) for i in range(0, len(message.input_dim), 4)]
    elif message.input_dim:
        raise BadInput(f"{path}: has input_dim and input_shape; Caffe takes one of the two")
    if len(shapes) != len(names):
        raise BadInput(
            f"{path}: {len(names)} inputs, but shapes for {len(shapes)}; each needs 4 input_dim or an input_shape"
        )
    for entry in entries:
        if entry.type == "Input":
            given = [tuple(shape.dim) for shape in entry.message.input_param.shape]
            tops = list(entry.message.top)
            if len(given) not in (1, len(tops)) or entry.message.bottom:
                raise BadInput(f"{entry.where}: {len(given)} shapes for {len(tops)} tops; give one shape, or one a top")
            names, shapes = names + tops, shapes + (given * len(tops) if len(given) == 1 else given)
    if not names:
        raise BadInput(f"{path}: has no input; give a deploy network, with 'input' and its shape or an Input layer")
    for name, shape in zip(names, shapes, strict=True):
        if not name:
            raise BadInput(f"{path}: an input without a name")
        if names.count(name) > 1:
            raise BadInput(f"{path}: two inputs are named {name!r}")
        if prod(shape) > LARGEST:
            raise BadInput(f"{path}: input {name!r} of shape {shape} has more than {LARGEST} numbers; check the sizes")
        if len(shape) < 2 or min(shape) < 1:
            raise BadInput(f"{path}: input {name!r} has the shape {shape}; it needs a batch axis, others, and no zeros")
    batches = {name: shape[0] for name, shape in zip(names, shapes, strict=True)}
    if len(set(batches.values())) > 1:
        sizes = ", ".join(f"{name!r} has {batch}" for name, batch in batches.items())
        raise Unsupported(f"{path}: inputs with different batch sizes (axis 0) are not supported: {sizes}")
    return dict(zip(names, shapes, strict=True))


def make_layer(entry: Entry) -> Layer:
    """Make a layer from a message of either age; its blobs are those of the network file, mostly none."""
    message, kind = entry.message, kinds()[entry.type]
    if "phase" in message.DESCRIPTOR.fields_by_name and message.HasField("phase") and message.phase == 0:
        raise Unsupported(f"{entry.where}: phase TRAIN on the layer is not supported; networks are converted for TEST")
    blobs = tuple(read_blob(blob, f"{entry.where}: blob {i}") for i, blob in enumerate(message.blobs))
    param = getattr(message, kind.parameter.name, None) if kind.parameter is not None else None
    op = Layer(message.name, entry.type, tuple(message.bottom), tuple(message.top), param, blobs, entry.where)
    for count, (least, most) in ((len(op.bottoms), kind.bottoms), (len(op.tops), kind.tops)):
        if count < least or (most is not None and count > most):
            counts = f"{len(op.bottoms)} bottoms and {len(op.tops)} tops"
            known = f"{_amount(kind.bottoms)} bottoms and {_amount(kind.tops)} tops"
            raise op.unsupported(counts, f"a layer of this type has {known}")
    return op


def _amount(allowed: Range) -> str:
    least, most = allowed
    return f"{least} or more" if most is None else f"{least}" if least == most else f"{least} to {most}"


def _fitting(
    op: Layer, expected: Sequence[Shape], caffemodel: Path | None, weights: Mapping[str, tuple[Floats, ...]]
) -> tuple[Floats, ...]:
    """Return the layer's blobs in the shapes that it expects. Raises BadInput when they are others."""
    blobs, source = weights.get(op.name, op.blobs), caffemodel if op.name in weights else "the network file"
    if expected and not blobs and caffemodel is None:
        raise op.bad("needs weights, and the network file holds none; give the .caffemodel too")
    if expected and not blobs:
        raise op.bad(f"{caffemodel} has no weights for it; it has those of: {', '.join(weights) or 'no layer'}")
    if len(blobs) != len(expected):
        raise op.bad(f"{len(blobs)} blobs of weights in {source}; the layer has {len(expected)}")
    for index, (blob, shape) in enumerate(zip(blobs, expected, strict=True)):
        if blob.shape[blob.ndim - len(shape) :] != shape or blob.size != prod(shape):
            raise op.bad(f"blob {index} in {source} has the shape {blob.shape}; the layer needs {shape}")
        if not np.isfinite(blob).all():
            raise op.bad(f"blob {index} in {source} holds numbers that are not finite; get the file again")
    return tuple(blob.reshape(shape) for blob, shape in zip(blobs, expected, strict=True))
