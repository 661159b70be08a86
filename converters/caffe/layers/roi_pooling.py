"""ROIPooling, a layer of Caffe's forks (Fast R-CNN): the largest number in each part of regions of the image.

Bottom 1 holds the regions, (R, 5): sample, left, top, right, bottom. Scaled and rounded (halves away from zero) the
right and bottom ends belong to the region. Parts overlap by up to a pixel, and one with no pixel of the image is 0.
"""

from __future__ import annotations

from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer, samples_of
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "roi_pooling_param",
    8266711,
    None,
    "1 uint32 pooled_h = 0; 2 uint32 pooled_w = 0; 3 float spatial_scale = 1",
)

JUDGE = "OpenCV 4"
CASES = (
    ("roi_pooling_param { pooled_h: 3 pooled_w: 2 }", ((2, 3, 13, 11), (7, 5))),
    ("roi_pooling_param { pooled_h: 3 pooled_w: 4 spatial_scale: 0.0625 }", ((2, 3, 13, 11), (7, 5))),
    ("roi_pooling_param { pooled_h: 7 pooled_w: 6 spatial_scale: 0.25 }", ((1, 3, 5, 4), (6, 5, 1, 1))),
)
GAPS = tuple(("opencv", version, "", "has no MaxRoiPool") for version in ("4", "5"))


def shape(op: Layer, bottom: Shape, regions: Shape) -> tuple[Shape]:
    """Return (R, C, pooled_h, pooled_w)."""
    p = op.param
    if len(bottom) != 4 or prod(regions[1:]) != 5:
        raise op.bad(f"bottoms of shape {bottom} and {regions}; they need 4 axes, and 5 numbers a region")
    if p.pooled_h < 1 or p.pooled_w < 1:
        raise op.bad("pooled_h or pooled_w is missing or 0")
    return ((regions[0], bottom[1], p.pooled_h, p.pooled_w),)


def regions_of(op: Layer, index: int, generator: np.random.Generator, shape: Shape) -> Array | None:
    """Return regions of sample 0: most within an image of 160 pixels, some empty or partly outside."""
    if index != 1:
        return None
    ends = generator.integers(-20, 160, (shape[0], 4)) / op.param.spatial_scale / 16
    ends[1::2] = np.sort(ends[1::2].reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    return np.asarray(np.insert(ends, 0, 0, axis=1).reshape(shape), dtype=np.float32)


def spans(start: Array, end: Array, parts: int, size: int) -> tuple[Array, Array]:
    """Return where each part of each region begins and ends along an axis: int (R, parts) each, in single precision."""
    length = (np.maximum(end - start + 1, 1) / np.float32(parts)).astype(np.float32)[:, None]
    first, last = (np.arange(parts, dtype=np.float32) * length, np.arange(1, parts + 1, dtype=np.float32) * length)
    begins = np.clip(np.floor(first) + start[:, None], 0, size)
    return begins.astype(int), np.clip(np.ceil(last) + start[:, None], 0, size).astype(int)


def reference(op: Layer, bottom: Array, regions: Array) -> tuple[Array]:
    """Return the largest number of each part."""
    p = op.param
    rows = regions.reshape(-1, 5)
    scaled = (rows[:, 1:].astype(np.float32) * np.float32(p.spatial_scale)).astype(np.float32)
    left, upper, right, lower = (np.trunc(scaled + np.copysign(np.float32(0.5), scaled))).T
    tops = np.zeros((len(rows), bottom.shape[1], p.pooled_h, p.pooled_w))
    high = spans(upper, lower, p.pooled_h, bottom.shape[2])
    wide = spans(left, right, p.pooled_w, bottom.shape[3])
    for r, h, w in np.ndindex(len(rows), p.pooled_h, p.pooled_w):
        part = bottom[int(rows[r, 0]), :, high[0][r, h] : high[1][r, h], wide[0][r, w] : wide[1][r, w]]
        if part.size:
            tops[r, :, h, w] = part.max(axis=(1, 2))
    return (tops,)


@layer(
    "ROIPooling",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    bottoms=2,
    samples=samples_of(1),
    holds=regions_of,
    in_place=False,
)
def roi_pooling(op: Layer, emit: Emit) -> None:
    """MaxRoiPool, which has Caffe's rules."""
    p, (bottom, regions) = op.param, op.bottoms
    if len(emit.shapes[regions]) > 2:
        regions = emit.node("Reshape", (regions, emit.arrange(regions, 5)))
    window = (p.pooled_h, p.pooled_w)
    emit.node("MaxRoiPool", (bottom, regions), op.tops, pooled_shape=window, spatial_scale=p.spatial_scale)
