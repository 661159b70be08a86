"""From the words of ``bench ab`` to what is to be compared: every wrong word is one line, before anything is made."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import backends
from bench.ab import sides, specs
from bench.ab.specs import Spec
from bench.backends import Declared
from bench.check import formats
from bench.check.allowed import Allowed, number_of, share_of
from bench.host import usable_cpus
from bench.request import check_seconds, positive, splits_of
from bench.types import Split
from converters.errors import BadInput
from zoo import card as zoo_card
from zoo.card import Card, find_networks
from zoo.store import mirror_folder


@dataclass(frozen=True)
class Request:
    """Everything a comparison needs, resolved. ``sources``: what to import of each backend."""

    specs: tuple[Spec, Spec]
    cards: Mapping[str, Card]
    sources: Mapping[str, str]
    declared: Mapping[str, Declared]
    batches: tuple[int, ...]
    threads: int
    splits: tuple[Split, ...]
    budget: float
    allowed: Allowed
    timeout: float
    limit: int | None
    out: Path | None
    mirror: Path | None
    form: str


def resolve(arguments: argparse.Namespace) -> Request:
    """Resolve the arguments of ``bench ab``. Raises BadInput for a word that is wrong."""
    both = (specs.parse(arguments.a), specs.parse(arguments.b))
    sources = sides.backends_for(both, arguments.backend)
    declared = {backend: backends.declared(source) for backend, source in sources.items()}
    _refuse_options(both, declared)
    cards = _cards(arguments.zoo, both)
    check_seconds(arguments)
    words = [] if arguments.only == "latency" else arguments.data or ["sample"]
    limit = None if arguments.limit is None else positive(arguments.limit, "--limit")
    return Request(
        specs=both,
        cards=cards,
        sources=sources,
        declared=declared,
        batches=tuple(sorted({positive(word, "--batch") for word in arguments.batch.split(",")})),
        threads=_threads(arguments.threads, both),
        splits=tuple(splits_of(words, limit)),
        budget=arguments.budget,
        allowed=Allowed(
            slowdown=share_of(arguments.max_slowdown, "--max-slowdown", zero=False),
            drop=_points(arguments.max_drop),
        ),
        timeout=arguments.timeout,
        limit=limit,
        out=arguments.out,
        mirror=mirror_folder(arguments.mirror),
        form=formats.known(arguments.format),
    )


def _cards(pattern: str | None, both: tuple[Spec, Spec]) -> dict[str, Card]:
    """Return the networks by name: those of ``--zoo``, else all, or all that a zoo folder of a side has."""
    if pattern is not None:
        return find_networks(pattern)
    folders = [sides.files_in(Path(spec.value)) for spec in both if spec.kind == "zoo"]
    if not folders:
        return find_networks("all")
    names = sorted({name for files in folders for name in files})
    known = [name for name in names if name in zoo_card.all_cards()]
    if not known:
        raise BadInput(
            f"of {', '.join(names)} none is a network of the zoo, so nothing says what they ought to answer; name the "
            "files as `python -m zoo list` does"
        )
    for name in sorted(set(names) - set(known)):
        print(
            f"{name} is left out: it is no network of the zoo, so nothing says what it ought to answer", file=sys.stderr
        )
    return find_networks(",".join(known))


def _refuse_options(both: Sequence[Spec], declared: Mapping[str, Declared]) -> None:
    for spec in both:
        for name, value in spec.options.items():
            for backend, said in declared.items():
                if value not in said.options.get(name, ()):
                    there = "; ".join(f"{option}={'|'.join(values)}" for option, values in said.options.items())
                    raise BadInput(
                        f"SPEC {spec.text!r}: {backend} has no {name}={value}; it has {there or 'no options'}"
                    )


def _threads(text: str | None, both: Sequence[Spec]) -> int:
    cpus = len(usable_cpus())
    threads = cpus if text is None else positive(text, "--threads")
    for given in (threads, *(spec.threads for spec in both if spec.threads is not None)):
        if given > cpus:
            raise BadInput(f"threads {given}: this process may use {cpus} CPUs; give that many at most")
    return threads


def _points(text: str) -> float:
    wanted = "give points of a hundred, such as 0.5"
    points = number_of(text, "--max-drop", wanted)
    if not 0 <= points <= 100:
        raise BadInput(f"--max-drop {text!r}: {wanted}")
    return points / 100
