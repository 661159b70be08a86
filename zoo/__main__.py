"""``python -m zoo``: what each network is, and how to get it as ONNX. The larger commands have modules of their own.

A name may be a glob, and no name means all. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from converters.errors import DONE, BadInput, Parser, run_command
from zoo import build_command, inspect, selection, tap, train_command, verify_command
from zoo.parallel import as_bad_input


def list_networks(arguments: argparse.Namespace) -> int:
    """Print one line a network."""
    from tabulate import tabulate

    from zoo.card import find_networks
    from zoo.describe import listing

    rows = listing(find_networks("all"))
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return DONE
    told = [row | {"parameters": "" if row["parameters"] is None else f"{row['parameters']:,}"} for row in rows]
    print(tabulate(told, headers="keys", disable_numparse=True, colalign=["left"] * 4 + ["right"] + ["left"] * 2))
    return DONE


def show(arguments: argparse.Namespace) -> int:
    """Print everything about one network."""
    from zoo.card import find_card
    from zoo.describe import page, record

    card = find_card(arguments.name)
    if arguments.format == "md":
        from zoo.model_card import model_card

        print(model_card(card), end="")
    elif arguments.json or arguments.format == "json":
        print(json.dumps(record(card), indent=2, ensure_ascii=False))
    else:
        print(page(card))
    return DONE


def fetch(arguments: argparse.Namespace) -> int:
    """Bring the files that the networks need into the store; what cannot be had keeps nothing else away."""
    from zoo.store import fetch_files, home, mirror_folder, needed

    home()  # what is wrong with the store or the mirror as a whole is told once
    folder = mirror_folder(arguments.mirror)
    seen: set[Path] = set()
    failed: dict[str, BadInput] = {}
    for name, card in selection.networks(arguments.names).items():
        try:
            files = fetch_files(needed(card, card.networks()[name].variant), folder)
        except (BadInput, OSError) as error:
            told = as_bad_input(error)
            if str(told) not in map(str, failed.values()):
                failed[name] = told
            continue
        for path in files.values():
            if path not in seen:
                print(f"{path}  {path.stat().st_size} bytes", flush=True)
        seen |= set(files.values())
    return build_command.tell(failed)


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
    forms = "for a person, as a model card (Markdown), or for programs (default: text)"
    shown.add_argument("--format", choices=("text", "md", "json"), default="text", help=forms)
    for told in (listed, shown):
        told.add_argument("--json", action="store_true", help="for programs")
    selection.add_names(command(fetch, "fetch", "bring the files of the networks into the store"))
    for module in (build_command, verify_command, inspect, tap, train_command):
        module.add_command(commands)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(run_command(main))
