"""What the source framework itself answered: eight inputs, or two, its outputs, and a summary of every blob on the way.

One ``.npz`` a network. The inputs are inside, as whole numbers: nothing depends on a picture decoder. This module runs
under Python 3.9 too, since ``make_caffe`` needs one as old as Caffe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadInput

FOLDER = Path(__file__).parent
Arrays = dict[str, NDArray[Any]]
ONE = np.float32(1)
SUMMARY = ("mean", "std", "min", "max", "l2", *(f"sample {i} of 8" for i in range(8)))
"""What the columns of a blob's summary are; the samples are evenly spread over the flat blob, both ends included."""


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs as the network takes them (float32, N of each), outputs (float32), and summaries of blobs (N, 13).

    ``meta`` says what made it (``framework``), from which files (``sha256``), and how the inputs came about. ``found``
    holds the outputs of a detector: (1, 1, K, 7), a row for each thing that it sees in any of the inputs, the first
    column being which one of them, in rising order.
    """

    name: str
    inputs: Arrays
    outputs: Arrays
    blobs: Arrays
    meta: dict[str, Any]
    found: Arrays = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The framework that answered, and its version."""
        return str(self.meta["framework"])

    def cycle(self, batch: int) -> tuple[Arrays, Arrays]:
        """Return inputs and outputs for a batch of any size: the stored ones over and over, in order."""
        return (
            {name: np.resize(array, (batch, *array.shape[1:])) for name, array in self.inputs.items()},
            {name: np.resize(array, (batch, *array.shape[1:])) for name, array in self.outputs.items()}
            | {name: _rows(array, batch, len(next(iter(self.inputs.values())))) for name, array in self.found.items()},
        )


def load(name: str) -> Golden:
    """Read the golden file of a network. Raises BadInput when there is none, with the names there are."""
    path = FOLDER / f"{name}.npz"
    names = sorted(file.stem for file in FOLDER.glob("*.npz"))
    if name not in names:
        raise BadInput(f"{path}: no golden outputs of {name!r}; there are those of: {', '.join(names)}")
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    pixels = _named(arrays, "input")
    offsets = _named(arrays, "offset")
    scales = _named(arrays, "scale")
    return Golden(
        name=name,
        inputs={key: (pixels[key].astype(np.float32) - offsets[key]) * scales.get(key, ONE) for key in pixels},
        outputs=_named(arrays, "output"),
        blobs=_named(arrays, "blob"),
        meta=json.loads(str(arrays["meta"])),
        found=_named(arrays, "found"),
    )


def summary(blob: NDArray[Any]) -> NDArray[np.float32]:
    """Return the columns of `SUMMARY` for each sample of a blob (N, ..): float32 (N, 13), worked out in float64."""
    flat = np.asarray(blob, dtype=np.float64).reshape(len(blob), -1)
    measures = (flat.mean(1), flat.std(1), flat.min(1), flat.max(1), np.sqrt((flat**2).sum(1)))
    samples = flat[:, np.linspace(0, flat.shape[1] - 1, 8).astype(int)]
    return np.concatenate([np.stack(measures, axis=1), samples], axis=1).astype(np.float32)


def _rows(array: NDArray[Any], batch: int, inputs: int) -> NDArray[Any]:
    """Return the rows (1, 1, K, 7) that a batch of the ``inputs`` over and over gives."""
    parts = []
    for index in range(batch):
        part = array[:, :, array[0, 0, :, 0] == index % inputs]
        part[..., 0] = index
        parts.append(part)
    return np.concatenate(parts, axis=2)


def _named(arrays: Arrays, kind: str) -> Arrays:
    prefix = f"{kind}:"
    return {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}
