"""What counts as different, and that a wrong conversion is seen."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from caffe_nets import write
from layer_cases import network, one_layer

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.verify import verify
from converters.errors import BadInput
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available
from converters.verify import Difference, close_enough, compare, differences, seeded_inputs

ONE = np.array([[1.0, -4.0], [0.5, 2.0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (ONE, Difference(0.0, 0.0)),
        (ONE + np.float32([[0, 0.5], [-0.25, 0]]), Difference(0.5, 0.125)),
        (ONE[:, :1], Difference(math.inf, math.inf)),
        (ONE * np.float32(np.nan), Difference(math.inf, math.inf)),
    ],
)
def test_differences(other, expected):
    assert differences({"a": ONE}, {"a": other, "more": ONE}) == {"a": expected}


def test_difference_from_zeros_and_of_missing_outputs():
    assert differences({"a": ONE * 0}, {"a": ONE}) == {"a": Difference(4.0, math.inf)}
    with pytest.raises(BadInput, match="'a' is missing; there are: b"):
        differences({"a": ONE}, {"b": ONE})


@pytest.mark.parametrize(
    ("expected", "found", "ok"),
    [
        (np.array([0.25, 0.75]), Difference(9e-6, 1e-3), True),
        (np.array([0.25, 0.75]), Difference(2e-5, 1e-6), False),
        (np.array([-300.0, 2.0]), Difference(1e-2, 3e-5), True),
        (np.array([-300.0, 2.0]), Difference(6e-2, 2e-4), False),
    ],
)
def test_tolerances(expected, found, ok):
    assert close_enough(expected, found) is ok


@pytest.mark.parametrize("wrong", [1, 3])
def test_compare_keeps_the_worst_batch(wrong):
    rows = compare(
        lambda feeds: {"y": feeds["x"] * 2.0},
        {"sometimes wrong": lambda feeds: {"y": feeds["x"] * (3.0 if len(feeds["x"]) == wrong else 2.0)}},
        [seeded_inputs({"x": (9, 3)}, batch) for batch in (1, 3)],
    )
    assert [(row.output, row.runtime, row.ok) for row in rows] == [("y", "sometimes wrong", False)]
    assert rows[0].difference.max_rel == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [("LRN", "lrn_param { k: 2 local_size: 3 }"), ("InnerProduct", "inner_product_param { num_output: 5 }")],
)
def test_a_wrong_conversion_fails(tmp_path, type_name, text):
    files = write(tmp_path, one_layer(type_name, text, (2, 7, 3, 5)), (2, 7, 3, 5))
    net = read_net(*files)
    model = convert_net(net)
    good = [row for row in verify(net, to_bytes(model), *files)[0] if row.ok is not None]
    assert [row.runtime for row in good] == [f"{name} {version}" for name, version in available().items()]
    assert all(row.ok for row in good)
    weights = next(c for c in model.graph.initializer if c.data_type == onnx.TensorProto.FLOAT)
    wrong = onnx.numpy_helper.to_array(weights) * np.float32(1.01)
    weights.CopyFrom(onnx.numpy_helper.from_array(wrong, weights.name))
    bad = [row for row in verify(net, to_bytes(model), *files)[0] if row.ok is not None]
    assert not any(row.ok for row in bad)


def test_runtimes_are_available_here():
    assert available().keys() == RUNTIMES.keys()
    assert all(version[0].isdigit() for version in available().values())


def test_runtimes_take_files_too(tmp_path):
    net = read_net(*write(tmp_path, one_layer("ReLU", "", (2, 3)), (2, 3)))
    path = tmp_path / "m.onnx"
    path.write_bytes(to_bytes(convert_net(net)))
    for run in RUNTIMES.values():
        top = run(path, {"data": np.array([[-1, 0, 3]], dtype=np.float32)})["top"]
        np.testing.assert_array_equal(top, [[0, 0, 3]])


def test_numbers_that_the_judge_does_not_know_are_left_out():
    large, small = ({"x": np.full((1, 3), value, np.float32)} for value in (128, 1))

    def power(feeds):
        with np.errstate(over="ignore"):
            return {"y": np.exp(feeds["x"])}

    runs = {"right": power, "wrong": lambda feeds: {"y": feeds["x"]}}
    assert [row.ok for row in compare(power, runs, [large, small])] == [True, False]
    assert [row.ok for row in compare(power, runs, [large])] == [False, False]


def test_a_runtime_that_cannot_run_it_is_named(tmp_path, monkeypatch):
    def refuse(model, feeds):
        raise RuntimeError("no such operator")

    files = write(tmp_path, one_layer("ReLU", "", (2, 7)), (2, 7))
    net = read_net(*files)
    monkeypatch.setitem(RUNTIMES, "opencv", refuse)
    rows, refused = verify(net, to_bytes(convert_net(net)), *files)
    assert refused == {f"opencv {available()['opencv']}": "no such operator"}
    assert {row.runtime for row in rows} == {f"onnxruntime {available()['onnxruntime']}"}


def test_a_softmax_hides_nothing(tmp_path):
    layers = """
    layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 5 } }
    layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
    """
    files = write(tmp_path, network(layers, (2, 70)), (2, 70))
    net = read_net(*files)
    good = convert_net(net)
    assert [(row.output, row.ok) for row in verify(net, to_bytes(good), *files)[0] if row.ok is not None] == [
        (name, True) for name in ("prob", "fc") for _ in available()
    ]
    bias = next(c for c in good.graph.initializer if c.name == "fc/bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.01), bias.name))
    assert {row.output for row in verify(net, to_bytes(good), *files)[0] if row.ok is False} == {"fc"}
