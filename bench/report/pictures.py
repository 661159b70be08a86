"""The pictures of a report that are drawn by matplotlib, each put into its album."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.records import Case, Result
from bench.report.album import Album
from bench.report.speed import SpeedUp

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
"""Paul Tol's bright colours, which the colour-blind can tell apart."""


def latency(timed: Sequence[Result], album: Album, suffix: str = "") -> str:
    """Draw each network's times as a box a backend (quartiles; whiskers p5 to p95); return the file's name.

    Networks differ by a factor of hundreds, so the axis is logarithmic.
    """
    figure, axes, places = _by_network(timed)
    for result in timed:
        assert result.latency is not None
        at, colour = places[result.case]
        axes.boxplot(
            [result.latency.times_ms],
            positions=[at],
            widths=0.8,
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": colour},
            whiskerprops={"color": colour},
            capprops={"color": colour},
            medianprops={"color": "black"},
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("ms a run, logarithmic; box: quartiles, black: median, whiskers: p5 to p95")
    return album.add(figure, f"latency{suffix}")


def speed_ups(timed: Sequence[Result], faster: Mapping[Case, SpeedUp], album: Album, suffix: str = "") -> str | None:
    """Draw each row's speed-up over its network's original framework as a bar with its interval; the file's name.

    None where no row has one.
    """
    shown = [result for result in timed if result.case in faster]
    if not shown:
        return None
    figure, axes, places = _by_network(shown)
    for result in shown:
        at, colour = places[result.case]
        ratio = faster[result.case].ratio
        axes.barh(at, ratio.value, height=0.8, color=colour)
        if ratio.low is not None and ratio.high is not None:
            axes.plot([ratio.low, ratio.high], [at, at], color="black", linewidth=1)
        axes.annotate(f" {ratio.value:.2f}", (max(ratio.value, ratio.high or 0), at), va="center", fontsize=6)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlim(left=0)
    axes.margins(x=0.06)
    axes.set_xlabel("times as fast as the network's original framework (line at 1); black: 95 % interval")
    return album.add(figure, f"speed-up{suffix}")


def _by_network(timed: Sequence[Result]) -> tuple[Any, Axes, dict[Case, tuple[float, str]]]:
    """Return a figure with a place and a colour for each row, the backends of a network together, and a legend."""
    groups: dict[str, list[Result]] = {}
    for result in timed:
        groups.setdefault(result.case.network, []).append(result)
    colours = dict(zip(dict.fromkeys(_backend(result) for result in timed), cycle(COLOURS), strict=False))
    figure, (axes,) = new_figure(9, 1.3 + 0.14 * len(timed) + 0.1 * len(groups), 1)
    at, ticks, places = 0.0, [], {}
    for number, members in enumerate(groups.values()):
        ticks.append(at + (len(members) - 1) / 2)
        if number % 2:
            axes.axhspan(at - 0.9, at + len(members) - 0.1, color="black", alpha=0.04, linewidth=0)
        for result in members:
            places[result.case] = at, colours[_backend(result)]
            at += 1
        at += 0.8
    axes.set_yticks(ticks, list(groups))
    axes.set_ylim(at - 0.8, -1)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="x", alpha=0.3)
    for name, colour in colours.items():
        axes.plot([], [], color=colour, linewidth=6, label=name)
    figure.legend(loc="outside upper center", ncols=min(6, len(colours)), fontsize=8, frameon=False)
    return figure, axes, places


def confusion(table: dict[str, Any], split: str, album: Album) -> str:
    """Draw our table of column shares, beside the published one where there is one; return the file's name."""
    published, side = table["published"], 1.6 + 0.45 * max(8, len(table["labels"]))
    figure, axes = new_figure(side if published is None else 2 * side, 0.95 * side, 1 if published is None else 2)
    _heat_map(axes[0], table["shares"], table["labels"], f"{table['title']}\non {split}")
    if published is not None:
        _heat_map(axes[1], published, table["labels"], f"published\n({table['where'].partition(';')[0]})")
    number = "" if table["number"] == 1 else f"-{table['number']}"
    return album.add(figure, f"confusion-{table['title']}-{split}{number}")


def cumulative(curves: Mapping[str, Sequence[float]], split: str, album: Album) -> str:
    """Draw which share of the faces each network is at most 0, 1, .. years off; return the file's name."""
    figure, axes = new_figure(9, 5, 1)
    styles = cycle(("-", "--", ":", "-."))
    looks = [(colour, style) for style, _ in zip(styles, range(4), strict=False) for colour in COLOURS]
    order = sorted(curves, key=lambda name: -curves[name][5])
    for name, (colour, style) in zip(order, cycle(looks), strict=False):
        shares = [100 * share for share in curves[name]]
        axes[0].plot(range(len(shares)), shares, color=colour, linestyle=style, marker=".", label=name)
    axes[0].set_xlabel("largest error, years")
    axes[0].set_ylabel("faces, %")
    axes[0].set_ylim(0, 100)
    axes[0].set_title(f"Cumulative score on {split}", fontsize=9)
    axes[0].grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return album.add(figure, f"cumulative-{split}")


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
