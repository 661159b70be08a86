"""What the cases of Permute, ArgMax, Embed and BatchReindex do not show: another judge, equal numbers, fractions."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import feed, write
from layer_cases import one_layer
from numpy.testing import assert_allclose, assert_array_equal

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

BOTTOM = (2, 7, 5, 3)
ORDERS = [
    ("order: 0 order: 2 order: 3 order: 1", BOTTOM, (0, 2, 3, 1)),
    ("order: 0 order: 3 order: 2 order: 1", BOTTOM, (0, 3, 2, 1)),
    ("order: 3 order: 2 order: 1 order: 0", BOTTOM, (3, 2, 1, 0)),
    ("order: 0 order: 3", BOTTOM, (0, 3, 1, 2)),
    ("order: 2", BOTTOM, (2, 0, 1, 3)),
    ("", (2, 7, 5), (0, 1, 2)),
]


@pytest.mark.parametrize(("order", "bottom", "axes"), ORDERS)
def test_permute(tmp_path, order, bottom, axes):
    text = one_layer("Permute", f"permute_param {{ {order} }}", bottom)
    net, data = read_net(*write(tmp_path, text, bottom)), feed(bottom)
    expected = np.moveaxis(data["data"], axes, range(len(axes)))
    assert net.shapes["top"] == expected.shape
    assert_array_equal(run(net, data)["top"], expected)


@pytest.mark.parametrize(("order", "bottom", "axes"), ORDERS[:3])
def test_permute_is_what_opencv_reads(tmp_path, order, bottom, axes):
    reader = getattr(pytest.importorskip("cv2").dnn, "readNetFromCaffe", None)
    if reader is None:
        pytest.skip("OpenCV 5 reads no Caffe")
    prototxt, _ = write(tmp_path, one_layer("Permute", f"permute_param {{ {order} }}", bottom), bottom)
    data, opencv = feed(bottom), reader(str(prototxt))
    opencv.setInput(data["data"], "data")
    assert_array_equal(opencv.forward("top"), run(read_net(prototxt), data)["top"])


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "text", ["", "top_k: 5", "top_k: 3 out_max_val: true", "axis: 1", "axis: 2 top_k: 4", "axis: 1 top_k: 3"]
)
def test_the_last_of_equal_numbers_comes_first(tmp_path, text, runtime):
    net = read_net(*write(tmp_path, one_layer("ArgMax", f"argmax_param {{ {text} }}", BOTTOM), BOTTOM))
    data = {"data": np.random.default_rng(3).integers(-1, 2, BOTTOM).astype(np.float32)}
    assert_array_equal(RUNTIMES[runtime](to_bytes(convert_net(net)), data)["top"], run(net, data)["top"])


def test_the_last_of_three(tmp_path):
    net = read_net(*write(tmp_path, one_layer("ArgMax", "argmax_param { top_k: 3 }", (2, 6)), (2, 6)))
    data = {"data": np.array([[1, 5, 5, 2, 5, 0], [1, 1, 1, 1, 1, 1]], np.float32)}
    assert_array_equal(run(net, data)["top"], [[[4, 2, 1]], [[5, 4, 3]]])  # as Caffe answers


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_fraction_of_an_index_does_not_count(tmp_path, runtime):
    prototxt, binary = write(tmp_path, one_layer("Embed", "embed_param { input_dim: 4 num_output: 3 }", (2, 3)), (2, 3))
    net = read_net(prototxt, binary)
    found = [
        RUNTIMES[runtime](to_bytes(convert_net(net)), {"data": np.array(numbers, np.float32)})["top"]
        for numbers in ([[0, 1, 2], [3, 2, 0]], [[0.9, 1.5, 2.51], [3.99, 2, 0.4]])
    ]
    assert_allclose(found[0], found[1])
    rows, bias = net.layers[0].blobs
    assert_allclose(found[0][1, 0], rows[3] + bias)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_as_many_samples_as_are_listed(tmp_path, count):
    net = read_net(*write(tmp_path, one_layer("BatchReindex", "", ((3, 7), (2,))), ((3, 7), (2,))))
    model = convert_net(net)
    assert [d.dim_param or d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == ["data_2_N", 7]
    generator = np.random.default_rng(count)
    data = {"data": feed((5, 7))["data"], "data_2": generator.integers(5, size=count).astype(np.float32)}
    expected = np.stack([data["data"][int(place)] for place in data["data_2"]])
    assert_array_equal(run(net, data)["top"], expected)
    assert_array_equal(RUNTIMES["onnxruntime"](to_bytes(model), data)["top"], expected)
