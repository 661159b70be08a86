"""Outputs of a network that are kept for the next pass: one SQLite file for each way of making them.

What a pass finds is what was there when it began, so that it does not depend on how fast its own outputs are written.
A cache never fails a measurement: a file that is broken is put aside with one line, one that cannot be written is told.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from bench.types import Feeds
from converters.errors import BadInput
from zoo.lock import alone

SCHEMA = """
CREATE TABLE IF NOT EXISTS about (one INTEGER PRIMARY KEY CHECK (one = 1), key TEXT NOT NULL, form TEXT);
CREATE TABLE IF NOT EXISTS outputs (image BLOB PRIMARY KEY, output BLOB NOT NULL) WITHOUT ROWID;
"""
PATIENCE_S = 30
"""How long another process may write."""

CHECK = 8
"""Bytes of the checksum before each image's outputs: SQLite has none, and a wrong number would look like any other."""

BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""What SQLite says of a file that is none of its own, or not of this schema."""

Form = list[tuple[str, str, list[int]]]
"""Name, type and shape of each output of one image."""


class _Broken(Exception):  # noqa: N818 - it says what it is
    pass


class Cache:
    """The outputs that were made as ``key`` says, by the sha256 of the image's file. A context manager.

    Several threads may ask, several processes may write.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any]) -> None:
        """Keep where they are; ``key`` names everything that the outputs depend on but the image."""
        self.key = json.dumps(key, sort_keys=True)
        self.path = folder / f"{hashlib.sha256(self.key.encode()).hexdigest()[:32]}.sqlite"
        self._lock = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._form: Form | None = None
        self._inode = 0

    def __enter__(self) -> Self:
        """Open the file, or make it."""
        with self._lock:
            self._guarded(self._open)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def get(self, image: bytes) -> Feeds | None:
        """Return the outputs (..) of an image by its sha256; None where they were not known when the pass began."""
        with self._lock:
            found: Feeds | None = self._guarded(lambda: self._read(image))
            return found

    def put(self, images: Sequence[bytes], outputs: Feeds) -> None:
        """Keep finite ``outputs`` (N, ..) of N images: all of them, or none if the process dies."""
        with self._lock:
            self._guarded(lambda: self._write(images, outputs))

    def _read(self, image: bytes) -> Feeds | None:
        if self._reader is None or self._form is None:
            return None
        row = self._reader.execute("SELECT output FROM outputs WHERE image = ?", (image,)).fetchone()
        if row is None:
            return None
        check, content = row[0][:CHECK], row[0][CHECK:]
        sizes = [np.dtype(dtype).itemsize * int(np.prod(shape)) for _, dtype, shape in self._form]
        if check != _check(image, content) or len(content) != sum(sizes):
            raise _Broken("outputs that were not written so")
        found, begin = {}, 0
        for (name, dtype, shape), size in zip(self._form, sizes, strict=True):
            found[name] = np.frombuffer(content[begin : begin + size], dtype=dtype).reshape(shape)
            begin += size
        return found

    def _write(self, images: Sequence[bytes], outputs: Feeds) -> None:
        if self._writer is None:
            return
        names = sorted(outputs)
        form = json.dumps([(name, outputs[name].dtype.str, list(outputs[name].shape[1:])) for name in names])
        contents = (b"".join(outputs[name][row].tobytes() for name in names) for row in range(len(images)))
        rows = [(i, _check(i, content) + content) for i, content in zip(images, contents, strict=True)]
        with self._writer as transaction:
            transaction.execute("BEGIN IMMEDIATE")
            transaction.execute("UPDATE about SET form = ? WHERE form IS NULL", (form,))
            if transaction.execute("SELECT form FROM about").fetchone()[0] != form:
                raise _Broken("outputs of other shapes")
            transaction.executemany("INSERT OR REPLACE INTO outputs VALUES (?, ?)", rows)

    def _open(self) -> None:
        with alone(self.path.with_suffix(".lock"), "is opening the cache of predictions"):
            self.path.touch()
            self._inode = self.path.stat().st_ino
            self._writer = self._connected()
            self._writer.executescript(SCHEMA)
            self._writer.execute("INSERT OR IGNORE INTO about VALUES (1, ?, NULL)", (self.key,))
            self._reader = self._connected()
            self._reader.execute("BEGIN")
            key, form = self._reader.execute("SELECT key, form FROM about").fetchone()
        if key != self.key:
            raise _Broken("outputs of another network")
        self._form = None if form is None else json.loads(form)

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _close(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def _guarded(self, work: Any) -> Any:
        try:
            return work()
        except (sqlite3.Error, _Broken, OSError, BadInput, ValueError) as error:
            broken = isinstance(error, _Broken | ValueError) or (
                isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN
            )
            self._close()
            if not broken:
                print(f"{self.path}: nothing more is cached there: {error}", file=sys.stderr)
                return None
            return self._anew(str(error))

    def _anew(self, why: str) -> None:
        """Put the broken file aside and make another, unless another process has done so."""
        try:
            with alone(self.path.with_suffix(".aside"), "is putting a broken cache aside"):
                if self._inode == self.path.stat().st_ino:
                    aside = self.path.with_suffix(".broken")
                    self.path.replace(aside)
                    for end in ("-wal", "-shm"):  # they would be played into the new file
                        with suppress(FileNotFoundError):
                            self.path.with_name(self.path.name + end).unlink()
                    print(f"{self.path}: is broken ({why}); it is now {aside.name}, and made anew", file=sys.stderr)
            self._open()
        except (sqlite3.Error, _Broken, OSError, BadInput) as error:
            self._close()
            print(f"{self.path}: nothing more is cached there: {error}", file=sys.stderr)


def _check(image: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(image + content, digest_size=CHECK).digest()
