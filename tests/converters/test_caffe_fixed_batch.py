"""Networks that mix samples keep the file's batch and say why; blobs that the file itself holds become constants.

Whether the numbers are right, Caffe judges: ``tests/golden/nets/fixed_batch`` and ``constants``, and the layers' cases.
"""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from layer_cases import network, one_layer, several
from numpy.testing import assert_allclose

from converters.caffe import convert, convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available

BOTTOM = (4, 6, 5, 3)
TWO, BATCH_AND_CHANNELS = (BOTTOM, BOTTOM), (BOTTOM, (4, 6))

FIXED = [
    ("Concat", "concat_param { axis: 0 }", TWO, 1, ("axis 0", "batch")),
    ("Concat", "", ((2, 7), (2, 7)), 1, ()),
    ("Slice", "slice_param { slice_dim: 0 }", BOTTOM, 2, ("axis 0", "batch")),
    ("Flatten", "flatten_param { axis: -4 }", BOTTOM, 1, ("axis 0", "batch")),
    ("Softmax", "softmax_param { axis: -4 }", BOTTOM, 1, ("axis 0", "batch")),
    ("Tile", "tile_param { axis: 0 tiles: 2 }", BOTTOM, 1, ("axis 0",)),
    ("Crop", "crop_param { axis: 0 }", (BOTTOM, (2, 6, 5, 3)), 1, ("axis 0",)),
    ("Reduction", "", BOTTOM, 1, ("axis 0",)),
    ("ArgMax", "argmax_param { axis: 0 }", BOTTOM, 1, ("axis 0",)),
    ("Permute", "permute_param { order: 1 order: 0 }", BOTTOM, 1, ("makes axis 1 the first",)),
    ("Reshape", "reshape_param { shape { dim: 6 dim: -1 } }", BOTTOM, 1, ("(6, 60)", "begin with dim: 0")),
    ("Reshape", "reshape_param { shape { dim: 1 } num_axes: 0 axis: 0 }", (1, 6), 1, ("(1, 1, 6)", "axis: 1")),
    ("Reshape", "reshape_param { num_axes: 1 axis: 0 }", (1, 1, 6), 1, ("(1, 6)",)),
    ("Scale", "", (BOTTOM, (6,)), 1, ("'data_2' on axis 1",)),
    ("Scale", "scale_param { axis: -2 }", (BOTTOM, (5, 3)), 1, ("axis -2 with two bottoms",)),
    ("Scale", "scale_param { axis: 0 }", BOTTOM, 1, ("axis 0", "batch")),
    ("Scale", "scale_param { axis: 0 bias_term: true }", BATCH_AND_CHANNELS, 1, ("bias with numbers for each sample",)),
    ("Bias", "", (BOTTOM, (6,)), 1, ("'data_2' on axis 1",)),
    ("Eltwise", "", ((4, 3), (4, 3)), 1, ()),
    ("InnerProduct", "inner_product_param { num_output: 2 axis: -4 }", BOTTOM, 1, ("axis 0", "batch")),
]


def other_batch(bottoms):
    return tuple((shape[0] + 1, *shape[1:]) for shape in several(bottoms))


