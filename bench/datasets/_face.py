"""A row of a label list as a face, and faces as samples: each image once, inside the data folder, and there.

Two rows that say the same count once; two that disagree about an image are both left out: nobody knows which is right.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from bench.datasets._folder import Folder
from bench.datasets._leavings import AGAIN, DISPUTED, MISSING, OLDEST, OUTSIDE, UNLABELLED, Leavings
from bench.types import Sample

Gender = Literal["male", "female"] | None


class Face(NamedTuple):
    """One row of a list: the sample but for its path, which is the first of ``candidates`` that is there."""

    where: str
    """the row, for the notes: ``fold_0_data.txt line 7``"""
    name: str
    candidates: tuple[str, ...]
    age: float | None = None
    gender: Gender = None
    age_range: tuple[float, float] | None = None
    subject: str | None = None
    ethnicity: str | None = None
    fold: str | None = None


def samples(faces: Iterable[Face], folder: Folder, leavings: Leavings) -> tuple[Sample, ...]:
    """Return the labelled faces whose image is there, each image once, in the list's order; count the others.

    Rows that repeat one another count once; where they disagree the image is in two minds, and all of them go.
    """
    with _no_collection():
        kept = _once(faces, leavings)
        return tuple(sample for face in kept if (sample := _sample(face, folder, leavings)))


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the collector of circles: there are none, and half a million faces to walk through."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _once(faces: Iterable[Face], leavings: Leavings) -> Collection[Face]:
    """Return each image's face once; none where the rows disagree."""
    found: dict[str, Face] = {}
    disputed: dict[str, list[str]] = {}
    for face in faces:
        if not is_inside(face.name) or not all(map(is_inside, face.candidates)):
            leavings.drop(OUTSIDE, f"{face.where}: {face.candidates[0]}")
            continue
        before = found.setdefault(face.name, face)
        if before is face:
            continue
        if before._replace(where="", candidates=()) == face._replace(where="", candidates=()):
            leavings.drop(AGAIN, face.where)
        else:
            disputed.setdefault(face.name, [before.where]).append(face.where)
    for name, rows in disputed.items():
        del found[name]
        for where in rows:
            leavings.drop(DISPUTED, f"{where}: {name}")
    return found.values()


def is_inside(name: str) -> bool:
    """Whether a path of a list is relative, stays below its folder, and can be one at all."""
    if not name or name[0] == "/" or "\\" in name or not name.isprintable():
        return False
    return (".." not in name or ".." not in name.split("/")) and ":" not in name.partition("/")[0]


def below(listed: str) -> tuple[str, ...]:
    """Return a listed path and what is left of it as its first folders are taken off: a set is unpacked in many ways.

    A path that leads out of the data folder is returned as it is, so that it is counted, not mended.
    """
    if not is_inside(listed):
        return (listed,)
    parts = [part for part in listed.split("/") if part not in {"", "."}]
    return tuple("/".join(parts[start:]) for start in range(len(parts))) or (listed,)


def age_of(value: object) -> float | None:
    """Return years from 0 to OLDEST, as a list gives them in words or as a number; None for anything else."""
    if isinstance(value, str):
        return _age_in_words(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= OLDEST else None


@lru_cache(maxsize=1024)
def _age_in_words(text: str) -> float | None:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,20})?", text):
        return None
    return years if (years := float(text)) <= OLDEST else None


def _sample(face: Face, folder: Folder, leavings: Leavings) -> Sample | None:
    if face.age is None and face.age_range is None and face.gender is None:
        leavings.drop(UNLABELLED, face.where)
        return None
    path = folder.find(face.candidates)
    if path is None:
        leavings.drop(OUTSIDE if folder.leads_out(face.candidates) else MISSING, face.candidates[0])
        return None
    return Sample(
        name=face.name,
        path=path,
        age=face.age,
        gender=face.gender,
        age_range=face.age_range,
        subject=face.subject,
        ethnicity=face.ethnicity,
        fold=face.fold,
    )
