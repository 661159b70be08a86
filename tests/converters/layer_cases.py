"""The cases of all layer families as networks of one layer. Runs under Python 3.9 too, for ``make_layers``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from converters.caffe import emit
from converters.caffe.emit import Shape, kinds

LAYERS = Path(emit.__file__).parent / "layers"


def cases() -> Iterator[tuple[str, str, str, Shape]]:
    """Yield module name, layer type, parameter text and bottom shape of each case."""
    for path in sorted(LAYERS.glob("[!_]*.py")):
        module = importlib.import_module(f"converters.caffe.layers.{path.stem}")
        (type_name,) = (name for name, kind in kinds().items() if kind.convert.__module__ == module.__name__)
        for text, bottom in module.CASES:
            yield path.stem, type_name, text, bottom


def network(layers: str, bottom: Shape) -> str:
    """Return the text of a network with the input ``data``."""
    return f'name: "tiny"\ninput: "data"\ninput_shape {{ {" ".join(f"dim: {n}" for n in bottom)} }}\n{layers}\n'


def one_layer(type_name: str, text: str, bottom: Shape) -> str:
    """Return the text of a network of one layer, from ``data`` to ``top``."""
    lines = ('  name: "top"', f'  type: "{type_name}"', '  bottom: "data"', '  top: "top"', f"  {text}")
    return network("\n".join(("layer {", *lines, "}")), bottom)
