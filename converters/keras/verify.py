"""Whether a converted Keras model gives what Keras itself gives, on every runtime that is here.

The judge needs TensorFlow (`converters.keras.judge`). Where an output is a softmax or the like, what goes into it is
compared too: a softmax forgets the numbers where one is much the largest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import BadInput
from converters.keras.calls import refs_in
from converters.keras.files import read_source
from converters.keras.graph import read_graph
from converters.keras.judge import BEFORE, SQUASHING, judge, sizes
from converters.keras.load import Loaded, load
from converters.runtimes import RUNTIMES, attempt, available
from converters.verify import Array, Comparison, Difference, Run, compare, seeded_inputs

if TYPE_CHECKING:
    import onnx

BATCHES, SCALES = (1, 3, 8), (128, 1)
"""Inputs are as large as pixels less their mean, and small."""
TOLERANCE = 1e-5
UNKNOWN = (37, 43, 41, 47)
"""Sizes for axes of any size, one after the other."""
LAYOUT = re.compile(r"(?:\(|; )([^;]+?): Keras axes \[([\d, ]+)\]")


def verify(source: Path, model: Path | bytes) -> tuple[list[Comparison], dict[str, str]]:
    """Compare a converted model with its source at batch 1, 3 and 8, on every runtime that is installed.

    Returns the rows, and why a runtime cannot run the model, by its name. Raises BadInput when there is no runtime,
    MissingExtra without TensorFlow, Unsupported when Keras cannot load the file.
    """
    import onnx

    whole = onnx.load(model) if isinstance(model, Path) else onnx.load_from_string(model)
    data, loaded, orders = with_inner(whole), load(source), orders_of(whole)
    versions = {name: version for name, version in available().items() if not version.startswith("not installed")}
    if not versions:
        raise BadInput(f"no runtime to verify on; install one of: {', '.join(RUNTIMES)}")
    inputs = [made_up(source, loaded, orders, batch, largest) for largest in SCALES for batch in BATCHES]
    refused = {name: said for name in versions if isinstance(said := attempt(RUNTIMES[name], data, inputs[0]), str)}
    runs = {f"{name} {versions[name]}": _on(name, data) for name in versions if name not in refused}
    inner = {end.name for end in onnx.load_from_string(data).graph.output}
    keras = judge(loaded, orders)

    def judged(feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {name: value for name, value in keras(feeds).items() if BEFORE not in name or name in inner}

    return compare(judged, runs, inputs, within), {f"{name} {versions[name]}": said for name, said in refused.items()}


def within(expected: Array, difference: Difference) -> bool:
    """Whether an output may pass: within 1e-5, or 1e-5 of the largest number where that is above 1."""
    return difference.max_abs <= TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0)))


def _on(name: str, data: bytes) -> Run:
    return lambda feeds: RUNTIMES[name](data, feeds)


def orders_of(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Return how the inputs and outputs of a converted model are laid out, as its metadata says (`Port.order`)."""
    said = next((entry.value for entry in model.metadata_props if entry.key == "layout"), "")
    given = {name: tuple(int(axis) for axis in axes.split(",")) for name, axes in LAYOUT.findall(said)}
    ends = (*model.graph.input, *model.graph.output)
    return {end.name: given.get(end.name, tuple(range(len(end.type.tensor_type.shape.dim)))) for end in ends}


def made_up(
    source: Path, loaded: Loaded, orders: Mapping[str, tuple[int, ...]], batch: int, largest: float
) -> dict[str, Array]:
    """Return inputs, the same on each call: of whole numbers where the model takes those, as pixels are.

    Where a layer looks them up, they are numbers that it has a row for.
    """
    unknown = iter(UNKNOWN * len(loaded.inputs))
    shapes = {one.name: [size or next(unknown) for size in (1, *sizes(one, orders)[1:])] for one in loaded.inputs}
    found = seeded_inputs(shapes, batch, largest)
    generator = np.random.default_rng(batch)
    for one in loaded.inputs:
        if one.dtype.startswith(("int", "uint", "bool")):
            most = 2 if one.dtype == "bool" else min(256, np.iinfo(one.dtype).max + 1)
            found[one.name] = generator.integers(0, most, found[one.name].shape).astype(np.float32)
    for name, rows in _looked_up(source).items():
        found[name] = generator.integers(0, rows, found[name].shape).astype(np.float32)
    return found


def _looked_up(source: Path) -> dict[str, int]:
    """Return the inputs that an Embedding reads, and how many rows it has."""
    if source.is_dir():
        return {}
    graph = read_graph(source, read_source(source).config)
    ends = {ref.layer for ref in graph.inputs}
    found: dict[str, int] = {}
    for spec in graph.layers.values():
        for ref in refs_in([(call.args, call.named) for call in spec.calls]):
            if spec.type == "Embedding" and ref.layer in ends:
                found[ref.layer] = min(found.get(ref.layer, 2**24), int(spec.config.get("input_dim", 1)))
    return found


def with_inner(model: onnx.ModelProto) -> bytes:
    """Return a model that gives what goes into a last Softmax, Sigmoid or Tanh too, as ``NAME before Softmax``."""
    import onnx

    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    for end in list(graph.output):
        moved, node = [], makers.get(end.name)
        while node is not None and node.op_type in ("Identity", "Transpose", "Reshape"):
            moved.append(node)
            node = makers.get(node.input[0])
        if node is None or node.op_type not in SQUASHING.values():
            continue
        name, last = node.input[0], f"{end.name}{BEFORE}{node.op_type}"
        if node.op_type == "Tanh" and name in makers and makers[name].op_type == "Clip":
            name = makers[name].input[0]  # what is clipped is where Tanh is 1 already
        for step, mover in enumerate(reversed([*moved, onnx.helper.make_node("Identity", [""], [""])])):
            copy = onnx.NodeProto()
            copy.CopyFrom(mover)
            copy.input[0], copy.output[0] = name, last if step == len(moved) else f"{last}/{step}"
            copy.name = name = copy.output[0]
            graph.node.append(copy)
        described = graph.output.add()
        described.CopyFrom(end)
        described.name = last
    data: bytes = model.SerializeToString()
    return data
