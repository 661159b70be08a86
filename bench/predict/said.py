"""What is said of a face, as ``faces.jsonl`` has it: one line a face, with what it takes to say the same again.

A network with several heads of a kind says the first one's answer, its own before a derived one; the others follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from bench.heads import Prediction, decode, group_shares
from bench.records import Decode, Record
from zoo.fields import AGE_GROUPS, Head, InputSpec

SCHEMA = 1


def _empty(value: object) -> bool:
    return not value


class Answer(Record):
    """An answer by the output it was read from. ``derived``: the network does not say it, it follows from what it says.

    ``years`` of an age; ``label`` of an age group or a gender, with the probability of each where there are any.
    """

    head: str
    decode: Decode | None
    derived: bool
    years: float | None = Field(default=None, exclude_if=lambda value: value is None)
    label: str | None = Field(default=None, exclude_if=lambda value: value is None)
    probability: float | None = Field(default=None, exclude_if=lambda value: value is None)
    probabilities: dict[str, float] = Field(default={}, exclude_if=_empty)


class Other(Answer):
    """What a further head of a kind says."""

    task: Literal["age", "age_group", "gender"]


class Said(Record):
    """What one network says of one face, or why it says nothing; ``preprocessing`` is how it was fed."""

    status: Literal["ok", "failed"]
    reason: str | None = Field(default=None, exclude_if=_empty)
    age: Answer | None = None
    age_group: Answer | None = None
    gender: Answer | None = None
    other_heads: tuple[Other, ...] = Field(default=(), exclude_if=_empty)
    model_sha256: str
    backend: str
    device: str
    version: str
    preprocessing: dict[str, Any]


class FaceLine(Record):
    """One line: which of the ``faces`` of a picture it is (the largest is 1), and where.

    ``box`` is left, top, right, bottom in pixels of the upright picture, right and bottom the first beyond it;
    ``score`` is the detector's, None where the whole picture was taken for a face; ``annotated`` is what shows it.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    image: str
    face: int
    faces: int
    box: tuple[int, int, int, int]
    score: float | None
    found_by: str
    annotated: str
    networks: dict[str, Said]


class Skipped(Record):
    """A picture of which nothing is said, and why: ``no face`` was read, ``unreadable`` was not."""

    schema_: int = Field(default=SCHEMA, alias="schema")
    image: str
    kind: Literal["no face", "unreadable"]
    reason: str


def answers(heads: Sequence[Head], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers of the heads to one face as fields of `Said`; ``outputs`` (1, ..) by name.

    Raises ValueError where heads and outputs do not fit.
    """
    found: list[tuple[str, Answer]] = []
    for head in heads:
        found += _of_head(head, decode(head, outputs[head.output]))
    fields: dict[str, Any] = {}
    for task in ("age", "age_group", "gender"):
        of = sorted((answer for kind, answer in found if kind == task), key=lambda answer: answer.derived)
        if of:
            fields[task] = of[0]
        others = (Other(task=task, **answer.model_dump()) for answer in of[1:])
        fields["other_heads"] = (*fields.get("other_heads", ()), *others)
    return fields


def _of_head(head: Head, said: Prediction) -> list[tuple[str, Answer]]:
    found = []
    if said.years is not None:
        derived = head.task != "age"
        answer = Answer(head=head.output, decode=said.decode.get("age"), derived=derived, years=float(said.years[0]))
        found.append(("age", answer))
    if said.group is not None:
        labels = head.labels if head.task == "age_group" else AGE_GROUPS
        found.append(("age_group", _labelled(head, said, labels[int(said.group[0])], labels, "age_group")))
    if said.gender is not None:
        found.append(("gender", _labelled(head, said, str(said.gender[0]), head.labels, "gender")))
    return found


def _labelled(head: Head, said: Prediction, label: str, labels: Sequence[str], task: str) -> Answer:
    shares = said.shares
    if shares is not None and head.task != task:
        shares = group_shares(shares, np.asarray([float(year) for year in head.labels]))
    each = {} if shares is None else {name: float(share) for name, share in zip(labels, shares[0], strict=True)}
    return Answer(
        head=head.output, decode=said.decode.get(task), derived=head.task != task,
        label=label, probability=each.get(label), probabilities=each,
    )  # fmt: skip


def fed_as(spec: InputSpec) -> dict[str, Any]:
    """Return every step of a preprocessing that is not left to its default."""
    return spec.model_dump(mode="json", exclude_defaults=True)


def words(said: Said) -> list[str]:
    """Return what a network says in a few words each; those that are derived end in a star."""
    if said.status == "failed":
        return ["failed"]
    told = []
    for answer in (said.age, said.age_group, said.gender):
        if answer is not None:
            what = f"{answer.years:.0f} years" if answer.years is not None else str(answer.label)
            sure = "" if answer.probability is None else f" {100 * answer.probability:.0f} %"
            told.append(f"{what}{sure}{'*' if answer.derived else ''}")
    return told


def own(said: Said) -> list[str]:
    """Return `words` without what is derived, unless there is nothing else."""
    return [word for word in words(said) if not word.endswith("*")] or words(said)
