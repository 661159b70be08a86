"""A history for other programs: a table of all its numbers as Parquet, and a picture of the trends as PNG or SVG.

In the table a case without any number in a run has a row all the same, with its status and reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

from bench.history.file import Entry
from bench.history.numbers import listed
from bench.history.series import Series, series_of
from bench.records import RunRecord
from bench.report.pictures import COLOURS, new_figure
from bench.results import write_atomically
from converters.errors import BadInput

PICTURES = (".png", ".svg")
MOST = 24
"""Trends in one picture."""
NO_NUMBER = dict.fromkeys(("measure", "unit", "value", "low", "high", "n", "data", "derived"))


def parquet(entries: Sequence[Entry], runs: Mapping[str, RunRecord], path: Path) -> int:
    """Write a row for each number, with its run and case; return how many. Raises BadInput without pyarrow."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for entry in entries:
        record = runs[entry.run]
        run = {
            "run": entry.run,
            "started": pd.Timestamp(record.started),
            "host": record.host.get("fingerprint"),
            "cpu": record.host.get("cpu"),
            "git_commit": record.git_commit,
            "versions": "; ".join(f"{name} {version}" for name, version in record.versions.items()),
        }
        case = {"case": entry.name, "runtime": entry.runtime, "status": entry.status, "reason": entry.reason}
        rows += [{**run, **case, **asdict(number)} for number in entry.numbers] or [{**run, **case, **NO_NUMBER}]
    content = BytesIO()
    table = pd.DataFrame(rows).astype({"value": "float64", "low": "float64", "high": "float64", "n": "Int64"})
    try:
        table.to_parquet(content, engine="pyarrow", index=False)
    except ImportError as error:
        raise BadInput(f"--export {path}: Parquet is written by pyarrow: pip install 'agebench[history]'") from error
    write_atomically(path, content.getvalue())
    return len(rows)


def picture(entries: Sequence[Entry], runs: Mapping[str, RunRecord], path: Path) -> int:
    """Draw the trends, one below the other, their steps as lines; return how many. Raises BadInput for none or many."""
    found = [series for series in series_of(entries, runs) if listed(series.measure) and not series.derived]
    groups: dict[tuple[str, str, str], list[Series]] = {}
    for series in found:
        groups.setdefault((series.name, series.measure, series.data), []).append(series)
    if not 0 < len(groups) <= MOST:
        raise BadInput(f"--picture {path}: {len(groups)} trends; name cases so that there are 1 to {MOST}")
    figure, every = new_figure(9, 0.6 + 1.7 * len(groups), 1, len(groups))
    places = {run: place for place, run in enumerate(runs)}
    for axes, ((name, measure, _), members) in zip(every, groups.items(), strict=True):
        for series, colour in zip(members, cycle(COLOURS), strict=False):
            _draw(axes, series, places, runs, colour)
        axes.set_title(f"{name}, {measure}", fontsize=8, loc="left")
        axes.set_ylabel(members[0].unit, fontsize=7)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        axes.margins(y=0.2)
        axes.legend(fontsize=6, frameon=False, loc="upper left")
    days = [record.started[:10] for record in runs.values()]
    chosen = sorted({round(i * (len(days) - 1) / 7) for i in range(8)})
    for axes in every:
        axes.set_xlim(-0.5, max(0.5, len(days) - 0.5))
        axes.set_xticks(chosen, [days[i] for i in chosen])
    content = BytesIO()
    stamp = {"Software": None} if path.suffix == ".png" else {"Date": None}
    figure.savefig(content, format=path.suffix[1:], dpi=110, metadata=stamp)
    write_atomically(path, content.getvalue())
    return len(groups)


def _draw(axes: Any, series: Series, places: Mapping[str, int], runs: Mapping[str, RunRecord], colour: str) -> None:
    at = [places[point.run] for point in series.points]
    numbers = [point.number for point in series.points]
    axes.plot(at, [n.value for n in numbers], color=colour, marker=".", linewidth=1, label=f"machine {series.host[:8]}")
    spans = [(x, n.low, n.high) for x, n in zip(at, numbers, strict=True) if n.low is not None and n.high is not None]
    axes.vlines(
        [x for x, *_ in spans], [low for _, low, _ in spans], [high for *_, high in spans], color=colour, alpha=0.4
    )
    for step in series.steps(runs):
        middle = (places[step.before.run] + places[step.after.run]) / 2
        axes.axvline(middle, color="black", linewidth=0.8, linestyle="--")
