"""What layers with several bottoms or tops refuse, in one line: where, the layer and its type, what would be right."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from layer_cases import network, one_layer
from numpy.testing import assert_allclose

from converters.caffe import convert, convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

BOTTOM = (2, 7, 5, 3)
TWO, BATCH_AND_CHANNELS = (BOTTOM, BOTTOM), (BOTTOM, (2, 7))

BAD = [
    ("Concat", "", (BOTTOM, (2, 7, 5, 4)), 1, ("'data_2'", "(2, 7, 5, 4)", "only axis 1 may differ")),
    ("Concat", "", (BOTTOM, (2, 7, 5)), 1, ("'data_2'", "(2, 7, 5)")),
    ("Concat", "concat_param { axis: 1 concat_dim: 1 }", TWO, 1, ("axis and concat_dim",)),
    ("Concat", "concat_param { axis: 4 }", TWO, 1, ("axis 4 of a bottom with 4 axes",)),
    ("Eltwise", "", (BOTTOM, (2, 7, 5, 4)), 1, ("'data_2'", "all must have the same")),
    ("Eltwise", "eltwise_param { coeff: 2 }", TWO, 1, ("1 coeff for 2 bottoms", "one each")),
    ("Eltwise", "eltwise_param { operation: PROD coeff: [1, 2] }", TWO, 1, ("SUM only",)),
    ("Slice", "", BOTTOM, 2, ("7 numbers", "2 equal tops")),
    ("Slice", "slice_param { slice_point: 2 }", BOTTOM, 3, ("1 slice_point for 3 tops", "need 2")),
    ("Slice", "slice_param { slice_point: 3 slice_point: 3 }", BOTTOM, 3, ("[3, 3] must rise",)),
    ("Slice", "slice_param { slice_point: 7 }", BOTTOM, 2, ("[7] must rise", "below 7")),
    ("Slice", "slice_param { slice_point: 0 }", BOTTOM, 2, ("[0] must rise",)),
    ("Slice", "slice_param { axis: 1 slice_dim: 1 }", BOTTOM, 1, ("axis and slice_dim",)),
    ("Flatten", "flatten_param { axis: 3 end_axis: 2 }", BOTTOM, 1, ("end_axis 2 lies before axis 3",)),
    ("Reshape", "reshape_param { shape { dim: 0 dim: 9 dim: -1 } }", BOTTOM, 1, ("holds 210 numbers",)),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: -1 } }", BOTTOM, 1, ("-1 may stand once",)),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -2 } }", BOTTOM, 1, ("[0, -2]",)),
    ("Reshape", "reshape_param { shape { dim: [0, 0, 0, 0, 0] } }", BOTTOM, 1, ("0 copies an axis that is there",)),
    ("Reshape", "reshape_param { axis: 5 }", BOTTOM, 1, ("axis 5 with num_axes -1 of a bottom with 4 axes",)),
    ("Reshape", "reshape_param { axis: 2 num_axes: 3 }", BOTTOM, 1, ("axis 2 with num_axes 3",)),
    ("Scale", "scale_param { axis: 2 num_axes: 3 }", BOTTOM, 1, ("num_axes 3 from axis 2",)),
    ("Scale", "scale_param { axis: 0 }", (BOTTOM, (2, 5)), 1, ("'data_2'", "(2, 5)", "(2, 7, 5, 3) from axis 0 on")),
    ("Scale", "", (BOTTOM, (5, 7)), 1, ("'data_2'", "(5, 7)", "from axis 1 on")),
    ("Scale", "scale_param { axis: 3 }", (BOTTOM, (3, 1)), 1, ("'data_2'", "(3, 1)", "from axis 3 on")),
    ("Scale", "scale_param { axis: 4 num_axes: 0 }", BOTTOM, 1, ("axis 4 of a bottom with 4 axes",)),
    ("Bias", "bias_param { num_axes: -2 }", BOTTOM, 1, ("num_axes -2",)),
    ("Concat", "concat_param { axis: -1 }", (BOTTOM, BOTTOM[1:]), 1, ("'data_2'", "(7, 5, 3)")),
    ("Concat", "concat_param { axis: -1 }", ((2, 3), (2,)), 1, ("'data_2'", "(2,)")),
    ("Permute", "permute_param { order: [0, 4] }", BOTTOM, 1, ("order [0, 4]", "0 to 3")),
    ("Permute", "permute_param { order: [0, 2, 2] }", BOTTOM, 1, ("order [0, 2, 2]", "once")),
    ("Tile", "", BOTTOM, 1, ("tiles 0", "at least 1")),
    ("Tile", "tile_param { tiles: -2 }", BOTTOM, 1, ("tiles -2",)),
    ("Tile", "tile_param { tiles: 2147483647 }", BOTTOM, 1, ("more than", "check the sizes")),
    ("Crop", "", (BOTTOM, (2, 7, 6, 3)), 1, ("6 numbers from 0 on along axis 2", "(2, 7, 5, 3)")),
    ("Crop", "crop_param { offset: 1 }", (BOTTOM, (2, 7, 4, 3)), 1, ("3 numbers from 1 on along axis 3",)),
    ("Crop", "crop_param { offset: 4294967295 }", TWO, 1, ("from 4294967295 on",)),
    ("Crop", "crop_param { axis: 1 offset: [1, 1] }", TWO, 1, ("2 offset for 3 axes from axis 1 on",)),
    ("Crop", "", (BOTTOM, (2, 7, 5)), 1, ("'data_2'", "(2, 7, 5)", "needs an axis 3")),
    ("Crop", "crop_param { axis: 4 }", TWO, 1, ("axis 4 of a bottom with 4 axes",)),
    ("Reduction", "reduction_param { axis: 4 }", BOTTOM, 1, ("axis 4 of a bottom with 4 axes",)),
    ("ArgMax", "argmax_param { top_k: 0 }", BOTTOM, 1, ("top_k 0 of 105 numbers",)),
    ("ArgMax", "argmax_param { top_k: 106 }", BOTTOM, 1, ("top_k 106 of 105 numbers", "1 to 105")),
    ("ArgMax", "argmax_param { axis: 1 top_k: 8 }", BOTTOM, 1, ("top_k 8 of 7 numbers",)),
    ("ArgMax", "argmax_param { axis: -5 }", BOTTOM, 1, ("axis -5",)),
    ("SPP", "", BOTTOM, 1, ("pyramid_height is missing or 0",)),
    ("SPP", "spp_param { pyramid_height: 2 }", (2, 7, 5), 1, ("(2, 7, 5)", "4 axes")),
    ("SPP", "spp_param { pyramid_height: 4294967295 }", BOTTOM, 1, ("(5, 3) pixels", "4 by 4", "lower pyramid_height")),
    ("Embed", "embed_param { num_output: 3 }", (2, 7), 1, ("input_dim is missing or 0",)),
    ("Embed", "embed_param { num_output: 4294967295 input_dim: 2 }", (2, 7), 1, ("more than", "check the sizes")),
    ("Embed", "embed_param { num_output: 2 input_dim: 4294967295 }", (2, 7), 1, ("weights", "check the sizes")),
    ("InnerProduct", "inner_product_param { num_output: 9999999 }", BOTTOM, 1, ("weights of shape (9999999, 105)",)),
    ("BatchReindex", "", TWO, 1, ("'data_2'", "one axis")),
]
UNSUPPORTED = [
    ("BatchNorm", "batch_norm_param { use_global_stats: false }", BOTTOM, 1, ("use_global_stats: false",)),
    ("SPP", "spp_param { pyramid_height: 2 pool: STOCHASTIC }", BOTTOM, 1, ("pool STOCHASTIC",)),
    ("Crop", "", BOTTOM, 1, ("1 bottoms and 1 tops", "has 2 bottoms")),
    ("Eltwise", "", BOTTOM, 1, ("1 bottoms and 1 tops", "has 2 or more bottoms and 1 tops")),
    ("Scale", "", (BOTTOM,) * 3, 1, ("3 bottoms and 1 tops", "has 1 to 2 bottoms and 1 tops")),
    ("Split", "", BOTTOM, 0, ("1 bottoms and 0 tops", "has 1 bottoms and 1 or more tops")),
    ("Silence", "", BOTTOM, 1, ("1 bottoms and 1 tops", "has 1 or more bottoms and 0 tops")),
]


@pytest.mark.parametrize(
    ("kind", "type_name", "text", "bottoms", "tops", "parts"),
    [(kind, *row) for kind, rows in ((BadInput, BAD), (Unsupported, UNSUPPORTED)) for row in rows],
)
def test_refused(tmp_path, kind, type_name, text, bottoms, tops, parts):
    path = tmp_path / "net.prototxt"
    path.write_text(one_layer(type_name, text, bottoms, tops))
    with pytest.raises(BadInput) as caught:
        convert(path)
    message = str(caught.value)
    assert type(caught.value) is kind
    assert message.startswith(f"{path}:")
    assert "\n" not in message
    for part in (f"layer 'top' ({type_name}): ", *parts):
        assert part in message, message


def in_place(text: str, second: str = "") -> str:
    return f'layer {{ name: "x" bottom: "data" {second} top: "data" {text} }}'


@pytest.mark.parametrize(
    "layers",
    [
        in_place('type: "Eltwise"', 'bottom: "data_2"'),
        in_place('type: "Concat"', 'bottom: "data_2"'),
        in_place('type: "Split" top: "more"'),
        in_place('type: "Slice" top: "more" slice_param { slice_point: 2 }'),
        in_place('type: "Flatten"'),
        in_place('type: "Reshape"'),
    ],
)
def test_layers_that_cannot_work_in_place(tmp_path, layers):
    path = tmp_path / "net.prototxt"
    path.write_text(network(layers, TWO))
    with pytest.raises(Unsupported, match=r"net.prototxt:6: layer 'x' \(\w+\): top 'data' over the bottom 'data'"):
        convert(path)


RELU = 'layer {{ name: "relu" type: "ReLU" bottom: "{0}" top: "{0}" }}'
READ = 'layer {{ name: "read" type: "Softmax" bottom: "{}" top: "read" }}'
SHARING = {
    "a part of a Split": ('type: "Split" top: "a" top: "b"', RELU.format("a") + READ.format("b"), "'read' (Softmax)"),
    "an output": ('type: "Split" top: "a" top: "b"', RELU.format("a"), "'share' (Split)"),
    "the bottom": ('type: "Flatten" top: "a"', RELU.format("a") + READ.format("x"), "'read' (Softmax)"),
    "the top": ('type: "Reshape" top: "a"', RELU.format("x") + READ.format("a"), "'read' (Softmax)"),
}


@pytest.mark.parametrize("case", SHARING)
def test_a_blob_that_caffe_overwrites_through_another_name(tmp_path, case):
    share, behind, reader = SHARING[case]
    first = 'layer { name: "first" type: "ReLU" bottom: "data" top: "x" }'
    layers = f'{first} layer {{ name: "share" bottom: "x" {share} }} {behind}'
    path = tmp_path / "net.prototxt"
    path.write_text(network(layers, (2, 7)))
    with pytest.raises(
        Unsupported, match=r"overwrites in Caffe by its in-place top, since both share memory"
    ) as caught:
        convert(path)
    assert f"layer {reader}: blob " in str(caught.value)


def test_overwriting_memory_that_nobody_reads_any_more(tmp_path):
    share = 'layer { name: "share" type: "Split" bottom: "data" top: "a" top: "b" }'
    dropout = RELU.format("a").replace('"ReLU"', '"Dropout"')  # which overwrites nothing at TEST
    (tmp_path / "net.prototxt").write_text(network(share + dropout + READ.format("b") + RELU.format("a"), (2, 7)))
    net, data = read_net(tmp_path / "net.prototxt"), feed((2, 7))
    assert_allclose(run(net, data)["a"], np.maximum(data["data"], 0))


def test_a_layer_with_a_second_bottom_takes_no_weights(tmp_path):
    prototxt, binary = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(one_layer("Scale", "scale_param { axis: 0 }", BATCH_AND_CHANNELS))
    binary.write_bytes(caffemodel({"top": [np.ones(7, np.float32)]}))
    with pytest.raises(BadInput, match=r"1 blobs of weights .*; the layer has 0"):
        convert(prototxt, binary)


def test_negative_variance(tmp_path):
    prototxt, _ = write(tmp_path, one_layer("BatchNorm", "", BOTTOM), BOTTOM)
    binary = tmp_path / "other.caffemodel"
    blobs = [np.zeros(7, np.float32), np.full(7, -1, np.float32), np.ones(1, np.float32)]
    binary.write_bytes(caffemodel({"top": blobs}))
    with pytest.raises(BadInput, match="variance below 0"):
        convert(prototxt, binary)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_batch_norm_without_statistics(tmp_path, runtime):
    prototxt, binary = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(one_layer("BatchNorm", "batch_norm_param { eps: 0.25 }", BOTTOM))
    binary.write_bytes(caffemodel({"top": [np.full(7, 3.0), np.full(7, 5.0), np.zeros(1)]}))
    net, data = read_net(prototxt, binary), feed(BOTTOM)
    assert_allclose(run(net, data)["top"], data["data"] * 2.0)
    assert_allclose(RUNTIMES[runtime](to_bytes(convert_net(net)), data)["top"], data["data"] * 2, rtol=1e-6)
