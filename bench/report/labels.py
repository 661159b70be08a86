"""Labels beside points that do not cover each other, the points, or their bars; a leader line where one had to move.

Greedy and without chance: the same figure gives the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in pixels."""

DIRECTIONS = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
DISTANCES = (5, 12, 22, 34, 48, 64)
"""How far a label may be from its point, in points; the nearest free place is taken."""

LED = 12
"""From this distance on a line leads to the point."""


def place(axes: Axes, names: Sequence[str], points: Sequence[tuple[float, float]], taken: Iterable[Box] = ()) -> None:
    """Write a name beside each point (in data coordinates), where nothing is; ``taken`` stays free besides."""
    figure: Any = axes.figure
    settle(axes)
    renderer = figure.canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    inside = (frame.x0 + 1, frame.y0 + 1, frame.x1 - 1, frame.y1 - 1)
    dots = [tuple(axes.transData.transform(point)) for point in points]
    used: list[Box] = [*taken, *((x - 4, y - 4, x + 4, y + 4) for x, y in dots)]
    for name, point, (x, y) in sorted(zip(names, points, dots, strict=True), key=lambda one: (-one[2][1], one[2][0])):
        label = axes.annotate(name, point, textcoords="offset points", xytext=(0, 0), fontsize=7, annotation_clip=False)
        size = label.get_window_extent(renderer)
        distance, (right, up) = _free(x, y, size.width, size.height, used, inside, figure.dpi / 72)
        used.append(_box(x, y, size.width, size.height, right, up, distance * figure.dpi / 72))
        label.set_position((right * distance, up * distance))
        label.set_horizontalalignment("left" if right > 0 else "right" if right < 0 else "center")
        label.set_verticalalignment("bottom" if up > 0 else "top" if up < 0 else "center")
        if distance >= LED:
            left, bottom, far, top = used[-1]
            to = (min(max(x, left), far), min(max(y, bottom), top))
            (x0, y0), (x1, y1) = axes.transData.inverted().transform([(x, y), to])
            axes.plot([x0, x1], [y0, y1], color="black", linewidth=0.4, alpha=0.6, zorder=1)


def settle(axes: Axes) -> None:
    """Find the layout of a figure and keep it, so that what is where in pixels is known."""
    figure: Any = axes.figure
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def _free(
    x: float, y: float, width: float, height: float, used: Sequence[Box], inside: Box, scale: float
) -> tuple[int, tuple[int, int]]:
    """Return the first place, from the nearest on, that covers nothing; else that which covers least."""
    tries = list(product(DISTANCES, DIRECTIONS))
    costs = []
    for distance, (right, up) in tries:
        box = _box(x, y, width, height, right, up, distance * scale)
        outside = box[0] < inside[0] or box[1] < inside[1] or box[2] > inside[2] or box[3] > inside[3]
        costs.append(sum(_common(box, other) for other in used) + (1e6 if outside else 0))
        if costs[-1] == 0:
            break
    return tries[costs.index(min(costs))]


def _box(x: float, y: float, width: float, height: float, right: int, up: int, distance: float) -> Box:
    left = x + right * distance - width * (0 if right > 0 else 1 if right < 0 else 0.5)
    bottom = y + up * distance - height * (0 if up > 0 else 1 if up < 0 else 0.5)
    return left, bottom, left + width, bottom + height


def _common(one: Box, other: Box) -> float:
    """Return the area that two boxes share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0
