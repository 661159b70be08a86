"""The graph that is written: nothing in it that could be left out, Caffe's names, any batch; and what writing it takes.

The weights of the architectures are made up here: they are no part of what is tested.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from architectures import ARCHITECTURES, mobilenet_ssd, vgg16
from architectures.binary import write_caffemodel
from caffe_nets import feed
from layer_cases import network
from numpy.testing import assert_allclose

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

NETWORKS = {name: entry.network for name, entry in ARCHITECTURES.items()} | {"mobilenet_ssd": mobilenet_ssd.network}
SLOW = {name for name, entry in ARCHITECTURES.items() if entry.slow}
REAL = ("age", "gender", "face detector", "det1", "det2", "det3", "det4")
ALL = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NETWORKS]
ALL += [pytest.param(name, marks=pytest.mark.weights) for name in REAL]
LEFT = 1.02
"""How many times as many nodes as onnxslim leaves there may be."""


def real_files(request, name):
    """Return prototxt and caffemodel of a network whose weights are its authors'."""
    if name in ("age", "gender"):
        files = request.getfixturevalue("levi_hassner")[name].files
    elif name == "face detector":
        files = request.getfixturevalue("face_detector")
    else:
        mirror = request.getfixturevalue("mirror")
        folder = mirror and next((f for f in (mirror / "mtcnn", mirror) if (f / f"{name}.caffemodel").is_file()), None)
        if folder is None:
            pytest.skip(f"no mtcnn/{name}.caffemodel in $ZOO_MIRROR")
        files = {"prototxt": folder / f"{name}.prototxt", "caffemodel": folder / f"{name}.caffemodel"}
    return files["prototxt"], files["caffemodel"]


@pytest.fixture(scope="module", params=ALL)
def whole(request, tmp_path_factory):
    """Return a whole network as read, and the model that is made of it."""
    if request.param in REAL:
        net = read_net(*real_files(request, request.param))
    else:
        path = tmp_path_factory.mktemp("net") / "deploy.prototxt"
        path.write_text(NETWORKS[request.param]().text)
        net = read_net(path)
    return net, convert_net(net)


def types(model):
    """Return how many nodes there are of each type."""
    return Counter(node.op_type for node in model.graph.node)


def test_onnxslim_has_nothing_to_gain(whole):
    import onnxslim

    copy = onnx.ModelProto()
    copy.CopyFrom(whole[1])
    ours, slim = types(whole[1]), types(onnxslim.slim(copy))
    assert ours.total() <= LEFT * slim.total()
    assert ours - slim <= Counter(Pad=1)  # which OpenCV needs before a convolution of one pixel


def test_no_node_only_names_or_undoes_another(whole):
    makers = {name: node for node in whole[1].graph.node for name in node.output}
    assert "Identity" not in types(whole[1])
    for node in whole[1].graph.node:
        if node.op_type in ("Reshape", "Transpose") and node.input[0] in makers:
            assert makers[node.input[0]].op_type != node.op_type, node.name


def test_every_constant_is_read(whole):
    read = {name for node in whole[1].graph.node for name in node.input}
    assert {constant.name for constant in whole[1].graph.initializer} <= read


FOLDED = {"BatchNorm", "Scale", "Bias", "Power", "Eltwise"}
"""What goes into the layer before it, an Eltwise with its coefficients."""
ARRANGED = {"Flatten", "Reshape", "InnerProduct", "DetectionOutput"}
"""What begins with a Reshape, which goes past another one."""


def may_be_missing(net, blob):
    """Whether a blob need not be there: a constant, a second name, folded, or another shape on the way to a third."""
    maker = next(op for op in net.layers if blob in op.tops)
    readers = {op.type for op in net.layers if blob in op.bottoms}
    arranged = maker.type in ("Flatten", "Reshape", "Permute") and readers <= ARRANGED
    return not net.symbols[blob] or maker.type in ("Dropout", "Split") or arranged or bool(readers & FOLDED)


def test_blobs_and_nodes_have_the_names_that_caffe_gives(whole):
    net, model = whole
    there = {name: node for node in model.graph.node for name in node.output}
    missing = [blob for blob in net.shapes if blob not in there and blob not in net.inputs]
    assert [blob for blob in missing if not may_be_missing(net, blob)] == []
    assert len({op.name for op in net.layers}) == len(net.layers)
    for op in net.layers:
        if op.type not in FOLDED:
            assert {there[blob].name for blob in op.tops if blob in there} <= {op.name}
    assert all(there[blob].name in {op.name for op in net.layers} for blob in net.shapes if blob in there)


