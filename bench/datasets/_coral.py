"""The lists of CORAL, for AFAD, CACD and MORPH II: their column ``age`` is not an age, but counts from the youngest.

Source: Cao, Mirjalili and Raschka, "Rank consistent ordinal regression for neural networks with application to age
estimation", Pattern Recognition Letters 2020; ``<set>_train.csv``, ``<set>_valid.csv``, ``<set>_test.csv``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from bench.datasets._face import Face, age_of, samples
from bench.datasets._folder import Folder
from bench.datasets._leavings import BROKEN, NO_AGE, OLDEST, Leavings
from bench.datasets._lists import first_there, table
from bench.types import Split

SPLITS = ("train", "valid", "test")
DEFAULT_SPLIT = "test"
NOT_IN_NAME = "rows dropped: the list's age is not the one in the file's name"

Row = Callable[[str, Mapping[str, str], float], Face | None]
"""From where a row stands, its cells and its age in years to a face; None for a row that is broken."""


def read(
    dataset: str, path: Path, split: str, columns: Iterable[str], youngest: int, row: Row, folder: Folder
) -> Split:
    """Read ``<dataset>_<split>.csv`` in ``path``; ``youngest`` is the age in years that the lists call 0.

    Raises BadInput where the list is missing.
    """
    leavings = Leavings()
    file = first_there(path, f"{dataset}_{split}.csv")
    rule = f"CORAL's {file.name}, whose ages count from {youngest}, checked against the names"
    faces = _faces(file, columns, youngest, row, leavings)
    return Split(dataset, split, rule, samples(faces, folder, leavings), leavings.notes())


def _faces(file: Path, columns: Iterable[str], youngest: int, row: Row, leavings: Leavings) -> Iterator[Face]:
    for where, cells in table(file, (*columns, "age"), leavings):
        counted = age_of(cells["age"])
        years = None if counted is None else counted + youngest
        if years is None or years > OLDEST:
            leavings.drop(NO_AGE, f"{where}: {cells['age']!r}")
            continue
        face = row(where, cells, years)
        if face is None:
            leavings.drop(BROKEN, where)
        elif face.age != years:
            leavings.drop(NOT_IN_NAME, f"{where}: {face.name}")
        else:
            yield face
