"""Features of faces instead of faces: what a recognition network says of each, at one or more taps inside it.

For whoever has the original lean networks' features, taken from a ResNet-100 in the ArcFace layout at ``add_98``,
``stage3_unit15_conv1`` and ``stage4_unit1_conv1``, which are not public; and for features of one's own. A network that
wants an image cannot be fed from them; ``bench.features`` feeds one that wants features.

Layout: a folder with one file a tap, named after it, with the N faces in the same order in all of them:

- ``<tap>.h5`` or ``<tap>.hdf5``: a data set ``features`` (N, ..), and perhaps ``age``, ``gender`` and ``name`` (N,);
- ``<tap>.npy``: an array (N, ..);
- ``<tap>.csv``: a header, and a row a face; the columns ``age``, ``gender`` and ``name``, where there are any, are its
  labels, all others its features, in their order.

``labels.csv`` has the labels otherwise: ``age`` and/or ``gender``, and perhaps ``name``, in the order of the faces.
Ages are years from 0 to 120, genders male, female, m or f; an empty cell, or an age that is not a number in HDF5, is
unknown. Features of more than one axis are laid flat, in C order. Labels that two files have must be the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from bench.datasets._tables import LABELS, READERS, Table, Words, is_age
from bench.datasets.csv import GENDERS
from bench.types import Sample, Split
from converters.errors import BadInput

TERMS = "those of whoever made the features"
CITATION = "that of whoever made the features"
SIZE = "as many as you have"
GET = "run a recognition network and write down what it says; give features=FOLDER"
SPLITS = ("all",)
DEFAULT_SPLIT = "all"


def load(path: Path, split: str) -> Split:
    """Read the folder ``path``. Raises BadInput for a folder, file, shape or label that is not as described above."""
    tables = [READERS[file.suffix](file) for file in _files(path)]
    taps = [table for table in tables if table.features is not None]
    if not taps:
        raise BadInput(f"{path}: holds no features; give a folder with <tap>.h5, <tap>.npy or <tap>.csv")
    for table in tables:
        if table.faces != taps[0].faces:
            other = f"{taps[0].file.name} has {taps[0].faces}"
            raise BadInput(
                f"{table.file}: has {table.faces} faces, {other}; every file must have the same, in one order"
            )
    labels = _labels(tables)
    if not {"age", "gender"} & set(labels):
        raise BadInput(f"{path}: no labels; give a labels.csv with the columns age and/or gender, a row a face")
    columns = [labels.get(kind, ("",) * taps[0].faces) for kind in LABELS]
    samples = (
        Sample(
            name=name or f"row {row}",
            path=taps[0].file,
            age=float(age) if age else None,
            gender=GENDERS[gender.lower()],
            features={table.file.stem: table.features[row] for table in taps if table.features is not None},
        )
        for row, (name, age, gender) in enumerate(zip(*columns, strict=True))
    )
    return Split("features", split, "age and gender as the files beside the features give them", tuple(samples))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        raise BadInput(f"{path}: no such folder; give one with <tap>.h5, <tap>.npy or <tap>.csv")
    files = sorted(file for file in path.iterdir() if file.suffix in READERS and not file.name.startswith("."))
    for first, second in itertools.pairwise(files):
        if first.stem == second.stem:
            raise BadInput(f"{path}: {first.name} and {second.name} are two files of one tap; keep one of them")
    return files


def _labels(tables: Sequence[Table]) -> dict[str, Words]:
    """Return each label once. Raises BadInput where two files do not agree."""
    found: dict[str, tuple[Path, Words]] = {}
    for table in tables:
        for kind, words in table.labels.items():
            file, known = found.setdefault(kind, (table.file, words))
            row = next((row for row, pair in enumerate(zip(known, words, strict=True)) if not _same(*pair)), None)
            if row is not None:
                values = f"{known[row]!r} in {file.name}, {words[row]!r} in {table.file.name}"
                raise BadInput(f"{table.file.parent}: the {kind} of face {row} (from 0) is {values}; must be the same")
    return {kind: words for kind, (_, words) in found.items()}


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    if is_age(one) and is_age(other):
        return float(one) == float(other)
    return GENDERS.get(one.lower(), one) == GENDERS.get(other.lower(), other)
