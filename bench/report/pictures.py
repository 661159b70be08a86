"""The pictures of a report, as PNG beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.records import Result
from bench.results import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def latency(results: Sequence[Result], out: Path) -> str | None:
    """Draw each backend's times as a box (quartiles; whiskers p5 to p95); return the file's name, if any."""
    timed = [r for r in results if r.latency is not None]
    if not timed:
        return None
    figure, axes = _figure(9, 0.9 + 0.42 * len(timed), 1)
    names = [f"{r.case.network}, batch {r.case.batch}\n{r.case.backend} on {r.case.device}" for r in timed]
    times = [r.latency.times_ms for r in timed if r.latency is not None]
    axes[0].boxplot(times, orientation="horizontal", whis=(5, 95), showfliers=False, tick_labels=names, widths=0.6)
    axes[0].invert_yaxis()
    axes[0].set_xlim(left=0)
    axes[0].set_xlabel("ms a run; box: quartiles, whiskers: p5 to p95")
    axes[0].tick_params(axis="y", labelsize=7)
    axes[0].grid(axis="x", alpha=0.3)
    return _save(figure, out, "latency")


def confusion(table: dict[str, Any], split: str, out: Path) -> str:
    """Draw our table of column shares, beside the published one where there is one; return the file's name."""
    published = table["published"]
    figure, axes = _figure(6 if published is None else 11.5, 5.2, 1 if published is None else 2)
    _heat_map(axes[0], table["shares"], table["labels"], f"{table['network']} on {split}")
    if published is not None:
        _heat_map(axes[1], published, table["labels"], f"published ({table['where'].partition(';')[0]})")
    number = "" if table["number"] == 1 else f"-{table['number']}"
    return _save(figure, out, f"confusion-{table['network']}-{split}{number}")


def _heat_map(axes: Axes, shares: np.ndarray[Any, Any], labels: Sequence[str], title: str) -> None:
    axes.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        value = shares[row, column]
        text, dark = ("-" if np.isnan(value) else f"{value:.2f}"), value > 0.5
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("true age group")
    axes.set_ylabel("predicted age group")
    axes.set_title(title, fontsize=10)


def _figure(width: float, height: float, columns: int) -> tuple[Any, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, i + 1) for i in range(columns)]


def _save(figure: Any, out: Path, name: str) -> str:
    file = re.sub(r"[^A-Za-z0-9.-]+", "-", name) + ".png"
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    write_atomically(out / file, content.getvalue())
    return file
