"""Which layer makes which blob. In Caffe a layer may write into the blob that it reads; here each blob has one writer.

The last version of a blob keeps Caffe's name: the value that Caffe leaves in it. An earlier one is called
``blob@layer`` after the layer that made it. An input keeps its name for its first version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from converters.caffe.emit import Layer, Shape, kinds, unique
from converters.errors import BadInput

Version = tuple[str, int]
"""A blob, and how often it was overwritten before."""


def connect(path: Path, inputs: Mapping[str, Shape], layers: Sequence[Layer]) -> tuple[list[Layer], tuple[str, ...]]:
    """Rename tops so that each blob has one writer, and leave out in-place layers that do nothing at TEST (Dropout).

    Returns the layers, and the outputs: the blobs that no layer reads. Raises BadInput for bottoms that nobody makes
    before they are read (in a circle too), for blobs made twice, and for inputs that nobody reads.
    """
    makers: dict[str, list[str]] = {name: [""] for name in inputs}  # blob -> the layers that wrote it, in order
    read: set[Version] = set()
    kept: list[tuple[Layer, list[Version], list[Version]]] = []
    for op in layers:
        bottoms = [(bottom, _latest(op, bottom, makers, layers)) for bottom in op.bottoms]
        if kinds()[op.type].identity and op.tops == op.bottoms:
            continue
        read.update(bottoms)
        for index, top in enumerate(op.tops):
            if not top:
                raise op.bad("a top without a name")
            if top in makers and op.bottoms[index : index + 1] != (top,):
                by = f"layer {makers[top][-1]!r}" if makers[top][-1] else "an input"
                raise op.bad(f"top {top!r} is made already by {by}; give it another name")
            makers.setdefault(top, []).append(op.name)
        kept.append((op, bottoms, [(top, len(makers[top]) - 1) for top in op.tops]))
    unread = [last for last in ((blob, len(by) - 1) for blob, by in makers.items()) if last not in read]
    for blob, _ in unread:
        if blob in inputs:
            raise BadInput(
                f"{path}: input {blob!r} is read by no layer, or is an output itself; take it out of the file"
            )
    if not unread:
        raise BadInput(f"{path}: has no layer that makes an output")
    names = _names(inputs, makers)
    renamed = [
        replace(op, bottoms=tuple(names[b] for b in bottoms), tops=tuple(names[t] for t in tops))
        for op, bottoms, tops in kept
    ]
    return renamed, tuple(names[version] for version in unread)


def _latest(op: Layer, bottom: str, makers: Mapping[str, Sequence[str]], layers: Sequence[Layer]) -> int:
    if bottom in makers:
        return len(makers[bottom]) - 1
    later = next((other.name for other in layers if bottom in other.tops), None)
    if later is None:
        raise op.bad(f"bottom {bottom!r} is made by no layer; blobs made before: {', '.join(makers)}")
    raise op.bad(f"bottom {bottom!r} is made only later, by layer {later!r}; layers run in the order of the file")


def _names(inputs: Mapping[str, Shape], makers: Mapping[str, Sequence[str]]) -> dict[Version, str]:
    names: dict[Version, str] = {}
    taken = set(makers)
    for blob, by in makers.items():
        own = 0 if blob in inputs else len(by) - 1
        for version, maker in enumerate(by):
            names[blob, version] = blob if version == own else unique(taken, f"{blob}@{maker}")
    return names
