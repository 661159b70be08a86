"""``bench history``: adds runs, writes the table and the picture, and prints the list or the trends, in this order."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence

from bench.history import export, file, series, shown
from bench.history.file import Entry
from bench.records import RunRecord
from converters.errors import BadInput

SCHEMA = 1


def show(arguments: argparse.Namespace) -> None:
    """Do what was asked. Raises BadInput for a file that is no history, a folder without a run, and no such case."""
    _refuse_endings(arguments)
    for folder in arguments.add:
        print(f"{folder}: {file.add(arguments.history, folder)}", file=sys.stderr)
    runs, entries = file.read(arguments.history)
    if arguments.case is not None:
        names = set(series.matching(list(dict.fromkeys(entry.name for entry in entries)), arguments.case))
        entries = [entry for entry in entries if entry.name in names]
    if arguments.export is not None:
        print(f"{arguments.export}: {export.parquet(entries, runs, arguments.export)} rows", file=sys.stderr)
    if arguments.picture is not None:
        print(f"{arguments.picture}: {export.picture(entries, runs, arguments.picture)} trends", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"schema": SCHEMA, "runs": len(runs), "cases": shown.as_json(entries, runs)}, indent=1))
    elif arguments.case is None:
        print(_listed(entries, runs))
    else:
        print("\n\n".join(shown.trend(name, members, runs) for name, members in shown.by_name(entries).items()))


def _listed(entries: Sequence[Entry], runs: Mapping[str, RunRecord]) -> str:
    from tabulate import tabulate

    if not runs:
        return "no runs yet: bench run --history FILE keeps one, bench history --add DIR those that were made"
    hosts = _count(len({record.host.get("fingerprint") for record in runs.values()}), "machine")
    days = [record.started[:10] for record in runs.values()]
    tables = [f"{_count(len(runs), 'run')} from {days[0]} to {days[-1]}, {hosts}"]
    for title, rows in (("", shown.listing(entries, runs)), ("Never measured:\n\n", shown.numberless(entries))):
        if rows:
            tables.append(title + tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))
    return "\n\n".join(tables)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _refuse_endings(arguments: argparse.Namespace) -> None:
    if arguments.export is not None and arguments.export.suffix != ".parquet":
        raise BadInput(f"--export {arguments.export}: give a file that ends in .parquet")
    if arguments.picture is not None and arguments.picture.suffix not in export.PICTURES:
        raise BadInput(f"--picture {arguments.picture}: give a file that ends in {' or '.join(export.PICTURES)}")
