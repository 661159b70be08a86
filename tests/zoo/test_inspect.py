"""What each layer makes, holds and costs: published tables, the source's own counts, and layers of ones.

A layer of ones makes of ones a sum that counts its multiplications.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import branches, model, old_network, weights
from onnx import helper, numpy_helper

from converters.caffe.net import read_net
from converters.errors import BadInput
from converters.keras import convert
from converters.runtimes import run_onnxruntime
from zoo import store
from zoo.__main__ import main
from zoo.card import all_cards
from zoo.inspect import Inspection, inspect

PLAIN = Path(__file__).with_name("c3ae_plain.json")
PUBLISHED = """
Conv 62x62x32 896 3,321,216
BRA 31x31x32 128
Conv 29x29x32 9,248 7,750,656
BRA 14x14x32 128
Conv 12x12x32 9,248 1,327,104
BRA 6x6x32 128
Conv 4x4x32 9,248 147,456
BN+ReLU 4x4x32 128
Conv 4x4x32 1,056 16,384
Dense 12 6,156
Dense 1 13
"""
"""Zhang et al., C3AE, CVPR 2019: operator, output, parameters, MACC of convolutions."""


def as_published(found: Inspection) -> str:
    lines = []
    for row in found.rows:
        operator = row.operator.split("+Softmax")[0].split(" ")[0]
        macc = f" {row.macc:,}" if operator == "Conv" else ""
        lines.append(f"{operator} {'x'.join(map(str, row.output))} {row.parameters:,}{macc}")
    return "\n".join(lines)


def test_the_plain_c3ae_is_the_published_table() -> None:
    found = inspect(convert(PLAIN))
    assert as_published(found) == PUBLISHED.strip()
    assert found.parameters == 36_377
    assert [row.macc for row in found.rows[-2:]] == [6_144, 12]


def test_what_is_stored_is_less_where_a_normalisation_was_folded() -> None:
    found = inspect(convert(PLAIN))
    folded = [row for row in found.rows if row.operator in {"BRA", "BN+ReLU"}]
    assert [row.stored for row in folded] == [0] * 4
    assert found.stored == found.parameters - 4 * 128


def twins() -> dict:
    """Describe a Keras model that calls one dense layer (7 -> 5) twice and adds what it makes; Keras counts 40."""

    def keras_tensor(layer: str, call: int, size: int) -> dict:
        given = {"shape": [None, size], "dtype": "float32", "keras_history": [layer, call, 0]}
        return {"class_name": "__keras_tensor__", "config": given}

    def layer(kind: str, config: dict, *calls: object) -> dict:
        nodes = [{"args": [call], "kwargs": {}} for call in calls]
        return {"class_name": kind, "config": config, "name": config["name"], "inbound_nodes": nodes}

    layers = [
        *(layer("InputLayer", {"batch_shape": [None, 7], "dtype": "float32", "name": name}) for name in "ab"),
        layer("Dense", {"name": "dense", "units": 5}, *(keras_tensor(name, 0, 7) for name in "ab")),
        layer("Add", {"name": "sum"}, [keras_tensor("dense", call, 5) for call in (0, 1)]),
    ]
    ends = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": ["sum", 0, 0]}
    return {"class_name": "Functional", "config": {"name": "twins", "layers": layers, **ends}}


def test_a_layer_that_is_called_twice_has_its_parameters_once(tmp_path: Path) -> None:
    path = tmp_path / "twins.json"
    path.write_text(json.dumps(twins()))
    found = inspect(convert(path))
    assert [(row.name, row.parameters, row.stored, row.macc) for row in found.rows] == [
        ("dense", 40, 40, 35),
        ("dense", 0, 0, 35),
        ("sum", 0, 0, None),
    ]


@pytest.mark.parametrize(
    "name", ["c3ae-plain", "ror-age", "ror-gender", "separable-age-gender", "thesis-age", "thesis-gender"]
)
def test_a_network_of_the_zoo_has_the_parameters_that_keras_counted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    card = all_cards()[name]
    found = inspect(onnx.load(store.build(card)))
    assert found.parameters == card.parameters
    if name == "c3ae-plain":
        assert as_published(found) == PUBLISHED.strip()


@pytest.mark.usefixtures("levi_hassner")
def test_a_caffe_network_has_the_parameters_of_its_file(levi_hassner: dict, capsys: pytest.CaptureFixture[str]) -> None:
    built = levi_hassner["age"]
    files = store.fetch_graph(built.card)
    paths = {weights.role: files[weights.file] for weights in built.card.graph()}
    net = read_net(paths["prototxt"], paths["caffemodel"])
    assert main(["inspect", "levi-hassner-age", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["total"]["parameters"] == sum(blob.size for layer in net.layers for blob in layer.blobs)
    assert said["total"]["parameters"] == 11_415_048
    rows = {row["name"]: row for row in said["layers"]}
    assert rows["conv2"]["output"] == [256, 28, 28]
    assert rows["conv2"]["macc"] == 256 * 28 * 28 * 5 * 5 * 96
    assert (rows["norm1"]["operator"], rows["norm1"]["parameters"], rows["norm1"]["macc"]) == ("LRN", 0, None)


def ones(source: onnx.ModelProto) -> onnx.ModelProto:
    """Fill each constant of floats with ones."""
    for tensor in source.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(np.ones_like(value), tensor.name))
    return source


@pytest.mark.parametrize(
    ("node", "shapes", "title"),
    [
        (helper.make_node("Conv", ["x", "w"], ["y"], name="l"), {"w": (5, 4, 3, 2)}, "Conv 3x2"),
        (
            helper.make_node("Conv", ["x", "w"], ["y"], name="l", strides=[2, 1]),
            {"w": (5, 4, 3, 3)},
            "Conv 3x3, stride 2x1",
        ),
        (
            helper.make_node("Conv", ["x", "w"], ["y"], name="l", dilations=[2, 2]),
            {"w": (5, 4, 3, 3)},
            "Conv 3x3, dilation 2x2",
        ),
        (helper.make_node("Conv", ["x", "w"], ["y"], name="l", group=2), {"w": (6, 2, 3, 3)}, "Conv 3x3, 2 groups"),
        (helper.make_node("Conv", ["x", "w"], ["y"], name="l", group=4), {"w": (8, 1, 3, 3)}, "Depthwise conv 3x3"),
        (helper.make_node("ConvTranspose", ["x", "w"], ["y"], name="l"), {"w": (4, 5, 3, 2)}, "Transposed conv 3x2"),
        (
            helper.make_node("ConvTranspose", ["x", "w"], ["y"], name="l", group=2, strides=[3, 3]),
            {"w": (4, 5, 3, 2)},
            "Transposed conv 3x2, stride 3, 2 groups",
        ),
    ],
)
def test_multiplications_are_what_a_layer_of_ones_makes_of_ones(node: onnx.NodeProto, shapes: dict, title: str) -> None:
    constants = {name: weights(*shape) for name, shape in shapes.items()}
    source = model([node], constants, {"x": ("N", 4, 11, 13)}, {"y": ("N", None, None, None)})
    made = run_onnxruntime(ones(source).SerializeToString(), {"x": np.ones((1, 4, 11, 13), np.float32)})["y"]
    (row,) = inspect(source).rows
    assert row.macc == int(made.sum())
    assert row.operator == title
    assert row.output == made.shape[1:]
    assert row.parameters == row.stored == np.prod(shapes["w"])


@pytest.mark.parametrize("turned", [0, 1])
def test_dense_layers_count_their_inputs(turned: int) -> None:
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="l", transB=turned)
    source = model(
        [node], {"w": weights(*((5, 7) if turned else (7, 5))), "b": weights(5)}, {"x": ("N", 7)}, {"y": ("N", 5)}
    )
    (row,) = inspect(source).rows
    assert (row.operator, row.output, row.parameters, row.macc) == ("Dense", (5,), 40, 35)


def test_an_old_network_is_inspected_as_it_is() -> None:
    found = inspect(old_network())
    assert [row.operator for row in found.rows] == ["Conv 3x3", "BN+PReLU", "Transpose", "Dense", "Softmax"]
    assert found.parameters == 135 + 4 * 5 + 5 + 7 * 600 + 7
    assert found.macc == 5 * 12 * 10 * 27 + 7 * 600


def test_a_normalisation_is_alone_where_others_read_it_too() -> None:
    nodes = [
        helper.make_node("BatchNormalization", ["x", "s", "s", "s", "s"], ["norm"], name="norm"),
        helper.make_node("Relu", ["norm"], ["relu"], name="relu"),
        helper.make_node("Add", ["norm", "relu"], ["y"], name="add"),
    ]
    found = inspect(model(nodes, {"s": np.ones(4, np.float32)}, {"x": ("N", 4, 5, 6)}, {"y": ("N", 4, 5, 6)}))
    assert [(row.name, row.operator, row.parameters) for row in found.rows] == [
        ("norm", "BN", 4),  # one tensor for all four
        ("relu", "ReLU", 0),
        ("add", "Add", 0),
    ]


def test_a_tensor_that_two_layers_read_counts_once() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first"),
        helper.make_node("Conv", ["a", "w"], ["y"], name="second"),
    ]
    found = inspect(model(nodes, {"w": weights(4, 4, 3, 3)}, {"x": ("N", 4, 9, 8)}, {"y": ("N", 4, 5, 4)}))
    assert [row.parameters for row in found.rows] == [144, 0]
    assert found.macc == 144 * (7 * 6 + 5 * 4)


def test_sizes_that_the_graph_does_not_tell_are_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="l")
    source = model([node], {"w": weights(5, 4, 3, 3)}, {"x": ("N", 4, "height", 8)}, {"y": ("N", 5, None, 6)})
    (row,) = inspect(source).rows
    assert (row.output, row.macc) == ((5, None, 6), None)
    (tmp_path / "x.onnx").write_bytes(source.SerializeToString())
    assert main(["inspect", str(tmp_path / "x.onnx")]) == 0
    assert "5x?x6" in capsys.readouterr().out


def test_the_command_prints_rows_and_totals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(branches().SerializeToString())
    assert main(["inspect", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["deep", "Depthwise", "conv", "3x3", "3x10x8", "27", "27", "2,160"]
    assert lines[-1].split()[0] == "total"
    assert main(["inspect", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["layers"][0] == {
        "name": "deep",
        "operator": "Depthwise conv 3x3",
        "output": [3, 10, 8],
        "parameters": 27,
        "stored": 27,
        "macc": 2160,
    }


@pytest.mark.parametrize(
    "layers",
    [
        "{}",
        "[1]",
        "nonsense",
        '[{"name": "a"}]',
        '[{"name": "a", "class": "Dense", "output": [3], "parameters": -1}]',
        '[{"name": "a", "class": "Dense", "output": [3], "parameters": 1, "from": [0]}]',
        "[" * 100_000,
    ],
)
def test_nonsense_about_the_source_is_refused(layers: str, tmp_path: Path) -> None:
    source = branches()
    onnx.helper.set_model_props(source, {"layers": layers})
    path = tmp_path / "x.onnx"
    path.write_bytes(source.SerializeToString())
    with pytest.raises(BadInput, match="its metadata 'layers' is no list of layers") as error:
        main(["inspect", str(path)])
    assert str(error.value).startswith(str(path))
    assert len(str(error.value)) < 400
