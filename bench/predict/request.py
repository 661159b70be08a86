"""From the words of ``bench predict`` to a request: every wrong word is one line, before any picture is read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import backends, detection
from bench.backends import ANY
from bench.devices import choose, known_backends
from bench.host import usable_cpus
from bench.predict import choosing, sources
from bench.predict.asking import Place
from bench.predict.sources import Source
from converters.errors import BadInput
from zoo.card import Card
from zoo.store import mirror_folder


@dataclass(frozen=True)
class Request:
    """What was asked for: the pictures, how faces are found, the networks, and those that say nothing, with why."""

    source: Source
    faces: str
    cards: Mapping[str, Card]
    left: Mapping[str, str]
    place: Place
    out: Path
    mirror: Path | None
    resume: bool
    as_json: bool


def resolve(arguments: argparse.Namespace, out: Path) -> Request:
    """Resolve the arguments of ``bench predict``. Raises as `command`."""
    faces = detection.parse(arguments.faces)
    limit = arguments.limit_ms
    if limit is not None and not 0 < limit < float("inf"):
        raise BadInput(f"--limit-ms {limit:g}: give milliseconds above 0")
    if arguments.run is not None and limit is None:
        raise BadInput(f"--run {arguments.run}: is for --limit-ms, which picks networks by what the run measured")
    if arguments.frames is not None and arguments.frames < 1:
        raise BadInput(f"--frames {arguments.frames}: give a whole number from 1")
    cards, left = choosing.named(arguments.zoo or (None if limit is None else "all"))
    place = _place(arguments.backend, arguments.device)
    source = sources.opened(arguments.source, arguments.frames, out)
    if source.kind == "camera" and arguments.resume:
        raise BadInput(f"--resume: {source.name} shows no picture twice; give another --out")
    mirror = mirror_folder(arguments.mirror)
    if limit is not None and arguments.run is None:
        cards = choosing.by_cards(cards, limit, choosing.timer(cards, place, mirror))
    elif limit is not None:
        from bench.predict.by_run import by_run

        cards = by_run(cards, limit, place, arguments.run)
    elif arguments.zoo is None:
        print(f"networks: {', '.join(cards)} ({choosing.WHY_DEFAULT})", file=sys.stderr)
    named = left if arguments.zoo is not None else {}
    return Request(source, faces, cards, named, place, out, mirror, arguments.resume, arguments.json)


def _place(backend: str, device: str) -> Place:
    named = known_backends(backend)
    if len(named) != 1:
        raise BadInput(f"--backend {backend}: give one")
    ((name, source),) = named.items()
    if backends.declared(source).reads == "source":
        raise BadInput(f"--backend {backend}: runs original files, and here ONNX files are run; give onnxruntime")
    found = choose(named, device, {ANY}, named=True)
    return Place(name, source, found.devices[name], found.pythons[name, ANY], len(usable_cpus()))
