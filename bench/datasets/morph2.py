"""MORPH II: some 55,000 police photos, 16 to 77 years old; 8,500 of the test list's 11,044 are labelled Black.

Citation: Ricanek and Tesafaye, "MORPH: A Longitudinal Image Database of Normal Adult Age-Progression", FG 2006.
Official layout: ``Album2/273546_01M22.JPG``: person, number of the photo, sex, age. There is no official split; CORAL's
lists are the published ones: ``morph2_test.csv`` has 11,044 faces, its ages count from 16, ``Male`` is 1 or -1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bench.datasets import _coral
from bench.datasets._face import Face, Gender, age_of
from bench.datasets._folder import Folder, listing, unlisted
from bench.types import Split

TERMS = "by licence of the University of North Carolina Wilmington only; not to be passed on"
CITATION = "Ricanek and Tesafaye, MORPH: A Longitudinal Image Database of Normal Adult Age-Progression, FG 2006"
SIZE = "some 55,000 photos (CORAL's test 11,044)"
GET = "by licence from the Face Aging Group, UNC Wilmington; put CORAL's morph2_*.csv beside Album2/"
SPLITS = _coral.SPLITS
DEFAULT_SPLIT = _coral.DEFAULT_SPLIT
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "test": ("4acc212168b7300ba931b0e15cedfd6e4489921a0e045724263b9cea1dc63894",),
}
"""Of the official list."""
YOUNGEST = 16
GENDERS: dict[tuple[str, str], Gender] = {("M", "1"): "male", ("F", "-1"): "female"}


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``. Raises BadInput where its list is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def _read(path: Path, split: str, images: Folder) -> Split:
    return _coral.read("morph2", path, split, ("", "id_num", "race", "Male"), YOUNGEST, _face, images)


def _face(where: str, cells: Mapping[str, str], years: float) -> Face | None:
    name = cells[""]
    match = re.fullmatch(r"(?:.*/)?([0-9]+)_[0-9]+([MF])([0-9]{2})\.jpg", name, re.IGNORECASE)
    if match is None or (match[2], cells["Male"]) not in GENDERS:
        return None
    upper = f"{name[:-4]}.JPG"
    candidates = (f"Album2/{upper}", f"Album2/{name}", upper, name)
    gender = GENDERS[match[2], cells["Male"]]
    subject, race = cells["id_num"] or None, cells["race"] or None
    return Face(where, name, candidates, age=age_of(match[3]), gender=gender, subject=subject, ethnicity=race)
