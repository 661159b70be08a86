"""A lean network on SFace's ``conv_10_relu``: the middle of the 14x14 stage: still more picture than person."""

from __future__ import annotations

from typing import Any

from zoo.recipes import Augmentation, _lean
from zoo.recipes._lean import targets

__all__ = ["network", "targets", "training"]

SEED = 1110
PATIENCE = 8
BATCH = 128
RATE = 1e-3
CYCLES = ((20, RATE),)
PRECISION = "float32"
MONITOR = ("val_age_years", "min")
AUGMENTATION = Augmentation()
START = None
STRAIGHTEN = False

TAP = "conv_10_relu"
VIEWS = 1
FEATURES = 2048
"""512 channels, each averaged over two by two fields."""


def network() -> Any:
    """Build the network: (512 x 4,) in, ages and age categories out."""
    return _lean.network("lean-conv10", FEATURES, dropout=0.5)


def training(network: Any) -> Any:
    """Compile it."""
    return _lean.training(network, RATE)
