"""The workers of one network: one a backend, started when it is first needed and kept for the cases that follow.

The batch sizes of a network come in rising order through the same process, as they do in a server: a runtime that is
wrong when a used network gets a larger batch is caught by the comparison before each case. A worker that goes wrong is
ended, and the next case starts a fresh one; only what cannot even be loaded is not tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from bench.process import Model, Start, WorkerFailed, WorkerProcess
from bench.records import Case
from bench.types import Unavailable


@dataclass(frozen=True)
class Opened:
    """A worker that has loaded its network: milliseconds of the cold start, and what runs it."""

    worker: WorkerProcess
    cold_ms: Mapping[str, float]
    runtime: dict[str, str] = field(default_factory=dict)


class Team:
    """The workers of one network, precision and number of threads. A context manager that ends them all."""

    def __init__(self, start: Start, model: Callable[[Case], Model]) -> None:
        """Keep how a worker is started, and what a case's backend is to load."""
        self.start = start
        self.model = model
        self._opened: dict[str, tuple[Opened, ExitStack]] = {}
        self._refused: dict[str, Exception] = {}

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every worker."""
        for backend in list(self._opened):
            self._end(backend)

    @contextmanager
    def turn(self, case: Case) -> Iterator[Opened]:
        """Let the worker of a case's backend run for as long as the block lasts; all others are stopped.

        Raises Unavailable where the backend refuses, WorkerFailed where it cannot load the network. A worker that fails
        in the block is ended.
        """
        opened = self._worker(case)
        try:
            with opened.worker.turn():
                yield opened
        except (WorkerFailed, Unavailable):
            self._end(case.backend)
            raise

    def _worker(self, case: Case) -> Opened:
        if case.backend in self._refused:
            raise self._refused[case.backend]
        if case.backend not in self._opened:
            stack = ExitStack()
            try:
                worker = stack.enter_context(self.start(case))
                with worker.turn():
                    loaded, _ = worker.ask("load", model=self.model(case))
            except (WorkerFailed, Unavailable) as error:
                self._refused[case.backend] = error
                stack.close()
                raise
            except BaseException:
                stack.close()
                raise
            self._opened[case.backend] = (_opened(worker, loaded), stack)
        return self._opened[case.backend][0]

    def _end(self, backend: str) -> None:
        if backend in self._opened:
            self._opened.pop(backend)[1].close()


def _opened(worker: WorkerProcess, loaded: Mapping[str, Any]) -> Opened:
    return Opened(worker, loaded["cold_ms"], {"version": loaded["version"], "python": loaded["python"]})
