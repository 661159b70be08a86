"""A lock that one process at a time holds; the system takes it back from one that is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from converters.errors import BadInput
from zoo.download import writing


@contextlib.contextmanager
def alone(path: Path, doing: str, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock. The kernel lets go of it when its holder dies; the file goes with the last holder.

    Raises BadInput where it cannot be written, and without ``wait`` where another process holds it.
    """
    while True:
        with _lock_file(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not wait:
                    raise BadInput(f"{path.parent}: another process {doing}; wait for it, or end it") from error
                print(f"{path.parent}: waiting for another process that {doing}", file=sys.stderr)
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(path, file.fileno()):
                continue  # its last holder removed it while we waited
            try:
                yield
            finally:
                path.unlink()
            return


def _lock_file(path: Path) -> IO[str]:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
