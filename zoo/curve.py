"""A training as a picture: loss and the number that chose the weights, against the epochs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Log = Sequence[dict[str, float]]


def curve(log: Log, monitor: str, mode: str, title: str) -> bytes:
    """Draw a log (a line an epoch, as ``zoo.training`` keeps it) and return a PNG: the same bytes from the same log.

    ``monitor`` is the validation number that chose the weights, ``mode`` whether its ``min`` or its ``max``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    best = (min if mode == "min" else max)(log, key=lambda line: line[monitor])
    for axes, name in zip(figure.subplots(1, 2), ("loss", monitor.removeprefix("val_")), strict=True):
        _lines(axes, log, name)
        axes.axvline(best["epoch"] + 1, color="0.6", linestyle=":", label="these weights are kept")
        axes.legend(fontsize=8)
    axes.plot(best["epoch"] + 1, best[monitor], "o", color="C1")
    figure.suptitle(f"{title}: best {monitor} {best[monitor]:.4g} in epoch {best['epoch'] + 1:.0f} of {len(log)}")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _lines(axes: Axes, log: Log, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [line["epoch"] + 1 for line in log]
    for column, label, style in ((name, "train", "C0.-"), (f"val_{name}", "validation", "C1.-")):
        axes.plot(epochs, [line[column] for line in log], style, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel(name.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
