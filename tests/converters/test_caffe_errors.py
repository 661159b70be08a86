"""What is wrong is said in one line: where, what, and what would be right."""

from __future__ import annotations

import re

import numpy as np
import pytest
from caffe_nets import caffemodel
from google.protobuf import text_format
from layer_cases import network, one_layer

from converters.caffe import convert
from converters.caffe.kind import layer, same_shape
from converters.caffe.schema import messages
from converters.caffe.weights import read_mean
from converters.errors import BadInput, Unsupported

BOTTOM = (2, 3, 7, 11)
CONVOLUTION = "convolution_param { num_output: 4 kernel_size: 3 }"
GOOD = one_layer("Convolution", CONVOLUTION, BOTTOM)
NO_WEIGHTS = messages()["NetParameter"](name="empty").SerializeToString()
GOOD_WEIGHTS = caffemodel({"top": [np.ones((4, 3, 3, 3), np.float32), np.zeros(4, np.float32)]})


def fails(folder, text, weights, kind, *parts):
    prototxt, binary = folder / "net.prototxt", folder / "net.caffemodel"
    if text is not None:
        prototxt.write_bytes(text if isinstance(text, bytes) else text.encode())
    if weights is not None:
        binary.write_bytes(weights)
    with pytest.raises(kind) as caught:
        convert(prototxt, binary)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


def test_the_good_files_are_good(tmp_path):
    (tmp_path / "net.prototxt").write_text(GOOD)
    (tmp_path / "net.caffemodel").write_bytes(GOOD_WEIGHTS)
    convert(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")


@pytest.mark.parametrize("cut", [1, 5, 20, 300, len(GOOD_WEIGHTS) - 1])
def test_cut_off_weights(tmp_path, cut):
    fails(tmp_path, GOOD, GOOD_WEIGHTS[:cut], BadInput, "net.caffemodel: not a whole caffemodel", f"after {cut} bytes")


def test_weights_cut_between_two_layers(tmp_path):
    both = GOOD + one_layer("Convolution", CONVOLUTION, BOTTOM).replace('"top"', '"second"').split("\n", 3)[3]
    fails(tmp_path, both, GOOD_WEIGHTS, BadInput, "layer 'second'", "has no weights for it", "those of: top")


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        (b"", ("net.caffemodel: the file is empty",)),
        (None, ("net.caffemodel: cannot be read: No such file",)),
        (b"<!DOCTYPE html><html>\n", ("net.caffemodel: not a whole caffemodel", "<!DOCTYPE")),
        (b"\x89HDF\r\n\x1a\n", ("HDF5",)),
        (
            NO_WEIGHTS,
            ("has no weights for it; it has those of: no layer",),
        ),
        (caffemodel({"top": [np.ones((4, 3, 3, 3))]}), ("1 blobs of weights", "the layer has 2")),
        (caffemodel({"top": [np.ones((4, 3, 2, 3)), np.ones(4)]}), ("(4, 3, 2, 3)", "needs (4, 3, 3, 3)")),
        (caffemodel({"top": [np.ones((3, 4, 3, 3)), np.ones(4)]}), ("(3, 4, 3, 3)", "needs (4, 3, 3, 3)")),
    ],
)
def test_wrong_weights(tmp_path, weights, parts):
    fails(tmp_path, GOOD, weights, BadInput, *parts)


def test_blob_with_too_few_numbers(tmp_path):
    net = messages()["NetParameter"]()
    net.layer.add(name="top").blobs.add(num=1, channels=1, height=2, width=3, data=[0] * 5)
    fails(tmp_path, GOOD, net.SerializeToString(), BadInput, "blob 0 of layer 'top'", "holds 5 numbers", "needs 6")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_no_finite_numbers(tmp_path, number):
    weights = caffemodel({"top": [np.full((4, 3, 3, 3), number, np.float32), np.zeros(4, np.float32)]})
    fails(tmp_path, GOOD, weights, BadInput, "layer 'top'", "blob 0", "not finite")


def test_a_network_without_weights_may_have_a_caffemodel_of_its_own(tmp_path):
    (tmp_path / "net.prototxt").write_text(one_layer("ReLU", "", BOTTOM))
    (tmp_path / "net.caffemodel").write_bytes(NO_WEIGHTS)
    convert(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (one_layer("ReLU", "", (2, 60000, 600, 600)), "input 'data' of shape"),
        (one_layer("ReLU", "", (2, 10**9, 10**9)), "input 'data' of shape"),
        (
            one_layer("Convolution", "convolution_param { num_output: 999999999 kernel_size: 1 }", BOTTOM),
            "the top 'top'",
        ),
        (one_layer("LRN", "lrn_param { local_size: 4294967295 }", BOTTOM), "local_size 4294967295"),
    ],
)
def test_sizes_that_are_a_mistake_are_refused_before_anything_is_made(tmp_path, text, part):
    fails(tmp_path, text, GOOD_WEIGHTS, BadInput, part)


def test_an_output_that_is_written_over_an_input_is_said(tmp_path):
    text = network('layer { name: "r" type: "ReLU" bottom: "data" top: "data" }', BOTTOM)
    fails(tmp_path, text, GOOD_WEIGHTS, BadInput, "output 'data' is an input that a layer writes over")


