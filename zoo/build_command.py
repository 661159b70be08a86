"""``python -m zoo build``: the networks' files fetched, then converted, several at a time.

What cannot be built keeps nothing else away; it is told at the end. A variant's own files, such as a mean image, are
fetched too: that one is out of reach fails the build only where the variant was asked for by name.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.errors import BAD_INPUT, DONE, BadInput, one_line
from zoo import progress, selection, variants_command
from zoo.parallel import Start, as_bad_input, cores, processes

if TYPE_CHECKING:
    from zoo.card import Card

ABOUT = "Convert the networks to ONNX, where that is not done yet."


@dataclass(frozen=True)
class Built:
    """A card's ONNX file; ``seconds`` is how long its conversion took, None when it was there and up to date."""

    path: Path
    seconds: float | None


def add_command(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser("build", help="convert the networks to ONNX", description=ABOUT)
    parser.set_defaults(run=build)
    selection.add_names(parser)
    selection.add_jobs(parser, "convert", cores())
    variants_command.add_precision(parser)


def build(arguments: argparse.Namespace) -> int:
    """Print a line a network, in the order of the cards, then a line a variant; at the end what could not be built."""
    failed: dict[str, BadInput] = {}
    models: dict[str, tuple[Card, Path]] = {}
    variants = variants_command.wanted(arguments.precision)
    calibration = variants_command.calibration(variants, arguments.data)
    networks = selection.networks(arguments.names)
    for card, result in build_all(selection.graphs(arguments.names), arguments.mirror, arguments.jobs):
        if isinstance(result, BadInput):
            failed[card.name] = result
            continue
        took = "up to date" if result.seconds is None else f"{result.seconds:.1f} s"
        print(f"{result.path}  {result.path.stat().st_size} bytes  {took}", flush=True)
        models[card.name] = (card, result.path)
    _fetch_feeds({n: c for n, c in networks.items() if c.name in models}, arguments, failed)
    variants_command.build(models, variants, calibration, arguments.jobs, failed)
    return tell(failed)


def build_all(cards: Sequence[Card], mirror: Path | None, jobs: int) -> Iterator[tuple[Card, Built | BadInput]]:
    """Yield each card with its ONNX file, or with why there is none.

    Raises BadInput for a mirror or a store that is no folder.
    Files are fetched for one card after the other, so that a wheel comes once; what is there is converted meanwhile.
    """
    from zoo import store

    store.home()  # what is wrong with the store as a whole is told once, as for the mirror
    folder = store.mirror_folder(mirror)
    with (
        progress.task("build", len(cards)) as advance,
        processes(min(jobs, len(cards))) as start,
        _one_after_the_other() as fetcher,
    ):
        begun = [fetcher.submit(_begin, card, folder, start) for card in cards]
        for done, (card, future) in enumerate(zip(cards, begun, strict=True), 1):
            result = _outcome(future)
            advance(done)
            yield card, result


def _fetch_feeds(networks: Mapping[str, Card], arguments: argparse.Namespace, failed: dict[str, BadInput]) -> None:
    """Fetch what each network is fed with beside its graph. What cannot be had goes to ``failed``.

    A file that is out of reach is only told where its network was not asked for by name.
    """
    from zoo import store
    from zoo.download import Unreachable

    folder = store.mirror_folder(arguments.mirror)
    for name, card in networks.items():
        wanted = set(store.needed(card, card.networks()[name].variant)) - set(card.graph())
        try:
            store.fetch_files(wanted, folder)
        except (BadInput, OSError) as error:
            if isinstance(error, Unreachable) and not selection.asked_for(name, arguments.names):
                print(one_line(f"{name} is not fetched: {error}"), file=sys.stderr)
            else:
                failed[name] = as_bad_input(error)


def tell(failed: Mapping[str, BadInput]) -> int:
    """Print a line for each network that could not be built; return the exit code."""
    for name, error in failed.items():
        text = str(error) if str(error).startswith((f"{name}:", f"card {name}:")) else f"{name}: {error}"
        for line in (f"error: {text}", *(f"  {detail}" for detail in error.details)):
            print(one_line(line), file=sys.stderr)
    return BAD_INPUT if failed else DONE


def _begin(card: Card, mirror: Path | None, start: Start) -> Built | Future[Built]:
    from zoo import store

    if path := store.built(card):
        return Built(path, None)
    files = store.fetch_graph(card, mirror)
    return start(f"convert {card.name}", _convert, card, files)


def _convert(card: Card, files: dict[str, Path]) -> Built:
    from zoo import store

    begin = time.perf_counter()
    return Built(store.convert(card, files), time.perf_counter() - begin)


def _outcome(fetched: Future[Built | Future[Built]]) -> Built | BadInput:
    try:
        result = fetched.result()
        return result.result() if isinstance(result, Future) else result
    except (BadInput, OSError) as error:
        return as_bad_input(error)


@contextmanager
def _one_after_the_other() -> Iterator[ThreadPoolExecutor]:
    thread = ThreadPoolExecutor(1)
    try:
        yield thread
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
