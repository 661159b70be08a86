"""The four backbones nobody has published age and gender weights for, as Keras architectures under ``zoo/weights``.

    python -m zoo.architectures

writes them anew; it needs Keras. The heads are those of yu4u's age-gender-estimation of 2020: global average pooling,
then gender (2, female first) and age (101) by softmax. Its own table of backbones is that of ``keras.applications``,
which has no ResNet-34: that one is built here after He et al. 2015, table 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.half import slim

FOLDER = Path(__file__).parent / "weights"
SIDE = 224
APPLICATIONS = {
    "age-resnet50": "ResNet50",
    "age-xception": "Xception",
    "age-inception-resnet-v2": "InceptionResNetV2",
}
RESNET34 = "age-resnet34"
BLOCKS = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Filters and number of the blocks of each stage of a ResNet-34."""


def names() -> tuple[str, ...]:
    """List the networks, as their cards are named."""
    return (*sorted(APPLICATIONS), RESNET34)


def network(name: str) -> Any:
    """Build a network with fresh weights: ``image`` (224, 224, 3) in, ``pred_gender`` and ``pred_age`` out."""
    import keras
    from keras import layers

    keras.backend.clear_session()  # so that layers without a name of their own are counted from the start
    image = keras.Input((SIDE, SIDE, 3), name="image")
    if name == RESNET34:
        features = layers.GlobalAveragePooling2D(name="avg_pool")(_resnet34(image))
    else:
        backbone = getattr(keras.applications, APPLICATIONS[name])
        features = backbone(include_top=False, weights=None, input_tensor=image, pooling="avg").output
    gender = layers.Dense(2, activation="softmax", name="pred_gender")(features)
    age = layers.Dense(101, activation="softmax", name="pred_age")(features)
    return keras.Model(image, [gender, age], name=name)


def architecture(name: str) -> str:
    """Return the network's architecture as Keras's JSON, without what is only for training it."""
    return json.dumps(slim(json.loads(network(name).to_json())), separators=(",", ":")) + "\n"


def _resnet34(image: Any) -> Any:
    """Return the maps (7, 7, 512) of a ResNet-34: (224, 224, 3) in. Padding is alike on both sides, as in the paper."""
    from keras import layers

    x = _convolution(image, 64, 7, 2, "conv1")
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, (filters, blocks) in enumerate(BLOCKS, start=2):
        for block in range(1, blocks + 1):
            x = _block(x, filters, 2 if block == 1 and stage > 2 else 1, f"conv{stage}_block{block}")
    return x


def _block(x: Any, filters: int, strides: int, name: str) -> Any:
    from keras import layers

    y = _convolution(x, filters, 3, strides, f"{name}_1")
    y = layers.ReLU(name=f"{name}_1_relu")(y)
    y = _convolution(y, filters, 3, 1, f"{name}_2")
    shortcut = x if strides == 1 else _convolution(x, filters, 1, strides, f"{name}_0")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, y]))


def _convolution(x: Any, filters: int, size: int, strides: int, name: str) -> Any:
    from keras import layers

    if size > 1:
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, size, strides=strides, use_bias=False, name=f"{name}_conv")(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)


def main() -> None:
    """Write every architecture."""
    FOLDER.mkdir(exist_ok=True)
    for name in names():
        path = FOLDER / f"{name}.json"
        path.write_text(architecture(name), encoding="utf-8")
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
