"""The networks that a command is about: named on its command line, all of them when none is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.parallel import cores

if TYPE_CHECKING:
    from zoo.card import Card


def add_names(parser: argparse.ArgumentParser) -> None:
    """Let a command be given names and globs of networks, and a mirror."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="a network or a glob; none: all")
    text = "look here first for the files, by name (default: $ZOO_MIRROR)"
    parser.add_argument("--mirror", type=Path, metavar="DIR", help=text)


def add_jobs(parser: argparse.ArgumentParser, what: str, default: int) -> None:
    """Let a command be told how many processes it may use."""
    text = f"how many networks to {what} at a time (default: {default}; this machine has {cores()} cores)"
    parser.add_argument("--jobs", type=_positive, default=default, metavar="N", help=text)


def networks(names: Sequence[str]) -> dict[str, Card]:
    """Return the networks of these names and globs. Raises BadInput when one matches none, an empty one too."""
    from zoo.card import find_networks

    return find_networks(",".join(names) if names else "all")


def asked_for(variant: str, names: Sequence[str]) -> bool:
    """Whether a name or glob is about this variant (``name@variant``), and not about networks in general."""
    return any("@" in glob and fnmatchcase(variant, glob.strip()) for glob in ",".join(names).split(","))


def graphs(names: Sequence[str]) -> list[Card]:
    """Return the cards of these networks, each once: the variants of a card share its graph."""
    return list({card.name: card for card in networks(names).values()}.values())


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; give 1 or more")
    return int(text)
