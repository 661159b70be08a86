"""Adience: 19,370 faces of Flickr albums, with five official folds; its ages are ranges, and some are slips.

Citation: Eidinger, Enbar and Hassner, "Age and Gender Estimation of Unfiltered Faces", IEEE TIFS 2014.
Official layout: ``fold_0_data.txt`` to ``fold_4_data.txt`` and ``aligned/<user>/landmark_aligned_face.<face>.<image>``,
which the published numbers are measured on, or ``faces/<user>/coarse_tilt_aligned_face.<face>.<image>``. Where both
are there ``aligned`` is taken; ``PATH/faces`` asks for the other. Gender m, f, or u and empty for unknown.

The lists have 19,487 rows. 117 of them repeat an earlier one word for word, so there are 19,370 images, and all
published counts are theirs:

- 17,424 rows have one of the eight official ages; without the repeated rows 17,321: the faces of an age test.
- 18,622 images have any age at all; 748 have ``None``.
- 17,492 images have a gender.

1,301 images have an age beside the eight: 1,099 a single year (35, 13, 22 and others), 77 ``(27, 32)``, 72
``(25, 23)``, 46 ``(38, 42)``, 6 ``(38, 48)``, 1 ``(8, 23)``. Two named rules say what becomes of them:

- ``official-eight`` (splits ``all``, ``fold-k``): their age counts as unknown. This is the published age test.
- ``every-label`` (splits ``every-label``, ``every-label-fold-k``): ``(25, 23)`` is read as ``(25, 32)``, the one range
  that begins with 25; every other range stands as it is written, and a single year is a range of one year. A range
  counts for an age group only if it lies in it: ``(27, 32)`` does, ``(38, 48)`` does not.

A repeated row counts once under both; a face with neither an age nor a gender that counts is left out (713 under the
first rule, 708 under the second). No age is exact, so there is no error in years to measure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.datasets._face import Face, Gender, samples
from bench.datasets._folder import Folder, listing, unlisted
from bench.datasets._leavings import BROKEN, Leavings
from bench.datasets._lists import table
from bench.types import Split
from converters.errors import BadInput
from zoo.fields import AGE_GROUPS

TERMS = "research only, by the form of the Open University of Israel; the photos are Creative Commons, of their authors"
CITATION = "Eidinger, Enbar and Hassner, Age and Gender Estimation of Unfiltered Faces, IEEE TIFS 2014"
SIZE = "19,370 faces"
GET = "ask through the Adience page of the Open University of Israel; unpack aligned.tar.gz beside the fold lists"

FOLDS = tuple(f"fold-{number}" for number in range(5))
SPLITS = ("all", *FOLDS, "every-label", *(f"every-label-{fold}" for fold in FOLDS))
DEFAULT_SPLIT = "all"
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "all": (
        "4740cb758734cb44dcb23719fdf290cb7d63d832787bb1e41054d7973ff8eb22",
        "fafedba7c9094e251617097bb1875b9a4412b1fcaea69c7b442ce7e944a0e0cc",
    ),
    "fold-0": (
        "51f21c10a82442d560cc6977cf5acdc342ad1c6fd72787909f62fccfe7e99cb0",
        "72c6424ba06b779f87e1304f3377413cdfdd05441253da8d77ba977ddc7f2433",
    ),
    "fold-1": (
        "63f44544ac3dd4a5aa12487f6adf2ea900124349d4ef5ab929ba29495d046c14",
        "9a2fb69dcc1955848ddacc04924fffc396eb67c5d593f153008c6489276a63df",
    ),
    "fold-2": (
        "c4d0ca598071a6f1ee71fb9e9dab29d80fdd38765ac69071f3bce94ca2fec8f6",
        "efc6f0e6173d442c5d5585af208e6305f610a86dcac38dbc2052564e8a6ed51a",
    ),
    "fold-3": (
        "690920205e852f47743781b82adf7ede635f243d92f81bc07d8fa085220df2e5",
        "d720e305187ba344becb4d4c63ce44964f3e4685142c384d5c2c8f2c45cc1648",
    ),
    "fold-4": (
        "fd4ac5a1dc3b79e6f271f29d63e69f746c42b2450f1bfb99bf92f5a02e36b461",
        "4fd59f1f0c2b1ebde6a49b0798468237ba50dd401ea3bf577be15ad4ffc26564",
    ),
    "every-label": (
        "e0b783f99170496219a2bb776c862b001508d25552e5c4f830945c25d054f48f",
        "5fa90416e347f64dd2e516beb570ddb3d8775bfff353cf5cc4b5aebb70c4ac24",
    ),
    "every-label-fold-0": (
        "4856ae1c5f63686c64a4b08a2f32b4087296cce025095533bcb55f02013664ca",
        "a187c1eb09704bbfa8270e782040c538ba70cc8013a9630e57cc349a4478880c",
    ),
    "every-label-fold-1": (
        "c7f6bc48c92771d34fed875a88ab3d0b3f41d29a47436c1e62906b858ba9d44b",
        "8ac2237eda8b367da8588286b692222d365809681c5a28cead0cacb28c4286f7",
    ),
    "every-label-fold-2": (
        "9e0e38373fbe64a9bb7cac3ffd667f69e1e9a084869e84638ad3492e366053d3",
        "817b31adcc7bfc140077ca288a2e39e9e1e9c001421f1ba6c524002091335085",
    ),
    "every-label-fold-3": (
        "9d8011c197667ff2291cbe4bdb557667b0ba1539ea240a3df0af3f2147a96d7e",
        "f5661b73194660ff54c1d67bf4d1295434f2023e4026d7f4bca383d5a9f8aebf",
    ),
    "every-label-fold-4": (
        "b6aa1448177f3c002e7e7e0a3d9e3ababff01b6cb68df5946a7d8ce52e44e2ef",
        "9ae6d54584535e49f4790cd107604be0f790c2892299d5064c172108cadf56e9",
    ),
}
"""Of the lists above, with ``aligned`` and with ``faces``."""
LAYOUTS = {"aligned": "landmark_aligned_face", "faces": "coarse_tilt_aligned_face"}

EIGHT = {(0, 2), (4, 6), (8, 12), (8, 13), (15, 20), (25, 32), (38, 43), (48, 53), (60, 100)}
GENDERS: dict[str, Gender] = {"m": "male", "f": "female", "u": None, "": None}
COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
NOT_EIGHT = "images whose age is not one of the eight official ranges, and counts as unknown"
RULES = {
    "official-eight": "rule official-eight: the eight official age ranges, every other age unknown",
    "every-label": "rule every-label: (25, 23) read as (25, 32), other ranges as written, a single year as a range",
}

Range = tuple[float, float]


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``. Raises BadInput where a list or the images' folder is missing."""
    root, layout = _layout(path)
    if not (root / layout).is_dir():
        raise BadInput(f"{root}: holds neither aligned/ nor faces/; give the folder of Adience that has one of them")
    images = listing(root / layout)
    return _read(root, layout, split, images)


