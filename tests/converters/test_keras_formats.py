"""One small network in the file of each Keras; the judge is the same network in numpy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import keras_files as files
import numpy as np
import onnx
import pytest
from keras_files import layer, sequential, write_hdf5, write_keras

from converters.errors import BadInput, Unsupported
from converters.keras import convert, read
from converters.keras.files import read_source
from converters.keras.load import load
from converters.onnx_file import to_bytes
from converters.runtimes import run_onnxruntime

HEIGHT, WIDTH, CHANNELS, FILTERS, UNITS = 7, 5, 3, 4, 2
GENERATOR = np.random.default_rng(5)
KERNEL = GENERATOR.normal(size=(2, 3, CHANNELS, FILTERS)).astype(np.float32)
BIAS = GENERATOR.normal(size=FILTERS).astype(np.float32)
GAMMA, BETA, MEAN = GENERATOR.normal(size=(3, FILTERS)).astype(np.float32)
VARIANCE = GENERATOR.uniform(0.5, 2, FILTERS).astype(np.float32)
ROWS = GENERATOR.normal(size=((HEIGHT - 1) * (WIDTH - 2) * FILTERS, UNITS)).astype(np.float32)
LAST = GENERATOR.normal(size=UNITS).astype(np.float32)
NORM = (GAMMA, BETA, MEAN, VARIANCE)


def judge(pictures: np.ndarray) -> np.ndarray:
    """Run the network in numpy, (N, height, width, channels): convolution, batch normalization, ReLU, dense."""
    windows = np.lib.stride_tricks.sliding_window_view(pictures.astype(np.float64), (2, 3), axis=(1, 2))
    made = np.einsum("nhwcij,ijcf->nhwf", windows, KERNEL.astype(np.float64)) + BIAS
    made = np.maximum((made - MEAN) / np.sqrt(VARIANCE + 1e-3) * GAMMA + BETA, 0)
    return made.reshape(len(pictures), -1) @ ROWS.astype(np.float64) + LAST


def keras_1(folder: Path) -> Path:
    layers = [
        layer(
            "Convolution2D",
            "convolution2d_1",
            nb_filter=FILTERS,
            nb_row=2,
            nb_col=3,
            border_mode="valid",
            subsample=[1, 1],
            dim_ordering="tf",
            activation="linear",
            bias=True,
            init="glorot_uniform",
            W_regularizer=None,
            batch_input_shape=[None, HEIGHT, WIDTH, CHANNELS],
            input_dtype="float32",
        ),
        layer("BatchNormalization", "batchnormalization_1", mode=0, axis=-1, epsilon=1e-3, momentum=0.99),
        layer("Activation", "activation_1", activation="relu"),
        layer("Dropout", "dropout_1", p=0.3),
        layer("Flatten", "flatten_1"),
        layer("Dense", "dense_1", output_dim=UNITS, activation="linear", bias=True, input_dim=None),
    ]
    norm = dict(zip(("gamma", "beta", "running_mean", "running_std"), NORM, strict=True))
    groups = {
        "convolution2d_1": {"convolution2d_1_W:0": KERNEL, "convolution2d_1_b:0": BIAS},
        "batchnormalization_1": {f"batchnormalization_1_{name}:0": value for name, value in norm.items()},
        "activation_1": {},
        "dense_1": {"dense_1_W:0": ROWS, "dense_1_b:0": LAST},
    }
    config = {"class_name": "Sequential", "config": layers}
    return write_hdf5(folder / "one.h5", config, groups, version=b"1.2.2")


def layers_of_keras_2() -> list[dict]:
    shape = [None, HEIGHT, WIDTH, CHANNELS]
    words = {"kernel_size": [2, 3], "strides": [1, 1], "padding": "valid", "data_format": "channels_last"}
    return [
        layer("Conv2D", "conv", filters=FILTERS, **words, use_bias=True, batch_input_shape=shape, dtype="float32"),
        layer("BatchNormalization", "norm", axis=-1, epsilon=1e-3, center=True, scale=True),
        layer("ReLU", "relu", max_value=None, negative_slope=0.0, threshold=0.0),
        layer("Flatten", "flatten", data_format="channels_last"),
        layer("Dense", "dense", units=UNITS, activation="linear", use_bias=True),
    ]


def groups_of_keras_2(prefix: str = "", cast: type = np.float32) -> dict[str, dict[str, np.ndarray]]:
    norm = dict(zip(("gamma", "beta", "moving_mean", "moving_variance"), NORM, strict=True))
    groups = {
        "conv": {"kernel": KERNEL, "bias": BIAS},
        "norm": norm,
        "flatten": {},
        "dense": {"kernel": ROWS, "bias": LAST},
    }
    return {
        name: {f"{prefix}{name}/{tensor}:0": value.astype(cast) for tensor, value in tensors.items()}
        for name, tensors in groups.items()
    }


def keras_2_list(folder: Path) -> Path:
    """Keras before 2.2.3 writes the layers of a Sequential as a bare list."""
    config = {"class_name": "Sequential", "config": layers_of_keras_2()}
    return write_hdf5(folder / "two.h5", config, groups_of_keras_2(), version="2.0.6")


def keras_2(folder: Path) -> Path:
    return write_hdf5(folder / "two.h5", sequential(layers_of_keras_2()), groups_of_keras_2(), as_bytes=False)


def keras_2_nested(folder: Path) -> Path:
    """Write a Sequential in a Sequential; its tensors lie in one group, the trainable ones first."""
    inner = {**sequential(layers_of_keras_2()[:3]), "config": {"name": "inner", "layers": layers_of_keras_2()[:3]}}
    groups = groups_of_keras_2()
    norm = groups["norm"]
    first = {name: norm[name] for name in list(norm)[:2]}
    last = {name: norm[name] for name in list(norm)[2:]}
    nested = {"inner": {**groups["conv"], **first, **last}, "dense": groups["dense"]}
    return write_hdf5(folder / "two.h5", sequential([inner, *layers_of_keras_2()[3:]]), nested, version="2.4.0-tf")


def nested_slashes(folder: Path) -> Path:
    """Write slashes into the names of a nested model's layers, as DenseNet has them as a backbone."""
    inner = [{**one, "name": f"block/{one['name']}"} for one in layers_of_keras_2()[:3]]
    for one in inner:
        one["config"] = {**one["config"], "name": one["name"]}
    groups = groups_of_keras_2()
    conv, norm = ({f"block/{name}": value for name, value in groups[of].items()} for of in ("conv", "norm"))
    nested = {"inner": conv | norm, "dense": groups["dense"]}
    entry = {**sequential(inner), "config": {"name": "inner", "layers": inner}}
    return write_hdf5(folder / "two.h5", sequential([entry, *layers_of_keras_2()[3:]]), nested, version="2.9.0")


