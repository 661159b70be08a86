"""A convolution in tiles, by Winograd's algorithm: the matrices, and what it costs beside the convolution itself.

Fewer multiplications do not mean less time: the tiles overlap and the weights become more, and both have to be moved
through memory. So a layer with small maps or few channels is faster as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIDES = (2, 4)
"""Of a tile. Larger ones multiply less still, but round worse: their matrices hold larger numbers."""
POINTS = (*map(Fraction, (0, 1, -1, 2, -2)), Fraction(1, 2), Fraction(-1, 2))
"""Where the polynomials are evaluated, infinity besides: their powers are exact in float32, and small."""
MOVED = 35
"""What moving a number through memory costs, in multiplications; fitted to layers of the zoo, each timed both ways."""
GAIN = 1.1
"""A layer is computed in tiles if that makes it so much cheaper."""


@dataclass(frozen=True)
class Convolution:
    """The sizes of a convolution; ``plane`` and ``made``: (height, width) before and after, ``pads``: top and left."""

    channels: int
    outputs: int
    window: int
    plane: tuple[int, int]
    made: tuple[int, int]
    pads: tuple[int, int]

    def tiles(self, side: int) -> tuple[int, int]:
        """Return how many tiles cover what is made, (down, across)."""
        return -(-self.made[0] // side), -(-self.made[1] // side)


def cheapest(sized: Convolution) -> int | None:
    """Return the side of the tile that makes a convolution cheapest, None where the gain is less than `GAIN`."""
    side = min(SIDES, key=lambda one: cost(sized, one))
    return side if direct_cost(sized) >= GAIN * cost(sized, side) else None


def direct_cost(sized: Convolution) -> float:
    """Return what the convolution itself costs an image, in multiplications; they hide half of reading its weights."""
    weights = sized.window**2 * sized.channels * sized.outputs
    return weights * (math.prod(sized.made) + MOVED / 2)


def cost(sized: Convolution, side: int) -> float:
    """Return what the convolution costs an image in tiles of a side, in multiplications: those, and what is moved."""
    span = side + sized.window - 1
    high, wide = sized.tiles(side)
    weights, tiles = span**2 * sized.channels * sized.outputs, high * wide
    forward = span * high * sized.plane[1] * sized.channels * (sized.plane[0] + span * wide)
    back = side**2 * span**2 * tiles * sized.outputs
    moved = weights + span**2 * tiles * (sized.channels + sized.outputs) + 2 * side**2 * tiles * sized.outputs
    return weights * tiles + forward + back + MOVED * moved


def matrices(side: int, window: int) -> tuple[Array, Array, Array]:
    """Return A (side, span), G (span, window) and B (span, span), span being side + window - 1.

    ``A @ ((G @ w) * (B @ d))`` are the ``side`` sums that the window ``w`` makes of the ``span`` numbers ``d`` (Lavin
    and Gray: Fast algorithms for convolutional neural networks, CVPR 2016). Row by row G and B are scaled by powers of
    two, so that neither holds much larger numbers than the other.
    """
    points = POINTS[: side + window - 2]
    back = [[point**power for point in points] + [Fraction(power == side - 1)] for power in range(side)]
    kernel, forward = [], []
    for point in points:
        others = [other for other in points if other != point]
        divisor = math.prod((point - other for other in others), start=Fraction(1))
        kernel.append([point**power / divisor for power in range(window)])
        forward.append([*_product(others), Fraction(0)])
    kernel.append([Fraction(power == window - 1) for power in range(window)])
    forward.append(_product(points))
    a, g, b = (np.array(rows, dtype=np.float64) for rows in (back, kernel, forward))
    even = 2.0 ** np.rint(np.log2(np.linalg.norm(b, axis=1) / np.linalg.norm(g, axis=1)) / 2)[:, None]
    return a, g * even, b / even


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """Return the coefficients, lowest power first, of the product of (x - root)."""
    found = [Fraction(1)]
    for root in roots:
        found = [low - root * high for low, high in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def transformed(g: Array, weights: Array) -> NDArray[np.float32]:
    """Return G w G' of weights (outputs, channels, window, window) as (span * span, channels, outputs).

    It is computed in double precision and rounded once, its additions in this order on any machine, which a product of
    matrices has not: the same weights give the same bytes.
    """
    window = range(weights.shape[2])
    down = [sum(row[step] * weights[:, :, step] for step in window) for row in g]
    both = [sum(row[step] * lines[..., step] for step in window) for lines in down for row in g]
    return np.stack([np.asarray(one).T for one in both]).astype(np.float32)


def along(b: Array, side: int, tiles: int, size: int, pad: int) -> NDArray[np.float32]:
    """Return the matrix (span * tiles, size) that takes a line of an image, without padding, to its tiles by B."""
    span = len(b)
    found = np.zeros((span, tiles, size))
    for tile in range(tiles):
        for step in range(span):
            place = tile * side + step - pad
            if 0 <= place < size:
                found[:, tile, place] = b[:, step]
    return found.reshape(span * tiles, size).astype(np.float32)
