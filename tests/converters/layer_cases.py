"""The cases of all layer families as networks of one layer. Runs under Python 3.9 too, for ``make_layers``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from converters.caffe import kind
from converters.caffe.kind import Shape, kinds

LAYERS = Path(kind.__file__).parent / "layers"
Shapes = tuple[Shape, ...]


class Case(NamedTuple):
    """One layer. ``number`` counts the cases of the family; ``positive`` are the weights that are never negative.

    ``judge`` and ``gaps`` are what the family says (converters/caffe/layers).
    """

    family: str
    number: int
    type: str
    text: str
    bottoms: Shapes
    tops: int
    positive: tuple[int, ...]
    judge: str
    gaps: tuple[tuple[str, str, str, str], ...]

    def __str__(self) -> str:
        return f"{self.type} {' '.join(map(str, self.bottoms))} {self.text}"

    @property
    def inputs(self) -> dict[str, Shape]:
        """The bottoms by name: ``data``, ``data_2`` and so on."""
        return dict(zip(names("data", len(self.bottoms)), self.bottoms))  # noqa: B905 - not in Python 3.9

    @property
    def outputs(self) -> list[str]:
        """The tops: ``top``, ``top_2`` and so on."""
        return names("top", self.tops)

    @property
    def network(self) -> str:
        """The text of a network of this layer alone, which is called ``top``."""
        return one_layer(self.type, self.text, self.bottoms, self.tops)


def names(first: str, count: int) -> list[str]:
    """Return ``first``, ``first_2`` and so on."""
    return [first, *(f"{first}_{i}" for i in range(2, count + 1))][:count]


def cases() -> Iterator[Case]:
    """Yield all cases, family by family."""
    for path in sorted(LAYERS.glob("[!_]*.py")):
        module = importlib.import_module(f"converters.caffe.layers.{path.stem}")
        if not module.CASES:
            continue
        (kind,) = {kind.name: kind for kind in kinds().values() if kind.convert.__module__ == module.__name__}.values()
        for number, (text, bottoms, *tops) in enumerate(module.CASES):
            shapes = several(bottoms)
            words = (getattr(module, "JUDGE", "Caffe"), getattr(module, "GAPS", ()))
            yield Case(path.stem, number, kind.name, text, shapes, tops[0] if tops else 1, kind.positive, *words)


def several(bottoms: Shape | Shapes) -> Shapes:
    """Return the shapes of all bottoms; one bottom may be written without a tuple around it."""
    return bottoms if isinstance(bottoms[0], tuple) else (bottoms,)


def network(layers: str, bottoms: Shape | Shapes) -> str:
    """Return the text of a network with the inputs ``data``, ``data_2`` and so on."""
    shapes = several(bottoms)
    lines = [
        f'input: "{name}"\ninput_shape {{ {" ".join(f"dim: {n}" for n in shape)} }}'
        for name, shape in zip(names("data", len(shapes)), shapes)  # noqa: B905 - not in Python 3.9
    ]
    return "\n".join(('name: "tiny"', *lines, layers, ""))


def one_layer(type_name: str, text: str, bottoms: Shape | Shapes, tops: int = 1) -> str:
    """Return the text of a network of one layer, from ``data`` to ``top``."""
    blobs = [f'  bottom: "{name}"' for name in names("data", len(several(bottoms)))]
    blobs += [f'  top: "{name}"' for name in names("top", tops)]
    lines = ('  name: "top"', f'  type: "{type_name}"', *blobs, f"  {text}")
    return network("\n".join(("layer {", *lines, "}")), bottoms)
