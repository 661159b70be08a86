"""From the words of the command line to a request: every wrong word is one line, before anything is measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from bench import datasets
from bench.devices import choose, known_backends
from bench.host import usable_cpus
from bench.plan import plan
from bench.process import WorkerProcess, open_worker
from bench.records import Case, Precision, RunConfig
from bench.run import Request
from bench.types import Split
from converters.errors import BadInput
from zoo.card import find_networks
from zoo.store import mirror_folder

LONGEST = 86_400
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")


def resolve(arguments: argparse.Namespace, out: Path) -> Request:
    """Resolve the arguments of ``bench run``.

    Raises BadInput for a word that is wrong, NotUsable for a device or a backend that cannot be used here.
    """
    cards = find_networks(arguments.zoo)
    chosen = known_backends(arguments.backend)
    precisions = _precisions(arguments.precision)
    batches = tuple(dict.fromkeys(_positive(word, "--batch") for word in arguments.batch.split(",")))
    cpus = len(usable_cpus())
    threads = cpus if arguments.threads is None else _positive(arguments.threads, "--threads")
    if threads > cpus:
        raise BadInput(f"--threads {threads}: this process may use {cpus} CPUs; give that many at most")
    limit = None if arguments.limit is None else _positive(arguments.limit, "--limit")
    mirror = mirror_folder(arguments.mirror)
    if not 0 < arguments.timeout <= LONGEST:
        raise BadInput(f"--timeout {arguments.timeout:g}: give seconds above 0, at most {LONGEST}")
    splits = [] if arguments.only == "latency" else _splits(arguments.data or ["sample"], limit)
    devices, refused, notes = choose(chosen, arguments.device, named=arguments.backend != "all")
    for line in (*notes, *(f"{backend} is skipped: {reason}" for backend, reason in refused.items())):
        print(line, file=sys.stderr)
    config = RunConfig(
        networks=tuple(cards),
        backends=tuple(chosen),
        device=arguments.device,
        precisions=precisions,
        data=tuple(f"{s.dataset}:{s.split}" for s in splits),
        batches=batches,
        threads=threads,
        limit=limit,
        only=arguments.only,
    )
    planned = plan(config, cards, devices, refused, splits)
    start = partial(_start, chosen, arguments.timeout)
    return Request(config, cards, planned, splits, start, out, arguments.resume, mirror, tuple(notes))


def _start(sources: Mapping[str, str], timeout: float, case: Case) -> AbstractContextManager[WorkerProcess]:
    return open_worker(sources[case.backend], case.device, case.threads, timeout)


def _precisions(text: str) -> tuple[Precision, ...]:
    words = [word.strip() for word in text.split(",")]
    wrong = [word for word in words if word not in PRECISIONS]
    if wrong:
        raise BadInput(f"--precision {wrong[0]!r}: there are {', '.join(PRECISIONS)}")
    return tuple(precision for precision in PRECISIONS if precision in words)


def _positive(word: str | int, option: str) -> int:
    try:
        number = int(word)
    except ValueError:
        number = 0
    if number < 1:
        raise BadInput(f"{option} {word!r}: give whole numbers from 1")
    return number


def _splits(words: list[str], limit: int | None) -> list[Split]:
    splits: list[Split] = []
    for word in words:
        split = datasets.load(*datasets.parse_data(word))
        if any((s.dataset, s.split) == (split.dataset, split.split) for s in splits):
            raise BadInput(f"--data {word}: {split.dataset}:{split.split} is asked for twice; measure them in two runs")
        splits.append(split if limit is None else datasets.limited(split, limit))
    return splits
