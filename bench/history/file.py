"""The one file: SQLite, in which several processes may write at a time, each run whole or not at all.

A run is known by what it was asked, where, with what and when it began. So a folder that is added twice changes
nothing, and one that was gone on with (``--resume``) replaces the cases that are new in it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from bench.history.numbers import Number, name_of, numbers_of
from bench.records import Result, RunRecord
from bench.results import read_results, read_run
from converters.errors import BadInput

SCHEMA = 1
APPLICATION = 0x61676568
"""``ageh``: what tells a history from any other SQLite file."""
PATIENCE_S = 60.0
"""How long another process may write."""

TABLES = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, started TEXT NOT NULL, host TEXT NOT NULL, git_commit TEXT, record TEXT NOT NULL);
CREATE TABLE results (
    run TEXT NOT NULL REFERENCES runs (id), name TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, runtime TEXT,
    result TEXT NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE numbers (
    run TEXT NOT NULL, name TEXT NOT NULL, measure TEXT NOT NULL, unit TEXT NOT NULL, value REAL NOT NULL,
    low REAL, high REAL, n INTEGER NOT NULL, data TEXT NOT NULL, derived INTEGER NOT NULL,
    PRIMARY KEY (run, name, measure), FOREIGN KEY (run, name) REFERENCES results (run, name));
CREATE INDEX results_by_name ON results (name, run);
"""
"""``record`` and ``result`` are the JSON of ``run.json`` and of a line of ``results.jsonl``; the rest follows."""


@dataclass(frozen=True)
class Added:
    """What came of adding a run: its id, and how many of its cases are new or changed."""

    run: str
    new: int
    changed: int
    total: int

    def __str__(self) -> str:
        """Return it as a line for a person."""
        what = f"run {self.run[:12]}: {self.total} cases"
        if not self.new and not self.changed:
            return f"{what}, all known already"
        return f"{what}, {self.new} new" + (f", {self.changed} changed" if self.changed else "")


@dataclass(frozen=True)
class Entry:
    """What became of a case in a run, with its numbers."""

    run: str
    name: str
    status: str
    reason: str | None
    runtime: str | None
    numbers: tuple[Number, ...]


def run_id(record: RunRecord) -> str:
    """Return the id of a run: of what stays the same when it is gone on with."""
    lasting = {
        "config": record.config.model_dump(mode="json"),
        "host": record.host.get("fingerprint"),
        "versions": record.versions,
        "git_commit": record.git_commit,
        "started": record.started,
    }
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()


def check(path: Path) -> None:
    """Open or make the history, so that a run that is to be kept in it is not measured in vain. Raises BadInput."""
    with _opened(path, make=True):
        pass


def add(path: Path, folder: Path) -> Added:
    """Keep the run of ``folder``, its ``--out``, in the history at ``path``, which is made where there is none.

    Raises BadInput for a folder without a run, and a file that is no history or cannot be written.
    """
    record, results = read_run(folder), read_results(folder)
    run = run_id(record)
    with _opened(path, make=True) as connection, _transaction(connection, "IMMEDIATE"):
        known = dict(connection.execute("SELECT name, result FROM results WHERE run = ?", (run,)))
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record",
            (run, record.started, record.host.get("fingerprint", ""), record.git_commit, _line(record)),
        )
        lines = {name_of(result.case): result for result in results}
        fresh = {name: result for name, result in lines.items() if known.get(name) != result.line()}
        for name, result in fresh.items():
            _put(connection, run, name, result)
    return Added(run, len(fresh.keys() - known.keys()), len(fresh.keys() & known.keys()), len(lines))


def read(path: Path) -> tuple[dict[str, RunRecord], list[Entry]]:
    """Return every run by its id, the oldest first, and what became of every case, by case, the oldest run first.

    Raises BadInput where there is no history.
    """
    with _opened(path, make=False) as connection, _transaction(connection, "DEFERRED"):
        rows = connection.execute("SELECT id, record FROM runs ORDER BY started, id").fetchall()
        found = connection.execute(
            "SELECT run, name, status, reason, runtime FROM results JOIN runs ON id = run ORDER BY name, started, id"
        ).fetchall()
        numbers: dict[tuple[str, str], list[Number]] = {}
        for run, name, measure, unit, value, low, high, n, data, derived in connection.execute("SELECT * FROM numbers"):
            number = Number(measure, unit, value, low, high, n, data, bool(derived))
            numbers.setdefault((run, name), []).append(number)
    runs = {run: RunRecord.model_validate_json(record) for run, record in rows}
    return runs, [
        Entry(run, name, status, reason, runtime, tuple(numbers.get((run, name), ())))
        for run, name, status, reason, runtime in found
    ]


def _line(record: RunRecord) -> str:
    return record.model_dump_json(by_alias=True)


def _put(connection: sqlite3.Connection, run: str, name: str, result: Result) -> None:
    connection.execute("DELETE FROM numbers WHERE run = ? AND name = ?", (run, name))
    connection.execute(
        "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)",
        (run, name, result.status, result.reason, result.runtime.get("version"), result.line()),
    )
    for number in numbers_of(result):
        values = (number.measure, number.unit, number.value, number.low, number.high, number.n, number.data)
        connection.execute(
            "INSERT OR REPLACE INTO numbers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (run, name, *values, int(number.derived)),
        )


@contextmanager
def _opened(path: Path, *, make: bool) -> Iterator[sqlite3.Connection]:
    if not make and not path.is_file():
        raise BadInput(f"--history {path}: no such file; bench run --history {path} makes it, or bench history --add")
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            with _transaction(connection, "DEFERRED"):  # all three answers are of one moment
                made = _is_history(connection, path)
            if not made:
                _prepare(connection, path)
            yield connection
    except sqlite3.Error as error:
        raise BadInput(
            f"--history {path}: {error}; give a file that bench made, or one that is not there yet"
        ) from error


def _is_history(connection: sqlite3.Connection, path: Path) -> bool:
    """Return False for an empty file. Raises BadInput for another program's, and for one of a later schema."""
    application, version, tables = (
        connection.execute(question).fetchone()[0]
        for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != APPLICATION:
        raise BadInput(f"--history {path}: is a SQLite file of something else; give another file")
    if version > SCHEMA:
        raise BadInput(
            f"--history {path}: is of schema {version}, and this version knows up to {SCHEMA}: install a newer one"
        )
    return True


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of an empty file, of which several processes may come upon it at once."""
    _patiently(connection, "PRAGMA journal_mode = WAL")
    with _transaction(connection, "IMMEDIATE"):
        if not _is_history(connection, path):  # another process may have been first
            for statement in TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Execute what SQLite does not wait for by itself: the switch to WAL."""
    until = monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or monotonic() > until:
                raise
            sleep(0.02)
        else:
            return


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Make what the block writes whole, or undone. ``IMMEDIATE``: nobody else writes until it ends."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
