"""Boxes of a single-shot detector from its priors and the offsets that the network finds, in numpy and in ONNX.

A box is xmin, ymin, xmax, ymax, as parts of the image. The names of the codes mislead: CORNER offsets are parts of the
image, CORNER_SIZE ones parts of the prior.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer
from converters.caffe.layers._detections import Limits, integers

CORNER, CENTER_SIZE, CORNER_SIZE = 1, 2, 3

FAR = 1e6
"""Where a box of no size stands while others are suppressed, in images."""


def read_priors(op: Layer, priors: Array) -> tuple[Array, Array]:
    """Return corners and variances of the priors, (priors, 4) float64 each. Raises BadInput for those of no size."""
    corners = priors[0, 0].reshape(-1, 4).astype(np.float64)
    encoded = op.param.variance_encoded_in_target
    variances = np.ones_like(corners) if encoded else priors[0, 1].reshape(-1, 4).astype(np.float64)
    if op.param.code_type != CORNER and not (corners[:, 2:] > corners[:, :2]).all():
        raise op.bad("a prior has no width or no height; only code_type CORNER can do with that")
    return corners, variances


def decode(op: Layer, offsets: Array, priors: Array) -> Array:
    """Return the boxes of offsets (samples, priors, classes, 4), of the same shape."""
    corners, variances = (numbers[:, None] for numbers in read_priors(op, priors))
    size = corners[..., 2:] - corners[..., :2]
    moved = offsets * variances
    if op.param.code_type == CENTER_SIZE:
        centre = (corners[..., :2] + corners[..., 2:]) / 2 + moved[..., :2] * size
        half = np.exp(moved[..., 2:]) * size / 2
        boxes = np.concatenate([centre - half, centre + half], axis=-1)
    elif op.param.code_type == CORNER_SIZE:
        boxes = corners + moved * np.concatenate([size, size], axis=-1)
    else:
        boxes = corners + moved
    return boxes.clip(0, 1) if op.param.clip else boxes


def survivors(boxes: Array, candidates: Array, overlap: float) -> list[int]:
    """Return those candidates, best first, that no better survivor covers by more than ``overlap``.

    Covering is the common part of two boxes over the whole; nothing is common with a box that is turned inside out.
    """
    kept: list[int] = []
    for candidate in candidates.tolist():
        box, others = boxes[candidate], boxes[kept]
        sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
        common = np.where((sides > 0).all(axis=1), sides.prod(axis=1), 0.0)
        whole = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - common
        if not (common[common > 0] / whole[common > 0] > overlap).any():
            kept.append(candidate)
    return kept


def emit_boxes(op: Layer, emit: Emit, priors: Array, limit: Limits) -> str:
    """Add the nodes of `decode`, and one prior more, of -1.

    Returns the boxes' name: (images, priors + 1, 4), or (images * labels, priors + 1, 4) where labels have their own.
    """
    more = emit.constant("nothing", np.array([-1], dtype=np.float32))
    if op.param.share_location:
        sizes = integers(emit, "boxes", 0, limit.priors, 4)
        boxes = _decoded(op, emit, emit.node("Reshape", (op.bottoms[0], sizes)), priors, 3)
        return emit.node("Pad", (boxes, integers(emit, "prior", 0, 0, 0, 0, 1, 0), more))
    sizes = integers(emit, "boxes", 0, limit.priors, limit.classes, 4)
    boxes = _decoded(op, emit, emit.node("Reshape", (op.bottoms[0], sizes)), priors, 4)
    boxes = emit.node("Transpose", (boxes,), perm=(0, 2, 1, 3))
    boxes = emit.node("Pad", (boxes, integers(emit, "prior", 0, 0, 0, 0, 0, limit.labels - limit.classes, 1, 0), more))
    return emit.node("Reshape", (boxes, integers(emit, "each", -1, limit.priors + 1, 4)))


def _decoded(op: Layer, emit: Emit, offsets: str, priors: Array, axes: int) -> str:
    corners, variances = read_priors(op, priors)
    size = corners[:, 2:] - corners[:, :2]

    def constant(what: str, numbers: Array) -> str:
        numbers = numbers[:1] if (numbers == numbers[0]).all() else numbers
        spread = (1, len(numbers), *(1,) * (axes - 3), numbers.shape[1])
        return emit.constant(what, numbers.astype(np.float32).reshape(spread))

    if op.param.code_type == CENTER_SIZE:
        factors = np.concatenate([variances[:, :2] * size, variances[:, 2:]], axis=1)
        first, last = _halves(emit, emit.node("Mul", (offsets, constant("factors", factors))), axes)
        centre = emit.node("Add", (first, constant("centres", (corners[:, :2] + corners[:, 2:]) / 2)))
        half = emit.node("Mul", (emit.node("Exp", (last,)), constant("halves", size / 2)))
        ends = emit.node("Sub", (centre, half)), emit.node("Add", (centre, half))
        boxes = emit.node("Concat", ends, axis=axes - 1)
    else:
        factors = variances * np.concatenate([size, size], axis=1) if op.param.code_type == CORNER_SIZE else variances
        moved = offsets if (factors == 1).all() else emit.node("Mul", (offsets, constant("factors", factors)))
        boxes = emit.node("Add", (moved, constant("priors", corners)))
    if op.param.clip:
        boxes = emit.node(
            "Clip",
            (
                boxes,
                emit.constant("zero", np.array(0, dtype=np.float32)),
                emit.constant("one", np.array(1, dtype=np.float32)),
            ),
        )
    return boxes


def _halves(emit: Emit, boxes: str, axes: int) -> tuple[str, str]:
    """Add what cuts the last axis, of 4 numbers, in two; returns the names of both halves."""
    start, middle, end, axis = (integers(emit, "ends", number) for number in (0, 2, 4, axes - 1))
    return emit.node("Slice", (boxes, start, middle, axis)), emit.node("Slice", (boxes, middle, end, axis))


def put_away(op: Layer, emit: Emit, boxes: str, limit: Limits) -> str:
    """Add what moves boxes of no size, (samples, priors, 4), to where they touch nothing; returns the tensor's name.

    In Caffe a box that is turned inside out suppresses nothing and nothing suppresses it; ONNX would turn it back. To
    OpenCV two boxes of no size are the same.
    """
    if op.param.code_type == CENTER_SIZE and not op.param.clip:
        return boxes
    first, last = _halves(emit, boxes, 3)
    smaller = emit.node("ReduceMin", (emit.node("Sub", (last, first)),), axes=[2], keepdims=1)
    empty = emit.node("LessOrEqual", (smaller, emit.constant("none", np.array([0], dtype=np.float32))))
    places = FAR + 2 * np.arange(limit.priors + 1)[None, :, None] + np.array([0, 0, 1, 1])
    return emit.node("Where", (empty, emit.constant("far", places.astype(np.float32)), boxes))
