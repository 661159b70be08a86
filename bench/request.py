"""From the words of the command line to a request: every wrong word is one line, before anything is measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import cast

from bench import backends, datasets, detection, scenarios, shards
from bench.backends import ANY, Declared
from bench.devices import Chosen, called, choose, known_backends
from bench.host import usable_cpus
from bench.plan import plan
from bench.process import WorkerProcess, open_worker
from bench.records import WHOLE, Case, Precision, RunConfig, Scenario
from bench.run import Request
from bench.types import Split
from converters.errors import BadInput
from zoo.card import Card, find_networks
from zoo.store import mirror_folder

SHORTEST, LONGEST = 0.01, 86_400
PRECISIONS: tuple[Precision, ...] = ("fp32", "winograd", "fp16", "int8")


def resolve(arguments: argparse.Namespace, out: Path) -> Request:
    """Resolve the arguments of ``bench run``.

    Raises BadInput for a word that is wrong, NotUsable for a device or a backend that cannot be used here.
    """
    cards = find_networks(arguments.zoo)
    chosen = known_backends(arguments.backend)
    precisions = _precisions(arguments.precision)
    batches = tuple(dict.fromkeys(positive(word, "--batch") for word in arguments.batch.split(",")))
    cpus = len(usable_cpus())
    words = [str(cpus)] if arguments.threads is None else arguments.threads.split(",")
    threads = tuple(dict.fromkeys(positive(word, "--threads") for word in words))
    if max(threads) > cpus:
        raise BadInput(f"--threads {max(threads)}: this process may use {cpus} CPUs; give that many at most")
    check_seconds(arguments)
    faces = detection.parse(arguments.faces)
    if arguments.engine != "local" and faces != WHOLE:
        raise BadInput(
            f"--engine {arguments.engine}: a detector is not shared out; give --faces {WHOLE}, or one process"
        )
    shards.check(arguments.engine)
    if arguments.engine != "local" and arguments.only != "accuracy":
        raise BadInput(
            f"--engine {arguments.engine}: only the accuracy pass is shared out, and nothing can be timed beside it; "
            "give --only accuracy"
        )
    options = _options(arguments.option or [], chosen)
    limit = None if arguments.limit is None else positive(arguments.limit, "--limit")
    mirror = mirror_folder(arguments.mirror)
    if arguments.limit_ms is not None and not 0 < arguments.limit_ms <= LONGEST * 1000:
        raise BadInput(f"--limit-ms {arguments.limit_ms:g}: give milliseconds above 0, at most {LONGEST * 1000}")
    wanted = _scenarios(arguments.scenario, arguments.only)
    needed = arguments.only != "latency" or "offline" in wanted
    splits = splits_of(arguments.data or ["sample"], limit) if needed else []
    forms = {card.format for card in cards.values()}
    found = choose(chosen, arguments.device, forms, named=arguments.backend != "all")
    for line in (*found.notes, *(f"{called(place)} is skipped: {reason}" for place, reason in found.refused.items())):
        print(line, file=sys.stderr)
    chosen = {backend: source for backend, source in chosen.items() if backend in found.devices}
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
        scenarios=wanted,
        options=options,
        budget=arguments.budget,
        max_batch=positive(arguments.max_batch, "--max-batch"),
        limit_ms=arguments.limit_ms,
        faces=faces,
    )
    declared = {backend: backends.declared(source) for backend, source in chosen.items()}
    readers = {backend: tuple(said.needs) for backend, said in declared.items() if said.reads == "source"}
    planned = plan(config, cards, found.devices, found.refused, readers, splits)
    start = partial(_start, chosen, declared, found, cards, options, arguments.timeout)
    return Request(
        config, cards, planned, splits, start, frozenset(readers), out, arguments.resume, mirror, tuple(found.notes),
        arguments.engine, cached=not arguments.no_cache,
    )  # fmt: skip


def _start(
    sources: Mapping[str, str],
    declared: Mapping[str, Declared],
    found: Chosen,
    cards: Mapping[str, Card],
    options: Mapping[str, str],
    timeout: float,
    case: Case,
) -> AbstractContextManager[WorkerProcess]:
    form = cards[case.network].format if declared[case.backend].reads == "source" else ANY
    return open_worker(
        sources[case.backend],
        case.device,
        case.threads,
        timeout,
        python=found.pythons[(case.backend, form)],
        options={name: value for name, value in options.items() if name in declared[case.backend].options},
    )


def _options(words: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    known: dict[str, dict[str, tuple[str, ...]]] = {}
    for backend, source in chosen.items():
        for name, values in backends.declared(source).options.items():
            known.setdefault(name, {})[backend] = values
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known or any(value not in values for values in known[name].values()):
            there = "; ".join(
                f"{backend}: {option}={'|'.join(values)}"
                for option, of in known.items()
                for backend, values in of.items()
            )
            raise BadInput(f"--option {word!r}: of the backends of this run there are {there or 'no options'}")
        found[name] = value
    return found


def _scenarios(text: str, only: str | None) -> tuple[Scenario, ...]:
    words = [word.strip() for word in text.split(",")]
    there = cast("tuple[Scenario, ...]", scenarios.names())
    if wrong := [word for word in words if word not in there]:
        raise BadInput(f"--scenario {wrong[0]!r}: there are {', '.join(there)}")
    if only == "accuracy" and words != ["single"]:
        raise BadInput(f"--scenario {text}: with --only accuracy nothing is timed; leave one of them out")
    return tuple(name for name in there if name in words)


def _precisions(text: str) -> tuple[Precision, ...]:
    words = [word.strip() for word in text.split(",")]
    wrong = [word for word in words if word not in PRECISIONS]
    if wrong:
        raise BadInput(f"--precision {wrong[0]!r}: there are {', '.join(PRECISIONS)}")
    return tuple(precision for precision in PRECISIONS if precision in words)


def check_seconds(arguments: argparse.Namespace) -> None:
    """Raise BadInput for a ``--budget`` or a ``--timeout`` of no sense."""
    if not SHORTEST <= arguments.budget <= LONGEST:
        raise BadInput(f"--budget {arguments.budget:g}: give seconds from {SHORTEST:g} to {LONGEST}")
    if not 0 < arguments.timeout <= LONGEST:
        raise BadInput(f"--timeout {arguments.timeout:g}: give seconds above 0, at most {LONGEST}")


def positive(word: str | int, option: str) -> int:
    """Return a whole number from 1 that an option gives. Raises BadInput for anything else."""
    try:
        number = int(word)
    except ValueError:
        number = 0
    if number < 1:
        raise BadInput(f"{option} {word!r}: give whole numbers from 1")
    return number


def splits_of(words: list[str], limit: int | None) -> list[Split]:
    """Load the splits of ``--data``, each with the images that ``--limit`` leaves. Raises BadInput for one twice."""
    splits: list[Split] = []
    for word in words:
        split = datasets.load(*datasets.parse_data(word))
        if any((s.dataset, s.split) == (split.dataset, split.split) for s in splits):
            raise BadInput(f"--data {word}: {split.dataset}:{split.split} is asked for twice; measure them in two runs")
        splits.append(split if limit is None else datasets.limited(split, limit))
    return splits
