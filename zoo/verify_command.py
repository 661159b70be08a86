"""``python -m zoo verify``: every built network against what its source framework answered, several at a time."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.errors import CHECK_FAILED, DONE, NOT_USABLE, BadInput
from zoo import progress, selection, variants_command
from zoo.build_command import build_all, tell
from zoo.parallel import cores, processes

if TYPE_CHECKING:
    from zoo.card import Card
    from zoo.verify import Row

ABOUT = "Compare the networks with the original's outputs, on each runtime and batch size; what is not built is built."


def add_command(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser("verify", help="compare the networks with the original's outputs", description=ABOUT)
    parser.set_defaults(run=verify)
    selection.add_names(parser)
    selection.add_jobs(parser, "compare", max(1, cores() // 2))  # a runtime takes several cores by itself
    variants_command.add_data(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def verify(arguments: argparse.Namespace) -> int:
    """Print a row a case, then a line a network and runtime; at the end tell what could not be compared at all."""
    from zoo.verify import RULE, as_table, summary

    models: dict[str, tuple[Card, Path]] = {}
    failed: dict[str, BadInput] = {}
    for card, result in build_all(selection.graphs(arguments.names), arguments.mirror, arguments.jobs):
        if isinstance(result, BadInput):
            failed[card.name] = result
        else:
            models[card.name] = (card, result.path)
    rows = _compared(models, arguments.jobs, failed)
    rows += variants_command.compared(models, arguments.jobs, failed)
    rows.sort(key=lambda row: list(models).index(row.network))  # the precisions of a network stay together
    changes = variants_command.changes(models, arguments, failed)
    if arguments.json:
        found: Any = [vars(row) for row in rows]
        print(json.dumps(found if arguments.data is None else {"rows": found, "changes": changes}, indent=2))
    elif rows:
        print(f"{as_table(rows)}\n\nThe largest differences ({RULE})\n\n{summary(rows)}")
        print(variants_command.calibrations([vars(row) for row in rows]), end="")
        print(variants_command.as_text(changes), end="")
    code = tell(failed)
    if any(row.verdict == "failed" for row in rows):
        return CHECK_FAILED
    if rows and all(row.verdict == "skipped" for row in rows):
        print("error: nothing was compared, since no runtime is installed", file=sys.stderr)
        return NOT_USABLE
    return code or DONE


def _compared(models: Mapping[str, tuple[Card, Path]], jobs: int, failed: dict[str, BadInput]) -> list[Row]:
    """Return the rows of all networks; one without golden outputs goes to ``failed``."""
    rows = []
    with progress.task("verify", len(models)) as advance, processes(max(1, min(jobs, len(models)))) as start:
        begun = {name: start(f"compare {name}", _rows, card, path) for name, (card, path) in models.items()}
        for done, (name, future) in enumerate(begun.items(), 1):
            try:
                rows += future.result()
            except BadInput as error:
                failed[name] = error
            advance(done)
    return rows


def _rows(card: Card, model: Path) -> list[Row]:
    from zoo.verify import compare

    return list(compare(card, model))
