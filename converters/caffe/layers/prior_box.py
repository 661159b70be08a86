"""PriorBox (of the SSD fork): the boxes that a detector starts from, a constant.

Caffe cuts ``min_size`` and ``max_size`` to whole pixels (35.84 is 35), which OpenCV does not.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "prior_box_param",
    203,
    None,
    """
    1 float* min_size; 2 float* max_size; 3 float* aspect_ratio; 4 bool flip = true; 5 bool clip = false
    6 float* variance; 7 uint32 img_size; 8 uint32 img_h; 9 uint32 img_w; 10 float step; 11 float step_h
    12 float step_w; 13 float offset = 0.5
    """,
)

JUDGE = "OpenCV 4"
CASES = ()
"""Its top has no batch, so it has tests of its own."""

SAME = 1e-6
"""Aspect ratios as near as this are one."""

MOST = 1000
"""More sizes or ratios than this are a mistake."""


def shape(op: Layer, bottom: Shape, image: Shape) -> tuple[Shape]:
    """Return (1, 2, 4 numbers a box): the boxes, and their variances. ``image`` is what the net reads."""
    if len(bottom) != 4 or len(image) != 4:
        raise op.bad(f"bottoms of shape {bottom} and {image}; both need 4 axes")
    image_size(op, image)
    steps(op, bottom, image)
    variances(op)
    return ((1, 2, bottom[2] * bottom[3] * boxes_a_place(op) * 4),)


def boxes_a_place(op: Layer) -> int:
    """Return how many boxes share a centre. Raises BadInput for sizes that Caffe refuses."""
    smallest, largest = op.param.min_size, op.param.max_size
    if not 1 <= len(smallest) <= MOST or len(op.param.aspect_ratio) > MOST:
        raise op.bad(f"{len(smallest)} min_size and {len(op.param.aspect_ratio)} aspect_ratio; give 1 to {MOST} sizes")
    if not all(0 < size < 2**31 for size in (*smallest, *largest)):
        raise op.bad(f"min_size {list(smallest)}, max_size {list(largest)}; sizes are above 0")
    if largest and (len(largest) != len(smallest) or any(b <= a for a, b in zip(smallest, largest, strict=True))):
        raise op.bad(f"max_size {list(largest)} for min_size {list(smallest)}; give one for each, larger than that")
    return len(ratios(op)) * len(smallest) + len(largest)


def ratios(op: Layer) -> list[float]:
    """Return width over height of the boxes: 1 first, then those of the file, each only once."""
    found = [1.0]
    for ratio in op.param.aspect_ratio:
        if not ratio > 0:
            raise op.unsupported(f"aspect_ratio {ratio}", "ratios above 0 are")
        if all(abs(ratio - other) >= SAME for other in found):
            found += [ratio, 1 / ratio] if op.param.flip else [ratio]
    return found


def image_size(op: Layer, image: Shape) -> tuple[int, int]:
    """Return height and width of the image: those of the file, else those of the second bottom."""
    p = op.param
    if p.HasField("img_h") or p.HasField("img_w"):
        if p.HasField("img_size") or not p.img_h or not p.img_w:
            raise op.bad("give img_size, or img_h and img_w, above 0")
        return p.img_h, p.img_w
    if p.HasField("img_size") and not p.img_size:
        raise op.bad("img_size 0; it must be above 0")
    return (p.img_size, p.img_size) if p.img_size else (image[2], image[3])


def steps(op: Layer, bottom: Shape, image: Shape) -> tuple[float, float]:
    """Return how far apart the centres are, down and across, in pixels of the image."""
    p = op.param
    if p.HasField("step_h") or p.HasField("step_w"):
        if p.HasField("step") or not p.step_h > 0 or not p.step_w > 0:
            raise op.bad("give step, or step_h and step_w, above 0")
        return p.step_h, p.step_w
    if p.HasField("step") and not p.step > 0:
        raise op.bad(f"step {p.step}; it must be above 0")
    height, width = image_size(op, image)
    return (p.step, p.step) if p.step else (height / bottom[2], width / bottom[3])


def variances(op: Layer) -> list[float]:
    """Return the four variances of every box."""
    given = list(op.param.variance) or [0.1]
    if len(given) not in (1, 4) or not min(given) > 0:
        raise op.bad(f"variance {given}; give one or four, above 0")
    return given * 4 if len(given) == 1 else given


def sizes(op: Layer) -> Array:
    """Return width and height of the boxes of one place, in pixels, (boxes, 2) float64."""
    found = []
    for index, smallest in enumerate(np.trunc(op.param.min_size)):
        found.append((smallest, smallest))
        if op.param.max_size:
            found.append((np.sqrt(smallest * np.trunc(op.param.max_size[index])),) * 2)
        found += [(smallest * np.sqrt(ratio), smallest / np.sqrt(ratio)) for ratio in ratios(op)[1:]]
    return np.array(found, dtype=np.float64)


def reference(op: Layer, bottom: Array, image: Array) -> tuple[Array]:
    """Return the corners (xmin, ymin, xmax, ymax) of the boxes as parts of the image, row by row, and the variances."""
    height, width = image_size(op, image.shape)
    down, across = steps(op, bottom.shape, image.shape)
    x = (np.arange(bottom.shape[3]) + op.param.offset) * across
    y = (np.arange(bottom.shape[2]) + op.param.offset) * down
    centres = np.stack(np.meshgrid(x, y), axis=-1)[:, :, None]
    corners = np.concatenate([centres - sizes(op) / 2, centres + sizes(op) / 2], axis=-1)
    corners /= [width, height, width, height]
    if op.param.clip:
        corners = corners.clip(0, 1)
    return (np.stack([corners.ravel(), np.resize(variances(op), corners.size)])[None],)


@layer("PriorBox", shape=shape, reference=reference, parameter=PARAMETER, bottoms=2, in_place=False, constant=True)
def prior_box(op: Layer, emit: Emit) -> None:
    """Never comes here: a constant."""
    raise AssertionError(op.where)
