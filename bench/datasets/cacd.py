"""CACD: 163,446 photos of 2,000 celebrities from 2004 to 2013, found by name and year: the labels are noisy.

Citation: Chen, Chen and Hsu, "Cross-Age Reference Coding for Age-Invariant Face Recognition and Retrieval", ECCV 2014.
Official layout: ``CACD2000/54_Bill_Pullman_0006.jpg``: age and person, whose name may have accents. There is no gender.
There is no official split for ages; CORAL's lists are the published ones: ``cacd_test.csv`` (file, age) has 31,890
faces, its ages count from 14.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bench.datasets import _coral
from bench.datasets._face import Face, age_of
from bench.datasets._folder import Folder, listing, unlisted
from bench.types import Split

TERMS = "research only; the photos stay their owners'"
CITATION = "Chen, Chen and Hsu, Cross-Age Reference Coding for Age-Invariant Face Recognition, ECCV 2014"
SIZE = "163,446 photos (CORAL's test 31,890)"
GET = "the CACD page (bcsiriuschen) has CACD2000.tar.gz; put CORAL's cacd_*.csv beside CACD2000/"
SPLITS = _coral.SPLITS
DEFAULT_SPLIT = _coral.DEFAULT_SPLIT
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "test": ("2d0bad9b694a9bb2498056794b2951d81e2f0d69751e44c5b7c1376fc64886b5",),
}
"""Of the official list."""
YOUNGEST = 14


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``. Raises BadInput where its list is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def _read(path: Path, split: str, images: Folder) -> Split:
    return _coral.read("cacd", path, split, ("file",), YOUNGEST, _face, images)


def _face(where: str, cells: Mapping[str, str], years: float) -> Face | None:
    name = cells["file"]
    match = re.fullmatch(r"(?:.*/)?([0-9]{1,3})_(.+)_[0-9]+\.jpg", name)
    if match is None:
        return None
    return Face(where, name, (f"CACD2000/{name}", name), age=age_of(match[1]), subject=match[2].replace("_", " "))
