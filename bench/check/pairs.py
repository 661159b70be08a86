"""Which case of one run stands against which of another: the same one, or one that differs only in what is ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.check.findings import case_words
from bench.records import Case, Result
from converters.errors import BadInput

IGNORABLE = ("backend", "device", "precision", "threads")


@dataclass(frozen=True)
class Pair:
    """Two results that are held against each other."""

    first: Result
    second: Result

    @property
    def differ(self) -> tuple[str, ...]:
        """Return the fields in which their cases differ."""
        before, now = self.first.case, self.second.case
        return tuple(field for field in IGNORABLE if getattr(before, field) != getattr(now, field))

    @property
    def words(self) -> str:
        """Return the second case in words; what differs as ``backend opencv4 -> opencv5``."""
        before, now = self.first.case, self.second.case
        told = [f"{field} {getattr(before, field)} -> {getattr(now, field)}" for field in self.differ]
        return case_words(now) + (f" [{'; '.join(told)}]" if told else "")


@dataclass(frozen=True)
class Matched:
    """The pairs of two runs; the cases without a partner; those of which several could be each other's."""

    pairs: tuple[Pair, ...]
    first_alone: tuple[Case, ...]
    second_alone: tuple[Case, ...]
    several: frozenset[Case] = frozenset()


def ignored(text: str | None) -> tuple[str, ...]:
    """Read ``--ignore``. Raises BadInput for what cannot be ignored."""
    names = tuple(part.strip() for part in text.split(",")) if text else ()
    for name in names:
        if name not in IGNORABLE:
            raise BadInput(f"--ignore {name!r}: there are {', '.join(IGNORABLE)}")
    return names


def matched(first: Mapping[Case, Result], second: Mapping[Case, Result], ignore: Sequence[str] = ()) -> Matched:
    """Pair the results of two runs.

    A case that both have stands against itself. Of the others, two that differ only in ``ignore`` are a pair where
    there is just one of them in each run; where there are several it would be a guess, so they stay alone.
    """
    pairs = [Pair(first[case], second[case]) for case in first if case in second]
    rest: dict[Case, tuple[list[Case], list[Case]]] = {}
    for place, (mine, other) in enumerate(((first, second), (second, first))):
        for case in mine:
            if case not in other:
                rest.setdefault(_without(case, ignore), ([], []))[place].append(case)
    alone: tuple[list[Case], list[Case]] = ([], [])
    several: set[Case] = set()
    for left, right in rest.values():
        if len(left) == len(right) == 1:
            pairs.append(Pair(first[left[0]], second[right[0]]))
            continue
        alone[0].extend(left)
        alone[1].extend(right)
        if left and right:
            several.update(left, right)
    return Matched(tuple(pairs), tuple(alone[0]), tuple(alone[1]), frozenset(several))


def _without(case: Case, ignore: Sequence[str]) -> Case:
    return case.model_copy(update={name: 0 if name == "threads" else "" for name in ignore})
