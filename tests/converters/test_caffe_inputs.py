"""Where inputs come from: declarations, Input layers, data layers; and which batches are one."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import network
from numpy.testing import assert_allclose

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.caffe.schema import State
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

NET = """
layer {{ name: "train" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }} }}
layer {{ name: "test" type: "{kind}" top: "data" {label} {text} include {{ phase: TEST }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param {{ num_output: 5 }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }}
layer {{ name: "score" type: "Accuracy" bottom: "fc" bottom: "label" top: "score" include {{ phase: TEST }} }}
"""


def read(folder, text, **words):
    (folder / "net.prototxt").write_text(text)
    return read_net(folder / "net.prototxt", **words)


@pytest.mark.parametrize("label", ['top: "label"', ""], ids=["label", "no label"])
@pytest.mark.parametrize(
    ("kind", "text", "shape"),
    [
        ("MemoryData", "memory_data_param { batch_size: 7 channels: 3 height: 5 width: 4 }", (7, 3, 5, 4)),
        ("ImageData", "image_data_param { batch_size: 7 new_height: 5 new_width: 4 }", (7, 3, 5, 4)),
        ("ImageData", "image_data_param { is_color: false } transform_param { crop_size: 5 }", (1, 1, 5, 5)),
        ("Data", "data_param { batch_size: 7 } transform_param { crop_size: 5 force_gray: true }", (7, 1, 5, 5)),
        ("WindowData", "window_data_param { batch_size: 7 crop_size: 5 }", (7, 3, 5, 5)),
    ],
)
def test_data_layers_are_inputs(tmp_path, kind, text, shape, label):
    net = read(tmp_path, NET.format(kind=kind, text=text, label=label))
    assert (net.inputs, net.outputs) == ({"data": shape}, ("fc",))
    assert [op.type for op in net.layers] == ["InnerProduct"]


@pytest.mark.parametrize("kind", ["Data", "HDF5Data", "ImageData"])
def test_data_layers_without_a_shape(tmp_path, kind):
    with pytest.raises(Unsupported, match=rf"layer 'test' \({kind}\): .* put an Input layer with a shape"):
        read(tmp_path, NET.format(kind=kind, text="", label=""))


RULES = """
layer { name: "high" type: "Power" bottom: "data" top: "data" power_param { shift: 1 } include { min_level: 2 } }
layer { name: "small" type: "Power" bottom: "data" top: "data" power_param { shift: 10 } include { stage: "small" } }
layer { name: "large" type: "Power" bottom: "data" top: "data" power_param { shift: 100 } exclude { stage: "small" } }
layer { name: "end" type: "ReLU" bottom: "data" top: "end" }
"""


@pytest.mark.parametrize(
    ("own", "state", "kept"),
    [
        ("", State(), {"large"}),
        ("", State(level=2), {"high", "large"}),
        ("", State(stages=("small", "other")), {"small"}),
        ("state { level: 3 }", State(), {"high", "large"}),
        ("state { level: 3 }", State(level=0), {"large"}),
        ('state { stage: "small" }', State(stages=("other",)), {"small"}),
    ],
)
def test_rules_choose_layers(tmp_path, own, state, kept):
    net = read(tmp_path, network(own + RULES, (2, 3)), state=state)
    assert {op.name for op in net.layers} - {"end"} == kept


ROIS = """
layer { name: "half" type: "Power" bottom: "data" top: "half" power_param { scale: 0.5 } }
layer { name: "pool" type: "ROIPooling" bottom: "half" bottom: "data_2" top: "pool"
        roi_pooling_param { pooled_h: 2 pooled_w: 3 } }
"""


def test_batches_that_no_layer_ties_stay_apart(tmp_path):
    net = read(tmp_path, network(ROIS, ((1, 3, 7, 8), (1, 5))))
    assert [net.symbols[name] for name in ("data", "data_2", "pool")] == [{0: "N"}, {0: "data_2_N"}, {0: "data_2_N"}]
    feeds = {
        "data": np.random.default_rng(2).normal(size=(2, 3, 7, 8)).astype("f4"),
        "data_2": np.array([[0, 0, 0, 5, 5], [1, 2, 1, 6, 3], [1, 0, 0, 7, 6]], dtype="f4"),
    }
    found = RUNTIMES["onnxruntime"](to_bytes(convert_net(net)), feeds)["pool"]
    assert found.shape == (3, 3, 2, 3)
    assert_allclose(found, run(net, feeds)["pool"], rtol=1e-6)


def test_batches_that_a_layer_ties_are_one(tmp_path):
    add = 'layer { name: "a" type: "Eltwise" bottom: "data_2" bottom: "data" top: "a" }'
    net = read(tmp_path, network(add, ((4, 3), (4, 3))))
    assert [net.symbols[name] for name in ("data", "data_2", "a")] == [{0: "N"}] * 3
    assert not net.fixed
    with pytest.raises(BadInput, match="inputs of different batch sizes: 'data' 2, 'data_2' 1"):
        run(net, {"data": np.zeros((2, 3)), "data_2": np.zeros((1, 3))})


def test_layers_of_constants_alone_leave_the_batch_free(tmp_path):
    layers = """
    layer { name: "k" type: "DummyData" top: "k"
            dummy_data_param { shape { dim: 1 dim: 3 dim: 1 } data_filler { value: 2 } } }
    layer { name: "r" type: "Reshape" bottom: "k" top: "r" reshape_param { shape { dim: 3 } } }
    layer { name: "s" type: "Scale" bottom: "data" bottom: "r" top: "s" }
    """
    net = read(tmp_path, network(layers, (2, 3, 5)))
    assert not net.fixed
    feeds = {"data": np.random.default_rng(2).normal(size=(4, 3, 5)).astype("f4")}
    assert_allclose(RUNTIMES["onnxruntime"](to_bytes(convert_net(net)), feeds)["s"], feeds["data"] * 2)


def test_the_second_top_of_a_softmax_loss(tmp_path):
    text = NET.format(
        kind="MemoryData", text="memory_data_param { batch_size: 2 channels: 3 height: 5 width: 4 }", label=""
    )
    net = read(tmp_path, text.replace('top: "loss"', 'top: "loss" top: "prob"'))
    assert net.outputs == ("prob",)
    assert [op.type for op in net.layers] == ["InnerProduct", "Softmax"]
