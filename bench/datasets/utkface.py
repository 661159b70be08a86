"""UTKFace: 23,708 faces aligned and cropped to 200x200, age and sex in the file name; it has no official split.

Citation: Zhang, Song and Qi, "Age Progression/Regression by Conditional Adversarial Autoencoder", CVPR 2017.
Terms: non-commercial research only; the images stay their owners'.
Official layout: one folder of ``age_gender_race_time.jpg.chip.jpg``; gender 0 = male, 1 = female.

Some 850 files are byte-copies of another one, and in more than half of these the copies claim different ages or sexes.
The split is made here, in this order, so that anyone can make it again from the files alone:

1. Take the image files (``.jpg``, ``.jpeg``, ``.png``, in any case) of the folder itself in name order (code points).
2. Of byte-identical files keep the first; keep none where two of the group's names claim different ages or genders.
   A name that does not parse claims nothing, so it disagrees with nobody; but it counts as a file, and where it is the
   first of its group step 3 drops the group with it.
3. Drop the names that do not begin with an age of 0 to 120 and a gender. Race and time are not read: the three files
   of the public folder that lack the race are labelled like any other, and stay.
4. ``int(sha256(file name)[:8], 16) % 10``: 0 to 6 train, 7 validation, 8 and 9 test.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from bench.types import Sample, Split
from converters.errors import BadInput

TERMS = "non-commercial research only; the images stay their owners'"
SPLITS = ("train", "validation", "test")
DEFAULT_SPLIT = "test"
LABEL_RULE = (
    "age and gender from the file name; byte-duplicates after the first and groups whose labels disagree dropped; "
    "int(sha256(file name)[:8], 16) % 10: 0-6 train, 7 validation, 8-9 test"
)

SUFFIXES = (".jpg", ".jpeg", ".png")
NAME = re.compile(r"([0-9]{1,3})_([01])_")
OLDEST = 120

Label = tuple[int, Literal["male", "female"]]


def label(name: str) -> Label | None:
    """Age in years and gender as ``name`` claims them; ``None`` if it does not parse."""
    match = NAME.match(name)
    if match is None or int(match[1]) > OLDEST:
        return None
    return int(match[1]), "male" if match[2] == "0" else "female"


def part(name: str) -> str:
    """Name the split that a file name falls into."""
    bucket = int(hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8], 16) % 10
    return "train" if bucket < 7 else "validation" if bucket == 7 else "test"


def load(path: Path, split: str) -> Split:
    """Read the folder ``path``. A missing folder, or one without images, is ``BadInput``."""
    images = _images(path)
    copies: set[Path] = set()
    disputed: set[Path] = set()
    for group in _duplicates(images):
        if len({claim for file in group if (claim := label(file.name))}) > 1:
            disputed.update(group)
        else:
            copies.update(group[1:])
    kept = [file for file in images if file not in copies and file not in disputed]
    labelled = [(file, claim) for file in kept if (claim := label(file.name))]
    counts = (
        (len(copies), "byte-duplicates dropped"),
        (len(disputed), "files dropped whose byte-duplicates carry other labels"),
        (len(kept) - len(labelled), "files dropped whose names do not parse"),
    )
    return Split(
        dataset="utkface",
        split=split,
        label_rule=LABEL_RULE,
        samples=tuple(Sample(f.name, f, age, gender) for f, (age, gender) in labelled if part(f.name) == split),
        notes=tuple(f"{count} {what}" for count, what in counts if count),
    )


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; give the UTKFace folder of age_gender_race_time.jpg.chip.jpg files")
    images = [
        Path(entry.path) for entry in os.scandir(folder) if entry.name.lower().endswith(SUFFIXES) and entry.is_file()
    ]
    if not images:
        raise BadInput(f"{folder}: holds no {', '.join(SUFFIXES)} file; looked for age_gender_race_time.jpg.chip.jpg")
    return sorted(images, key=lambda file: file.name)


def _duplicates(files: Iterable[Path]) -> list[list[Path]]:
    """Group byte-identical files, two or more, each group in the given order; only files of equal size are read."""
    by_size: defaultdict[int, list[Path]] = defaultdict(list)
    for file in files:
        by_size[file.stat().st_size].append(file)
    by_content: defaultdict[tuple[int, bytes], list[Path]] = defaultdict(list)
    for size, group in by_size.items():
        if len(group) > 1:
            for file in group:
                by_content[size, hashlib.sha256(file.read_bytes()).digest()].append(file)
    return [group for group in by_content.values() if len(group) > 1]
