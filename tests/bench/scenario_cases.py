"""What the tests of the scenarios share: cases ready to be measured, and workers whose times are scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.accuracy import Network
from bench.process import WorkerProcess, open_worker
from bench.records import Case, RunConfig
from bench.scenarios import Given
from bench.team import Team
from bench.types import Split

STEPWISE = str(Path(__file__).parent / "backends" / "stepwise.py")


@contextmanager
def given(cases: Sequence[Case], network: Network, splits: Sequence[Split] = (), **changes: Any) -> Iterator[Given]:
    values = {
        "networks": ("tiny",),
        "backends": tuple(case.backend for case in cases),
        "device": "cpu",
        "precisions": ("fp32",),
        "data": (),
        "batches": (1,),
        "threads": 1,
        "limit": None,
        "only": None,
        "budget": 0.02,
    }
    config = RunConfig.model_validate({**values, **changes})

    def start(case: Case) -> Any:
        return open_worker(case.backend, case.device, case.threads, 60)

    with Team(start, lambda case: network.given(case, source=False)) as team:
        yield Given(list(cases), network, team, splits, config, lambda _: None)


def scripted(monkeypatch: Any, answers: dict[str, Callable[..., dict[str, Any]]]) -> list[tuple[int, str, Any]]:
    """Let workers answer requests by ``answers``, which get the batch last run and the request's arrays and fields.

    All other requests are really asked. Returns a list that fills with each request: process, name, batch.
    """
    asked: list[tuple[int, str, Any]] = []
    last: dict[int, int] = {}
    ask = WorkerProcess.ask

    def spy(worker: WorkerProcess, do: str, arrays: Any = None, **request: Any) -> Any:
        pid = worker.process.pid
        if do == "run":
            last[pid] = len(next(iter(arrays.values())))
        asked.append((pid, do, last.get(pid)))
        real, outputs = ask(worker, do, arrays, **request) if do != "serve" or do not in answers else ({}, {})
        if do in answers:
            return {**real, **answers[do](last.get(pid), arrays=arrays, **request)}, outputs
        return real, outputs

    monkeypatch.setattr(WorkerProcess, "ask", spy)
    return asked
