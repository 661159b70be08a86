"""Everything there is to say of one run against another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.check import facts
from bench.check.findings import case_words
from bench.check.pairs import Matched, Pair, matched
from bench.compare.rows import Other, Timed, others, timed
from bench.compare.scores import Refused, Scored, scored
from bench.sides import Side
from converters.errors import BadInput


@dataclass(frozen=True)
class Fact:
    """What differs between two runs as a whole; ``note`` says what follows from it."""

    what: str
    first: str
    second: str
    note: str


@dataclass(frozen=True)
class Alone:
    """A case that has no number on one side."""

    case: str
    run: str
    why: str


@dataclass(frozen=True)
class Against:
    """The second run against the first."""

    first: str
    second: str
    facts: tuple[Fact, ...]
    latency: tuple[Timed, ...]
    scores: tuple[Scored, ...]
    refused: tuple[Refused, ...]
    others: tuple[Other, ...]
    alone: tuple[Alone, ...]
    pairs: int


def against(first: Side, second: Side, ignore: Sequence[str], max_slowdown: float) -> Against:
    """Compare two runs. Raises BadInput where no case has a number in both."""
    found = matched(first.ok(), second.ok(), ignore)
    if not found.pairs:
        raise BadInput(
            f"nothing to compare: {first.name} and {second.name} have no case that is ok in both; the first of each: "
            f"{_first(first)}; {_first(second)}"
            + ("" if ignore else "; --ignore backend pairs cases of other backends")
        )
    pairs = found.pairs
    scores, refused = scored(pairs, first, second)
    return Against(
        first.name,
        second.name,
        tuple(_facts(first, second, pairs)),
        tuple(timed(pairs, max_slowdown)),
        tuple(scores),
        tuple(refused),
        tuple(others(pairs, first, second)),
        (*_alone(found, first, second), *_alone(found, second, first)),
        len(pairs),
    )


def _alone(found: Matched, mine: Side, other: Side) -> list[Alone]:
    """Return the cases of one run without a partner, and why they have none."""
    rows = []
    for case in (*found.first_alone, *found.second_alone):
        if case not in mine.ok() or case in other.ok():
            continue
        there = other.results.get(case)
        if case in found.several:
            why = "several could be its partner: measure a run with one of them"
        else:
            why = f"not in {other.name}" if there is None else f"{there.status} in {other.name}: {there.reason}"
        rows.append(Alone(case_words(case), mine.name, why))
    return rows


def _first(side: Side) -> str:
    return case_words(next(iter(side.ok() or side.results)))


def _facts(first: Side, second: Side, pairs: Sequence[Pair]) -> list[Fact]:
    found = []
    if not facts.same_host(first, second):
        note = "other machines: a ratio is of machine and code together"
        found.append(Fact("machine", facts.machine(first), facts.machine(second), note))
    told = [*facts.versions(first, second), *facts.runtimes(pairs), *facts.asked(first, second)]
    found += [Fact(f.case, f.baseline, f.candidate, f.why) for f in told]
    if first.run.started != second.run.started:
        found.append(Fact("measured", first.run.started, second.run.started, ""))
    return found
