"""BatchReindex: the samples that a second bottom lists, in its order; one may stand there more than once."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer, samples_of

CASES = (
    ("", ((4, 7, 5, 3), (4,))),
    ("", ((5, 3), (2,))),
    ("", ((3, 7, 5), (3,))),
)
GAPS = (("opencv", "4", "", "makes (N, 1) of (N,)"),)


def shape(op: Layer, bottom: Shape, indices: Shape) -> tuple[Shape]:
    """Return the first bottom's shape, with as many samples as the second lists."""
    if len(indices) != 1 or not bottom:
        raise op.bad(f"bottom {op.bottoms[1]!r} has the shape {indices}; it needs one axis, a number a sample")
    return ((*indices, *bottom[1:]),)


def holds(op: Layer, index: int, generator: np.random.Generator, shape: Shape) -> Array | None:
    """Return places in a batch that is as long as the list."""
    return generator.integers(shape[0], size=shape) if index == 1 else None


def reference(op: Layer, bottom: Array, indices: Array) -> tuple[Array]:
    """Return the samples. Raises BadInput where there is none, as Caffe does."""
    places = indices.astype(np.int64)
    for place in (places.min(), places.max()):
        if not 0 <= place < len(bottom):
            raise op.bad(f"sample {place} is not one of 0 to {len(bottom) - 1}")
    return (bottom[places],)


@layer("BatchReindex", shape=shape, reference=reference, bottoms=2, samples=samples_of(1), in_place=False, holds=holds)
def batch_reindex(op: Layer, emit: Emit) -> None:
    """Cast and Gather."""
    bottom, indices = op.bottoms
    emit.node("Gather", (bottom, emit.node("Cast", (indices,), to=7)), op.tops, axis=0)  # int64
