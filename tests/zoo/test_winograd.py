"""Winograd's algorithm: sums over windows in double precision are the judge, on every runtime that is here."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from nets import images, model, weights
from numpy.testing import assert_allclose
from onnx import helper, numpy_helper

from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available
from zoo import golden, graph, tiles, winograd
from zoo.tiles import Convolution, cheapest, matrices
from zoo.verify import BATCHES, LIMIT
from zoo.winograd import NoGain

HERE = [name for name, version in available().items() if not version.startswith("not installed")]
TILED = [(side, window) for side in (2, 4) for window in (3, 5)]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every convolution pay that can be written so."""
    monkeypatch.setattr(tiles, "GAIN", 0)


def network(plane: tuple[int, int], window: int, pads: list[int], *, bias: bool = True) -> onnx.ModelProto:
    """Make two convolutions of other channels, an activation between, what the first makes read twice."""
    nodes = [
        helper.make_node("Conv", ["image", "first", *["shift"] * bias], ["map"], "first", pads=pads),
        helper.make_node("Relu", ["map"], ["relu"], "relu"),
        helper.make_node("Conv", ["relu", "second"], ["deep"], "second", pads=[window // 2] * 4),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"], "mean"),
        helper.make_node("Conv", ["mean", "third"], ["means"], "third"),
    ]
    constants = {
        "first": weights(7, 3, window, window),
        "shift": weights(7, seed=3),
        "second": weights(5, 7, window, window, seed=1),
        "third": weights(2, 7, 1, 1, seed=2),
    }
    if not bias:
        del constants["shift"]
    made = [plane[axis] + pads[axis] + pads[axis + 2] - window + 1 for axis in range(2)]
    outputs = {"deep": ("N", 5, *made), "means": ("N", 2, 1, 1)}
    return model(nodes, constants, {"image": ("N", 3, *plane)}, outputs)


def metadata(made: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in made.metadata_props}


def convolved(pixels: np.ndarray, kernel: np.ndarray, pads: list[int]) -> np.ndarray:
    """Sum over the windows of padded images, in double precision."""
    padded = np.pad(pixels.astype(np.float64), [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, kernel.astype(np.float64))


def expected(source: onnx.ModelProto, feed: np.ndarray, pads: list[int]) -> dict[str, np.ndarray]:
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in source.graph.initializer}
    shift = held.get("shift", np.zeros(7))
    maps = convolved(feed, held["first"], pads) + shift[:, None, None]
    deep = convolved(np.maximum(maps, 0), held["second"], [held["first"].shape[2] // 2] * 4)
    return {"deep": deep, "means": convolved(maps.mean(axis=(2, 3), keepdims=True), held["third"], [0] * 4)}


@pytest.mark.parametrize(("side", "window"), TILED)
def test_the_matrices_make_sums_over_windows(side: int, window: int) -> None:
    a, g, b = matrices(side, window)
    generator = np.random.default_rng([side, window])
    numbers, kernel = generator.normal(size=side + window - 1), generator.normal(size=window)
    assert_allclose(a @ ((g @ kernel) * (b @ numbers)), np.correlate(numbers, kernel), rtol=1e-12, atol=1e-13)
    assert_allclose(a.astype(np.float32), a, rtol=0)  # only the weights' own matrix is rounded, and not here
    assert_allclose(b.astype(np.float32), b, rtol=0)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("runtime", HERE)
@pytest.mark.parametrize(
    ("plane", "window", "pads", "bias"),
    [
        ((16, 12), 3, [1, 1, 1, 1], True),  # whole tiles
        ((13, 10), 3, [1, 1, 1, 1], True),  # tiles that hang over
        ((11, 9), 3, [0, 0, 0, 0], False),
        ((9, 14), 3, [2, 0, 1, 3], True),
        ((16, 12), 5, [2, 2, 2, 2], True),
        ((13, 7), 5, [2, 2, 2, 2], False),
        ((12, 11), 5, [4, 1, 0, 2], True),
        ((5, 3), 3, [1, 1, 1, 1], True),
    ],
)
@pytest.mark.parametrize("side", [2, 4])
def test_each_runtime_gives_the_numbers_of_the_convolution(
    runtime: str,
    plane: tuple[int, int],
    window: int,
    pads: list[int],
    bias: bool,
    side: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiles, "SIDES", (side,))
    source = network(plane, window, pads, bias=bias)
    made = winograd.winograd(source)
    assert [node.op_type for node in made.graph.node].count("Conv") == 1  # that of one pixel
    for batch in (1, 3):
        feed = images(batch, (3, *plane))
        found = RUNTIMES[runtime](to_bytes(made), {"image": feed})
        for name, wanted in expected(source, feed, pads).items():
            assert found[name].shape == wanted.shape
            assert_allclose(found[name], wanted, atol=2e-6 * side * np.abs(wanted).max())


@pytest.mark.usefixtures("always")
def test_tensors_keep_their_names_and_inputs_and_outputs_their_sizes() -> None:
    source = network((13, 10), 3, [1] * 4)
    made = winograd.winograd(source)
    assert made.graph.input == source.graph.input
    assert made.graph.output == source.graph.output
    before, after = graph.sizes(source, 2), graph.sizes(made, 2)
    assert {name: after[name] for name in before} == before
    assert {node.name for node in source.graph.node} <= {node.name for node in made.graph.node}


@pytest.mark.usefixtures("always")
def test_the_bytes_are_the_same_each_time_and_the_metadata_names_the_layers() -> None:
    source = network((13, 10), 3, [1] * 4)
    source.metadata_props.add(key="name", value="tiny")
    before = to_bytes(source)
    made = winograd.winograd(source)
    assert to_bytes(made) == to_bytes(winograd.winograd(source))
    assert to_bytes(source) == before
    said = metadata(made)
    assert said.pop("name") == "tiny"
    assert json.loads(said.pop("winograd")).keys() == {"first", "second"}
    assert not said


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ({"strides": [2, 1]}, (4, 6, 3, 3)),
        ({"dilations": [1, 2]}, (4, 6, 3, 3)),
        ({"group": 2}, (4, 3, 3, 3)),
        ({"auto_pad": "SAME_UPPER"}, (4, 6, 3, 3)),
        ({}, (4, 6, 1, 1)),
        ({}, (4, 6, 7, 7)),
        ({}, (4, 6, 3, 5)),
    ],
)
def test_other_convolutions_are_left_alone(attributes: dict, shape: tuple[int, ...]) -> None:
    node = helper.make_node("Conv", ["image", "kernel"], ["map"], "conv", **attributes)
    source = model([node], {"kernel": weights(*shape)}, {"image": ("N", 6, 16, 12)}, {"map": ("N", 4, "h", "w")})
    with pytest.raises(NoGain, match="none of its convolutions would be faster"):
        winograd.winograd(source)


@pytest.mark.usefixtures("always")
def test_weights_that_are_computed_are_left_alone() -> None:
    nodes = [
        helper.make_node("Relu", ["raw"], ["kernel"], "relu"),
        helper.make_node("Conv", ["image", "kernel"], ["map"], "conv"),
    ]
    source = model(nodes, {"raw": weights(4, 6, 3, 3)}, {"image": ("N", 6, 9, 7)}, {"map": ("N", 4, 7, 5)})
    with pytest.raises(NoGain):
        winograd.winograd(source)


@pytest.mark.usefixtures("always")
def test_a_map_of_any_size_is_left_alone() -> None:
    node = helper.make_node("Conv", ["image", "kernel"], ["map"], "conv")
    source = model([node], {"kernel": weights(4, 6, 3, 3)}, {"image": ("N", 6, "h", 7)}, {"map": ("N", 4, "g", 5)})
    with pytest.raises(NoGain):
        winograd.winograd(source)


@pytest.mark.parametrize(
    ("sized", "side"),
    [
        (Convolution(96, 256, 5, (28, 28), (28, 28), (2, 2)), 4),  # Levi-Hassner's second, measured 2.4 times as fast
        (Convolution(256, 384, 3, (14, 14), (14, 14), (1, 1)), 2),  # its third, 1.2; in larger tiles 1.0
        (Convolution(256, 256, 3, (32, 32), (32, 32), (1, 1)), 4),  # 1.7
        (Convolution(512, 512, 3, (16, 16), (16, 16), (1, 1)), 2),  # 1.2, in larger tiles 1.0
        (Convolution(64, 64, 3, (56, 56), (56, 56), (1, 1)), None),  # 1.0 at best
        (Convolution(128, 128, 3, (16, 16), (16, 16), (1, 1)), None),  # 1.1
        (Convolution(512, 512, 3, (7, 7), (7, 7), (1, 1)), None),  # 0.6: more weights to read, few windows
        (Convolution(64, 64, 3, (32, 32), (32, 32), (1, 1)), None),  # 0.8
    ],
)
def test_a_layer_is_rewritten_where_that_was_measured_to_pay(sized: Convolution, side: int | None) -> None:
    assert cheapest(sized) == side


@pytest.mark.parametrize("runtime", HERE)
@pytest.mark.parametrize("task", ["age", "gender"])
def test_levi_hassner_keeps_to_the_limit_of_its_float32_file(levi_hassner: dict, task: str, runtime: str) -> None:
    network = levi_hassner[task]
    reference = golden.load(network.card.name)
    made = winograd.winograd(graph.read(network.model))
    assert json.loads(metadata(made)["winograd"]) == {"conv2": 4, "conv3": 2}
    for batch in BATCHES:
        feeds, wanted = reference.cycle(batch)
        found = RUNTIMES[runtime](to_bytes(made), feeds)
        assert_allclose(found["prob"], wanted["prob"], rtol=0, atol=LIMIT / 2)
