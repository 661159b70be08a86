"""RoR for small faces, gender: the network of ``ror_age`` with one sigmoid; it begins with that one's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.recipes import Array, Augmentation
from zoo.recipes.ror_age import trunk

SEED = 33
PATIENCE = 8
BATCH = 64
RATE = 1e-3
CYCLES = ((8, RATE),)
PRECISION = "float32"
MONITOR = ("val_accuracy", "max")
AUGMENTATION = Augmentation()
START = "ror-age"
STRAIGHTEN = False


def network() -> Any:
    """Build the network: (32, 32, 3) in, ``gender`` (1, the probability of female) out."""
    import keras
    from keras import layers

    image, features = trunk()
    gender = layers.Dense(1, activation="sigmoid", name="gender", dtype="float32")(features)
    return keras.Model(image, gender, name="ror-gender")


def training(network: Any) -> Any:
    """Compile with Adam and the binary cross-entropy."""
    import keras

    network.compile(keras.optimizers.Adam(RATE), "binary_crossentropy", metrics=["accuracy"])
    return network


def targets(ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
    """Give each face 1 for female, 0 for male."""
    female = np.asarray([gender == "female" for gender in genders])
    return {"gender": female.astype(np.float32)[:, None]}, np.ones(len(female), dtype=bool)