def labels(path: Path, split: str) -> Split:
    """Read a split as the lists have it, whatever images are there."""
    root, layout = _layout(path)
    return _read(root, layout, split, unlisted(root / layout))


def _layout(path: Path) -> tuple[Path, str]:
    if path.name in LAYOUTS and (path.parent / "fold_0_data.txt").is_file():
        return path.parent, path.name
    return path, "faces" if (path / "faces").is_dir() and not (path / "aligned").is_dir() else "aligned"


def _read(root: Path, layout: str, split: str, images: Folder) -> Split:
    rule = "every-label" if split.startswith("every-label") else "official-eight"
    fold = re.search(r"fold-([0-4])$", split)
    leavings = Leavings()
    faces = (
        face
        for number in ([fold[1]] if fold else "01234")
        for face in _faces(root / f"fold_{number}_data.txt", number, LAYOUTS[layout], rule, leavings)
    )
    found = samples(faces, images, leavings)
    return Split(
        dataset="adience",
        split=split,
        label_rule=f"{RULES[rule]}; {layout}; repeated rows once",
        samples=found,
        notes=(*leavings.notes(), "every age is a range: no error in years is measured"),
        age_groups=AGE_GROUPS,
    )


def _faces(file: Path, fold: str, prefix: str, rule: str, leavings: Leavings) -> Iterator[Face]:
    told: set[str] = set()
    for where, row in table(file, COLUMNS, leavings, "\t"):
        known, years = age(row["age"], rule)
        if not known or row["gender"] not in GENDERS:
            leavings.drop(BROKEN, f"{where}: {row['age']!r} {row['gender']!r}")
            continue
        name = f"{row['user_id']}/{prefix}.{row['face_id']}.{row['original_image']}"
        if years is None and row["age"] != "None" and name not in told:
            leavings.drop(NOT_EIGHT, f"{where}: {row['age']}")
            told.add(name)
        subject = f"{row['user_id']}/{row['face_id']}"
        yield Face(where, name, (name,), gender=GENDERS[row["gender"]], age_range=years, subject=subject, fold=fold)


def age(text: str, rule: str) -> tuple[bool, Range | None]:
    """Whether ``text`` is an age as the lists write them, and its first and last year by ``rule``; None: unknown."""
    if text == "None":
        return True, None
    match = re.fullmatch(r"\(([0-9]{1,3}), ([0-9]{1,3})\)|([0-9]{1,3})", text)
    if match is None:
        return False, None
    first, last = (int(match[1]), int(match[2])) if match[1] else (int(match[3]), int(match[3]))
    if (first, last) in EIGHT and match[1]:
        return True, (first, last)
    if rule == "official-eight":
        return True, None
    if (first, last) == (25, 23):
        return True, (25, 32)
    return first <= last, (first, last) if first <= last else None
