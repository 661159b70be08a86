"""Ctrl-C and SIGTERM: what is measured is written down first, and a second signal does not cut that short."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM be what Ctrl-C is, a KeyboardInterrupt, for as long as the block lasts."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(signal.SIGTERM, stop):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let no Ctrl-C and no SIGTERM reach the block."""
    with _handled(signal.SIGINT, signal.SIG_IGN), _handled(signal.SIGTERM, signal.SIG_IGN):
        yield


@contextmanager
def _handled(number: signal.Signals, handler: object) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may, and only it is told
        yield
        return
    before = signal.signal(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        signal.signal(number, before)