@pytest.mark.parametrize(("type_name", "text", "bottoms", "tops", "parts"), FIXED)
def test_the_file_says_why_its_batch_is_fixed(tmp_path, type_name, text, bottoms, tops, parts):
    net = read_net(*write(tmp_path, one_layer(type_name, text, bottoms, tops), bottoms))
    model = convert_net(net)
    properties = {p.key: p.value for p in model.metadata_props}
    described = {
        info.name: [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
        for info in (*model.graph.input, *model.graph.output)
    }
    if not parts:  # these keep samples apart
        assert (net.fixed, properties.get("fixed_batch"), described["top"][0]) == ("", None, "N")
        return
    assert properties["fixed_batch"] == net.fixed
    for part in (f"layer 'top' ({type_name}): ", *parts):
        assert part in net.fixed
    assert described == {name: list(net.shapes[name]) for name in described}
    with pytest.raises(BadInput, match=r"input 'data' has the shape .* the network needs .* its batch is fixed: .*top"):
        run(net, feed(other_batch(bottoms)))


def test_inputs_of_different_batches(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(one_layer("Concat", "concat_param { axis: 0 }", ((2, 7), (3, 7))))
    net = read_net(path)
    assert net.shapes["top"] == (5, 7)
    path.write_text(one_layer("Eltwise", "", ((2, 7), (3, 7))))
    with pytest.raises(BadInput, match=r"'data_2' has the shape \(3, 7\), the first \(2, 7\)"):
        read_net(path)


def constant(name, shape, text=""):
    text = f"dummy_data_param {{ shape {{ {' '.join(f'dim: {size}' for size in shape)} }} {text} }}"
    return f'layer {{ name: "{name}" type: "DummyData" top: "{name}" {text} }}\n'


def parameter(name, shape):
    sizes = " ".join(f"dim: {size}" for size in shape)
    return f'layer {{ name: "{name}" type: "Parameter" top: "{name}" parameter_param {{ shape {{ {sizes} }} }} }}\n'


def joined(type_name, bottoms, text="", name="top"):
    blobs = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    return f'layer {{ name: "{name}" type: "{type_name}" {blobs} top: "{name}" {text} }}\n'


def of(tmp_path, layers, bottoms, weights=None):
    """Write a network and its weights, and read it."""
    (tmp_path / "net.prototxt").write_text(network(layers, bottoms))
    if not weights:
        return read_net(tmp_path / "net.prototxt")
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(weights))
    return read_net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_weights_beside_samples_fix_the_batch(tmp_path, runtime):
    numbers = np.arange(12, dtype=np.float32).reshape(2, 6) / 8
    layers = parameter("rows", (2, 6)) + joined("Concat", ("data", "rows"))
    net, data = of(tmp_path, layers, (2, 5), {"rows": [numbers]}), feed((2, 5))
    assert "layer 'top' (Concat): bottom 'rows' has not the batch of bottom 'data'" in net.fixed
    expected = np.concatenate([data["data"], numbers], axis=1)
    assert_allclose(run(net, data)["top"], expected)
    assert_allclose(RUNTIMES[runtime](to_bytes(convert_net(net)), data)["top"], expected, rtol=1e-6)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_follows_from_constants_is_computed(tmp_path, runtime):
    power = joined("Power", ("filled",), "power_param { power: 2 scale: 3 shift: -1 }", "power")
    layers = constant("filled", (2, 5), "data_filler { value: 1.5 }") + power + joined("Eltwise", ("data", "power"))
    net, data = of(tmp_path, layers, (2, 5)), feed((2, 5))
    assert "(Eltwise)" in net.fixed
    model = convert_net(net)
    assert [(node.op_type, list(node.input)) for node in model.graph.node] == [("Add", ["data", "power"])]
    assert [tensor.name for tensor in model.graph.initializer] == ["power"]
    assert_allclose(RUNTIMES[runtime](to_bytes(model), data)["top"], data["data"] + 12.25, rtol=1e-6)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_constant_may_be_an_output(tmp_path, runtime):
    layers = constant("filled", (3, 5), "data_filler { value: 1.5 }") + joined("ReLU", ("data",))
    net, data = of(tmp_path, layers, (2, 5)), feed((2, 5), 4)
    assert not net.fixed
    if (runtime, available()[runtime][0]) == ("opencv", "4"):
        pytest.skip("OpenCV 4 gives no output that it knows before it runs")
    found = RUNTIMES[runtime](to_bytes(convert_net(net)), data)
    assert_allclose(found["filled"], np.full((3, 5), 1.5))
    assert found["top"].shape == (4, 5)


@pytest.mark.parametrize("operation", ["SUM", "ASUM", "SUMSQ", "MEAN"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_number_without_axes_as_a_factor(tmp_path, runtime, operation):
    if (runtime, available()[runtime][0]) == ("opencv", "4"):
        pytest.skip("OpenCV 4 has no numbers without axes")
    total = joined("Reduction", ("data",), f"reduction_param {{ operation: {operation} coeff: 2 }}", "total")
    net, data = of(tmp_path, total + joined("Scale", ("data", "total")), (2, 5, 3)), feed((2, 5, 3))
    x = data["data"].astype(np.float64)
    number = {"SUM": x.sum(), "ASUM": np.abs(x).sum(), "SUMSQ": (x * x).sum(), "MEAN": x.mean()}[operation] * 2
    assert net.shapes["total"] == ()
    assert_allclose(run(net, data)["top"], x * number, rtol=1e-10)
    assert_allclose(RUNTIMES[runtime](to_bytes(convert_net(net)), data)["top"], x * number, rtol=1e-5)


def test_branches_that_nobody_needs_are_left_out(tmp_path):
    dead = joined("ReLU", ("data",), name="spare") + joined("Sigmoid", ("spare",), name="more")
    silence = 'layer { name: "silence" type: "Silence" bottom: "spare" bottom: "more" }\n'
    net = of(tmp_path, dead + silence + joined("AbsVal", ("data",)), (2, 5))
    assert net.outputs == ("top",)
    assert [node.op_type for node in convert_net(net).graph.node] == ["Abs"]


def test_a_bottom_of_which_only_the_shape_is_read(tmp_path):
    small = joined("Pooling", ("data",), "pooling_param { kernel_size: 3 }", "small")
    net = of(tmp_path, small + joined("Crop", ("data", "small"), "crop_param { offset: 1 }"), (2, 3, 7, 5))
    assert net.shapes["top"] == (2, 3, 5, 3)
    assert [node.op_type for node in convert_net(net).graph.node] == ["Slice"]


def test_a_layer_of_which_only_the_shape_is_read_may_be_folded(tmp_path):
    conv = joined("Convolution", ("data",), "convolution_param { num_output: 4 kernel_size: 3 }", "conv")
    layers = conv + joined("Scale", ("conv",)) + joined("Crop", ("data", "conv"), "", "cut")
    weights = {"conv": [np.ones((4, 3, 3, 3)), np.ones(4)], "top": [np.full(4, 2)]}
    net = of(tmp_path, layers, (2, 3, 7, 5), weights)
    assert [node.op_type for node in convert_net(net).graph.node] == ["Conv", "Slice"]


def test_a_constant_is_there_once_in_the_shape_that_is_read(tmp_path):
    layers = parameter("gain", (4,)) + joined("Scale", ("data", "gain"))
    model = convert_net(of(tmp_path, layers, (2, 4, 5, 3), {"gain": [np.arange(4)]}))
    assert [(tensor.name, list(tensor.dims)) for tensor in model.graph.initializer] == [("top/factors", [1, 4, 1, 1])]
    assert [node.op_type for node in model.graph.node] == ["Mul"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_input_that_nobody_needs_can_still_be_given(tmp_path, runtime):
    silence = 'layer { name: "silence" type: "Silence" bottom: "data_2" }\n'
    net, data = of(tmp_path, silence + joined("TanH", ("data",)), ((2, 5), (2, 3))), feed(((2, 5), (2, 3)))
    assert_allclose(RUNTIMES[runtime](to_bytes(convert_net(net)), data)["top"], np.tanh(data["data"]), rtol=1e-5)


LOSSES = {
    "Accuracy": "accuracy_param { top_k: 1 }",
    "ContrastiveLoss": "contrastive_loss_param { margin: 2 }",
    "EuclideanLoss": "loss_weight: 2",
    "HingeLoss": "hinge_loss_param { norm: L2 }",
    "InfogainLoss": 'infogain_loss_param { source: "matrix" }',
    "MultinomialLogisticLoss": "",
    "SigmoidCrossEntropyLoss": "loss_param { ignore_label: 3 }",
    "SoftmaxLoss": "softmax_param { axis: 1 }",
    "SoftmaxWithLoss": "softmax_param { axis: 1 } loss_param { normalization: NONE }",
}


@pytest.mark.parametrize("type_name", LOSSES)
def test_losses_and_scores_are_left_out_with_their_labels(tmp_path, type_name):
    bottoms = ("prob", "data_2", "data_3") if type_name == "ContrastiveLoss" else ("prob", "data_2")
    shapes = ((4, 7), (4, 7), (4,))[: len(bottoms)]
    loss = joined(type_name, bottoms, LOSSES[type_name], "loss")
    net = of(tmp_path, joined("Softmax", ("data",), name="prob") + loss, shapes)
    assert (list(net.inputs), net.outputs) == (["data"], ("prob",))
    assert [node.op_type for node in convert_net(net).graph.node] == ["Softmax"]


def test_a_label_that_another_layer_reads_stays(tmp_path):
    layers = joined("Eltwise", ("data", "data_2"), name="sum") + joined("EuclideanLoss", ("sum", "data_2"), "", "loss")
    assert list(of(tmp_path, layers, ((2, 5), (2, 5))).inputs) == ["data", "data_2"]


def test_a_loss_that_is_read_is_said(tmp_path):
    layers = joined("EuclideanLoss", ("data", "data_2"), "", "loss") + joined("Power", ("loss",))
    with pytest.raises(Unsupported, match=r"bottom 'loss' of layer 'loss' \(EuclideanLoss\).*losses and scores"):
        of(tmp_path, layers, ((2, 5), (2, 5)))


@pytest.mark.parametrize(
    ("kind", "text", "tops", "parts"),
    [
        (Unsupported, 'shape { dim: 2 } data_filler { type: "gaussian" }', ("a",), ("'gaussian'", "constant is")),
        (BadInput, "shape { dim: 2 } num: 1", ("a",), ("shape and num",)),
        (BadInput, "num: 1 channels: 2", ("a",), ("0 values of height for 1 tops",)),
        (BadInput, "", ("a",), ("0 values of shape for 1 tops",)),
        (BadInput, "shape { dim: 2 } shape { dim: 3 }", ("a",), ("2 values of shape for 1 tops",)),
        (BadInput, "shape { dim: 2 } data_filler { } data_filler { }", ("a", "b", "c"), ("2 values of data_filler",)),
        (BadInput, "shape { dim: 2 dim: 0 }", ("a",), ("(2, 0)", "no numbers")),
        (BadInput, "shape { dim: 2 dim: -3 }", ("a",), ("(2, -3)", "no numbers")),
        (BadInput, "shape { dim: 100000 dim: 100000 }", ("a",), ("more than",)),
        (Unsupported, "shape { dim: 10000 dim: 10000 }", ("a",), ("constants of 100000000 numbers",)),
    ],
)
def test_constants_that_cannot_be(tmp_path, kind, text, tops, parts):
    made = " ".join(f'top: "{top}"' for top in tops)
    layers = f'layer {{ name: "filled" type: "DummyData" {made} dummy_data_param {{ {text} }} }}'
    (tmp_path / "net.prototxt").write_text(network(layers + joined("ReLU", ("data",)), (2, 5)))
    with pytest.raises(BadInput) as caught:
        convert(tmp_path / "net.prototxt")
    assert type(caught.value) is kind
    for part in ("layer 'filled' (DummyData): ", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(("shape", "part"), [((2, 0), "no numbers"), ((3, -1), "no numbers")])
def test_weights_without_numbers(tmp_path, shape, part):
    with pytest.raises(BadInput, match=part):
        of(tmp_path, parameter("weights", shape) + joined("ReLU", ("data",)), (2, 5))


@pytest.mark.parametrize("number", [-1, 5])
def test_an_index_beyond_the_table(tmp_path, number):
    text = "embed_param { input_dim: 5 num_output: 3 }"
    net = read_net(*write(tmp_path, one_layer("Embed", text, (2, 3)), (2, 3)))
    with pytest.raises(BadInput, match=rf"'top' \(Embed\): index {number} is not one of 0 to 4"):
        run(net, {"data": np.array([[1, 2, 3], [4, number, 0]], np.float32)})


@pytest.mark.parametrize("number", [-1, 3])
def test_a_sample_that_is_not_there(tmp_path, number):
    net = read_net(*write(tmp_path, one_layer("BatchReindex", "", ((3, 7), (2,))), ((3, 7), (2,))))
    with pytest.raises(BadInput, match=rf"'top' \(BatchReindex\): sample {number} is not one of 0 to 2"):
        run(net, {"data": np.ones((3, 7), np.float32), "data_2": np.array([1, number], np.float32)})


@pytest.mark.parametrize(
    ("share", "fails"),
    [
        ('type: "Permute" top: "a" permute_param { order: [0, 1] }', True),
        ('type: "Permute" top: "a" permute_param { order: 1 }', False),
        ('type: "Concat" top: "a"', True),
        ('type: "Slice" top: "a"', True),
        ('type: "Tile" top: "a" tile_param { tiles: 2 }', False),
    ],
)
def test_layers_that_only_sometimes_copy(tmp_path, share, fails):
    layers = (
        'layer { name: "first" type: "ReLU" bottom: "data" top: "x" }'
        f'layer {{ name: "share" bottom: "x" {share} }}'
        'layer { name: "over" type: "TanH" bottom: "x" top: "x" }' + joined("Sigmoid", ("a",))
    )
    if fails:
        with pytest.raises(Unsupported, match="overwrites in Caffe by its in-place top, since both share memory"):
            of(tmp_path, layers, (2, 6))
    else:
        assert of(tmp_path, layers, (2, 6)).outputs == ("x", "top")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_reshape_behind_a_reshape_goes_past_it(tmp_path, runtime):
    wide = joined("Reshape", ("data",), "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 5 } }", "wide")
    flat = joined("Flatten", ("wide",), "flatten_param { axis: 2 }", "flat")
    sums = joined("Reduction", ("flat",), "reduction_param { axis: 1 operation: ASUM }", "sums")
    net = of(tmp_path, wide + flat + sums + joined("InnerProduct", ("flat",), "inner_product_param { num_output: 3 }"),
             (2, 6, 5), {"top": [np.linspace(-1, 1, 90).reshape(3, 30), np.ones(3)]})  # fmt: skip
    model = convert_net(net)
    reshaped = [node.input[0] for node in model.graph.node if node.op_type == "Reshape"]
    assert reshaped == ["data"]  # one for both, and none for what no one else reads
    data = feed((2, 6, 5), 4)
    assert_allclose(RUNTIMES[runtime](to_bytes(model), data)["top"], run(net, data)["top"], rtol=1e-5, atol=1e-5)
