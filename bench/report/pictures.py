"""The pictures of a report, as PNG beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.records import Result
from bench.results import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
"""Paul Tol's bright colours, which the colour-blind can tell apart."""


def latency(results: Sequence[Result], out: Path) -> str | None:
    """Draw each network's times as a box a backend (quartiles; whiskers p5 to p95); return the file's name, if any.

    Networks differ by a factor of hundreds, so the axis is logarithmic.
    """
    timed = [r for r in results if r.latency is not None]
    if not timed:
        return None
    groups: dict[str, list[Result]] = {}
    for result in timed:
        groups.setdefault(_network(result), []).append(result)
    places = dict.fromkeys(_backend(result) for result in timed)
    colours = dict(zip(places, cycle(COLOURS), strict=False))
    figure, axes = new_figure(9, 1.3 + 0.16 * len(timed) + 0.12 * len(groups), 1)
    at, ticks = 0.0, []
    for members in groups.values():
        ticks.append(at + (len(members) - 1) / 2)
        for result in members:
            assert result.latency is not None
            colour = colours[_backend(result)]
            axes[0].boxplot(
                [result.latency.times_ms],
                positions=[at],
                widths=0.8,
                orientation="horizontal",
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": colour, "edgecolor": colour},
                whiskerprops={"color": colour},
                capprops={"color": colour},
                medianprops={"color": "black"},
            )
            at += 1
        at += 0.8
    axes[0].set_yticks(ticks, list(groups))
    axes[0].set_ylim(at, -1)
    axes[0].set_xscale("log")
    axes[0].xaxis.set_major_formatter("{x:g}")
    axes[0].set_xlabel("ms a run, logarithmic; box: quartiles, black: median, whiskers: p5 to p95")
    axes[0].tick_params(axis="y", labelsize=8)
    axes[0].grid(axis="x", alpha=0.3)
    for name, colour in colours.items():
        axes[0].plot([], [], color=colour, linewidth=6, label=name)
    figure.legend(loc="outside upper center", ncols=len(colours), fontsize=8, frameon=False)
    return save(figure, out, "latency")


def confusion(table: dict[str, Any], split: str, out: Path) -> str:
    """Draw our table of column shares, beside the published one where there is one; return the file's name."""
    published, side = table["published"], 1.6 + 0.45 * max(8, len(table["labels"]))
    figure, axes = new_figure(side if published is None else 2 * side, 0.95 * side, 1 if published is None else 2)
    _heat_map(axes[0], table["shares"], table["labels"], f"{table['title']}\non {split}")
    if published is not None:
        _heat_map(axes[1], published, table["labels"], f"published\n({table['where'].partition(';')[0]})")
    number = "" if table["number"] == 1 else f"-{table['number']}"
    return save(figure, out, f"confusion-{table['title']}-{split}{number}")


def _network(result: Result) -> str:
    case = result.case
    return f"{case.network}, batch {case.batch}" + ("" if case.precision == "fp32" else f", {case.precision}")


def _backend(result: Result) -> str:
    return f"{result.case.backend} on {result.case.device}"


def _heat_map(axes: Axes, shares: np.ndarray[Any, Any], labels: Sequence[str], title: str) -> None:
    axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        value = shares[row, column]
        text, dark = ("-" if np.isnan(value) else f"{value:.2f}"), value > 0.5
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_xlabel("true age group")
    axes.set_ylabel("predicted age group")
    axes.set_title(title, fontsize=9)


def new_figure(width: float, height: float, columns: int, rows: int = 1) -> tuple[Any, list[Axes]]:
    """Return a figure of a size in inches, and its axes row by row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(rows * columns)]


def save(figure: Any, out: Path, name: str) -> str:
    """Write a figure into ``out`` as PNG, the same bytes from the same figure; return the file's name."""
    file = re.sub(r"[^A-Za-z0-9.-]+", "-", name) + ".png"
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    write_atomically(out / file, content.getvalue())
    return file
