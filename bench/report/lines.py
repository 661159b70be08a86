"""Charts over an axis: the front of error and latency, errors by age, cumulative scores, growing batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.points import images_per_s
from bench.records import Case, Result, Score
from bench.report.svg import (
    WIDTH,
    Scale,
    colour,
    drawing,
    facets_of,
    grid_x,
    grid_y,
    joined,
    linear_scale,
    log_scale,
    mark,
    tag,
    words,
)

LEFT, RIGHT, TOP, BOTTOM = 56, WIDTH - 16, 26, 380


@dataclass(frozen=True)
class Line:
    """One line: its name, places and what each says, and what the page's filters ask of it."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    tips: Sequence[str]
    case: Case | None = None


def cumulative(curves: Mapping[str, Sequence[float]]) -> Markup:
    """Draw which share of the faces each network is at most 0, 1, .. years off."""
    order = sorted(curves, key=lambda name: -curves[name][5])
    lines = []
    for name in order:
        shares = [100 * share for share in curves[name]]
        tips = [f"{name}: {share:.1f} % of faces within {years} years" for years, share in enumerate(shares)]
        lines.append(Line(name, range(len(shares)), shares, tips))
    last = max(len(line.x) for line in lines) - 1
    across = Scale(0, last, LEFT, RIGHT)
    up = Scale(0, 100, BOTTOM, TOP)
    return _drawn("Cumulative score", lines, across, up, "largest error, years", "faces, %")


def by_age(scores: Mapping[str, Score]) -> Markup:
    """Draw each network's mean error in years among the faces of each age group, the best network first."""
    order = sorted(scores, key=lambda name: scores[name].value)
    found = {name: of for name in order for of in scores[name].slices if of.by == "age group"}
    names = list(dict.fromkeys(label for of in found.values() for label in of.labels))
    lines = []
    for name, of in found.items():
        tips = [
            f"{name}, true age {label}: {value:.2f} [{low:.2f}, {high:.2f}] years, n = {count}"
            for label, value, low, high, count in zip(of.labels, of.values, of.low, of.high, of.n, strict=True)
        ]
        lines.append(Line(name, [names.index(label) for label in of.labels], of.values, tips))
    across = Scale(-0.3, len(names) - 0.7, LEFT, RIGHT)
    up = linear_scale([value for line in lines for value in line.y], BOTTOM, TOP, low=0)
    return _drawn("Mean error by true age group", lines, across, up, "true age group", "MAE, years", names)


def batches(results: Sequence[Result]) -> Markup:
    """Draw images a second over the batch size, both logarithmic: networks differ by a factor of hundreds."""
    lines = []
    for result in results:
        if result.case.scenario != "batch" or not result.points:
            continue
        case = result.case
        name = f"{case.network}, {case.backend} on {case.device}, {case.precision}, {case.threads} threads"
        speeds = [images_per_s(point) for point in result.points]
        sizes = [point.batch for point in result.points]
        tips = [f"{name}: {speed:.1f} images/s in batches of {size}" for size, speed in zip(sizes, speeds, strict=True)]
        lines.append(Line(name, sizes, speeds, tips, case))
    across = log_scale([x for line in lines for x in line.x], LEFT, RIGHT)
    up = log_scale([y for line in lines for y in line.y], BOTTOM, TOP)
    return _drawn(
        "Images a second over the batch size", lines, across, up, "batch, logarithmic", "images/s, logarithmic"
    )


def _drawn(
    title: str,
    lines: Sequence[Line],
    across: Scale,
    up: Scale,
    x: str,
    y: str,
    names: Sequence[str] | None = None,
) -> Markup:
    """Draw lines with a mark at each of their places; ``names``: of the places 0, 1, .. of the axis below."""
    parts = [grid_y(up, LEFT, RIGHT, y)]
    if names is None:
        parts.append(grid_x(across, TOP, BOTTOM, x))
    else:
        parts += [words(across(place), BOTTOM + 15, name, "middle") for place, name in enumerate(names)]
        parts.append(words((LEFT + RIGHT) / 2, BOTTOM + 33, x, "middle", "axis"))
    for number, line in enumerate(lines):
        places = [(across(at), up(value)) for at, value in zip(line.x, line.y, strict=True)]
        path = tag("path", d="M" + "L".join(f"{at:.1f} {value:.1f}" for at, value in places), class_="line")
        dots = [
            mark(tag("circle", cx=at, cy=value, r="3.5"), tip, "dot")
            for (at, value), tip in zip(places, line.tips, strict=True)
        ]
        facets = {"network": line.name.partition(",")[0]} if line.case is None else facets_of(line.case)
        asked = {f"data_{name}": value for name, value in facets.items()}
        parts.append(tag("g", joined([path, *dots]), class_=f"series {colour(number)}", **asked))
    legend = {line.name: colour(number) for number, line in enumerate(lines)}
    return drawing(BOTTOM + 42, title, parts, legend)
