"""Where a score comes from: by sex, age group, ethnicity and subject, by fold, by allowed error; and calibration.

A network is told once here, as its first backend measured it; whether the others agree is a section of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from bench.records import Result, Score, Slices
from bench.report import lines, pictures
from bench.report.age_picture import by_age
from bench.report.album import Album
from bench.report.scores import TASKS, Reading, readings
from bench.report.tables import Row

Details = dict[str, Any]


def details(results: Sequence[Result], name: str, album: Album) -> Details:
    """Return what the report says of the results on one split beside their scores, and add the curves to the album."""
    found = firsts(readings(results))
    curves = {label(reading): reading.scores["cs5"].curve for reading in found if _curve(reading)}
    ages = {label(reading): reading.scores["mae"] for reading in found if reading.task == "age"}
    return {
        "gaps": [row for reading in found for row in _gap_rows(reading)],
        "slices": list(_slice_tables(found)),
        "folds": [row for reading in found for row in _fold_rows(reading)],
        "curve": pictures.cumulative(curves, name, album) if curves else None,
        "curve_chart": partial(lines.cumulative, curves),
        "by_age": by_age(ages, name, album),
        "by_age_chart": partial(lines.by_age, ages),
        "calibration": [row for reading in found for row in _calibration_rows(reading)],
        "left_out": _left_out_rows(found),
    }


def firsts(found: Sequence[Reading]) -> list[Reading]:
    """Return of each network, precision and head the reading of the first backend, in the order of the tables."""
    first: dict[tuple[Any, ...], Reading] = {}
    for reading in found:
        case = reading.result.case
        key = (case.network, case.precision, reading.task, reading.head, reading.labels)
        first.setdefault(key, reading)
    return sorted(first.values(), key=lambda reading: TASKS.index(reading.task))


def label(reading: Reading) -> str:
    """Return a reading's network, its head where that says more, and its precision where that is not single."""
    case = reading.result.case
    words = [case.network, reading.head or "", "" if case.precision == "fp32" else case.precision]
    return ", ".join(filter(None, words))


def _said(reading: Reading) -> Row:
    what = {"age": "years", "gender": "gender"}.get(reading.task, f"{len(reading.labels)} groups")
    return {"network": label(reading), "what": what + (", *derived*" if reading.derived else "")}


def _main(reading: Reading) -> Score | None:
    return reading.scores.get("mae" if reading.task == "age" else "accuracy")


def _curve(reading: Reading) -> tuple[float, ...]:
    score = reading.scores.get("cs5")
    return score.curve if score is not None else ()


def figure(score: Score, value: float) -> str:
    """Return a number of a score's kind: per cent, or years."""
    return f"{value:.2f}" if score.metric in ("mae", "rmse") else f"{100 * value:.1f}"


def _gap_rows(reading: Reading) -> Iterator[Row]:
    score = _main(reading)
    for slices in score.slices if score is not None else ():
        if score is None or slices.gap is None:
            continue
        gap, unit = slices.gap, "years" if reading.task == "age" else "points"
        low, high = (figure(score, end) for end in gap.interval)
        yield {
            **_said(reading),
            "by": slices.by,
            "highest": _slice(score, slices, gap.highest),
            "lowest": _slice(score, slices, gap.lowest),
            "gap [95 %, of all pairs]": f"{figure(score, gap.value)} [{low}, {high}] {unit}",
        }


def _slice(score: Score, slices: Slices, name: str) -> str:
    place = slices.labels.index(name)
    return f"{name}: {figure(score, slices.values[place])} (n = {slices.n[place]})"


def _slice_tables(found: Sequence[Reading]) -> Iterator[Details]:
    """Yield one table for each task, set of age groups, and kind of slice; the labels are its columns."""
    tables: dict[tuple[Any, ...], list[Row]] = {}
    for reading in found:
        score = _main(reading)
        for slices in score.slices if score is not None else ():
            if score is None or slices.by == "subject":
                continue
            key = (_said(reading)["what"].partition(",")[0], slices.by, slices.labels, slices.n)
            columns = dict(zip(slices.labels, _cells(score, slices), strict=True))
            tables.setdefault(key, []).append({"network": label(reading), **columns})
    for (what, by, labels, counts), rows in tables.items():
        n = ", ".join(f"{name} {count}" for name, count in zip(labels, counts, strict=True))
        yield {"title": f"{what} by {by}", "unit": "MAE in years" if what == "years" else "%", "n": n, "rows": rows}


def _cells(score: Score, slices: Slices) -> list[str]:
    return [
        f"{figure(score, value)} [{figure(score, low)}, {figure(score, high)}]"
        for value, low, high in zip(slices.values, slices.low, slices.high, strict=True)
    ]


def _fold_rows(reading: Reading) -> Iterator[Row]:
    for metric, score in reading.scores.items():
        if score.folds is not None:
            mean, sd = figure(score, score.folds.mean), figure(score, score.folds.sd)
            folds = score.folds.values
            each = ", ".join(f"{name}: {figure(score, value)}" for name, value in folds.items())
            yield {
                **_said(reading),
                "metric": metric,
                "mean ± sd of folds": f"{mean} ± {sd}",
                "folds": score.folds.count,
                "each": each or "-",
            }


def _calibration_rows(reading: Reading) -> Iterator[Row]:
    for score in reading.scores.values():
        if score.calibration is not None:
            found = score.calibration
            yield {
                **_said(reading),
                "error %": f"{100 * found.error:.1f}",
                "asked of": "the likeliest class" if found.kind == "top_label" else "its quantiles",
                "claimed %": f"{100 * found.claimed:.1f}",
                "observed %": f"{100 * found.observed:.1f}",
                "n": found.n,
            }


def _left_out_rows(found: Sequence[Reading]) -> list[Row]:
    """Return which faces do not count for what, networks of the same counts in one row."""
    networks: dict[tuple[str, str], list[str]] = {}
    for reading in found:
        score = _main(reading)
        if score is not None and score.left_out:
            why = ", ".join(f"{count} {reason}" for reason, count in score.left_out.items())
            networks.setdefault((_said(reading)["what"].partition(",")[0], why), []).append(reading.result.case.network)
    return [
        {"what": what, "faces that do not count": why, "networks": ", ".join(dict.fromkeys(of))}
        for (what, why), of in networks.items()
    ]
