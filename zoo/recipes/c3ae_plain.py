"""The plain C3AE: one branch, no context boxes, 36,377 parameters.

Chao Zhang et al., "C3AE: Exploring the Limits of Compact Model for Age Estimation", CVPR 2019, table 1 and section 3.
The feature layer holds twelve numbers, as many as the paper's bins of ten years with both ends; trained as its
two-point representation: an age is split between its two nearest bins, and the last layer turns the bins into years.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.recipes import Array, Augmentation

SEED = 2019
PATIENCE = 12
BATCH = 50
RATE = 2e-3
CYCLES = ((15, RATE),)
PRECISION = "mixed_bfloat16"
MONITOR = ("val_age_mae", "min")
AUGMENTATION = Augmentation()
START = None
STRAIGHTEN = False

BINS = 12
BIN_YEARS = 10


def network() -> Any:
    """Build the network: (64, 64, 3) in, ``age`` (1) in years out."""
    import keras
    from keras import layers

    image = x = keras.Input((64, 64, 3), name="image")
    for stage in (1, 2, 3):
        x = layers.Conv2D(32, 3, name=f"conv{stage}")(x)
        x = layers.BatchNormalization(name=f"bra{stage}_norm")(x)
        x = layers.ReLU(name=f"bra{stage}_relu")(x)
        x = layers.AveragePooling2D(2, name=f"bra{stage}_pool")(x)
    x = layers.Conv2D(32, 3, name="conv4")(x)
    x = layers.BatchNormalization(name="conv4_norm")(x)
    x = layers.ReLU(name="conv4_relu")(x)
    x = layers.Conv2D(32, 1, name="conv5")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(BINS, activation="softmax", name="feat", dtype="float32")(x)
    age = layers.Dense(
        1, name="age", dtype="float32", kernel_initializer=lambda shape, dtype=None: _bin_years(shape, dtype)
    )(x)
    return keras.Model(image, age, name="c3ae-plain")


def training(network: Any) -> Any:
    """Add the twelve bins as an output: Kullback-Leibler divergence on them, mean absolute error on the years."""
    import keras

    model = keras.Model(network.input, {"age": network.output, "feat": network.get_layer("feat").output})
    model.compile(
        keras.optimizers.Adam(RATE),
        loss={"age": "mae", "feat": "kl_divergence"},
        loss_weights={"age": 1.0, "feat": 10.0},
        metrics={"age": ["mae"]},
    )
    return model


def targets(ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
    """Give each face its age, and the shares of the two bins it lies between."""
    place = np.clip(ages / BIN_YEARS, 0, BINS - 1)
    distance = np.abs(place[:, None] - np.arange(BINS))
    shares = np.maximum(0, 1 - distance)
    answers = {"age": ages.astype(np.float32)[:, None], "feat": shares.astype(np.float32)}
    return answers, np.ones(len(ages), dtype=bool)


def _bin_years(shape: Sequence[int], dtype: Any) -> Any:
    from keras import ops

    return ops.reshape(ops.arange(0, BINS * BIN_YEARS, BIN_YEARS, dtype=dtype or "float32"), shape)