def test_two_layers_of_one_name_with_weights(tmp_path):
    net = messages()["NetParameter"].FromString(GOOD_WEIGHTS)
    net.layer.append(net.layer[0])
    net.layer[0].blobs[1].shape.dim[:] = [2, 2]
    fails(tmp_path, GOOD, net.SerializeToString(), BadInput, "two layers named 'top'")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, ("net.prototxt: cannot be read: No such file",)),
        ("", ("net.prototxt: the file is empty",)),
        ("hello there", ("net.prototxt:1:",)),
        (GOOD.rstrip()[:-1], ("net.prototxt:4:", "not closed")),
        (b"name: 'caf\xe9'", ("byte 10 is not UTF-8",)),
        (GOOD_WEIGHTS[:-3], ("net.prototxt: not a whole caffemodel",)),
        ('name: "x"', ("net.prototxt: has no input",)),
        ('input: "a" input: "a" input_dim: [1, 2, 3, 4, 1, 2, 3, 4]', ("two inputs are named 'a'",)),
        ('input: "a" input_dim: [1, 2, 3, 4]', ("input 'a' is read by no layer",)),
        ('input: "a" input: "b" input_dim: [1, 2, 3, 4]', ("2 inputs, but shapes for 1",)),
        ('input: "a" input_dim: [1, 2, 3, 0]', ("'a'", "(1, 2, 3, 0)")),
        (GOOD.replace("kernel_size: 3", ""), ("'top' (Convolution)", "0 values of kernel_size")),
        (GOOD.replace("kernel_size: 3", "kernel_size: 3 kernel_h: 2"), ("kernel_size", "kernel_h")),
        (GOOD.replace("kernel_size: 3", "kernel_h: 2"), ("kernel (2, 0)",)),
        (GOOD.replace("kernel_size: 3", "kernel_size: 8"), ("is too small", "(2, 4, 0, 4)")),
        (GOOD.replace("num_output: 4", "num_output: 4 group: 2"), ("group 2", "3 channels")),
        (GOOD.replace("num_output: 4", "num_outptu: 4"), ("net.prototxt:9:", "'top'", "'num_outptu'", "num_output")),
        (GOOD.replace("num_output: 4", "num_output: -4"), ("net.prototxt:9:", "'top'")),
        (GOOD.replace('bottom: "data"', 'bottom: "dat"'), ("'top'", "'dat'", "made by no layer")),
        (GOOD.replace('bottom: "data"', 'bottom: "top"'), ("'top'", "made only later, by layer 'top'")),
        (GOOD.replace('type: "Convolution"', ""), ("has no type",)),
        (GOOD.replace('type: "Convolution"', 'include { } exclude { } type: "Convolution"'), ("include and exclude",)),
        (GOOD + 'layers { name: "r" type: RELU bottom: "top" top: "r" }', ("'layer' and 'layers'",)),
        (
            GOOD + 'layer { name: "r" type: "ReLU" bottom: "data" top: "top" }',
            ("'r'", "'top' is made already by layer 'top'"),
        ),
        (
            GOOD + 'layer { name: "r" type: "ReLU" bottom: "top" top: "data" }',
            ("'r'", "'data' is made already by an input"),
        ),
        (one_layer("LRN", "lrn_param { local_size: 4 }", BOTTOM), ("local_size 4 is not odd",)),
        (one_layer("Pooling", "", BOTTOM), ("give kernel_size, or kernel_h and kernel_w",)),
        (one_layer("Pooling", "pooling_param { kernel_size: 2 pad: 2 }", BOTTOM), ("pad is less than the kernel",)),
        (one_layer("Pooling", "pooling_param { kernel_size: 2 pad_h: 1 }", BOTTOM), ("give pad, or pad_h and pad_w",)),
        (
            one_layer("Pooling", "pooling_param { global_pooling: true kernel_size: 2 }", BOTTOM),
            ("exclude each other",),
        ),
        (one_layer("Softmax", "softmax_param { axis: 4 }", BOTTOM), ("axis 4 of a bottom with 4 axes",)),
        (one_layer("InnerProduct", "", BOTTOM), ("num_output is missing",)),
    ],
)
def test_wrong_networks(tmp_path, text, parts):
    message = fails(tmp_path, text, GOOD_WEIGHTS, BadInput, *parts)
    assert message.startswith(str(tmp_path))


