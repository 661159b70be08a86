"""Random Caffe networks of 5 to 10 layers: branches, in-place layers, odd sizes, every layer type that Caffe has.

`random_network` gives the same network for the same seed on every Python: it takes nothing but ``Random.random()``, the
one stream that Python promises to keep. Its shapes are worked out here, apart from the converter's own rules.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import TypeVar

import numpy as np

Shape = tuple[int, ...]
Item = TypeVar("Item")

BATCH, SEEDS = 2, range(320)
LARGEST_BLOB, LARGEST_OUTPUTS, MOST_OUTPUTS = 6000, 1200, 4
"""numbers a blob, numbers of all outputs together, outputs"""


class Unfit(Exception):
    """What was drawn does not go with the network so far; draw again."""


@dataclass
class Blob:
    """A blob as it is now. ``free``: no layer has read it, and it has its memory for itself."""

    shape: Shape
    free: bool
    never_negative: bool


@dataclass
class Network:
    """A network that grows layer by layer. ``weights``: shape, and whether never negative, of each blob of a layer."""

    draw: random.Random
    inputs: dict[str, Shape] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    weights: dict[str, list[tuple[Shape, bool]]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    layers: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)

    @property
    def text(self) -> str:
        """The prototxt."""
        return "\n".join(('name: "random"', *self.layers, ""))

    @property
    def outputs(self) -> list[str]:
        """The blobs that no layer reads."""
        return sorted(self.unread)

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return low + int(self.draw.random() * (high - low + 1))

    def one(self, items: Sequence[Item]) -> Item:
        """Draw one of several; raises Unfit when there is none."""
        if not items:
            raise Unfit
        return items[self.whole(0, len(items) - 1)]

    def chance(self, share: float) -> bool:
        """Draw yes or no."""
        return self.draw.random() < share

    def sixteenths(self, low: int, high: int) -> float:
        """Draw a number that float32 has exactly."""
        return self.whole(low, high) / 16

    def bottom(self, suits: Callable[[Shape], bool] = lambda shape: True, *, never_negative: bool = False) -> str:
        """Draw a blob to read, mostly one that no layer has read."""
        fitting = [
            name
            for name, blob in self.blobs.items()
            if suits(blob.shape) and (blob.never_negative or not never_negative)
        ]
        unread = [name for name in fitting if name in self.unread]
        return self.one(unread if unread and self.chance(0.8) else fitting)

    def image(self) -> tuple[str, Shape]:
        """Draw a blob of four axes."""
        name = self.bottom(lambda shape: len(shape) == 4)
        return name, self.blobs[name].shape

    def input(self, shape: Shape) -> None:
        """Add an input."""
        name = f"data{len(self.inputs) or ''}"
        self.inputs[name], self.blobs[name] = shape, Blob(shape, free=False, never_negative=False)
        self.unread.add(name)
        dims = " ".join(f"dim: {size}" for size in shape)
        self.layers.append(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        )

    def add(
        self,
        kind: str,
        bottoms: str | Sequence[str],
        tops: Sequence[Shape],
        text: str = "",
        *,
        weights: Sequence[Shape] = (),
        positive: Sequence[int] = (),
        may_be_in_place: bool = False,
        shares_memory: bool = False,
        never_negative: bool = False,
    ) -> list[str]:
        """Add a layer; returns its tops. Raises Unfit when a top would be empty or large."""
        bottoms = [bottoms] if isinstance(bottoms, str) else list(bottoms)
        if any(min(top, default=1) < 1 or prod(top) > LARGEST_BLOB for top in tops):
            raise Unfit
        self.counted[kind] += 1
        name = f"{kind.lower()}{self.counted[kind]}"
        names = [name] if len(tops) == 1 else [f"{name}_{i}" for i in range(len(tops))]
        if may_be_in_place and self.blobs[bottoms[0]].free and self.chance(0.6):
            names = bottoms[:1]
        self.unread -= set(bottoms)
        for bottom in bottoms:
            self.blobs[bottom].free = False
        self.unread |= set(names)
        for top, shape in zip(names, tops):  # noqa: B905 - not in Python 3.9
            self.blobs[top] = Blob(shape, free=not shares_memory, never_negative=never_negative)
        if weights:
            self.weights[name] = [(shape, index in positive) for index, shape in enumerate(weights)]
        lines = (
            f'name: "{name}" type: "{kind}"',
            *(f'bottom: "{b}"' for b in bottoms),
            *(f'top: "{t}"' for t in names),
        )
        self.layers.append(f"layer {{ {' '.join((*lines, text)).strip()} }}")
        return names


def filled(net: Network, seed: int, batch: int = BATCH) -> tuple[dict[str, list[np.ndarray]], dict[str, np.ndarray]]:
    """Return weights by layer, and inputs: whole sixteenths of a stream that numpy promises to keep.

    The weights are the same for every ``batch``, and the inputs of few samples are the first of those of many.
    """
    stream = np.random.RandomState(seed)

    def numbers(shape: Shape, low: int, high: int) -> np.ndarray:
        return stream.randint(low, high, shape, dtype=np.int8)

    weights = {
        name: [sixteenths(numbers(shape, *((8, 49) if positive else (-40, 40))), shape) for shape, positive in blobs]
        for name, blobs in net.weights.items()
    }
    inputs = {name: [sixteenths(numbers(shape[1:], -40, 40)) for _ in range(4)] for name, shape in net.inputs.items()}
    return weights, {name: np.stack(samples[:batch]) for name, samples in inputs.items()}


def sixteenths(numbers: np.ndarray, fan_in: Shape = ()) -> np.ndarray:
    """Return whole numbers as what the network takes (float32); ``fan_in`` keeps a deep network's numbers small."""
    return numbers / np.float32(16 * round(sqrt(prod(fan_in[1:]))))


def random_network(seed: int) -> Network:
    """Return the network of a seed: every blob has two samples."""
    from random_layers import FAMILIES  # which needs `Network`

    draw = random.Random(seed)
    while True:
        net, wanted = Network(draw), draw.random() * 6 + 5
        channels, height, width = net.one(
            [(c, h, w) for c in (3, 4, 6, 8) for h in range(5, 12) for w in range(5, 14) if len({c, h, w}) == 3]
        )
        net.input((BATCH, channels, height, width))
        if net.chance(0.25):
            net.input(net.one([(BATCH, channels + 2, height, width), (BATCH, net.whole(3, 11)), (BATCH, channels)]))
        for _ in range(100):
            if sum(net.counted.values()) >= int(wanted):
                break
            try:
                net.one(FAMILIES)(net)
            except Unfit:
                continue
        small = sum(prod(net.blobs[name].shape) for name in net.unread) <= LARGEST_OUTPUTS
        whole = sum(net.counted.values()) >= 5 and not net.unread & set(net.inputs)
        if small and whole and len(net.unread) <= MOST_OUTPUTS:
            return net
