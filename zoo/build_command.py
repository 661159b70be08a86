"""``python -m zoo build``: the networks' files fetched, then converted, several at a time.

What cannot be built keeps nothing else away; it is told at the end.
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
from zoo.parallel import Start, cores, processes

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
    for card, result in build_all(selection.graphs(arguments.names), arguments.mirror, arguments.jobs):
        if isinstance(result, BadInput):
            failed[card.name] = result
            continue
        took = "up to date" if result.seconds is None else f"{result.seconds:.1f} s"
        print(f"{result.path}  {result.path.stat().st_size} bytes  {took}", flush=True)
        models[card.name] = (card, result.path)
    variants_command.build(models, variants, calibration, arguments.jobs, failed)
    return tell(failed)


def build_all(cards: Sequence[Card], mirror: Path | None, jobs: int) -> Iterator[tuple[Card, Built | BadInput]]:
    """Yield each card with its ONNX file, or with why there is none. Raises BadInput for a mirror that is no folder.

    Files are fetched for one card after the other, so that a wheel comes once; what is there is converted meanwhile.
    """
    from zoo import store

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
    except BadInput as error:
        return error


@contextmanager
def _one_after_the_other() -> Iterator[ThreadPoolExecutor]:
    thread = ThreadPoolExecutor(1)
    try:
        yield thread
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
