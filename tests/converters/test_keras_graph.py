"""Graphs in the notation of each Keras: models in models, shared layers, several outputs. The judge is numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras_files import functional, given, layer, modern, write_hdf5, write_keras

from converters.errors import BadInput, Unsupported
from converters.keras import convert
from converters.onnx_file import to_bytes
from converters.runtimes import run_onnxruntime

GENERATOR = np.random.default_rng(3)
INNER, SHARED = GENERATOR.normal(size=(5, 5)).astype(np.float32), GENERATOR.normal(size=(5, 5)).astype(np.float32)
ROWS = GENERATOR.normal(size=(4, 3, 5)).astype(np.float32)
DENSE = {"units": 5, "use_bias": False, "activation": "linear"}


def run(path: Path, **feeds: np.ndarray) -> dict[str, np.ndarray]:
    return run_onnxruntime(to_bytes(convert(path)), feeds)


def inner(name: str, calls: list, kind: str = "Model") -> dict:
    """Return a nested model: tanh of a dense layer."""
    layers = [given("start", 5), layer("Dense", "deep", [[["start", 0, 0]]], **DENSE)]
    layers.append(layer("Activation", "end", [[["deep", 0, 0]]], activation="tanh"))
    model = functional(layers, [["start", 0, 0]], [["end", 0, 0]], name, kind)
    return {**model, "inbound_nodes": [[[*ref, {}] for ref in call] for call in calls]}


def nested(x: np.ndarray) -> np.ndarray:
    return np.tanh(x @ INNER)


@pytest.mark.parametrize("first", [0, 1, 4])
def test_a_nested_model_that_is_called_three_times_may_count_its_calls_from_anywhere(first, tmp_path):
    layers = [given(name, 5) for name in ("a", "b", "c")]
    layers.append(inner("twin", [[["a", 0, 0]], [["b", 0, 0]], [["c", 0, 0]]]))
    layers.append(layer("Concatenate", "join", [[["twin", first + i, 0] for i in (2, 0, 1)]], axis=-1))
    outputs = [["join", 0, 0], ["twin", first + 1, 0]]
    config = functional(layers, [["a", 0, 0], ["b", 0, 0], ["c", 0, 0]], outputs)
    path = write_hdf5(tmp_path / "net.h5", config, {"twin": {"deep/kernel:0": INNER}, "join": {}})
    a, b, c = ROWS.transpose(1, 0, 2)
    found = run(path, a=a, b=b, c=c)
    np.testing.assert_allclose(found["join"], np.concatenate([nested(c), nested(a), nested(b)], 1), atol=1e-6)
    np.testing.assert_allclose(found["twin"], nested(b), atol=1e-6)
    names = [node.name for node in convert(path).graph.node]
    assert len(set(names)) == len(names)
    assert {"twin/deep", "twin/end", "twin/deep_2", "twin/deep_3", "join"} <= set(names)
    assert sum(t.name.endswith("kernel") for t in convert(path).graph.initializer) == 1


def test_keras_3_counts_the_calls_of_a_functional_output_from_1(tmp_path):
    twin = modern(inner("twin", [], "Functional"), [[["a", 0, 0]], [["b", 0, 0]]])
    join = modern(layer("Subtract", "join"), [[["twin", 0, 0], ["twin", 1, 0]]])
    layers = [given("a", 5), given("b", 5), twin, join]
    config = functional(layers, [["a", 0, 0], ["b", 0, 0]], {"z": ["twin", 1, 0], "y": ["join", 0, 0]})
    config["class_name"] = "Functional"
    tensors = {"layers/functional/layers/dense/vars/0": INNER}
    a, b = ROWS[:, 0], ROWS[:, 1]
    found = run(write_keras(tmp_path / "net.keras", config, tensors), a=a, b=b)
    assert list(found) == ["join", "twin"]  # a dictionary is flattened by sorted key
    np.testing.assert_allclose(found["join"], nested(a) - nested(b), atol=1e-6)
    np.testing.assert_allclose(found["twin"], nested(a), atol=1e-6)


def test_a_shared_layer_may_need_what_another_call_of_it_made(tmp_path):
    calls = [[["a", 0, 0]], [["half", 0, 0]]]
    layers = [given("a", 5), layer("Dense", "twice", calls, **DENSE)]
    layers.append(layer("Activation", "half", [[["twice", 0, 0]]], activation="relu"))
    config = functional(layers, [["a", 0, 0]], [["twice", 1, 0], ["twice", 0, 0], ["a", 0, 0], ["half", 0, 0]])
    path = write_hdf5(tmp_path / "net.h5", config, {"twice": {"twice/kernel:0": SHARED}})
    x = ROWS[:, 0]
    found = run(path, a=x)
    assert list(found) == ["twice", "twice_1", "a_1", "half"]
    np.testing.assert_allclose(found["twice"], np.maximum(x @ SHARED, 0) @ SHARED, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["twice_1"], x @ SHARED, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["a_1"], x)


def test_models_lie_in_models_and_their_weights_are_told_apart(tmp_path):
    middle_layers = [given("start", 5), inner("left", [[["start", 0, 0]]]), inner("right", [[["left", 1, 0]]])]
    middle = functional(middle_layers, [["start", 0, 0]], [["right", 1, 0]], "middle")
    layers = [given("a", 5), {**middle, "inbound_nodes": [[["a", 0, 0, {}]]]}]
    config = functional(layers, [["a", 0, 0]], [["middle", 1, 0]])
    stored = {"middle/left/deep/kernel:0": INNER, "middle/right/deep/kernel:0": SHARED}
    found = run(write_hdf5(tmp_path / "net.h5", config, {"middle": stored}), a=ROWS[:, 0])
    np.testing.assert_allclose(found["middle"], np.tanh(nested(ROWS[:, 0]) @ SHARED), atol=1e-6)
    unclear = {"deep/kernel:0": INNER, "deep_1/kernel:0": SHARED}
    with pytest.raises(BadInput, match="could be of middle/left/deep or middle/right/deep"):
        convert(write_hdf5(tmp_path / "net.h5", config, {"middle": unclear}))


def test_two_flattened_pictures_are_joined_as_they_lie_in_memory(tmp_path):
    shape = (3, 2, 4)
    layers = [given("a", *shape), given("b", 5)]
    layers.append(layer("Activation", "act", [[["a", 0, 0]]], activation="tanh"))
    layers.append(layer("Flatten", "flat", [[["act", 0, 0]]]))
    layers.append(layer("Concatenate", "join", [[["flat", 0, 0], ["b", 0, 0]]], axis=1))
    layers.append(layer("Dense", "last", [[["join", 0, 0]]], **DENSE))
    config = functional(layers, [["a", 0, 0], ["b", 0, 0]], [["last", 0, 0], ["flat", 0, 0]])
    kernel = GENERATOR.normal(size=(29, 5)).astype(np.float32)
    path = write_hdf5(tmp_path / "net.h5", config, {"last": {"last/kernel:0": kernel}})
    pictures = GENERATOR.normal(size=(4, *shape)).astype(np.float32)
    found = run(path, a=np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)), b=ROWS[:, 0])
    flat = np.tanh(pictures).reshape(4, -1)
    np.testing.assert_allclose(found["last"], np.concatenate([flat, ROWS[:, 0]], 1) @ kernel, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["flat"], flat, atol=1e-6)
    assert not [node for node in convert(path).graph.node if node.op_type == "Transpose"]


def test_a_channels_first_model_keeps_its_layout(tmp_path):
    kernel = GENERATOR.normal(size=(1, 1, 3, 5)).astype(np.float32)
    words = {"filters": 5, "kernel_size": [1, 1], "use_bias": False, "data_format": "channels_first"}
    layers = [given("a", 3, 4, 2), layer("Conv2D", "conv", [[["a", 0, 0]]], **words)]
    layers.append(layer("Flatten", "flat", [[["conv", 0, 0]]], data_format="channels_first"))
    config = functional(layers, [["a", 0, 0]], [["conv", 0, 0], ["flat", 0, 0]])
    path = write_hdf5(tmp_path / "net.h5", config, {"conv": {"conv/kernel:0": kernel}})
    pictures = GENERATOR.normal(size=(2, 3, 4, 2)).astype(np.float32)
    made = np.einsum("nchw,cf->nfhw", pictures, kernel[0, 0])
    found = run(path, a=pictures)
    np.testing.assert_allclose(found["conv"], made, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["flat"], made.transpose(0, 2, 3, 1).reshape(2, -1), rtol=1e-5, atol=1e-5)


def chain(*entries: dict) -> dict:
    """Return a model of these layers one after the other, behind an input of 5 numbers."""
    layers, before = [given("a", 5)], "a"
    for entry in entries:
        layers.append({"inbound_nodes": [[[before, 0, 0, {}]]], **entry})
        before = entry["name"]
    return functional(layers, [["a", 0, 0]], [[before, 0, 0]])


CODE = {"function": ["4wEAAAA=", None, None], "function_type": "lambda"}
WRONG = [
    (chain(layer("Lambda", "run", **CODE)), "code in a file is never run", Unsupported),
    (chain({**layer("Scale", "mine"), "module": "my.layers"}), "is a class of somebody's own", Unsupported),
    (chain({**layer("Dense", "mine", **DENSE), "module": "my.layers"}), "my.layers>Dense", Unsupported),
    (chain(layer("Custom>Scale", "mine")), "is a class of somebody's own", Unsupported),
    (chain(layer("Strange", "odd")), "layer 'odd' (Strange): no converter for layers of class 'Strange'", Unsupported),
    (chain(layer("Strange", "odd")), "--via tf2onnx", Unsupported),
    (chain(layer("Activation", "act", activation="mine")), "activation 'mine' is not supported", Unsupported),
    (chain(layer("ReLU", "act", strange=3)), "the setting strange = 3 is not supported", Unsupported),
    (chain(layer("ReLU", "act", max_value="a")), "max_value is 'a'; it has to be a number", BadInput),
    (chain(layer("Reshape", "to", target_shape=[2, 3])), "does not hold the 5 numbers", BadInput),
    (chain(layer("Reshape", "to", target_shape=[2**40, -1])), "does not hold the 5 numbers", BadInput),
    (chain(layer("RepeatVector", "to", n=2**30)), "check the sizes", BadInput),
    (chain(layer("Conv2D", "conv", filters=2, kernel_size=3)), "it needs 4 axes", BadInput),
    (chain(layer("ReLU", "a1", [[["gone", 0, 0]]])), "output 0 of call 0 of 'gone' is read", BadInput),
    (chain(layer("ReLU", "a1", [[["a", 1, 0]]])), "output 0 of call 1 of 'a' is read", BadInput),
    (chain(layer("ReLU", "a1", [[["a", 0, 2]]])), "its output 2 is read; it makes 1", BadInput),
    (chain(layer("ReLU", "a1", [[["a1", 0, 0]]])), "it needs what it makes itself", BadInput),
    (chain(layer("ReLU", "a1"), layer("ReLU", "a1")), "two layers are named 'a1'", BadInput),
    (chain(layer("ReLU", "a1", [[["a", 0, 0], ["a", 0, 0]]])), "has 2 inputs", BadInput),
    (
        chain({**layer("Dropout", "drop"), "inbound_nodes": [[["a", 0, 0, {"training": True}]]]}),
        "training=True",
        Unsupported,
    ),
    ({"class_name": "Mine>Model", "config": {}}, "a model of class 'Mine>Model' is not supported", Unsupported),
    (functional([given("a", 2**20, 2**20)], [["a", 0, 0]], [["a", 0, 0]]), "is too large", BadInput),
    (functional([given("a", -1)], [["a", 0, 0]], [["a", 0, 0]]), "sizes are whole numbers from 1 on", BadInput),
    (functional([], [["a", 0, 0]], [["a", 0, 0]]), "has no list of layers", BadInput),
    (functional([given("a", 5)], [], []), "is empty", BadInput),
    (functional([given("a", 5)], [["b", 0, 0]], [["a", 0, 0]]), "of 'b' is read, and is not there", BadInput),
    ({"class_name": "Sequential", "config": {"layers": [layer("ReLU", "act")]}}, "how large the input is", BadInput),
    ({"class_name": "Sequential", "config": {"layers": [7]}}, "a layer is 7", BadInput),
]


@pytest.mark.parametrize(("config", "said", "kind"), WRONG, ids=[said for _, said, _ in WRONG])
def test_what_is_wrong_or_not_known_is_named(config, said, kind, tmp_path):
    path = write_hdf5(tmp_path / "net.h5", config, {})
    with pytest.raises(kind) as caught:
        convert(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
