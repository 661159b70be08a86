"""What goes on, drawn on stderr while a person is watching, and nothing at all when nobody is.

One drawing for the whole program: rich cannot keep two on one terminal, and files arrive while networks are converted.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.progress import Progress

Unit = Literal["bytes", "steps"]
Advance = Callable[[float], None]

_lock = threading.Lock()
_drawn: list[Progress] = []
"""The one drawing while there is one, once for each task in it."""


@contextmanager
def task(what: str, total: float | None = None, unit: Unit = "steps") -> Iterator[Advance]:
    """Draw a line for ``what`` and yield a function to be told how much of ``total`` is done (None: nobody knows)."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    drawing = _begin()
    line = drawing.add_task(what, total=total, amount="" if total is None else _amount(0, total, unit))
    try:
        yield lambda done: drawing.update(line, completed=done, amount=_amount(done, total, unit))
    finally:
        drawing.remove_task(line)
        _end()


def _begin() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with _lock:
        if not _drawn:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"))
            drawing = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
            drawing.start()
            _drawn.append(drawing)
        else:
            _drawn.append(_drawn[0])
        return _drawn[0]


def _end() -> None:
    with _lock:
        drawing = _drawn.pop()
        if not _drawn:
            drawing.stop()


def _amount(done: float, total: float | None, unit: Unit) -> str:
    from rich.filesize import decimal

    words = [decimal(int(n)) if unit == "bytes" else f"{n:g}" for n in (done, total) if n is not None]
    return " of ".join(words)
