"""What both sides are asked, what comes of it, and the workers that they are asked by.

The cases of both sides are the same. Only a worker's own case says whose it is, and how many threads that side has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.ab.sides import Absent, Label, Side
from bench.accuracy import Network
from bench.plan import accuracy_batch
from bench.process import Model, open_worker
from bench.records import Case, Result
from bench.team import Team
from bench.types import Split
from bench.verdict import Verdict
from converters.errors import BadInput

Tell = Callable[[str], Any]


@dataclass(frozen=True)
class Given:
    """What both sides are asked: ``source`` is what to import of the backend, ``form`` the format that it reads.

    ``network`` is the harness's own.
    """

    sides: tuple[Side, Side]
    network: Network
    backend: str
    source: str
    form: str
    batches: tuple[int, ...]
    threads: int
    splits: tuple[Split, ...]
    budget: float
    max_slowdown: float
    timeout: float
    reads_source: bool = False

    def case(self, batch: int) -> Case:
        """Return the case of latency that both sides' results have."""
        return Case(
            network=self.network.name, backend=self.backend, device="cpu", precision="fp32", batch=batch,
            threads=self.threads, kind="latency",
        )  # fmt: skip

    def scored(self, split: Split) -> Case:
        """Return the case of accuracy on ``split`` that both sides' results have."""
        on = {"kind": "accuracy", "dataset": split.dataset, "split": split.split}
        return self.case(accuracy_batch(self.network.spec)).model_copy(update=on)


@dataclass
class Pair:
    """What became of one latency case: a Result of either side, and how they compare.

    ``farthest``: the largest difference between the outputs of the two, None where one has none. ``sets``: how many
    sets of fresh workers were timed, each of which started anew (``cold_ms``, by side).
    """

    results: tuple[Result, Result]
    verdict: Verdict | None = None
    farthest: float | None = None
    sets: int = 0
    cold_ms: tuple[list[dict[str, float]], list[dict[str, float]]] = field(default_factory=lambda: ([], []))


@dataclass
class Measured:
    """Everything of one network and backend: a pair for each batch size, and scores of both sides for each split."""

    given: Given
    pairs: list[Pair]
    scores: list[tuple[Result, Result]] = field(default_factory=list)


def ended(given: Given, batch: int, status: Literal["skipped", "failed"], reason: str) -> Result:
    """Return a latency case that has no number, and why."""
    return Result(case=given.case(batch), status=status, reason=reason)


def refused(side: Side, case: Case, error: BadInput) -> Result:
    """Return what a side's case ends with that has no such network, or the wrong one: new on A is no fault."""
    if isinstance(error, Absent) and side.label == "A":
        return Result(case=case, status="skipped", reason=f"new: {error}")
    word = "vanished: " if isinstance(error, Absent) else ""
    return Result(case=case, status="failed", reason=f"{word}{error}")


def labelled(case: Case, side: Side) -> Case:
    """Return what a side's worker is started for: its own backend in the team, and its own threads."""
    own = {"backend": f"{side.label}: {case.backend}", "threads": side.spec.threads or case.threads}
    return case.model_copy(update=own)


def with_threads(result: Result, side: Side) -> Result:
    """Return a result that says so where it had other threads than its case: both sides' cases are the same."""
    if side.spec.threads in (None, result.case.threads):
        return result
    return result.model_copy(update={"runtime": {**result.runtime, "threads": str(side.spec.threads)}})


def team_of(given: Given, networks: dict[Label, Network]) -> Team:
    """Return the workers of both sides for ``networks``, each under its side's interpreter and of its side's code."""
    sides = {f"{side.label}: {given.backend}": side for side in given.sides}

    def start(case: Case) -> Any:
        side = sides[case.backend]
        return open_worker(
            given.source,
            case.device,
            case.threads,
            given.timeout,
            python=side.interpreter(given.source, given.form),
            options=side.spec.options,
            packages=side.packages,
        )

    def model(case: Case) -> Model:
        return networks[sides[case.backend].label].given(case, source=given.reads_source)

    return Team(start, model)
