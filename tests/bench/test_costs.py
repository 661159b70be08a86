"""Costs of graphs that are small enough to count by hand."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.costs import costs, costs_of
from zoo import graph, store
from zoo.card import find_card
from zoo.download import Unreachable

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def model(nodes, weights, given=(3, 7, 5), made=(2, 5, 3), types=(FLOAT, FLOAT)):
    made_graph = helper.make_graph(
        nodes,
        "counted",
        [helper.make_tensor_value_info("x", types[0], ["N", *given])],
        [helper.make_tensor_value_info("y", types[1], ["N", *made])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(made_graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def ones(*shape, dtype=np.float32):
    return np.ones(shape, dtype)


CONV = helper.make_node("Conv", ["x", "w"], ["y"])
W = {"w": ones(2, 3, 3, 3)}
WEIGHTS = 2 * 3 * 3 * 3 * 4
X, Y = 3 * 7 * 5 * 4, 2 * 5 * 3 * 4
"""Bytes of the input and the output of one face."""


def node(operator, reads, makes, **attributes):
    return helper.make_node(operator, reads.split(), makes.split(), **attributes)


def pool(name):
    return node("MaxPool", name, "y", kernel_shape=[1, 1])


def test_a_convolution_reads_its_input_and_weights_and_writes_its_output():
    found = costs(model([CONV], W), 999)
    assert (found.file_bytes, found.parameters) == (999, 54)
    assert found.macc == (2 * 5 * 3) * (3 * 3 * 3)
    assert (found.run_bytes, found.face_bytes) == (WEIGHTS, X + Y)
    assert found.moved(11) == WEIGHTS + 11 * (X + Y)


@pytest.mark.parametrize(
    ("nodes", "moved"),
    [
        # an activation goes through the numbers while the convolution holds them
        ([node("Conv", "x w", "c"), node("Relu", "c", "y")], X + Y),
        # which it cannot where another node wants them as they were: c is written, and read twice
        ([node("Conv", "x w", "c"), node("Relu", "c", "r"), node("Add", "c r", "y")], X + 3 * Y + Y),
        # two convolutions are added: one sum is still held, the other has to come back
        ([node("Conv", "x w", "a"), node("Conv", "x w", "b"), node("Add", "a b", "y")], 2 * X + 2 * Y + Y),
        # a pooling is a layer of its own: its input is written and read
        ([node("Conv", "x w", "c"), pool("c")], X + 3 * Y),
        # what only renames numbers moves none
        ([node("Conv", "x w", "c"), node("Identity", "c", "i"), pool("i")], X + 3 * Y),
        # an activation of the network's own input has to read it
        ([node("Relu", "x", "r"), node("Conv", "r w", "y")], X + 2 * X + Y),
    ],
)  # fmt: skip
def test_activations_are_written_once_and_read_once_by_each_reader(nodes, moved):
    assert costs(model(nodes, W), 1).face_bytes == moved


def test_the_sum_of_a_shortcut_is_held_only_for_the_one_that_reads_it():
    nodes = [node("Conv", "x w", "c"), node("Add", "c b", "s"), node("Relu", "s", "y")]
    found = costs(model(nodes, {**W, "b": ones(2, 1, 1)}), 1)
    assert (found.face_bytes, found.run_bytes) == (X + Y, WEIGHTS + 8)


def test_half_precision_moves_half_the_bytes():
    found = costs(model([CONV], {"w": ones(2, 3, 3, 3, dtype=np.float16)}, types=(HALF, HALF)), 1)
    assert (found.run_bytes, found.face_bytes) == (WEIGHTS // 2, (X + Y) // 2)


def test_numbers_of_8_bits_are_moved_as_such():
    quantised = {"w": ones(2, 3, 3, 3, dtype=np.int8), "s": ones(), "z": np.int8(0), "zu": np.uint8(0)}
    nodes = [
        node("QuantizeLinear", "x s zu", "q"),
        node("DequantizeLinear", "q s zu", "d"),
        node("DequantizeLinear", "w s z", "v"),
        node("Conv", "d v", "c"),
        node("QuantizeLinear", "c s zu", "cq"),
        node("DequantizeLinear", "cq s zu", "y"),
    ]
    found = costs(model(nodes, {name: np.asarray(array) for name, array in quantised.items()}), 1)
    assert found.run_bytes == 54 + 4 + 1 + 1
    assert (
        found.face_bytes == X + 2 * X // 4 + Y // 4
    )  # read, written as bytes, read as bytes; the sums written as bytes


def test_what_does_not_grow_with_the_batch_is_moved_once_a_run():
    nodes = [
        CONV,
        node("Conv", "k w", "kc"),
        node("MaxPool", "kc", "z", kernel_shape=[1, 1]),
    ]
    fixed = model(nodes, {**W, "k": ones(1, 3, 7, 5)})
    fixed.graph.output.append(helper.make_tensor_value_info("z", FLOAT, [1, 2, 5, 3]))
    found = costs(fixed, 1)
    assert found.face_bytes == X + Y
    assert found.run_bytes == WEIGHTS + X + 3 * Y  # k is a constant, and read as one


def test_a_file_that_several_networks_share_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "one.onnx"
    path.write_bytes(model([CONV], W).SerializeToString())
    reads, read = [], graph.read
    monkeypatch.setattr(graph, "read", lambda p: reads.append(p) or read(p))
    found, notes = costs_of({"a": {"fp32": path}, "a@b": {"fp32": path}})
    assert found["a"] == found["a@b"]
    assert (len(reads), notes) == (1, ())
    assert found["a"]["fp32"].file_bytes == path.stat().st_size


def test_a_graph_that_contradicts_itself_has_no_costs_but_a_note(tmp_path):
    path = tmp_path / "wrong.onnx"
    path.write_bytes(model([node("Add", "x w", "y")], {"w": ones(2, 1, 4)}).SerializeToString())
    found, (note,) = costs_of({"wrong": {"fp32": path}})
    assert found == {}
    assert note.startswith("wrong in fp32: its costs are not known: ")


@pytest.mark.weights
def test_levi_hassner_age_has_its_published_11_4_million_parameters(mirror):
    try:
        path = store.build(find_card("levi-hassner-age"), mirror)
    except Unreachable as error:
        pytest.skip(str(error))
    found, _ = costs_of({"age": {"fp32": path}})
    counted = found["age"]["fp32"]
    convolutions = 96 * 56 * 56 * 3 * 49 + 256 * 28 * 28 * 96 * 25 + 384 * 14 * 14 * 256 * 9
    assert counted.macc == convolutions + 384 * 7 * 7 * 512 + 512 * 512 + 512 * 8
    assert round(counted.parameters / 1e6, 1) == 11.4
    assert counted.parameters * 4 == pytest.approx(counted.run_bytes, rel=0.01)
