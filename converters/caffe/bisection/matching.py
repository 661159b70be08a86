"""Which tensor of an ONNX file is which Caffe blob: by name, and where no name is Caffe's, by numbers, shape and order.

Other converters may call the value before an in-place layer what this one calls the value behind it. So a name is a
suggestion; `versions` are the other values that Caffe has under it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from converters.caffe.bisection.graph import Graph
from converters.caffe.kind import Array
from converters.caffe.net import Net
from converters.errors import BadInput

SAMPLE = 64
"""How many numbers of two large arrays are compared before all are."""
MOST_PAIRS = 4_000_000
"""blobs times tensors: beyond that the search by shape takes too long"""


def match_names(net: Net, graph: Graph, path: str) -> dict[str, str]:
    """Return the tensors of the blobs that the file names as Caffe does, inputs first, in the order of the layers.

    One input, and as many outputs as the network has left, match whatever their names are. Raises BadInput where inputs
    or outputs are others.
    """
    names = dict(zip(net.inputs, net.inputs, strict=True))
    if len(net.inputs) == len(graph.inputs) == 1:
        names = dict(zip(net.inputs, graph.inputs, strict=True))
    elif net.inputs.keys() != graph.inputs.keys():
        there = ", ".join(graph.inputs) or "none"
        raise BadInput(f"{path}: its inputs are {there}; the network has {', '.join(net.inputs)}")
    known = {blob for op in net.layers for blob in op.tops}
    outputs = {blob: blob for blob in net.outputs if blob in graph.outputs}
    left = [blob for blob in net.outputs if blob not in outputs]
    others = [name for name in graph.outputs if name not in outputs and name not in known]
    if left and len(left) != len(others):
        there = ", ".join(graph.outputs)
        raise BadInput(
            f"{path}: has no output {left[0]!r}; its outputs are {there}, the network's {', '.join(net.outputs)}"
        )
    outputs |= dict(zip(left, others, strict=True))
    for op in net.layers:
        for blob in op.tops:
            if blob in outputs:
                names[blob] = outputs[blob]
            elif blob in net.outputs or blob in names.values():
                continue
            elif (blob in graph.makers or blob in graph.constants) and graph.is_float(blob):
                names[blob] = blob
    return names


def versions(net: Net, blob: str) -> list[str]:
    """Return what else Caffe has had in the memory of a blob: what in-place layers wrote over, latest first."""
    return [other for other in reversed(net.shapes) if other.startswith(f"{blob}@") and other not in net.outputs]


def align(
    blobs: Mapping[str, Array], tensors: Mapping[str, Array], names: Mapping[str, str], order: Sequence[str]
) -> dict[str, str]:
    """Find tensors of the same shape for blobs, both in order, as many as can be, those with the same numbers first.

    ``order`` lists the blobs to match, ``names`` what is matched already. Returns the new matches.
    """
    taken = set(names.values())
    wanted = [name for name in order if name not in names]
    there = [name for name in tensors if name not in taken]
    if len(wanted) * len(there) > MOST_PAIRS:
        return {}
    best = np.zeros((len(wanted) + 1, len(there) + 1))
    gain = np.zeros((len(wanted), len(there)))
    for i, blob in enumerate(wanted):
        for j, tensor in enumerate(there):
            if blobs[blob].shape == tensors[tensor].shape:
                gain[i, j] = 1000 if same_numbers(blobs[blob], tensors[tensor]) else 1
    for i in range(len(wanted) - 1, -1, -1):
        for j in range(len(there) - 1, -1, -1):
            both = best[i + 1, j + 1] + gain[i, j] if gain[i, j] else 0
            best[i, j] = max(best[i + 1, j], best[i, j + 1], both)
    found, i, j = {}, 0, 0
    while i < len(wanted) and j < len(there):
        if gain[i, j] and best[i, j] == best[i + 1, j + 1] + gain[i, j]:
            found[wanted[i]] = there[j]
            i, j = i + 1, j + 1
        elif best[i, j] == best[i + 1, j]:
            i += 1
        else:
            j += 1
    return found


def same_numbers(one: Array, other: Array) -> bool:
    """Whether two arrays of one shape hold the same numbers, within 1e-4 of the largest."""
    if prod(one.shape) > SAMPLE:
        few = np.linspace(0, one.size - 1, SAMPLE, dtype=np.int64)
        if not _near(one.ravel()[few], other.ravel()[few], float(np.abs(one).max())):
            return False
    return _near(one, other, float(np.abs(one).max(initial=0.0)))


def _near(one: Array, other: Array, largest: float) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=1e-4 * largest + 1e-12, equal_nan=True))
