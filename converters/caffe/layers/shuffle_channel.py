"""ShuffleChannel, a layer of Caffe's forks (ShuffleNet): the channels, in groups, are dealt like cards.

Read as a table of ``group`` rows, the channels are written down column by column.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("shuffle_channel_param", 164, None, "1 uint32 group = 1")

JUDGE = "OpenCV 4"
CASES = (
    ("shuffle_channel_param { group: 2 }", (2, 6, 5, 3)),
    ("shuffle_channel_param { group: 3 }", (2, 12, 5, 3)),
    ("shuffle_channel_param { group: 5 }", (2, 5, 4, 3)),
    ("", (2, 7, 5, 3)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises when the groups are not equal."""
    if len(bottom) != 4:
        raise op.unsupported(f"a bottom of shape {bottom}", "one of 4 axes is")
    if op.param.group < 1 or bottom[1] % op.param.group:
        raise op.bad(f"{bottom[1]} channels cannot be dealt to group: {op.param.group}")
    return (bottom,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the channels in the new order."""
    order = np.arange(bottom.shape[1]).reshape(op.param.group, -1).T.ravel()
    return (bottom[:, order],)


def identity(op: Layer, bottom: Shape, top: Shape) -> bool:
    """Say that nothing is changed by one group, or by groups of one."""
    return op.param.group in (1, bottom[1])


@layer("ShuffleChannel", shape=shape, reference=reference, parameter=PARAMETER, in_place=False, identity=identity)
def shuffle_channel(op: Layer, emit: Emit) -> None:
    """Reshape, Transpose and Reshape back."""
    _, channels, height, width = emit.shapes[op.bottoms[0]]
    sizes = emit.arrange(op.bottoms[0], op.param.group, channels // op.param.group, height * width)
    table = emit.node("Reshape", (*op.bottoms, sizes))
    dealt = emit.node("Transpose", (table,), perm=(0, 2, 1, 3))
    emit.node("Reshape", (dealt, emit.sizes(op.tops[0])), op.tops)
