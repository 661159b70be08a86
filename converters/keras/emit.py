"""The ONNX graph of a Keras network while it is being built, one layer after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from converters.errors import BadInput
from converters.keras.arrange import blocks
from converters.keras.described import Described
from converters.keras.kind import Array, Layer, Made, Shape, Tensor, channels_first
from converters.onnx_file import unique

AFFINE = "Affine"
"""What `Emit.affine` adds: ``x * factors + shifts``, replaced before the graph is done (`converters.keras.fold`)."""


@dataclass(eq=False)
class Node:
    """A node of the graph, not yet ONNX's own; ``where`` is the layer that it is of, for errors."""

    op_type: str
    inputs: list[str]
    outputs: list[str]
    name: str
    attributes: dict[str, Any]
    where: str = ""


class Emit:
    """Collects the nodes and constants. Names: ``layer/what``; the node that makes what a layer returns is ``layer``.

    A node that would make what there is already is not added.
    """

    def __init__(self, reserved: Sequence[str], keras: int = 3) -> None:
        self.keras = keras
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self._tensors = dict.fromkeys(reserved, 1)
        self._names: dict[str, int] = {}
        self._layer = self._where = ""
        self._same: dict[object, list[str]] = {}
        self._made: dict[str, str] = {}
        self._reshaped: dict[str, str] = {}
        self.described = Described()

    def layer(self, op: Layer, made: Made) -> tuple[Tensor, ...]:
        """Note what a layer made, and name the last node of it after the layer."""
        tensors = (made,) if isinstance(made, Tensor) else tuple(made)
        if len(tensors) == 1 and self.nodes and self.nodes[-1].outputs == [tensors[0].name]:
            node = self.nodes[-1]
            if node.name.startswith(f"{op.name}/"):
                node.name = unique(self._names, op.name)
        return tensors

    def begin(self, op: Layer) -> None:
        """Name what follows after a layer."""
        self._layer, self._where = op.name, op.where

    def again(self, node: Node) -> None:
        """Name what follows after a node that is there already."""
        self._layer, self._where = node.name, node.where

    def node(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of one output; returns its name."""
        return self.nodes_of(op_type, inputs, 1, **attributes)[0]

    def nodes_of(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node of several outputs, as Split; returns their names."""
        same = f"{op_type} {list(inputs)} {outputs} {attributes}"
        if outputs == 1 and same in self._made:
            return [self._made[same]]
        names = [self.name(op_type.lower()) for _ in range(outputs)]
        self._made[same] = names[0]
        self.nodes.append(Node(op_type, list(inputs), names, unique(self._names, names[0]), attributes, self._where))
        return names

    def name(self, what: str) -> str:
        """Return a name for a tensor that nobody else has."""
        return unique(self._tensors, f"{self._layer}/{what}")

    def constant(self, what: str, value: Array) -> str:
        """Add a constant tensor; returns its name, or that of one with the same numbers.

        Raises BadInput for numbers that are not finite: settings and weights that are, but not in float32.
        """
        value = np.ascontiguousarray(value).reshape(value.shape)  # numpy makes (1,) of ()
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise BadInput(f"{self._where}: its numbers are too large: in float32 {what!r} would not be finite")
        same = self._same.setdefault((value.dtype, value.shape, value.ravel()[:16].tobytes()), [])
        for name in same:
            if np.array_equal(self.constants[name], value):
                return name
        name = self.name(what)
        self.constants[name] = value
        same.append(name)
        return name

    def scalar(self, value: float) -> str:
        """Add a number, float32 without axes."""
        return self.constant("number", np.array(value, dtype=np.float32))

    def made(self, name: str, shape: Shape, order: tuple[int, ...] | None = None) -> Tensor:
        """Return a tensor of the graph; without ``order`` its channels, Keras's last axis, are axis 1."""
        return Tensor(name, shape, channels_first(len(shape)) if order is None else order)

    def like(self, op_type: str, tensor: Tensor, *others: str, **attributes: Any) -> Tensor:
        """Add a node that works number by number; returns a tensor that is laid out as the first input."""
        return tensor.named(self.node(op_type, (tensor.name, *others), **attributes))

    def along(self, tensor: Tensor, axis: int, values: Array) -> str:
        """Add a constant (float) that broadcasts along a Keras axis, ordered as the tensor is."""
        size = [1] * tensor.rank
        size[tensor.axis(axis)] = len(values)
        return self.constant("values", _moved(tensor, axis, values).reshape(size))

    def affine(self, tensor: Tensor, axis: int, factors: Array, shifts: Array) -> Tensor:
        """Add ``x * factors + shifts`` along a Keras axis, float64 (C,) each; see `converters.keras.fold`."""
        taken = [_moved(tensor, axis, numbers) for numbers in (factors, shifts)]
        where = tensor.axis(axis)
        values = self.constant("affine", np.stack(taken).astype(np.float64))
        return self.like(AFFINE, tensor, values, axis=where, rank=tensor.rank)

    def unfolded(self, tensor: Tensor) -> Tensor:
        """Return a flattened tensor in the order that Keras has it in; any other one as it is."""
        if tensor.places is None:
            return tensor
        indices = self.constant("places", np.argsort(tensor.places).astype(np.int64))
        gathered = self.node("Gather", (tensor.name, indices), axis=tensor.axis(-1))
        return replace(tensor, name=gathered, places=None)

    def plain(self, tensor: Tensor) -> Tensor:
        """Return a tensor laid out as Keras has it, batch first."""
        return self.ordered(self.unfolded(tensor), tuple(range(tensor.rank)))

    def channels(self, tensor: Tensor, *, last: bool) -> Tensor:
        """Return a tensor with its channels as axis 1: Keras's last axis, or its axis 1."""
        return self.ordered(self.unfolded(tensor), channels_first(tensor.rank) if last else tuple(range(tensor.rank)))

    def ordered(self, tensor: Tensor, order: tuple[int, ...]) -> Tensor:
        """Return a tensor with its axes in this order; where only axes of size 1 move nothing is moved."""
        if tensor.order == order:
            return tensor
        tensor = self.unfolded(tensor)
        moved = [[axis for axis in axes if tensor.shape[axis] != 1] for axes in (tensor.order, order)]
        sizes = tuple(tensor.shape[axis] for axis in order)
        if moved[0] == moved[1] and sizes.count(None) <= 2:
            name = self.reshaped(tensor.name, sizes)
        else:
            name = self.node("Transpose", (tensor.name,), perm=[tensor.order.index(axis) for axis in order])
        return Tensor(name, tensor.shape, order)

    def reshape(self, tensor: Tensor, shape: Shape) -> Tensor:
        """Return a tensor in another shape, as Keras's Reshape: nothing is moved where the layout allows it.

        A tensor that is flattened to (N, F), or (N, 1, 1, F), keeps its order in memory and notes it as ``places``. At
        most one size but the batch may be None.
        """
        if tensor.shape == shape:
            return tensor
        found = blocks(tensor.shape, shape, tensor.order) if tensor.places is None else None
        flat = len(shape) > 1 and set(shape[1:-1]) <= {1} and shape[-1] is not None
        if flat and (tensor.places is None or tensor.shape[-1] == shape[-1]) and found is None:
            places = _places(tensor) if tensor.places is None else tensor.places
            order = channels_first(len(shape))
            return Tensor(self.reshaped(tensor.name, tuple(shape[axis] for axis in order)), shape, order, places)
        if found is None:
            tensor = self.plain(tensor)
            found = tuple(range(len(shape)))
        return Tensor(self.reshaped(tensor.name, tuple(shape[axis] for axis in found)), shape, found)

    def reshaped(self, name: str, sizes: Shape) -> str:
        """Add a Reshape to these sizes of ONNX, past one before it: OpenCV 5 does so too, but not for all sizes."""
        numbers = [0, *(-1 if size is None else size for size in sizes[1:])]
        name = self._reshaped.get(name, name)
        made = self.node("Reshape", (name, self.constant("sizes", np.array(numbers, dtype=np.int64))))
        self._reshaped[made] = name
        return made


def _moved(tensor: Tensor, axis: int, values: Array) -> Array:
    """Return numbers along a Keras axis in the order that the tensor has them in."""
    return values if tensor.places is None or axis % tensor.rank != tensor.rank - 1 else values[tensor.places]


def _places(tensor: Tensor) -> Array | None:
    """Return the Keras place of each number of a tensor that is flattened as it lies in memory; None: its own."""
    sizes = [size for size in tensor.shape[1:] if size is not None]
    places = np.arange(prod(sizes)).reshape(sizes).transpose([axis - 1 for axis in tensor.order[1:]]).ravel()
    return None if np.array_equal(places, np.arange(len(places))) else places
