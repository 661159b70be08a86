"""The parts of a Caffe network and of an ONNX graph that lie between the same blobs.

A blob that the converter folded away has no tensor in the file: the part around it then has several layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converters.caffe.bisection.graph import Graph
from converters.caffe.kind import Array, Layer, kinds
from converters.caffe.net import Net

if TYPE_CHECKING:
    import onnx

MOST_NAMES = 4
"""How many names stand in a line; of more only some do."""


@dataclass(frozen=True, eq=False)
class Segment:
    """What lies behind one blob: ``layers`` make it from ``bottoms`` in Caffe, ``nodes`` from ``sources`` in the file.

    All are names of blobs, and all but ``blob`` itself are ends of other segments, inputs or constants of the file.
    """

    blob: str
    layers: tuple[Layer, ...]
    bottoms: tuple[str, ...]
    nodes: tuple[onnx.NodeProto, ...]
    sources: tuple[str, ...]

    def run(self, blobs: Mapping[str, Array]) -> Array:
        """Run the layers by their numpy references, in double precision, on their bottoms out of ``blobs``."""
        known = {name: blobs[name].astype(np.float64) for name in self.bottoms}
        for op in self.layers:
            tops = kinds()[op.type].reference(op, *(known[bottom] for bottom in op.bottoms))
            known.update(zip(op.tops, tops, strict=True))
        return known[self.blob]

    def main(self) -> Layer | None:
        """Return the layer that the others are folded into, or the only one; None where it can be any of them."""
        shown = self.shown()
        folded = kinds()[shown[0].type].absorb and all(kinds()[op.type].affine for op in shown[1:])
        return shown[0] if folded or len(shown) == 1 else None

    def shown(self) -> list[Layer]:
        """Return the layers without constants and those that change nothing, unless there are no others."""
        plain = [op for op in self.layers if not (kinds()[op.type].identity is True or kinds()[op.type].constant)]
        return [op for op in plain if op.type != "Split"] or [*self.layers]

    def title(self) -> str:
        """Say which layers these are."""
        first, *rest = [f"{op.name} ({op.type})" for op in self.shown()]
        if not rest:
            return first
        if self.main():
            return f"{first} with {', '.join(op.name for op in self.shown()[1:])} folded into it"
        return f"between {_few(self.bottoms) or 'constants'} and {self.blob}: {_few([first, *rest])}"


def _few(names: Sequence[str]) -> str:
    """Return some names in a line; of many the first and the last."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMES - 1])} .. {names[-1]} ({len(names)} in all)"


def segment(net: Net, graph: Graph, names: Mapping[str, str], blob: str) -> Segment:
    """Return what lies behind a blob; ``names`` are the tensors of all blobs that the file has."""
    names = {name: tensor for name, tensor in names.items() if name == blob or graph.is_float(tensor)}
    makers: dict[str, Layer] = {top: op for op in net.layers for top in op.tops}
    needed, bottoms, waiting = set[int](), set[str](), [blob]
    while waiting:
        name = waiting.pop()
        if name != blob and (name in names or name not in makers):
            bottoms.add(name)
        elif id(makers[name]) not in needed:
            needed.add(id(makers[name]))
            waiting.extend(makers[name].bottoms)
    blobs = {tensor: name for name, tensor in names.items()}
    nodes, sources = graph.back(names[blob], blobs)
    layers = tuple(op for op in net.layers if id(op) in needed)
    known = tuple(name for name in net.shapes if name in bottoms)
    return Segment(blob, layers, known, tuple(nodes), tuple(blobs[name] for name in sources))
