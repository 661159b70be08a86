"""IMDB-WIKI: 523,051 faces of celebrities, labels from the web, made to be filtered before use.

Citation: Rothe, Timofte and Van Gool, "Deep Expectation of Real and Apparent Age from a Single Image", IJCV 2018.
Official layout: ``wiki_crop/wiki.mat`` and ``wiki_crop/17/10000217_1981-05-05_2009.jpg``; ``imdb_crop/imdb.mat``
likewise. Or the folder that holds ``wiki.mat`` (``imdb.mat``) itself. Gender 0 female, 1 male, NaN unknown: the other
way round than in UTKFace.

There is no official split. ``test`` is Wikipedia's part, ``train`` that of IMDB; these rules make them, in this order:

- ``face-score-1``: ``face_score`` (how sure the authors' detector was) is 1 or more; it is minus infinity where no face
  was found.
- ``one-face``: ``second_face_score`` is NaN: no second face in the photo.
- ``age-0-100``: the age is from 0 to 100.
- ``gender-known``.

The age is that of the authors' own formula, which takes the photo for made on the first of July:
``datevec(datenum(photo_taken, 7, 1) - dob)``, the year of that date, in the calendar that has a year 0. For 63 of
WIKI's 62,328 faces, born at the end of June, this is a year less than the calendar says.

Of WIKI's 62,328 faces 19,335 fail the first rule, 4,070 more the second, 49 the third, 736 the last: 38,138 are left.
``test-unfiltered`` and ``train-unfiltered`` keep every face with an age from 0 to 120, or a gender.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets._face import Face, Gender, samples
from bench.datasets._folder import Folder, listing, unlisted
from bench.datasets._leavings import BROKEN, NO_AGE, OLDEST, Leavings
from bench.datasets._lists import first_there
from bench.types import Split
from converters.errors import BadInput

TERMS = "non-commercial research only; the photos stay their owners'"
CITATION = "Rothe, Timofte and Van Gool, Deep Expectation of Real and Apparent Age from a Single Image, IJCV 2018"
SIZE = "WIKI 62,328 faces, IMDB 460,723"
GET = "the IMDB-WIKI page of the Computer Vision Lab, ETH Zurich: wiki_crop and imdb_crop, unpacked side by side"
PARTS = {"test": "wiki", "train": "imdb"}
SPLITS = ("test", "test-unfiltered", "train", "train-unfiltered")
DEFAULT_SPLIT = "test"
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "test": ("8c6c1ed66fe9da3cb16ccc881295e70cc267b610cd5a5b9daa09e30ba26f4da7",),
    "test-unfiltered": ("08b16f2129b5e1a017bbccd2f1d7e5b229932fba3a4f5ad26f4726013b6f14b5",),
}
"""Of the official list."""

FIELDS = ("dob", "photo_taken", "full_path", "gender", "name", "face_score", "second_face_score")
GENDERS: dict[float, Gender] = {0.0: "female", 1.0: "male"}
LOW_SCORE = "faces dropped: rule face-score-1"
SECOND = "faces dropped: rule one-face"
TOO_OLD = "faces dropped: rule age-0-100"
NO_GENDER = "faces dropped: rule gender-known"
RULE = "age = year of datevec(datenum(photo_taken, 7, 1) - dob)"
FILTERS = "rules face-score-1, one-face, age-0-100, gender-known"

Array = np.ndarray[Any, Any]


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``. Raises BadInput where its .mat file is missing or is none."""
    file = _file(path, split)
    return _read(file, split, listing(file.parent))


def labels(path: Path, split: str) -> Split:
    """Read a split as its .mat file has it, whatever images are there."""
    file = _file(path, split)
    return _read(file, split, unlisted(file.parent))


def ages(dob: Array, photo_taken: Array) -> Array:
    """Return the age in years (N,) by the authors' formula; ``dob`` (N,) in MATLAB's days, ``photo_taken`` years."""
    july = (photo_taken - 1970).astype("datetime64[Y]").astype("datetime64[M]") + 6
    days = july.astype("datetime64[D]").astype(int) + MATLAB_1970 - dob
    year: Array = (np.datetime64("0000-01-01") + (days - 1)).astype("datetime64[Y]").astype(int) + 1970
    return year


MATLAB_1970 = 719_529
"""MATLAB's day number of 1970-01-01; its day 1 is the first of January of the year 0."""


def _file(path: Path, split: str) -> Path:
    part = PARTS[split.partition("-")[0]]
    return first_there(path, f"{part}_crop/{part}.mat", f"{part}/{part}.mat", f"{part}.mat")


def _read(file: Path, split: str, images: Folder) -> Split:
    filtered = not split.endswith("-unfiltered")
    leavings = Leavings()
    found = samples(_faces(file, filtered, leavings), images, leavings)
    rule = f"{file.name}: {RULE}; {FILTERS if filtered else 'no filter'}"
    return Split("imdb_wiki", split, rule, found, leavings.notes())


def _faces(file: Path, filtered: bool, leavings: Leavings) -> Iterator[Face]:
    columns = _columns(file)
    years = ages(columns["dob"], columns["photo_taken"])
    scores, seconds = columns["face_score"], columns["second_face_score"]
    rows = zip(columns["full_path"], years, columns["gender"], columns["name"], scores, seconds, strict=True)
    for number, (path, age, code, person, score, second) in enumerate(rows, 1):
        where = f"{file.name} face {number}"
        if not isinstance(path, str) or not path:
            leavings.drop(BROKEN, where)
            continue
        gender = GENDERS.get(float(code))
        if filtered:
            reason = (
                LOW_SCORE if not score >= 1
                else SECOND if not np.isnan(second)
                else TOO_OLD if not 0 <= age <= 100
                else NO_GENDER if gender is None
                else None
            )  # fmt: skip
            if reason is not None:
                leavings.drop(reason, path)
                continue
        known = 0 <= age <= OLDEST
        if not known and gender is not None:
            leavings.drop(NO_AGE.replace("rows dropped", "ages that count as unknown"), path)
        subject = person if isinstance(person, str) and person else None
        yield Face(where, path, (path,), age=float(age) if known else None, gender=gender, subject=subject)


def _columns(file: Path) -> dict[str, Array]:
    """Return the fields of the .mat file's one struct, all (N,). Raises BadInput for anything else."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    name = file.stem
    wrong = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError, NotImplementedError)
    try:
        content = loadmat(file, variable_names=[name], squeeze_me=True, struct_as_record=False)
    except (*wrong, MatReadError, struct.error, zlib.error) as error:
        raise BadInput(f"{file}: is not a MATLAB file that can be read ({str(error)[:120]})") from error
    columns = {field: np.atleast_1d(getattr(content.get(name), field, np.empty(0))) for field in FIELDS}
    if len({column.shape for column in columns.values()}) > 1 or not columns["dob"].size or columns["dob"].ndim > 1:
        sizes = ", ".join(f"{field} {column.shape}" for field, column in columns.items())
        raise BadInput(f"{file}: the struct {name!r} must have fields of one length; it has {sizes}")
    try:
        for field in ("gender", "face_score", "second_face_score"):
            columns[field] = columns[field].astype(float)
        for field in ("dob", "photo_taken"):
            columns[field] = columns[field].astype(np.int64).clip(-10_000_000, 10_000_000)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{file}: a field of numbers holds something else ({str(error)[:120]})") from error
    return columns
