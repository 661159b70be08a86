"""All-Age-Faces: 13,322 faces, most of them Asian, 2 to 80 years old; the folder is really called ``aglined faces``.

Citation: Cheng, Li, Wang, Yu and Wang, "Exploiting Effective Facial Patches for Robust Gender Recognition", Tsinghua
Science and Technology 2019.
Official layout: ``aglined faces/00001A02.jpg`` (number, age) and ``image sets/train.txt``, ``val.txt``: a name and a
gender a row, 0 female, 1 male: the other way round than in UTKFace. ``aligned faces`` is taken where someone has put
the letters right. Train has 6,637 rows, val 6,685; 7,381 of all are female and 5,941 male.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.datasets._face import Face, Gender, age_of, samples
from bench.datasets._folder import Folder, listing, unlisted
from bench.datasets._leavings import BROKEN, NO_AGE, Leavings
from bench.datasets._lists import lines
from bench.types import Split

TERMS = "research only; the photos stay their owners'"
CITATION = "Cheng et al., Exploiting Effective Facial Patches for Robust Gender Recognition, Tsinghua Sci. Tech. 2019"
SIZE = "13,322 faces"
GET = "the page of the All-Age-Faces dataset (JingchunCheng) has the links; give the folder that holds 'image sets'"
SPLITS = ("train", "val")
DEFAULT_SPLIT = "val"
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "train": ("624a041cfc492f0efc9419cbd68c96b7b7c7f1f343d339e583c855d997ed9d02",),
    "val": ("bc2fc3c8ec225c5e05e22e6398eb7a3f75d971d6b8745e38f9f6a941edb14a84",),
}
"""Of the official list."""

FOLDERS = ("aglined faces", "aligned faces")
GENDERS: dict[str, Gender] = {"0": "female", "1": "male"}


def load(path: Path, split: str) -> Split:
    """Read an official split of the folder ``path``. Raises BadInput where the list or the folder is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def _read(path: Path, split: str, images: Folder) -> Split:
    leavings = Leavings()
    found = samples(_faces(path / "image sets" / f"{split}.txt", leavings), images, leavings)
    return Split("aaf", split, "age from the file name, gender from the official list", found, leavings.notes())


def _faces(file: Path, leavings: Leavings) -> Iterator[Face]:
    for where, line in lines(file, leavings):
        name, _, gender = line.rpartition(" ")
        name = name.strip()
        if gender not in GENDERS or not name:
            leavings.drop(BROKEN, where)
            continue
        match = re.search(r"[0-9]{5}A([0-9]{2})\.", name)
        years = age_of(match[1]) if match else None
        if years is None:
            leavings.drop(NO_AGE, f"{where}: {name}")
            continue
        yield Face(where, name, tuple(f"{folder}/{name}" for folder in FOLDERS), age=years, gender=GENDERS[gender])