def tensorflow_2(folder: Path) -> Path:
    """Write a Functional model, its tensors under the name of the model."""
    shape = [None, HEIGHT, WIDTH, CHANNELS]
    chain = [layer("InputLayer", "picture", [], batch_input_shape=shape), *layers_of_keras_2()]
    for before, entry in pairwise(chain):
        entry["inbound_nodes"] = [[[before["name"], 0, 0, {}]]]
        entry["config"].pop("batch_input_shape", None)
    config = files.functional(chain, [["picture", 0, 0]], [["dense", 0, 0]], kind="Functional")
    return write_hdf5(folder / "tf.h5", config, groups_of_keras_2("net/"), version="2.15.0")


def tensorflow_2_slashes(folder: Path) -> Path:
    """Write slashes in the names of layers, as DenseNet has them: groups of layers lie in groups of layers."""
    path, old = tensorflow_2(folder), groups_of_keras_2()
    with h5py.File(path) as file:
        config = file.attrs["model_config"]
    groups = {}
    for name, new in {"relu": "block", "conv": "block/conv", "norm": "block/norm", "dense": "dense/1"}.items():
        config = config.replace(f'"{name}"', f'"{new}"')
        groups[new] = {f"{new}/{tensor.rpartition('/')[2]}": value for tensor, value in old.get(name, {}).items()}
    return write_hdf5(path, json.loads(config), groups, version="2.15.0")


def keras_2_chunks(folder: Path) -> Path:
    """Write long lists of names in pieces, as Keras does above 64 KB."""
    path = keras_2(folder)
    with h5py.File(path, "a") as file:
        weights = file["model_weights"]
        for group, name in [(weights, "layer_names"), *((one, "weight_names") for one in weights.values())]:
            for number, piece in enumerate(np.array_split(group.attrs.pop(name), 2)):
                group.attrs[f"{name}{number}"] = piece
    return path


def keras_3(folder: Path) -> Path:
    return write_keras(folder / "three.keras", sequential(layers_of_keras_3()), tensors_of_keras_3())


