"""From what was asked to every case there is, also those that will be skipped, and why.

The input variants of a network share one graph, so their latency is measured once, under the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from bench import scenarios
from bench.backends import ANY
from bench.preprocess import views
from bench.records import Case, RunConfig
from bench.types import Split
from zoo.card import Card
from zoo.fields import Head, InputSpec

ACCURACY_BATCH = 8


@dataclass(frozen=True)
class Planned:
    """One case, and why it will be skipped if it will."""

    case: Case
    skip: str | None = None


def plan(
    config: RunConfig,
    networks: Mapping[str, Card],
    devices: Mapping[str, str],
    refused: Mapping[tuple[str, str], str],
    readers: Mapping[str, Collection[str]],
    splits: Sequence[Split],
) -> list[Planned]:
    """Return every case in the order it is measured in.

    ``networks``: cards by network name; ``devices``: the device of each backend; ``refused``: why a backend cannot be
    used on it for files of a format; ``readers``: the formats of each backend that reads original files; ``splits``:
    the data to score on. Cases that share their workers stand together.
    """
    planned: list[Planned] = []
    for name, case in _cases(config, networks, devices, splits):
        card = networks[name]
        skip = refused.get((case.backend, ANY), refused.get((case.backend, card.format)))
        if case.backend in readers:
            skip = _unsourced(case, card, readers[case.backend]) or skip
        if skip is None and case.kind == "accuracy":
            skip = unscored(card, next(s for s in splits if _is(s, case)))
        if skip is None and case.kind == "latency" and case.dataset is not None:
            skip = _featured(next(s for s in splits if _is(s, case))) or _viewed(card.networks()[name])
        planned.append(Planned(case, skip))
    places = {key: place for place, key in reversed(list(enumerate(map(_workers(networks), planned))))}
    return sorted(planned, key=lambda one: places[_workers(networks)(one)])


def _workers(networks: Mapping[str, Card]) -> Callable[[Planned], tuple[str, str, int]]:
    """Return what says which cases share their workers: the graph, its precision, the number of threads."""
    return lambda one: (networks[one.case.network].name, one.case.precision, one.case.threads)


def _unsourced(case: Case, card: Card, formats: Collection[str]) -> str | None:
    if card.format not in formats:
        return f"it comes as {card.format}, and {case.backend} is for networks that come as {' or '.join(formats)}"
    if case.precision != "fp32":
        return f"its original files are in single precision: there is no {case.precision} of them"
    return None


def _cases(
    config: RunConfig, networks: Mapping[str, Card], devices: Mapping[str, str], splits: Sequence[Split]
) -> Iterator[tuple[str, Case]]:
    first_of_graph = {card.name: name for name, card in reversed(list(networks.items()))}
    for name, card in networks.items():
        kinds: list[dict[str, object]] = []
        if config.only != "accuracy" and first_of_graph[card.name] == name:
            kinds += [
                fields for scenario in config.scenarios for fields in scenarios.named(scenario).cases(config, splits)
            ]
        if config.only != "latency":
            scored = {"kind": "accuracy", "batch": accuracy_batch(card.networks()[name])}
            kinds += [{**scored, "dataset": split.dataset, "split": split.split} for split in splits]
        for threads, kind, precision, backend in product(config.threads, kinds, config.precisions, config.backends):
            on = {"backend": backend, "device": devices[backend], "threads": threads}
            yield name, Case.model_validate({"network": name, "precision": precision, **on, **kind})


def accuracy_batch(spec: InputSpec) -> int:
    """Return a whole number of faces' tensors."""
    return max(1, ACCURACY_BATCH // views(spec)) * views(spec)


def _is(split: Split, case: Case) -> bool:
    return (split.dataset, split.split) == (case.dataset, case.split)


def unscored(card: Card, split: Split) -> str | None:
    """Say why a network is not scored on a split; None where it is."""
    if card.seeded:
        return "its weights are random (seeded): nobody has published any, so there is no accuracy to measure"
    if not card.heads:
        return f"it is for {card.purpose} and has no head for age or gender"
    return _featured(split) or _unlabelled(card.heads, split)


def _viewed(spec: InputSpec) -> str | None:
    if views(spec) == 1:
        return None
    return f"it takes {views(spec)} views of each face: ask for the network without @{spec.variant}"


def _featured(split: Split) -> str | None:
    taps = sorted({tap for sample in split.samples for tap in sample.features})
    if taps:
        return f"{split.dataset}:{split.split} holds features ({', '.join(taps)}), and the network wants images"
    return None


def _unlabelled(heads: Sequence[Head], split: Split) -> str | None:
    has = {
        "gender": any(s.gender is not None for s in split.samples),
        "age": any(s.age is not None or s.age_range is not None for s in split.samples),
    }
    wanted = {"gender" if head.task == "gender" else "age" for head in heads}
    if any(has[label] for label in wanted):
        return None
    return f"{split.dataset}:{split.split} has no {' or '.join(sorted(wanted))} labels"
