"""What a time is held against where two machines differ: something of fixed work that both measured in the same run.

The network in its original framework is the better one, for it slows with what the network needs; else it is the
machine's best convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.records import Case, Kernel, Result, RunRecord
from bench.roofline import SHARE
from bench.statistics import Rounds, medians

SOURCE = "source"


@dataclass(frozen=True)
class Relative:
    """The rounds of both sides in units of the reference that ``by`` names."""

    by: str
    baseline: Rounds
    candidate: Rounds


def relative(
    cases: tuple[Case, Case],
    rounds: tuple[Rounds, Rounds],
    results: tuple[Mapping[Case, Result], Mapping[Case, Result]],
    runs: tuple[RunRecord, RunRecord],
) -> Relative | None:
    """Return the times of a case on both sides in units of a reference that both have; None where there is none."""
    sources = [case.model_copy(update={"backend": SOURCE, "precision": "fp32"}) for case in cases]
    found = [side.get(source) for side, source in zip(results, sources, strict=True)]
    of = [r.latency.by_round() if r is not None and r.status == "ok" and r.latency else [] for r in found]
    if cases[1].backend != SOURCE and all(of):
        both = [_in_units(own, reference) for own, reference in zip(rounds, of, strict=True)]
        return Relative("the original framework (source)", *both)
    kernel = best_kernel(*runs, *((case.device, case.threads) for case in cases))
    if kernel is None:
        return None
    name, before, now = kernel
    return Relative(name, [[t / before for t in r] for r in rounds[0]], [[t / now for t in r] for r in rounds[1]])


def _in_units(own: Rounds, reference: Rounds) -> Rounds:
    """Return rounds in units of the reference's same rounds, or of its median where they were not side by side."""
    middles = medians(reference)
    if len(own) != len(middles):
        middles = [float(np.median(middles))] * len(own)
    return [[time / middle for time in times] for times, middle in zip(own, middles, strict=True)]


def best_kernel(
    baseline: RunRecord, candidate: RunRecord, before: tuple[str, int], now: tuple[str, int]
) -> tuple[str, float, float] | None:
    """Return the convolution that is the baseline's best of those that both runs timed, at their device and threads.

    With its name, and its time in ms (p10, as for the machine's limits) on both sides; None where there is none.
    """
    old, new = _kernels(baseline, *before), _kernels(candidate, *now)
    common = sorted(key for key in old if key in new and old[key].operations)
    if not common:
        return None
    best = max(common, key=lambda key: old[key].operations / _time(old[key]))
    return f"{best[0]} on {best[1]}", _time(old[best]), _time(new[best])


def _kernels(run: RunRecord, device: str, threads: int) -> dict[tuple[str, str], Kernel]:
    of = [limit.kernels for limit in run.limits if (limit.device, limit.threads) == (device, threads)]
    return {(kernel.name, kernel.backend): kernel for kernels in of for kernel in kernels}


def _time(kernel: Kernel) -> float:
    return float(np.percentile(kernel.times_ms, SHARE))
