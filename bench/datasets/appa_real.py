"""APPA-REAL: 7,591 faces with a real age and the mean of some 38 guesses; the two are different questions to score.

Citation: Agustsson, Timofte, Escalera, Baro, Guyon and Rothe, "Apparent and Real Age Estimation in Still Images with
Deep Residual Regressors on APPA-REAL Database", FG 2017.
Official layout: ``gt_avg_train.csv``, ``gt_avg_valid.csv``, ``gt_avg_test.csv`` (file_name, num_ratings,
apparent_age_avg, apparent_age_std, real_age) and ``test/005613.jpg``, beside it ``005613.jpg_face.jpg``: the face cut
out and turned upright, with a margin of 40 %. The crop is what is scored. 4,113 train, 1,500 valid, 1,978 test. There
is no gender.

A list of images that show no face, several, or the wrong one goes round beside the data (118 names). It is not part of
the release: where ``ignore_list.csv``, ``ignore_list.txt`` or ``appa_real_ignore_list.txt`` lies in the folder, its
images are left out and counted, and the label rule says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.datasets._face import Face, age_of, samples
from bench.datasets._folder import Folder, listing, unlisted
from bench.datasets._leavings import NO_AGE, Leavings
from bench.datasets._lists import lines, table
from bench.types import Split

TERMS = "research only, by the terms of ChaLearn Looking at People"
CITATION = "Agustsson et al., Apparent and Real Age Estimation in Still Images with Deep Residual Regressors, FG 2017"
SIZE = "7,591 faces (test 1,978)"
GET = "the APPA-REAL page of ChaLearn Looking at People (Computer Vision Center, Barcelona); give appa-real-release/"
COLUMNS = {"apparent": "apparent_age_avg", "real": "real_age"}
SPLITS = tuple(f"{part}-{kind}" for part in ("train", "valid", "test") for kind in COLUMNS)
DEFAULT_SPLIT = "test-apparent"

IGNORE_LISTS = ("ignore_list.csv", "ignore_list.txt", "appa_real_ignore_list.txt")
IGNORED = "images dropped: on the ignore list"


def load(path: Path, split: str) -> Split:
    """Read a split of the folder ``path``: ``test-apparent`` and so on. Raises BadInput where its list is missing."""
    return _read(path, split, listing(path))


def labels(path: Path, split: str) -> Split:
    """Read a split as its list has it, whatever images are there."""
    return _read(path, split, unlisted(path))


def ignored(file: Path, leavings: Leavings) -> frozenset[str]:
    """Return the names on an ignore list: one a line, perhaps below the header ``img_name``, perhaps with commas."""
    return frozenset(line.split(",")[0].strip() for _, line in lines(file, leavings)) - {"img_name", "file_name"}


def _read(path: Path, split: str, images: Folder) -> Split:
    part, _, kind = split.partition("-")
    leavings = Leavings()
    list_file = next((path / name for name in IGNORE_LISTS if (path / name).is_file()), None)
    left_out = ignored(list_file, leavings) if list_file else frozenset()
    faces = _faces(path / f"gt_avg_{part}.csv", part, COLUMNS[kind], left_out, leavings)
    rule = f"{COLUMNS[kind]} of gt_avg_{part}.csv, the _face.jpg crops, " + (
        f"without the images of {list_file.name}" if list_file else "no ignore list"
    )
    return Split("appa_real", split, rule, samples(faces, images, leavings), leavings.notes())


def _faces(file: Path, part: str, column: str, left_out: frozenset[str], leavings: Leavings) -> Iterator[Face]:
    for where, row in table(file, ("file_name", column), leavings):
        name, years = row["file_name"], age_of(row[column])
        if name in left_out:
            leavings.drop(IGNORED, name)
        elif years is None:
            leavings.drop(NO_AGE, f"{where}: {row[column]!r}")
        else:
            yield Face(where, f"{part}/{name}", (f"{part}/{name}_face.jpg",), age=years)
