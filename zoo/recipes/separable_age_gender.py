"""Separable convolutions at 198x198 with spatial dropout: a shared trunk, and two dense heads for age and gender.

The five age classes lie on the middles of the gaps between the eight standard groups, so that no age is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.recipes import Array, Augmentation

SEED = 198
PATIENCE = 6
BATCH = 48
RATE = 2e-3
CYCLES = ((12, RATE),)
PRECISION = "float32"
MONITOR = ("val_gender_accuracy", "max")
AUGMENTATION = Augmentation()
START = None
STRAIGHTEN = False

YOUNGEST = (0, 14, 23, 36, 57)
"""The first year of each of the five classes."""

FILTERS = (64, 128, 256, 256)


def network() -> Any:
    """Build the network: (198, 198, 3) in, ``age_group`` (5 probabilities) and ``gender`` (2, male first) out."""
    import keras
    from keras import layers

    image = keras.Input((198, 198, 3), name="image")
    x = layers.Conv2D(32, 5, strides=3, use_bias=False, name="conv1")(image)
    x = layers.BatchNormalization(name="conv1_norm")(x)
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    for number, filters in enumerate(FILTERS, start=2):
        x = _block(x, filters, f"block{number}")
        x = layers.SpatialDropout2D(0.05, name=f"block{number}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    answers = []
    for name, classes in (("age_group", len(YOUNGEST)), ("gender", 2)):
        y = layers.Dense(96, activation="relu", name=f"{name}_dense")(x)
        y = layers.Dropout(0.3, name=f"{name}_dropout")(y)
        answers.append(layers.Dense(classes, activation="softmax", name=name, dtype="float32")(y))
    return keras.Model(image, answers, name="separable-age-gender")


def training(network: Any) -> Any:
    """Compile with Adam and the cross-entropies of both heads, alike in weight."""
    import keras

    age_group, gender = network.outputs
    model = keras.Model(network.input, {"age_group": age_group, "gender": gender})
    loss = "sparse_categorical_crossentropy"
    model.compile(
        keras.optimizers.Adam(RATE),
        loss={"age_group": loss, "gender": loss},
        metrics={"age_group": ["accuracy"], "gender": ["accuracy"]},
    )
    return model


def targets(ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
    """Give each face its class, and 1 for female, 0 for male."""
    female = np.asarray([gender == "female" for gender in genders])
    groups = np.searchsorted(YOUNGEST, ages, side="right") - 1
    return {"age_group": groups.astype(np.int64), "gender": female.astype(np.int64)}, np.ones(len(ages), dtype=bool)


def _block(x: Any, filters: int, name: str) -> Any:
    """Two separable convolutions and a pooling, beside a strided 1x1 convolution as the shortcut."""
    from keras import layers

    shortcut = layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False, name=f"{name}_shortcut")(x)
    shortcut = layers.BatchNormalization(name=f"{name}_shortcut_norm")(shortcut)
    for part in "ab":
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"{name}{part}")(x)
        x = layers.BatchNormalization(name=f"{name}{part}_norm")(x)
        if part == "a":
            x = layers.ReLU(name=f"{name}{part}_relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)
