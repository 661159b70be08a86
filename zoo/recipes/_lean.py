"""What the lean networks share: dense layers on the features of a face-recognition network that nobody trains further.

One output for ages (101 shares, read by their expectation), and three for age categories: the eight standard groups,
seven (the two groups between 38 and 53 are one) and five (the youngest two, and those between 8 and 20, are one each as
well). A year in a gap between two groups counts for the nearer one while training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.recipes import Array

AGES = 101
SPREAD = 2.5
"""Years: how far the training answer for an age reaches into its neighbours."""

YOUNGEST = {
    "groups8": (0, 3, 7, 14, 23, 36, 46, 57),
    "groups7": (0, 3, 7, 14, 23, 36, 57),
    "groups5": (0, 7, 23, 36, 57),
}
"""The first year of each category: the middles of the gaps, rounded up."""


def network(name: str, features: int, dropout: float) -> Any:
    """Build a lean network: (features,) in, ``age`` (101), ``groups8``, ``groups7`` and ``groups5`` out."""
    import keras
    from keras import layers

    tapped = x = keras.Input((features,), name="features")
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(384, activation="relu", name="dense1")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    x = layers.Dense(192, activation="relu", name="dense2")(x)
    x = layers.Dropout(dropout / 2, name="dropout3")(x)
    answers = [layers.Dense(AGES, activation="softmax", name="age")(x)]
    answers += [layers.Dense(len(first), activation="softmax", name=name)(x) for name, first in YOUNGEST.items()]
    return keras.Model(tapped, answers, name=name)


def training(network: Any, rate: float) -> Any:
    """Compile with AdamW: cross-entropies, and a tenth of the error in years."""
    import keras

    outputs = dict(zip(("age", *YOUNGEST), network.outputs, strict=True))
    model = keras.Model(network.input, outputs)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-2),
        loss={"age": _spread_and_years, **dict.fromkeys(YOUNGEST, "sparse_categorical_crossentropy")},
        loss_weights={"age": 1.0, "groups8": 0.5, "groups7": 0.25, "groups5": 0.25},
        metrics={"age": [years], "groups8": ["accuracy"]},
    )
    return model


def targets(ages: Array, genders: Sequence[str]) -> tuple[Mapping[str, Array], Array]:
    """Give each face a bell around its age, and its category of each kind."""
    bell = np.exp(-0.5 * ((np.arange(AGES) - np.minimum(ages, AGES - 1)[:, None]) / SPREAD) ** 2)
    answers = {"age": (bell / bell.sum(axis=1, keepdims=True)).astype(np.float32)}
    for name, first in YOUNGEST.items():
        answers[name] = np.searchsorted(first, ages, side="right") - 1
    return answers, np.ones(len(ages), dtype=bool)


def years(truth: Any, answer: Any) -> Any:
    """Return the absolute difference (N,) between the expectations of two distributions (N, 101) over ages."""
    from keras import ops

    axis = ops.arange(AGES, dtype="float32")
    return ops.abs(ops.sum((truth - answer) * axis, axis=-1))


def _spread_and_years(truth: Any, answer: Any) -> Any:
    import keras

    return keras.losses.categorical_crossentropy(truth, answer) + 0.1 * years(truth, answer)
