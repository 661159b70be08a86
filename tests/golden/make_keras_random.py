"""Ask Keras itself about random networks of 6 to 12 layers: branches, shared layers, models inside, several outputs.

    PYTHONPATH=.:tests/converters python tests/golden/make_keras_random.py

writes ``keras_random.npz``: for seed ``i`` the keys ``i:keras`` (the file that Keras saved), ``i:in`` and so on
(inputs, int8, 16 times as large), ``i:out NAME`` (what Keras answered,
laid out as Keras has it). It needs the extra ``keras``.
"""

from __future__ import annotations

import random
import tempfile
from math import prod
from pathlib import Path

import numpy as np
from keras_cases import BATCH, fill
from make_keras_layers import repacked

from converters.keras.load import tensorflow

SEEDS, LARGEST, LARGEST_OUTPUT = range(120), 2000, 150


class Draw(random.Random):
    """Random choices by ``random()`` alone, the one stream that Python promises to keep."""

    def whole(self, low, high):
        return low + int(self.random() * (high - low + 1))

    def one(self, items):
        return items[self.whole(0, len(items) - 1)]

    def chance(self, share):
        return self.random() < share


def activation(draw):
    return draw.one(["relu", "tanh", "sigmoid", "linear", "elu", "silu", "relu6", "softplus", "gelu", "hard_sigmoid"])


def convolution(draw, layers, x):
    kind = draw.one(["Conv2D", "Conv2D", "SeparableConv2D", "DepthwiseConv2D", "Conv2DTranspose"])
    words = {"kernel_size": (draw.whole(1, 3), draw.whole(1, 3)), "padding": draw.one(["same", "valid"])}
    words |= {"activation": activation(draw), "use_bias": draw.chance(0.7)}
    if kind != "DepthwiseConv2D":
        words["filters"] = draw.one([3, 4, 6])
    if draw.chance(0.4):
        words["strides"] = 2
    elif kind in ("Conv2D", "DepthwiseConv2D") and draw.chance(0.2):
        words["dilation_rate"] = 2
    if kind == "DepthwiseConv2D" and draw.chance(0.3):
        words["depth_multiplier"] = 2
    return getattr(layers, kind)(**words)(x)


def pooling(draw, layers, x):
    kind = draw.one([layers.MaxPooling2D, layers.AveragePooling2D])
    return kind(draw.whole(2, 3), strides=draw.whole(1, 2), padding=draw.one(["same", "valid"]))(x)


def around(draw, layers, x):
    choices = [
        lambda: layers.ZeroPadding2D(((draw.whole(0, 1), 1), (0, draw.whole(0, 2))))(x),
        lambda: layers.Cropping2D(((draw.whole(0, 1), 0), (0, 1)))(x),
        lambda: layers.UpSampling2D(2, interpolation=draw.one(["nearest", "bilinear"]))(x),
    ]
    return draw.one(choices)()


def single(draw, layers, x):
    choices = [
        lambda: layers.BatchNormalization(scale=draw.chance(0.7))(x),
        lambda: layers.Activation(activation(draw))(x),
        lambda: layers.LeakyReLU(negative_slope=0.25)(x),
        lambda: layers.PReLU(shared_axes=[1, 2])(x),
        lambda: layers.Dropout(0.5)(x),
        lambda: layers.LayerNormalization()(x),
        lambda: layers.Rescaling(0.5, 0.25)(x),
        lambda: layers.Softmax()(x),
        lambda: x * 0.5 + 1.0,
    ]
    return draw.one(choices)()


