"""A measure of a case over time, on one machine and one set of images, and where its level changes.

Each step says what a run records that is another one from there on; that nothing is, is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from bench.history.file import Entry
from bench.history.numbers import Number
from bench.history.steps import steps
from bench.records import RunRecord
from converters.errors import BadInput


@dataclass(frozen=True)
class Point:
    """One number, and the run that it is of."""

    run: str
    number: Number


@dataclass(frozen=True)
class Step:
    """Where a new level begins: the last point before and the first of it, both levels' medians, and what changed.

    ``change``: relative where values are above zero and no shares or years, else the difference.
    """

    before: Point
    after: Point
    old: float
    new: float
    change: float
    what: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """The numbers of a case in one measure, the oldest first; ``host`` is the machine's fingerprint."""

    name: str
    measure: str
    unit: str
    host: str
    data: str
    derived: bool
    points: tuple[Point, ...]

    @property
    def last(self) -> Number:
        """The latest number."""
        return self.points[-1].number

    def change(self) -> float | None:
        """Return how the latest number differs from the one before it, as `Step.change`; None for the first."""
        return None if len(self.points) < 2 else changed(self.points[-2].number.value, self.last.value, self.unit)

    def steps(self, runs: Mapping[str, RunRecord]) -> list[Step]:
        """Return its steps, the oldest first."""
        values = [point.number.value for point in self.points]
        places = steps(values, self.unit)
        found = []
        for begin, at, end in zip([0, *places], places, [*places[1:], len(values)], strict=False):
            old, new = float(np.median(values[begin:at])), float(np.median(values[at:end]))
            before, after = self.points[at - 1], self.points[at]
            what = tuple(differences(runs[before.run], runs[after.run], self.name.partition("/")[0]))
            found.append(Step(before, after, old, new, changed(old, new, self.unit), what))
        return found


def changed(old: float, new: float, unit: str) -> float:
    """Return by how much: a share of the old value for times and rates, the difference for scores."""
    return new - old if unit in ("years", "share") or old <= 0 else new / old - 1


def matching(names: Sequence[str], wanted: str) -> list[str]:
    """Return the cases that a glob fits, or else that hold ``wanted``. Raises BadInput, with some that there are."""
    found = [name for name in names if fnmatchcase(name, wanted)] or [name for name in names if wanted in name]
    if not found:
        some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise BadInput(f"no case {wanted!r} in this history; there are: {some or 'none at all'}")
    return found


def series_of(entries: Sequence[Entry], runs: Mapping[str, RunRecord]) -> list[Series]:
    """Return the series of the cases in ``entries``, whose oldest run is first; machines in the order they came in."""
    found: dict[tuple[str, str, str, str], list[tuple[Number, Point]]] = {}
    for entry in entries:
        host = str(runs[entry.run].host.get("fingerprint", ""))
        for number in entry.numbers:
            found.setdefault((entry.name, host, number.measure, number.data), []).append(
                (number, Point(entry.run, number))
            )
    return [
        Series(name, measure, given[0][0].unit, host, data, given[0][0].derived, tuple(point for _, point in given))
        for (name, host, measure, data), given in found.items()
    ]


def differences(before: RunRecord, after: RunRecord, network: str) -> Iterator[str]:
    """Yield what two runs record otherwise that a number may depend on, each as ``what old → new``."""
    plain: list[tuple[str, object, object]] = [
        ("commit", _short(before.git_commit), _short(after.git_commit)),
        ("Python", before.host.get("python"), after.host.get("python")),
        ("CUDA", before.host.get("cuda"), after.host.get("cuda")),
    ]
    pairs: list[tuple[str, Mapping[str, str], Mapping[str, str], Callable[[str], str]]] = [
        ("", before.versions, after.versions, str),
        ("option ", before.config.options, after.config.options, str),
        (f"{network} ", before.models.get(network, {}), after.models.get(network, {}), lambda sha256: sha256[:12]),
    ]
    for what, old, new in plain:
        if old != new:
            yield f"{what} {old} → {new}"
    for label, olds, news, shown in pairs:
        known = olds.keys() & news.keys() if label.startswith(network) else olds.keys() | news.keys()
        for key in sorted(known):  # a model that only one of the runs has does not count for the other's
            if olds.get(key) != news.get(key):
                yield f"{label}{key} {shown(olds.get(key, 'none'))} → {shown(news.get(key, 'none'))}"


def _short(commit: str | None) -> str:
    """Return a commit's first digits, with its mark of changes that were not committed."""
    digits, plus, changes = (commit or "none").partition("+")
    return digits[:10] + plus + changes
