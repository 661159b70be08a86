"""FairFace: 97,698 faces balanced over seven ethnicities; its nine age groups are ranges, and are never interpolated.

Citation: Kärkkäinen and Joo, "FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age", WACV 2021.
Official layout: ``fairface_label_val.csv``, ``fairface_label_train.csv`` (file, age, gender, race, service_test) and
``val/1.jpg``, ``train/1.jpg``; the lists may have ``fairface/`` before that. Val has 10,954 faces, train 86,744.

A face of the range 10-19 has no exact age, so there is no error in years. Only three of FairFace's groups lie in one of
the eight groups of the published age tables: 0-2 in 0-2, 60-69 and ``more than 70`` in 60-; 3-9, 10-19, 20-29, 30-39,
40-49 and 50-59 each lie across several, and count for none of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.datasets._face import Face, Gender, below, is_inside, samples
from bench.datasets._folder import Folder, listing, unlisted
from bench.datasets._leavings import BROKEN, Leavings
from bench.datasets._lists import table
from bench.types import Split

TERMS = "CC BY 4.0; the photos stay their owners'"
CITATION = "Kärkkäinen and Joo, FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age, WACV 2021"
SIZE = "97,698 faces (val 10,954), with a margin of 0.25 or of 1.25"
GET = "the FairFace page (joojs/fairface) has the links; unpack the images beside the two label files"
SPLITS = ("train", "val")
DEFAULT_SPLIT = "val"
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "val": ("e9f4c29322305dd232a0978de91c3858ac81180036005d6c4c538bc7571c3fee",),
}
"""Of the official list."""

AGES = {
    "0-2": (0, 2), "3-9": (3, 9), "10-19": (10, 19), "20-29": (20, 29), "30-39": (30, 39), "40-49": (40, 49),
    "50-59": (50, 59), "60-69": (60, 69), "more than 70": (70, math.inf),
}  # fmt: skip
AGE_GROUPS = (*tuple(AGES)[:-1], "70-")
GENDERS: dict[str, Gender] = {"Male": "male", "Female": "female"}
COLUMNS = ("file", "age", "gender", "race")


def load(path: Path, split: str) -> Split:
    """Read an official split of the folder ``path``. Raises BadInput where its label file is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def _read(path: Path, split: str, images: Folder) -> Split:
    leavings = Leavings()
    found = samples(_faces(path / f"fairface_label_{split}.csv", split, leavings), images, leavings)
    return Split(
        dataset="fairface",
        split=split,
        label_rule="FairFace's nine age groups as ranges, never interpolated; gender and race as listed",
        samples=found,
        notes=(*leavings.notes(), "every age is a range: no error in years is measured"),
        age_groups=AGE_GROUPS,
    )


def _faces(file: Path, split: str, leavings: Leavings) -> Iterator[Face]:
    for where, row in table(file, COLUMNS, leavings):
        if row["age"] not in AGES or row["gender"] not in GENDERS:
            leavings.drop(BROKEN, f"{where}: {row['age']!r} {row['gender']!r}")
            continue
        listed = row["file"]
        name = listed.removeprefix("fairface/")
        if not name.startswith(f"{split}/"):
            name = f"{split}/{name}"
        years, gender = AGES[row["age"]], GENDERS[row["gender"]]
        candidates = (name, *below(listed)[:-1]) if is_inside(listed) else (listed,)
        yield Face(where, name, candidates, gender=gender, age_range=years, ethnicity=row["race"] or None)
