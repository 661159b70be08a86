"""The options of the commands that read a Caffe network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from converters.errors import BadInput

if TYPE_CHECKING:
    from converters.caffe.schema import State


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose layers by their include and exclude rules."""
    group = parser.add_argument_group("network state", "for files whose layers have include or exclude rules")
    group.add_argument("--level", type=int, help="the level (default: the file's own, or 0)")
    group.add_argument("--stage", action="append", default=[], metavar="NAME", help="a stage; may be given again")


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the preprocessing is."""
    group = parser.add_argument_group("preprocessing", "as the first nodes of the graph: swap, then mean, then scale")
    group.add_argument("--embed-preprocessing", action="store_true", help="put it into the graph")
    group.add_argument("--mean", metavar="FILE|B,G,R", help="a mean.binaryproto, or a number for each channel")
    group.add_argument("--scale", type=float, default=1.0, help="what to multiply with after the mean (default: 1)")
    group.add_argument("--swap-rb", action="store_true", help="the images are RGB and the network wants BGR")


def state_of(arguments: argparse.Namespace) -> State:
    """Return what the options of `add_state` say."""
    from converters.caffe.schema import State

    if arguments.level is not None and not -(2**31) <= arguments.level < 2**31:
        raise BadInput(f"--level {arguments.level}: give a number that 32 bits hold")
    return State(arguments.level, tuple(arguments.stage))
