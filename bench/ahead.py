"""Work that is done ahead in threads, its results taken in order: never more than a few wait to be taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from typing import TypeVar

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