def joined(draw, layers, x, others):
    """Join with an earlier tensor of the same plane, weigh the channels, or go through one layer twice."""
    import keras

    near = [one for one in others if one.shape[1:3] == x.shape[1:3] and one is not x]
    if near and draw.chance(0.6):
        other = draw.one(near)
        if other.shape == x.shape and draw.chance(0.6):
            return draw.one([layers.Add, layers.Multiply, layers.Maximum, layers.Average])()([x, other])
        return layers.Concatenate()([x, other])
    channels = x.shape[-1]
    if draw.chance(0.5):
        means = layers.GlobalAveragePooling2D(keepdims=draw.chance(0.5))(x)
        weights = layers.Dense(channels, activation="sigmoid")(means)
        weights = weights if len(weights.shape) == 4 else layers.Reshape((1, 1, channels))(weights)
        return layers.Multiply()([x, weights])
    if draw.chance(0.5):
        shared = layers.Conv2D(channels, 3, padding="same", activation="tanh")
        return shared(shared(x))
    inner = keras.Sequential(
        [keras.Input(x.shape[1:]), layers.Conv2D(4, 1), layers.BatchNormalization(), layers.ReLU()]
    )
    return layers.Subtract()([inner(x), inner(layers.Activation("tanh")(x))])


def end(draw, layers, x):
    choices = [
        lambda: layers.Dense(draw.whole(1, 7), activation=draw.one(["softmax", "sigmoid", "linear"]))(
            layers.Flatten()(x)
        ),
        lambda: layers.Dense(5)(layers.GlobalMaxPooling2D()(x)),
        lambda: layers.Dense(3)(layers.Flatten()(layers.Permute(draw.one([(3, 1, 2), (2, 1, 3)]))(x))),
        lambda: layers.Conv2D(2, 1, activation="softmax")(x),
        lambda: layers.Dense(4)(layers.LSTM(3)(layers.Reshape((prod(x.shape[1:3]), x.shape[3]))(x))),
    ]
    return draw.one(choices)()


def checked(x):
    """Return a tensor. Raises ValueError for one that is empty or large."""
    if min(x.shape[1:]) < 1 or prod(x.shape[1:]) > LARGEST:
        raise ValueError
    return x


def network(seed):
    """Return the network of a seed, as a Keras model."""
    import keras

    draw, layers = Draw(seed), keras.layers
    while True:
        keras.backend.clear_session()
        height, width, channels = draw.whole(5, 11), draw.whole(5, 11), draw.one([2, 3, 4])
        inputs = [keras.Input((height, width, channels), name="in")]
        if draw.chance(0.25):
            inputs.append(keras.Input((height, width, channels + 1), name="in_2"))
        made = list(inputs)
        try:
            for _ in range(draw.whole(4, 9)):
                x = draw.one(made[-2:])
                step = draw.one([convolution, convolution, pooling, around, single, single, joined])
                x = step(draw, layers, x, made) if step is joined else step(draw, layers, x)
                made.append(checked(x))
            outputs = [end(draw, layers, one) for one in made[-draw.whole(1, 2) :]]
            model = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs)
        except ValueError:  # a window does not fit, or a blob has grown; draw again
            continue
        if max(prod(one.shape[1:]) for one in outputs) <= LARGEST_OUTPUT and len(set(model.output_names)) == len(
            outputs
        ):
            fill(model, seed)
            return model


def main() -> None:
    """Write all networks to one file."""
    tensorflow()
    found = {}
    for seed in SEEDS:
        model, numbers = network(seed), np.random.default_rng(seed)
        inputs = {one.name: numbers.integers(-40, 41, (BATCH, *one.shape[1:]), dtype=np.int8) for one in model.inputs}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "random.keras"
            model.save(path)
            found[f"{seed}:keras"] = np.frombuffer(repacked(path), dtype=np.uint8)
        given = [value.astype(np.float32) / 16 for value in inputs.values()]
        answers = model(given if len(given) > 1 else given[0], training=False)
        found |= {f"{seed}:{name}": value for name, value in inputs.items()}
        for name, answer in zip(model.output_names, answers if len(model.outputs) > 1 else [answers], strict=True):
            found[f"{seed}:out {name}"] = np.asarray(answer, dtype=np.float32)
    np.savez_compressed(Path(__file__).with_name("keras_random.npz"), **found)


if __name__ == "__main__":
    main()
