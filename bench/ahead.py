"""Work that is done ahead in threads, its results taken in order: never more than a few wait to be taken."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from bench.host import usable_cpus

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(
    given: Iterable[Given], work: Callable[[Given], Made], pool: Executor, ahead: int
) -> Generator[Made, None, None]:
    """Yield ``work`` of each of ``given``, in their order; at most ``ahead`` of them are begun and not yet taken.

    What ``work`` raises is raised when its turn comes. What is begun is waited for when the generator is closed, so
    that nothing runs on beside what follows.
    """
    begun: deque[Future[Made]] = deque()
    try:
        for one in given:
            begun.append(pool.submit(work, one))
            if len(begun) == ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            if not future.cancel():
                future.exception()


def cpus_left(threads: int) -> list[int]:
    """Return the CPUs that a worker of ``threads`` threads leaves for decoding; none where it takes them all."""
    return usable_cpus()[threads:]


@contextmanager
def decoders(cpus: Sequence[int]) -> Iterator[Executor]:
    """Make a pool of one thread on each of ``cpus``; without any, of one that runs where the system puts it.

    As long as there is the pool, OpenCV's own functions use one thread each, and the calling thread keeps off ``cpus``:
    it feeds the worker, which would wait for it whenever it shared a CPU with a decoder that is at work.
    """
    pool = ThreadPoolExecutor(len(cpus) or 1, initializer=_pin, initargs=(cpus,))
    with one_cv2_thread(), _keeping_off(cpus), pool:
        yield pool


@contextmanager
def one_cv2_thread() -> Iterator[None]:
    """Let OpenCV's own functions use one thread here, for as long as the block lasts."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def _keeping_off(cpus: Sequence[int]) -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    rest = before - set(cpus)
    os.sched_setaffinity(0, rest or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _pin(cpus: Sequence[int]) -> None:
    if cpus and sys.platform == "linux":
        os.sched_setaffinity(0, cpus)  # 0 is the calling thread alone
