"""Ask ONNX Runtime about a network that was ONNX from the start: the untouched file, one input after the other.

    python -m zoo.golden.make_onnx dlib-age yunet-face [--mirror DIR]

writes ``dlib-age.npz`` and so on beside this file. The graph runs node by node as it is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from converters.runtimes import run_onnxruntime
from zoo.card import find_card
from zoo.golden import Arrays, pictures
from zoo.golden.make_keras import write
from zoo.store import fetch_weights

CROWDS = 2
"""Pictures for a detector: each has some 130,000 numbers for an answer."""


def ask(model: Path, feeds: Arrays) -> Arrays:
    """Return the outputs by name, batch first, for inputs (8, channels, height, width) that are fed one by one."""
    count = len(next(iter(feeds.values())))
    singles = [{name: array[i : i + 1] for name, array in feeds.items()} for i in range(count)]
    answers = [run_onnxruntime(model, single, optimised=False) for single in singles]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def framework() -> str:
    """Say what answered."""
    import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__} (the file as it was published, CPU)"


def main() -> None:
    """Write golden files."""
    parser = argparse.ArgumentParser(description="Write the golden files of networks that are ONNX already.")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--mirror", type=Path)
    arguments = parser.parse_args()
    for card in map(find_card, arguments.names):
        (weights,) = card.graph()
        spec = card.input[0]
        inputs = pictures.inputs(spec) if card.heads else pictures.crowds(spec, CROWDS)
        answered = ask(fetch_weights(card, arguments.mirror)[weights.file], pictures.fed(inputs))
        write(card, answered, inputs, {"framework": framework(), **pictures.about(spec)})


if __name__ == "__main__":
    main()
