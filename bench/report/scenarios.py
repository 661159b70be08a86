"""The tables of the scenarios: throughput over growing batches, over a whole split, and under requests at random times.

Failed cases stand here too, with the points that they reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

from bench.points import best_rate, images_per_s, knee, meets, part_per_s
from bench.records import Case, Latency, Point, Result, Scenario
from bench.report.album import Album
from bench.report.pictures import COLOURS, new_figure
from bench.report.tables import interval_cell, median_cell
from bench.statistics import ENOUGH, median_interval, percentile, unpaired_ratio

Row = dict[str, Any]


def batch_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each size of each sweep; the knee is in bold."""
    rows = []
    for result in _of("batch", results):
        bend = knee(result.points)
        for before, point in zip((None, *result.points), result.points, strict=False):
            speed = images_per_s(point)
            mark = "**" if point is bend else ""
            rows.append(
                {
                    **_case(result.case),
                    "batch": f"{mark}{point.batch}{mark}",
                    "p50 ms [95 %]": median_cell(point),
                    "images/s": f"{speed:.1f}",
                    "gain": "-" if before is None else f"{speed / images_per_s(before) - 1:+.0%}",
                    "memory MB": "-" if point.memory_mb is None else f"{point.memory_mb:.0f}",
                    "parity": "-" if point.parity is None else f"{point.parity.max_abs:.1e}",
                    "n": len(point.times_ms),
                    "ended": _ended(result, bend) if point is result.points[-1] else "",
                }
            )
    return rows


def offline_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each pass over a split: both parts overlapped, and each alone."""
    rows = []
    for result in _of("offline", results):
        whole = next((point for point in result.points if point.part == "overlapped"), None)
        if whole is None:
            continue
        speed = part_per_s(result.points, "overlapped")
        alone = {part: part_per_s(result.points, part) for part in ("decode", "inference")}
        rows.append(
            {
                **_case(result.case),
                "split": f"{result.case.dataset}:{result.case.split}",
                "batch": whole.batch,
                "images": whole.images,
                "images/s [slowest, fastest pass]": f"{speed:.1f} {_passes(whole)}",
                "decoding alone": f"{alone['decode']:.1f}",
                "inference alone": f"{alone['inference']:.1f}",
                "of the slower": f"{speed / min(alone.values()):.0%}",
                "passes": len(whole.times_ms),
                "decoding": result.runtime.get("decoding", "-"),
                "unreadable": 0 if result.fingerprint is None else result.fingerprint.n - whole.images,
            }
        )
    return rows


def _passes(whole: Point) -> str:
    """Return the images a second of the slowest and the fastest pass: there are too few for an interval."""
    speeds = [1000 * whole.images / time for time in whole.times_ms]
    return f"[{min(speeds):.1f}, {max(speeds):.1f}]" if len(speeds) > 1 else "[one pass]"


def server_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each trial, rates rising; the highest that met the limit is in bold."""
    rows = []
    for result in _of("server", results):
        best = best_rate(result.points)
        for point in sorted(result.points, key=lambda point: point.rate_per_s or 0):
            mark = "**" if point is best else ""
            rate = "one after the other" if point.rate_per_s is None else f"{point.rate_per_s:.1f}"
            rows.append(
                {
                    **_case(result.case),
                    "requests/s": f"{mark}{rate}{mark}",
                    **{f"p{q} ms": _percentile(point, q) for q in (50, 90, 99)},
                    "p50 of service ms": f"{np.median(point.service_ms or point.times_ms):.2f}",
                    "limit": "-" if point.limit_ms is None else f"p{point.judged} {point.limit_ms:.1f} ms",
                    "met": "-" if point.judged is None else ("yes" if meets(point) else "no"),
                    "answered": f"{len(point.times_ms)} of {point.requests or len(point.times_ms)}",
                }
            )
    return rows


