"""DummyData: blobs filled with one number each, 0 unless the file says otherwise.

With another filler than ``constant`` Caffe draws new numbers for each run: nothing that could be converted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "dummy_data_param",
    109,
    26,
    """
    1 FillerParameter* data_filler; 2 uint32* num; 3 uint32* channels; 4 uint32* height; 5 uint32* width
    6 BlobShape* shape
    """,
)

CASES = ()
SIDES = ("num", "channels", "height", "width")


def shape(op: Layer) -> tuple[Shape, ...]:
    """Return the shape of each top, from ``shape`` or from the four numbers of old files. Raises for other fillers."""
    numbers(op)
    p = op.param
    old = [list(sizes) for sizes in (p.num, p.channels, p.height, p.width)]
    if any(old) and p.shape:
        raise op.bad("has shape and num, channels, height or width; Caffe takes one of the two ways")
    if any(old):
        tops = list(zip(*(one_a_top(op, what, sizes) for what, sizes in zip(SIDES, old, strict=True)), strict=True))
    else:
        tops = [tuple(sizes.dim) for sizes in one_a_top(op, "shape", list(p.shape))]
    for top in tops:
        if min(top, default=1) < 1:
            raise op.bad(f"shape {top} holds no numbers; give sizes of at least 1")
    return tuple(tops)


def numbers(op: Layer) -> list[float]:
    """Return the number that fills each top."""
    fillers = list(op.param.data_filler)
    for filler in fillers:
        if filler.type not in ("", "constant"):
            raise op.unsupported(f"data_filler {filler.type!r}, which draws new numbers for each run", "constant is")
    return one_a_top(op, "data_filler", [filler.value for filler in fillers] or [0.0])


def one_a_top(op: Layer, what: str, given: list[Any]) -> list[Any]:
    """Return a value a top, of one for all or one each."""
    if len(given) not in (1, len(op.tops)):
        raise op.bad(f"{len(given)} values of {what} for {len(op.tops)} tops; give one, or one a top")
    return given * len(op.tops) if len(given) == 1 else given


def reference(op: Layer) -> tuple[Array, ...]:
    """Return the blobs, which lie in memory as one number each."""
    return tuple(np.broadcast_to(np.float64(n), top) for n, top in zip(numbers(op), shape(op), strict=True))


@layer(
    "DummyData",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    bottoms=0,
    tops=(1, None),
    constant=True,
)
def dummy_data(op: Layer, emit: Emit) -> None:
    """Identity of each blob; as constants they never come here."""
    for top, value in zip(op.tops, reference(op), strict=True):
        emit.node("Identity", (emit.constant("filled", value.astype(np.float32)),), (top,))
