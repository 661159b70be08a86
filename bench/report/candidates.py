"""The nouns of an answer: what is asked, what could be deployed with what is known of it, and what is left out.

Scores of other images, faces or age groups are never held against each other: a question names all of these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bench.records import WHOLE, Case, Result
from bench.report.scores import TASKS, Labels, Reading, readings
from zoo.card import Card
from zoo.fields import AGE_GROUPS

DERIVED_FROM = {"sample": "utkface:train"}
"""Data sets whose images are made of another's."""


METRIC = {"age": "mae", "age_group": "accuracy", "gender": "accuracy"}


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval (None: too few for one), of ``n`` faces or runs."""

    value: float
    low: float | None
    high: float | None
    n: int
    unit: Literal["years", "share", "ms"]

    @property
    def symbol(self) -> str:
        """The unit as it is printed: shares in per cent."""
        return "%" if self.unit == "share" else self.unit

    @property
    def value_text(self) -> str:
        """The number alone for a person, with its unit."""
        return f"{self._digits(self.value)} {self.symbol}"

    @property
    def text(self) -> str:
        """The number for a person, its unit and interval with it: ``4.53 years [4.41, 4.68]``."""
        if self.low is None or self.high is None:
            return f"{self.value_text} [no interval]"
        return f"{self.value_text} [{self._digits(self.low)}, {self._digits(self.high)}]"

    def _digits(self, number: float) -> str:
        return f"{100 * number:.1f}" if self.unit == "share" else f"{number:.2f}"


@dataclass(frozen=True)
class Candidate:
    """One head of a network on one backend, as it would be deployed: one face a run.

    ``name`` is what a table calls it: the network, the head where it has several of the kind, the precision where that
    is not single. ``score`` is None in a run without accuracy, ``p50`` (ms) in one without latency. ``home`` says in
    words that the network was trained on the data set it is scored on, else it is empty; ``marks`` say what else to
    know of it. Anchors name the tables of the report that the numbers stand in.
    """

    name: str
    network: str
    backend: str
    device: str
    precision: str
    threads: int | None
    head: str | None
    score: Estimate | None
    one_off: Estimate | None
    p50: Estimate | None
    p90_ms: float | None
    p99_ms: float | None
    home: str
    training: str
    marks: tuple[str, ...]
    score_anchor: str
    latency_anchor: str
    latency_case: Case | None
    score_case: Case | None

    @property
    def where(self) -> str:
        """Backend, device, precision and threads in words."""
        threads = "" if self.threads is None else f", {self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.backend} ({self.device}, {self.precision}{threads})"


@dataclass(frozen=True)
class Absent:
    """What is not in the running, where, and why: nothing that was planned disappears."""

    network: str
    where: tuple[str, ...]
    reason: str


class Question(NamedTuple):
    """What is asked of which images: scores of other images, faces or age groups are never held against each other."""

    dataset: str
    split: str
    split_sha256: str
    faces: str
    task: str
    labels: Labels


def questions(results: Sequence[Result]) -> dict[Question, list[Reading]]:
    """Return what can be asked of the scores there are: of each split the age first, then groups, then gender."""
    found: dict[Question, list[Reading]] = {}
    for reading in readings(results):
        case, seen = reading.result.case, reading.result.fingerprint
        if seen is not None and METRIC[reading.task] in reading.scores:
            images = (str(case.dataset), str(case.split), seen.split_sha256, seen.faces)
            found.setdefault(Question(*images, reading.task, reading.labels), []).append(reading)
    splits = list(dict.fromkeys(question[:4] for question in found))
    order = sorted(found, key=lambda q: (splits.index(q[:4]), q.task != "age", TASKS.index(q.task), _rank(q.labels)))
    return {question: found[question] for question in order}


def _rank(labels: Labels) -> tuple[bool, int]:
    return labels != AGE_GROUPS, -len(labels)


def latency_anchor(batch: int, threads: int, precision: str) -> str:
    """Return the anchor of a table of latency."""
    return _slug("latency", f"batch-{batch}", f"threads-{threads}", precision)


def score_anchor(question: Question) -> str:
    """Return the anchor of a table of scores."""
    faces = "" if question.faces == WHOLE else question.faces
    labels = f"{len(question.labels)}-{question.labels[0]}-to-{question.labels[-1]}" if question.labels else ""
    return _slug("scores", question.dataset, question.split, question.split_sha256[:8], faces, question.task, labels)


def _slug(*words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", " ".join(filter(None, words)).lower()).strip("-")


def source_of(question: Question) -> str:
    """Return the data set that the images of a question are of, or are made of."""
    return DERIVED_FROM.get(question.dataset, question.dataset).partition(":")[0]


def home(card: Card, question: Question) -> str:
    """Return in words that a network was trained on the data set of a question, or what that is made of; else empty."""
    for trained in card.training_sets:
        dataset, _, split = trained.partition(":")
        if dataset == source_of(question):
            made = f", of which {question.dataset} is made" if dataset != question.dataset else ""
            return f"trained on {dataset}" + (f", its {split} split" if split else ", which part is not stated") + made
    return ""
