"""The error in years by true age: a panel a network, the others behind it in grey, with intervals and n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.records import Score, Slices
from bench.report.album import Album
from bench.report.pictures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4


def by_age(scores: Mapping[str, Score], split: str, album: Album) -> str | None:
    """Draw the error of each network by age group, the best network first; return the file's name.

    None where no score has slices by age.
    """
    from matplotlib.collections import LineCollection

    found = {name: slices for name, score in scores.items() if (slices := _slices(score)) is not None}
    if not found:
        return None
    order = sorted(found, key=lambda name: scores[name].value)
    alike = len({(slices.labels, slices.n) for slices in found.values()}) == 1
    columns = min(COLUMNS, len(order))
    lines = -(-len(order) // columns)
    figure, axes = new_figure(1 + 2.9 * columns, 0.9 + 2.2 * lines, columns, lines)
    for number, (panel, name) in enumerate(zip(axes, order, strict=False)):
        beside = order[number // columns * columns :][:columns]  # a row shares its scale: networks that err alike
        grey = [
            list(zip(_places(found[other], found[name]), found[other].values, strict=True))
            for other in order
            if other != name
        ]
        panel.add_collection(LineCollection(grey, colors="#bbbbbb", linewidths=0.6))
        _line(panel, found[name])
        panel.set_ylim(0, 1.05 * max(max(found[one].high) for one in beside))
        panel.set_title(f"{name}: {scores[name].value:.2f} years", fontsize=8)
        if number % columns == 0:
            panel.set_ylabel("MAE, years", fontsize=8)
        else:
            panel.tick_params(labelleft=False)
        if alike and number + columns < len(order):
            panel.tick_params(labelbottom=False)
    for unused in axes[len(order) :]:
        unused.set_visible(False)
    figure.suptitle(
        f"Error by true age on {split}; bars: 95 % intervals, grey: the other networks; each row has its scale",
        fontsize=9,
    )
    return album.add(figure, f"error-by-age-{split}")


def _slices(score: Score) -> Slices | None:
    return next((slices for slices in score.slices if slices.by == "age group"), None)


def _places(of: Slices, beside: Slices) -> Sequence[float]:
    """Return where the groups of one network stand among those of another: all of one split are the same."""
    known = {label: place for place, label in enumerate(beside.labels)}
    return [known.get(label, float("nan")) for label in of.labels]


def _line(panel: Axes, slices: Slices) -> None:
    places = range(len(slices.labels))
    panel.plot(places, slices.values, color=COLOURS[0], marker="o", markersize=3, linewidth=1.2)
    panel.vlines(places, slices.low, slices.high, color=COLOURS[0], linewidth=1)
    ticks = [f"{label}\nn {n}" for label, n in zip(slices.labels, slices.n, strict=True)]
    panel.set_xticks(list(places), ticks, fontsize=5.5)
    panel.tick_params(axis="y", labelsize=7)
    panel.grid(axis="y", alpha=0.3)
