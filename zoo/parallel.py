"""Work in processes of its own, a few at a time.

One process a piece of work, not a pool that lives on: when this process is killed, a worker of a pool would wait for
its next piece for ever; these end with the one they have.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import ParamSpec, Protocol, TypeVar

from converters.errors import BadInput
from zoo import progress

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


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
    """Yield what starts a piece of work: ``jobs`` at a time, each in a process of its own, one alone in this one.

    The future raises the BadInput that the work raised, or BadInput when its process died. What has not begun when the
    body raises never begins.
    """
    pool = ThreadPoolExecutor(jobs)

    def start(
        what: str, work: Callable[Arguments, Answer], *given: Arguments.args, **named: Arguments.kwargs
    ) -> Future[Answer]:
        def run() -> Answer:
            with progress.task(what):
                return work(*given, **named) if jobs == 1 else _apart(what, work, given, named)

        return pool.submit(run)

    try:
        yield start
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _apart(what: str, work: Callable[..., Answer], given: tuple[object, ...], named: dict[str, object]) -> Answer:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, work, given, named), daemon=True)
    process.start()
    theirs.close()
    try:
        answer: Answer | BadInput = ours.recv()
    except EOFError:
        process.join()
        raise BadInput(f"{what}: its process {_end(process.exitcode or 0)}") from None
    process.join()
    if isinstance(answer, BadInput):
        raise answer
    return answer


def _answer(
    theirs: Connection, work: Callable[..., object], given: tuple[object, ...], named: dict[str, object]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is told once, by the process that started this one
    try:
        theirs.send(work(*given, **named))
    except BadInput as error:
        theirs.send(error)


def _end(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed; if memory was short, --jobs 1 takes less"
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
