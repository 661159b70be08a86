"""AgeDB: 16,488 photos of 567 celebrities, gathered by hand; nobody is in two folders of its splits.

Citation: Moschoglou, Papaioannou, Sagonas, Deng, Kotsia and Zafeiriou, "AgeDB: The First Manually Collected,
In-the-Wild Age Database", CVPR Workshops 2017.
Official layout: ``AgeDB/12083_ElsaMartinelli_74_f.jpg``: number, person, age, sex. There is no official split; those
of the unified benchmark (``AgeDB.json``) are ten imaginary folders, and five splits of them:

=====  ================  ==========  ====
split  train             validation  test
=====  ================  ==========  ====
0      0 1 2 3 4 5       6 7         8 9
1      2 3 4 5 6 7       8 9         0 1
2      4 5 6 7 8 9       0 1         2 3
3      5 6 7 8 9 0       1 2         3 4
4      6 7 8 9 0 1       2 3         4 5
=====  ================  ==========  ====
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.datasets import _unified
from bench.datasets._folder import Folder, listing, unlisted
from bench.types import Split

TERMS = "non-commercial research only, by an agreement with Imperial College London; not to be passed on"
CITATION = "Moschoglou et al., AgeDB: The First Manually Collected, In-the-Wild Age Database, CVPR Workshops 2017"
SIZE = "16,488 photos of 567 people"
GET = "ask the authors (iBUG, Imperial College London); put the unified benchmark's AgeDB.json beside it"
STARTS = (0, 2, 4, 5, 6)
FOLDERS: dict[str, frozenset[int]] = {"all": frozenset(range(10))} | {
    f"{part}-{number}": frozenset((start + place) % 10 for place in places)
    for number, start in enumerate(STARTS)
    for part, places in {"test": range(8, 10), "validation": range(6, 8), "train": range(6)}.items()
}
SPLITS = tuple(FOLDERS)
DEFAULT_SPLIT = "test-0"
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "all": ("aa76f4f0d92af9791213a171d29b5bdd9b5fe1907a7e67e5b5fb979629105976",),
    "test-0": ("83e67db2299a78a622e2251521404c9262f446d0f98dea318d38059fe551983e",),
    "validation-0": ("20453a1873414891895b44fa72ba106580797ff0707d323798be4898750c0480",),
    "train-0": ("8df9055cb594dcae4b578326922a376d4de9149141dd127070e3aa51e6bfbbd3",),
    "test-1": ("d2b521bc2aaec3897aec50c9b0f69787e25858c16550ae650925b5e706b01e5c",),
    "validation-1": ("83e67db2299a78a622e2251521404c9262f446d0f98dea318d38059fe551983e",),
    "train-1": ("ac2bcbc45622f14ed39b36c9fe5bb6f8ce65a55693a874e16d63eb940e159486",),
    "test-2": ("9d6ec455ef4e2441609100c3d1279c723c515d59f2f737b8590ccacfe8643161",),
    "validation-2": ("d2b521bc2aaec3897aec50c9b0f69787e25858c16550ae650925b5e706b01e5c",),
    "train-2": ("754556cd7b723d6b427bc8baf4f7dbf310b0b0fb202ec0856b060fa2842aa540",),
    "test-3": ("2ffafb4b8defa259dee44f4e3be224cea584464e75f9e2ec7fcf0bf5483b24b1",),
    "validation-3": ("83c7ed1de76892ffbabaac3c213b05da5ef985404b70c22ad8ad6d93300c187e",),
    "train-3": ("c88eac8e41dd045e4245b824000fab7652ee1868e5ba93e8a3535d79ae0068da",),
    "test-4": ("f726d7f8e591d4feb61ee09ca4256c934aaf976be84d80ffa3e215aaec98c5dd",),
    "validation-4": ("9d6ec455ef4e2441609100c3d1279c723c515d59f2f737b8590ccacfe8643161",),
    "train-4": ("4fbb64483a39d441b68e1d49551fce384f3df8a3e221c00e261d310f8e62dae5",),
}
"""Of the official list."""
LISTS = ("AgeDB.json", "AgeDB_aligned.json")


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``. Raises BadInput where AgeDB.json is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def _read(path: Path, split: str, images: Folder) -> Split:
    return _unified.read("agedb", path, split, LISTS, FOLDERS[split], images, folds=True)
