"""A built network in half precision, by ONNX Runtime's own tools, and what `zoo.quantisation` shares with that.

Inputs and outputs stay float32, so a variant goes wherever its network goes. What squares its input stays float32 too:
raw pixels squared are beyond 65,504, the largest half, and spread too widely for 256 steps.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from converters.errors import Unsupported
from zoo import graph
from zoo.clean import check

if TYPE_CHECKING:
    import onnx

FLOAT32 = ("Softmax", "LogSoftmax", "LRN", "Pow", "Sqrt", "Exp", "Log", "ReduceSumSquare", "ReduceL2")
"""Operators whose results need more range or more digits than half precision has."""


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network with half precision weights and arithmetic; inputs and outputs stay float32.

    Raises Unsupported without ONNX Runtime.
    """
    import onnx

    module = tools("onnxruntime.transformers.float16")
    source = onnx.ModelProto()
    source.CopyFrom(model)
    for tensor in source.graph.initializer:  # the tool takes seconds a million numbers for the other form
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    made: onnx.ModelProto = module.convert_float_to_float16(
        source,
        keep_io_types=True,
        op_block_list=[*module.DEFAULT_OP_BLOCK_LIST, *FLOAT32],
        node_block_list=squared(model),
    )
    _undo_double_casts(made)
    tools("onnxruntime.quantization.onnx_model").ONNXModel(made).topological_sort()
    return finished(made, model)


def squared(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes from each square to the root, or the quotient, that brings it back in range."""
    large: set[str] = set()
    found = []
    for node in model.graph.node:
        square = node.op_type == "Mul" and node.input[0] == node.input[1]
        if square or large.intersection(node.input):
            found.append(node.name)
            if node.op_type not in {"Sqrt", "Div"}:
                large.update(node.output)
    return found


def _undo_double_casts(model: onnx.ModelProto) -> None:
    """Take out what casts to half precision and back again, between two nodes that both stay float32."""
    import onnx

    makers, outputs = graph.makers(model), {output.name for output in model.graph.output}
    kinds = {node.output[0]: node.attribute[0].i for node in model.graph.node if node.op_type == "Cast"}
    for node in list(model.graph.node):
        lower = (
            makers.get(node.input[0])
            if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT
            else None
        )
        if lower is None or kinds.get(lower.output[0]) != onnx.TensorProto.FLOAT16:
            continue
        model.graph.node.remove(node)
        if node.output[0] in outputs:
            graph.rename(model, {lower.input[0]: node.output[0]})
        else:
            graph.rename(model, {node.output[0]: lower.input[0]})


def finished(made: onnx.ModelProto, source: onnx.ModelProto) -> onnx.ModelProto:
    """Return a variant as the zoo keeps it: what the source says of itself, no nodes without use, checked."""
    import onnx

    del made.graph.value_info[:], made.metadata_props[:]
    graph.prune(made)
    made.ClearField("producer_name")
    made.ClearField("producer_version")
    made.producer_name, made.producer_version = source.producer_name, source.producer_version
    onnx.helper.set_model_props(made, {entry.key: entry.value for entry in source.metadata_props})
    check(made)
    return made


def runtime_version() -> str:
    """Return the version of ONNX Runtime, whose tools make the variants. Raises Unsupported without it."""
    return str(tools("onnxruntime").__version__)


def tools(module: str) -> Any:
    """Import a module of ONNX Runtime. Raises Unsupported without it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unsupported(f"needs ONNX Runtime ({error}); install the extra cpu or cuda") from error