def threads_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each network, backend and batch that was timed with several numbers of threads.

    The times of two numbers of threads are no pairs: the bounds are those of both medians' 95 % intervals.
    """
    groups: dict[Case, list[Result]] = {}
    for result in results:
        if result.latency is not None:
            groups.setdefault(result.case.model_copy(update={"threads": 1}), []).append(result)
    counts = sorted({result.case.threads for members in groups.values() for result in members})
    if len(counts) < 2:
        return []
    rows = []
    for members in groups.values():
        timed = {r.case.threads: r.latency for r in members if r.latency is not None}
        fewest = min(timed)
        case = members[0].case
        named = {**_case(case, threads=False), "batch": case.batch}
        runs = ", ".join(str(len(timed[n].times_ms)) if n in timed else "-" for n in counts)
        rows.append({**named, **{f"threads {n}": _speed_up(timed, n, fewest) for n in counts}, "n": runs})
    return rows


def _speed_up(timed: dict[int, Latency], threads: int, fewest: int) -> str:
    if threads not in timed:
        return "-"
    middle = float(np.median(timed[threads].times_ms))
    if threads == fewest:
        return f"{middle:.2f} ms {interval_cell(median_interval(timed[threads].times_ms, timed[threads].by_round()))}"
    slow, fast = (latency.in_rounds() for latency in (timed[fewest], timed[threads]))
    ratio = unpaired_ratio(slow, fast)  # measured one after the other
    interval = None if ratio.low is None or ratio.high is None else (ratio.low, ratio.high)
    return f"{middle:.2f} ms, {ratio.value:.2f}x {interval_cell(interval)}"


def _of(scenario: Scenario, results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.case.scenario == scenario and result.points]


def _case(case: Case, *, threads: bool = True) -> Row:
    named = {"network": case.network, "backend": case.backend, "device": case.device, "precision": case.precision}
    return {**named, "threads": case.threads} if threads else named


def _ended(result: Result, bend: Point | None) -> str:
    if result.status != "ok":
        return result.status
    if bend is not None:
        return "knee"
    return "largest asked for" if 2 * result.points[-1].batch > result.case.batch else "memory"


def _percentile(point: Point, q: int) -> str:
    value = percentile(point.times_ms, q)
    return f"n<{ENOUGH[q]}" if value is None else f"{value:.2f}"


def picture(results: Sequence[Result], album: Album) -> str | None:
    """Draw images/s over the batch size, a panel a network, the knee as a ring; return the file's name, if any."""
    panels: dict[str, list[Result]] = {}
    for result in _of("batch", results):
        panels.setdefault(result.case.network, []).append(result)
    if not panels:
        return None
    places = list(dict.fromkeys(_place(result.case) for members in panels.values() for result in members))
    colours = dict(zip(places, cycle(COLOURS), strict=False))
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = new_figure(1 + 3.2 * columns, 0.6 + 2.5 * lines, columns, lines)
    for one, (network, members) in zip(axes, panels.items(), strict=False):
        for result in members:
            sizes, speeds = [p.batch for p in result.points], [images_per_s(p) for p in result.points]
            colour = colours[_place(result.case)]
            one.plot(sizes, speeds, color=colour, marker=".")
            if (bend := knee(result.points)) is not None:
                one.plot([bend.batch], [images_per_s(bend)], color=colour, marker="o", fillstyle="none", markersize=10)
        one.set_xscale("log", base=2)
        one.set_xticks(sorted({p.batch for result in members for p in result.points}))
        one.xaxis.set_major_formatter("{x:g}")
        one.set_ylim(bottom=0)
        one.set_title(network, fontsize=9)
        one.set_xlabel("batch", fontsize=8)
        one.set_ylabel("images/s", fontsize=8)
        one.tick_params(labelsize=8)
        one.grid(alpha=0.3)
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    for place, colour in colours.items():
        axes[0].plot([], [], color=colour, label=place)
    figure.legend(loc="outside upper center", ncols=min(3, len(places)), fontsize=8, frameon=False)
    return album.add(figure, "batches")


def _place(case: Case) -> str:
    return f"{case.backend} on {case.device}, {case.precision}, {case.threads} threads"