def test_the_batch_may_be_any(whole):
    net, model = whole
    assert not net.fixed
    described = [*model.graph.input, *model.graph.output]
    first = {value.name: value.type.tensor_type.shape.dim[0].dim_param for value in described}
    rows = {op.tops[0] for op in net.layers if op.type == "DetectionOutput"}
    assert first == {name: "" if name in rows else "N" for name in (*net.inputs, *net.outputs)}
    assert all(value.type.tensor_type.shape.dim[2].dim_param for value in described if value.name in rows)


BOTTOM = (2, 6, 5, 4)


def joined(kind, bottom, top, text=""):
    """Return a layer that is named as its (first) top."""
    bottoms, tops = (" ".join(f'{word}: "{n}"' for n in s.split()) for word, s in (("bottom", bottom), ("top", top)))
    return f'layer {{ name: "{top.split()[0]}" type: "{kind}" {bottoms} {tops} {text} }}'


ABS = joined("AbsVal", "data", "a")
CONV = joined("Convolution", "data", "a", "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }")
LAST = joined("Sigmoid", "b", "top")
SECOND_NAMES = {
    "Dropout": joined("Dropout", "a", "b"),
    "Split": joined("Split", "a", "b c") + 'layer { name: "end" type: "Silence" bottom: "c" }',
    "Flatten of one axis": joined("Flatten", "a", "b", "flatten_param { axis: 2 end_axis: 2 }"),
    "Reshape": joined("Reshape", "a", "b", "reshape_param { shape { dim: 0 dim: 0 dim: 0 dim: 0 } }"),
    "Reshape there and back": joined("Reshape", "a", "x", "reshape_param { shape { dim: 0 dim: -1 } }")
    + joined("Reshape", "x", "b", "reshape_param { shape { dim: 0 dim: 6 dim: -1 dim: 4 } }"),
    "Flatten and back": joined("Flatten", "a", "x")
    + joined("Reshape", "x", "b", "reshape_param { shape { dim: 0 dim: 6 dim: 5 dim: 4 } }"),
    "Permute": joined("Permute", "a", "b", "permute_param { order: [0, 1] }"),
    "Permute there and back": joined("Permute", "a", "x", "permute_param { order: [0, 2, 3, 1] }")
    + joined("Permute", "x", "b", "permute_param { order: [0, 3, 1, 2] }"),
    "Concat of one": joined("Concat", "a", "b"),
    "Slice into one": joined("Slice", "a", "b"),
    "Tile": joined("Tile", "a", "b", "tile_param { tiles: 1 }"),
    "Power": joined("Power", "a", "b"),
    "Crop": joined("Crop", "a data", "b"),
    "ShuffleChannel": joined("ShuffleChannel", "a", "b", "shuffle_channel_param { group: 6 }"),
    "Reorg": joined("Reorg", "a", "b", "reorg_param { stride: 1 }"),
    "Upsample": joined("Upsample", "a", "b", "upsample_param { scale: 1 }"),
    "Interp": joined("Interp", "a", "b", "interp_param { height: 5 width: 4 }"),
}
"""Layers from ``a`` to ``b`` that change nothing."""


def converted(folder, text, bottom=BOTTOM):
    """Return the node types and names of a small network, checked in every runtime at several batches."""
    (folder / "net.prototxt").write_text(network(text, bottom))
    net = read_net(folder / "net.prototxt")
    model = convert_net(net)
    for runtime in RUNTIMES.values():
        for batch in (bottom[0],) if net.fixed else (1, 3):
            expected, found = run(net, feed(bottom, batch)), runtime(to_bytes(model), feed(bottom, batch))
            assert found.keys() == set(net.outputs)
            for name in net.outputs:
                assert found[name].shape == expected[name].shape
                assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)
    return [(node.op_type, *node.output) for node in model.graph.node]


@pytest.mark.parametrize("layers", SECOND_NAMES.values(), ids=SECOND_NAMES)
def test_second_names_leave_nothing(tmp_path, layers):
    assert converted(tmp_path, ABS + layers + LAST) == [("Abs", "a"), ("Sigmoid", "top")]


