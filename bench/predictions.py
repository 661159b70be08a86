"""What each head said of each face, beside the results: ``predictions/<case>.npz``, with the labels it was scored by.

Paired comparisons need it, so that no network has to run again. A run of before these files were written has none, and
is reported without them. Nothing in them is an image, but names and labels are the data set's: its terms hold for them.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from bench.heads import Prediction
from bench.records import Case, Decode, Fingerprint, GroupSet, Record, Result
from bench.results import write_atomically
from bench.types import Sample, Split
from converters.errors import BadInput
from zoo.fields import Head

Array = np.ndarray[Any, Any]

FOLDER = "predictions"
SCHEMA = 1
GENDERS: tuple[Literal["male", "female"], ...] = ("male", "female")
UNKNOWN = -1
FACE = ("name", "age", "first", "last", "gender", "subject", "ethnicity", "fold")
"""The labels of a face, each an array (N,); ``first`` and ``last`` are those of its range of ages."""


class Said(Record):
    """A head, and how it was read."""

    head: Head
    decode: dict[str, Decode]
    regrouped: tuple[GroupSet, ...]


class Contents(Record):
    """What a file holds besides its arrays. ``faces_sha256`` is that of the names and labels, in their order."""

    schema_: int = SCHEMA
    case: Case
    fingerprint: Fingerprint
    faces_sha256: str
    own_groups: tuple[str, ...]
    heads: tuple[Said, ...]


@dataclass(frozen=True)
class Predictions:
    """What a case's heads said of ``samples``, in the same order; ``own_groups`` are the data set's age groups."""

    result: Result
    samples: tuple[Sample, ...]
    own_groups: tuple[str, ...]
    heads: tuple[tuple[Head, Prediction], ...]


def file_of(out: Path, case: Case) -> Path:
    """Return the file of a case in the run's folder: its words for a person, and a hash that tells all cases apart."""
    words = (case.network, case.backend, case.device, case.precision, case.dataset, case.split)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", " ".join(filter(None, words))).strip("-")[:120]
    return out / FOLDER / f"{plain}-{hashlib.sha256(case.model_dump_json().encode()).hexdigest()[:12]}.npz"


def write(
    out: Path, result: Result, split: Split, samples: Sequence[Sample], heads: Sequence[tuple[Head, Prediction]]
) -> Path:
    """Write what ``heads`` said of ``samples``. Raises BadInput when it cannot be written."""
    assert result.fingerprint is not None
    faces = _faces(samples)
    contents = Contents(
        case=result.case,
        fingerprint=result.fingerprint,
        faces_sha256=_hash(faces),
        own_groups=split.age_groups,
        heads=tuple(Said(head=head, decode=dict(said.decode), regrouped=tuple(said.regrouped)) for head, said in heads),
    )
    arrays: dict[str, Any] = {f"face:{name}": array for name, array in faces.items()}
    for number, (_, said) in enumerate(heads):
        arrays |= {f"{number}:{name}": array for name, array in _answers(said).items()}
    content = BytesIO()
    np.savez_compressed(content, contents=np.asarray(contents.model_dump_json()), **arrays)
    path = file_of(out, result.case)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise BadInput(f"{path.parent}: cannot be made: {error.strerror}") from error
    write_atomically(path, content.getvalue())
    return path


