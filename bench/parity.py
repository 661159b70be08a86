"""The gate before every number: a worker's outputs against those of the source framework, at the batch size used."""

from __future__ import annotations

from bench.process import WorkerFailed, WorkerProcess
from bench.records import Parity
from converters.verify import close_enough, differences
from zoo.golden import Golden


class Differs(WorkerFailed):
    """A worker's outputs are too far from the reference's to be measured."""

    def __init__(self, parity: Parity, batch: int) -> None:
        """Keep how far they are."""
        super().__init__(
            f"outputs differ from {parity.reference} by {parity.max_abs:.2g} at batch {batch} "
            f"(relative to the largest: {parity.max_rel:.2g}): nothing was measured"
        )
        self.parity = parity


def first_run(worker: WorkerProcess, golden: Golden, batch: int) -> tuple[Parity, dict[str, int], float]:
    """Run the golden inputs, repeated to ``batch``, for the first time.

    Returns how far the outputs are from the golden ones, how many nodes ran where, and the milliseconds it took.
    Raises Differs when that is further than ``converters.verify.close_enough`` lets pass.
    """
    feeds, wanted = golden.cycle(batch)
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
    if not all(close_enough(wanted[name], difference) for name, difference in found.items()):
        raise Differs(parity, batch)
    return parity, placement, answer["run_ms"]


def check_placement(placement: object) -> None:
    """Raise WorkerFailed unless a backend says how many nodes ran where: no number without that."""
    if not (isinstance(placement, dict) and placement and all(type(n) is int and n > 0 for n in placement.values())):
        raise WorkerFailed(f"the backend does not say where its nodes ran but {placement!r}: nothing can be measured")
