"""``python -m zoo inspect``: what each layer of a network makes, holds and costs, for one face.

A converter folds a batch normalization into the convolution before it, so the graph alone no longer shows its weights;
a file that says what its source was made of (``layers`` among its metadata) is shown by those layers instead.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.errors import DONE, BadInput, Parser, one_line
from zoo import graph

if TYPE_CHECKING:
    import onnx

    from zoo.layers import Layer

ABOUT = "Print each layer's output size, parameters and multiplications (MACC) for a batch of one, and the totals."
BRA = ["normalisation", "activation", "average pooling"]
"""Batch normalization, ReLU and average pooling, as the C3AE paper abbreviates it."""
HEADERS = ("layer", "operator", "output", "parameters", "stored", "MACC")


@dataclass(frozen=True)
class Row:
    """A layer, or a normalisation with the activation and the pooling that follow it.

    ``output`` has no batch axis and is ordered as in the source (Keras: height, width, channels; else as the graph); an
    axis that the graph does not tell is None. ``parameters`` are the source's, ``stored`` all numbers in the file, a
    tensor that several layers read at the first of them. ``macc`` is None for what is neither convolution nor dense.
    """

    name: str
    operator: str
    output: tuple[int | None, ...] | None
    parameters: int
    stored: int
    macc: int | None


@dataclass(frozen=True)
class Inspection:
    """All layers of a network, and the totals."""

    rows: tuple[Row, ...]
    parameters: int
    stored: int
    macc: int


def inspect(model: onnx.ModelProto) -> Inspection:
    """Return the layers of a network in the order in which they run. Raises BadInput for an invalid graph."""
    from zoo.layers import layers

    rows = tuple(_row(group) for group in _grouped(layers(model)))
    totals = [sum(row.parameters for row in rows), sum(row.stored for row in rows), sum(row.macc or 0 for row in rows)]
    return Inspection(rows, *totals)


def _grouped(found: Sequence[Layer]) -> list[list[Layer]]:
    """Put a normalisation together with the activation, and then the pooling, that alone reads it."""
    readers: dict[int, list[int]] = {}
    for index, layer in enumerate(found):
        for place in () if layer.quiet else layer.reads:
            readers.setdefault(_loud(found, place), []).append(index)
    taken: set[int] = set()
    groups = []
    for index, layer in enumerate(found):
        if index in taken or layer.quiet:
            continue
        group, last = [layer], index
        if layer.kind == "normalisation":
            for wanted in ("activation", "pooling"):
                after = readers.get(last, [])
                if len(after) == 1 and found[after[0]].kind.endswith(wanted):
                    last = after[0]
                    taken.add(last)
                    group.append(found[last])
        groups.append(group)
    return groups


def _loud(found: Sequence[Layer], place: int) -> int:
    """Return the layer that a place stands for, past those that only rearrange."""
    while found[place].quiet and found[place].reads:
        place = found[place].reads[0]
    return place


def _row(group: Sequence[Layer]) -> Row:
    maccs = [layer.macc for layer in group if layer.macc is not None]
    return Row(
        group[0].name,
        "BRA" if [layer.kind for layer in group] == BRA else "+".join(layer.operator for layer in group),
        group[-1].output,
        sum(layer.parameters for layer in group),
        sum(layer.stored for layer in group),
        sum(maccs) if maccs else None,
    )


def as_table(found: Inspection) -> str:
    """Return the layers as text for a person."""
    from tabulate import tabulate

    cells = [
        (
            one_line(row.name),
            one_line(row.operator),
            "?" if row.output is None else "x".join("?" if axis is None else str(axis) for axis in row.output) or "1",
            f"{row.parameters:,}",
            f"{row.stored:,}",
            "" if row.macc is None else f"{row.macc:,}",
        )
        for row in found.rows
    ]
    total = ("total", f"{len(cells)} rows", "", f"{found.parameters:,}", f"{found.stored:,}", f"{found.macc:,}")
    aligned = ("left", "left", "left", "right", "right", "right")
    return tabulate([*cells, total], HEADERS, disable_numparse=True, colalign=aligned)


def as_json(found: Inspection) -> str:
    """Return the layers as JSON: ``layers``, a list of rows, and ``total``."""
    total = {"parameters": found.parameters, "stored": found.stored, "macc": found.macc}
    return json.dumps({"layers": [asdict(row) for row in found.rows], "total": total}, indent=2)


def add_command(commands: Any) -> None:
    """Add the command to a parser."""
    parser: Parser = commands.add_parser("inspect", help="each layer's size, parameters and MACC", description=ABOUT)
    parser.set_defaults(run=inspect_network)
    parser.add_argument("network", metavar="NAME|FILE.onnx", help="a network of the zoo, built first, or a file")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="look here first for the network's files")


def inspect_network(arguments: argparse.Namespace) -> int:
    """Print the layers of one network."""
    path = graph.named(arguments.network, arguments.mirror)
    try:
        found = inspect(graph.read(path))
    except BadInput as error:
        raise error if str(error).startswith(str(path)) else BadInput(f"{path}: {error}") from None
    print(as_json(found) if arguments.json else as_table(found))
    return DONE
