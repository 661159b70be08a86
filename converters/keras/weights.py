"""The tensors of one layer, handed out as its converter asks for them: each one once, or it is an error.

A file without weights gets numbers from a seed, the same each time, of a size that stays sane through a hundred layers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import BadInput

if TYPE_CHECKING:
    from converters.keras.kind import Array, Layer

MOST_MADE_UP = 2**28
"""Numbers of one made-up tensor; more is a mistake in the architecture."""


@dataclass(frozen=True, eq=False)
class Stored:
    """One tensor of a file: where it lies in it, as ``model_weights/conv1/conv1/kernel:0``, and its numbers."""

    path: str
    numbers: Array

    @property
    def words(self) -> tuple[str, ...]:
        """The parts of the path; the last one is the tensor's own name, or its number."""
        return tuple(word.partition(":")[0] for word in self.path.split("/"))


@dataclass(eq=False)
class Weights:
    """The tensors of one layer, in the order of the file; ``seeded``: there is no file of them, make them up."""

    stored: list[Stored] = field(default_factory=list)
    seeded: bool = False
    _taken: dict[tuple[str, tuple[str, ...]], Array] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)

    def take(
        self, op: Layer, name: str, shape: tuple[int, ...], within: Sequence[str], fan: int | None, scale: float
    ) -> Array:
        """Return a tensor, see `Layer.weight`; a layer that is called again gets the same one."""
        key = name, tuple(within)
        if key not in self._taken:
            made = self._made_up(op, name, shape, key, fan, scale) if self.seeded else self._next(op, name, within)
            self._taken[key] = made
        found = self._taken[key]
        if found.shape != shape:
            raise op.bad(f"its tensor {name!r} has the shape {found.shape}; {shape} fits its settings and its input")
        return found

    def _next(self, op: Layer, name: str, within: Sequence[str]) -> Array:
        left = [i for i in range(len(self.stored)) if i not in self._used]
        if within:
            left = [i for i in left if set(within) & set(self.stored[i].words)]
        if not left:
            place = f" under {within[0]!r}" if within else ""
            raise op.bad(
                f"the file has no tensor {name!r} for it{place}; it has {len(self.stored)} tensors of this layer"
            )
        named = [i for i in left if self.stored[i].words[-1] == name]
        chosen = named[0] if named else left[0]
        self._used.add(chosen)
        numbers = self.stored[chosen].numbers
        if numbers.dtype.kind != "f" and numbers.ndim:  # a count is a whole number
            raise op.bad(f"tensor {self.stored[chosen].path!r} has the type {numbers.dtype}; weights are floats")
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.ascontiguousarray(numbers, dtype=np.float32).reshape(numbers.shape)  # numpy makes (1,) of ()
        if not np.isfinite(found).all():
            raise op.bad(f"tensor {self.stored[chosen].path!r} has numbers that are not finite, or not in float32")
        return found

    def _made_up(
        self, op: Layer, name: str, shape: tuple[int, ...], key: object, fan: int | None, scale: float
    ) -> Array:
        if prod(shape) > MOST_MADE_UP:
            raise op.bad(f"a tensor {name!r} of shape {shape} would have more than {MOST_MADE_UP} numbers")
        seed = hashlib.sha256(f"{op.name} {key}".encode()).digest()
        generator = np.random.default_rng(list(seed))
        return made_up(name, shape, generator, fan, scale, feeds_sum="Add" in op.consumers)

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name, or one that has no name and is not asked for yet."""
        return self.seeded or any(key == name for key, _ in self._taken) or bool(self.unused())

    def count(self) -> int:
        """Return how many numbers the layer has asked for."""
        return sum(numbers.size for numbers in self._taken.values())

    @property
    def taken(self) -> dict[tuple[str, tuple[str, ...]], Array]:
        """The tensors that were asked for, by name and ``within`` (see `Layer.weight`)."""
        return self._taken

    def handed_out(self) -> dict[str, Array]:
        """Return the tensors that were asked for, by name."""
        return {name: numbers for (name, _), numbers in self._taken.items()}

    def unused(self) -> list[str]:
        """Return the paths of the tensors that nobody asked for."""
        return [one.path for i, one in enumerate(self.stored) if i not in self._used]


def made_up(
    name: str,
    shape: tuple[int, ...],
    generator: np.random.Generator,
    fan: int | None,
    scale: float,
    *,
    feeds_sum: bool,
) -> Array:
    """Return seeded numbers for a tensor, float32.

    Kernels keep the size of what goes through them and a ReLU (He et al. 2015); a batch normalization before a sum
    halves it, so that a hundred residual blocks do not grow without end; statistics are never trivial.
    """
    if name in ("gamma", "moving_variance", "variance"):
        size = 0.45 if feeds_sum and name == "gamma" else 1.0
        numbers = size * generator.uniform(0.8, 1.25, shape)
    elif len(shape) < 2 and fan is None:
        numbers = generator.normal(0, 0.05, shape)
    else:
        numbers = generator.normal(0, sqrt(2 / max(fan or prod(shape[:-1]), 1)), shape)
    return np.asarray(scale * numbers, dtype=np.float32)


def check_all_used(path: object, left: Sequence[str]) -> None:
    """Raise BadInput when tensors of a file belong to no layer."""
    if left:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise BadInput(f"{path}: tensor {left[0]!r}{more} belongs to no layer of the network; a whole model uses each")
