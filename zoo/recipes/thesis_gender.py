"""A thesis's network for gender: that of ``thesis_age`` with two classes; it begins with the age network's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.recipes import Array, Augmentation
from zoo.recipes.thesis_age import trunk

SEED = 61
PATIENCE = 6
BATCH = 64
RATE = 4e-4
CYCLES = ((3, RATE), (3, RATE), (12, RATE / 2))
PRECISION = "mixed_bfloat16"
MONITOR = ("val_accuracy", "max")
AUGMENTATION = Augmentation(turn=8, scale=0.1, shift=0.04)
START = "thesis-age"
STRAIGHTEN = False


def network() -> Any:
    """Build the network: (80, 60, 1) in, ``gender`` (2 probabilities, male first) out."""
    import keras
    from keras import layers

    image, features = trunk()
    gender = layers.Dense(2, activation="softmax", name="gender", dtype="float32")(features)
    return keras.Model(image, gender, name="thesis-gender")


def training(network: Any) -> Any:
    """Compile with Adam and the cross-entropy of the two classes."""
    import keras

    network.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def targets(ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
    """Give each face 1 for female, 0 for male."""
    female = np.asarray([gender == "female" for gender in genders])
    return {"gender": female.astype(np.int64)}, np.ones(len(female), dtype=bool)