@pytest.mark.parametrize("layers", SECOND_NAMES.values(), ids=SECOND_NAMES)
def test_a_second_name_that_is_the_output_takes_the_place_of_the_first(tmp_path, layers):
    assert converted(tmp_path, ABS + layers) == [("Abs", "b")]


def test_a_second_name_beside_the_first_is_an_identity(tmp_path):
    found = converted(tmp_path, ABS + joined("Split", "a", "b c") + joined("Sigmoid", "a", "d"))
    assert found == [("Abs", "a"), ("Identity", "b"), ("Identity", "c"), ("Sigmoid", "d")]


def test_a_second_name_of_an_input_is_an_identity(tmp_path):
    assert converted(tmp_path, joined("Dropout", "data", "b")) == [("Identity", "b")]


def test_two_orders_become_one(tmp_path):
    orders = ("permute_param { order: [0, 2, 3, 1] }", "permute_param { order: [0, 2] }")
    layers = joined("Permute", "data", "a", orders[0]) + joined("Permute", "a", "b", orders[1]) + LAST
    assert converted(tmp_path, layers) == [("Transpose", "b"), ("Sigmoid", "top")]


def test_an_order_of_axes_that_are_1_is_a_reshape(tmp_path):
    layers = ABS + joined("Permute", "a", "x", "permute_param { order: [0, 2, 3, 1] }") + joined("Flatten", "x", "b")
    assert converted(tmp_path, layers + LAST, (2, 1, 5, 3)) == [("Abs", "a"), ("Reshape", "b"), ("Sigmoid", "top")]


def test_axes_of_one_length_change_places(tmp_path):
    layers = ABS + joined("Permute", "a", "b", "permute_param { order: [0, 1, 3, 2] }")
    assert converted(tmp_path, layers, (2, 3, 4, 4)) == [("Abs", "a"), ("Transpose", "b")]


def test_dense_layers_share_what_makes_rows(tmp_path):
    dense = "".join(joined("InnerProduct", "a", name, "inner_product_param { num_output: 3 }") for name in ("b", "c"))
    assert [kind for kind, *_ in converted(tmp_path, ABS + dense)] == ["Abs", "Reshape", "Gemm", "Gemm"]


@pytest.mark.parametrize("text", ["coeff: 1 coeff: -0.5", "coeff: 0.25 coeff: 1", "coeff: 2 coeff: -1"])
def test_coefficients_go_into_the_convolutions_before(tmp_path, text):
    parts = (CONV, CONV.replace('"a"', '"b"'), joined("Eltwise", "a b", "sum", f"eltwise_param {{ {text} }}"))
    found = converted(tmp_path, "".join(parts))
    assert [kind for kind, *_ in found] == ["Conv", "Conv", "Add"]
    assert found[-1] == ("Add", "sum")


def test_coefficients_that_nothing_takes_are_products(tmp_path):
    found = converted(tmp_path, ABS + joined("Eltwise", "a data", "sum", "eltwise_param { coeff: 1 coeff: -0.5 }"))
    assert [kind for kind, *_ in found] == ["Abs", "Mul", "Add"]


LARGEST = 2.5
"""How many times the weights of a large network a conversion may take."""
PEAK = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
COMMAND = "from converters.__main__ import main; main(['caffe', sys.argv[1], sys.argv[2], '-o', sys.argv[3]])"
FUNCTION = "from pathlib import Path; from converters.caffe import convert; convert(*map(Path, sys.argv[1:3]))"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux says what a process has needed at most")
@pytest.mark.parametrize("way", [COMMAND, FUNCTION], ids=["command", "function"])
def test_memory_for_half_a_gigabyte_of_weights(tmp_path, way):
    net = vgg16.network()
    (tmp_path / "deploy.prototxt").write_text(net.text)
    write_caffemodel(
        tmp_path / "net.caffemodel", {n: [np.zeros(b.shape, "f4") for b in bs] for n, bs in net.blobs.items()}
    )
    files = [tmp_path / name for name in ("deploy.prototxt", "net.caffemodel", "net.onnx")]
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; {way}; {PEAK}", *files], check=True, capture_output=True, text=True
    )
    assert files[1].stat().st_size > 500e6
    assert int(found.stdout.split()[-1]) * 1024 <= LARGEST * files[1].stat().st_size
