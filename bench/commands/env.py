"""Make, list and remove the environments of backends that cannot share the harness's."""

from __future__ import annotations

import argparse

from converters.errors import DONE, Parser

HELP = "the environments of backends that cannot share the harness's"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    actions = parser.add_subparsers(required=True, dest="action", metavar="create|list|remove", parser_class=Parser)
    create = actions.add_parser("create", help="make what a backend needs, unless it is there already")
    create.add_argument("names", nargs="+", metavar="NAME", help="a backend, an environment of list, or all")
    made = actions.add_parser("list", help="every environment that there is or could be, its state and size")
    made.add_argument("--json", action="store_true", help="as JSON")
    remove = actions.add_parser("remove", help="delete one")
    remove.add_argument("name", metavar="NAME")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench import env_command

    if arguments.action == "create":
        env_command.create(arguments.names)
    elif arguments.action == "remove":
        env_command.remove(arguments.name)
    else:
        print(env_command.listing(as_json=arguments.json))
    return DONE
