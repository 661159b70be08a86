"""Tensors inside a network as outputs, and two networks as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import branches, images, model, old_network, weights
from numpy.testing import assert_allclose
from onnx import helper

from converters.errors import BadInput
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available, run_onnxruntime
from zoo import graph
from zoo.__main__ import main
from zoo.clean import clean
from zoo.merge import merge
from zoo.tap import tap

HERE = [name for name, version in available().items() if not version.startswith("not installed")]


def run(source: onnx.ModelProto, feed: np.ndarray, runtime: str = "onnxruntime") -> dict[str, np.ndarray]:
    return RUNTIMES[runtime](to_bytes(source), {"image": feed})


def size(value: onnx.ValueInfoProto) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def map_by_hand(feed: np.ndarray) -> np.ndarray:
    """Compute what ``old_network`` calls ``map`` in double precision, without any runtime."""
    c = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in old_network().graph.initializer}
    padded = np.pad(feed.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    made = np.einsum("nchwij,kcij->nkhw", windows, c["kernel"])
    factor = c["scale"] / np.sqrt(c["variance"] + 1e-3)
    made = made * factor[:, None, None] + (c["shift"] - c["mean"] * factor)[:, None, None]
    return np.where(made > 0, made, 0.25 * made)


@pytest.mark.parametrize("runtime", HERE)
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_tap_is_the_tensor_itself_and_the_old_outputs_stay(runtime: str, batch: int) -> None:
    feed = images(batch)
    made = tap(clean(old_network()), ["map"])
    assert [output.name for output in made.graph.output] == ["prob", "map"]
    assert size(made.graph.output[1]) == ["N", 5, 12, 10]
    found = run(made, feed, runtime)
    assert_allclose(found["map"], map_by_hand(feed), atol=1e-5)
    assert_allclose(found["prob"], run(clean(old_network()), feed)["prob"], atol=1e-6)


@pytest.mark.parametrize("runtime", HERE)
def test_a_pooled_tap_keeps_its_name(runtime: str) -> None:
    feed = images(3)
    made = tap(clean(old_network()), ["map", "logits"], "average")
    assert [size(output) for output in made.graph.output] == [["N", 7], ["N", 5], ["N", 7]]
    found = run(made, feed, runtime)
    assert_allclose(found["map"], map_by_hand(feed).mean((2, 3)), atol=1e-5)
    assert_allclose(found["prob"], np.exp(found["logits"]) / np.exp(found["logits"]).sum(1, keepdims=True), atol=1e-6)


def test_a_node_stands_for_what_it_makes_and_one_of_several_outputs_is_named() -> None:
    feed = images(2)
    made = tap(branches(), ["deep", "left"])
    found = run(made, feed)
    assert_allclose(found["deep"], run(tap(branches(), ["deep_made"]), feed)["deep_made"])
    assert found["left"].shape == (2, 2, 8, 8)
    with pytest.raises(BadInput, match=r"^node 'split' makes left, right; name one of these$"):
        tap(branches(), ["split"])


def test_a_node_with_the_name_of_a_constant_is_told() -> None:
    source = branches()
    source.graph.node[0].name = "thin"
    with pytest.raises(BadInput, match="'thin' is an input or a constant, too; name the tensor 'deep_made'"):
        tap(source, ["thin"])


def test_an_output_may_be_tapped_again_but_not_changed() -> None:
    assert [o.name for o in tap(branches(), ["sum"]).graph.output] == ["sum"]
    with pytest.raises(BadInput, match="'sum' is an output already"):
        tap(branches(), ["sum"], "average")


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(BadInput) as error:
        tap(branches(), ["group"])
    assert str(error.value).startswith("no tensor or node 'group'; the nearest are groups")


def test_the_command_lists_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "old.onnx", tmp_path / "out.onnx"
    source.write_bytes(old_network().SerializeToString())
    assert main(["tap", str(source)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:5]] == ["conv", "norm", "map"]
    assert main(["tap", str(source), "--outputs", "norm, map", "--pool", "average", "-o", str(out)]) == 0
    assert "outputs prob, norm, map" in capsys.readouterr().out
    found = run_onnxruntime(out, {"image": images(3)})
    assert {name: array.shape for name, array in found.items()} == {"prob": (3, 7), "norm": (3, 5), "map": (3, 5)}
    before = out.read_bytes()
    main(["tap", str(source), "--outputs", "norm, map", "--pool", "average", "-o", str(out)])
    assert out.read_bytes() == before


@pytest.mark.parametrize("empty", ["", " ", ","])
def test_outputs_that_name_nothing_write_nothing(empty: str, tmp_path: Path) -> None:
    source, out = tmp_path / "old.onnx", tmp_path / "out.onnx"
    source.write_bytes(old_network().SerializeToString())
    with pytest.raises(BadInput, match=f"^--outputs '{empty}' names nothing; leave it and -o away"):
        main(["tap", str(source), "--outputs", empty, "-o", str(out)])
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--outputs", "map"], "--outputs and -o go together"),
        (["--outputs", "map", "-o", "SOURCE"], "is the network itself"),
    ],
)
def test_the_command_refuses(given: list[str], said: str, tmp_path: Path) -> None:
    source = tmp_path / "old.onnx"
    source.write_bytes(old_network().SerializeToString())
    with pytest.raises(BadInput, match=said):
        main(["tap", str(source), *(str(source) if word == "SOURCE" else word for word in given)])


# --- two networks as one ----------------------------------------------------------------------------------------------


def dense_head(version: int = 18) -> onnx.ModelProto:
    """Make a head that reads two vectors; its names are those of the backbone, which must not clash."""
    nodes = [
        helper.make_node("Concat", ["conv", "logits"], ["row"], name="row", axis=1),
        helper.make_node("MatMul", ["row", "matrix"], ["ages"], name="prob"),
    ]
    shapes = {"conv": ("batch", 5), "logits": ("batch", 7)}
    return model(nodes, {"matrix": weights(12, 4)}, shapes, {"ages": ("batch", 4)}, opset=version)


@pytest.mark.parametrize("runtime", HERE)
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_merged_network_is_the_one_after_the_other(runtime: str, batch: int) -> None:
    feed = images(batch)
    inside = run(tap(clean(old_network()), ["map", "logits"], "average"), feed)
    wanted = np.concatenate([inside["map"], inside["logits"]], 1).astype(np.float64) @ weights(12, 4)
    made = merge(old_network(), dense_head(), {"conv": "map", "logits": "logits"}, "average")
    assert_allclose(run(made, feed, runtime)["ages"], wanted, atol=1e-5)


def test_a_merged_network_has_what_it_needs_and_no_more() -> None:
    made = merge(old_network(), dense_head(), {"conv": "map", "logits": "logits"}, "average", {"name": "both"})
    assert [value.name for value in made.graph.input] == ["image"]
    assert [size(value) for value in made.graph.output] == [["N", 4]]
    assert "Softmax" not in {node.op_type for node in made.graph.node}
    read = {name for node in made.graph.node for name in node.input}
    assert {tensor.name for tensor in made.graph.initializer} <= read
    assert {entry.key: entry.value for entry in made.metadata_props} == {"name": "both"}
    again = merge(old_network(), dense_head(), {"conv": "map", "logits": "logits"}, "average", {"name": "both"})
    assert to_bytes(made) == to_bytes(again)
    assert [entry.version for entry in made.opset_import if not entry.domain] == [18]


@pytest.mark.parametrize(
    ("joints", "said"),
    [
        ({"conv": "map"}, "joints for the inputs conv; the second network has conv, logits"),
        ({"conv": "logits", "logits": "logits"}, "'logits' and the input 'conv' that reads it have different sizes"),
        ({"conv": "mapp", "logits": "logits"}, "no tensor or node 'mapp'; the nearest are map"),
    ],
)
def test_joints_that_do_not_fit_are_told(joints: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        merge(old_network(), dense_head(), joints, "average")


def test_names_of_the_whole_that_clash_are_told() -> None:
    head = dense_head()
    graph.rename(head, {"ages": "image"})
    with pytest.raises(BadInput, match="cannot be joined"):
        merge(old_network(), head, {"conv": "map", "logits": "logits"}, "average")
