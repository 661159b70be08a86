"""The tables of scores: one for each task, and one for each set of age groups, which never share a column.

One row is one head of one network: a network may say an age, and age groups of several kinds, each in an output of its
own. Backends that agree in every printed figure share a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bench.heads import TWELVE_GROUPS
from bench.records import GroupSet, Result, Score
from bench.report.tables import Row, device, parity, placement
from converters.errors import BadInput
from zoo.card import Card, find_card
from zoo.fields import AGE_GROUPS

Labels = tuple[str, ...]


class Reading(NamedTuple):
    """The scores of one task that were read from one head of one network on one backend."""

    result: Result
    task: str
    head: str | None
    scores: dict[str, Score]

    @property
    def labels(self) -> Labels:
        """The age groups, for which one number means nothing without the others; empty for ages and genders."""
        found = self.scores.get("accuracy")
        return found.confusion.labels if self.task == "age_group" and found and found.confusion else ()

    @property
    def groups(self) -> GroupSet | None:
        """Which age groups besides the head's own, or the standard eight, an age was put into."""
        return next(iter(self.scores.values())).groups

    @property
    def derived(self) -> bool:
        """Whether the network says something else, which this follows from."""
        said = next(iter(self.scores.values())).derived
        if said is not None:
            return said
        return self.task == "age" and any(  # a result of before the results said so themselves
            head.task == "age_group" for card in cards([self.result.case.network]) for head in card.heads
        )


def readings(results: Iterable[Result]) -> list[Reading]:
    """Return what was read from each head, in the order of the results."""
    found: dict[tuple[Any, ...], Reading] = {}
    for result in results:
        if result.status == "ok":
            for score in result.scores:
                reading = Reading(result, score.task, score.head, {})
                key = (result.case, score.task, score.head, score.groups)
                found.setdefault(key, reading).scores[score.metric] = score
    return list(found.values())


def score_tables(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the tables of one split, each with ``task``, ``labels``, ``title``, ``note`` and ``rows``."""
    apart: dict[tuple[str, Labels], list[Reading]] = {}
    for reading in readings(results):
        apart.setdefault((reading.task, reading.labels), []).append(reading)
    order = sorted(apart, key=lambda key: (TASKS.index(key[0]), key[1] != AGE_GROUPS, -len(key[1])))
    return [
        {
            "task": task,
            "labels": labels,
            **_words(task, labels, apart[task, labels][0].groups),
            "rows": _rows(apart[task, labels]),
        }
        for task, labels in order
    ]


TASKS = ("age_group", "age", "gender")


def _words(task: str, labels: Labels, groups: GroupSet | None) -> dict[str, str]:
    if task == "gender":
        return {"title": "Gender", "note": ""}
    if task == "age":
        return {"title": "Age in years", "note": ""}
    if labels == AGE_GROUPS:
        left = "Faces whose age lies between two groups do not count."
        return {"title": "Age groups: the eight standard ones", "note": f"{' '.join(labels)}. {left}"}
    if labels == TWELVE_GROUPS:
        left = "Faces of 60 years and more do not count. Not to be held against shares of other groups."
        return {"title": "Age groups: twelve of five years", "note": f"{' '.join(labels)}. {left}"}
    note = f"{' '.join(labels)}. Faces in none of them do not count. Not to be held against shares of other groups."
    whose = "the data set's" if groups == "dataset" else "the network's"
    return {"title": f"Age groups: {len(labels)} of {whose} own, {labels[0]} to {labels[-1]}", "note": note}


def _rows(found: Sequence[Reading]) -> list[Row]:
    merged: dict[tuple[Any, ...], list[Reading]] = {}
    cells: dict[tuple[Any, ...], Row] = {}
    for reading in found:
        figures = _figures(reading)
        key = (device(reading.result), *figures.values())
        merged.setdefault(key, []).append(reading)
        cells[key] = figures
    return [_row(cells[key], [reading.result for reading in same]) for key, same in merged.items()]


def _row(figures: Row, same: Sequence[Result]) -> Row:
    where = {"backend": ", ".join(result.case.backend for result in same), "device": device(same[0])}
    proof = {
        "placement": "; ".join(placement(result) for result in same),
        "parity": "; ".join(parity(result) for result in same),
    }
    said = ("network", "precision", "head", "read by")
    return {**{key: figures[key] for key in said}, **where, **figures, **proof}


def _figures(reading: Reading) -> Row:
    scores, case, count = reading.scores, reading.result.case, len(reading.labels)
    first = next(iter(scores.values()))
    said = {
        "network": case.network,
        "precision": case.precision,
        "head": reading.head or "-",
        "read by": (first.decode or "-") + (", *derived*" if reading.derived else ""),
    }
    if reading.task == "age":
        said |= {"MAE years": years(scores["mae"]), "RMSE years": years(scores["rmse"]) if "rmse" in scores else "-"}
        return {**said, "within 5 years %": share(scores.get("cs5")), "n": faces(scores["mae"])}
    if reading.task == "gender":
        return {**said, "gender %": share(scores["accuracy"]), "n": faces(scores["accuracy"])}
    exact = {f"exact % of {count}": share(scores["accuracy"]), f"one-off % of {count}": share(scores.get("one_off"))}
    return {**said, **exact, "n": faces(scores["accuracy"])}


def cards(networks: Iterable[str]) -> list[Card]:
    """Return the cards of networks, each once. A run of long ago may hold a network that the zoo no longer has."""
    found: dict[str, Card] = {}
    for network in networks:
        try:
            card = find_card(network)
        except BadInput:
            continue
        found[card.name] = card
    return list(found.values())


def faces(score: Score) -> str:
    """Return how many faces count, and of how many people, where that is known: then people are what was drawn."""
    return f"{score.n}" if score.subjects is None else f"{score.n} ({score.subjects} people)"


def share(score: Score | None) -> str:
    """Return a share as per cent, with its interval."""
    if score is None:
        return "-"
    return f"{100 * score.value:.1f} [{100 * score.ci95[0]:.1f}, {100 * score.ci95[1]:.1f}]"


def years(score: Score) -> str:
    """Return a number of years, with its interval."""
    return f"{score.value:.2f} [{score.ci95[0]:.2f}, {score.ci95[1]:.2f}]"
