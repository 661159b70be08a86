"""A lean network on SFace's ``conv_14_relu``: the last convolution, before what makes it forget age."""

from __future__ import annotations

from typing import Any

from zoo.recipes import Augmentation, _lean
from zoo.recipes._lean import targets

__all__ = ["network", "targets", "training"]

SEED = 1114
PATIENCE = 8
BATCH = 128
RATE = 1e-3
CYCLES = ((20, RATE),)
PRECISION = "float32"
MONITOR = ("val_age_years", "min")
AUGMENTATION = Augmentation()
START = None
STRAIGHTEN = False

TAP = "conv_14_relu"
VIEWS = 1
FEATURES = 4096
"""1024 channels, each averaged over two by two fields."""


def network() -> Any:
    """Build the network: (1024 x 4,) in, ages and age categories out."""
    return _lean.network("lean-conv14", FEATURES, dropout=0.5)


def training(network: Any) -> Any:
    """Compile it."""
    return _lean.training(network, RATE)
