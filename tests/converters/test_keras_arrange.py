"""Reshapes that move nothing: any shape, any layout, against numpy."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.keras.arrange import blocks
from converters.keras.emit import Emit
from converters.keras.kind import Layer, Tensor
from converters.keras.layers.shape import flatten, permute, reshape
from converters.keras.weights import Weights
from converters.runtimes import run_onnxruntime

BATCH = 2


@st.composite
def reshapes(draw):
    """Draw a shape, another one of as many numbers, and a layout of the first one."""
    factors = draw(st.lists(st.sampled_from([1, 1, 2, 3, 5]), min_size=1, max_size=4))
    cuts = [draw(st.lists(st.booleans(), min_size=len(factors), max_size=len(factors))) for _ in range(2)]
    shapes = []
    for cut in cuts:
        sizes = [1]
        for factor, new in zip(factors, cut, strict=True):
            sizes = [*sizes, factor] if new else [*sizes[:-1], sizes[-1] * factor]
        shapes.append((None, *sizes))
    order = draw(st.permutations(range(1, len(shapes[0]))))
    return shapes[0], shapes[1], (0, *order)


@given(reshapes())
@settings(max_examples=300, deadline=None)
def test_what_a_reshape_leaves_lying_is_what_keras_has(drawn):
    source, target, order = drawn
    found = blocks(source, target, order)
    if found is None:
        return
    assert sorted(found) == list(range(len(target)))
    numbers = np.arange(BATCH * prod(source[1:])).reshape(BATCH, *source[1:])
    lying = numbers.transpose(order).reshape(BATCH, *(target[axis] for axis in found[1:]))
    np.testing.assert_array_equal(lying.transpose(np.argsort(found)), numbers.reshape(BATCH, *target[1:]))


def test_channels_that_stay_are_left_lying():
    assert blocks((None, 7, 9, 3), (None, 63, 3), (0, 3, 1, 2)) == (0, 2, 1)
    assert blocks((None, 63, 3), (None, 9, 7, 3), (0, 2, 1)) == (0, 3, 1, 2)
    assert blocks((None, 1, 1, 5), (None, 5), (0, 3, 1, 2)) == (0, 1)
    assert blocks((None, 5), (None, 1, 1, 5), (0, 1)) == (0, 3, 1, 2)
    assert blocks((None, 7, 9, 3), (None, 189), (0, 3, 1, 2)) is None
    assert blocks((None, 7, 9, 3), (None, 188), (0, 1, 2, 3)) is None


def emitted(steps, shape):
    """Return what layers make of numbers that lie with their channels as axis 1, brought to Keras's layout."""
    emit = Emit(["x"])
    numbers = np.random.default_rng(0).normal(size=(BATCH, *shape)).astype(np.float32)
    order = (0, len(shape), *range(1, len(shape)))
    x, wanted = Tensor("x", (None, *shape), order), numbers
    for convert, config, judge in steps:
        op = Layer("layer", "Layer", config, (x,), "here", Weights())
        emit.begin(op)
        x, wanted = convert(op, emit), judge(wanted)
    made = emit.plain(x)
    assert made.shape == (None, *wanted.shape[1:])
    np.testing.assert_array_equal(_run(emit, made.name, numbers.transpose(order)), wanted)
    return [node.op_type for node in emit.nodes]


def _run(emit: Emit, output: str, numbers: np.ndarray) -> np.ndarray:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node(n.op_type, n.inputs, n.outputs, name=n.name, **n.attributes) for n in emit.nodes]
    nodes.append(helper.make_node("Identity", [output], ["out"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "out")]
    constants = [numpy_helper.from_array(value, name) for name, value in emit.constants.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = {"x": np.ascontiguousarray(numbers)}
    return run_onnxruntime(model.SerializeToString(), feeds)["out"]


def to(*sizes):
    return reshape, {"target_shape": list(sizes)}, lambda x: x.reshape(len(x), *sizes)


FLAT = flatten, {}, lambda x: x.reshape(len(x), -1)


def turned(*dims):
    return permute, {"dims": list(dims)}, lambda x: x.transpose(0, *dims)


@pytest.mark.parametrize(
    ("steps", "shape"),
    [
        ((FLAT,), (7, 5, 3)),
        ((FLAT, to(7, 5, 3)), (7, 5, 3)),
        ((FLAT, to(5, 7, 3)), (7, 5, 3)),
        ((FLAT, to(1, 1, 105)), (7, 5, 3)),
        ((to(1, 1, 105), FLAT), (7, 5, 3)),
        ((to(35, 3), FLAT, to(3, 35)), (7, 5, 3)),
        ((turned(3, 1, 2), FLAT), (7, 5, 3)),
        ((turned(2, 1, 3), to(5, 21)), (7, 5, 3)),
        ((to(7, 15), turned(2, 1)), (7, 5, 3)),
        ((FLAT, to(3, 5, 7), turned(3, 2, 1), FLAT), (7, 5, 3)),
        ((to(7, 1, 5, 3), FLAT), (7, 5, 3)),
    ],
)
def test_chains_of_shapes_are_what_numpy_makes(steps, shape):
    emitted(steps, shape)


def test_a_permute_that_is_flattened_as_it_lies_moves_nothing():
    assert emitted((turned(3, 1, 2), FLAT), (7, 5, 3)) == ["Reshape"]
