"""RoR for small faces, age: a residual network of residual networks, four bottleneck blocks inside an outer shortcut.

After Ke Zhang et al., "Residual Networks of Residual Networks: Multilevel Residual Networks", 2016.
Twelve groups of five years; whoever is sixty or older is in none of them and takes no part. The study that this follows
had Adam at 1e-4; ten times that comes further in so few epochs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.recipes import Array, Augmentation

SEED = 32
PATIENCE = 8
BATCH = 64
RATE = 1e-3
CYCLES = ((14, RATE),)
PRECISION = "float32"
MONITOR = ("val_accuracy", "max")
AUGMENTATION = Augmentation()
START = None
STRAIGHTEN = False

GROUPS = 12
GROUP_YEARS = 5
FILTERS = (64, 128, 256, 512)


def trunk() -> tuple[Any, Any]:
    """Build what both RoR networks share: (32, 32, 3) in, 256 features out. Returns input and output."""
    import keras
    from keras import layers

    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(64, 7, padding="same", name="conv1")(image)
    first = x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    for number, filters in enumerate(FILTERS, start=2):
        x = _bottleneck(x, filters, 1 if number == 2 else 2, f"block{number}")
    strides = 2 ** (len(FILTERS) - 1)
    outer = layers.Conv2D(FILTERS[-1], 1, strides=strides, name="outer_shortcut")(first)
    x = layers.Add(name="outer_add")([x, outer])
    x = layers.BatchNormalization(name="last_norm")(x)
    x = layers.ReLU(name="last_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(256, activation="relu", name="dense")(x)
    return image, layers.Dropout(0.5, name="dropout")(x)


def network() -> Any:
    """Build the network: (32, 32, 3) in, ``age_group`` (12 probabilities) out."""
    import keras
    from keras import layers

    image, features = trunk()
    groups = layers.Dense(GROUPS, activation="softmax", name="age_group", dtype="float32")(features)
    return keras.Model(image, groups, name="ror-age")


def training(network: Any) -> Any:
    """Compile with Adam and the cross-entropy of the groups."""
    import keras

    network.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def targets(ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
    """Give each face its group of five years."""
    groups = np.floor(ages / GROUP_YEARS).astype(np.int64)
    return {"age_group": groups}, groups < GROUPS


def _bottleneck(x: Any, filters: int, strides: int, name: str) -> Any:
    """1x1, 3x3, 1x1, each after batch normalisation and ReLU; a projection as its shortcut."""
    from keras import layers

    y = x
    for size, step, part in ((1, 1, "a"), (3, strides, "b"), (1, 1, "c")):
        y = layers.BatchNormalization(name=f"{name}{part}_norm")(y)
        y = layers.ReLU(name=f"{name}{part}_relu")(y)
        y = layers.Conv2D(filters, size, strides=step, padding="same", name=f"{name}{part}")(y)
    shortcut = layers.Conv2D(filters, 1, strides=strides, name=f"{name}_shortcut")(x)
    return layers.Add(name=f"{name}_add")([y, shortcut])
