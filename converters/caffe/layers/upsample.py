"""Upsample, two layers of Caffe's forks: with one bottom (YOLO 3) each pixel becomes a square; SegNet's has a mask too.

The mask, of a Pooling layer, says where in its plane of the top each number goes; all else is 0. Of two numbers for one
place the later one stays. Without ``scale`` SegNet's factor is 2, YOLO's 1.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "upsample_param",
    None,
    None,
    """
    1 uint32 scale; 2 uint32 scale_h; 3 uint32 scale_w; 4 bool pad_out_h = false; 5 bool pad_out_w = false
    6 uint32 upsample_h; 7 uint32 upsample_w
    """,
)

PAIR = ((2, 3, 5, 4),) * 2
JUDGE = "numpy"
CASES = (
    ("upsample_param { scale: 2 }", (2, 7, 5, 3)),
    ("upsample_param { scale: 3 }", (2, 3, 4, 5)),
    ("", (2, 7, 5, 3)),
    ("upsample_param { scale: 2 }", PAIR),
    ("", PAIR),
    ("upsample_param { scale: 2 pad_out_h: true }", PAIR),
    ("upsample_param { scale_h: 2 scale_w: 3 pad_out_w: false }", PAIR),
    ("upsample_param { upsample_h: 11 upsample_w: 7 }", PAIR),
)


def factors(op: Layer) -> tuple[int, int]:
    """Return how many times as high and wide the top is, before pad_out_h and pad_out_w take a pixel away."""
    p = op.param
    apart = p.HasField("scale_h"), p.HasField("scale_w")
    if any(apart) and (p.HasField("scale") or not all(apart)):
        raise op.bad("give scale, or scale_h and scale_w, not both")
    scale = p.scale if p.HasField("scale") else len(op.bottoms)
    high, wide = (p.scale_h, p.scale_w) if all(apart) else (scale, scale)
    if min(high, wide) < len(op.bottoms):
        raise op.bad(f"scale {high} by {wide}; it is at least {len(op.bottoms)}")
    if (p.pad_out_h and high != 2) or (p.pad_out_w and wide != 2):
        raise op.bad(f"pad_out_h or pad_out_w with scale {high} by {wide}; they go with 2 only")
    return high, wide


def shape(op: Layer, bottom: Shape, *mask: Shape) -> tuple[Shape]:
    """Return the bottom's samples and channels, and the new height and width."""
    p = op.param
    if len(bottom) != 4 or any(blob != bottom for blob in mask):
        raise op.bad(f"bottoms of shape {bottom} {mask}; each needs the same 4 axes")
    if not mask and {field.name for field, _ in p.ListFields()} - {"scale"}:
        raise op.unsupported("a field other than scale with one bottom", "a mask as second bottom goes with them")
    sized = p.HasField("upsample_h"), p.HasField("upsample_w")
    if all(sized):
        plane = (p.upsample_h, p.upsample_w)
        if min(plane) < 2:
            raise op.bad(f"upsample_h {plane[0]} and upsample_w {plane[1]}; they are at least 2")
    elif any(sized):
        raise op.bad("give both upsample_h and upsample_w")
    else:
        high, wide = factors(op)
        plane = (bottom[2] * high - p.pad_out_h, bottom[3] * wide - p.pad_out_w)
    return ((*bottom[:2], *plane),)


def places(op: Layer, index: int, generator: np.random.Generator, shape_of: Shape) -> Array | None:
    """Return a mask for the second bottom: places in the top's plane, none of them twice."""
    if index != 1:
        return None
    ((samples, channels, high, wide),) = shape(op, shape_of, shape_of)
    planes = [generator.permutation(high * wide) for _ in range(samples * channels)]
    return np.stack(planes)[:, : shape_of[2] * shape_of[3]].reshape(shape_of).astype(np.float32)


def reference(op: Layer, bottom: Array, *mask: Array) -> tuple[Array]:
    """Return each pixel as a square, or at its place."""
    (top,) = shape(op, bottom.shape, *(blob.shape for blob in mask))
    if not mask:
        return (bottom.repeat(top[2] // bottom.shape[2], axis=2).repeat(top[3] // bottom.shape[3], axis=3),)
    planes = np.zeros((top[0] * top[1], top[2] * top[3]))
    index = mask[0].reshape(len(planes), -1).astype(int)
    if index.min() < 0 or index.max() >= planes.shape[1]:
        raise op.bad(f"the mask points outside the top of {top[2]} by {top[3]} pixels")
    for plane, numbers, to in zip(planes, bottom.reshape(len(planes), -1), index, strict=True):
        plane[to] = numbers
    return (planes.reshape(top),)


@layer(
    "Upsample",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    bottoms=(1, 2),
    holds=places,
    identity=lambda op, bottom, top: len(op.bottoms) == 1 and bottom == top,
    in_place=False,
)
def upsample(op: Layer, emit: Emit) -> None:
    """Resize to the nearest pixel; with a mask ScatterElements into planes of zeros, which are made of the mask."""
    top = emit.shapes[op.tops[0]]
    if len(op.bottoms) == 1:
        scales = emit.constant("factors", np.array([1, 1, *factors(op)], dtype=np.float32))
        words = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        emit.node("Resize", (*op.bottoms, "", scales), op.tops, **words)
        return
    rows = emit.rows(op.bottoms[0], 2)
    numbers, mask = (emit.node("Reshape", (bottom, rows)) for bottom in op.bottoms)
    ends = (("starts", 0), ("ends", 1), ("axes", 2))
    first = emit.node("Slice", (mask, *(emit.constant(name, np.array([end], dtype=np.int64)) for name, end in ends)))
    zeros = emit.node("Mul", (first, emit.constant("zeros", np.zeros((1, 1, top[2] * top[3]), dtype=np.float32))))
    index = emit.node("Cast", (mask,), to=7)  # int64
    planes = emit.node("ScatterElements", (zeros, index, numbers), axis=2)
    emit.node("Reshape", (planes, emit.sizes(op.tops[0])), op.tops)