def read(out: Path, result: Result, known: dict[str, tuple[Sample, ...]] | None = None) -> Predictions | None:
    """Read what was predicted in a result's case; None where the run left nothing.

    ``known`` keeps the faces by their hash, so that cases on the same ones share them. Raises BadInput for a file that
    is broken, or is of another case, split or length.
    """
    path = file_of(out, result.case)
    if not path.exists():
        return None
    known = {} if known is None else known
    try:
        with np.load(path, allow_pickle=False) as archive:
            contents = Contents.model_validate_json(str(archive["contents"][()]))
            _check(path, contents, result)
            if contents.faces_sha256 not in known:
                faces = {label: archive[f"face:{label}"] for label in FACE}
                if _hash(faces) != contents.faces_sha256:
                    raise BadInput(f"{path}: its names and labels are not those that were written; {_AGAIN}")
                known[contents.faces_sha256] = _samples(faces)
            samples = known[contents.faces_sha256]
            heads = tuple((said.head, _prediction(archive, number, said)) for number, said in enumerate(contents.heads))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: holds no predictions: {_one_line(error)}; {_AGAIN}") from error
    for _, said in heads:
        for name, array in _answers(said).items():
            if array.shape != (len(samples),):
                raise BadInput(f"{path}: {name} is {array.shape} for {len(samples)} faces; {_AGAIN}")
    return Predictions(result, samples, contents.own_groups, heads)


_AGAIN = "delete it, or measure the case again"


def _check(path: Path, contents: Contents, result: Result) -> None:
    if contents.case != result.case:
        raise BadInput(f"{path}: is of another case, {contents.case}; {_AGAIN}")
    if contents.fingerprint != result.fingerprint:
        there, here = contents.fingerprint, result.fingerprint
        ours = here.split_sha256[:16] if here else "none"
        raise BadInput(
            f"{path}: is of other images or labels: split fingerprint {there.split_sha256[:16]}, the result's {ours}; "
            + _AGAIN
        )


def _one_line(error: Exception) -> str:
    first = error.errors()[0] if isinstance(error, ValidationError) else None
    return " ".join(str(error).split())[:200] if first is None else f"{first['loc']}: {first['msg']}"


def _faces(samples: Sequence[Sample]) -> dict[str, Array]:
    """Return names and labels as arrays (N,): text empty, numbers NaN and genders UNKNOWN where there is no label."""
    ranges = [s.age_range or (np.nan, np.nan) for s in samples]
    genders = [UNKNOWN if s.gender is None else GENDERS.index(s.gender) for s in samples]
    return {
        "name": np.asarray([s.name for s in samples], dtype=str),
        "age": np.asarray([np.nan if s.age is None else s.age for s in samples], dtype=np.float64),
        "first": np.asarray([first for first, _ in ranges], dtype=np.float64),
        "last": np.asarray([last for _, last in ranges], dtype=np.float64),
        "gender": np.asarray(genders, dtype=np.int8),
        **{
            label: np.asarray([getattr(s, label) or "" for s in samples], dtype=str)
            for label in ("subject", "ethnicity", "fold")
        },
    }


def _samples(faces: Mapping[str, Array]) -> tuple[Sample, ...]:
    columns: Any = zip(*(faces[label].tolist() for label in FACE), strict=True)
    return tuple(
        Sample(
            name=name,
            path=Path(name),
            age=None if np.isnan(age) else age,
            gender=None if gender == UNKNOWN else GENDERS[gender],
            age_range=None if np.isnan(first) else (first, last),
            subject=subject or None,
            ethnicity=ethnicity or None,
            fold=fold or None,
        )
        for name, age, first, last, gender, subject, ethnicity, fold in columns
    )


def _hash(faces: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(faces):
        digest.update(json.dumps([name, faces[name].tolist()]).encode())
    return digest.hexdigest()


def _answers(said: Prediction) -> dict[str, Array]:
    found = {"group": said.group, "years": said.years, "gender": said.gender}
    found |= {f"among {name}": array for name, array in said.regrouped.items()}
    return {name: array for name, array in found.items() if array is not None}


def _prediction(archive: Any, number: int, said: Said) -> Prediction:
    def answer(name: str) -> Any:
        key = f"{number}:{name}"
        return archive[key] if key in archive.files else None

    return Prediction(
        group=answer("group"),
        years=answer("years"),
        gender=answer("gender"),
        decode=said.decode,
        regrouped={name: archive[f"{number}:among {name}"] for name in said.regrouped},
    )