def layers_of_keras_3() -> list[dict]:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    first = layer("InputLayer", "picture", batch_shape=[None, HEIGHT, WIDTH, CHANNELS], dtype="float32", optional=False)
    layers = [first, *layers_of_keras_2()]
    for entry in layers[1:]:
        entry["config"].pop("batch_input_shape", None)
        entry["config"]["dtype"] = policy
        entry |= {"module": "keras.layers", "registered_name": None, "build_config": {}}
    return layers


def tensors_of_keras_3(layers: str = "layers", cast: type = np.float32) -> dict[str, np.ndarray]:
    named = {"conv2d": (KERNEL, BIAS), "batch_normalization": NORM, "dense": (ROWS, LAST)}
    return {
        f"{layers}/{name}/vars/{i}": value.astype(cast)
        for name, values in named.items()
        for i, value in enumerate(values)
    }


def keras_2_12(folder: Path) -> Path:
    """Write the layers into a group of another name, as the first ``.keras`` files do."""
    tensors = tensors_of_keras_3("_layer_checkpoint_dependencies")
    return write_keras(folder / "three.keras", sequential(layers_of_keras_3()), tensors, version="2.12.0")


FORMATS = (keras_1, keras_2_list, keras_2, keras_2_nested, keras_2_chunks, tensorflow_2, tensorflow_2_slashes)
FORMATS += (nested_slashes, keras_3, keras_2_12)


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_network_is_the_same_in_the_file_of_each_keras(write, batch, tmp_path):
    model = convert(write(tmp_path))
    pictures = np.random.default_rng(batch).normal(size=(batch, HEIGHT, WIDTH, CHANNELS)).astype(np.float32)
    feeds = {model.graph.input[0].name: np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))}
    (found,) = run_onnxruntime(to_bytes(model), feeds).values()
    np.testing.assert_allclose(found, judge(pictures), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
def test_the_graph_is_as_short_as_it_can_be(write, tmp_path):
    model = convert(write(tmp_path))
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu", "Reshape", "Gemm"]


def test_half_precision_weights_are_converted(tmp_path):
    path = write_keras(tmp_path / "half.keras", sequential(layers_of_keras_3()), tensors_of_keras_3(cast=np.float16))
    model = convert(path)
    assert {t.data_type for t in model.graph.initializer} == {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}


def test_names_and_metadata_are_those_of_the_file(tmp_path):
    path = tensorflow_2(tmp_path)
    model = convert(path, metadata={"name": "tiny"})
    assert [one.name for one in model.graph.input] == ["picture"]
    assert [one.name for one in model.graph.output] == ["dense"]
    assert [node.name for node in model.graph.node] == ["conv", "relu", "flatten", "dense"]
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    assert metadata["road"] == "direct"
    assert metadata["name"] == "tiny"
    assert metadata["source_model_sha256"] == read(path).source.sha256
    assert metadata["source_keras_version"] == "2.15.0"
    assert "weights" not in metadata
    batch, *sizes = model.graph.input[0].type.tensor_type.shape.dim
    assert (batch.dim_param, [d.dim_value for d in sizes]) == ("N", [CHANNELS, HEIGHT, WIDTH])


def test_the_same_file_gives_the_same_bytes(tmp_path):
    path = keras_2_nested(tmp_path)
    assert to_bytes(convert(path)) == to_bytes(convert(path))


def test_metadata_cannot_contradict_the_file(tmp_path):
    with pytest.raises(ValueError, match="contradicts"):
        convert(keras_2(tmp_path), metadata={"road": "other"})


def test_an_architecture_alone_gets_seeded_weights(tmp_path):
    path = tmp_path / "net.json"
    path.write_text(json.dumps({**sequential(layers_of_keras_2()), "keras_version": "2.2.4"}))
    model = convert(path)
    assert to_bytes(model) == to_bytes(convert(path))
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    assert metadata["weights"].startswith("made up (seeded)")
    numbers = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer]
    assert all(len(np.unique(n)) == n.size for n in numbers if n.dtype == np.float32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: g["conv"].pop("conv/bias:0"), "layer 'conv' (Conv2D): the file has no tensor 'bias' for it"),
        (lambda g: g["dense"].update({"dense/more:0": LAST}), "dense/more:0' is not used"),
        (lambda g: g.update(other={"other/kernel:0": LAST}), "other/kernel:0' belongs to no layer"),
        (lambda g: g["conv"].update({"conv/kernel:0": KERNEL[:1]}), "its tensor 'kernel' has the shape (1, 3, 3, 4)"),
        (lambda g: g["conv"].update({"conv/bias:0": BIAS * np.nan}), "not finite"),
        (lambda g: g["conv"].update({"conv/bias:0": np.arange(FILTERS)}), "has the type int64"),
        (lambda g: g["norm"].update({"norm/moving_variance:0": -VARIANCE}), "not positive"),
        (lambda g: g["flatten"].update({"flatten/kernel:0": LAST}), "flatten/kernel:0' is not used"),
    ],
)
def test_each_tensor_is_used_once_or_named(change, said, tmp_path):
    groups = groups_of_keras_2()
    change(groups)
    path = write_hdf5(tmp_path / "net.h5", sequential(layers_of_keras_2()), groups)
    with pytest.raises(BadInput) as caught:
        convert(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("extra", ["layers/dense_1/vars/0", "layers/dense/vars/2", "strange/vars/0"])
def test_a_tensor_of_no_layer_is_named_in_a_keras_file(extra, tmp_path):
    tensors = {**tensors_of_keras_3(), extra: LAST}
    path = write_keras(tmp_path / "net.keras", sequential(layers_of_keras_3()), tensors)
    with pytest.raises(BadInput, match=extra):
        convert(path)


def test_sources_of_random_numbers_are_no_weights(tmp_path):
    tensors = {**tensors_of_keras_3(), "layers/dropout/seed_generator/vars/0": np.zeros(2, np.uint32)}
    convert(write_keras(tmp_path / "net.keras", sequential(layers_of_keras_3()), tensors))


def test_a_saved_model_folder_names_the_other_road(tmp_path):
    with pytest.raises(Unsupported, match="--via tf2onnx"):
        convert(tmp_path)


def weights_only(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv"]
        file.create_dataset("conv/conv/kernel:0", data=KERNEL)


BIAS_PATH = "model_weights/conv/conv/bias:0"


def changed(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    """Return what writes a file of Keras 2 and changes something in it."""

    def write(path: Path) -> None:
        write_hdf5(path, sequential(layers_of_keras_2()), groups_of_keras_2())
        with h5py.File(path, "a") as file:
            change(file)

    return write


def without(name: str, instead: Any) -> Callable[[Path], None]:
    """Return what writes a file of Keras 2 with something else at one place."""

    def change(file: h5py.File) -> None:
        del file[name]
        if isinstance(instead, dict):
            file.create_dataset(name, **instead)
        else:
            file[name] = instead

    return changed(change)


def attribute(name: str, value: Any, group: str = "model_weights/conv") -> Callable[[Path], None]:
    return changed(lambda file: file[group].attrs.__setitem__(name, value))


ELSEWHERE = h5py.ExternalLink("/etc/passwd", "/")
DAMAGE = (
    (without(BIAS_PATH, ELSEWHERE), "bias:0 is a link to elsewhere"),
    (without(BIAS_PATH, h5py.SoftLink("/model_weights/conv/conv/kernel:0")), "bias:0 is a link to elsewhere"),
    (without("model_weights/conv", ELSEWHERE), "model_weights/conv is a link to elsewhere"),
    (without("model_weights", ELSEWHERE), ": model_weights is a link to elsewhere"),
    (without("model_weights", h5py.SoftLink("/optimizer_weights")), ": model_weights is a link to elsewhere"),
    (without("model_weights", LAST), ": model_weights is no group"),
    (without("model_weights/conv", LAST), "model_weights/conv is no group"),
    (changed(lambda file: file.pop("model_weights")), "has no group model_weights"),
    (without(BIAS_PATH, {"shape": (2**40,), "chunks": (2**20,), "dtype": "f4"}), "far too large"),
    (without(BIAS_PATH, h5py.Empty("f4")), "is not in the file"),
    (without(BIAS_PATH, "text"), "has the type"),
    (attribute("weight_names", 5), "weight_names of model_weights/conv is "),
    (attribute("weight_names", h5py.Empty("f4")), "weight_names of model_weights/conv is "),
    (attribute("weight_names", [b"conv/kernel:0"]), "bias:0' belongs to no layer"),
    (attribute("weight_names", [b"conv/kernel:0"] * 2), "kernel:0' of weight_names is not there, or named twice"),
    (attribute("weight_names", [b"conv/other:0"]), "other:0' of weight_names is not there"),
    (attribute("layer_names", [b"conv", b"../x"], "model_weights"), "model_weights/../x is no group"),
    (attribute("layer_names", [b"conv", b"conv"], "model_weights"), "layer_names has 'conv' twice"),
    (attribute("model_config", h5py.Empty("f4"), "/"), "is no whole JSON"),
)


def cut_off(path: Path) -> None:
    write_hdf5(path, sequential(layers_of_keras_2()), groups_of_keras_2())
    path.write_bytes(path.read_bytes()[:5000])


def broken_zip(path: Path) -> None:
    write_keras(path, sequential(layers_of_keras_3()), tensors_of_keras_3())
    path.write_bytes(path.read_bytes()[:-40])


def deep(path: Path) -> None:
    path.write_text('{"class_name": "Sequential", "config": ' + '{"layers": [' * 100_000)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (weights_only, "save it with model.save(), not save_weights()"),
        *DAMAGE,
        (cut_off, "cut off"),
        (broken_zip, "cut off"),
        (deep, "is no whole JSON"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "cut off"),
        (lambda path: path.write_bytes(b""), "is no Keras model"),
        (lambda path: path.write_bytes(b"name: 'net'"), "is no Keras model"),
        (lambda path: path.write_text("{}"), "is no architecture"),
        (lambda path: None, "cannot be read"),
    ],
)
def test_a_bad_file_is_one_clear_line(write, said, tmp_path):
    path = tmp_path / "net.bin"
    write(path)
    with pytest.raises(BadInput) as caught:
        convert(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("word", [b"TREE", b"SNOD", b"HEAP"])
def test_damaged_blocks_are_one_line(word, tmp_path):
    """What the HDF5 library raises differs from block to block; a block that is not read is of no account."""
    path = keras_2(tmp_path)
    whole, refused = path.read_bytes(), 0
    for found in re.finditer(word, whole):
        path.write_bytes(whole[: found.start()] + b"XXXX" + whole[found.end() :])
        try:
            read_source(path)
        except BadInput:
            refused += 1
    assert refused


TENSOR = {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "keras_history": ["a", 0, 0]}}
WHOLE = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
SLICE = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": 0}}
HUGE = 10**400


def modern_net(kind: str, args: list[Any], **config: Any) -> dict[str, Any]:
    """Return a network of one layer as Keras 3 writes it, which is called with ``args``."""
    module = "keras.src.ops.numpy" if kind in ("Concatenate", "Add", "GetItem", "Matmul") else "keras.layers"
    entry = {**layer(kind, "out", **config), "module": module, "inbound_nodes": [{"args": args, "kwargs": {}}]}
    return files.functional([files.given("a", 4), entry], [["a", 0, 0]], [["out", 0, 0]])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            modern_net("ReLU", [{**TENSOR, "config": 5}]),
            "layer 'out': is called with {'class_name': '__keras_tensor__'",
        ),
        (modern_net("ReLU", [{**TENSOR, "config": {}}]), "whose keras_history is no [layer, call, output]"),
        (modern_net("ReLU", []), "layer 'out' (ReLU): is called without any tensor"),
        (modern_net("Concatenate", [[]]), "layer 'out' (ops.Concatenate): is called without any tensor"),
        (modern_net("Add", [1, [TENSOR]]), "layer 'out' (ops.Add): works on no tensor"),
        (modern_net("GetItem", [[TENSOR], 1]), "layer 'out' (ops.GetItem): takes something of ["),
        (modern_net("GetItem", [TENSOR, [WHOLE, SLICE]]), "has the step 0"),
        (modern_net("Matmul", [[1.0], TENSOR]), "a product of these is not supported"),
        (modern_net("Matmul", [TENSOR, [1.0, 2.0]]), "a product of (None, 4) and (2,) is not supported"),
        (modern_net("Attention", [[TENSOR, TENSOR]]), "inputs ((None, 4), (None, 4), (None, 4)) is not supported"),
        (modern_net("GlobalAveragePooling2D", [TENSOR]), "it needs 4 axes"),
        (modern_net("ReLU", [TENSOR], negative_slope=HUGE), "negative_slope is 1000"),
        (modern_net("Rescaling", [TENSOR], scale=HUGE), "scale is 1000"),
        (modern_net("ReLU", [TENSOR], strange="\ud800"), "surrogates not allowed"),
        (sequential([sequential([])]), "net.json: layer 'net': has no list of layers"),
    ],
)
def test_a_damaged_architecture_is_one_clear_line(config, said, tmp_path):
    path = tmp_path / "net.json"
    path.write_text(json.dumps(config))
    with pytest.raises(BadInput) as caught:
        convert(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_keras_itself_refuses_names_with_slashes(tmp_path):
    with pytest.raises(Unsupported, match="'block/conv' has a slash, and Keras 3 refuses it"):
        load(tensorflow_2_slashes(tmp_path))
