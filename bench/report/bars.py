"""Charts with a line for each network and backend: boxes of times, bars of speed-ups, shares of stages.

The boxes are drawn from quantiles of all raw times: the page holds these, not the times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from bench.records import Case, Result
from bench.report.speed import SpeedUp
from bench.report.stages import TITLES, fastest_stages
from bench.report.svg import (
    WIDTH,
    Scale,
    colour,
    drawing,
    facets_of,
    grid_x,
    joined,
    linear_scale,
    log_scale,
    mark,
    tag,
    words,
)
from bench.stages import STAGES

LEFT = 200
"""Where the names of networks end and the drawing begins."""

RIGHT = WIDTH - 60
STEP = 13
"""From line to line."""

GAP = 9
"""From network to network besides."""

QUANTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Lines:
    """Where the line of each case is, the colour of each backend, what lies behind them, and where they end."""

    places: Mapping[Case, float]
    colours: Mapping[str, str]
    behind: Markup
    bottom: float

    def colour(self, case: Case) -> str:
        """Return the colour of a case's backend."""
        return self.colours[backend(case)]


def backend(case: Case) -> str:
    """Return a case's backend and device, which a colour stands for."""
    return f"{case.backend} on {case.device}"


def by_network(cases: Sequence[Case]) -> Lines:
    """Return a line for each case, those of a network together, every other network on a band."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.network, []).append(case)
    names = dict.fromkeys(map(backend, cases))
    colours = {name: colour(number) for number, name in enumerate(names)}
    at, behind, places = 8.0, [], {}
    for number, (network, members) in enumerate(groups.items()):
        height = STEP * len(members)
        if number % 2:
            behind.append(tag("rect", x=0, y=at - GAP / 2, width=WIDTH, height=height + GAP, class_="band"))
        behind.append(words(LEFT - 10, at + height / 2 + 4, network, "end"))
        for case in members:
            places[case] = at + STEP / 2
            at += STEP
        at += GAP
    return Lines(places, colours, joined(behind), at)


def boxes(timed: Sequence[Result]) -> Markup:
    """Draw each network's times as a box a backend, on a logarithmic axis: networks differ by a factor of hundreds."""
    five = {r.case: np.percentile(r.latency.times_ms, QUANTILES) for r in timed if r.latency is not None}
    counts = {r.case: len(r.latency.times_ms) for r in timed if r.latency is not None}
    rows = by_network(list(five))
    scale = log_scale([float(v) for q in five.values() for v in q], LEFT, RIGHT)
    marks = []
    for case, quantiles in five.items():
        p5, p25, p50, p75, p95 = (scale(float(q)) for q in quantiles)
        y = rows.places[case]
        whiskers = f"M{p5:.1f} {y:.1f}H{p95:.1f}M{p5:.1f} {y - 3:.1f}v6M{p95:.1f} {y - 3:.1f}v6"
        shape = joined(
            [
                tag("path", d=whiskers, class_="rule"),
                tag("rect", x=p25, y=y - 4.5, width=max(p75 - p25, 1.5), height=9),
                tag("path", d=f"M{p50:.1f} {y - 4.5:.1f}v9", class_="middle"),
            ]
        )
        said = ", ".join(f"p{q} {value:.3g}" for q, value in zip(QUANTILES, quantiles, strict=True))
        tip = f"{case.network}, {backend(case)}: {said} ms; n = {counts[case]}"
        marks.append(mark(shape, tip, rows.colour(case), facets_of(case)))
    grid = grid_x(scale, 0, rows.bottom, "ms a run, logarithmic")
    note = "Box: quartiles; bar in it: median; whiskers: p5 to p95. Quantiles of all raw times."
    title = "Times of each network on each backend"
    return drawing(rows.bottom + 42, title, [rows.behind, grid, *marks], rows.colours, note)


def speed_ups(timed: Sequence[Result], faster: Mapping[Case, SpeedUp]) -> Markup:
    """Draw each row's speed-up over its network's original framework as a bar with its interval."""
    shown = {result.case: faster[result.case] for result in timed if result.case in faster}
    rows = by_network(list(shown))
    ends = [max(found.ratio.value, found.ratio.high or 0.0) for found in shown.values()]
    scale = linear_scale([*ends, 1.0], LEFT, RIGHT, low=0)
    marks = []
    for case, found in shown.items():
        ratio, y = found.ratio, rows.places[case]
        end = scale(max(ratio.value, ratio.high or 0.0))
        shape = tag("rect", x=scale(0), y=y - 4.5, width=scale(ratio.value) - scale(0), height=9)
        interval = "no interval: too few rounds"
        if ratio.low is not None and ratio.high is not None:
            shape += tag("path", d=f"M{scale(ratio.low):.1f} {y:.1f}H{scale(ratio.high):.1f}", class_="middle")
            interval = f"[{ratio.low:.2f}, {ratio.high:.2f}]"
        shape += words(end + 5, y + 4, f"{ratio.value:.2f}", class_="small")
        apart = "" if found.paired else ", measured apart"
        tip = f"{case.network}, {backend(case)}: {ratio.value:.2f}x {interval}{apart}"
        marks.append(mark(shape, tip, rows.colour(case), facets_of(case)))
    one = tag("path", d=f"M{scale(1):.1f} 0V{rows.bottom:.1f}", class_="one")
    grid = grid_x(scale, 0, rows.bottom, "times as fast as the network's original framework")
    note = "The line is at 1; the thin bars are 95 % intervals."
    title = "Speed-up of each backend over the original framework"
    return drawing(rows.bottom + 42, title, [rows.behind, grid, *marks, one], rows.colours, note)


def stages(results: Sequence[Result]) -> Markup:
    """Draw the shares of each network's fastest case as stacked bars, its ms beside it."""
    fastest = fastest_stages(results)
    there = [stage for stage in STAGES if any(stage in medians for _, medians in fastest.values())]
    colours = {stage: colour(number) for number, stage in enumerate(there)}
    scale = Scale(0, 100, LEFT, RIGHT - 20)
    parts, y = [], 8.0
    for network, (result, medians) in fastest.items():
        case, total, left = result.case, sum(medians.values()), 0.0
        parts.append(words(LEFT - 10, y + 13, network, "end"))
        for stage, ms in medians.items():
            share = 100 * ms / total
            shape = tag("rect", x=scale(left), y=y, width=scale(share) - scale(0), height=18)
            tip = f"{network}, {backend(case)}, {TITLES[stage]}: {ms:.3f} ms an image, {share:.1f} % of {total:.2f} ms"
            parts.append(mark(shape, tip, colours[stage], facets_of(case)))
            left += share
        parts.append(words(scale(100) + 6, y + 13, f"{total:.2f} ms", class_="small"))
        y += 24
    grid = grid_x(scale, 0, y, "% of the time of one image, from its file to its ages and genders")
    legend = {TITLES[stage]: of for stage, of in colours.items()}
    title = "Share of each stage, the fastest backend of each network"
    return drawing(y + 42, title, [grid, *parts], legend, "Each network's fastest backend alone.")
