"""Made-up weights keep what goes through a deep network sane."""

from __future__ import annotations

import json

import numpy as np
import pytest
from keras_files import functional, given, layer

from converters.keras import convert
from converters.onnx_file import to_bytes
from converters.runtimes import run_onnxruntime

BLOCKS, WIDTH, CLASSES = 33, 12, 7


def residual() -> dict:
    """Return a residual network with batch normalization, as deep as a ResNet of a hundred layers."""
    layers, before = [given("a", 9, 8, 3)], "a"

    def add(kind: str, name: str, *inputs: str, **config) -> str:
        layers.append(layer(kind, name, [[[one, 0, 0] for one in inputs]], **config))
        return name

    words = {"filters": WIDTH, "kernel_size": [3, 3], "padding": "same", "use_bias": False}
    before = add("Conv2D", "stem", "a", **words)
    for i in range(BLOCKS):
        x = add("Activation", f"relu_{i}", before, activation="relu")
        x = add("BatchNormalization", f"norm_a_{i}", add("Conv2D", f"conv_a_{i}", x, **words), axis=3)
        x = add("Activation", f"relu_b_{i}", x, activation="relu")
        x = add("BatchNormalization", f"norm_b_{i}", add("Conv2D", f"conv_b_{i}", x, **words), axis=3)
        before = add("Add", f"add_{i}", before, x)
    pooled = add("GlobalAveragePooling2D", "pool", before)
    add("Dense", "classes", pooled, units=CLASSES, activation="softmax")
    return functional(layers, [["a", 0, 0]], [["classes", 0, 0], [before, 0, 0]])


@pytest.mark.parametrize("scale", [1, 255])
def test_a_deep_residual_network_neither_dies_nor_explodes(scale, tmp_path):
    path = tmp_path / "net.json"
    path.write_text(json.dumps(residual()))
    pictures = scale * np.random.default_rng(2).uniform(size=(4, 3, 9, 8)).astype(np.float32)
    found = run_onnxruntime(to_bytes(convert(path)), {"a": pictures})
    assert found["classes"].max() < 0.9
    assert np.ptp(found["classes"], axis=0).max() > 1e-5  # the numbers depend on the picture
    last = found[f"add_{BLOCKS - 1}"]
    assert 0.1 < np.abs(last).mean() / np.abs(pictures).mean() < 1000
