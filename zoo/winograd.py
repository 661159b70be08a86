"""A built network whose large convolutions multiply less, by Winograd's algorithm, written out in ordinary operators.

On a CPU a runtime convolves as fast as the machine can multiply; what is faster still has to multiply less. No runtime
here does that for windows of 5, and for windows of 3 only OpenCV does. It is no approximation: without rounding the
numbers are the same, so it is held to the limit of the float32 file (docs/adr/0011-winograd.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import Unsupported
from zoo import graph
from zoo.precision import finished
from zoo.spelled import Spelled
from zoo.tiles import Array, Convolution, along, cheapest, matrices, transformed

if TYPE_CHECKING:
    import onnx

WINDOWS = (3, 5)


class NoGain(Unsupported):
    """Nothing of a network would be faster."""


def winograd(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network with each convolution that pays computed in tiles; which ones is in its metadata.

    ``winograd`` there is a JSON object, the side of the tiles by the name of the node. Raises NoGain where none pays.
    """
    import onnx

    sizes, constants = graph.sizes(model), {tensor.name: tensor for tensor in model.graph.initializer}
    spelled, sides = Spelled(model), {}
    for node in model.graph.node:
        sized = convolution(node, constants, sizes)
        side = cheapest(sized) if sized else None
        if sized is None or side is None:
            spelled.nodes.append(node)
            continue
        weights, *bias = (onnx.numpy_helper.to_array(constants[name]) for name in node.input[1:] if name)
        spelled.begin(node)
        _spell(spelled, sized, side, weights.astype(np.float64), [spelled.constant("bias", one) for one in bias])
        sides[node.name] = side
    if not sides:
        raise NoGain("none of its convolutions would be faster by Winograd's algorithm; use its float32 file")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:]
    made.graph.node.extend(spelled.nodes)
    made.graph.initializer.extend(spelled.constants)
    made = finished(made, model)
    made.metadata_props.add(key="winograd", value=json.dumps(sides))
    return made


def convolution(
    node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], sizes: Mapping[str, graph.Sizes]
) -> Convolution | None:
    """Return the sizes of a convolution that can be written so, None for any other node.

    That is one over images of a known size, whose weights are constants, undilated, ungrouped and of stride 1.
    """
    import onnx

    known = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    plain = all(set(known.get(name, [1])) == {1} for name in ("strides", "dilations")) and known.get("group", 1) == 1
    if node.op_type != "Conv" or not plain or known.get("auto_pad", b"NOTSET") != b"NOTSET":
        return None
    if any(name and name not in constants for name in node.input[1:]):
        return None
    weights, before, after = constants[node.input[1]], sizes.get(node.input[0], ()), sizes.get(node.output[0], ())
    window = tuple(weights.dims[2:])
    if weights.data_type != onnx.TensorProto.FLOAT or window not in {(size, size) for size in WINDOWS}:
        return None
    height, width, high, wide = (*before[2:], *after[2:])
    if height is None or width is None or high is None or wide is None:
        return None
    top, left = known.get("pads", [0] * 4)[:2]
    return Convolution(weights.dims[1], weights.dims[0], window[0], (height, width), (high, wide), (top, left))


def _spell(spelled: Spelled, sized: Convolution, side: int, weights: Array, bias: list[str]) -> None:
    """Add the nodes that compute a convolution in tiles.

    No Transpose has more than four axes: for more OpenCV 4 has no fast code. Beside the axes: N images, y and x which
    tile, i and j where in the tile as it is read, u and v as it is made, C channels, O outputs.
    """
    a, g, b = matrices(side, sized.window)
    span, (high, wide), (height, width), channels = len(b), sized.tiles(side), sized.plane, sized.channels
    rows = spelled.constant("rows", along(b, side, high, height, sized.pads[0]))
    columns = spelled.constant("columns", along(b, side, wide, width, sized.pads[1]))
    back = spelled.constant("back", np.kron(a, a).astype(np.float32))

    lines = spelled.reshape(spelled.transpose(spelled.source, 0, 2, 3, 1), -1, height, width * channels)
    tall = spelled.node("MatMul", rows, spelled.reshape(spelled.transpose(lines, 1, 0, 2), height, -1))
    tiles = spelled.node("MatMul", columns, spelled.reshape(tall, span * high, -1, width, channels))  # iy N jx C
    tiles = spelled.transpose(spelled.reshape(tiles, span, -1, span, wide * channels), 0, 2, 1, 3)  # i j yN xC
    sums = spelled.node(
        "MatMul",
        spelled.reshape(tiles, span * span, -1, channels),
        spelled.constant("weights", transformed(g, weights)),
    )
    made = spelled.node("MatMul", back, spelled.reshape(sums, span * span, -1))  # uv yNxO
    made = spelled.transpose(spelled.reshape(made, side * side, high, -1, sized.outputs), 2, 1, 0, 3)  # Nx y uv O
    made = spelled.reshape(made, -1, wide, high * side, side * sized.outputs)
    made = spelled.reshape(
        spelled.transpose(made, 0, 2, 1, 3), -1, high * side, wide * side, sized.outputs
    )  # N yu xv O
    if sized.made != (high * side, wide * side):  # the last tiles hang over
        limits = {"starts": (0, 0), "ends": sized.made, "axes": (1, 2)}
        named = (spelled.constant(what, np.array(numbers, dtype=np.int64)) for what, numbers in limits.items())
        made = spelled.node("Slice", made, *named)
    for shifts in bias:
        made = spelled.node("Add", made, shifts)
    spelled.end("Transpose", made, perm=(0, 3, 1, 2))
