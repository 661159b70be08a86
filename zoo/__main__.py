"""``python -m zoo``: list, show, fetch, build and verify the networks.

A name may be a glob, and no name means all. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import BAD_INPUT, CHECK_FAILED, DONE, NOT_USABLE, Parser, run_command

if TYPE_CHECKING:
    from zoo.card import Card


def list_networks(arguments: argparse.Namespace) -> int:
    """Print one line a network."""
    from tabulate import tabulate

    from zoo.card import find_networks
    from zoo.describe import listing

    rows = listing(find_networks("all"))
    print(json.dumps(rows, indent=2) if arguments.json else tabulate(rows, headers="keys"))
    return DONE


def show(arguments: argparse.Namespace) -> int:
    """Print everything about one network."""
    from zoo.card import find_card
    from zoo.describe import page, record

    card = find_card(arguments.name)
    print(json.dumps(record(card), indent=2, ensure_ascii=False) if arguments.json else page(card))
    return DONE


def fetch(arguments: argparse.Namespace) -> int:
    """Bring the files that the networks need into the store; one out of reach does not keep the others away."""
    from zoo.download import Unreachable
    from zoo.store import fetch_weights

    seen: set[Path] = set()
    out_of_reach: dict[str, Unreachable] = {}
    for name, card in _chosen(arguments.names).items():
        try:
            files = fetch_weights(card, arguments.mirror, variant=card.networks()[name].variant)
        except Unreachable as error:
            out_of_reach[str(error)] = error
            continue
        for path in files.values():
            if path not in seen:
                print(f"{path}  {path.stat().st_size} bytes", flush=True)
        seen |= set(files.values())
    for text in out_of_reach:
        print(f"error: {text}", file=sys.stderr)
    return BAD_INPUT if out_of_reach else DONE


def build(arguments: argparse.Namespace) -> int:
    """Build the networks' ONNX files; the variants of one card share theirs."""
    from zoo import store

    for card in _graphs(arguments.names):
        ready, start = store.built(card), time.perf_counter()
        path = store.build(card, arguments.mirror)
        took = "up to date" if ready else f"{time.perf_counter() - start:.1f} s"
        print(f"{path}  {path.stat().st_size} bytes  {took}", flush=True)
    return DONE


def verify(arguments: argparse.Namespace) -> int:
    """Compare every built network with the golden outputs of the original on every runtime that is here."""
    from zoo import store
    from zoo.verify import as_table, compare

    rows = [row for card in _graphs(arguments.names) for row in compare(card, store.build(card, arguments.mirror))]
    print(json.dumps([vars(row) for row in rows], indent=2) if arguments.json else as_table(rows))
    if all(row.verdict == "skipped" for row in rows):
        print("error: nothing was compared, since no runtime is installed", file=sys.stderr)
        return NOT_USABLE
    return CHECK_FAILED if any(row.verdict == "failed" for row in rows) else DONE


def _chosen(names: Sequence[str]) -> dict[str, Card]:
    from zoo.card import find_networks

    return find_networks(",".join(names) or "all")


def _graphs(names: Sequence[str]) -> list[Card]:
    return list({card.name: card for card in _chosen(names).values()}.values())


def _parser() -> Parser:
    parser = Parser(prog="python -m zoo", description="What each network is, and how to get it as ONNX.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(run: object, name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    listed = command(list_networks, "list", "every network: task, format, state, licence")
    shown = command(show, "show", "everything about one network")
    shown.add_argument("name", metavar="NAME")
    brought = command(fetch, "fetch", "bring the files of the networks into the store")
    made = command(build, "build", "convert the networks to ONNX, where that is not done yet")
    compared = command(
        verify, "verify", "compare the networks with the original's outputs, on each runtime and batch size"
    )
    for several in (brought, made, compared):
        several.add_argument("names", nargs="*", metavar="NAME", help="a network or a glob; none: all")
        text = "look here first for the files, by name (default: $ZOO_MIRROR)"
        several.add_argument("--mirror", type=Path, metavar="DIR", help=text)
    for told in (listed, shown, compared):
        told.add_argument("--json", action="store_true", help="for programs")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(run_command(main))
