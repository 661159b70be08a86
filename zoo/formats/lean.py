"""A lean network on features of a face-recognition backbone, merged with it into one graph: a face in, ages out.

The features of a face are the maps of one layer of the backbone (``tap``), averaged over two by two fields, which
overlap by a row and a column where the side is odd; they are laid out channel by channel, as the lean network was
trained on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import BadInput
from converters.onnx_file import to_bytes

if TYPE_CHECKING:
    import onnx

ROLES = ("backbone", "model")
OPTIONS: Mapping[str, tuple[str, ...] | None] = {"tap": None}
"""Whatever layer of the backbone makes maps, by the name of its tensor or node."""

FIELDS = 2
"""A side of the fields."""


def model_bytes(paths: Mapping[str, Path], options: Mapping[str, str], metadata: Mapping[str, str]) -> bytes:
    """Convert ``model``, a Keras network with one input of features, and put it on the ``tap`` of ``backbone``, ONNX.

    Raises BadInput when there is no such layer, and when it gives other features than the network takes.
    """
    from converters.keras import convert
    from zoo import clean, graph
    from zoo.merge import merge
    from zoo.tap import find

    if "tap" not in options:
        raise BadInput("a lean network needs convert.tap: the layer of the backbone that it reads")
    backbone = clean.clean(graph.read(paths["backbone"]))
    size = graph.sizes(backbone).get(find(backbone, options["tap"]))
    if size is None or len(size) != 4 or size[2] != size[3] or (size[2] or 0) < FIELDS:
        raise BadInput(f"convert.tap {options['tap']!r}: {graph.shown(size)}; name a layer of square maps")
    head = on_maps(convert(paths["model"]), size[1] or 0, size[2] or 0)
    told = {"converter": "lean", "tap": options["tap"]}
    for role, path in paths.items():
        told |= {f"source_{role}": path.name, f"source_{role}_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return to_bytes(merge(backbone, head, {"maps": options["tap"]}, metadata={**told, **metadata}))


def on_maps(head: onnx.ModelProto, channels: int, side: int) -> onnx.ModelProto:
    """Let a network of features (N, channels * 4) take maps (N, channels, side, side) instead."""
    from onnx import helper

    (features,) = head.graph.input
    taken = features.type.tensor_type.shape.dim[-1].dim_value
    if taken != channels * FIELDS**2:
        raise BadInput(f"the lean network takes {taken} features; {channels} maps give {channels * FIELDS**2}")
    window, step = -(-side // FIELDS), side // FIELDS
    shape: list[int | str | None] = ["N", channels, side, side]
    maps = helper.make_tensor_value_info("maps", features.type.tensor_type.elem_type, shape)
    nodes = [
        helper.make_node("AveragePool", ["maps"], ["fields"], "fields", kernel_shape=[window] * 2, strides=[step] * 2),
        helper.make_node("Flatten", ["fields"], [features.name], features.name, axis=1),
        *head.graph.node,
    ]
    del head.graph.input[:], head.graph.node[:]
    head.graph.input.append(maps)
    head.graph.node.extend(nodes)
    return head
