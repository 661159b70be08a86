"""Silence reads blobs so that they are no outputs of the network; it makes nothing."""

from __future__ import annotations

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer

CASES = ()


def shape(op: Layer, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return no shapes."""
    return ()


def reference(op: Layer, *bottoms: Array) -> tuple[Array, ...]:
    """Return nothing."""
    return ()


@layer("Silence", shape=shape, reference=reference, bottoms=(1, None), tops=0)
def silence(op: Layer, emit: Emit) -> None:
    """Add no node."""
