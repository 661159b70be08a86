"""The two public C3AE files, built anew with Keras 3 from what their configurations say; weights by their place.

Keras 3 refuses the files: a nested model is called three times, and they count its calls from 1. Nothing of the
converter is used here, so that it can be judged.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


def rebuilt(path: Path, *, squeeze: bool):
    """Return a network with the weights of its file; ``squeeze``: v89, with squeeze and excitation."""
    import keras

    branch = _branch(squeeze)
    inputs = [keras.Input((64, 64, 3), name=f"input_{i}") for i in (2, 3, 4)]
    joined = keras.layers.Concatenate()([branch(one) for one in inputs])
    if squeeze:
        groups = keras.layers.Dense(12, activation="softmax", name="dense_11")
        made = groups(joined)
    else:
        groups = keras.layers.Conv2D(12, 1, activation="softmax", name="conv2d_1")
        made = keras.layers.GlobalMaxPooling2D(name="global_max_pooling2d_1")(groups(joined))
    age = keras.layers.Dense(1, name="age")
    model = keras.Model(inputs, [age(made), made])
    with h5py.File(path) as file:
        weights = file["model_weights"]
        _fill(branch, weights["model_1"])
        _fill(groups, weights[groups.name])
        _fill(age, weights["age"])
    return model


def _branch(squeeze: bool):
    """Return the part that sees one crop: five convolutions, and what weighs the channels behind each."""
    import keras

    layers = keras.layers
    count = iter(range(1, 11))

    def weighed(x):
        if not squeeze:
            return x
        means = layers.GlobalAveragePooling2D()(x)
        hidden = layers.ReLU()(layers.Dense(16, name=f"dense_{next(count)}")(means))
        return layers.Multiply()([layers.Dense(32, activation="sigmoid", name=f"dense_{next(count)}")(hidden), x])

    given = x = layers.Input((64, 64, 3))
    for number in (1, 2, 3, 4):
        x = layers.Conv2D(32, 3, use_bias=number > 1, name=f"conv{number}")(x)
        x = layers.ReLU()(layers.BatchNormalization(name=f"batch_normalization_{number}")(x))
        x = weighed(x if number == 4 else layers.AveragePooling2D(2)(x))
    x = weighed(layers.Conv2D(32, 1, name="conv5")(x))
    return keras.Model(given, layers.Reshape((-1,) if squeeze else (1, 1, -1))(x))


def _fill(layer, group) -> None:
    """Set the weights in the order of the file, which is that of Keras 2: all trainable ones first."""
    names = [name.decode() for name in group.attrs["weight_names"]]
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    assert len(names) == len(variables)
    for name, variable in zip(names, variables, strict=True):
        assert name.split("/")[-2] in (getattr(layer, "name", ""), *(part for part in variable.path.split("/")))
        variable.assign(np.asarray(group[name]))
