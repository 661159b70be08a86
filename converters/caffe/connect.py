"""Which layer makes which blob. In Caffe a layer may write into the blob that it reads; here each blob has one writer.

The last version of a blob keeps Caffe's name: the value that Caffe leaves in it. An earlier one is called
``blob@layer`` after the layer that made it. An input keeps its name for its first version.

The tops of Split, Flatten, Reshape and a few more lie in the memory of their bottom: in Caffe a layer that overwrites
one of them changes the others too. A network that reads one after that is refused: here it would get the numbers from
before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from converters.caffe.kind import Layer, Shape, kinds
from converters.errors import BadInput
from converters.onnx_file import unique

Version = tuple[str, int]
"""A blob, and how often it was overwritten before."""


def connect(path: Path, inputs: Mapping[str, Shape], layers: Sequence[Layer]) -> tuple[list[Layer], tuple[str, ...]]:
    """Rename tops so that each blob has one writer. Losses and scores, and Dropout in place, are left out.

    Returns the layers, and the outputs: the blobs that no layer reads. Raises BadInput for bottoms that nobody makes
    before they are read (in a circle too), for blobs made twice, and for inputs that nobody reads; Unsupported for a
    layer that cannot work in place, and for what Caffe overwrites under another name.
    """
    makers: dict[str, list[str]] = {name: [""] for name in inputs}  # blob -> the layers that wrote it, in order
    read: set[Version] = set()
    kept: list[tuple[Layer, list[Version], list[Version]]] = []
    memory = Memory({(name, 0): {(name, 0)} for name in inputs}, {})
    for op in layers:
        if kinds()[op.type].dropped:
            continue
        bottoms = [(bottom, _latest(op, bottom, makers, layers)) for bottom in op.bottoms]
        for bottom in bottoms:
            memory.check(bottom, op)
        if kinds()[op.type].identity is True and op.tops == op.bottoms:
            continue
        read.update(bottoms)
        for index, top in enumerate(op.tops):
            if not top:
                raise op.bad("a top without a name")
            if top in makers and op.bottoms[index : index + 1] != (top,):
                by = f"layer {makers[top][-1]!r}" if makers[top][-1] else "an input"
                raise op.bad(f"top {top!r} is made already by {by}; give it another name")
            if top in makers and not kinds()[op.type].in_place:
                raise op.unsupported(f"top {top!r} over the bottom {top!r}", "give it another name")
            makers.setdefault(top, []).append(op.name)
        tops = [(top, len(makers[top]) - 1) for top in op.tops]
        memory.place(op, bottoms, tops)
        kept.append((op, bottoms, tops))
    unread = [last for last in ((blob, len(by) - 1) for blob, by in makers.items()) if last not in read]
    for blob, version in unread:
        if blob in inputs and version == 0:
            raise BadInput(
                f"{path}: input {blob!r} is read by no layer, or is an output itself; take it out of the file"
            )
        if blob in inputs:
            raise BadInput(f"{path}: output {blob!r} is an input that a layer writes over; give that top another name")
    writers = {top: op for op, _, tops in kept for top in tops}
    for output in unread:
        memory.check(output, writers[output])
    if not unread:
        raise BadInput(f"{path}: has no layer that makes an output")
    names = _names(inputs, makers)
    renamed = [
        replace(op, bottoms=tuple(names[b] for b in bottoms), tops=tuple(names[t] for t in tops))
        for op, bottoms, tops in kept
    ]
    return renamed, tuple(names[version] for version in unread)


@dataclass
class Memory:
    """Which blobs share memory in Caffe, and for those that were overwritten, by which layer."""

    shared: dict[Version, set[Version]]
    lost: dict[Version, str]

    def place(self, op: Layer, bottoms: Sequence[Version], tops: Sequence[Version]) -> None:
        """Note where a layer's tops lie: over the bottom of the same name, in the bottom's memory, or on their own."""
        for index, top in enumerate(tops):
            over = bottoms[index] if index < len(bottoms) and bottoms[index][0] == top[0] else None
            shares = over or (bottoms[0] if _shares_memory(op) else None)
            self.shared[top] = self.shared[shares] if shares else set()
            if over:
                self.lost.update(dict.fromkeys(self.shared[top], op.name))
            self.shared[top].add(top)

    def check(self, blob: Version, op: Layer) -> None:
        """Raise Unsupported when the layer reads, or has left for an output, a blob that was overwritten."""
        if blob in self.lost:
            by = f"which layer {self.lost[blob]!r} overwrites in Caffe by its in-place top"
            raise op.unsupported(f"blob {blob[0]!r}, {by}, since both share memory", "give that top another name")


def _shares_memory(op: Layer) -> bool:
    shares = kinds()[op.type].shares_memory
    return shares if isinstance(shares, bool) else shares(op)


def _latest(op: Layer, bottom: str, makers: Mapping[str, Sequence[str]], layers: Sequence[Layer]) -> int:
    if bottom in makers:
        return len(makers[bottom]) - 1
    maker = next((other for other in layers if bottom in other.tops), None)
    if maker is None:
        raise op.bad(f"bottom {bottom!r} is made by no layer; blobs made before: {', '.join(makers)}")
    if kinds()[maker.type].dropped:
        raise op.unsupported(
            f"bottom {bottom!r} of layer {maker.name!r} ({maker.type})", "losses and scores are dropped"
        )
    raise op.bad(f"bottom {bottom!r} is made only later, by layer {maker.name!r}; layers run in the order of the file")


def _names(inputs: Mapping[str, Shape], makers: Mapping[str, Sequence[str]]) -> dict[Version, str]:
    names: dict[Version, str] = {}
    taken = dict.fromkeys(makers, 1)
    for blob, by in makers.items():
        own = 0 if blob in inputs else len(by) - 1
        for version, maker in enumerate(by):
            names[blob, version] = blob if version == own else unique(taken, f"{blob}@{maker}")
    return names
