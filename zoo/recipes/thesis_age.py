"""A thesis's network for age: grayscale, 60 wide and 80 high, five 3x3 convolutions, 2,366,725 parameters.

Its last layer answers in years, so its bias begins at the mean age of the training faces' decade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.recipes import Array, Augmentation

SEED = 60
PATIENCE = 4
BATCH = 64
RATE = 7e-4
CYCLES = ((9, RATE),)
PRECISION = "mixed_bfloat16"
MONITOR = ("val_mae", "min")
AUGMENTATION = Augmentation(turn=8, scale=0.1, shift=0.04)
START = None
STRAIGHTEN = True


def trunk() -> tuple[Any, Any]:
    """Build what both thesis networks share: (80, 60, 1) in, 64 features out. Returns input and output."""
    import keras
    from keras import layers

    image = x = keras.Input((80, 60, 1), name="image")
    for block, filters in ((1, 64), (2, 128)):
        for part in "ab":
            x = layers.Conv2D(filters, 3, activation="relu", name=f"conv{block}{part}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
        x = layers.Dropout(0.3, name=f"dropout{block}")(x)
    x = layers.Conv2D(196, 3, activation="relu", name="conv3")(x)
    x = layers.Dropout(0.3, name="dropout3")(x)
    x = layers.Flatten(name="flatten")(x)
    return image, layers.Dense(64, activation="relu", name="dense")(x)


def network() -> Any:
    """Build the network: (80, 60, 1) in, ``age`` (1) in years out."""
    import keras
    from keras import layers

    image, features = trunk()
    middle = keras.initializers.Constant(33)
    age = layers.Dense(1, name="age", dtype="float32", bias_initializer=middle)(features)
    return keras.Model(image, age, name="thesis-age")


def training(network: Any) -> Any:
    """Compile with Adam and the mean absolute error."""
    import keras

    network.compile(keras.optimizers.Adam(RATE), "mae", metrics=["mae"])
    return network


def targets(ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
    """Give each face its age."""
    return {"age": ages.astype(np.float32)[:, None]}, np.ones(len(ages), dtype=bool)
