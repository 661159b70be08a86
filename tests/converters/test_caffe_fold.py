"""What is folded away leaves the same outputs, and what may not be folded stays."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import caffemodel, feed
from layer_cases import network
from numpy.testing import assert_allclose

from converters.caffe import assemble, convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import pieces, to_bytes
from converters.runtimes import RUNTIMES

BOTTOM = (2, 6, 9, 7)
LINEAR = {
    "Convolution": "convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 2 %s }",
    "Deconvolution": "convolution_param { num_output: 4 kernel_size: 3 stride: 2 group: 2 %s }",
    "InnerProduct": "inner_product_param { num_output: 4 %s }",
}
NORM = 'layer { name: "bn" type: "BatchNorm" bottom: "x" top: "x" }'
SCALE = 'layer { name: "scale" type: "Scale" bottom: "x" top: "x" scale_param { bias_term: true } }'
SLOPE = 'layer { name: "slope" type: "Scale" bottom: "x" top: "y" }'
SHIFT = 'layer { name: "shift" type: "Bias" bottom: "x" top: "x" }'
POWER = 'layer { name: "power" type: "Power" bottom: "x" top: "x" power_param { scale: -0.5 shift: 2 } }'


def linear(kind, *, bias=True, transpose=False):
    """Return a layer from ``data`` to ``x``."""
    words = ("" if bias else "bias_term: false") + (" transpose: true" if transpose else "")
    return f'layer {{ name: "x" type: "{kind}" bottom: "data" top: "x" {LINEAR[kind] % words} }}'


def nodes_and_net(folder, layers, channels=4):
    """Return the node types of the converted network, after a check in every runtime."""
    prototxt, generator = folder / "net.prototxt", np.random.default_rng(4)
    prototxt.write_text(network("\n".join(layers), BOTTOM))
    made_up = read_net(prototxt)
    weights = {op.name: [generator.uniform(0.5, 1.5, blob.shape) for blob in op.blobs] for op in made_up.layers}
    (folder / "net.caffemodel").write_bytes(caffemodel({name: blobs for name, blobs in weights.items() if blobs}))
    net = read_net(prototxt, folder / "net.caffemodel")
    model = convert_net(net)
    for runtime in RUNTIMES.values():
        for batch in (1, 3):
            expected, found = run(net, feed(BOTTOM, batch)), runtime(to_bytes(model), feed(BOTTOM, batch))
            for name in net.outputs:
                assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)
    return [node.op_type for node in model.graph.node], net


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "emitted"), [("Convolution", ["Conv"]), ("Deconvolution", None), ("InnerProduct", ["Reshape", "Gemm"])]
)
@pytest.mark.parametrize("behind", [[NORM], [NORM, SCALE], [NORM, SLOPE], [SHIFT, SCALE, POWER], [POWER]], ids=len)
def test_channels_go_into_the_layer_before(tmp_path, kind, emitted, behind, bias):
    layers = [linear(kind, bias=bias)]
    alone, _ = nodes_and_net(tmp_path, [linear(kind)])
    found, _ = nodes_and_net(tmp_path, [*layers, *behind])
    assert found == alone
    assert emitted in (None, alone)


def test_a_transposed_dense_layer(tmp_path):
    assert nodes_and_net(tmp_path, [linear("InnerProduct", transpose=True), NORM, SCALE])[0] == ["Reshape", "Gemm"]


def test_what_others_read_stays(tmp_path):
    aside = SLOPE.replace('"slope"', '"aside"').replace('top: "y"', 'top: "z"')
    found, net = nodes_and_net(tmp_path, [linear("Convolution"), SLOPE, aside])
    assert found == ["Conv", "Mul", "Mul"]
    assert net.outputs == ("y", "z")


def test_another_axis_stays(tmp_path):
    other = SLOPE.replace(" }", " scale_param { axis: 2 } }")
    assert nodes_and_net(tmp_path, [linear("Convolution"), other])[0] == ["Conv", "Mul"]


def test_two_layers_of_channels_become_one(tmp_path):
    first = NORM.replace('bottom: "x"', 'bottom: "data"')
    assert len(nodes_and_net(tmp_path, [first])[0]) == len(nodes_and_net(tmp_path, [first, SCALE])[0]) == 1


def test_branches_that_end_in_silence_are_gone(tmp_path):
    silent = (
        'layer { name: "s" type: "Sigmoid" bottom: "x" top: "s" } layer { name: "end" type: "Silence" bottom: "s" }'
    )
    relu = 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'
    assert nodes_and_net(tmp_path, [linear("Convolution"), silent, relu])[0] == ["Conv", "Relu"]


def test_file_in_pieces_is_the_file(tmp_path):
    _, net = nodes_and_net(
        tmp_path, [linear("Convolution"), SCALE, 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }']
    )
    whole = to_bytes(convert_net(net, metadata={"name": "a"}))
    assert b"".join(pieces(*assemble(net, metadata={"name": "a"}))) == whole
