"""Reshape without moving anything: Keras's axes taken apart and joined while ONNX has them in another order.

A Reshape falls into blocks of axes that become blocks of axes, as (N, H, W, C) -> (N, HW, C) into N, (H, W) and C. Each
block that lies together and in Keras's order in ONNX can be reshaped where it lies, wherever the block is.
"""

from __future__ import annotations

from converters.keras.kind import Shape, channels_first


def blocks(source: Shape, target: Shape, order: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the order of the axes after a Reshape of a tensor that has ``order``; None: something has to be moved.

    A size of None, but for the batch, must be there in both shapes. Axes of size 1 lie anywhere.
    """
    pairs = _pairs(source, target)
    if pairs is None:
        return None
    lying = [axis for axis in order if source[axis] != 1 or axis == 0]
    placed = []
    for taken, made in pairs:
        places = [lying.index(axis) for axis in taken]
        if places != list(range(places[0], places[0] + len(places))):
            return None
        placed.append((places[0], made))
    return _with_ones([axis for _, made in sorted(placed) for axis in made], target)


def _with_ones(moved: list[int], target: Shape) -> tuple[int, ...]:
    """Put the axes of size 1 so that the channels come to be axis 1 where that is possible."""
    rank = len(target)
    ones = [axis for axis in range(rank) if axis not in moved]
    for order in (channels_first(rank), tuple(range(rank))):
        if [axis for axis in order if axis not in ones] == moved:
            return order
    return (*moved, *ones)


def _pairs(source: Shape, target: Shape) -> list[tuple[list[int], list[int]]] | None:
    """Return the smallest blocks of axes that hold as much in both shapes, in order, without axes of size 1.

    None where sizes are not known or do not fit.
    """
    left = [axis for axis in range(1, len(source)) if source[axis] != 1]
    right = [axis for axis in range(1, len(target)) if target[axis] != 1]
    pairs = [([0], [0])]
    while left or right:
        if not left or not right:
            return None
        taken, made = [left.pop(0)], [right.pop(0)]
        held, wanted = source[taken[0]], target[made[0]]
        while held != wanted:
            if held is None or wanted is None:
                return None
            rest, shape, axes = (left, source, taken) if held < wanted else (right, target, made)
            size = shape[rest[0]] if rest else None
            if size is None:
                return None
            axes.append(rest.pop(0))
            held, wanted = (held * size, wanted) if axes is taken else (held, wanted * size)
        pairs.append((taken, made))
    return pairs
