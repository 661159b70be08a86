"""One case on its way through a scenario: what is known of it so far, and what ends it.

A candidate that goes wrong keeps the points that it has: they were measured, and of outputs that were right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from bench.parity import Differs, FirstRun, first_run
from bench.process import WorkerFailed
from bench.records import Case, Fingerprint, Parity, Point, Result
from bench.team import Opened, Team
from bench.types import Unavailable
from zoo.golden import Golden


@dataclass
class Candidate:
    """``ended``: it takes no further turn. ``reason`` is empty for one that is ok."""

    case: Case
    fingerprint: Fingerprint | None = None
    first: FirstRun | None = None
    runtime: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    ended: bool = False
    status: Literal["ok", "skipped", "failed"] = "ok"
    reason: str | None = None
    differs: Parity | None = None

    def end(self, status: Literal["skipped", "failed"], reason: str) -> None:
        """Let it be skipped or failed, and take no further turn."""
        self.status, self.reason, self.ended = status, reason, True

    def result(self) -> Result:
        """Return what became of it; its parity is the worst of any batch size, its memory the most."""
        found = [point.parity for point in self.points if point.parity is not None]
        if not found and self.first is not None:
            found = [self.first.parity]
        return Result(
            case=self.case,
            status=self.status,
            reason=self.reason,
            placement=None if self.first is None else self.first.placement,
            strays=() if self.first is None else self.first.strays,
            runtime=self.runtime,
            memory_mb=max((p.memory_mb for p in self.points if p.memory_mb is not None), default=None),
            device_memory_mb=max((p.device_memory_mb for p in self.points if p.device_memory_mb), default=None),
            parity=self.differs or max(found, key=lambda parity: parity.max_abs, default=None),
            fingerprint=self.fingerprint,
            warnings=tuple(dict.fromkeys([*(self.first.warnings() if self.first else ()), *self.warnings])),
            points=tuple(self.points),
        )


def attempt(candidate: Candidate, team: Team, step: Callable[[Candidate, Opened], None], where: str = "") -> None:
    """Give a candidate its turn for one step, unless it has ended; what goes wrong ends it.

    ``where`` goes before the reason of a failure.
    """
    if candidate.ended:
        return
    try:
        with team.turn(candidate.case) as opened:
            step(candidate, opened)
    except Unavailable as error:
        candidate.end("skipped", str(error))
    except Differs as error:
        candidate.differs = error.parity
        candidate.end("failed", str(error))
    except WorkerFailed as error:
        candidate.end("failed", f"{where}{error}")


def compared(candidate: Candidate, opened: Opened, golden: Golden, batch: int) -> FirstRun:
    """Run at a batch size for the first time. Raises Differs where the outputs are not the reference's."""
    candidate.runtime = {**opened.runtime, **candidate.runtime}
    first = first_run(opened.worker, golden, candidate.case.model_copy(update={"batch": batch}))
    candidate.first = first
    candidate.runtime.update(first.details)
    return first


def warm(candidate: Candidate, opened: Opened, window: float, batch: int) -> None:
    """Warm up on the last feeds for windows of ``window`` seconds."""
    if not opened.worker.ask("warm_up", window=window)[0]["steady"]:
        candidate.warnings.append(
            f"unsteady: at batch {batch} the warm-up ended before two windows agreed within 5 %; "
            "close other programs and repeat"
        )
