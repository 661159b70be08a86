"""CLAP2016: 7,591 faces with apparent ages, from the ChaLearn challenge of 2016; the same photos as APPA-REAL.

Citation: Escalera et al., "ChaLearn Looking at People and Faces of the World: Face Analysis Workshop and Challenge
2016", CVPR Workshops 2016.
Official layout: ``train/003856.jpg``, ``valid/``, ``test/``, whole photos; the labels are those of the unified
benchmark's ``CLAP2016.json``, apparent ages in whole years, whose folders 0, 1 and 2 are the official train, validation
and test parts. There is no gender. Do not read it beside APPA-REAL as if the two were independent.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from bench.datasets import _unified
from bench.datasets._folder import Folder, listing, unlisted
from bench.types import Split

TERMS = "research only, by the terms of ChaLearn Looking at People"
CITATION = "Escalera et al., ChaLearn Looking at People and Faces of the World, CVPR Workshops 2016"
SIZE = "7,591 photos"
GET = "the 2016 age challenge of ChaLearn Looking at People; put the unified benchmark's CLAP2016.json beside train/"
FOLDERS = {"train": {0}, "validation": {1}, "test": {2}}
SPLITS = tuple(FOLDERS)
DEFAULT_SPLIT = "test"
LISTS = ("CLAP2016.json", "CLAP2016_aligned.json")


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``. Raises BadInput where CLAP2016.json is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def _read(path: Path, split: str, images: Folder) -> Split:
    name = lambda listed: "/".join(PurePosixPath(listed).parts[-2:])  # noqa: E731 - a part, and a name unique in it
    return _unified.read("clap2016", path, split, LISTS, FOLDERS[split], images, folds=False, name=name)
