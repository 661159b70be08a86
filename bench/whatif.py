"""``bench whatif``: what a network's scores become under the mistakes that are usually made in feeding it.

All ways of feeding it are scored on the same faces, so each change is judged by pairs, as comparisons in reports are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import accuracy, datasets, devices
from bench.accuracy import Network
from bench.backends import ANY
from bench.columns import Column, columns
from bench.differences import MARGIN, Difference, Verdict, holm, of_shares, of_years, verdict
from bench.heads import decode
from bench.host import usable_cpus
from bench.inference import Feeder, Predicted, predict
from bench.intervals import Subjects, subjects_of
from bench.metrics import scores
from bench.mistakes import mistakes
from bench.parity import first_run
from bench.plan import accuracy_batch
from bench.preprocess import Tensor
from bench.process import WorkerFailed, open_worker
from bench.records import Case, Score
from bench.run import Missing, network_of
from bench.types import Sample, Split, Unavailable
from converters.errors import BadInput
from zoo.card import Card, find_card
from zoo.store import mirror_folder

RIGHT = "as its card says"
KEY_METRICS = (("age", "mae"), ("age_group", "accuracy"), ("gender", "accuracy"))


Key = tuple[str | None, str, str]
"""Of a score: its head, task and metric."""


@dataclass(frozen=True)
class Fed:
    """One way of feeding a network, the scores that it gives, and the columns that the key ones are the means of."""

    name: str
    scores: tuple[Score, ...]
    columns: dict[Key, Column]
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Change:
    """A key score less that of the right way, on the same faces; the p-value is adjusted for the number of ways."""

    difference: Difference
    p: float
    verdict: Verdict


def feeders(network: Network) -> Iterator[tuple[str, Feeder]]:
    """Yield the right way of feeding a network, then each usual mistake by its name, as far as it can be made."""
    right = accuracy.feeder(network)
    yield RIGHT, right
    for name, spec in mistakes(network.spec, network.mean_image):
        yield name, replace(right, spec=spec, mean_image=network.mean_image if spec.mean_image else None)
    yield "NHWC handed over as NCHW", replace(right, after=_interleaved)


def _interleaved(tensor: Tensor) -> Tensor:
    """Return what a network sees of (V, C, H, W) when the bytes of (V, H, W, C) are handed over in that shape."""
    return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)).reshape(tensor.shape)


def measure(network: Network, split: Split, backend: str, tell: Callable[[str], Any]) -> list[Fed]:
    """Score every way of feeding ``network`` on ``split``, all in one worker of ``backend`` on the CPU.

    Raises BadInput where the backend cannot be used or fails, or no image can be read.
    """
    threads = len(usable_cpus())
    probe = devices.probe(backend, "cpu", ANY)
    if probe.reason is not None:
        raise devices.NotUsable(f"{backend} on cpu: {probe.reason}")
    case = Case(
        network=network.name, backend=backend, device="cpu", precision="fp32", batch=accuracy_batch(network.spec),
        threads=threads, kind="accuracy", dataset=split.dataset, split=split.split,
    )  # fmt: skip
    found = []
    try:
        with open_worker(backend, "cpu", threads, python=probe.python) as worker:
            worker.ask("load", model=str(network.model))
            first_run(worker, network.golden, case)
            for name, feeder in feeders(network):
                said = predict(worker, feeder, split.samples, case.batch, partial(_step, tell, name), threads)
                if not said.read:
                    why = said.left[0]
                    raise BadInput(f"{split.dataset}:{split.split}: no image can be read; the first: {why}")
                found.append(_scored(name, network, said))
    except (Unavailable, WorkerFailed) as error:
        raise BadInput(f"{network.name} on {backend}: {error}") from error
    return found


def _scored(name: str, network: Network, said: Predicted) -> Fed:
    told: list[Score] = []
    key_columns: dict[Key, Column] = {}
    for head in network.card.heads:
        prediction = decode(head, said.outputs[head.output])
        told += scores(head, prediction, said.read)
        for column in columns(head, prediction, said.read):
            if column.groups is None and (column.task, column.metric) in KEY_METRICS:
                key_columns[head.output, column.task, column.metric] = column
    return Fed(name, tuple(told), key_columns, tuple(said.read))


def changes(found: Sequence[Fed]) -> dict[str, dict[Key, Change]]:
    """Return what each way but the first, the right one, changes of each key score: way by way, on the same faces."""
    right, *others = found
    told: dict[str, dict[Key, Change]] = {fed.name: {} for fed in others}
    for key, column in right.columns.items():
        subjects = subjects_of(right.samples[i].subject for i in column.faces)
        differences = [_difference(fed.columns[key], column, subjects) for fed in others]
        for fed, difference, p in zip(others, differences, holm([d.p for d in differences]), strict=True):
            told[fed.name][key] = Change(difference, p, verdict(difference, MARGIN[column.metric], p))
    return told


def _difference(changed: Column, right: Column, subjects: Subjects | None) -> Difference:
    if right.metric == "mae":
        return of_years(np.stack([changed.values, right.values], axis=1), subjects)[0, 1]
    return of_shares(changed.values, right.values, subjects)


def _step(tell: Callable[[str], Any], name: str, step: str) -> None:
    tell(f"{name}: {step}")


def rows(found: Sequence[Fed]) -> list[dict[str, Any]]:
    """Return a row for each way of feeding: each key score with its interval, its change with that, and the verdict."""
    told, table = changes(found), []
    for fed in found:
        row: dict[str, Any] = {"fed": fed.name}
        for score in fed.scores:
            key = (score.head, score.task, score.metric)
            if key in fed.columns and score.groups is None:
                title, low, high = f"{score.task.replace('_', ' ')} {score.metric} ({score.head})", *score.ci95
                row[f"{title} [95 %]"] = f"{score.value:.3f} [{low:.3f}, {high:.3f}]"
                row[f"change of {title} [99 %]"] = _cell(told[fed.name][key]) if fed.name in told else ""
        table.append(row)
    return table


def _cell(change: Change) -> str:
    low, high = change.difference.interval
    return f"{change.difference.value:+.3f} [{low:+.3f}, {high:+.3f}] {change.verdict}"


def command(arguments: argparse.Namespace) -> int:
    """Print the table of ``bench whatif``, or JSON."""
    from tabulate import tabulate

    from zoo import progress

    (backend,) = devices.known_backends(arguments.backend).values()
    card = find_card(arguments.name)
    network = _network(arguments.name, card, mirror_folder(arguments.mirror))
    split = datasets.load(*datasets.parse_data(arguments.data))
    if arguments.limit is not None:
        split = datasets.limited(split, arguments.limit)
    with progress.task(f"{arguments.name} on {split.dataset}:{split.split}") as advance:
        done = iter(range(1_000_000))
        found = measure(network, split, backend, lambda _: advance(next(done)))
    head = {"network": arguments.name, "backend": arguments.backend, **_about(split)}
    if arguments.json:
        told = changes(found)
        ways = [
            {
                "fed": fed.name,
                "scores": [score.model_dump() for score in fed.scores],
                "changes": [
                    {"head": head, "task": task, "metric": metric, "value": of.difference.value,
                     "interval99": of.difference.interval, "p": of.p, "n": of.difference.n, "verdict": of.verdict}
                    for (head, task, metric), of in told.get(fed.name, {}).items()
                ],
            }
            for fed in found
        ]  # fmt: skip
        print(json.dumps({**head, "ways": ways}, indent=1))
        return 0
    print(", ".join(f"{key} {value}" for key, value in head.items()))
    print(tabulate(rows(found), headers="keys", tablefmt="github", disable_numparse=True))
    return 0


def _about(split: Split) -> Mapping[str, Any]:
    return {
        "data": f"{split.dataset}:{split.split}",
        "n": len(split.samples),
        "split_sha256": datasets.fingerprint(split),
    }


def _network(name: str, card: Card, mirror: Path | None) -> Network:
    if not card.heads or card.seeded:
        raise BadInput(f"{name}: has no scores to lose: {'its weights are random' if card.seeded else card.purpose}")
    network = network_of(name, card, mirror)
    if isinstance(network, Missing):
        raise BadInput(f"{name}: {network.reason}")
    return network
