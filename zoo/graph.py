"""An ONNX graph as the zoo reads it: its tensors with their sizes, and the constants that it holds.

Sizes are inferred anew: what a file notes of them may be wrong or missing, and a file with a fixed batch notes that.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import BadInput

if TYPE_CHECKING:
    import onnx

BATCH = "N"
FEW = 1024
"""So many numbers may be sizes, scales or paddings, which shape inference reads; more are weights."""
Sizes = tuple["int | None", ...]
"""The axes of a tensor, batch first; None: not known from the graph."""


def read(path: Path) -> onnx.ModelProto:
    """Read an ONNX file. Raises BadInput for one that is not there, is none, or keeps its weights in other files."""
    import google.protobuf.message
    import onnx

    try:
        model = onnx.load_from_string(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; give an ONNX file") from error
    except (google.protobuf.message.DecodeError, ValueError) as error:
        raise BadInput(f"{path}: is no ONNX file, or is cut short; give a whole one") from error
    if not model.graph.node or not model.graph.output or not model.opset_import:
        raise BadInput(f"{path}: is no ONNX file with a graph in it; give one with nodes, outputs and an opset")
    outside = next((t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL), None)
    if outside is not None:
        raise BadInput(f"{path}: keeps {outside!r} in another file; give an ONNX file that holds all its weights")
    return model


def metadata(path: Path) -> dict[str, str]:
    """Return what an ONNX file says of itself in its ``metadata_props``. Raises BadInput where it is no ONNX file."""
    return {entry.key: entry.value for entry in read(path).metadata_props}


def inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that have to be fed: old files list their weights among the inputs, too."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def named(text: str, mirror: Path | None = None) -> Path:
    """Return the ONNX file that a command was given: a file, or a network of the zoo, which is built first."""
    from zoo import store
    from zoo.card import find_card

    path = Path(text)
    if path.suffix == ".onnx" or len(path.parts) > 1 or path.is_file():
        return path
    return store.build(find_card(text), mirror)


def inferred(model: onnx.ModelProto, batch: int | str = 1) -> dict[str, onnx.ValueInfoProto]:
    """Infer type and size of each tensor with every free batch axis set to ``batch``, a number or a name.

    Raises BadInput when the graph contradicts itself.
    """
    import onnx

    try:
        made = onnx.shape_inference.infer_shapes(_with_batch(model, batch), strict_mode=True, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise BadInput(f"{model.graph.name or 'graph'}: contradicts itself: {said}; give a valid ONNX file") from error
    return {value.name: value for value in (*made.input, *made.value_info, *made.output)}


def sizes(model: onnx.ModelProto, batch: int | str = 1) -> dict[str, Sizes]:
    """Infer the size of each tensor, as ``inferred``; one whose number of axes is not known is left out."""
    found = {}
    for name, value in inferred(model, batch).items():
        tensor = value.type.tensor_type
        if tensor.HasField("shape"):
            found[name] = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return found


def typed(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """Infer type and size of each tensor; an axis that grows with the batch is named ``N``."""
    one, several = inferred(model), inferred(model, BATCH)
    for name, value in one.items():
        for axis, free in zip(value.type.tensor_type.shape.dim, several[name].type.tensor_type.shape.dim, strict=False):
            if free.dim_param == BATCH:
                axis.CopyFrom(free)
    return one


def _with_batch(model: onnx.ModelProto, batch: int | str) -> onnx.ModelProto:
    """Copy a model, without the numbers of its large constants, as far as shape inference looks at it."""
    import onnx

    latest = max(model.ir_version, 8)  # before 4 a constant that is no input has no size
    bare = onnx.ModelProto(ir_version=latest, opset_import=model.opset_import, functions=model.functions)
    bare.graph.name = model.graph.name or "graph"
    bare.graph.node.extend(model.graph.node)
    bare.graph.sparse_initializer.extend(model.graph.sparse_initializer)
    bare.graph.input.extend(inputs(model))
    for value in bare.graph.input:
        shape = value.type.tensor_type.shape
        if shape.dim and not shape.dim[0].dim_value:
            shape.dim[0].CopyFrom(dimension(batch))
    for value in model.graph.output:
        kept = bare.graph.output.add(name=value.name)
        kept.type.tensor_type.elem_type = value.type.tensor_type.elem_type
    for tensor in model.graph.initializer:
        few = tensor.data_type == onnx.TensorProto.INT64 or math.prod(tensor.dims) <= FEW
        empty = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        bare.graph.initializer.append(tensor if few else empty)
    return bare


def dimension(size: int | str) -> onnx.TensorShapeProto.Dimension:
    """Return an axis of a size, or of a name."""
    import onnx

    made = onnx.TensorShapeProto.Dimension
    return made(dim_param=size) if isinstance(size, str) else made(dim_value=size)


def constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the constant tensors by name: the initializers, and what the Constant nodes make."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = attribute.t
    return found


def makers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """Return the node that makes each tensor."""
    return {output: node for node in model.graph.node for output in node.output if output}


def read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the tensors that a node reads, those of the graphs inside it (``If``, ``Loop``) too."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from read_by(inner)
            yield from (output.name for output in graph.output)


def prune(model: onnx.ModelProto) -> None:
    """Take out the nodes and constants that no output needs. The nodes stand in order, as ONNX asks."""
    needed, kept = {output.name for output in model.graph.output}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(read_by(node))
            kept.append(node)
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(reversed(kept))
    model.graph.initializer.extend(initializers)


def rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Give tensors other names, wherever they are read, made, listed or noted; graphs inside nodes keep theirs."""
    graph = model.graph
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)


def nearest(wanted: str, known: Iterable[str]) -> str:
    """Say in words which of the known names are like one that is not known."""
    like = difflib.get_close_matches(wanted, list(dict.fromkeys(known)), n=5, cutoff=0.5)
    return f"the nearest are {', '.join(like)}" if like else "nothing has a name like it"


def shown(size: Sizes | None) -> str:
    """Write a size without its batch axis, as ``32x62x62``; ``?`` for what the graph does not tell."""
    if size is None:
        return "?"
    return "x".join("?" if axis is None else str(axis) for axis in size[1:]) or "1"
