"""The gate before every number: a worker's outputs against those of the source framework, at the batch size used.

A network in half precision has to be within what that costs. One of 8 bits has no such bound: its row says how far it
is, and its accuracy says what that means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.process import WorkerFailed, WorkerProcess
from bench.records import Case, Parity, Precision
from bench.types import Advice
from converters.verify import Difference, close_enough, differences
from zoo.golden import Golden
from zoo.verify import BOUNDS

LISTED = 20
"""How many nodes a warning names; the result has all of them."""


class Differs(WorkerFailed):
    """A worker's outputs are too far from the reference's to be measured."""

    def __init__(self, parity: Parity, batch: int) -> None:
        """Keep how far they are."""
        super().__init__(
            f"outputs differ from {parity.reference} by {parity.max_abs:.2g} at batch {batch} "
            f"(relative to the largest: {parity.max_rel:.2g}): nothing was measured"
        )
        self.parity = parity


@dataclass(frozen=True)
class FirstRun:
    """What the first run at a batch size told: how far the outputs are, what ran where, and how long it took."""

    parity: Parity
    placement: dict[str, int]
    strays: tuple[str, ...]
    details: dict[str, str]
    run_ms: float

    def warnings(self) -> list[str]:
        """Warn of nodes that did not run on the device, by name."""
        if not self.strays:
            return []
        total, elsewhere = sum(self.placement.values()), ", ".join(list(self.placement)[1:])
        more = f" and {len(self.strays) - LISTED} more" if len(self.strays) > LISTED else ""
        return [
            f"{Advice.PARTIAL}: {len(self.strays)} of {total} nodes ran on {elsewhere}: "
            f"{', '.join(self.strays[:LISTED])}{more}; the copies to and fro count in its times"
        ]


def first_run(worker: WorkerProcess, golden: Golden, case: Case) -> FirstRun:
    """Run the golden inputs, repeated to the batch size of ``case``, for the first time.

    Raises Differs when that is further than the precision of ``case`` lets pass.
    """
    feeds, wanted = golden.cycle(case.batch)
    answer, outputs = worker.ask("run", feeds)
    if not wanted.keys() <= outputs.keys():
        raise WorkerFailed(f"the outputs are {', '.join(outputs)}; the network has {', '.join(wanted)}")
    placement = answer["placement"]
    check_placement(placement)
    found = differences(wanted, outputs)
    parity = Parity(
        reference=golden.source,
        max_abs=max(d.max_abs for d in found.values()),
        max_rel=max(d.max_rel for d in found.values()),
    )
    if not all(_passes(wanted[name], difference, case.precision) for name, difference in found.items()):
        raise Differs(parity, case.batch)
    return FirstRun(parity, placement, tuple(answer["strays"]), dict(answer["details"]), answer["run_ms"])


def _passes(expected: np.ndarray[Any, Any], difference: Difference, precision: Precision) -> bool:
    if precision in {"fp32", "winograd"}:
        return close_enough(expected, difference)
    if precision == "fp16":
        return difference.max_abs <= BOUNDS["fp16"] * max(1.0, float(np.abs(expected).max(initial=0)))
    return math.isfinite(difference.max_abs)


def check_placement(placement: object) -> None:
    """Raise WorkerFailed unless a backend says how many nodes ran where: no number without that."""
    if not (isinstance(placement, dict) and placement and all(type(n) is int and n > 0 for n in placement.values())):
        raise WorkerFailed(f"the backend does not say where its nodes ran but {placement!r}: nothing can be measured")
