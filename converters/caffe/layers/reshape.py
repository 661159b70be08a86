"""Reshape. A number that the file gives for axis 0 may be its own batch size; that one is forgotten.

A shape whose axis 0 is no more the batch means nothing at another batch: it fixes the batch of the network.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer, same_sizes
from converters.caffe.messages import Parameter

PARAMETER = Parameter("reshape_param", 133, None, "1 BlobShape shape; 2 int32 axis = 0; 3 int32 num_axes = -1")

CASES = (
    ("reshape_param { shape { dim: 0 dim: -1 } }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: 0 dim: 3 dim: -1 dim: 2 } }", (2, 6, 5, 4)),
    ("reshape_param { shape { dim: 0 dim: 0 dim: 15 } }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: -1 dim: 5 dim: 21 } }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: 2 dim: 15 dim: 7 } }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: 4 dim: -1 } axis: 1 }", (3, 12)),
    ("reshape_param { shape { dim: -1 } axis: 1 num_axes: 2 }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: 5 dim: 1 } axis: -3 num_axes: 1 }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: 1 dim: 1 } axis: -1 }", (3, 11)),
    ("reshape_param { shape { dim: 1 } axis: 1 num_axes: 0 }", (2, 7, 5)),
    ("reshape_param { axis: 2 }", (2, 7, 1, 1)),
    ("reshape_param { shape { dim: 0 } }", (3, 1)),
    ("reshape_param { shape { dim: 7 dim: -1 } }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: -1 dim: 3 } }", (2, 7, 5, 3)),
    ("reshape_param { shape { dim: 1 } num_axes: 0 }", (3, 5)),
    ("reshape_param { num_axes: 1 }", (1, 1, 6)),
    ("reshape_param { shape { dim: -1 } num_axes: 2 }", (2, 7, 5, 3)),
    ("reshape_param { }", (1, 1)),
)


def arranged(op: Layer, bottom: Shape, *, dims: list[int]) -> Shape:
    """Return the axes before ``axis``, then ``dims`` (0: as it was, -1: what is left), and the axes behind."""
    p, rank = op.param, len(bottom)
    start = first_axis(op, rank)
    count = rank - start if p.num_axes == -1 else p.num_axes
    if start not in range(rank + 1) or count not in range(rank - start + 1):
        raise op.bad(f"axis {p.axis} with num_axes {p.num_axes} of a bottom with {rank} axes")
    if any(dim < -1 or (dim == 0 and start + i >= rank) for i, dim in enumerate(dims)) or dims.count(-1) > 1:
        raise op.bad(f"dim {dims} on a bottom of shape {bottom}; 0 copies an axis that is there, -1 may stand once")
    sizes = [bottom[start + i] if dim == 0 else dim for i, dim in enumerate(dims)]
    known = prod(bottom[:start]) * prod(size for size in sizes if size > 0) * prod(bottom[start + count :])
    sizes = [prod(bottom) // known if size < 0 else size for size in sizes]
    return (*bottom[:start], *sizes, *bottom[start + count :])


def first_axis(op: Layer, rank: int) -> int:
    """Return the first axis that changes; -1 is the place behind the last, where axes can be added."""
    axis: int = op.param.axis
    return axis if axis >= 0 else axis + rank + 1


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the shape that the file says. Raises when axis 0 would not be the batch."""
    dims = list(op.param.shape.dim)
    top = arranged(op, bottom, dims=dims)
    if prod(top) != prod(bottom):
        raise op.bad(f"dim {dims} makes {top} of a bottom of shape {bottom}, which holds {prod(bottom)} numbers")
    if first_axis(op, len(bottom)) == 0 and (not dims or op.param.num_axes == 0 or top[0] != bottom[0]):
        op.mix(f"makes {top} out of {bottom}; to keep the batch begin with dim: 0, or give axis: 1")
    return (top,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the numbers of each sample in the other shape; whatever the file says of axis 0 stands for the batch."""
    dims = list(op.param.shape.dim)
    if first_axis(op, bottom.ndim) == 0 and not op.fixed:
        dims[0] = 0
    return (bottom.reshape(arranged(op, bottom.shape, dims=dims)),)


def past(op: Layer, before: Layer) -> Layer | None:
    """Return the layer that reads the bottom of a layer that only arranges its numbers, as this one does."""
    return replace(op, bottoms=before.bottoms) if before.type in ("Flatten", "Reshape") else None


@layer(
    "Reshape",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    in_place=False,
    shares_memory=True,
    identity=same_sizes,
    past=past,
)
def reshape(op: Layer, emit: Emit) -> None:
    """Reshape."""
    emit.node("Reshape", (*op.bottoms, emit.sizes(op.tops[0])), op.tops)
