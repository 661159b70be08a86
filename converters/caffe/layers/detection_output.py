"""DetectionOutput (of the SSD fork): boxes from priors and offsets, the best of them as rows, by NonMaxSuppression.

The rows are Caffe-SSD's, (1, 1, rows, 7): image, label, score, xmin, ymin, xmax, ymax, ordered by image, label and
falling score. When no image of a batch has any, there is one row an image, -1 but for the image. OpenCV's own layer
orders an image's rows by score alone and adds zeros up to ``keep_top_k`` rows; ``clip`` and ``normalized_bbox`` are its
fields.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, Symbols, layer, same_samples
from converters.caffe.layers._boxes import decode, emit_boxes, put_away, survivors
from converters.caffe.layers._detections import LOWEST, Limits, emit_rows, emit_scores
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "detection_output_param",
    204,
    None,
    """
    1 uint32 num_classes; 2 bool share_location = true; 3 int32 background_label_id = 0
    4 NonMaximumSuppressionParameter nms_param; 5 SaveOutputParameter save_output_param; 6 BoxCode code_type = CORNER
    7 int32 keep_top_k = -1; 8 bool variance_encoded_in_target = false; 9 float confidence_threshold
    10 bool visualize; 11 float visualize_threshold; 12 string save_file; 1000 bool clip
    1001 bool normalized_bbox = true
    """,
    {
        "BoxCode": "CORNER=1 CENTER_SIZE CORNER_SIZE",
        "ResizeMode": "WARP=1 FIT_SMALL_SIZE FIT_LARGE_SIZE_AND_PAD",
        "PadMode": "CONSTANT=1 MIRRORED REPEAT_NEAREST",
        "InterpMode": "LINEAR=1 AREA NEAREST CUBIC LANCZOS4",
    },
    {
        "NonMaximumSuppressionParameter": "1 float nms_threshold = 0.3; 2 int32 top_k; 3 float eta = 1",
        "SaveOutputParameter": """
            1 string output_directory; 2 string output_name_prefix; 3 string output_format; 4 string label_map_file
            5 string name_size_file; 6 uint32 num_test_image; 7 ResizeParameter resize_param
        """,
        "ResizeParameter": """
            1 float prob; 2 ResizeMode resize_mode; 3 uint32 height; 4 uint32 width; 5 PadMode pad_mode
            6 float* pad_value; 7 InterpMode* interp_mode; 8 uint32 height_scale; 9 uint32 width_scale
        """,
    },
)

JUDGE = "OpenCV 4"
CASES = ()
"""The rows of its top are no batch, so it has tests of its own."""


def limits(op: Layer, priors: int) -> Limits:
    """Return the limits of a layer, none larger than what there is. Raises on what Caffe refuses and what we cannot."""
    p, nms = op.param, op.param.nms_param
    if not p.num_classes:
        raise op.bad("needs num_classes")
    if not nms.nms_threshold >= 0 or not 0 < nms.eta <= 1:
        raise op.bad(f"nms_threshold {nms.nms_threshold}, eta {nms.eta}; the first is 0 or more, eta above 0 up to 1")
    if nms.eta < 1:
        raise op.unsupported(f"eta {nms.eta}", "eta 1 is, where the threshold stays as it is")
    if not p.normalized_bbox:
        raise op.unsupported("normalized_bbox: false", "boxes as parts of the image are")
    if p.keep_top_k == 0 or (nms.HasField("top_k") and nms.top_k == 0):
        raise op.unsupported("top_k 0 or keep_top_k 0, by which nothing is kept", "-1 keeps all")
    background = p.background_label_id if 0 <= p.background_label_id < p.num_classes else None
    if background is not None and p.num_classes == 1:
        raise op.unsupported("num_classes 1 with that one the background", "there is nothing to be found")
    candidates = min(nms.top_k, priors) if nms.top_k > 0 else priors
    most = (p.num_classes - (background is not None)) * candidates
    return Limits(
        classes=p.num_classes,
        priors=priors,
        background=background,
        candidates=candidates,
        kept=min(p.keep_top_k, most) if p.keep_top_k > 0 else most,
        overlap=min(nms.nms_threshold, 1.0),
        threshold=max(p.confidence_threshold, LOWEST) if p.HasField("confidence_threshold") else LOWEST,
    )


def shape(op: Layer, offsets: Shape, scores: Shape, priors: Shape, *shown: Shape) -> tuple[Shape]:
    """Return (1, 1, 1, 7): how many rows there are depends on the numbers. A fourth bottom is only for pictures."""
    channels = 1 if op.param.variance_encoded_in_target else 2
    if len(priors) < 3 or priors[0] != 1 or priors[1] < channels or priors[2] % 4 or prod(priors[3:]) != 1:
        raise op.bad(f"bottom {op.bottoms[2]!r} has the shape {priors}; priors have (1, {channels}, 4 numbers a box)")
    count = priors[2] // 4
    classes = limits(op, count).classes
    boxes = 1 if op.param.share_location else classes
    for index, bottom, wanted in ((0, offsets, count * boxes * 4), (1, scores, count * classes)):
        if bottom[0] != offsets[0] or bottom[1:2] != (wanted,) or prod(bottom[2:]) != 1:
            known = f"{count} priors and {classes} classes need ({offsets[0]}, {wanted})"
            raise op.bad(f"bottom {op.bottoms[index]!r} has the shape {bottom}; {known}")
    return ((1, 1, 1, 7),)


def samples(op: Layer, offsets: Symbols, scores: Symbols, *rest: Symbols) -> Symbols:
    """Return that the number of rows is free, whatever the batch is."""
    same_samples(replace(op, bottoms=op.bottoms[:2]), offsets, scores)
    return {2: f"{op.tops[0]}_rows"}


def reference(op: Layer, offsets: Array, scores: Array, priors: Array, *shown: Array) -> tuple[Array]:
    """Return the rows, found one class after the other as Caffe does."""
    limit = limits(op, priors.shape[2] // 4)
    boxes = decode(op, offsets.reshape(len(offsets), limit.priors, -1, 4), priors)
    found: list[tuple[float, ...]] = []
    for image, sure in enumerate(scores.reshape(len(scores), limit.priors, limit.classes)):
        rows: list[tuple[float, ...]] = []
        for label in range(limit.classes):
            if label != limit.background:
                own, score = boxes[image, :, 0 if op.param.share_location else label], sure[:, label]
                candidates = np.argsort(-score, kind="stable")[: limit.candidates]
                candidates = candidates[score[candidates] > limit.threshold]
                best = survivors(own, candidates, limit.overlap)
                rows += [(image, label, score[prior], *own[prior]) for prior in best]
        rows = sorted(rows, key=lambda row: -row[2])[: limit.kept]
        found += sorted(rows, key=lambda row: row[1])
    none = [(image, *(-1,) * 6) for image in range(len(scores))]
    return (np.array(found or none, dtype=np.float64)[None, None],)


@layer(
    "DetectionOutput",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    bottoms=(3, 4),
    in_place=False,
    samples=samples,
)
def detection_output(op: Layer, emit: Emit) -> None:
    """NonMaxSuppression, and a row for each box that is left."""
    if op.bottoms[2] not in emit.constants:
        raise op.unsupported("priors that follow from an input", "priors of PriorBox layers are")
    priors = emit.constants[op.bottoms[2]]
    limit = limits(op, priors.shape[2] // 4)
    boxes = emit_boxes(op, emit, priors, limit)
    apart = put_away(op, emit, boxes, limit)
    scores = emit_scores(emit, op.bottoms[1], limit)
    emit_rows(emit, op.tops[0], boxes, apart, scores, limit, shared=op.param.share_location)
