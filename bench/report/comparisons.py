"""Which networks differ from the best one, and from what was published; pairs are of one split only.

All of it comes from the predictions beside the results. A run of before there were any has no such sections.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.comparison import Compared, Contender, compare, contenders, kind
from bench.differences import MARGIN, speaks
from bench.predictions import Predictions, read
from bench.published import against, same_dataset
from bench.records import Result
from bench.report.running import estimate
from bench.report.scores import cards, readings
from bench.report.slices import label
from bench.report.tables import Row

Section = dict[str, Any]

TITLES = {
    ("gender", "accuracy"): "gender",
    ("age", "mae"): "error in years",
    ("age_group", "accuracy"): "exact age group",
    ("age_group", "one_off"): "age group, one-off",
}


def predicted(results: Sequence[Result], out: Path) -> list[Predictions]:
    """Read what was predicted in the cases on one split, each once whatever the number of threads."""
    known: dict[str, Any] = {}
    found: dict[tuple[Any, ...], Predictions] = {}
    for result in results:
        case = result.case
        key = (case.network, case.backend, case.device, case.precision)
        if result.status == "ok" and key not in found and (said := read(out, result, known)) is not None:
            found[key] = said
    return list(found.values())


def networks(found: Sequence[Predictions]) -> list[Section]:
    """Return for each task and set of age groups the best network, and how all others differ from it.

    The best was picked by its score, so p-values are adjusted for all pairs among which it was.
    """
    rivals: dict[tuple[Any, ...], list[Contender]] = {}
    for said in _first_backends(found):
        for contender in contenders(said.result.case.network, said):
            rivals.setdefault(kind(contender), []).append(contender)
    return [_table(list(map(_named, members))) for members in rivals.values() if len(members) > 1]


def published_rows(results: Sequence[Result]) -> list[Row]:
    """Return our scores beside published ones on the same data set, for as far as these have a spread."""
    found: list[Row] = []
    for reading in readings(results):
        case = reading.result.case
        for card in cards([case.network]):
            for claim in card.published:
                score = reading.scores.get(claim.metric) if claim.task == reading.task else None
                other = claim.labels is not None and claim.labels != reading.labels
                if score is None or other or reading.derived or not same_dataset(claim, case.dataset):
                    continue
                held = against(score, claim)
                if held is None or claim.value is None:
                    continue
                years = claim.metric == "mae"
                found.append(
                    {
                        "network": label(reading),
                        "backend": case.backend,
                        "what": TITLES[claim.task, claim.metric],
                        "ours [95 %]": estimate(score).text,
                        "n": score.n,
                        "published": _number(claim.value, years)
                        + ("" if claim.sd is None else f" ± {_number(claim.sd, years)}"),
                        "difference [99 %]": _interval(held.value, held.interval, years),
                        "verdict": held.verdict,
                        "published on": f"{claim.dataset}, {claim.split}",
                    }
                )
    return found


def _first_backends(found: Sequence[Predictions]) -> list[Predictions]:
    """Return one case of each network: single precision where there is any, the first backend."""
    ordered = sorted(found, key=lambda said: said.result.case.precision != "fp32")
    first: dict[str, Predictions] = {}
    for said in ordered:
        first.setdefault(said.result.case.network, said)
    return [said for said in found if said is first[said.result.case.network]]


def _named(contender: Contender) -> Contender:
    heads = [head for head, _ in contender.predictions.heads if head.task == contender.head.task]
    case = contender.predictions.result.case
    precision = "" if case.precision == "fp32" else f", {case.precision}"
    words = [contender.head.output] if len(heads) > 1 else []
    words += ["*derived*"] if contender.column.derived else []
    name = contender.name + precision + "".join(f", {word}" for word in words)
    return Contender(name, contender.predictions, contender.head, contender.column)


def _table(rivals: Sequence[Contender]) -> Section:
    task, metric, labels = kind(rivals[0])
    years, found = metric == "mae", compare(rivals)
    value = {rival.name: float(rival.column.values.mean()) for rival in rivals}
    ranked = sorted(value, key=lambda name: value[name] if years else -value[name])
    verdicts = {frozenset((c.first.name, c.second.name)): c for c in found}
    best, rows = ranked[0], []
    for name in ranked[1:]:
        pair = verdicts[frozenset((best, name))]
        rows.append({"network": name, _unit(metric): _number(value[name], years), **cells(pair, first=name)})
    like = [name for name in ranked[1:] if verdicts[frozenset((best, name))].verdict != "different"]
    others = f"not shown to be different: {', '.join(like)}" if like else "all others are different"
    difference = found[0].difference
    enough = speaks(difference)
    return {
        "title": TITLES[task, metric] + (f" of {len(labels)}: {labels[0]} to {labels[-1]}" if labels else ""),
        "best": best,
        "said": f"best is {best}, {_number(value[best], years)} {'years' if years else '%'}; {others}"
        if enough
        else "too few to compare",
        "n": difference.n,
        "subjects": difference.subjects,
        "margin": _margin(metric),
        "rows": rows if enough else [],
        "matrix": _matrix(ranked, verdicts),
        "pairs": len(found),
        "compared": found,
    }


SIGNS = {"equal": "=", "different": "≠", "not enough data": "?"}


def _matrix(ranked: Sequence[str], verdicts: dict[frozenset[str], Compared]) -> list[Row]:
    """Return the verdict on every pair, networks numbered from the best on."""
    return [
        {
            "": f"{place}. {name}",
            **{
                str(number): "·" if other == name else SIGNS[verdicts[frozenset((name, other))].verdict]
                for number, other in enumerate(ranked, 1)
            },
        }
        for place, name in enumerate(ranked, 1)
    ]


def cells(compared: Compared, first: str | None = None) -> Row:
    """Return difference, p-value and verdict of a pair: what ``first``, or else the second, has more than the other."""
    sign = 1 if first == compared.first.name else -1
    years, difference = kind(compared.first)[1] == "mae", compared.difference
    low, high = sorted(sign * end for end in difference.interval)
    only = difference.only
    discordant = "-" if only is None else " / ".join(str(count) for count in (only if sign == 1 else only[::-1]))
    return {
        "difference [99 %]": _interval(sign * difference.value, (low, high), years),
        "only right": discordant,
        "p": f"{compared.p:.1g}" if compared.p >= 1e-4 else "< 1e-4",
        "verdict": f"equal within {_margin(kind(compared.first)[1])}"
        if compared.verdict == "equal"
        else compared.verdict,
    }


def _margin(metric: str) -> str:
    return f"{MARGIN[metric]:g} years" if metric == "mae" else f"{100 * MARGIN[metric]:g} point"


def _unit(metric: str) -> str:
    return "MAE years" if metric == "mae" else "%"


def _number(value: float, years: bool) -> str:
    return f"{value:.2f}" if years else f"{100 * value:.1f}"


def _interval(value: float, interval: tuple[float, float] | None, years: bool) -> str:
    factor = 1 if years else 100
    unit = "years" if years else "points"
    if interval is None:
        return f"{factor * value:+.2f} {unit}"
    low, high = (f"{factor * end:+.2f}" for end in interval)
    return f"{factor * value:+.2f} [{low}, {high}] {unit}"
