"""How the networks without public weights were trained: one file a network; the folder's listing is the registry.

A recipe is named as its card, with underscores for the dashes, and holds constants and three functions:

- ``SEED``, ``CYCLES`` (epochs, and the learning rate that half a cosine brings to 2 % of itself over them),
  ``PATIENCE`` (epochs without a better validation number before it stops), ``BATCH``, ``PRECISION`` (Keras's policy
  while training), ``MONITOR`` (the validation number that chooses the weights, with its ``min`` or ``max``),
  ``AUGMENTATION``, ``START`` (the recipe whose trained weights it begins with where layers share name and shape, or
  None), and ``STRAIGHTEN`` (whether slope and offset of a last layer that answers in years are fitted at the end).
- ``TAP`` and ``VIEWS`` where it is no faces but features of them that are learnt from: the layer of the backbone on the
  card, and how many times the faces are shown to it, once as they are, then moved.
- ``network() -> keras.Model``: the network as it is exported, in the field's own architecture.
- ``training(network) -> keras.Model``: that network compiled, with the further outputs that only its losses need.
- ``targets(ages, genders) -> (answers, kept)``: what each output shall answer, by name, and which faces count.

The card says how an image is fed, so training and measuring prepare it alike.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np

from converters.errors import BadInput

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Augmentation:
    """How far a face is moved at random: mirrored half the time, turned, scaled and shifted evenly within the bounds.

    ``turn`` in degrees, ``scale`` and ``shift`` as shares of the size, ``light`` as a share of contrast and brightness.
    """

    turn: float = 10
    scale: float = 0.12
    shift: float = 0.05
    light: float = 0.2


class Recipe(Protocol):
    """What a module of this package offers."""

    SEED: int
    CYCLES: tuple[tuple[int, float], ...]
    PATIENCE: int
    BATCH: int
    PRECISION: Literal["float32", "mixed_bfloat16"]
    MONITOR: tuple[str, Literal["min", "max"]]
    AUGMENTATION: Augmentation
    START: str | None
    STRAIGHTEN: bool

    def network(self) -> Any:
        """Build the network as it is exported (a ``keras.Model``), with fresh weights."""

    def training(self, network: Any) -> Any:
        """Return ``network``, with what only its losses need, compiled."""

    def targets(self, ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
        """Return output name -> answers (N, ..), and (N,) whether a face takes part."""


def names() -> tuple[str, ...]:
    """List the networks that have a recipe."""
    files = Path(__file__).parent.glob("*.py")
    return tuple(sorted(file.stem.replace("_", "-") for file in files if not file.stem.startswith("_")))


def find(name: str) -> Recipe:
    """Return the recipe of a network. Raises BadInput that lists those there are."""
    if name not in names():
        raise BadInput(f"no recipe for {name!r}; there are {', '.join(names())}")
    return cast(Recipe, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))
