"""What sits on a node of a Ray cluster: one worker, loaded and compared before it gets any image."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bench.accuracy import Network, Ready, here
from bench.host import usable_cpus
from bench.inference import Predicted
from bench.parity import Differs, FirstRun
from bench.process import Model, Start, WorkerDied, WorkerFailed
from bench.records import Case, Parity
from bench.team import Team
from bench.types import Sample, Unavailable

Answer = TypeVar("Answer")

LOST = "lost"
"""The kind of what died: it may be tried again."""


@dataclass(frozen=True)
class Refused:
    """What came of asking an actor where it was no output; ``kind`` says what is raised for it here.

    Exceptions themselves do not travel: those with a signature of their own cannot be unpickled.
    """

    kind: str
    reason: str
    parity: Parity | None = None

    def error(self, batch: int) -> Exception:
        """Return the exception that one process would have raised."""
        if self.kind == "unavailable":
            return Unavailable(self.reason)
        if self.parity is not None:
            return Differs(self.parity, batch)
        return WorkerFailed(self.reason)


class Seat:
    """What an actor is: a worker of the very kind that a run in one process has."""

    def __init__(self, start: Start, model: Model, case: Case, network: Network, cached: bool) -> None:
        self.case, self.network, self.cached = case, network, cached
        self.team = Team(start, lambda _: model)
        self.stack = ExitStack()
        self.ready: Ready | None = None

    def node(self) -> str:
        """Return the node that it is on."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def begin(self, place: int) -> tuple[FirstRun, dict[str, str]] | Refused:
        """Load the network and compare its outputs. ``place``: how many others are before it on its node.

        Ray counts CPUs but gives none out, and workers take the first ones that they may use: so each gets its own.
        """
        cpus, threads = usable_cpus(), self.case.threads
        if hasattr(os, "sched_setaffinity") and len(cpus) >= threads:
            first = place % (len(cpus) // threads) * threads
            os.sched_setaffinity(0, cpus[first : first + threads])

        def load() -> tuple[FirstRun, dict[str, str]]:
            self.stack.enter_context(self.team)
            self.ready = self.stack.enter_context(here(self.case, self.network, self.team, cached=self.cached))
            return self.ready.first, self.ready.runtime

        return _answered(load)

    def predict(self, samples: Sequence[Sample]) -> Predicted | Refused:
        """Run a shard."""
        assert self.ready is not None
        return _answered(partial(self.ready.predict, samples, lambda _: None))


def _answered(work: Callable[[], Answer]) -> Answer | Refused:
    try:
        return work()
    except Unavailable as error:
        return Refused("unavailable", str(error))
    except Differs as error:
        return Refused("failed", str(error), error.parity)
    except WorkerDied as error:
        return Refused(LOST, str(error))
    except WorkerFailed as error:
        return Refused("failed", str(error))
