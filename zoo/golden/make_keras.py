"""Ask Keras itself, as a ``tf.function``. It needs the extra ``keras``.

    python -m zoo.golden.make_keras wide-resnet-16-8 [--mirror DIR]

writes ``wide-resnet-16-8.npz`` beside this file. A network without weights of its own gets those that the converter
makes up for it, handed to Keras layer by layer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from zoo.card import Card, find_card
from zoo.golden import FOLDER, Arrays, pictures
from zoo.store import fetch_weights


def ask(card: Card, model: Path, feeds: Arrays) -> Arrays:
    """Return Keras's outputs by name for inputs (8, channels, height, width), both as in the ONNX file."""
    from converters.keras.judge import BEFORE, judge
    from converters.keras.load import load

    if card.seeded:
        return _ask_seeded(model, feeds)
    made = judge(load(model), {})(feeds)
    return {name: values for name, values in made.items() if BEFORE not in name}


def _ask_seeded(model: Path, feeds: Arrays) -> Arrays:
    from converters.keras import convert_network, read
    from converters.keras.load import tensorflow

    tf = tensorflow()
    import keras

    network = read(model)
    convert_network(network)  # makes the weights up
    loaded: Any = keras.models.model_from_json(model.read_text(encoding="utf-8"))
    for leaf in network.graph.leaves():
        for name, numbers in leaf.weights.handed_out().items():
            (variable,) = (v for v in loaded.get_layer(leaf.name).weights if v.name == name)
            variable.assign(numbers)
    (image,) = loaded.inputs
    made = tf.function(lambda tensor: loaded(tensor, training=False))(feeds[image.name].transpose(0, 2, 3, 1))
    return {name: np.asarray(values) for name, values in zip(loaded.output_names, made, strict=True)}


def framework() -> str:
    """Say what answered."""
    import keras
    import tensorflow as tf

    return f"Keras {keras.__version__} (TensorFlow {tf.__version__}, CPU)"


def write(card: Card, answered: Arrays, inputs: Arrays, meta: dict[str, Any], kind: str = "output") -> None:
    """Write the golden file of a card; its files are named in it. ``kind`` is ``found`` for rows of detections."""
    told = {**meta, "sha256": {weights.file: weights.sha256 for weights in card.graph()}}
    arrays: dict[str, Any] = {**inputs, **{f"{kind}:{name}": values for name, values in answered.items()}}
    path = FOLDER / f"{card.name}.npz"
    np.savez_compressed(path, meta=json.dumps(told), **arrays)
    print(f"{path}: {path.stat().st_size} bytes")


def main() -> None:
    """Write golden files."""
    parser = argparse.ArgumentParser(description="Write the golden files of Keras networks.")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--mirror", type=Path)
    arguments = parser.parse_args()
    for card in map(find_card, arguments.names):
        (weights,) = card.graph()
        inputs = pictures.inputs(card.input[0])
        answered = ask(card, fetch_weights(card, arguments.mirror)[weights.file], pictures.fed(inputs))
        write(card, answered, inputs, {"framework": framework(), **pictures.about(card.input[0])})


if __name__ == "__main__":
    main()
