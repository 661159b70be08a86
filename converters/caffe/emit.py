"""What a layer family works with: the layer as read, the ONNX graph being built, and ``@layer``, which registers it.

Families are found by listing ``converters/caffe/layers``: adding a layer is adding one file there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from converters.caffe.messages import Parameter
from converters.errors import BadInput, Unsupported

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]
Shape = tuple[int, ...]
Range = tuple[int, "int | None"]
"""At least, and at most; None: as many as one likes."""
LrnForm = Literal["lowered", "native"]


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer. ``param`` is its own parameter block (a protobuf message); ``blobs`` are its weights, float32.

    Each top has a name that no other layer's top has. ``where`` is ``path:line: layer 'name' (Type)``.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    param: Any
    blobs: tuple[Array, ...]
    where: str

    def bad(self, what: str) -> BadInput:
        """Return the error for a layer that Caffe itself would refuse."""
        return BadInput(f"{self.where}: {what}")

    def unsupported(self, feature: str, known: str) -> Unsupported:
        """Return the error for a feature that Caffe has and the converter has not; ``known`` is what it has."""
        return Unsupported(f"{self.where}: {feature} is not supported; {known}")


Convert = Callable[[Layer, "Emit"], None]


@dataclass(frozen=True)
class Kind:
    """A layer type. All shapes have the batch as axis 0.

    ``shape(op, *bottom shapes)`` and ``reference(op, *bottoms)`` return one shape or array a top; ``shape`` is called
    first and raises on what is not supported. ``weights(op, *bottom shapes)`` returns the shapes of the blobs, none
    for a layer that needs none. ``bottoms`` and ``tops`` are how many a layer may have. ``identity``: at TEST the layer
    changes nothing. ``in_place``: a top may be the bottom of the same place, which Caffe then overwrites.
    ``shares_memory``: in Caffe the tops lie where the first bottom lies.
    """

    convert: Convert
    shape: Callable[..., tuple[Shape, ...]]
    reference: Callable[..., tuple[Array, ...]]
    weights: Callable[..., tuple[Shape, ...]] | None
    parameter: Parameter | None
    bottoms: Range
    tops: Range
    identity: bool
    in_place: bool
    shares_memory: bool


_KINDS: dict[str, Kind] = {}


def layer(
    type_name: str,
    *,
    shape: Callable[..., tuple[Shape, ...]],
    reference: Callable[..., tuple[Array, ...]],
    weights: Callable[..., tuple[Shape, ...]] | None = None,
    parameter: Parameter | None = None,
    bottoms: int | Range = 1,
    tops: int | Range = 1,
    identity: bool = False,
    in_place: bool = True,
    shares_memory: bool = False,
) -> Callable[[Convert], Convert]:
    """Register a converter for the layers of that type; the words are those of `Kind`, a number is a range of one.

    Raises ValueError when there is one already.
    """
    bottom_range, top_range = ((count, count) if isinstance(count, int) else count for count in (bottoms, tops))

    def register(convert: Convert) -> Convert:
        if type_name in _KINDS:
            raise ValueError(f"two converters for layer type {type_name!r}: {_KINDS[type_name].convert} and {convert}")
        _KINDS[type_name] = Kind(
            convert, shape, reference, weights, parameter, bottom_range, top_range, identity, in_place, shares_memory
        )
        return convert

    return register


@cache
def kinds() -> Mapping[str, Kind]:
    """Every known layer type. The listing of ``layers/`` is the registry."""
    for path in sorted((Path(__file__).parent / "layers").glob("[!_]*.py")):
        importlib.import_module(f"converters.caffe.layers.{path.stem}")
    return dict(sorted(_KINDS.items()))


def same_shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the shape rule of layers that work number by number."""
    return (bottom,)


def canonical_axis(op: Layer, axis: int, rank: int) -> int:
    """Turn Caffe's axis, negative ones count from the end, into one from 1 on: axis 0 is the batch."""
    if not -rank <= axis < rank:
        raise op.bad(f"axis {axis} of a bottom with {rank} axes")
    if axis % rank == 0:
        raise op.unsupported("axis 0", "the first axis is the batch, whose samples are kept apart")
    return axis % rank


class Emit:
    """Collects the nodes and constants of an ONNX graph, one layer after the other.

    Tensors that are no Caffe blob are named ``layer/what``; no name is given twice.
    """

    def __init__(self, shapes: Mapping[str, Shape], lrn: LrnForm) -> None:
        self.shapes = shapes
        self.lrn = lrn
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._tensors = set(shapes)
        self._nodes: set[str] = set()
        self._layer = ""

    def layer(self, op: Layer, convert: Convert) -> None:
        """Add one layer's nodes."""
        self._layer = op.name
        convert(op, self)

    def node(self, op_type: str, inputs: Sequence[str], outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Add a node; without ``outputs`` it has one, with a name made for it. Returns the first output's name."""
        import onnx

        named = tuple(outputs) or (unique(self._tensors, f"{self._layer}/{op_type.lower()}"),)
        name = unique(self._nodes, self._layer if outputs else named[0])
        self.nodes.append(onnx.helper.make_node(op_type, list(inputs), list(named), name=name, **attributes))
        return named[0]

    def constant(self, what: str, value: Array) -> str:
        """Add a constant tensor; returns its name."""
        import onnx

        name = unique(self._tensors, f"{self._layer}/{what}")
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def unique(taken: set[str], wanted: str) -> str:
    """Return ``wanted``, or ``wanted_2`` and so on when it is taken, and take it."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    taken.add(name)
    return name
