"""Zeros around an input, or its edges cut off, over one, two or three axes."""

from __future__ import annotations

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers.convolution import plane_of, with_plane

CASES: Cases = (
    ("ZeroPadding2D", {}, (7, 9, 3)),
    ("ZeroPadding2D", {"padding": (2, 1)}, (7, 9, 3)),
    ("ZeroPadding2D", {"padding": ((0, 1), (3, 2))}, (7, 9, 3)),
    ("ZeroPadding1D", {"padding": (2, 1)}, (9, 3)),
    ("ZeroPadding1D", {"padding": 2}, (9, 3)),
    ("ZeroPadding3D", {"padding": ((0, 1), (3, 2), (1, 0))}, (4, 7, 9, 3)),
    ("Cropping2D", {"cropping": (2, 1)}, (7, 9, 3)),
    ("Cropping2D", {"cropping": ((0, 1), (3, 2))}, (7, 9, 3)),
    ("Cropping1D", {"cropping": (2, 1)}, (9, 3)),
    ("Cropping3D", {"cropping": ((0, 1), (3, 2), (1, 0))}, (4, 7, 9, 3)),
)
Sides = list[tuple[int, int]]


def _sides(op: Layer, name: str, count: int) -> Sides:
    """Return (before, behind) for each axis: one number for all, one an axis, or two an axis."""
    given = op.setting(name, default=1)
    if count == 1 and isinstance(given, list | tuple) and len(given) == 2:
        given = [given]
    parts = list(given) if isinstance(given, list | tuple) else [given] * count
    pairs = [tuple(part) if isinstance(part, list | tuple) else (part, part) for part in parts]
    whole = all(len(p) == 2 and all(type(n) is int and 0 <= n < 2**31 for n in p) for p in pairs)
    if len(pairs) != count or not whole:
        raise op.bad(f"{name} is {given!r:.100}; it has to be whole numbers, from 0 on, for {count} axes")
    return [(before, behind) for before, behind in pairs]


@layer("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(op: Layer, emit: Emit) -> Tensor:
    """Add a Pad."""
    x, channels, _ = plane_of(op, emit, op.input.rank - 2)
    sides = _sides(op, "padding", x.rank - 2)
    counts = tuple(None if n is None else n + sum(side) for n, side in zip(x.sizes[2:], sides, strict=True))
    pads = (0, 0, *(before for before, _ in sides), 0, 0, *(behind for _, behind in sides))
    name = emit.node("Pad", (x.name, emit.constant("pads", np.array(pads, dtype=np.int64))), mode="constant")
    return with_plane(name, x, channels, counts)


@layer("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(op: Layer, emit: Emit) -> Tensor:
    """Add a Slice of the axes that are cut."""
    x, channels, _ = plane_of(op, emit, op.input.rank - 2)
    sides = _sides(op, "cropping", x.rank - 2)
    counts = tuple(None if n is None else n - sum(side) for n, side in zip(x.sizes[2:], sides, strict=True))
    if any(count is not None and count < 1 for count in counts):
        raise op.bad(f"cropping {sides} leaves nothing of an input of shape {x.shape}")
    cut = [(axis + 2, *side) for axis, side in enumerate(sides) if any(side)]
    if not cut:
        return x
    starts, ends = [before for _, before, _ in cut], [-behind if behind else 2**31 - 1 for _, _, behind in cut]
    given = zip(("starts", "ends", "axes"), (starts, ends, [axis for axis, _, _ in cut]), strict=True)
    names = [emit.constant(what, np.array(numbers, dtype=np.int64)) for what, numbers in given]
    return with_plane(emit.node("Slice", (x.name, *names)), x, channels, counts)
