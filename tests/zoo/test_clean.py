"""An ONNX network brought to the zoo's form: the numbers of its source, row by row, on every runtime and batch size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import IMAGE, branches, images, model, old_network, weights
from numpy.testing import assert_allclose
from onnx import helper

from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available, run_onnxruntime
from zoo import graph
from zoo.clean import clean, opset

HERE = [name for name, version in available().items() if not version.startswith("not installed")]


def source_rows(source: onnx.ModelProto, feed: np.ndarray) -> dict[str, np.ndarray]:
    """Run the source one image at a time: its batch is fixed."""
    rows = [run_onnxruntime(source.SerializeToString(), {"image": feed[i : i + 1]}) for i in range(len(feed))]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("runtime", HERE)
def test_an_old_network_gives_its_own_numbers_at_every_batch(runtime: str, batch: int) -> None:
    feed = images(batch)
    found = RUNTIMES[runtime](to_bytes(clean(old_network())), {"image": feed})
    assert_allclose(found["prob"], source_rows(old_network(), feed)["prob"], atol=1e-6)


def test_an_old_network_becomes_what_the_zoo_wants() -> None:
    made = clean(old_network(), {"name": "tiny"})
    assert opset(made) == 17
    assert made.ir_version >= 8
    assert [value.name for value in made.graph.input] == ["image"]
    for value in (*made.graph.input, *made.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"
    assert [[d.dim_value for d in o.type.tensor_type.shape.dim[1:]] for o in made.graph.output] == [[7]]
    names = [node.name for node in made.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    assert {entry.key: entry.value for entry in made.metadata_props} == {"name": "tiny"}


def test_the_bytes_are_the_same_each_time_and_a_second_cleaning_changes_nothing() -> None:
    once = clean(old_network())
    assert to_bytes(once) == to_bytes(clean(old_network()))
    assert to_bytes(clean(once)) == to_bytes(once)


def test_a_later_opset_stays() -> None:
    assert opset(clean(branches())) == 18


def test_one_constant_of_sizes_may_serve_reshapes_of_the_batch_and_of_weights() -> None:
    nodes = [
        helper.make_node("Reshape", ["image", "sizes"], ["row"]),
        helper.make_node("Reshape", ["table", "sizes"], ["flat"]),
        helper.make_node("Add", ["row", "flat"], ["sum"]),
    ]
    constants = {"sizes": np.array([1, -1]), "table": weights(1, *IMAGE)}
    source = model(nodes, constants, {"image": (1, *IMAGE)}, {"sum": (1, 360)})
    feed = images(3)
    found = run_onnxruntime(to_bytes(clean(source)), {"image": feed})["sum"]
    assert_allclose(found, feed.reshape(3, -1) + weights(1, *IMAGE).reshape(1, -1), rtol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "constants", "shape", "said"),
    [
        (
            [helper.make_node("Reshape", ["image", "sizes"], ["out"], name="fold")],
            {"sizes": np.array([3, 120])},
            (3, 120),
            "output 'out': its batch cannot be freed: Reshape 'fold' makes it 3; export the network with a free batch",
        ),
        (
            [helper.make_node("Concat", ["image", "one"], ["out"], name="join", axis=1)],
            {"one": np.zeros((1, 2, 12, 10), np.float32)},
            (1, 5, 12, 10),
            "output 'out': its batch cannot be freed: Concat 'join' makes it 1; export the network with a free batch",
        ),
    ],
)
def test_a_batch_that_is_held_fast_is_told(nodes: list, constants: dict, shape: tuple, said: str) -> None:
    with pytest.raises(Unsupported) as error:
        clean(model(nodes, constants, {"image": (1, *IMAGE)}, {"out": shape}))
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no ONNX file with a graph in it"),
        (b"<html>", "is no ONNX file"),
        (old_network().SerializeToString()[:-500], "is no ONNX file, or is cut short"),
    ],
)
def test_what_is_no_onnx_file_is_told_in_a_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said) as error:
        graph.read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_weights_in_another_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    onnx.save(old_network(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(BadInput, match=r"keeps '\w+' in another file"):
        graph.read(path)


def test_a_graph_that_contradicts_itself_is_told() -> None:
    wrong = old_network()
    next(t for t in wrong.graph.initializer if t.name == "matrix").CopyFrom(
        onnx.numpy_helper.from_array(weights(7, 11), "matrix")
    )
    with pytest.raises(BadInput, match="contradicts itself"):
        clean(wrong)
