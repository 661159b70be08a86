"""What one run of a graph costs at the least: multiplications, and the bytes that it must move.

A runtime computes an activation or an addition while the layer before it still holds its numbers, so the tensor between
the two is never moved, although the graph has it. Counted with those, the bytes would be no lower bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records import Costs, Precision
from converters.errors import BadInput
from zoo import graph
from zoo.inspect import inspect
from zoo.operators import ACTIVATIONS, BY_CHANNEL, REARRANGING

if TYPE_CHECKING:
    import onnx

VIEWS = REARRANGING - {"QuantizeLinear"}
"""Operators whose reader reads what they read: the same bytes under another name."""

ALONG = ACTIVATIONS | BY_CHANNEL | {"BatchNormalization", "Pow", "Sqrt", "Max", "Min", "Neg", "Sum", "QuantizeLinear"}
"""Operators that go through their input number by number."""


def costs_of(
    files: Mapping[str, Mapping[Precision, Path]],
) -> tuple[dict[str, dict[Precision, Costs]], tuple[str, ...]]:
    """Return the costs of each network's files by network and precision, and a note of each that has none.

    A file that several networks share is read once.
    """
    found: dict[Path, Costs | BadInput] = {}
    for path in dict.fromkeys(path for of in files.values() for path in of.values()):
        try:
            found[path] = costs(graph.read(path), path.stat().st_size)
        except BadInput as error:
            found[path] = error
    counted: dict[str, dict[Precision, Costs]] = {}
    notes = []
    for name, of in files.items():
        for precision, path in of.items():
            known = found[path]
            if isinstance(known, BadInput):
                notes.append(f"{name} in {precision}: its costs are not known: {known}")
            else:
                counted.setdefault(name, {})[precision] = known
    return counted, tuple(notes)


def costs(model: onnx.ModelProto, file_bytes: int) -> Costs:
    """Return the costs of a graph whose file has ``file_bytes``. Raises BadInput for a graph that contradicts itself.

    Each activation is written once and read once by each of its readers, in its own type; where its only reader goes
    through it number by number it is not moved. Constants are read once a run. A tensor whose size the graph does not
    tell counts for nothing.
    """
    counted, constants = inspect(model), graph.constants(model).values()
    one, two = _activation_bytes(model, 1), _activation_bytes(model, 2)
    return Costs(
        file_bytes=file_bytes,
        parameters=counted.parameters,
        macc=counted.macc,
        run_bytes=sum(prod(tensor.dims) * _width(tensor.data_type) for tensor in constants) + 2 * one - two,
        face_bytes=two - one,
        nodes=len(model.graph.node),
    )


def _activation_bytes(model: onnx.ModelProto, batch: int) -> int:
    """Return the bytes of activations that one run of ``batch`` faces moves."""
    makers, sizes = graph.makers(model), _sizes(model, batch)
    working = [node for node in model.graph.node if node.op_type not in VIEWS]
    reads = [list(dict.fromkeys(_behind(name, makers) for name in graph.read_by(node))) for node in working]
    readers = Counter(name for names in reads for name in names)
    readers.update(_behind(output.name, makers) for output in model.graph.output)
    moved = 0
    for node, names in zip(working, reads, strict=True):
        moved += sum(sizes.get(name, 0) for name in (*names, *node.output))
        if node.op_type in ALONG:
            alone = (name for name in names if name in makers and name in sizes and readers[name] == 1)
            moved -= 2 * sizes[held] if (held := next(alone, None)) else 0
    return moved


def _behind(name: str, makers: Mapping[str, onnx.NodeProto]) -> str:
    """Return the tensor whose bytes a tensor is, past those that only rearrange."""
    while name in makers and makers[name].op_type in VIEWS and makers[name].input:
        name = makers[name].input[0]
    return name


def _sizes(model: onnx.ModelProto, batch: int) -> dict[str, int]:
    """Return the bytes of each tensor that is no constant, as far as the graph tells."""
    constants, found = graph.constants(model), {}
    for name, value in graph.inferred(model, batch).items():
        tensor = value.type.tensor_type
        known = tensor.HasField("shape") and all(axis.HasField("dim_value") for axis in tensor.shape.dim)
        if known and name not in constants:
            found[name] = prod(axis.dim_value for axis in tensor.shape.dim) * _width(tensor.elem_type)
    return found


def _width(elem_type: int) -> int:
    import onnx

    return int(onnx.helper.tensor_dtype_to_np_dtype(elem_type).itemsize)
