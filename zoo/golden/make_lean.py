"""Ask a lean network: the published backbone in ONNX Runtime, its maps averaged by numpy, then Keras.

    python -m zoo.golden.make_lean lean-conv13 [--mirror DIR]

writes ``lean-conv13.npz`` beside this file. It needs the extra ``keras``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from converters.runtimes import run_onnxruntime
from zoo.card import find_card
from zoo.golden import Arrays, make_keras, pictures
from zoo.store import fetch_weights


def ask(backbone: Path, model: Path, tap: str, feeds: Arrays) -> Arrays:
    """Return the lean network's outputs by name for faces (8, 3, 112, 112), which the backbone takes one by one."""
    import onnx

    from converters.keras.judge import BEFORE, judge
    from converters.keras.load import load

    graph = onnx.load(backbone)
    graph.graph.output.append(onnx.helper.make_tensor_value_info(tap, onnx.TensorProto.FLOAT, None))
    singles = [{name: array[i : i + 1] for name, array in feeds.items()} for i in range(8)]
    maps = [run_onnxruntime(graph.SerializeToString(), single, optimised=False)[tap] for single in singles]
    loaded = load(model)
    made = judge(loaded, {})({loaded.inputs[0].name: np.concatenate([features(one) for one in maps])})
    return {name: values for name, values in made.items() if BEFORE not in name}


def features(maps: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Average maps (N, C, H, H) over two by two fields, which overlap where H is odd: (N, C * 4)."""
    side = maps.shape[-1]
    parts = (slice(0, -(-side // 2)), slice(side // 2, side))
    fields = [[maps[:, :, down, right].mean((2, 3)) for right in parts] for down in parts]
    return np.moveaxis(np.asarray(fields, dtype=np.float32), (0, 1), (2, 3)).reshape(len(maps), -1)


def main() -> None:
    """Write golden files."""
    import onnxruntime

    parser = argparse.ArgumentParser(description="Write the golden files of lean networks.")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--mirror", type=Path)
    arguments = parser.parse_args()
    for card in map(find_card, arguments.names):
        files = fetch_weights(card, arguments.mirror)
        paths = {weights.role: files[weights.file] for weights in card.graph()}
        inputs = pictures.inputs(card.input[0])
        answered = ask(paths["backbone"], paths["model"], card.convert["tap"], pictures.fed(inputs))
        told = f"ONNX Runtime {onnxruntime.__version__} up to {card.convert['tap']}, then {make_keras.framework()}"
        make_keras.write(card, answered, inputs, {"framework": told, **pictures.about(card.input[0])})


if __name__ == "__main__":
    main()
