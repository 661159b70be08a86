"""Whether backends and precisions say the same of each face, and of which faces they do not.

Every backend is held against the first one of its network and precision, every precision against single precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.comparison import Compared, Flips, compare, contenders, farthest_years, flips, kind
from bench.predictions import Predictions
from bench.records import Case
from bench.report.comparisons import Section, cells
from bench.report.tables import Row

SMALL_YEARS = 0.01
"""Ages that are this near to each other are the same age."""


def agreement(found: Sequence[Predictions]) -> Section | None:
    """Return whether backends and precisions of each network agree; None where there is nothing to hold together."""
    pairs = list(_pairs(found))
    if not pairs:
        return None
    rows: list[Row] = []
    flipped: list[Section] = []
    apart, faces = 0.0, set()
    for first, second in pairs:
        years = farthest_years(first, second)
        apart = max(apart, years or 0.0)
        compared = {(c.first.head.output, *kind(c.first)): c for c in _between(first, second)}
        for changed in flips(first, second):
            faces.add(changed.n)
            if changed.count:
                rows += [_flip_row(first, second, changed, c) for c in _of(changed, compared.values())]
                flipped.append(_flip_table(first, second, changed))
        if years is not None and years >= SMALL_YEARS:
            rows += [_year_row(first, second, years, c) for key, c in compared.items() if key[1:3] == ("age", "mae")]
    kinds = {_what_differs(first, second) for first, second in pairs}
    return {
        "who": " and ".join(sorted(kinds)),
        "same": not rows,
        "faces": " or ".join(str(n) for n in sorted(faces)),
        "pairs": len(pairs),
        "apart": f"{apart:.1g}",
        "rows": rows,
        "flips": flipped,
    }


def _pairs(found: Sequence[Predictions]) -> Iterator[tuple[Predictions, Predictions]]:
    """Yield each backend with the first one of its network and precision, each precision with single precision."""
    first: dict[tuple[str, str], Predictions] = {}
    single = {_place(said.result.case): said for said in found if said.result.case.precision == "fp32"}
    for said in found:
        case = said.result.case
        reference = first.setdefault((case.network, case.precision), said)
        if reference is not said:
            yield reference, said
        if case.precision != "fp32" and _place(case) in single:
            yield single[_place(case)], said


def _place(case: Case) -> tuple[str, str, str]:
    return case.network, case.backend, case.device


def _what_differs(first: Predictions, second: Predictions) -> str:
    return "precisions" if first.result.case.precision != second.result.case.precision else "backends"


def _between(first: Predictions, second: Predictions) -> list[Compared]:
    """Compare two cases of one network head by head."""
    others = {(c.head.output, *kind(c)): c for c in contenders(_where(second), second)}
    found = []
    for mine in contenders(_where(first), first):
        if (key := (mine.head.output, *kind(mine))) in others:
            found += compare([mine, others[key]])
    return found


def _of(changed: Flips, compared: Iterable[Compared]) -> list[Compared]:
    """Return the comparison of the accuracy that the flips are of."""
    task = "gender" if changed.what == "sex" else "age_group"
    columns = [c for c in compared if c.first.head.output == changed.head and c.first.column.groups is None]
    return [c for c in columns if (c.first.column.task, c.first.column.metric) == (task, "accuracy")]


def _where(said: Predictions) -> str:
    case = said.result.case
    return " ".join([case.backend, *([case.device] if case.device != "cpu" else []), case.precision])


def _flip_row(first: Predictions, second: Predictions, changed: Flips, compared: Compared) -> Row:
    share = f"{changed.count} of {changed.n}"
    return {**_who(first, second, changed.head), "what": changed.what, "changes": share, **cells(compared)}


def _year_row(first: Predictions, second: Predictions, years: float, compared: Compared) -> Row:
    head = compared.first.head.output
    return {**_who(first, second, head), "what": "years", "changes": f"up to {years:.2g} years", **cells(compared)}


def _who(first: Predictions, second: Predictions, head: str) -> Row:
    return {"network": first.result.case.network, "head": head, "first": _where(first), "second": _where(second)}


def _flip_table(first: Predictions, second: Predictions, changed: Flips) -> Section:
    sexes = list(dict.fromkeys(sex for _, sex in changed.counts))
    groups = list(dict.fromkeys(group for group, _ in changed.counts))
    rows = [
        {"true age group": group, **{sex: changed.counts.get((group, sex), 0) for sex in sexes}} for group in groups
    ]
    who = f"{first.result.case.network}, {changed.head}: {_where(first)} and {_where(second)}"
    return {"title": f"{who}, {changed.what}", "count": changed.count, "rows": rows, "names": changed.names}
