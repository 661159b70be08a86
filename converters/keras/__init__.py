"""Keras networks as ONNX, read straight from the file: no TensorFlow, no Keras.

Everything is NCHW: an input that Keras has as (64, 64, 3) is (N, 3, 64, 64), and so are outputs with channels. Code in
a file (Lambda layers, classes of one's own) is never run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    from converters.keras.files import Source
    from converters.keras.graph import Graph


@dataclass(frozen=True, eq=False)
class Network:
    """A network as read: its file, and its layers with their tensors. ``seeded``: the weights are made up."""

    source: Source
    graph: Graph

    @property
    def seeded(self) -> bool:
        """Whether the file had no weights, so that they are made up."""
        return self.source.form == "json"


def read(model: Path) -> Network:
    """Read a whole model: HDF5 of Keras 1 to 3, ``.keras``, or an architecture alone (``.json``, weights made up).

    Raises BadInput for a file that is not whole, Unsupported for a form or a kind of model that is not known.
    """
    from converters.keras.assign import assign
    from converters.keras.files import read_source
    from converters.keras.graph import read_graph

    source = read_source(model)
    graph = read_graph(model, source.config)
    assign(source, graph)
    return Network(source, graph)


def convert(model: Path, *, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Convert a model file; see `read` for the formats.

    Inputs and outputs have Keras's names and are float32, NCHW, with a batch dimension ``N``. ``metadata`` goes into
    the model beside what the converter says of itself: its version, the road (``direct``), the layout, name and sha256
    of the source. The same inputs give the same bytes (`converters.onnx_file.to_bytes`).

    Raises Unsupported for a layer or feature that is not known, BadInput for a file that is not whole, or has a tensor
    that no layer uses.
    """
    return convert_network(read(model), metadata=metadata)


def convert_network(network: Network, *, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Convert a network that has just been read; see `convert`."""
    from converters.keras.assemble import assemble

    return assemble(network, metadata or {})
