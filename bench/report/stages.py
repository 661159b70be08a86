"""The stages of an inference: a table a network and backend, and a picture of each network's fastest backend.

Times of ``decode`` and ``prepare`` are of one image, those of the other stages of a run of a whole batch: here all are
brought to ms an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

from bench.records import Result
from bench.report.album import Album
from bench.report.pictures import new_figure
from bench.stages import PER_IMAGE, STAGES

Row = dict[str, Any]

TITLES = {
    "decode": "decode",
    "prepare": "resize and normalise",
    "host_to_device": "host to device",
    "inference": "inference",
    "run": "copies and inference",
    "device_to_host": "device to host",
    "heads": "heads",
}


def stages_ms(result: Result) -> dict[str, float]:
    """Return the median of each stage in ms an image, in the order of an image's way; none where none were taken."""
    if result.latency is None:
        return {}
    taken = result.latency.stages_ms
    return {
        stage: float(np.median(taken[stage])) / (1 if stage in PER_IMAGE else result.case.batch)
        for stage in STAGES
        if stage in taken
    }


def stage_rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each case with stages; a stage that none of them has is no column."""
    staged = [(result, stages_ms(result)) for result in results]
    there = [stage for stage in STAGES if any(stage in medians for _, medians in staged)]
    rows = []
    for result, medians in staged:
        if not medians:
            continue
        assert result.latency is not None
        case = result.case
        named = {"network": case.network, "backend": case.backend, "device": case.device}
        own = result.latency.stages_ms.get("inference", result.latency.stages_ms.get("run", ()))
        rows.append(
            {
                **named,
                "precision": case.precision,
                "batch": case.batch,
                "threads": case.threads,
                **{TITLES[stage]: f"{medians[stage]:.3f}" if stage in medians else "-" for stage in there},
                "sum": f"{sum(medians.values()):.3f}",
                "n": f"{len(result.latency.stages_ms.get('decode', ()))} images, {len(own)} run{'s' * (len(own) != 1)}",
            }
        )
    return rows


def fastest_stages(results: Sequence[Result]) -> dict[str, tuple[Result, dict[str, float]]]:
    """Return each network's fastest case with its stages in ms an image."""
    fastest: dict[str, tuple[Result, dict[str, float]]] = {}
    for result in results:
        medians = stages_ms(result)
        before = fastest.get(result.case.network)
        if medians and (before is None or sum(medians.values()) < sum(before[1].values())):
            fastest[result.case.network] = result, medians
    return fastest


def picture(results: Sequence[Result], album: Album) -> str | None:
    """Draw the shares of each network's fastest case as stacked bars, its ms beside it; return the file's name, if any.

    Networks differ by a factor of hundreds, so the bars are shares of the whole.
    """
    from matplotlib.ticker import PercentFormatter

    fastest = fastest_stages(results)
    if not fastest:
        return None
    there = [stage for stage in STAGES if any(stage in medians for _, medians in fastest.values())]
    colours = dict(
        zip(STAGES, cycle(("#66ccee", "#4477aa", "#ccbb44", "#228833", "#aa3377", "#ee6677", "#bbbbbb")), strict=False)
    )
    figure, axes = new_figure(9, 1.3 + 0.34 * len(fastest), 1)
    left = np.zeros(len(fastest))
    totals = np.asarray([sum(medians.values()) for _, medians in fastest.values()])
    for stage in there:
        shares = np.asarray([medians.get(stage, 0.0) for _, medians in fastest.values()]) / totals
        axes[0].barh(range(len(fastest)), shares, left=left, color=colours[stage], label=TITLES[stage])
        left += shares
    for row, total in enumerate(totals):
        axes[0].text(1.01, row, f"{total:.2f} ms", va="center", fontsize=8)
    names = [f"{name}\n{_where(result)}" for name, (result, _) in fastest.items()]
    axes[0].set_yticks(range(len(fastest)), names, fontsize=8)
    axes[0].invert_yaxis()
    axes[0].set_xlim(0, 1)
    axes[0].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].set_xlabel("share of the time of one image, from its file to its ages and genders")
    figure.legend(loc="outside upper center", ncols=len(there), fontsize=8, frameon=False)
    return album.add(figure, "stages")


def _where(result: Result) -> str:
    case = result.case
    return f"{case.backend} on {case.device}, {case.precision}, {case.threads} threads"
