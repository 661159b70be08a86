"""The ONNX graph of a Caffe network while it is being built, one layer after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from converters.caffe.kind import Array, Convert, Layer, Shape, Symbols
from converters.onnx_file import unique

if TYPE_CHECKING:
    import onnx

LrnForm = Literal["lowered", "native"]
NONE = np.zeros(0, dtype=np.int64)
"""The sizes of a number without axes."""


class Emit:
    """Collects the nodes and constants of an ONNX graph, one layer after the other.

    Tensors that are no Caffe blob are named ``layer/what``; no name is given twice. A node that makes a blob has the
    name of its layer, any other one that of its tensor.
    """

    def __init__(self, shapes: Mapping[str, Shape], symbols: Mapping[str, Symbols], lrn: LrnForm) -> None:
        self.shapes = dict(shapes)
        self.symbols = dict(symbols)
        self._blobs = frozenset(shapes)
        self.lrn = lrn
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self._tensors = dict.fromkeys(shapes, 1)
        self._nodes: dict[str, int] = {}
        self._layer = ""
        self._same: dict[object, list[str]] = {}
        self._reshaped: dict[str, tuple[str, Array]] = {}
        self._made: dict[str, str] = {}

    def known(self, blobs: Mapping[str, Array], outputs: Sequence[str]) -> None:
        """Add the blobs whose numbers are known; one that is an output needs a node that makes it."""
        for name, value in blobs.items():
            self._layer = name
            if name in outputs:
                self.node("Identity", (self.constant("known", value),), (name,))
            else:
                self.constants[name] = value

    def layer(self, op: Layer, convert: Convert) -> None:
        """Add one layer's nodes."""
        self._layer = op.name
        convert(op, self)

    def finish(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Drop what no output needs, and read the inputs that no node does: OpenCV 4 refuses such an input."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.constants = {name: value for name, value in self.constants.items() if name in needed}
        for name in inputs:
            if name not in needed:
                self._layer = name
                self.node("Identity", (name,))

    def node(self, op_type: str, inputs: Sequence[str], outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Add a node; without ``outputs`` it has one, with a name made for it. Returns the first output's name.

        One that would make, under such a name, what there is already is not added.
        """
        import onnx

        if op_type == "Reshape":
            inputs = self._reshape(*inputs)
            if not outputs and self._has_sizes(*inputs):
                return inputs[0]
        same = f"{op_type} {inputs} {attributes}"
        if not outputs and same in self._made:
            return self._made[same]
        named = tuple(outputs) or (self.name(op_type.lower()),)
        self._made.setdefault(same, named[0])
        if op_type == "Reshape":
            self._reshaped[named[0]] = inputs[0], self.constants[inputs[1]]
        name = unique(self._nodes, self._layer if named[0] in self._blobs else named[0])
        self.nodes.append(onnx.helper.make_node(op_type, list(inputs), list(named), name=name, **attributes))
        return named[0]

    def _reshape(self, tensor: str, sizes: str) -> tuple[str, str]:
        """Return the inputs of a Reshape, past one before it: OpenCV 5 goes past it too, but not for sizes of 0."""
        wanted = self.constants[sizes]
        source, earlier = self._reshaped.get(tensor, (tensor, np.zeros(len(wanted), dtype=np.int64)))
        copied = [earlier[i] if size == 0 else size for i, size in enumerate(wanted)]  # 0: as it was
        if source != tensor and copied.count(-1) <= list(wanted).count(-1):  # else -1 stands for a size to be copied
            tensor, sizes = source, self.constant("sizes", np.array(copied, dtype=np.int64))
        return tensor, sizes

    def _has_sizes(self, tensor: str, sizes: str) -> bool:
        """Whether a tensor is a blob that has these sizes already."""
        return tensor in self.shapes and np.array_equal(self.constants[self.sizes(tensor)], self.constants[sizes])

    def name(self, what: str) -> str:
        """Return a name for a tensor that nobody else has."""
        return unique(self._tensors, f"{self._layer}/{what}")

    def constant(self, what: str, value: Array) -> str:
        """Add a constant tensor; returns its name, or that of one with the same numbers."""
        value = np.ascontiguousarray(value).reshape(value.shape)  # numpy makes (1,) of ()
        same = self._same.setdefault((value.dtype, value.shape, value.ravel()[:16].tobytes()), [])
        for name in same:
            if np.array_equal(self.constants[name], value):
                return name
        name = self.name(what)
        self.constants[name] = value
        same.append(name)
        return name

    def blob(self, what: str, shape: Shape, symbols: Symbols) -> str:
        """Name a blob inside the layer, which another layer's converter is to make; returns its name."""
        name = unique(self._tensors, f"{self._layer}/{what}")
        self.shapes[name], self.symbols[name] = shape, symbols
        return name

    def sizes(self, blob: str) -> str:
        """Add the constant that a Reshape to a blob's shape needs; 0 stands for the batch, as the input has it."""
        return self.arrange(blob, *self.shapes[blob][1:]) if self.shapes[blob] else self.constant("sizes", NONE)

    def arrange(self, blob: str, *sizes: int) -> str:
        """Add the constant that a Reshape to the batch of a blob, and these sizes behind it, needs."""
        batch = 0 if 0 in self.symbols[blob] else self.shapes[blob][0]
        return self.constant("sizes", np.array([batch, *sizes], dtype=np.int64))

    def rows(self, blob: str, axis: int) -> str:
        """Add the constant that a Reshape needs to make one axis of all those of a blob from ``axis`` on."""
        shape = self.shapes[blob]
        if axis == 0:
            return self.constant("sizes", np.array([prod(shape)], dtype=np.int64))
        return self.arrange(blob, *shape[1:axis], prod(shape[axis:]))
