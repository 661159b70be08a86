"""The tables of latency: one part for each batch size, number of threads and precision.

First which backend is the fastest for each network, and by how much over the original framework; the rest is folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.records import Case, Result, RunRecord
from bench.report import bars, pictures
from bench.report.album import Album
from bench.report.candidates import latency_anchor
from bench.report.speed import Bound, SpeedUp, bound_cell, bounds, speed_up_cell, speed_ups, timed
from bench.report.tables import Row, latency_rows, median_cell, shared

SETTINGS = ("device", "warnings")
"""The columns that are said once where they are the same in every row."""

MAYBE = ("vs source", "of the limit", "device memory MB", "runs on", "warnings")
"""The columns that are left out where no row has anything in them."""

FIRST = ("network", "backend", "device", "p50 ms [95 %]", "n", "vs source", "images/s", "of the limit")
NAMES = ("network", "backend", "device")
SAID = ("precision", "batch", "threads")
"""What the heading says of all rows of a part."""

Part = tuple[int, int, str]
"""Batch size, threads, precision."""


def latency_parts(run: RunRecord, results: Sequence[Result], album: Album) -> list[dict[str, Any]]:
    """Return the parts, each with a title, its tables and pictures, and what to say of its limits."""
    faster, limits = speed_ups(results), bounds(run, results)
    apart: dict[Part, list[Result]] = {}
    for result in timed(results):
        apart.setdefault(_part(result.case), []).append(result)
    several = len(apart) > 1
    return [
        {
            "title": _title(part),
            "anchor": latency_anchor(*part),
            **_tables(latency_rows(members, faster, limits)),
            "fastest": fastest_rows(members, [r for r in results if _is_beside(r, part)], faster, limits),
            "latency_picture": pictures.latency(members, album, _suffix(part) if several else ""),
            "latency_chart": partial(bars.boxes, members),
            "speed_chart": partial(bars.speed_ups, members, faster),
            "speed_picture": pictures.speed_ups(members, faster, album, _suffix(part) if several else ""),
            "beyond": _beyond(members, limits),
            "apart": any(r.case in faster and not faster[r.case].paired for r in members),
        }
        for part, members in sorted(apart.items(), key=lambda item: (item[0][2], *item[0][:2]))
    ]


def fastest_rows(
    members: Sequence[Result],
    planned: Sequence[Result],
    faster: Mapping[Case, SpeedUp],
    limits: Mapping[Case, Bound],
) -> list[Row]:
    """Return one row a network: the medians in ms of all backends, the fastest in bold, and how fast that is.

    ``planned``: all results of the part, also those of cases that were skipped or failed.
    """
    devices = {r.case.device for r in members}
    tried = [r for r in planned if r.case.network in _networks(members) and r.status != "skipped"]
    places = dict.fromkeys(_place(r.case, devices) for r in tried)
    rows = []
    for network in _networks(members):
        own = {_place(r.case, devices): r for r in members if r.case.network == network}
        failed = {_place(r.case, devices) for r in planned if r.case.network == network and r.status == "failed"}
        middles = {place: _median(result) for place, result in own.items()}
        best = min(middles, key=lambda place: middles[place])
        cells = {place: f"{middles[place]:.2f}" if place in middles else "-" for place in places}
        cells |= {best: f"**{cells[best]}**"} | dict.fromkeys(failed, "failed")
        cells |= {place: f"{cells[place]} (partial)" for place, result in own.items() if result.strays}
        case, latency = own[best].case, own[best].latency
        assert latency is not None
        rows.append(
            {
                "network": network,
                **{f"{place} ms": cell for place, cell in cells.items()},
                "fastest": best,
                "its p50 ms [95 %]": median_cell(latency),
                "n": len(latency.times_ms),
                "vs source": speed_up_cell(case, faster),
                "images/s": f"{1000 * case.batch / middles[best]:.1f}",
                "of the limit": bound_cell(case, limits),
            }
        )
    return _filled(rows)


def _tables(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the columns that are looked for first, ``rows``, and all the others, ``rest``."""
    told = [{name: value for name, value in row.items() if name not in SAID} for row in rows]
    settings, narrow = shared(_filled(told), SETTINGS)
    first = [{name: value for name, value in row.items() if name in FIRST} for row in narrow]
    rest = [{name: value for name, value in row.items() if name in NAMES or name not in FIRST} for row in narrow]
    return {"settings": settings, "rows": first, "rest": rest}


def _filled(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without those of `MAYBE` columns that say nothing in any of them."""
    empty = {name for name in MAYBE if all(row.get(name, "-") == "-" for row in rows)}
    return [{name: value for name, value in row.items() if name not in empty} for row in rows]


def _beyond(members: Sequence[Result], limits: Mapping[Case, Bound]) -> list[str]:
    """Return the rows that are faster than their limit, in words: each network with its backends."""
    found: dict[str, list[str]] = {}
    for result in members:
        if result.case in limits and limits[result.case].share > 1:
            found.setdefault(result.case.network, []).append(result.case.backend)
    return [f"{network} on {', '.join(on)}" for network, on in found.items()]


def _networks(members: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.case.network for result in members))


def _median(result: Result) -> float:
    assert result.latency is not None
    return float(np.median(result.latency.times_ms))


def _place(case: Case, devices: set[str]) -> str:
    return case.backend if len(devices) == 1 else f"{case.backend} on {case.device}"


def _part(case: Case) -> Part:
    return case.batch, case.threads, case.precision


def _is_beside(result: Result, part: Part) -> bool:
    case = result.case
    return case.kind == "latency" and case.scenario in (None, "single") and _part(case) == part


def _title(part: Part) -> str:
    batch, threads, precision = part
    return f"Batch {batch}, {threads} thread{'s' if threads > 1 else ''}, {precision}"


def _suffix(part: Part) -> str:
    batch, threads, precision = part
    return f"-batch-{batch}-threads-{threads}" + ("" if precision == "fp32" else f"-{precision}")
