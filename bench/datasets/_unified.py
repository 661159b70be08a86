"""The lists of the unified benchmark: a JSON list of faces with ``img_path``, ``age``, ``gender`` and a ``folder``.

Source: Paplhám and Franc, "A Call to Reflect on Evaluation Practices for Age Estimation", CVPR 2024. A folder is
imaginary: nobody's faces lie in two of them. An age of -1 and a gender of ``U`` are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bench.datasets._face import Face, Gender, age_of, below, samples
from bench.datasets._folder import Folder
from bench.datasets._leavings import BROKEN, NO_AGE, Leavings
from bench.datasets._lists import entries, first_there
from bench.types import Split

GENDERS: dict[object, Gender] = {"M": "male", "F": "female", "U": None, None: None}

Name = Callable[[str], str]
"""From an ``img_path`` to the sample's name."""


def file_name(listed: str) -> str:
    """Return the last part of an ``img_path``."""
    return PurePosixPath(listed).name or listed


def read(
    dataset: str, path: Path, split: str, lists: tuple[str, ...], folders: Collection[int], images: Folder,
    *, folds: bool, name: Name = file_name,
) -> Split:  # fmt: skip
    """Read the faces of ``folders`` from the first of ``lists`` that is in ``path``; ``folds``: each folder is one.

    Raises BadInput where there is no list, or what is there is none.
    """
    leavings = Leavings()
    file = first_there(path, *lists)
    faces = _faces(file, folders, folds, name, leavings)
    numbers = ", ".join(map(str, sorted(folders)))
    rule = f"{file.name} of the unified benchmark, folders {numbers}"
    return Split(dataset, split, rule, samples(faces, images, leavings), leavings.notes())


def _faces(file: Path, folders: Collection[int], folds: bool, name: Name, leavings: Leavings) -> Iterator[Face]:
    for where, entry in entries(file, leavings):
        listed, folder, gender = entry.get("img_path"), entry.get("folder"), entry.get("gender")
        known = isinstance(gender, str | None) and gender in GENDERS
        if not isinstance(listed, str) or not listed or type(folder) is not int or not known:
            leavings.drop(BROKEN, where)
            continue
        if folder not in folders:
            continue
        years = age_of(entry.get("age"))
        if years is None:
            leavings.drop(NO_AGE, f"{where}: {entry.get('age')!r}")
            continue
        yield Face(
            where,
            name(listed),
            below(listed),
            age=years,
            gender=GENDERS[gender],
            subject=_subject(entry),
            fold=str(folder) if folds else None,
        )


def _subject(entry: Mapping[str, Any]) -> str | None:
    person = entry.get("name", entry.get("id_num"))
    return str(person) if isinstance(person, str | int) and person != "" else None
