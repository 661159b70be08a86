"""The graph of an ONNX file: its tensors, and models of parts of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.caffe.kind import Array
from converters.errors import BadInput

if TYPE_CHECKING:
    import onnx

LARGE = 1024
"""Constants of more numbers are weights, never sizes that shape inference has to know."""


class Graph:
    """The graph of an ONNX file. ``types`` holds the element type of each tensor, ``ranks`` its number of axes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.constants = {constant.name: constant for constant in model.graph.initializer}
        self.inputs = {value.name: value for value in model.graph.input if value.name not in self.constants}
        self.outputs = tuple(value.name for value in model.graph.output)
        self.makers = {name: i for i, node in enumerate(model.graph.node) for name in node.output if name}
        self.types, self.ranks = _inferred(model)

    def is_float(self, tensor: str) -> bool:
        """Whether a tensor holds float32, as far as can be known."""
        return self.types.get(tensor, 1) == 1

    def constant(self, name: str) -> Array:
        """Return the numbers of a constant."""
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self.constants[name]))

    def sizes(self, name: str) -> list[int]:
        """Return the sizes of an input, 0 for any; none where the file does not say."""
        return [axis.dim_value for axis in self.inputs[name].type.tensor_type.shape.dim]

    def metadata(self, key: str) -> str:
        """Return what the file says of itself under a key, or nothing."""
        return next((pair.value for pair in self.model.metadata_props if pair.key == key), "")

    def back(self, tensor: str, stop: Iterable[str]) -> tuple[list[onnx.NodeProto], list[str]]:
        """Return the nodes that make a tensor from those of ``stop`` and the inputs, and which of them they read."""
        stop, found, sources, waiting = set(stop), set[int](), dict[str, None](), [tensor]
        while waiting:
            name = waiting.pop()
            if (name != tensor and name in stop) or name in self.inputs:
                sources[name] = None
            elif name in self.makers and self.makers[name] not in found:
                found.add(self.makers[name])
                waiting.extend(_reads(self.model.graph.node[self.makers[name]]))
        return [self.model.graph.node[i] for i in sorted(found)], list(sources)

    def alone(self, nodes: Sequence[onnx.NodeProto], feeds: Mapping[str, Array], tensor: str, rank: int) -> bytes:
        """Return a model of these nodes, which makes one tensor from those that it is fed."""
        import onnx
        from onnx import helper

        read = {name for node in nodes for name in _reads(node)}
        inputs = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, x.shape) for n, x in feeds.items()]
        graph = helper.make_graph(
            nodes,
            "part",
            inputs,
            [self._described(tensor, rank)],
            [constant for name, constant in self.constants.items() if name in read and name not in feeds],
        )
        words = {"opset_imports": self.model.opset_import, "functions": self.model.functions}
        return bytes(helper.make_model(graph, ir_version=self.model.ir_version, **words).SerializeToString())

    def exposed(self, ranks: Mapping[str, int]) -> bytes:
        """Return the whole model with further tensors as outputs."""
        count = len(self.outputs)
        more = {name: rank for name, rank in ranks.items() if name in self.makers and name not in self.outputs}
        self.model.graph.output.extend(self._described(name, rank) for name, rank in more.items())
        data = bytes(self.model.SerializeToString())
        del self.model.graph.output[count:]
        return data

    def _described(self, tensor: str, rank: int) -> onnx.ValueInfoProto:
        """Describe an output. No sizes: a wrong file may give others. OpenCV needs to know how many, though."""
        from onnx import helper

        axes = [None] * self.ranks.get(tensor, rank)
        described: onnx.ValueInfoProto = helper.make_tensor_value_info(tensor, self.types.get(tensor, 1), axes)
        return described


def read_graph(path: Path) -> Graph:
    """Read an ONNX file. Raises BadInput for what is none, or has inputs that are not float32."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), format="protobuf")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; give an ONNX file") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; give an ONNX file") from error
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise BadInput(f"{path}: is no whole ONNX file: {error}") from None
    if not model.graph.node or not model.opset_import:
        raise BadInput(f"{path}: is no ONNX file: there are no nodes in it")
    graph = Graph(model)
    for name, value in graph.inputs.items():
        if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            raise BadInput(f"{path}: input {name!r} is not float32; only files of float32 can be compared")
    return graph


def _inferred(model: onnx.ModelProto) -> tuple[dict[str, int], dict[str, int]]:
    """Let ONNX infer types and ranks; weights stand in as inputs, so that it makes no copy of them."""
    import onnx

    probe, graph = onnx.ModelProto(), model.graph
    probe.ir_version = model.ir_version
    probe.opset_import.extend(model.opset_import)
    probe.functions.extend(model.functions)
    for field in ("node", "input", "output", "value_info"):
        getattr(probe.graph, field).extend(getattr(graph, field))
    named = {value.name for value in graph.input}
    for constant in graph.initializer:
        if int(np.prod(constant.dims)) <= LARGE:
            probe.graph.initializer.append(constant)
        elif constant.name not in named:
            value = onnx.helper.make_tensor_value_info(constant.name, constant.data_type, constant.dims)
            probe.graph.input.append(value)
    try:
        inferred = onnx.shape_inference.infer_shapes(probe).graph
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError):
        inferred = graph
    values = [*inferred.value_info, *inferred.output, *inferred.input]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    known = [value for value in values if value.type.tensor_type.HasField("shape")]
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in known}
    return {name: kind for name, kind in types.items() if kind}, ranks


def _reads(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node reads, those of the graphs inside it too."""
    inner = [body for attribute in node.attribute for body in (attribute.g, *attribute.graphs)]
    return [*filter(None, node.input), *(name for body in inner for part in body.node for name in _reads(part))]
