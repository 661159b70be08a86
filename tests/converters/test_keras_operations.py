"""Arithmetic as tf.keras 2 saves it: no Keras that can build these models still installs, so numpy is the judge."""

from __future__ import annotations

import numpy as np
import pytest
from keras_files import functional, given, layer, write_hdf5
from numpy.testing import assert_allclose

from converters.errors import Unsupported
from converters.keras import convert
from converters.keras.layers.activation import TABLE
from converters.keras.verify import orders_of
from converters.runtimes import RUNTIMES, run_onnxruntime

SHAPE = (5, 7, 3)


def lambdas(path, function, call, *, kind="TFOpLambda", second=False, before=None):
    """Write a model of one operation: ``call`` is what it is called with by name, beside its first tensor."""
    node = [["a", 0, 0, call]] if before is None else [["_CONSTANT_VALUE", -1, before, call]]
    operation = {**layer(kind, "out", function=function), "inbound_nodes": [node[0] if before is None else node]}
    layers = [given("a", *SHAPE), *([given("b", *SHAPE)] if second else []), operation]
    inputs = [["a", 0, 0], *([["b", 0, 0]] if second else [])]
    return write_hdf5(path, functional(layers, inputs, [["out", 0, 0]]), {}, version="2.11.0")


B = ["b", 0, 0]


def length(a):
    return np.sqrt((a * a).sum(-1, keepdims=True))


CASES = {
    "add": ("math.add", {"y": 1.5, "name": None}, lambda a, b: a + 1.5),
    "add two": ("__operators__.add", {"y": B, "name": None}, lambda a, b: a + b),
    "subtract": ("math.subtract", {"y": B}, lambda a, b: a - b),
    "subtract from": ("__operators__.rsub", {"y": 2.0}, lambda a, b: 2 - a),
    "multiply by channel": ("math.multiply", {"y": [1.0, 2.0, -1.0]}, lambda a, b: a * [1, 2, -1]),
    "divide": ("math.truediv", {"y": 4}, lambda a, b: a / 4),
    "relu": ("nn.relu", {"name": None}, lambda a, b: np.maximum(a, 0)),
    "leaky": ("nn.leaky_relu", {"alpha": 0.25}, lambda a, b: np.where(a > 0, a, a / 4)),
    "sigmoid": ("math.sigmoid", {}, lambda a, b: 1 / (1 + np.exp(-a))),
    "mean": ("math.reduce_mean", {"axis": [1, 2], "keepdims": False}, lambda a, b: a.mean((1, 2))),
    "clip": ("clip_by_value", {"clip_value_min": -0.5, "clip_value_max": 1}, lambda a, b: a.clip(-0.5, 1)),
    "reshape": ("reshape", {"shape": [-1, 35, 3]}, lambda a, b: a.reshape(-1, 35, 3)),
    "transpose": ("transpose", {"perm": [0, 2, 1, 3]}, lambda a, b: a.transpose(0, 2, 1, 3)),
    "matmul": ("linalg.matmul", {"b": [[1.0], [2.0], [-1.0]]}, lambda a, b: a @ [[1], [2], [-1]]),
    "matmul operator": ("__operators__.matmul", {"y": [[1.0], [2.0], [-1.0]]}, lambda a, b: a @ [[1], [2], [-1]]),
    "tensordot": ("tensordot", {"b": [1.0, 2.0, -1.0], "axes": 1}, lambda a, b: a @ [1, 2, -1]),
    "bias": ("nn.bias_add", {"bias": [1.0, 2.0, -1.0]}, lambda a, b: np.add(a, [1, 2, -1])),
    "unit": ("math.l2_normalize", {"axis": -1}, lambda a, b: a / np.sqrt((a * a).sum(-1, keepdims=True))),
    "unit, at least": ("nn.l2_normalize", {"axis": 3, "epsilon": 4}, lambda a, b: a / np.maximum(length(a), 2)),
    "length": ("norm", {"axis": -1, "keepdims": True}, lambda a, b: length(a)),
    "reverse": ("reverse", {"axis": [-1, 1]}, lambda a, b: a[:, ::-1, :, ::-1]),
    "cast": ("cast", {"dtype": "float32"}, lambda a, b: a),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", CASES)
def test_functions_of_tensorflow(name, runtime, tmp_path):
    function, call, answer = CASES[name]
    second = B in call.values()
    model = convert(lambdas(tmp_path / "a.h5", function, call, second=second))
    check(model, answer, runtime, second=second)


def check(model, answer, runtime, *, second=False):
    orders, numbers = orders_of(model), np.random.default_rng(2)
    for batch in (1, 3):
        given = {name: numbers.normal(size=(batch, *SHAPE)).astype(np.float32) for name in ("a", "b")[: 1 + second]}
        expected = answer(given["a"].astype(np.float64), given.get("b"))
        feeds = {name: np.ascontiguousarray(value.transpose(orders[name])) for name, value in given.items()}
        made = RUNTIMES[runtime](model.SerializeToString(), feeds)
        assert_allclose(made["out"], expected.transpose(orders["out"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", [*(name for name in TABLE if name != "exponential"), "hard_sigmoid"])
def test_activations_of_large_numbers(name, runtime, tmp_path):
    """OpenCV's Tanh and Softplus overflow."""
    layers = [given("a", 5, 7, 4), layer("Activation", "out", [[["a", 0, 0]]], activation=name)]
    config = functional(layers, [["a", 0, 0]], [["out", 0, 0]])
    model = convert(write_hdf5(tmp_path / "a.h5", config, {})).SerializeToString()
    feeds = {"a": np.random.default_rng(4).uniform(-900, 900, (2, 4, 5, 7)).astype(np.float32)}
    expected, made = run_onnxruntime(model, feeds)["out"], RUNTIMES[runtime](model, feeds)["out"]
    assert np.isfinite(expected).all()
    assert_allclose(made, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("step", [2, -1, -2])
def test_slices(step, runtime, tmp_path):
    whole = {"start": None, "stop": None, "step": None}
    call = {"slice_spec": [whole, {"start": 1, "stop": 4, "step": None}, {"start": None, "stop": None, "step": step}]}
    model = convert(lambdas(tmp_path / "a.h5", "__operators__.getitem", call, kind="SlicingOpLambda"))
    check(model, lambda a, b: a[:, 1:4, ::step], runtime)


@pytest.mark.parametrize(
    ("function", "call", "said"),
    [
        ("signal.fft", {}, r"the function 'signal\.fft' of TensorFlow is not supported"),
        ("io.read_file", {}, r"the function 'io\.read_file' of TensorFlow is not supported"),
        ("math.reduce_mean", {"axis": 0}, "axis 0 or an initial value is not supported"),
        ("nn.softmax", {"axis": -1, "strange": 3}, "called with strange"),
        ("cast", {"dtype": "int32"}, "dtype 'int32' is not supported"),
    ],
)
def test_others_are_named(function, call, said, tmp_path):
    with pytest.raises(Unsupported, match=rf"layer 'out' \(TFOpLambda\): {said}") as caught:
        convert(lambdas(tmp_path / "a.h5", function, call))
    assert "--via" not in str(caught.value), "Keras 3 cannot load a TFOpLambda"
