"""AFAD: 164,432 faces of Asian users of a social network, 15 to 72 years old; age and gender in the folders' names.

Citation: Niu, Zhou, Wang, Gao and Hua, "Ordinal Regression with Multiple Output CNN for Age Estimation", CVPR 2016.
Official layout: ``AFAD-Full/39/112/406208-0.jpg``: age, 111 male or 112 female. There is no official split; CORAL's
lists are the published ones: ``afad_test.csv`` (file, path, age, gender) has 32,762 faces, its ages count from 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.datasets import _coral
from bench.datasets._face import Face, Gender, age_of
from bench.datasets._folder import Folder, listing, unlisted
from bench.types import Split

TERMS = "research only; the photos stay their owners'"
CITATION = "Niu et al., Ordinal Regression with Multiple Output CNN for Age Estimation, CVPR 2016"
SIZE = "164,432 faces (CORAL's test 32,762)"
GET = "the AFAD page (afad-dataset) has the archive in parts; put CORAL's afad_*.csv beside AFAD-Full/"
SPLITS = _coral.SPLITS
DEFAULT_SPLIT = _coral.DEFAULT_SPLIT
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "test": ("dc8bc605c1f58f6b3e3cf03afced3d2f9d21ff2d37fc833bdabe0abdc9145ea7",),
}
"""Of the official list."""
YOUNGEST = 15
GENDERS: dict[tuple[str, str], Gender] = {("111", "male"): "male", ("112", "female"): "female"}


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``. Raises BadInput where its list is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def _read(path: Path, split: str, images: Folder) -> Split:
    return _coral.read("afad", path, split, ("path", "gender"), YOUNGEST, _face, images)


def _face(where: str, cells: Mapping[str, str], years: float) -> Face | None:
    name = cells["path"]
    parts = name.split("/")[-3:]
    if len(parts) < 3 or (parts[1], cells["gender"]) not in GENDERS:
        return None
    gender = GENDERS[parts[1], cells["gender"]]
    return Face(where, name, (f"AFAD-Full/{name}", name), age=age_of(parts[0]), gender=gender)
