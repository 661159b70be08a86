"""Nothing in a file is passed over: what is not known for certain is refused. The judge is numpy."""

from __future__ import annotations

import numpy as np
import pytest
from keras_files import functional, given, layer, modern, write_hdf5, write_keras

from converters.errors import BadInput, Unsupported
from converters.keras import convert
from converters.keras.load import Loaded, Port
from converters.keras.mend import mended
from converters.keras.verify import made_up
from converters.onnx_file import to_bytes
from converters.runtimes import run_onnxruntime

GENERATOR = np.random.default_rng(21)
ROWS, OTHER = GENERATOR.normal(size=(2, 3, 5)).astype(np.float32)


def run(path, **feeds):
    return list(run_onnxruntime(to_bytes(convert(path)), feeds).values())


def tensor(name, dtype="float32"):
    """Return a tensor in the form of Keras 3."""
    config = {"shape": [None, 5], "dtype": dtype, "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def called(entry, *args, **named):
    """Return a layer that is called once, in the form of Keras 3; HDF5 says no module."""
    return {**entry, "inbound_nodes": [{"args": list(args), "kwargs": named}]}


def one(entry, *others):
    """Return a model of inputs a and b, of 5 numbers each, and this layer."""
    inputs = [["a", 0, 0], ["b", 0, 0]]
    return functional([given("a", 5), given("b", 5), *others, entry], inputs, [[entry["name"], 0, 0]])


def refused(config, said, kind=Unsupported, tmp_path=None, form="keras"):
    name = tmp_path / f"net.{form}"
    path = write_keras(name, config, {}) if form == "keras" else write_hdf5(name, config, {}, version="3.15.1")
    with pytest.raises(kind) as caught:
        convert(path)
    assert said in str(caught.value)
    assert "Tensor(" not in str(caught.value)


ANSWERS = {
    "Add": lambda x, y: x + y,
    "Subtract": lambda x, y: x - y,
    "Multiply": lambda x, y: x * y,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("order", ["x, 0.25", "0.25, x", "x, x"])
def test_arithmetic_in_an_hdf5_file_of_keras_3_is_told_from_a_layer(kind, order, tmp_path):
    pair = {"x, 0.25": (tensor("a"), 0.25), "0.25, x": (0.25, tensor("a")), "x, x": (tensor("a"), tensor("b"))}[order]
    numbers = {"x, 0.25": (ROWS, 0.25), "0.25, x": (0.25, ROWS), "x, x": (ROWS, OTHER)}[order]
    path = write_hdf5(tmp_path / "net.h5", one(called(layer(kind, "out"), *pair)), {}, version="3.15.1")
    (found,) = run(path, a=ROWS, b=OTHER)
    np.testing.assert_array_equal(found, ANSWERS[kind](*numbers).astype(np.float32))


def test_a_layer_of_keras_2_may_be_called_with_a_number(tmp_path):
    entry = {**layer("Multiply", "out"), "inbound_nodes": [[["a", 0, 0, {}], ["_CONSTANT_VALUE", -1, 2.0, {}]]]}
    (found,) = run(write_hdf5(tmp_path / "net.h5", one(entry), {}), a=ROWS, b=OTHER)
    np.testing.assert_array_equal(found, 2 * ROWS)


CONSTANT = {"class_name": "__numpy__", "config": {"value": [[1.0]], "dtype": "float32"}}
NORM = layer("BatchNormalization", "out", axis=-1, epsilon=1e-40)
INNER = {**functional([given("a", 5)], [["a", 0, 0]], [["a", 0, 0]], "out", "Functional"), "name": "out"}
CALLS = [
    (called(layer("Add", "out"), [tensor("a")]), "has 1 inputs; a layer of this class has 2 or more", BadInput),
    (called(layer("Average", "out"), tensor("a"), 2.0), "called with 2.0 is not supported", Unsupported),
    (called(layer("Dot", "out", axes=1), tensor("a"), CONSTANT), "only tensors may be given", Unsupported),
    (called(NORM, tensor("a"), True), "called with True is not supported", Unsupported),
    (called(INNER, tensor("a"), training=True), "called with training=True", Unsupported),
    (called(INNER, tensor("a"), True), "called with True", Unsupported),
    (called(layer("ReLU", "out"), tensor("a"), mask=[tensor("b")]), "called with mask=a tensor is not", Unsupported),
]


@pytest.mark.parametrize(("entry", "said", "kind"), CALLS, ids=[said for _, said, _ in CALLS])
def test_what_else_a_layer_is_called_with_is_refused(entry, said, kind, tmp_path):
    config = one(entry)
    if "layers" in entry["config"]:
        config["config"]["output_layers"] = [["out", 1, 0]]
    refused(config, said, kind, tmp_path, "h5")


OWN = {"module": None, "registered_name": "ReLU"}
LSTM = {"class_name": "LSTM", "config": {"units": 2}, "module": "keras.layers", "registered_name": None}
CLASSES = {
    "a script's": {**layer("ReLU", "out"), **OWN},
    "registered": {**layer("ReLU", "out"), **OWN, "registered_name": "mine>ReLU"},
    "registered, module of Keras": {**layer("ReLU", "out"), "module": "keras.layers", "registered_name": "mine>ReLU"},
    "a package's": {**layer("ReLU", "out"), "module": "keras_cv.layers", "registered_name": "keras_cv>ReLU"},
    "a model": {**INNER, **OWN, "registered_name": "Functional"},
    "inside": layer("TimeDistributed", "out", layer={**layer("ReLU", "in"), **OWN}),
    "inside twice": layer("Bidirectional", "out", layer=LSTM, backward_layer={**LSTM, **OWN}),
    "an activation": layer("Activation", "out", activation={**layer("LeakyReLU", "in"), **OWN}),
}


@pytest.mark.parametrize("name", CLASSES)
def test_somebodys_own_class_with_a_name_of_keras_is_refused(name, tmp_path):
    entry = called(CLASSES[name], tensor("a"))
    entry = {"module": "keras.layers", "registered_name": None, **entry}
    steps = called({**layer("Reshape", "steps", target_shape=[5, 1]), "module": "keras.layers"}, tensor("a"))
    if name.startswith("inside"):
        entry["inbound_nodes"][0]["args"] = [tensor("steps")]
    refused(one(entry, steps), ">", tmp_path=tmp_path)


def test_a_whole_model_of_somebodys_own_class_is_refused(tmp_path):
    config = one(called(layer("ReLU", "out"), tensor("a")))
    refused({**config, **OWN}, "a model of class '__main__>Model'", tmp_path=tmp_path)


def test_kerass_own_classes_are_taken_however_they_are_registered(tmp_path):
    scaled = called(layer("CustomScaleLayer", "out", scale=0.5), [tensor("relu"), tensor("b")])
    scaled |= {"module": "keras.src.applications.inception_resnet_v2", "registered_name": "CustomScaleLayer"}
    relu = {**modern(layer("ReLU", "relu"), [[["a", 0, 0]]]), "module": "tf_keras.src.layers.activation.relu"}
    config = one(scaled, relu) | {"module": "keras.src.models.functional", "registered_name": "Functional"}
    (found,) = run(write_keras(tmp_path / "net.keras", config, {}), a=ROWS, b=OTHER)
    np.testing.assert_allclose(found, np.maximum(ROWS, 0) + OTHER / 2, atol=1e-6)


FUNCTION = {"class_name": "function", "config": "tanh", "registered_name": "tanh"}


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize(
    "said",
    [
        {"module": "builtins", "registered_name": "function"},
        {"module": "my_nets.blocks"},
        {"module": None},
        {"module": "keras.activations", "registered_name": "mine>tanh"},
    ],
)
def test_somebodys_own_function_with_a_name_of_keras_is_refused(said, form, tmp_path):
    entry = modern(layer("Activation", "out", activation={**FUNCTION, **said}), [[["a", 0, 0]]])
    refused(one(entry), "activation 'tanh' is somebody's own function", tmp_path=tmp_path, form=form)


def test_a_function_of_keras_may_be_written_whole(tmp_path):
    function = {**FUNCTION, "module": "keras.activations"}
    entry = modern(layer("Activation", "out", activation=function), [[["a", 0, 0]]])
    (found,) = run(write_keras(tmp_path / "net.keras", one(entry), {}), a=ROWS, b=OTHER)
    np.testing.assert_allclose(found, np.tanh(ROWS), atol=1e-6)


def inner(inputs):
    """Return a nested model that gives its input ``first`` less its input ``second``."""
    layers = [
        given("first", 5),
        given("second", 5),
        called(layer("Subtract", "s"), [tensor("first"), tensor("second")]),
    ]
    return {**functional(layers, inputs, [["s", 0, 0]], "inner", "Functional"), "name": "inner"}


WORDS = {"p": ["first", 0, 0], "o": ["second", 0, 0]}
INPUTS = {
    "by the words of the model": (WORDS, {"p": tensor("a"), "o": tensor("b")}),
    "in another order": (WORDS, {"o": tensor("b"), "p": tensor("a")}),
    "a list, in the order of the words": (WORDS, [tensor("b"), tensor("a")]),
    "by the names of the inputs": (
        [["first", 0, 0], ["second", 0, 0]],
        {"second": tensor("b"), "first": tensor("a")},
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_dictionary_is_passed_to_a_nested_model_by_its_words(name, tmp_path):
    inputs, passed = INPUTS[name]
    config = one(called(inner(inputs), passed, mask={"p": None, "o": None}))
    config["config"]["output_layers"] = [["inner", 1, 0]]
    (found,) = run(write_hdf5(tmp_path / "net.h5", config, {}, version="3.15.1"), a=ROWS, b=OTHER)
    np.testing.assert_array_equal(found, ROWS - OTHER)


def test_a_dictionary_with_other_words_is_refused(tmp_path):
    config = one(called(inner(WORDS), {"p": tensor("a"), "q": tensor("b")}))
    config["config"]["output_layers"] = [["inner", 1, 0]]
    refused(config, "is called with p, q; the inputs of the model are o, p", BadInput, tmp_path, "h5")


def chain(*names, **frozen):
    """Return a nested model ``in`` of dense layers, each followed by a batch normalization."""
    layers, before = [given("x", 5)], "x"
    for name in names:
        trained = {"trainable": name not in frozen}
        layers.append(layer("Dense", name, [[[before, 0, 0]]], units=5, use_bias=False, **trained))
        layers.append(layer("BatchNormalization", f"{name}n", [[[name, 0, 0]]], axis=-1, scale=False))
        before = f"{name}n"
    model = functional(layers, [["x", 0, 0]], [[before, 0, 0]], "in", "Functional")
    return one({**model, "name": "in", "inbound_nodes": [[["a", 0, 0, {}]]]})


def trained(name):
    return {f"{name}/kernel:0": GENERATOR.normal(size=(5, 5)).astype(np.float32), f"{name}n/beta:0": np.zeros(5, "f4")}


def state(name):
    return {f"{name}n/moving_mean:0": np.zeros(5, "f4"), f"{name}n/moving_variance:0": np.ones(5, "f4")}


def test_the_tensors_of_a_nested_model_lie_in_the_order_of_its_layers(tmp_path):
    first, second, ends = trained("d1"), trained("d2"), {**state("d1"), **state("d2")}
    tensors = {**first, **second, **ends}
    (found,) = run(write_hdf5(tmp_path / "a.h5", chain("d1", "d2"), {"in": tensors}), a=ROWS, b=OTHER)
    wanted = ROWS @ first["d1/kernel:0"] @ second["d2/kernel:0"] / 1.001
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    kernel, beta = ({key: tensors[key]} for key in ("d1/kernel:0", "d1n/beta:0"))
    frozen = {**beta, **second, **kernel, **ends}
    (again,) = run(write_hdf5(tmp_path / "b.h5", chain("d1", "d2", d1=True), {"in": frozen}), a=ROWS, b=OTHER)
    np.testing.assert_array_equal(found, again)
    with pytest.raises(BadInput, match="tensor 'model_weights/in/d2/kernel:0' of 'in/d2' lies before those of 'in/d1'"):
        convert(write_hdf5(tmp_path / "c.h5", chain("d1", "d2"), {"in": {**second, **first, **ends}}))


HUGE = {"kernel:0": np.full((5, 2), 1e300), "bias:0": np.zeros(2)}
LARGE_NORM = {
    f"{name}:0": np.full(5, 1e30 if name == "gamma" else 0.0) for name in ("gamma", "beta", "mean", "variance")
}
LARGE = [
    (layer("Dense", "out", units=2), HUGE, "tensor 'model_weights/out/kernel:0' has numbers that are not finite"),
    (layer("LeakyReLU", "out", negative_slope=1e308), {}, "negative_slope is 1e+308; it has to be a number"),
    (layer("Rescaling", "out", scale=1e308), {}, "scale is 1e+308"),
    (NORM, LARGE_NORM, "layer 'out' (BatchNormalization): its numbers are too large: in float32 'mul'"),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("entry", "tensors", "said"), LARGE, ids=[said for *_, said in LARGE])
def test_numbers_that_float32_has_not_are_refused_without_a_warning(entry, tensors, said, tmp_path):
    entry = {**entry, "inbound_nodes": [[["a", 0, 0, {}]]]}
    path = write_hdf5(tmp_path / "net.h5", one(entry), {"out": tensors})
    with pytest.raises(BadInput) as caught:
        convert(path)
    assert said in str(caught.value)


def test_no_two_nodes_have_one_name(tmp_path):
    entry = layer("ReLU", "o", [[["a", 0, 0]], [["o", 0, 0]]])
    config = functional([given("a", 5), entry], [["a", 0, 0]], [["o", 0, 0], ["o", 1, 0], ["o", 0, 0]])
    model = convert(write_hdf5(tmp_path / "net.h5", config, {}))
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    found = run_onnxruntime(to_bytes(model), {"a": ROWS})
    assert list(found) == ["o", "o_1", "o_2"]
    np.testing.assert_array_equal(found["o_2"], np.maximum(ROWS, 0))


WHOLE = [
    ("Add", (tensor("a", "uint8"), 3), True),
    ("Subtract", (3, tensor("a", "uint8")), True),
    ("Multiply", (tensor("a", "uint8"), tensor("b", "uint8")), True),
    ("Multiply", (tensor("a", "uint8"), 2.0), False),
    ("Multiply", (tensor("a", "uint8"), tensor("b")), False),
    ("Multiply", (tensor("a", "int32"), 2), False),
    ("Maximum", (tensor("a", "uint8"), 2), False),
    ("TrueDivide", (tensor("a", "uint8"), 255), False),
]


@pytest.mark.parametrize(("kind", "args", "wraps"), WHOLE, ids=range(len(WHOLE)))
def test_arithmetic_on_whole_numbers_wraps_in_keras(kind, args, wraps, tmp_path):
    entry = {**called(layer(kind, "out"), *args), "module": "keras.src.ops.numpy", "registered_name": kind}
    if wraps:
        refused(one(entry), "calculates with whole numbers, which wrap round in Keras", tmp_path=tmp_path)
    else:
        assert run(write_keras(tmp_path / "net.keras", one(entry), {}), a=ROWS, b=OTHER)


def test_arithmetic_on_whole_numbers_in_keras_2_is_known_by_the_input(tmp_path):
    entry = layer("TFOpLambda", "out", function="math.multiply")
    config = one({**entry, "inbound_nodes": [["a", 0, 0, {"y": 2}]]})
    config["config"]["layers"][0]["config"]["dtype"] = "uint8"
    refused(config, "calculates with whole numbers", tmp_path=tmp_path, form="h5")


@pytest.mark.parametrize(("dtype", "most"), [("uint8", 255), ("int8", 127), ("bool", 1), ("int64", 255)])
def test_inputs_of_whole_numbers_are_judged_with_whole_numbers(dtype, most, tmp_path):
    source = write_hdf5(tmp_path / "net.h5", one(layer("ReLU", "out", [[["a", 0, 0]]])), {})
    port = Port("a", (None, 50, 3), dtype, (0, 2, 1))
    loaded = Loaded("net", (port,), (), list)
    for largest in (128, 1):
        found = made_up(source, loaded, {}, 3, largest)["a"]
        assert found.dtype == np.float32
        assert found.shape == (3, 3, 50)
        assert set(np.unique(found)) <= set(range(most + 1))
        assert (found.min(), found.max() > most / 2) == (0, True)


POLICY = {"class_name": "DTypePolicy", "module": "keras", "config": {"name": "mixed_float16"}, "registered_name": None}


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        (POLICY, "float32"),
        ({"class_name": "Policy", "config": {"name": "mixed_bfloat16"}}, "float32"),
        ("float64", "float32"),
        ("float16", "float32"),
        ("uint8", "uint8"),
    ],
)
def test_keras_judges_in_float32(dtype, wanted):
    found = mended(one(layer("ReLU", "out", [[["a", 0, 0]]], dtype=dtype)))["config"]["layers"][-1]["config"]["dtype"]
    assert (found["config"]["name"] if isinstance(found, dict) else found) == wanted


def test_code_inside_a_layer_is_named_before_anything_else(tmp_path):
    code = {"class_name": "Lambda", "config": {"name": "code", "function": ["4w==", None, None]}}
    entry = layer("TimeDistributed", "out", [[["a", 0, 0]]], layer=code)
    refused(one(entry), "the Lambda in it: its code is in the file, and code in a file is never run", tmp_path=tmp_path)


def test_slopes_that_keras_did_not_store_are_not_made_up(tmp_path):
    entry = layer("Dense", "out", [[["a", 0, 0]]], units=2, activation=layer("PReLU", "slopes"))
    kernel = {"out/kernel:0": GENERATOR.normal(size=(5, 2)).astype(np.float32), "out/bias:0": np.zeros(2, np.float32)}
    with pytest.raises(Unsupported, match="activation PReLU has no slopes in the file"):
        convert(write_hdf5(tmp_path / "a.h5", one(entry), {"out": kernel}))
    stored = {**kernel, "out/slopes/alpha:0": np.array([0.5, 0.25], np.float32)}
    (found,) = run(write_hdf5(tmp_path / "b.h5", one(entry), {"out": stored}), a=ROWS, b=OTHER)
    made = ROWS @ kernel["out/kernel:0"]
    np.testing.assert_allclose(found, np.where(made > 0, made, made * [0.5, 0.25]), rtol=1e-5, atol=1e-6)
