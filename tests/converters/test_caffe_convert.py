"""The ONNX file: names, batch, metadata, and the same bytes each time."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest
from caffe_nets import caffemodel, feed
from layer_cases import network
from numpy.testing import assert_allclose

from converters import VERSION
from converters.caffe import convert
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

BOTTOM = (4, 3, 13, 11)
LAYERS = """
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 7 kernel_size: 3 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "n" type: "LRN" bottom: "c" top: "n" lrn_param { alpha: 0.5 local_size: 3 } }
layer { name: "m" type: "Pooling" bottom: "n" top: "m" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "f" type: "InnerProduct" bottom: "m" top: "f" inner_product_param { num_output: 5 } }
layer { name: "d" type: "Dropout" bottom: "f" top: "f" }
layer { name: "prob" type: "Softmax" bottom: "f" top: "prob" }
layer { name: "side" type: "Pooling" bottom: "c" top: "side" pooling_param { pool: AVE global_pooling: true } }
"""


@pytest.fixture
def files(tmp_path):
    generator = np.random.default_rng(5)
    shapes = {"c": [(7, 3, 3, 3), (7,)], "f": [(5, 7 * 5 * 4), (5,)]}
    weights = {name: [generator.normal(size=s).astype("f4") / 9 for s in sizes] for name, sizes in shapes.items()}
    prototxt, binary = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(network(LAYERS, BOTTOM))
    binary.write_bytes(caffemodel(weights))
    return prototxt, binary


@pytest.mark.parametrize("lrn", ["lowered", "native"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_whole_network_with_two_outputs(files, runtime, lrn):
    net, model = read_net(*files), to_bytes(convert(*files, lrn=lrn))
    for batch in (1, 3):
        found, blobs = RUNTIMES[runtime](model, feed(BOTTOM, batch)), run(net, feed(BOTTOM, batch))
        assert sorted(found) == ["prob", "side"]
        for name, output in found.items():
            assert_allclose(output, blobs[name], atol=1e-6)


def test_names_and_the_batch(files):
    graph = convert(*files).graph
    described = {
        info.name: [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
        for info in (*graph.input, *graph.output)
    }
    assert described == {"data": ["N", 3, 13, 11], "prob": ["N", 5], "side": ["N", 7, 1, 1]}
    tensors = {name for node in graph.node for name in node.output}
    assert {"c", "n", "m", "f"} <= tensors
    assert len({node.name for node in graph.node}) == len(graph.node)


def test_lrn_forms(files):
    kinds = {lrn: {node.op_type for node in convert(*files, lrn=lrn).graph.node} for lrn in ("lowered", "native")}
    assert "LRN" in kinds["native"]
    assert "LRN" not in kinds["lowered"]


def test_header_and_metadata(files):
    model = convert(*files, metadata={"name": "tiny", "converter_version": VERSION})
    onnx.checker.check_model(model, full_check=True)
    assert (model.opset_import[0].version, model.ir_version, model.producer_name) == (17, 8, "agebench")
    properties = [(p.key, p.value) for p in model.metadata_props]
    assert properties == sorted(properties)
    assert dict(properties) == {
        "converter": "caffe",
        "converter_version": VERSION,
        "lrn": "lowered",
        "name": "tiny",
        "source_prototxt": "net.prototxt",
        "source_prototxt_sha256": hashlib.sha256(files[0].read_bytes()).hexdigest(),
        "source_caffemodel": "net.caffemodel",
        "source_caffemodel_sha256": hashlib.sha256(files[1].read_bytes()).hexdigest(),
    }
    with pytest.raises(ValueError, match="converter_version"):
        convert(*files, metadata={"converter_version": "another"})


def test_same_inputs_same_bytes(files):
    once = to_bytes(convert(*files, metadata={"b": "2", "a": "1"}))
    assert once == to_bytes(convert(*files, metadata={"a": "1", "b": "2"}))
    assert once != to_bytes(convert(*files))


def test_a_layer_beside_others_may_keep_both_names(tmp_path):
    layers = """
    layer { name: "same" type: "ReLU" bottom: "data" top: "x" }
    layer { name: "same" type: "Dropout" bottom: "x" top: "y" }
    layer { name: "same/mul" type: "LRN" bottom: "x" top: "same/mul/mul" }
    """
    path = tmp_path / "net.prototxt"
    path.write_text(network(layers, BOTTOM))
    model, data = to_bytes(convert(path)), feed(BOTTOM)
    for runtime in RUNTIMES.values():
        found = runtime(model, data)
        assert_allclose(found["y"], np.maximum(data["data"], 0))
        assert_allclose(found["same/mul/mul"], run(read_net(path), data)["same/mul/mul"], atol=1e-6)
