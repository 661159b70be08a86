"""Losses and scores. They judge a network while it is trained or tested, against labels; a converted one has neither.

They are left out, and with them the inputs that nobody else reads. What they judged is then an output.
"""

from __future__ import annotations

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer

CASES = ()

KINDS = {
    ("Accuracy",): ((2, 2), (1, 2)),
    ("ContrastiveLoss",): ((3, 3), (0, 1)),
    ("EuclideanLoss",): ((2, 2), (0, 1)),
    ("HingeLoss",): ((2, 2), (0, 1)),
    ("InfogainLoss",): ((2, 3), (0, 2)),
    ("MultinomialLogisticLoss",): ((2, 2), (0, 1)),
    ("SigmoidCrossEntropyLoss",): ((2, 2), (0, 2)),
    ("SoftmaxWithLoss", "SoftmaxLoss"): ((2, 3), (0, 2)),
}
"""The names of a layer, and how many bottoms and tops it may have."""


def shape(op: Layer, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return a single number a top; nobody asks, since the layer is left out."""
    return ((),) * len(op.tops)


def reference(op: Layer, *bottoms: Array) -> tuple[Array, ...]:
    """Return nothing: the layer is left out."""
    return ()


def nothing(op: Layer, emit: Emit) -> None:
    """Add no node."""


for names, (bottoms, tops) in KINDS.items():
    layer(*names, shape=shape, reference=reference, bottoms=bottoms, tops=tops, dropped=True)(nothing)
