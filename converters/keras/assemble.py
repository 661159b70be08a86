"""From a network that was read to the whole ONNX model: inputs, layers, outputs, metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from converters import VERSION
from converters.errors import BadInput
from converters.keras.assign import unused
from converters.keras.emit import Emit, Node
from converters.keras.fold import fold
from converters.keras.graph import Graph, Spec
from converters.keras.kind import Shape, Tensor, channels_first
from converters.keras.walk import layouts, walk
from converters.onnx_file import IR_VERSION, OPSET, pieces, unique

if TYPE_CHECKING:
    import onnx

    from converters.keras import Network

LARGEST = 2**28
"""Numbers of one input; more is a mistake in the architecture."""


def assemble(network: Network, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Convert a network; see `converters.keras.convert`."""
    import onnx
    from onnx import helper

    graph = network.graph
    inputs, outputs = _inputs(graph), output_names(graph)
    emit = Emit([*(tensor.name for tensor in inputs), *outputs], network.source.keras)
    last = any(layouts(graph).values())
    with np.errstate(over="ignore", invalid="ignore"):  # `Emit.constant` refuses what it makes
        made = [_finished(tensor, emit, last=last) for tensor in walk(graph, inputs, emit)]
        for where, left in unused(graph).items():
            text = f"tensor {left[0]!r} is not used; a layer of this class with these settings has none"
            raise BadInput(f"{where}: {text}")
        fold(emit, [tensor.name for tensor in made])
    _name_outputs(emit, inputs, made, outputs)
    _drop_unneeded(emit, outputs)
    _read_all(emit, inputs)
    ends = [tensor.named(name) for tensor, name in zip(made, outputs, strict=True)]
    nodes = [helper.make_node(n.op_type, n.inputs, n.outputs, name=n.name, **n.attributes) for n in emit.nodes]
    described = helper.make_graph(nodes, graph.name or "keras", _described(inputs), _described(ends))
    model = helper.make_model(
        described,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="agebench",
        producer_version=VERSION,
    )
    own = _own_metadata(network, inputs, ends) | {"layers": emit.described.as_json(emit.nodes)}
    if clash := {key for key in own.keys() & metadata.keys() if own[key] != metadata[key]}:
        raise ValueError(f"metadata that contradicts what the converter writes itself: {sorted(clash)}")
    for key, value in sorted({**own, **metadata}.items()):
        model.metadata_props.add(key=key, value=value)
    whole = onnx.ModelProto.FromString(b"".join(pieces(model, emit.constants)))
    onnx.checker.check_model(whole, full_check=True)
    return whole


def _inputs(graph: Graph) -> list[Tensor]:
    """Return the inputs of the outermost model, by the shapes that the file gives."""
    last = layouts(graph)
    found = []
    for ref in graph.inputs:
        spec = graph.layers[ref.layer]
        shape = _input_shape(spec)
        order = channels_first(len(shape)) if last[ref.layer] else tuple(range(len(shape)))
        found.append(Tensor(spec.name, shape, order))
    return found


def _input_shape(spec: Spec) -> Shape:
    given = spec.config.get("batch_shape", spec.config.get("batch_input_shape"))
    if not isinstance(given, list) or len(given) < 1:
        raise BadInput(f"{spec.where}: the file does not say how large the input is; build the model with an Input")
    count = 1
    for size in given[1:]:
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise BadInput(f"{spec.where}: the input has the shape {given!r:.100}; sizes are whole numbers from 1 on")
        count *= size or 1
    if count > LARGEST or len(given) > 8:
        raise BadInput(f"{spec.where}: an input of shape {given!r:.100} is too large; check the sizes")
    return (None, *given[1:])


def output_names(graph: Graph) -> list[str]:
    """Return the names of the outputs: those of their layers, numbered where a layer has several: ``name_1``."""
    names: list[str] = []
    taken = {ref.layer for ref in graph.inputs}
    for ref in graph.outputs:
        name, count = ref.layer, 0
        while name in names or name in taken:
            count += 1
            name = f"{ref.layer}_{count}"
        names.append(name)
    return names


def _finished(tensor: Tensor, emit: Emit, *, last: bool) -> Tensor:
    """Return an output as users see it: NCHW, or as Keras has it where its channels are not the ``last`` axis."""
    order = channels_first(tensor.rank) if last else tuple(range(tensor.rank))
    return emit.ordered(emit.unfolded(tensor), order)


def _name_outputs(emit: Emit, inputs: Iterable[Tensor], made: Iterable[Tensor], outputs: Iterable[str]) -> None:
    """Give each output its name; one that is an input, or an output already, needs a node of its own."""
    renamed: dict[str, str] = {}
    fixed = {tensor.name for tensor in inputs}
    again = []
    for tensor, name in zip(made, outputs, strict=True):
        if tensor.name in fixed or tensor.name in renamed:
            again.append((tensor.name, name))
        else:
            renamed[tensor.name] = name
    for node in emit.nodes:
        node.inputs = [renamed.get(name, name) for name in node.inputs]
        node.outputs = [renamed.get(name, name) for name in node.outputs]
    taken = dict.fromkeys((node.name for node in emit.nodes), 1)
    for source, name in again:
        emit.nodes.append(Node("Identity", [renamed.get(source, source)], [name], unique(taken, name), {}))


def _drop_unneeded(emit: Emit, outputs: Iterable[str]) -> None:
    """Drop nodes and constants that no output needs."""
    needed, kept = set(outputs), []
    for node in reversed(emit.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    emit.nodes = kept[::-1]
    emit.constants = {name: value for name, value in emit.constants.items() if name in needed}


def _read_all(emit: Emit, inputs: Iterable[Tensor]) -> None:
    """Read the inputs that no node does: OpenCV 4 refuses such an input."""
    read = {name for node in emit.nodes for name in node.inputs}
    taken = dict.fromkeys((name for node in emit.nodes for name in (node.name, *node.outputs)), 1)
    for tensor in inputs:
        if tensor.name not in read:
            name = unique(taken, f"{tensor.name}/identity")
            emit.nodes.append(Node("Identity", [tensor.name], [name], name, {}))


def _described(tensors: Iterable[Tensor]) -> list[onnx.ValueInfoProto]:
    from onnx import TensorProto, helper

    return [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, ["N", *t.sizes[1:]]) for t in tensors]


def _own_metadata(network: Network, inputs: Iterable[Tensor], outputs: Iterable[Tensor]) -> dict[str, str]:
    source = network.source
    layout = [f"{t.name}: Keras axes {list(t.order)}" for t in (*inputs, *outputs) if t.rank > 2]
    own = {
        "converter": "keras",
        "converter_version": VERSION,
        "road": "direct",
        "layout": f"NCHW ({'; '.join(layout)})" if layout else "NCHW",
        "source_model": source.path.name,
        "source_model_sha256": source.sha256,
    }
    if source.keras_version:
        own["source_keras_version"] = source.keras_version
    return own | ({"weights": "made up (seeded): the file has an architecture alone"} if network.seeded else {})
