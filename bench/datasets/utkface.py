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
3. Drop the names that do not begin with an age of 0 to 120 and a gender. Race and time do not matter: the three files
   of the public folder that lack the race are labelled like any other, and stay.
4. ``int(sha256(file name)[:8], 16) % 10``: 0 to 6 train, 7 validation, 8 and 9 test.

``test-ror`` and so on are the faces of these parts that the RoR networks are for: younger than 60, in twelve groups of
five years.

The photos in the wild, which the crops were cut from, lie in ``part1``, ``part2``, ``part3``, named
``age_gender_race_time.jpg``. The same rule holds for them, but that step 4 takes the name of the crop (with
``.chip.jpg``), so a face is in the same part either way; step 2 compares the photos.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from bench.types import Sample, Split
from converters.errors import BadInput

TERMS = "non-commercial research only; the images stay their owners'"
CITATION = "Zhang, Song and Qi, Age Progression/Regression by Conditional Adversarial Autoencoder, CVPR 2017"
SIZE = "23,708 faces of 200x200"
GET = "the UTKFace page (susanqq) has the links: 'aligned and cropped faces', or 'in-the-wild faces' in three parts"
PARTS = ("train", "validation", "test")
SPLITS = (*PARTS, *(f"{part}-ror" for part in PARTS))
DEFAULT_SPLIT = "test"
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "train": ("8c467babd34e01d908743fba657f6f6177d70d5a4d805f5d0c3fc73802e323ca",),
    "validation": ("df05b721130fee48ce38c2595a534c3cf36070f46c6b60add5061661e12478b4",),
    "test": ("32d786e629d5569e4c0c291177ae1b49dbb3e620cbbef26eebc741b4f6a96298",),
    "train-ror": ("cb22bdd8f68d0c24765adec7c35ebd79efb0b1a95c5b60445670422d3880eeac",),
    "validation-ror": ("4b88548b1d4797ddadb82898b9d4ffe3a0660b669beb8be7cc3afeead51060ab",),
    "test-ror": ("77ef74694c1e063e4910d9b32ae7438bfd3357d8aa28fe45aebaaa00a9c3cf0a",),
}
"""Of the public folder."""
LABEL_RULE = (
    "age and gender from the file name; byte-duplicates after the first and groups whose labels disagree dropped; "
    "int(sha256(file name)[:8], 16) % 10: 0-6 train, 7 validation, 8-9 test"
)

ROR_RULE = "the RoR selection: younger than 60, in twelve groups of five years"
ROR_GROUPS = tuple(f"{first}-{first + 4}" for first in range(0, 60, 5))
WILD_RULE = "photos in the wild, in the part of the crop of that name"
WILD = ("part1", "part2", "part3")
LINK = "files dropped: a link that leads out of the data folder"

SUFFIXES = (".jpg", ".jpeg", ".png")
NAME = re.compile(r"([0-9]{1,3})_([01])_")
RACE = re.compile(r"[0-9]{1,3}_[01]_([0-4])_[0-9]{10,}")
RACES = ("White", "Black", "Asian", "Indian", "Others")
OLDEST = 120
YOUNGER_THAN = 60
"""years: the RoR networks have no group for older ones"""

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
    chosen, _, ror = split.partition("-")
    images, leaving, wild = _images(path)
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
        (leaving, LINK),
    )
    found = (
        Sample(str(f.relative_to(path)) if wild else f.name, f, age, gender, ethnicity=ethnicity(f.name))
        for f, (age, gender) in labelled
        if part(f"{f.name}.chip.jpg" if wild else f.name) == chosen and not (ror and age >= YOUNGER_THAN)
    )
    rules = (LABEL_RULE, *([WILD_RULE] if wild else ()), *([ROR_RULE] if ror else ()))
    return Split(
        dataset="utkface",
        split=split,
        label_rule="; ".join(rules),
        samples=tuple(found),
        notes=tuple(f"{count} {what}" for count, what in counts if count),
        age_groups=ROR_GROUPS if ror else (),
    )


def ethnicity(name: str) -> str | None:
    """Return UTKFace's word for the race that ``name`` claims; None where it claims none of the five."""
    match = RACE.match(name)
    return RACES[int(match[1])] if match else None


def _images(folder: Path) -> tuple[list[Path], int, bool]:
    """Return the images in name order, how many links lead out and were left, and whether they are in the wild."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; give the UTKFace folder of age_gender_race_time.jpg.chip.jpg files")
    wild = False
    entries = _entries(folder)
    if not entries:
        wild = True
        entries = [entry for name in WILD if _is_part(folder, name) for entry in _entries(folder / name)]
    if not entries:
        raise BadInput(f"{folder}: holds no {', '.join(SUFFIXES)} file; looked for age_gender_race_time.jpg.chip.jpg")
    root = folder.resolve()
    inside = [e for e in entries if not e.is_symlink() or Path(e.path).resolve().is_relative_to(root)]
    images = sorted((Path(entry.path) for entry in inside), key=lambda file: (file.name, file.parent.name))
    return images, len(entries) - len(inside), wild


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if entry.name.lower().endswith(SUFFIXES) and entry.is_file()]


def _is_part(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() and not (folder / name).is_symlink()


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
