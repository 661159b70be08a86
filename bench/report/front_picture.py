"""Accuracy against latency with the Pareto front: each network at its fastest backend, its other backends faint.

Networks that were trained on the data set that they are scored on are hollow: elsewhere they may do worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

from bench.report import labels
from bench.report.album import Album
from bench.report.answer import Answer, Candidate
from bench.report.candidates import source_of
from bench.report.choices import best_of_each
from bench.report.pictures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = {"mae": "mean absolute error, years (lower is better)", "accuracy": "exact, % (higher is better)"}


def draw(
    answer: Answer, album: Album, limit_ms: float | None = None, max_mae: float | None = None, *, alone: bool = True
) -> str | None:
    """Draw an answer's candidates and limits; return the file's name, None where there are no times or no scores.

    ``alone``: no other split has the name of this one, so the file needs no fingerprint in its name.
    """
    shown = [c for c in answer.candidates if c.score is not None and c.p50 is not None]
    if answer.question is None or not shown:
        return None
    heads = best_of_each(shown, answer.metric)
    figure, (axes,) = new_figure(10, 4.2 + 0.12 * len(heads), 1)
    places = list(dict.fromkeys(_place(c) for c in shown))
    colours = dict(zip(places, cycle(COLOURS), strict=False))
    for one in shown:
        if one not in heads:
            axes.plot(*_point(one), color=colours[_place(one)], marker=".", markersize=5, alpha=0.3, linestyle="none")
    for one in heads:
        _mark(axes, one, colours[_place(one)])
    _front(axes, [step.candidate for step in answer.front])
    _frame(axes, answer, limit_ms, max_mae)
    _legend(figure, axes, colours, answer)
    labels.place(
        axes,
        [one.name for one in heads],
        [_point(one) for one in heads],
        _taken(axes, answer, shown, limit_ms, max_mae),
    )
    question = answer.question
    groups = f"-{len(question.labels)}-{question.labels[0]}" if not answer.first else ""
    which = f"{question.dataset}-{question.split}" + ("" if alone else f"-{question.split_sha256[:8]}-{question.faces}")
    return album.add(figure, f"accuracy-latency-{question.task}{groups}-{which}")


def _place(one: Candidate) -> str:
    return f"{one.backend} on {one.device}"


def _point(one: Candidate) -> tuple[float, float]:
    assert one.p50 is not None
    assert one.score is not None
    return one.p50.value, _shown(one.score.value, one)


def _shown(number: float, one: Candidate) -> float:
    return 100 * number if one.score is not None and one.score.unit == "share" else number


def _ends(one: Candidate) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return both intervals, in ms and in the score's unit; the value itself where there is none."""
    assert one.p50 is not None
    assert one.score is not None
    x, y = _point(one)
    across = (x, x) if one.p50.low is None or one.p50.high is None else (one.p50.low, one.p50.high)
    if one.score.low is None or one.score.high is None:
        return across, (y, y)
    return across, (_shown(one.score.low, one), _shown(one.score.high, one))


def _mark(axes: Axes, one: Candidate, colour: str) -> None:
    x, y = _point(one)
    across, down = _ends(one)
    axes.plot(across, (y, y), color=colour, linewidth=1, alpha=0.8, zorder=2)
    axes.plot((x, x), down, color=colour, linewidth=1, alpha=0.8, zorder=2)
    face = "white" if one.home else colour
    axes.plot(x, y, marker="o", markersize=6, color=colour, markerfacecolor=face, linestyle="none", zorder=3)


def _front(axes: Axes, front: Sequence[Candidate]) -> None:
    """Draw what is the best within each time: it steps where a network becomes possible."""
    if front:
        points = [_point(one) for one in front]
        line: Any = {"color": "black", "linewidth": 1, "linestyle": "--", "alpha": 0.7, "zorder": 1}
        axes.step([x for x, _ in points], [y for _, y in points], where="post", label="Pareto front", **line)


def _frame(axes: Axes, answer: Answer, limit_ms: float | None, max_mae: float | None) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.12, y=0.08)
    axes.set_xlabel("ms a face (p50), logarithmic; bars: 95 % intervals")
    axes.set_ylabel(UNITS[answer.metric])
    axes.set_title(f"{answer.name[0].upper()}{answer.name[1:]}: accuracy against latency", fontsize=9)
    axes.grid(alpha=0.3)
    if limit_ms is not None:
        axes.axvline(limit_ms, color="#cc3311", linewidth=0.8, label=f"limit {limit_ms:g} ms")
    if max_mae is not None and answer.metric == "mae":
        axes.axhline(max_mae, color="#cc3311", linewidth=0.8, linestyle=":", label=f"limit {max_mae:g} years")


def _legend(figure: Any, axes: Axes, colours: dict[str, str], answer: Answer) -> None:
    for place, colour in colours.items():
        axes.plot([], [], color=colour, marker="o", linestyle="none", label=place)
    if answer.question is not None and any(c.home for c in answer.candidates):
        hollow: Any = {"color": "black", "marker": "o", "markerfacecolor": "white", "linestyle": "none"}
        axes.plot([], [], label=f"trained on {source_of(answer.question)}", **hollow)
    axes.plot([], [], color="black", marker=".", markersize=5, alpha=0.3, linestyle="none", label="a slower backend")
    figure.legend(loc="outside lower center", ncols=5, fontsize=8, frameon=False)


def _taken(
    axes: Axes, answer: Answer, shown: Sequence[Candidate], limit_ms: float | None, max_mae: float | None
) -> list[labels.Box]:
    """Return the pixels that intervals, faint points, the front and the limits take."""
    labels.settle(axes)
    heads = best_of_each(shown, answer.metric)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    lines = [((x, y), (x, y)) for x, y in map(_point, shown)]
    for one in heads:
        x, y = _point(one)
        across, down = _ends(one)
        lines += [((across[0], y), (across[1], y)), ((x, down[0]), (x, down[1]))]
    steps = [_point(step.candidate) for step in answer.front]
    for (x, y), (further, better) in pairwise(steps):
        lines += [((x, y), (further, y)), ((further, y), (further, better))]
    lines += [] if limit_ms is None else [((limit_ms, low), (limit_ms, high))]
    lines += [] if max_mae is None or answer.metric != "mae" else [((left, max_mae), (right, max_mae))]
    return [_pixels(axes, *line) for line in lines]


def _pixels(axes: Axes, first: tuple[float, float], second: tuple[float, float]) -> labels.Box:
    (x0, y0), (x1, y1) = axes.transData.transform([first, second])
    return min(x0, x1) - 2, min(y0, y1) - 2, max(x0, x1) + 2, max(y0, y1) + 2
