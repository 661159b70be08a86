"""Split: more names for one blob. Caffe puts these in by itself; a file may have them too."""

from __future__ import annotations

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer

CASES = (("", (2, 7, 5, 3), 3), ("", (3, 11), 2), ("", (3, 11)))


def shape(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return the bottom's shape for each top."""
    return (bottom,) * len(op.tops)


def reference(op: Layer, bottom: Array) -> tuple[Array, ...]:
    """Return the bottom for each top."""
    return (bottom,) * len(op.tops)


def always(op: Layer, bottom: Shape, top: Shape) -> bool:
    """Say that nothing is changed."""
    return True


@layer("Split", shape=shape, reference=reference, tops=(1, None), in_place=False, shares_memory=True, identity=always)
def split(op: Layer, emit: Emit) -> None:
    """Identity for each top that is an output; whoever reads another one reads the bottom instead."""
    for top in op.tops:
        emit.node("Identity", op.bottoms, (top,))
