"""A Caffe network in memory: what files of any age say, in one simple form, checked as far as it can be.

Blobs are named as `converters.caffe.connect` says: ``conv1`` is what Caffe leaves in ``conv1``, after an in-place ReLU.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from converters.caffe.binary import is_binary, read_binary
from converters.caffe.blobs import Weights, given_weights
from converters.caffe.connect import connect
from converters.caffe.inputs import first_symbols, read_inputs
from converters.caffe.kind import Layer, MixesSamples, Range, Shape, Symbols, kinds
from converters.caffe.schema import FILE_STATE, INPUT_TYPES, Entry, State, is_v1, read_bytes, refuse_others
from converters.caffe.text import read_text
from converters.caffe.weights import Floats, read_blob, read_weights
from converters.errors import BadInput, Unsupported
from converters.onnx_file import LARGEST

MOST_BLOBS = 4096
"""Bottoms or tops of one layer: more than any network has."""


@dataclass(frozen=True, eq=False)
class Net:
    """A network. ``inputs`` are names and the file's shapes (batch first); ``layers`` stand in the order they run.

    ``outputs`` are the blobs that no layer reads. ``shapes`` holds the shape of every blob at the file's batch size,
    ``symbols`` which of its axes may have another length. ``fixed`` says why the batch size must be the file's, and is
    empty where it need not. ``seeded``: no file has weights, they are made up. ``sources`` holds the name and sha256 of
    each file, by role (``prototxt``, ``caffemodel``).
    """

    name: str
    inputs: dict[str, Shape]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    shapes: dict[str, Shape]
    symbols: dict[str, Symbols]
    fixed: str
    seeded: bool
    sources: dict[str, tuple[str, str]]


def read_net(prototxt: Path, caffemodel: Path | None = None, *, state: State = FILE_STATE) -> Net:
    """Read the TEST phase of a network, with its weights; without a caffemodel they are looked for in the network file.

    Where that has none either they are made up, the same each time (``seeded``).

    ``state`` chooses layers by their include and exclude rules.

    Raises Unsupported for layers and features that are not known, and BadInput for what Caffe would refuse too: files
    that are cut off, layers without weights, weights of another size, bottoms that nobody makes.
    """
    data = read_bytes(prototxt, "a Caffe network (.prototxt)")
    refuse_others(prototxt, data)
    message, entries = read_network(prototxt, data, state)
    sources = {"prototxt": (prototxt.name, hashlib.sha256(data).hexdigest())}
    weights: dict[str, tuple[Floats, ...]] = {}
    if caffemodel is not None:
        binary = read_bytes(caffemodel, "the weights of the network (.caffemodel)")
        weights = read_weights(caffemodel, binary)
        sources["caffemodel"] = (caffemodel.name, hashlib.sha256(binary).hexdigest())
    ops = [make_layer(entry) for entry in entries if entry.type not in INPUT_TYPES]
    inputs = read_inputs(prototxt, message, entries, ops)
    given, symbols, fixed = given_weights(caffemodel, weights, ops), first_symbols(inputs), ""
    parts = None
    while parts is None:
        try:
            parts = _lay_out(prototxt, inputs, symbols, ops, given)
        except MixesSamples as reason:
            tied = _tied(inputs, symbols, reason)
            if tied is None:
                ops, fixed = [replace(op, fixed=True) for op in ops], str(reason)
            symbols = tied or {name: {} for name in inputs}
    return Net(message.name, inputs, *parts, fixed, given.seeded and any(op.blobs for op in parts[0]), sources)


def _tied(inputs: Mapping[str, Shape], symbols: dict[str, Symbols], reason: MixesSamples) -> dict[str, Symbols] | None:
    """Return the symbols with two of them made one, for a layer that needs this; None where they cannot be one."""
    if len(reason.symbols) != 2:
        return None
    one, other = sorted(reason.symbols, key=lambda symbol: symbol != "N")
    sizes = {inputs[name][0] for name, free in symbols.items() if free[0] in (one, other)}
    return {n: {0: one if free[0] == other else free[0]} for n, free in symbols.items()} if len(sizes) == 1 else None


def _lay_out(
    path: Path, inputs: dict[str, Shape], symbols: Mapping[str, Symbols], ops: Sequence[Layer], given: Weights
) -> tuple[tuple[Layer, ...], tuple[str, ...], dict[str, Shape], dict[str, Symbols]]:
    """Connect the layers and give each its weights. Returns layers, outputs, and shapes and symbols of all blobs."""
    layers, outputs = connect(path, inputs, ops)
    shapes, symbols = dict(inputs), dict(symbols)
    whole: list[Layer] = []
    weighted: set[str] = set()
    count = 0
    for layer in layers:
        apart = any(symbols[bottom] for bottom in layer.bottoms) or not layer.bottoms
        op = layer if apart else replace(layer, fixed=True)  # what reads constants alone cannot mix samples
        kind, bottoms = kinds()[op.type], [shapes[bottom] for bottom in op.bottoms]
        tops = kind.shape(op, *bottoms)
        free = {} if kind.constant else kind.samples(op, *(symbols[bottom] for bottom in op.bottoms))
        for top, shape in zip(op.tops, tops, strict=True):
            if min(shape, default=1) < 1:
                sizes = " and ".join(str(bottom) for bottom in bottoms)
                raise op.bad(f"a bottom of shape {sizes} is too small: the top {top!r} would be {shape}")
            if prod(shape) > LARGEST:
                raise op.bad(f"the top {top!r} of shape {shape} has more than {LARGEST} numbers; check the sizes")
            shapes[top], symbols[top] = shape, free
        expected = kind.weights(op, *bottoms) if kind.weights is not None else ()
        for shape in expected:
            count += prod(shape)
            if prod(shape) > LARGEST or (given.seeded and count > LARGEST):
                raise op.bad(f"with weights of shape {shape} there are more than {LARGEST} numbers; check the sizes")
        if expected and op.name in weighted:
            raise op.bad("an earlier layer with weights has the same name; weights are matched by name")
        weighted |= {op.name} if expected else set()
        whole.append(replace(op, blobs=given.of(op, expected)))
    return tuple(whole), outputs, shapes, symbols


def read_network(path: Path, data: bytes, state: State = FILE_STATE) -> tuple[Any, list[Entry]]:
    """Read a network, text or binary. Returns the NetParameter and the layers that its TEST phase has, in file order.

    Raises Unsupported for a layer type that is not known, BadInput for what is not Caffe's format.
    """
    net, entries = read_binary(path, data, state) if is_binary(data) else read_text(path, data, state)
    if len({is_v1(entry.message) for entry in entries}) > 1:
        raise BadInput(f"{path}: has both 'layer' and 'layers' blocks; Caffe reads files of one kind only")
    return net, entries


def make_layer(entry: Entry) -> Layer:
    """Make a layer from a message of either age; its blobs are those of the network file, mostly none."""
    message, kind = entry.message, kinds()[entry.type]
    if entry.type in ("SoftmaxLoss", "SoftmaxWithLoss") and len(message.top) == 2:  # the second are the probabilities
        probabilities = type(message)()
        probabilities.CopyFrom(message)
        del probabilities.bottom[1:], probabilities.top[0]
        return make_layer(Entry("Softmax", probabilities, entry.where))
    if "phase" in message.DESCRIPTOR.fields_by_name and message.HasField("phase") and message.phase == 0:
        raise Unsupported(f"{entry.where}: phase TRAIN on the layer is not supported; networks are converted for TEST")
    blobs = tuple(read_blob(blob, f"{entry.where}: blob {i}") for i, blob in enumerate(message.blobs))
    param = getattr(message, kind.parameter.name, None) if kind.parameter is not None else None
    shared = tuple(weight if isinstance(weight, str) else weight.name for weight in message.param)
    op = Layer(message.name, entry.type, tuple(message.bottom), tuple(message.top), param, blobs, entry.where, shared)
    for name in (op.name, *op.tops):
        if "\0" in name:
            raise op.bad(f"the name {name!r} has a NUL in it; runtimes end a name there")
    if max(len(op.bottoms), len(op.tops)) > MOST_BLOBS:
        raise op.bad(f"{len(op.bottoms)} bottoms and {len(op.tops)} tops; at most {MOST_BLOBS} each are converted")
    for count, (least, most) in ((len(op.bottoms), kind.bottoms), (len(op.tops), kind.tops)):
        if count < least or (most is not None and count > most):
            counts = f"{len(op.bottoms)} bottoms and {len(op.tops)} tops"
            known = f"{_amount(kind.bottoms)} bottoms and {_amount(kind.tops)} tops"
            raise op.unsupported(counts, f"a layer of this type has {known}")
    return op


def _amount(allowed: Range) -> str:
    least, most = allowed
    return f"{least} or more" if most is None else f"{least}" if least == most else f"{least} to {most}"
