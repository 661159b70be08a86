"""Work in processes of its own, a few at a time.

Each worker has a pipe that nobody else holds. So it ends when whoever started it is killed; one of the standard
library's pools would wait for its next piece of work for ever.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, ParamSpec, Protocol, TypeVar

from converters.errors import BadInput
from zoo import progress

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Order = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
Worker = tuple[SpawnProcess, Connection]


class Start(Protocol):
    """How a piece of work is begun."""

    def __call__(
        self, what: str, work: Callable[Arguments, Answer], *given: Arguments.args, **named: Arguments.kwargs
    ) -> Future[Answer]:
        """Call ``work`` when its turn comes; ``what`` is shown meanwhile."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(jobs: int) -> Iterator[Start]:
    """Yield what starts a piece of work: ``jobs`` at a time in processes of their own, or one by one in this one.

    The future raises the BadInput that the work raised, or BadInput for an OSError, or when its process died. What has
    not begun when the body raises never begins.
    """
    workers: dict[int, Worker] = {}
    pool = ThreadPoolExecutor(jobs)

    def start(
        what: str, work: Callable[Arguments, Answer], *given: Arguments.args, **named: Arguments.kwargs
    ) -> Future[Answer]:
        def run() -> Answer:
            with progress.task(what):
                return _done(work, given, named) if jobs == 1 else _apart(workers, what, (work, given, named))

        return pool.submit(run)

    try:
        yield start
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for process, pipe in workers.values():
            pipe.close()
            process.join()


def _apart(workers: dict[int, Worker], what: str, order: Order) -> Any:
    """Have this thread's worker do it, the next one if that died."""
    thread = threading.get_ident()
    if thread not in workers:
        workers[thread] = _worker()
    process, pipe = workers[thread]
    try:
        pipe.send(order)
        answer = pipe.recv()
    except (EOFError, OSError):
        del workers[thread]
        pipe.close()
        process.join()
        raise BadInput(f"{what}: its process {_end(process.exitcode or 0)}") from None
    if isinstance(answer, BadInput):
        raise answer
    return answer


def _worker() -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _work(pipe: Connection) -> None:
    """Do what comes, until who sends it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is told once, by the process that started this one
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            work, given, named = pipe.recv()
            try:
                answer = _done(work, given, named)
            except BadInput as error:
                answer = error
            pipe.send(answer)


def _done(work: Callable[..., Answer], given: tuple[Any, ...], named: dict[str, Any]) -> Answer:
    try:
        return work(*given, **named)
    except OSError as error:
        raise as_bad_input(error) from error


def as_bad_input(error: BadInput | OSError) -> BadInput:
    """Return a BadInput as it is, and what a disk said as what a person can mend: with the file, in one line."""
    if isinstance(error, BadInput):
        return error
    where = f"{error.filename}: " if error.filename else ""
    return BadInput(f"{where}{error.strerror or error or type(error).__name__}")


def _end(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed; if memory was short, --jobs 1 takes less"
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
