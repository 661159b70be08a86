"""Crop: the bottom cut from ``axis`` on to the size of a second bottom, of which no number is read."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer, same_sizes, samples_of
from converters.caffe.messages import Parameter

PARAMETER = Parameter("crop_param", 144, None, "1 int32 axis = 2; 2 uint32* offset")

CASES = (
    ("", ((2, 7, 5, 9), (2, 4, 3, 6))),
    ("crop_param { offset: 2 }", ((2, 7, 5, 9), (2, 4, 3, 6))),
    ("crop_param { offset: 1 offset: 3 }", ((2, 7, 5, 9), (2, 4, 3, 6))),
    ("crop_param { axis: 1 offset: [3, 0, 2] }", ((2, 7, 5, 9), (2, 4, 5, 6))),
    ("crop_param { axis: -1 offset: 4 }", ((2, 7, 5, 9), (2, 4, 3, 5))),
    ("crop_param { axis: 1 offset: 5 }", ((3, 11), (3, 6))),
    ("crop_param { axis: 1 }", ((3, 7, 5), (3, 7, 5))),
    ("crop_param { axis: 2 offset: 1 }", ((2, 7, 5, 9), (4, 3, 2, 8, 6))),
    ("crop_param { axis: 0 offset: [1, 2, 0, 3] }", ((3, 7, 5, 9), (2, 4, 5, 6))),
)


def starts(op: Layer, bottom: Shape) -> dict[int, int]:
    """Return where each axis that is cut begins, by axis."""
    axis, given = canonical_axis(op, op.param.axis, len(bottom)), list(op.param.offset)
    axes = range(axis, len(bottom))
    if len(given) > 1 and len(given) != len(axes):
        raise op.bad(f"{len(given)} offset for {len(axes)} axes from axis {axis} on; give none, one, or one each")
    offsets = given if len(given) > 1 else (given or [0]) * len(axes)
    return dict(zip(axes, offsets, strict=True))


def shape(op: Layer, bottom: Shape, size: Shape) -> tuple[Shape]:
    """Return the bottom's axes before ``axis``, then those of the second bottom."""
    top = list(bottom)
    for axis, start in starts(op, bottom).items():
        if axis >= len(size):
            raise op.bad(f"bottom {op.bottoms[1]!r} has the shape {size}; it needs an axis {axis} as well")
        if start + size[axis] > bottom[axis]:
            wanted = f"{size[axis]} numbers from {start} on along axis {axis}"
            raise op.bad(f"cuts {wanted} out of a bottom of shape {bottom}; offset or the second bottom is too large")
        top[axis] = size[axis]
    return (tuple(top),)


def reference(op: Layer, bottom: Array, size: Array) -> tuple[Array]:
    """Return the part."""
    parts = [slice(None)] * bottom.ndim
    for axis, start in starts(op, bottom.shape).items():
        parts[axis] = slice(start, start + size.shape[axis])
    return (bottom[tuple(parts)],)


@layer(
    "Crop",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    bottoms=2,
    samples=samples_of(0),
    in_place=False,
    only_shape=(1,),
    identity=same_sizes,
)
def crop(op: Layer, emit: Emit) -> None:
    """Slice, of the axes that become shorter."""
    bottom, top = emit.shapes[op.bottoms[0]], emit.shapes[op.tops[0]]
    cut = [(axis, start) for axis, start in starts(op, bottom).items() if top[axis] < bottom[axis]]
    rows = {
        "starts": [start for _, start in cut],
        "ends": [start + top[axis] for axis, start in cut],
        "axes": [axis for axis, _ in cut],
    }
    constants = [emit.constant(name, np.array(row, dtype=np.int64)) for name, row in rows.items()]
    emit.node("Slice", (op.bottoms[0], *constants), op.tops)
