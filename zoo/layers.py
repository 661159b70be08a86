"""The layers of a network: those that the file says its source had, else each node of its graph.

Our converters name the nodes of a layer ``layer`` and ``layer/what``, so such nodes are one layer again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from zoo import graph, operators, source
from zoo.operators import Kind

if TYPE_CHECKING:
    import onnx

FORWARDING = frozenset({"DequantizeLinear", "Cast", "Identity", "Transpose", "Reshape", "Unsqueeze", "Squeeze"})
"""What may lie between a constant and the layer that has it as its weights."""
MOST_TITLES = 3


@dataclass(frozen=True)
class Layer:
    """One layer; ``reads`` are the places of the layers before it. ``quiet``: it changes no number and holds none."""

    name: str
    operator: str
    kind: Kind
    output: tuple[int | None, ...] | None
    parameters: int
    stored: int
    macc: int | None
    reads: tuple[int, ...]
    quiet: bool


class Nodes:
    """The nodes of a graph, and what they hold; a constant counts for the first that asks for it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.sizes = graph.sizes(model)
        self._constants = graph.constants(model)
        self._makers = graph.makers(model)
        self._counted: set[str] = set()
        self.sizes |= {name: tuple(tensor.dims) for name, tensor in self._constants.items()}

    def numbers(self, nodes: Iterable[onnx.NodeProto]) -> tuple[int, int]:
        """Count the parameters of some nodes, and all the numbers that are stored for them but sizes and indices."""
        parameters = stored = 0
        for node in nodes:
            weights = operators.weight_inputs(node, self.sizes)
            for place, name in enumerate(node.input):
                for depth, tensor in enumerate(self._behind(name) if operators.visible([node]) else ()):
                    if tensor.name not in self._counted:
                        self._counted.add(tensor.name)
                        stored += prod(tensor.dims)
                        parameters += prod(tensor.dims) if depth == 0 and place in weights else 0
        return parameters, stored

    def _behind(self, name: str) -> list[onnx.TensorProto]:
        """Return the constants that a tensor is made of, the numbers themselves first, their scales behind them."""
        import onnx

        if name in self._constants:
            tensor = self._constants[name]
            return [] if tensor.data_type in {onnx.TensorProto.INT64, onnx.TensorProto.BOOL} else [tensor]
        maker = self._makers.get(name)
        if maker is None or maker.op_type not in FORWARDING or not self._behind(maker.input[0]):
            return []
        return [tensor for name in maker.input for tensor in self._behind(name)]

    def macc(self, nodes: Iterable[onnx.NodeProto]) -> int | None:
        """Count the multiplications of some nodes; None where none of them is a convolution or a dense layer."""
        counted = [count for node in nodes if (count := operators.macc(node, self.sizes)) is not None]
        return sum(counted) if counted else None

    def title(self, nodes: Sequence[onnx.NodeProto]) -> str:
        """Name some nodes as a person does: each one, or the first and the last of many."""
        titles = [operators.title(node, self.sizes) for node in operators.visible(nodes) or nodes]
        if len(titles) <= MOST_TITLES:
            return "+".join(titles)
        return f"{titles[0]}+..+{titles[-1]} ({len(titles)} nodes)"


def layers(model: onnx.ModelProto) -> list[Layer]:
    """Return the layers in order. Raises BadInput for a graph that contradicts itself, or nonsense about its source."""
    nodes, described = Nodes(model), source.read(model)
    by_name = {node.name: node for node in model.graph.node}
    found = [
        _of_source(entry, [by_name[name] for name in entry.nodes if name in by_name], nodes) for entry in described
    ]
    claimed = {name for entry in described for name in entry.nodes}
    places: dict[str, int] = {}
    for name, whole in parted(model).items():
        if part := [node for node in whole if node.name not in claimed]:
            reads = {places[tensor]: None for node in part for tensor in node.input if tensor in places}
            places |= {tensor: len(found) for node in part for tensor in node.output}
            found.append(_of_graph(name, part, nodes, tuple(reads)))
    return found


def parted(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """Return the nodes of each layer: ``layer/what`` belongs to ``layer`` where there is a node of that name."""
    names = {node.name for node in model.graph.node}
    parts: dict[str, list[onnx.NodeProto]] = {}
    for index, node in enumerate(model.graph.node):
        words = node.name.split("/")
        owners = ("/".join(words[:count]) for count in range(1, len(words)))
        owner = next((name for name in owners if name in names), node.name)
        parts.setdefault(owner or f"{node.op_type} {index}", []).append(node)
    return parts


def _of_source(entry: source.Entry, part: Sequence[onnx.NodeProto], nodes: Nodes) -> Layer:
    """Return a layer of the source: its own size and count, what its nodes cost and store."""
    quiet = not operators.visible(part) and not entry.parameters and entry.kind != "normalisation"
    return Layer(
        entry.name,
        nodes.title(part) if part and entry.kind != "normalisation" else source.title(entry),
        entry.kind,
        entry.output,
        entry.parameters,
        nodes.numbers(part)[1],
        nodes.macc(part),
        entry.reads,
        quiet,
    )


def _of_graph(name: str, part: Sequence[onnx.NodeProto], nodes: Nodes, reads: tuple[int, ...]) -> Layer:
    size = nodes.sizes.get(part[-1].output[0])
    lrn = operators.is_lowered_lrn(part)
    parameters, stored = nodes.numbers(part)
    return Layer(
        name,
        "LRN" if lrn else nodes.title(part),
        operators.kind(part),
        None if size is None else size[1:],
        0 if lrn else parameters,
        stored,
        None if lrn else nodes.macc(part),
        reads,
        not operators.visible(part),
    )
