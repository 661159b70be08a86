"""Interp, a layer of Caffe's forks (DeepLab, PSPNet): the image at another size, bilinear, its corners kept.

A negative pad crops the image first; more than 0 is refused, as in Caffe. ``zoom_factor`` leaves the last pixel where
it was: 5 pixels zoomed by 2 are 9. A second bottom gives its height and width.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer, samples_of
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "interp_param",
    None,
    None,
    """
    1 int32 height = 0; 2 int32 width = 0; 3 int32 zoom_factor = 1; 4 int32 shrink_factor = 1; 5 int32 pad_beg = 0
    6 int32 pad_end = 0
    """,
)

JUDGE = "OpenCV 4"
CASES = (
    ("interp_param { height: 9 width: 13 }", (2, 7, 5, 3)),
    ("interp_param { height: 4 width: 6 }", (2, 3, 11, 7)),
    ("interp_param { height: 1 width: 8 }", (2, 3, 5, 7)),
    ("interp_param { height: 4 width: 3 }", (2, 7, 1, 1)),
    ("interp_param { height: 5 width: 7 }", (2, 3, 5, 7)),
    ("interp_param { zoom_factor: 2 }", (2, 7, 5, 3)),
    ("interp_param { shrink_factor: 3 }", (2, 3, 8, 11)),
    ("interp_param { shrink_factor: 2 zoom_factor: 3 }", (2, 3, 8, 11)),
    ("interp_param { zoom_factor: 2 pad_beg: -1 pad_end: -2 }", (2, 3, 8, 11)),
    ("interp_param { height: 9 width: 4 pad_end: -1 }", (2, 3, 8, 11)),
    ("", ((2, 3, 5, 7), (2, 4, 9, 6))),
)


def cropped(op: Layer, bottom: Shape) -> Shape:
    """Return height and width of what is left of the image. Raises for a pad above 0."""
    p = op.param
    if p.pad_beg > 0 or p.pad_end > 0:
        raise op.bad(f"pad_beg {p.pad_beg} and pad_end {p.pad_end}; they crop, so none is above 0")
    return tuple(size + p.pad_beg + p.pad_end for size in bottom[2:])


def shape(op: Layer, bottom: Shape, *like: Shape) -> tuple[Shape]:
    """Return the bottom's samples and channels, and the new height and width."""
    p = op.param
    if any(len(blob) != 4 for blob in (bottom, *like)):
        raise op.bad(f"bottoms of shape {bottom} {like}; each needs 4 axes")
    if p.shrink_factor < 1 or p.zoom_factor < 1:
        raise op.bad(f"shrink_factor {p.shrink_factor} and zoom_factor {p.zoom_factor}; they are 1 or more")
    plane = cropped(op, bottom)
    if min(plane) < 1:
        raise op.bad(f"pad_beg {p.pad_beg} and pad_end {p.pad_end} leave nothing of a bottom of shape {bottom}")
    sized, shrunk, zoomed = (p.HasField("height") and p.HasField("width")), *map(p.HasField, FACTORS)
    if shrunk != zoomed or (shrunk and not sized):
        plane = tuple((size - 1) // p.shrink_factor * p.zoom_factor + 1 for size in plane)
    elif sized:
        plane = (p.height, p.width)
    elif like:
        plane = like[0][2:]
    else:
        raise op.bad("give height and width, zoom_factor, shrink_factor, or a second bottom")
    return ((*bottom[:2], *plane),)


FACTORS = ("shrink_factor", "zoom_factor")


def along(image: Array, axis: int, count: int) -> Array:
    """Return an image with another size along an axis."""
    size = image.shape[axis]
    places = np.arange(count) * ((size - 1) / (count - 1) if count > 1 else 0.0)
    first = np.minimum(places.astype(int), size - 1)
    part = (places - first).reshape(-1, *(1,) * (image.ndim - axis - 1))
    second = np.minimum(first + 1, size - 1)
    return np.asarray(image.take(first, axis) * (1 - part) + image.take(second, axis) * part)


def reference(op: Layer, bottom: Array, *like: Array) -> tuple[Array]:
    """Return the image, first cropped, at its new size."""
    (top,) = shape(op, bottom.shape, *(blob.shape for blob in like))
    high, wide = cropped(op, bottom.shape)
    start = -op.param.pad_beg
    image = bottom[:, :, start : start + high, start : start + wide]
    return (along(along(image, 2, top[2]), 3, top[3]),)


@layer(
    "Interp",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    bottoms=(1, 2),
    samples=samples_of(0),
    only_shape=(1,),
    identity=lambda op, bottom, top: cropped(op, bottom) == bottom[2:] == top[2:],
    in_place=False,
)
def interp(op: Layer, emit: Emit) -> None:
    """Slice for the crop, and Resize with aligned corners.

    Its sizes would have to name the batch, so factors stand there: half a pixel more keeps them from being rounded off.
    """
    p, image = op.param, op.bottoms[0]
    plane, top = cropped(op, emit.shapes[image]), emit.shapes[op.tops[0]][2:]
    if p.pad_beg or p.pad_end:
        ends = [[-p.pad_beg] * 2, [size - p.pad_beg for size in plane], [2, 3]]
        names = ("starts", "ends", "axes")
        values = [emit.constant(name, np.array(end, dtype=np.int64)) for name, end in zip(names, ends, strict=True)]
        image = emit.node("Slice", (image, *values))
    factors = [1, 1, *((count + 0.5) / size for count, size in zip(top, plane, strict=True))]
    scales = emit.constant("factors", np.array(factors, dtype=np.float32))
    words = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    emit.node("Resize", (image, "", scales), op.tops, **words)
