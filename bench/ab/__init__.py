"""``bench ab``: two sides in one job, in turns, round by round, so that whatever slows the machine slows both alike.

What a side is not about is the same on both (`bench.ab.sides`). The rounds of the two are pairs, and more are added
only while the verdict is open. What is found is judged by the check (`bench.check`), and told in its forms.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.ab import findings, pairs, sides, telling
from bench.ab.findings import Found
from bench.ab.given import Given, Measured
from bench.ab.request import Request, resolve
from bench.ab.runs import SideRun
from bench.ab.sides import Label, Side
from bench.accuracy import Keep, Network
from bench.backends import ANY
from bench.plan import unscored
from bench.predictions import write
from bench.records import Result
from bench.run import Missing, network_of
from bench.stopping import terminable, uninterrupted
from converters.errors import BAD_INPUT, INTERRUPTED


def command(arguments: argparse.Namespace) -> int:
    """Compare two sides and print what differs.

    Returns the exit code: 0; 1 where B is worse, or a side cannot load a network; 2 where nothing could be measured at
    all; 130 after Ctrl-C, when what was measured is told and the rest is named. Raises BadInput for wrong arguments.
    """
    request = resolve(arguments)
    with _folder(request) as out:
        found, stopped = compared(request, out)
        with uninterrupted():
            telling.tell(request, found, out)
    if stopped:
        return INTERRUPTED
    if found.nothing:
        print(f"error: nothing was measured: {found.nothing}", file=sys.stderr)
        return BAD_INPUT
    return found.judged.exit_code


@contextmanager
def _folder(request: Request) -> Iterator[Path]:
    """Yield the folder of both runs: ``--out``, or one that goes with the block."""
    if request.out is not None:
        yield request.out
        return
    with tempfile.TemporaryDirectory(prefix="agebench-ab-") as folder:
        yield Path(folder)


def compared(request: Request, out: Path) -> tuple[Found, bool]:
    """Measure both sides, whose runs go into ``out``; return what was found, and whether it was stopped before the end.

    Raises BadInput where a side cannot be had at all.
    """
    graphs = list({card.name: card for card in request.cards.values()}.values())
    with sides.opened(request.specs, graphs, request.mirror) as both:
        for side in both:
            print(f"{side.label}: {side.spec.text}, {side.about}", file=sys.stderr)
            _refuse_unusable(request, side)
        networks = {name: network_of(name, card, request.mirror) for name, card in request.cards.items()}
        there = {name: network for name, network in networks.items() if isinstance(network, Network)}
        missing = {name: network for name, network in networks.items() if isinstance(network, Missing)}
        runs = (SideRun(out / "a", both[0], request, there), SideRun(out / "b", both[1], request, there))
        measured, stopped = _measured(request, both, there, runs)
        with uninterrupted():
            return findings.of(request, runs, measured, missing), stopped


def _refuse_unusable(request: Request, side: Side) -> None:
    """Raise NotUsable where a side runs in what is installed here, and a backend is not."""
    for backend, source in request.sources.items():
        needs = request.declared[backend].needs
        for form in {card.format for card in request.cards.values()} & needs.keys() or needs.keys() & {ANY}:
            side.interpreter(source, form)


def _measured(
    request: Request, both: tuple[Side, Side], networks: Mapping[str, Network], runs: tuple[SideRun, SideRun]
) -> tuple[list[Measured], bool]:
    """Return what became of every network on every backend, and whether it was stopped before the last."""
    keeps: dict[Label, Keep] = {run.side.label: partial(write, run.folder) for run in runs}
    done, stopped = list[Measured](), False
    with terminable():
        for name, backend in ((name, backend) for name in networks for backend in request.sources):
            given = _given(request, both, networks[name], backend)
            try:
                one = pairs.stopped(given) if stopped else _one(request, given, keeps)
            except KeyboardInterrupt:
                stopped, one = True, pairs.stopped(given)
            with uninterrupted():
                _keep(one, runs)
            done.append(one)
            print(telling.line(one), file=sys.stderr, flush=True)
    return done, stopped


def _given(request: Request, both: tuple[Side, Side], network: Network, backend: str) -> Given:
    first = next(name for name, card in request.cards.items() if card.name == network.card.name)
    declared = request.declared[backend]
    return Given(
        sides=both,
        network=network,
        backend=backend,
        source=request.sources[backend],
        form=network.card.format if declared.reads == "source" else ANY,
        batches=request.batches if network.name == first else (),
        threads=request.threads,
        splits=tuple(split for split in request.splits if unscored(network.card, split) is None),
        budget=request.budget,
        max_slowdown=request.allowed.slowdown,
        timeout=request.timeout,
        reads_source=declared.reads == "source",
    )


def _one(request: Request, given: Given, keeps: Mapping[Label, Keep]) -> Measured:
    form = given.network.card.format
    if given.reads_source and form not in request.declared[given.backend].needs:
        return pairs.skipped(given, f"{given.backend} reads no network that comes as {form}")
    return pairs.measure(given, lambda step: None, lambda label: keeps[label])


def _keep(one: Measured, runs: tuple[SideRun, SideRun]) -> None:
    for place, run in enumerate(runs):
        results: list[Result] = [pair.results[place] for pair in one.pairs]
        run.add([*results, *(both[place] for both in one.scores)])
