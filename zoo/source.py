"""What a file says of the network that it was made of: ``layers`` among its metadata, a JSON list in running order.

Each entry has ``name``, ``class``, ``output`` (in the source's own order, without the batch), ``parameters``, ``from``
(the places in this list of those it reads), and ``nodes``, the names of its nodes in the graph, where that is not just
``name``. A normalisation that was folded into the convolution before it has none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converters.errors import BadInput
from zoo.operators import Kind

if TYPE_CHECKING:
    import onnx

METADATA = "layers"
ACTIVATIONS = frozenset(
    (
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ThresholdedReLU", "ELU", "SELU", "GELU", "Softmax"),
        *("ops.Relu", "ops.Relu6"),
    )
)
LARGEST = 2**53


@dataclass(frozen=True)
class Entry:
    """One layer of the source; ``type`` is its class there."""

    name: str
    type: str
    output: tuple[int | None, ...]
    parameters: int
    reads: tuple[int, ...]
    nodes: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """What the class is to the layers around it."""
        if self.type.endswith("Normalization"):
            return "normalisation"
        if "Pooling" in self.type:
            return "average pooling" if "Average" in self.type else "pooling"
        return "activation" if self.type in ACTIVATIONS else "other"


def title(entry: Entry) -> str:
    """Name a layer by its class."""
    return "BN" if entry.type == "BatchNormalization" else entry.type


def read(model: onnx.ModelProto) -> list[Entry]:
    """Return the layers of the source, none where the file is silent. Raises BadInput when they make no sense."""
    text = next((entry.value for entry in model.metadata_props if entry.key == METADATA), None)
    if text is None:
        return []
    try:
        entries = json.loads(text)
        if not isinstance(entries, list):
            raise TypeError(f"it is {text:.40}")  # noqa: TRY301 - one line says what is wrong, whatever it is
        return [_entry(given, place) for place, given in enumerate(entries)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise BadInput(
            f"its metadata {METADATA!r} is no list of layers ({said:.100}); convert the network anew"
        ) from error


def _entry(given: dict[str, Any], place: int) -> Entry:
    output = tuple(None if axis is None else _whole(axis, LARGEST) for axis in given["output"])
    reads = tuple(_whole(index, place - 1) for index in given.get("from", ()))
    nodes = tuple(str(name) for name in given.get("nodes", (given["name"],)))
    return Entry(str(given["name"]), str(given["class"]), output, _whole(given["parameters"], LARGEST), reads, nodes)


def _whole(number: object, most: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
        raise ValueError(f"{number!r:.40} is no whole number from 0 to {most}")
    return number
