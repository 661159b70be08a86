"""An ONNX graph of tf2onnx with names and an order that depend on nothing but the model.

tf2onnx numbers its tensors as it goes, keeps nodes in sets and names the batch at random. Nodes come here in the order
that the outputs need them, and their names are those of Keras's layers, without the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from converters import VERSION
from converters.keras.judge import sizes
from converters.keras.load import Loaded, Port
from converters.onnx_file import IR_VERSION, OPSET, unique

if TYPE_CHECKING:
    import onnx

Message = TypeVar("Message", "onnx.NodeProto", "onnx.TensorProto")
NUMBERED = re.compile(r"__\d+")
"""What tf2onnx puts behind names."""


def canonical(model: onnx.ModelProto, loaded: Loaded, scopes: Mapping[str, str]) -> onnx.ModelProto:
    """Return a model with inputs and outputs named and described as `Loaded` has them.

    ``scopes`` has the layer for each prefix of names that are TensorFlow's still (`Loaded.scopes`).
    """
    from onnx import helper

    graph = model.graph
    ends = [*zip(graph.input, loaded.inputs, strict=True), *zip(graph.output, loaded.outputs, strict=True)]
    names = {end.name: one.name for end, one in ends}
    nodes, constants = _Renaming(scopes, dict.fromkeys(names.values(), 1)).renamed(graph, names)
    inputs, outputs = (_described(ports) for ports in (loaded.inputs, loaded.outputs))
    return helper.make_model(
        helper.make_graph(nodes, loaded.name or "keras", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="agebench",
        producer_version=VERSION,
    )


@dataclass(frozen=True)
class _Renaming:
    """The names of a whole model: ``tensors`` and ``nodes`` that are taken, in the bodies of loops and branches too."""

    scopes: Mapping[str, str]
    tensors: dict[str, int]
    nodes: dict[str, int] = field(default_factory=dict)

    def renamed(
        self, graph: onnx.GraphProto, names: dict[str, str]
    ) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        """Rename a graph; returns its nodes and constants in order. ``names`` are those given already, by old name."""
        nodes = in_order(graph)
        ends = [end.name for end in graph.output]
        read = list(dict.fromkeys([*(name for node in nodes for name in _read(node)), *ends]))
        held = {one.name for one in graph.initializer}
        for name in (*(n for node in nodes for n in node.output), *(n for n in read if n in held)):
            if name and name not in names:
                names[name] = self.tensor(name)
        for node in nodes:
            node.name, node.doc_string = unique(self.nodes, _plain(node.name or node.op_type, self.scopes)), ""
            for of_node in (node.input, node.output):
                of_node[:] = [names.get(name, name) for name in of_node]
            for body in _bodies(node):
                self.rename_body(body, dict(names))
        found = {names[one.name]: one for one in graph.initializer if one.name in names}
        for name, one in found.items():
            one.name, one.doc_string = name, ""
        return nodes, [found[names[name]] for name in read if names.get(name) in found]

    def rename_body(self, body: onnx.GraphProto, names: dict[str, str]) -> None:
        """Rename the body of a loop or a branch, where it lies."""
        for end in body.input:
            names[end.name] = self.tensor(end.name)
        nodes, constants = self.renamed(body, names)
        for end in (*body.input, *body.output):
            end.name, end.doc_string = names.get(end.name, end.name), ""
            for axis, size in enumerate(end.type.tensor_type.shape.dim):
                if size.dim_param:
                    size.dim_param = f"{end.name}_{axis}"
        kept, held = [_copied(one) for one in nodes], [_copied(one) for one in constants]
        for of_body in (body.node, body.initializer, body.value_info):
            del of_body[:]
        body.node.extend(kept)
        body.initializer.extend(held)
        body.name, body.doc_string = "body", ""

    def tensor(self, name: str) -> str:
        """Return a new name for a tensor, and take it."""
        return unique(self.tensors, _plain(name, self.scopes))


def _copied(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes that the outputs need, each behind those that it needs."""
    makers = {name: node for node in graph.node for name in node.output}
    order: list[onnx.NodeProto] = []
    done: set[int] = set()
    waiting = [(makers[end.name], False) for end in reversed(graph.output) if end.name in makers]
    while waiting:
        node, ready = waiting.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
            continue
        waiting.append((node, True))
        waiting += [(makers[name], False) for name in reversed(_read(node)) if name in makers]
    return order


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs inside a node."""
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g


def _read(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node reads, with those that the graphs inside it read or give."""
    found = list(node.input)
    for body in _bodies(node):
        found += [name for one in body.node for name in _read(one)]
        found += [end.name for end in body.output]
    return found


def _plain(name: str, scopes: Mapping[str, str]) -> str:
    """Return a name with that of its layer in front, as the file has it, and without the numbers of tf2onnx."""
    name = NUMBERED.sub("", name.removesuffix(":0")) or "tensor"
    parts = name.split("/")
    for end in range(len(parts) - 1, 0, -1):
        if layer := scopes.get("/".join(parts[:end])):
            return "/".join([layer, *parts[end:]])
    return name


def _described(ports: Iterable[Port]) -> list[onnx.ValueInfoProto]:
    from onnx import TensorProto, helper

    return [
        helper.make_tensor_value_info(
            one.name,
            TensorProto.FLOAT,
            ["N", *(f"{one.name}_{axis}" if n is None else n for axis, n in enumerate(sizes(one, {})[1:], start=1))],
        )
        for one in ports
    ]
