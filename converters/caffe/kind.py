"""A layer as read, what the converter knows of its type, and ``@layer``, which registers that.

Families are found by listing ``converters/caffe/layers``: adding a layer is adding one file there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.caffe.messages import Parameter
from converters.errors import BadInput, Unsupported

if TYPE_CHECKING:
    from converters.caffe.emit import Emit

Array = NDArray[Any]
Shape = tuple[int, ...]
Symbols = Mapping[int, str]
"""The axes of a blob whose length is not the file's but any: ``{0: "N"}`` for a batch, none for a constant."""
Range = tuple[int, "int | None"]
"""At least, and at most; None: as many as one likes."""


class MixesSamples(Unsupported):
    """A layer that reads numbers of several samples at once, or knows their number: the batch must be the file's.

    ``symbols``: two batches that would have to be one.
    """

    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer. ``param`` is its own parameter block (a protobuf message); ``blobs`` are its weights, float32.

    Each top has a name that no other layer's top has. ``where`` is ``path:line: layer 'name' (Type)``. ``shared`` has
    the names of the weights that other layers may have too, empty for those without. ``fixed``: the batch size is the
    file's own, so axis 0 is an axis like any other.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    param: Any
    blobs: tuple[Array, ...]
    where: str
    shared: tuple[str, ...] = ()
    fixed: bool = False

    def bad(self, what: str) -> BadInput:
        """Return the error for a layer that Caffe itself would refuse."""
        return BadInput(f"{self.where}: {what}")

    def unsupported(self, feature: str, known: str) -> Unsupported:
        """Return the error for a feature that Caffe has and the converter has not; ``known`` is what it has."""
        return Unsupported(f"{self.where}: {feature} is not supported; {known}")

    def mix(self, what: str, *symbols: str | None) -> None:
        """Say that the layer mixes samples: the network is read again with its batch fixed, and then this does nothing.

        ``what`` is what the layer does, such as ``joins samples along axis 0``. Two ``symbols`` say that the layer only
        needs these two batches to be one.
        """
        if not self.fixed:
            reason = MixesSamples(f"{self.where}: {what}")
            reason.symbols = tuple(symbol for symbol in symbols if symbol is not None)
            raise reason


Convert = Callable[[Layer, "Emit"], None]


def same_samples(op: Layer, *bottoms: Symbols) -> Symbols:
    """Return the rule of most layers: the tops have the batch that all bottoms have."""
    for bottom, name in zip(bottoms, op.bottoms, strict=True):
        if bottom.keys() - {0}:
            raise op.unsupported(f"bottom {name!r}, whose length depends on the numbers", "it can only be an output")
        if bottom != bottoms[0]:
            op.mix(f"bottom {name!r} has not the batch of bottom {op.bottoms[0]!r}", bottom.get(0), bottoms[0].get(0))
    return bottoms[0] if bottoms else {}


def samples_of(index: int) -> Callable[..., Symbols]:
    """Return the rule of layers whose tops have the batch of one bottom, whatever the others have."""
    return lambda op, *bottoms: bottoms[index]


def no_samples(op: Layer, *bottoms: Symbols) -> Symbols:
    """Return the rule of layers whose tops have no batch."""
    return {}


@dataclass(frozen=True)
class Kind:
    """A layer type, ``name`` in Caffe. All shapes have the batch as axis 0, but for blobs that have none (`Symbols`).

    ``shape(op, *bottom shapes)`` and ``reference(op, *bottoms)`` return one shape or array a top; ``shape`` is called
    first and raises on what is not supported. ``weights(op, *bottom shapes)`` returns the shapes of the blobs, none
    for a layer that needs none; those listed in ``positive`` (by index) are never negative. ``bottoms`` and ``tops``
    are how many a layer may have. ``samples(op, *bottom symbols)`` returns the symbols of each of its tops.

    ``holds(op, index, generator, shape)`` returns numbers that the bottom of that index may hold, for inputs that are
    made up; None: any. ``identity``: at TEST each top is the first bottom, always or for some
    layers (op, bottom shape, top shape). ``in_place``: a top may be the bottom of the
    same place, which Caffe then overwrites. ``shares_memory``: in Caffe the tops lie where the first bottom lies, for
    all or some layers. ``constant``: the tops follow from weights and the shapes of the bottoms alone; ``only_shape``
    lists single bottoms of which no number is read. ``dropped``: a loss or a score.

    For folding one layer into another: ``affine(op, bottom shape)`` returns (factors, shifts), float64 (C,) each, of a
    layer that is ``x * factors + shifts`` along axis 1, else None. ``absorb(op, bottom shape, factors, shifts)``
    returns the layer that also does this to its top, or None where that is not exact. ``past(op, before)`` returns the
    layer that makes the same of what ``before``, which makes its bottom, reads; None where there is none.
    ``apart(op, name)`` returns the layers that do the same one after the other, so that some can be folded; ``name()``
    names a blob between them, which has the shape of its layer's first bottom.
    """

    name: str
    convert: Convert
    shape: Callable[..., tuple[Shape, ...]]
    reference: Callable[..., tuple[Array, ...]]
    weights: Callable[..., tuple[Shape, ...]] | None = None
    parameter: Parameter | None = None
    bottoms: Range = (1, 1)
    tops: Range = (1, 1)
    samples: Callable[..., Symbols] = same_samples
    positive: tuple[int, ...] = ()
    holds: Callable[[Layer, int, np.random.Generator, Shape], Array | None] | None = None
    identity: bool | Callable[[Layer, Shape, Shape], bool] = False
    in_place: bool = True
    shares_memory: bool | Callable[[Layer], bool] = False
    constant: bool = False
    only_shape: tuple[int, ...] = ()
    dropped: bool = False
    affine: Callable[[Layer, Shape], tuple[Array, Array] | None] | None = None
    absorb: Callable[[Layer, Shape, Array, Array], Layer | None] | None = None
    past: Callable[[Layer, Layer], Layer | None] | None = None
    apart: Callable[[Layer, Callable[[], str]], tuple[Layer, ...]] | None = None


_KINDS: dict[str, Kind] = {}


def layer(
    *type_names: str,
    shape: Callable[..., tuple[Shape, ...]],
    reference: Callable[..., tuple[Array, ...]],
    bottoms: int | Range = 1,
    tops: int | Range = 1,
    **words: Any,
) -> Callable[[Convert], Convert]:
    """Register a converter for the layers of these types (several: forks have other names for the same layer).

    The words are those of `Kind`; a number of bottoms or tops is a range of one. Raises ValueError when there is a
    converter already.
    """
    bottom_range, top_range = ((count, count) if isinstance(count, int) else count for count in (bottoms, tops))

    def register(convert: Convert) -> Convert:
        for name in type_names:
            if name in _KINDS:
                raise ValueError(f"two converters for layer type {name!r}: {_KINDS[name].convert} and {convert}")
            _KINDS[name] = Kind(type_names[0], convert, shape, reference, bottoms=bottom_range, tops=top_range, **words)
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


def same_sizes(op: Layer, bottom: Shape, top: Shape) -> bool:
    """Say that a layer changes nothing where it changes no size."""
    return bottom == top


def canonical_axis(op: Layer, axis: int, rank: int) -> int:
    """Turn Caffe's axis, negative ones count from the end, into one from 0 on; axis 0 mixes samples."""
    if not -rank <= axis < rank:
        raise op.bad(f"axis {axis} of a bottom with {rank} axes")
    if axis % rank == 0:
        op.mix("works along axis 0, the batch")
    return axis % rank
