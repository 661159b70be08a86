"""Files of every age and kind give the same network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from caffe_nets import caffemodel
from google.protobuf import text_format
from layer_cases import network
from numpy.testing import assert_array_equal

from converters.caffe.net import Net, read_net
from converters.caffe.schema import messages
from converters.caffe.weights import read_mean
from converters.errors import BadInput, Unsupported

WEIGHTS = np.arange(4 * 3 * 2 * 5, dtype=np.float32).reshape(4, 3, 2, 5) / 7
BIAS = np.arange(4, dtype=np.float32) - 1.5
BOTTOM = (2, 3, 7, 11)

V2 = """
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_h: 2 kernel_w: 5 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param { negative_slope: 0.25 } }
layer { name: "d" type: "Dropout" bottom: "c" top: "c" }
layer { name: "p" type: "Softmax" bottom: "c" top: "p" }
"""
V1 = (
    V2.replace("layer {", "layers {")
    .replace('"Convolution"', "CONVOLUTION")
    .replace('"ReLU"', "RELU")
    .replace('"Dropout"', "DROPOUT")
    .replace('"Softmax"', "SOFTMAX")
)
DIMS = 'name: "tiny"\ninput: "data"\ninput_dim: 2 input_dim: 3\ninput_dim: 7 input_dim: 11\n'
INPUT = 'name: "tiny" layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [2, 3, 7, 11] } } }'


def read(folder: Path, text: str | bytes, weights: bytes | None = None) -> Net:
    prototxt, binary = folder / "net.prototxt", folder / "net.caffemodel"
    prototxt.write_bytes(text.encode() if isinstance(text, str) else text)
    binary.write_bytes(weights or caffemodel({"c": [WEIGHTS, BIAS]}))
    return read_net(prototxt, binary)


def as_binary(text: str) -> bytes:
    return text_format.Parse(text, messages()["NetParameter"]()).SerializeToString()


TEXTS = {
    "V2": network(V2, BOTTOM),
    "V1": network(V1, BOTTOM),
    "input_dim": DIMS + V2,
    "V1 input_dim": DIMS + V1,
    "Input layer": INPUT + V2,
    "comments, CRLF and a byte order mark": "\ufeff# { layer {\r\n" + network(V2, BOTTOM).replace("\n", "\r\n"),
    "angle brackets": DIMS + V2.replace("{", "<").replace("}", ">"),
    "train layers": DIMS
    + V2
    + 'layer { name: "x" type: "Data" top: "q" include { phase: TRAIN } data_param { zap: 1 } }',
}
FILES = {**TEXTS, **{f"binary {name}": as_binary(TEXTS[name]) for name in ("V2", "V1", "input_dim", "Input layer")}}


@pytest.mark.parametrize("name", FILES)
def test_every_age_gives_the_same_network(tmp_path, name):
    net = read(tmp_path, FILES[name])
    assert net.name == "tiny"
    assert net.inputs == {"data": BOTTOM}
    assert net.outputs == ("p",)
    assert [(op.name, op.type, op.bottoms, op.tops) for op in net.layers] == [
        ("c", "Convolution", ("data",), ("c@c",)),
        ("r", "ReLU", ("c@c",), ("c",)),
        ("p", "Softmax", ("c",), ("p",)),
    ]
    assert net.layers[1].param.negative_slope == 0.25
    assert net.shapes["c"] == (2, 4, 6, 7)
    assert_array_equal(net.layers[0].blobs[0], WEIGHTS)
    assert_array_equal(net.layers[0].blobs[1], BIAS)


def test_weights_inside_the_network_file(tmp_path):
    numbers = " ".join(f"data: {float(n)!r}" for n in WEIGHTS.ravel())
    blob = f"blobs {{ shape {{ dim: [4, 3, 2, 5] }} {numbers} }}"
    text = TEXTS["V2"].replace("  convolution", f"  {blob} convolution").replace("w: 5 }", "w: 5 bias_term: false }")
    (tmp_path / "net.prototxt").write_text(text)
    assert_array_equal(read_net(tmp_path / "net.prototxt").layers[0].blobs[0], WEIGHTS)


RULES = {
    "include { phase: TEST }": True,
    "include { phase: TRAIN }": False,
    "include { phase: TRAIN } include { phase: TEST }": True,
    "exclude { phase: TEST }": False,
    "exclude { phase: TRAIN }": True,
    "include { min_level: 1 }": True,
    "include { min_level: 2 }": False,
    "include { max_level: 0 }": False,
    'include { stage: "deploy" }': True,
    'include { stage: "deploy" stage: "other" }': False,
    'include { not_stage: "deploy" }': False,
    'exclude { stage: "deploy" phase: TRAIN }': True,
}


@pytest.mark.parametrize("rule", RULES)
def test_include_and_exclude(tmp_path, rule):
    state = 'state { level: 1 stage: "deploy" }\n'
    extra = f'layer {{ name: "extra" type: "ReLU" bottom: "p" top: "extra" {rule} }}'
    net = read(tmp_path, state + TEXTS["V2"] + extra)
    assert (net.layers[-1].name == "extra") == RULES[rule]


def test_names_of_blobs_that_are_overwritten(tmp_path):
    layers = """
    layer { name: "a" type: "ReLU" bottom: "data" top: "data" }
    layer { name: "b" type: "ReLU" bottom: "data" top: "x" }
    layer { name: "s" type: "Softmax" bottom: "x" top: "side" }
    layer { name: "e" type: "ReLU" bottom: "x" top: "x" }
    layer { name: "f" type: "ReLU" bottom: "x" top: "x" }
    """
    net = read(tmp_path, network(layers, BOTTOM))
    assert [op.tops[0] for op in net.layers] == ["data@a", "x@b", "side", "x@e", "x"]
    assert [op.bottoms[0] for op in net.layers] == ["data", "data@a", "x@b", "x@b", "x@e"]
    assert net.outputs == ("x", "side")


def test_several_inputs(tmp_path):
    layers = """
    layer { name: "in" type: "Input" top: "u" top: "v" input_param { shape { dim: [1, 5] } shape { dim: [1, 3] } } }
    layer { name: "a" type: "Softmax" bottom: "u" top: "a" }
    layer { name: "b" type: "Softmax" bottom: "v" top: "b" }
    """
    net = read(tmp_path, layers)
    assert net.inputs == {"u": (1, 5), "v": (1, 3)}
    assert net.outputs == ("a", "b")


def test_mean_image(tmp_path):
    mean = np.arange(3 * 5 * 7, dtype=np.float32).reshape(3, 5, 7)
    blob = messages()["BlobProto"](num=1, channels=3, height=5, width=7, data=mean.ravel().tolist())
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(blob.SerializeToString())
    assert_array_equal(read_mean(path), mean)
    path.write_bytes(blob.SerializeToString()[:-9])
    with pytest.raises(BadInput, match=r"mean\.binaryproto: not a whole mean image: cut off after"):
        read_mean(path)


@pytest.mark.weights
def test_mean_image_of_the_authors(mean_image):
    mean = read_mean(mean_image)
    assert mean.shape == (3, 256, 256)
    assert mean.dtype == np.float32
    assert 0 < mean.min() < mean.max() < 255


def test_layer_with_phase_train_is_refused(tmp_path):
    with pytest.raises(Unsupported, match="phase TRAIN"):
        read(tmp_path, TEXTS["V2"].replace('"Dropout"', '"Dropout" phase: TRAIN'))