def test_circle(tmp_path):
    layers = (
        'layer { name: "a" type: "ReLU" bottom: "y" top: "x" } layer { name: "b" type: "ReLU" bottom: "x" top: "y" }'
    )
    fails(
        tmp_path, network(layers, BOTTOM), GOOD_WEIGHTS, BadInput, "layer 'a'", "'y' is made only later, by layer 'b'"
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (one_layer("Warp", "", BOTTOM), ("net.prototxt:4: layer 'top' (Warp)", "Convolution, ConvolutionDepthwise")),
        (one_layer("Warp", "warp_param { bend: 3 }", BOTTOM), ("net.prototxt:4: layer 'top' (Warp)", "known are:")),
        (one_layer("X", "", BOTTOM).replace("layer {", "layers {").replace('"X"', "WARP"), ("'top'", "WARP", "RELU")),
        (
            one_layer("X", "", BOTTOM).replace("layer {", "layers {").replace('"X"', "HDF5_OUTPUT"),
            ("'top' (HDF5Output)", "ReLU"),
        ),
        (one_layer("ReLU", "warp_param { bend: 3 }", BOTTOM), ("net.prototxt:9:3: layer 'top' (ReLU)", "'warp_param'")),
        ("speed: 3\n" + GOOD, ("net.prototxt:1:1: ", "'speed'")),
        (
            one_layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }", BOTTOM),
            ("'top' (Pooling)", "STOCHASTIC"),
        ),
        (
            one_layer("Pooling", "pooling_param { kernel_size: 1 stride: 4 }", BOTTOM),
            ("each window must hold a pixel",),
        ),
        (one_layer("ReLU", "top: 'mask'", BOTTOM), ("1 bottoms and 2 tops",)),
    ],
)
def test_unsupported(tmp_path, text, parts):
    fails(tmp_path, text, GOOD_WEIGHTS, Unsupported, *parts)


@pytest.mark.parametrize(
    ("extra", "parts"),
    [
        (b"\xc0\x3e\x01", ("unknown field number 1000 in NetParameter",)),
        (b"\xa2\x06\x0c\x0a\x01x\x12\x04ReLU\xc0\x3e\x01", ("layer 'x' (ReLU)", "unknown field number 1000")),
        (b"\xa2\x06\x0c\x0a\x01x\x12\x04Warp\xc0\x3e\x01", ("layer 'x' (Warp)", "known are:")),
        (b"\xa2\x06\x0f\x0a\x01x\x12\x04ReLU\xda\x07\x03\xc0\x3e\x01", ("layer 'x'", "1000 in relu_param")),
        (b"\xa2\x06\x0e\x0a\x01x\x12\x04ReLU\x42\x03\xc0\x3e\x01", ("layer 'x'", "1000 in NetStateRule")),
        (b"\x12\x05\x22\x01x\x28\x7f", ("layer 'x'", "number that Caffe does not have")),
    ],
)
def test_unsupported_in_a_binary_network(tmp_path, extra, parts):
    net = messages()["NetParameter"](input=["data"], input_dim=[1, 3, 7, 11])
    fails(tmp_path, net.SerializeToString() + extra, GOOD_WEIGHTS, Unsupported, *parts)


def test_missing_mean(tmp_path):
    with pytest.raises(BadInput, match=re.escape(f"{tmp_path / 'no.binaryproto'}: cannot be read")):
        read_mean(tmp_path / "no.binaryproto")


def test_two_converters_of_one_type():
    with pytest.raises(ValueError, match="'ReLU'"):
        layer("ReLU", shape=same_shape, reference=lambda op, x: (x,))(lambda op, emit: None)


def damaged(data: bytes, generator: np.random.Generator) -> bytes:
    """Return a file with some bytes changed, left out or put in, or its end cut off."""
    damage = bytearray(data)
    for _ in range(generator.integers(1, 4)):
        at, other = generator.integers(len(damage)), generator.bytes(int(generator.integers(1, 4)))
        match generator.integers(4):
            case 0:
                damage[at : at + len(other)] = other
            case 1:
                del damage[at : at + len(other)]
            case 2:
                damage[at:at] = other
            case _:
                del damage[max(at, 1) :]
    return bytes(damage) or b" "


@pytest.mark.parametrize("seed", range(200))
def test_damaged_files_are_refused_in_one_line_or_read(tmp_path, seed):
    generator = np.random.default_rng(seed)
    binary = text_format.Parse(GOOD, messages()["NetParameter"]()).SerializeToString()
    network_file = (GOOD.encode(), binary)[seed % 2]
    in_network = seed % 4 < 2
    (tmp_path / "net.prototxt").write_bytes(damaged(network_file, generator) if in_network else network_file)
    (tmp_path / "net.caffemodel").write_bytes(GOOD_WEIGHTS if in_network else damaged(GOOD_WEIGHTS, generator))
    try:
        convert(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    except BadInput as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ways are right
        assert str(error).startswith(str(tmp_path))  # noqa: PT017


def test_nameless_blobs(tmp_path):
    fails(tmp_path, GOOD.replace('top: "top"', 'top: ""'), GOOD_WEIGHTS, BadInput, "'top'", "a top without a name")
    fails(tmp_path, GOOD.replace('input: "data"', 'input: ""'), GOOD_WEIGHTS, BadInput, "an input without a name")


@pytest.mark.parametrize("written", ["FOO", '"Foo bar"', "99"])
def test_an_unknown_type_of_the_old_form_lists_the_known_ones(tmp_path, written):
    text = f'input: "data" input_dim: 2 input_dim: 3 input_dim: 5 input_dim: 7 layers {{ name: "odd" type: {written} }}'
    message = fails(tmp_path, text, GOOD_WEIGHTS, Unsupported, "layer 'odd'", "RELU")
    assert "INNER_PRODUCT" in message
