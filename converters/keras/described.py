"""What the source was made of, as metadata of the ONNX file: there a folded normalisation has no node of its own."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converters.keras.emit import Node
    from converters.keras.kind import Layer, Tensor


class Described:
    """Each call of each layer, in running order; the weights of a layer count at its first call."""

    def __init__(self) -> None:
        self._entries: list[tuple[dict[str, Any], list[Node]]] = []
        self._makers: dict[str, int] = {}
        self._counted: set[int] = set()

    def add(self, op: Layer, made: Sequence[Tensor], nodes: Sequence[Node]) -> None:
        """Note a call of a layer, the tensors it made and the nodes it added."""
        first = id(op.weights) not in self._counted
        self._counted.add(id(op.weights))
        entry = {
            "name": op.name,
            "class": op.type,
            "output": list(made[0].shape[1:]) if made else [],
            "parameters": op.weights.count() if first else 0,
            "from": list(dict.fromkeys(self._makers[t.name] for t in op.inputs if t.name in self._makers)),
        }
        self._makers |= {tensor.name: len(self._entries) for tensor in made}
        self._entries.append((entry, list(nodes)))

    def as_json(self, nodes: Iterable[Node]) -> str:
        """Return compact JSON: a list of ``name``, ``class``, ``output`` (Keras's order, no batch), ``parameters``.

        ``from`` are the places in the list of the layers that it reads; ``nodes`` the names of those ``nodes`` of the
        graph that are left of it, not said where that is its own name alone.
        """
        left = {node.name for node in nodes}
        parts: dict[str, list[str]] = {}
        for name in left:
            parts.setdefault(name.rpartition("/")[0], []).append(name)
        entries = [_with_nodes(entry, added, left, parts) for entry, added in self._entries]
        return json.dumps(entries, separators=(",", ":"))


def _with_nodes(
    entry: dict[str, Any], added: Iterable[Node], left: Container[str], parts: Mapping[str, list[str]]
) -> dict[str, Any]:
    from converters.keras.emit import AFFINE

    names = [node.name for node in added if node.name in left]
    for node in added:
        if node.op_type == AFFINE and node.name in left:  # not folded: it is a few nodes now
            names += sorted(parts.get(node.name, ()))
    return entry if names == [entry["name"]] else {**entry, "nodes": names}
