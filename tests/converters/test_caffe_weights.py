"""Weights that are shared, and those that are made up for a network without any."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import caffemodel, feed
from layer_cases import network, one_layer
from numpy.testing import assert_allclose, assert_array_equal

from converters import __main__ as command
from converters.caffe import convert, convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, run_command
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

BOTTOM = (2, 4, 9, 7)
CONVOLUTION = "convolution_param {{ num_output: 6 kernel_size: 3 group: 2 {} }}"


def made_up(folder, layers):
    """Return the blobs of each layer of a network without weights."""
    (folder / "net.prototxt").write_text(network(layers, BOTTOM))
    net = read_net(folder / "net.prototxt")
    assert net.seeded
    return {op.name: op.blobs for op in net.layers}


def filler(text):
    return CONVOLUTION.format(f"weight_filler {{ {text} }}")


def kernel(folder, text):
    return made_up(folder, one_layer("Convolution", text, BOTTOM).split("\n", 3)[3])["top"]


@pytest.mark.parametrize(
    ("text", "low", "high", "deviation"),
    [
        ("type: 'uniform' min: 2 max: 3", 2, 3, 12**-0.5),
        ("type: 'gaussian' mean: 5 std: 0.5", 3, 7, 0.5),
        ("type: 'xavier'", -((3 / 18) ** 0.5), (3 / 18) ** 0.5, 18**-0.5),
        ("type: 'msra'", -1.5, 1.5, (2 / 18) ** 0.5),
        ("type: 'msra' variance_norm: FAN_OUT", -1.5, 1.5, (2 / 54) ** 0.5),
        ("type: 'msra' variance_norm: AVERAGE", -1.5, 1.5, (2 / 36) ** 0.5),
        ("type: 'constant' value: -2.5", -2.5, -2.5, 0),
    ],
)
def test_fillers(tmp_path, text, low, high, deviation):
    weights, _ = kernel(tmp_path, filler(text))
    assert weights.shape == (6, 2, 3, 3)
    assert low <= weights.min() <= weights.max() <= high
    assert_allclose(weights.std(), deviation, rtol=0.2)


def test_positive_unitball(tmp_path):
    weights, _ = kernel(tmp_path, filler("type: 'positive_unitball'"))
    assert weights.min() >= 0
    assert_allclose(weights.reshape(6, -1).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("size", "line"), [(3, [0.5, 1, 0.5]), (4, [0.25, 0.75, 0.75, 0.25])])
def test_bilinear(tmp_path, size, line):
    text = f"convolution_param {{ num_output: 4 group: 4 kernel_size: {size} weight_filler {{ type: 'bilinear' }} }}"
    layers = f'layer {{ name: "up" type: "Deconvolution" bottom: "data" top: "up" {text} }}'
    assert_allclose(made_up(tmp_path, layers)["up"][0][3, 0], np.outer(line, line))


def test_unknown_filler(tmp_path):
    with pytest.raises(
        BadInput, match=r"layer 'top' \(Convolution\): filler 'orthogonal'.*there are: constant, uniform"
    ):
        kernel(tmp_path, filler("type: 'orthogonal'"))


def test_without_fillers(tmp_path):
    layers = """
    layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 50 kernel_size: 3 } }
    layer { name: "n" type: "BatchNorm" bottom: "c" top: "n" }
    layer { name: "p" type: "PReLU" bottom: "n" top: "p" }
    """
    blobs = made_up(tmp_path, layers)
    assert_allclose(blobs["c"][0].std(), (2 / 36) ** 0.5, rtol=0.1)
    assert min(blob.min() for blob in (*blobs["n"][1:], *blobs["p"])) >= 0.5
    again = made_up(tmp_path, layers)
    for name, arrays in blobs.items():
        for one, other in zip(arrays, again[name], strict=True):
            assert_array_equal(one, other)
    assert to_bytes(convert(tmp_path / "net.prototxt")) == to_bytes(convert(tmp_path / "net.prototxt"))


def test_command_says_that_they_are_made_up(tmp_path, capsys):
    (tmp_path / "net.prototxt").write_text(one_layer("InnerProduct", "inner_product_param { num_output: 3 }", BOTTOM))
    assert run_command(command.main, ["caffe", str(tmp_path / "net.prototxt"), "-o", str(tmp_path / "a.onnx")]) == 0
    assert "warning: no file has weights: they are made up" in capsys.readouterr().err
    metadata = {p.key: p.value for p in convert(tmp_path / "net.prototxt").metadata_props}
    assert metadata["weights"].startswith("made up")


TWINS = "".join(
    f"""layer {{ name: "{name}" type: "InnerProduct" bottom: "data" top: "{name}"
    inner_product_param {{ num_output: 3 }} param {{ name: "w" }} param {{ {own} }} }}"""
    for name, own in (("one", 'name: "b"'), ("two", 'name: "b"'), ("three", "lr_mult: 2"))
)
ONES, TWOS = (np.full((3, 252), value / 252, dtype=np.float32) for value in (1, 2))
BIAS = np.arange(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("weights", "matrix", "third"),
    [
        ({"one": [ONES, BIAS], "three": [ONES, BIAS + 5]}, ONES, BIAS + 5),
        ({"one": [ONES, BIAS], "two": [TWOS, BIAS], "three": [TWOS, BIAS + 5]}, TWOS, BIAS + 5),
        ({"three": [TWOS, BIAS + 5], "one": [ONES, BIAS]}, ONES, BIAS + 5),
    ],
    ids=["of one layer only", "the last decides", "in the order of the caffemodel"],
)
def test_shared_weights(tmp_path, weights, matrix, third):
    (tmp_path / "net.prototxt").write_text(network(TWINS, BOTTOM))
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(weights))
    net = read_net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    for op, bias in zip(net.layers, (BIAS, BIAS, third), strict=True):
        assert_array_equal(op.blobs[0], matrix)
        assert_array_equal(op.blobs[1], bias)
    model = convert_net(net)
    assert [list(c.dims) for c in model.graph.initializer].count([3, 252]) == 1, "shared weights are there once"
    for runtime in RUNTIMES.values():
        found, expected = runtime(to_bytes(model), feed(BOTTOM, 5)), run(net, feed(BOTTOM, 5))
        for name in net.outputs:
            assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_made_up_weights_are_shared_too(tmp_path):
    blobs = made_up(tmp_path, TWINS)
    assert_array_equal(blobs["one"][0], blobs["three"][0])
    assert_array_equal(blobs["one"][1], blobs["two"][1])
    assert np.abs(blobs["one"][1] - blobs["three"][1]).min() > 0
