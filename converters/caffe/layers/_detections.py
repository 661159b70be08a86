"""The best of many boxes in ONNX: which are kept, by NonMaxSuppression, and a row for each.

There is one prior more than the network has, of -1, and a label that is never asked for: the background's, or one
behind the last. Where no image of a batch shows anything, that prior of that label is found in each of them: its row is
the one that Caffe-SSD gives then, and no tensor is ever empty, which OpenCV 5 would not survive. It also compares
tensors wrongly whose length changes from run to run: behind NonMaxSuppression all is looked up, nothing computed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from converters.caffe.emit import Emit

LOWEST = float(np.finfo(np.float32).min)


class Limits(NamedTuple):
    """What is kept.

    In each class the ``candidates`` of the highest scores, above ``threshold``, that no better one covers by more than
    ``overlap``; of those the best ``kept`` of each image. ``background`` is a class left out, None for none.
    """

    classes: int
    priors: int
    background: int | None
    candidates: int
    kept: int
    overlap: float
    threshold: float

    @property
    def labels(self) -> int:
        """How many labels there are with the one that is never asked for."""
        return self.classes + (self.background is None)

    @property
    def spare(self) -> int:
        """The label that is never asked for."""
        return self.classes if self.background is None else self.background


def integers(emit: Emit, what: str, *numbers: int) -> str:
    """Add a constant of whole numbers; returns its name."""
    return emit.constant(what, np.array(numbers, dtype=np.int64))


def number(emit: Emit, what: str, value: float) -> str:
    """Add a constant of one number; returns its name."""
    return emit.constant(what, np.array([value], dtype=np.float32))


def emit_scores(emit: Emit, scores: str, limit: Limits) -> str:
    """Add the scores of the candidates, (images, labels, priors + 1), all others the lowest number."""
    scores = emit.node("Reshape", (scores, integers(emit, "scores", 0, limit.priors, limit.classes)))
    scores = emit.node("Transpose", (scores,), perm=(0, 2, 1))
    if limit.labels > limit.classes:
        scores = emit.node("Pad", (scores, integers(emit, "label", 0, 0, 0, 0, 1, 0)))
    least, most = number(emit, "lowest", LOWEST), number(emit, "highest", -LOWEST)
    spare = emit.constant("spare", np.arange(limit.labels)[:, None] == limit.spare)
    scores = emit.node("Where", (spare, least, scores))
    best = emit.node("ReduceMax", (scores,), keepdims=1)
    nothing = emit.node("LessOrEqual", (best, number(emit, "threshold", limit.threshold)))
    if limit.candidates < limit.priors:
        scores = emit_highest(emit, scores, limit.candidates, 2)
    scores = emit.node("Pad", (scores, integers(emit, "prior", 0, 0, 0, 0, 0, 1), least))
    found = emit.node("Where", (nothing, most, least))
    row = emit.node("Where", (last_prior(emit, limit), found, least))
    return emit.node("Where", (spare, row, scores))


def last_prior(emit: Emit, limit: Limits) -> str:
    """Add which prior is the one too many; returns the constant's name."""
    return emit.constant("last_prior", np.arange(limit.priors + 1) == limit.priors)


def emit_highest(emit: Emit, numbers: str, count: int, axis: int) -> str:
    """Add the highest numbers along an axis in their places, all others the lowest; of equal ones the first."""
    found = emit.name("highest"), emit.name("places")
    emit.node("TopK", (numbers, integers(emit, "count", count)), found, axis=axis)
    return emit.node("ScatterElements", (nowhere(emit, numbers), found[1], found[0]), axis=axis)


def nowhere(emit: Emit, like: str) -> str:
    """Add a tensor like another one, of the lowest number; returns its name."""
    return emit.node("Min", (like, number(emit, "lowest", LOWEST)))


def emit_rows(emit: Emit, top: str, shown: str, apart: str, scores: str, limit: Limits, *, shared: bool) -> None:
    """Add the top, (1, 1, rows, 7). By the boxes ``apart`` some are suppressed, those ``shown`` are in the rows."""
    whole = limit.labels, limit.priors + 1
    each = scores if shared else emit.node("Reshape", (scores, integers(emit, "each", -1, 1, whole[1])))
    most = integers(emit, "most", min(limit.candidates, limit.kept))
    given = most, number(emit, "overlap", limit.overlap), number(emit, "threshold", limit.threshold)
    spots = emit.node("NonMaxSuppression", (apart, each, *given))
    scores = emit.node("Where", (last_prior(emit, limit), number(emit, "none", -1), scores))
    places = spots if shared else _places(emit, spots, scores, limit)
    score = emit.node("GatherND", (scores, places))
    names = np.arange(limit.labels, dtype=np.float32)
    names[limit.spare] = -1
    columns = (
        emit.node("Cast", (_columns(emit, places, 0),), to=1),
        emit.node("Gather", (emit.constant("names", names), _columns(emit, places, 1)), axis=0),
        emit.node("Unsqueeze", (score, integers(emit, "column", 1))),
        emit.node("GatherND", (shown, _columns(emit, spots, 0, 2))),
    )
    rows = emit.node("Concat", columns, axis=1)
    if limit.kept < (limit.labels - 1) * limit.candidates and limit.labels > 2:
        table = emit.node("ScatterND", (nowhere(emit, scores), places, score))
        table = emit.node("Reshape", (table, integers(emit, "images", -1, whole[0] * whole[1])))
        table = emit.node("Reshape", (emit_highest(emit, table, limit.kept, 1), integers(emit, "places", -1, *whole)))
        kept = emit.node("Cast", (emit.node("Greater", (table, number(emit, "lowest", LOWEST))),), to=1)
        rows = emit.node("Gather", (rows, emit.node("NonZero", (emit.node("GatherND", (kept, places)),))), axis=0)
        emit.node("Unsqueeze", (rows, integers(emit, "one", 0)), (top,))
    else:
        emit.node("Unsqueeze", (rows, integers(emit, "two", 0, 1)), (top,))


def _places(emit: Emit, spots: str, scores: str, limit: Limits) -> str:
    """Add image, label and prior of spots whose samples are the labels of the images, one after the other."""
    ones = _columns(emit, scores, limit.priors, axis=2)
    samples = emit.node("NonZero", (ones,))  # all of them: image and label of each sample, below each other
    sample = emit.node("Gather", (spots, emit.constant("sample", np.array(0))), axis=1)
    found = emit.node("Transpose", (emit.node("Gather", (samples, sample), axis=1),), perm=(1, 0))
    return emit.node("Concat", (_columns(emit, found, 0, 1), _columns(emit, spots, 2)), axis=1)


def _columns(emit: Emit, table: str, *columns: int, axis: int = 1) -> str:
    return emit.node("Gather", (table, integers(emit, "columns", *columns)), axis=axis)
