"""A history as a person reads it: a list of cases, or the trend of some, with the steps marked; and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.history.file import Entry
from bench.history.numbers import Number, listed
from bench.history.series import Series, Step, differences, series_of
from bench.records import RunRecord

BARS = "▁▂▃▄▅▆▇█"
LONGEST = 40
"""Runs in a line of bars; of more, the latest."""
NOTHING = "nothing that a run records: commit, versions, options, model and Python are the same"


def listing(entries: Sequence[Entry], runs: Mapping[str, RunRecord]) -> list[dict[str, Any]]:
    """Return a row for each case, machine and key measure; none for a case that never had a number."""
    rows = []
    for members in by_name(entries).values():
        found = series_of(members, runs)
        key = [one for one in found if listed(one.measure) and not one.derived] or found
        rows += [_row(one, runs) for one in key]
    return rows


def numberless(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return what became of the cases that never had a number in any run: a row for each reason, with their count."""
    found: dict[str, list[str]] = {}
    for name, members in by_name(entries).items():
        if not any(entry.numbers for entry in members):
            found.setdefault(f"{members[-1].status}: {members[-1].reason}", []).append(name)
    return [{"cases": len(names), "what became of them": what, "such as": names[0]} for what, names in found.items()]


def by_name(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return what became of each case, by its name, the oldest run first."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.name, []).append(entry)
    return found


def _row(series: Series, runs: Mapping[str, RunRecord]) -> dict[str, Any]:
    change = series.change()
    return {
        "case": series.name,
        "measure": series.measure,
        "host": series.host[:8],
        "runs": len(series.points),
        "last": value(series.last),
        "change": "" if change is None else change_words(change, series.unit),
        "steps": len(series.steps(runs)) or "",
        "trend": bars([point.number.value for point in series.points]),
    }


def trend(name: str, entries: Sequence[Entry], runs: Mapping[str, RunRecord]) -> str:
    """Return the trend of one case as text: a table a machine, its rows the runs, and its steps below."""
    parts = [f"## {name}"]
    for host in dict.fromkeys(_host(runs, entry) for entry in entries):
        own = [entry for entry in entries if _host(runs, entry) == host]
        parts.append(_on_host(host, own, series_of(own, runs), runs))
    return "\n\n".join(parts)


def _on_host(host: str, entries: Sequence[Entry], found: Sequence[Series], runs: Mapping[str, RunRecord]) -> str:
    from tabulate import tabulate

    shown = [series for series in found if not series.derived] or list(found)
    at = {id(series): {step.after.run: step for step in series.steps(runs)} for series in shown}
    several = len({series.data for series in shown}) > 1
    rows, before = [], None
    for entry in entries:
        record = runs[entry.run]
        what = list[str]() if before is None else list(differences(before, record, entry.name.partition("/")[0]))
        row = {"run": entry.run[:8], "date": record.started[:16].replace("T", " "), "runtime": entry.runtime or ""}
        row |= {_title(series, several): _cell(series, entry.run, at[id(series)]) for series in shown}
        row["status"] = entry.status if entry.reason is None else f"{entry.status}: {entry.reason}"
        row["what is new in it"] = "; ".join(what) or ("" if before else f"commit {record.git_commit or 'none'}"[:17])
        rows.append(row)
        before = record
    cpu = runs[entries[-1].run].host.get("cpu", "a processor unknown")
    lines = [f"Machine {host[:8]} ({cpu}), {len(entries)} run{'s' if len(entries) > 1 else ''}", ""]
    lines += [f"{_title(one, several)}: {bars([p.number.value for p in one.points])}" for one in shown]
    table = tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
    told = [step_words(series, step, runs) for series in shown for step in at[id(series)].values()]
    return "\n".join([*lines, "", table, *(["", *told] if told else [])])


def _host(runs: Mapping[str, RunRecord], entry: Entry) -> str:
    return str(runs[entry.run].host.get("fingerprint", ""))


def _title(series: Series, several: bool) -> str:
    """Return a measure's name, with its images where those of a case were not always the same."""
    return f"{series.measure} of {series.data[:8]}" if several else series.measure


def _cell(series: Series, run: str, steps: Mapping[str, Step]) -> str:
    number = next((point.number for point in series.points if point.run == run), None)
    if number is None:
        return ""
    step = steps.get(run)
    return value(number) + ("" if step is None else f" {'▲' if step.new > step.old else '▼'} step")


def step_words(series: Series, step: Step, runs: Mapping[str, RunRecord]) -> str:
    """Return a step as a line for a person."""
    old, new = (_plain(number, series.unit) for number in (step.old, step.new))
    where = f"run {step.after.run[:8]} of {runs[step.after.run].started[:10]}"
    by = change_words(step.change, series.unit)
    return (
        f"Step of {series.measure} at {where}: {old} → {new} ({by}). What changed: {'; '.join(step.what) or NOTHING}."
    )


def value(number: Number) -> str:
    """Return a number with its interval and unit."""
    interval = ""
    if number.low is not None and number.high is not None:
        interval = f" [{_digits(number.low, number.unit)}, {_digits(number.high, number.unit)}]"
    return f"{_digits(number.value, number.unit)}{interval} {_unit(number.unit)}".rstrip()


def _plain(number: float, unit: str) -> str:
    return f"{_digits(number, unit)} {_unit(unit)}".rstrip()


def _unit(unit: str) -> str:
    return "%" if unit == "share" else unit


def _digits(number: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * number:.2f}"
    return f"{number:.3f}" if abs(number) < 10 else f"{number:.2f}" if abs(number) < 100 else f"{number:.1f}"


def change_words(change: float, unit: str) -> str:
    """Return a change: relative for times and rates, points of per cent for shares, years for years."""
    if unit == "share":
        return f"{100 * change:+.2f} points"
    return f"{change:+.3f} years" if unit == "years" else f"{change:+.1%}"


def bars(values: Sequence[float]) -> str:
    """Return the latest values as a line of bars, from the lowest to the highest of them; level where all are equal."""
    latest = [number for number in values[-LONGEST:] if math.isfinite(number)]
    if not latest:
        return ""
    low, high = min(latest), max(latest)
    if high - low <= 1e-9 * max(1.0, abs(high)):
        return BARS[3] * len(latest)
    return "".join(BARS[min(7, int(8 * (number - low) / (high - low)))] for number in latest)


def as_json(entries: Sequence[Entry], runs: Mapping[str, RunRecord]) -> list[dict[str, Any]]:
    """Return every case with its series, their points and steps, and the runs in which it has no number."""
    return [
        {
            "case": name,
            "series": [_series(series, runs) for series in series_of(members, runs)],
            "without_a_number": [
                {"run": e.run, "status": e.status, "reason": e.reason} for e in members if not e.numbers
            ],
        }
        for name, members in by_name(entries).items()
    ]


def _series(series: Series, runs: Mapping[str, RunRecord]) -> dict[str, Any]:
    return {
        "measure": series.measure,
        "unit": series.unit,
        "host": series.host,
        "data": series.data or None,
        "derived": series.derived,
        "points": list(_points(series, runs)),
        "steps": [
            {
                "run": step.after.run,
                "after": step.before.run,
                "old": step.old,
                "new": step.new,
                "change": step.change,
                "what_changed": list(step.what),
            }
            for step in series.steps(runs)
        ],
    }


def _points(series: Series, runs: Mapping[str, RunRecord]) -> Iterator[dict[str, Any]]:
    for run, number in ((point.run, point.number) for point in series.points):
        record = runs[run]
        interval = None if number.low is None else [number.low, number.high]
        told = {"run": run, "started": record.started, "git_commit": record.git_commit, "versions": record.versions}
        yield {**told, "value": number.value, "ci95": interval, "n": number.n}
