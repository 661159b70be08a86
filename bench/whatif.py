"""``bench whatif``: what a network's scores become under the mistakes that are usually made in feeding it.

The mistakes are changes of its input spec, so each is fed by the very code that feeds it rightly; handing over NHWC
bytes as NCHW is the one that no spec can say.
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
from bench.heads import decode
from bench.host import usable_cpus
from bench.inference import Feeder, predict
from bench.metrics import scores
from bench.parity import first_run
from bench.plan import accuracy_batch
from bench.preprocess import Tensor
from bench.process import WorkerFailed, open_worker
from bench.records import Case, Score
from bench.run import Missing, network_of
from bench.types import Split, Unavailable
from converters.errors import BadInput
from zoo.card import Card, find_card
from zoo.fields import InputSpec
from zoo.store import mirror_folder

RIGHT = "as its card says"
SHARES = (1.0, 1.4, 1.8)
"""A margin of 0, 0.2 and 0.4 of the face's side all round."""
KEY_METRICS = (("age", "mae"), ("age_group", "accuracy"), ("gender", "accuracy"))


@dataclass(frozen=True)
class Fed:
    """One way of feeding a network, and the scores that it gives."""

    name: str
    scores: tuple[Score, ...]


def feeders(network: Network) -> Iterator[tuple[str, Feeder]]:
    """Yield the right way of feeding a network, then each usual mistake by its name, as far as it can be made."""
    right = accuracy.feeder(network)
    spec, mean_image = network.spec, network.mean_image
    yield RIGHT, right
    for name, changes in _changes(spec, mean_image):
        changed = spec.model_copy(update=changes)
        yield name, replace(right, spec=changed, mean_image=mean_image if changed.mean_image else None)
    yield "NHWC handed over as NCHW", replace(right, after=_interleaved)


def _changes(spec: InputSpec, mean_image: Tensor | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if spec.channels != "GRAY":
        other = "RGB" if spec.channels == "BGR" else "BGR"
        yield f"{other} instead of {spec.channels}", {"channels": other}
    if spec.mean is not None or spec.mean_image is not None:
        yield "mean not subtracted", {"mean": None, "mean_image": None}
    if mean_image is not None:
        means = tuple(float(m) for m in mean_image.mean(axis=(1, 2)))
        yield "each channel's mean instead of the mean image", {"mean": means, "mean_image": None}
    if spec.scale == 1:
        yield "scaled to 0..1", {"scale": 1 / 255, "mean": spec.mean}
    else:
        yield "not scaled", {"scale": 1.0}
    for share in SHARES:
        if share != spec.share:
            crops = tuple(c.model_copy(update={"share": c.share * share / spec.share}) for c in spec.crops)
            yield f"margin {(share - 1) / 2:g} instead of {(spec.share - 1) / 2:g}", {"share": share, "crops": crops}
    for kernel in ("nearest", "area", "cubic"):
        yield f"resized by {kernel} instead of {spec.kernel}", {"kernel": kernel}
    yield "resized by Pillow instead of OpenCV", {"resizer": "pillow"}


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
                told = [s for h in network.card.heads for s in scores(h, decode(h, said.outputs[h.output]), said.read)]
                found.append(Fed(name, tuple(told)))
    except (Unavailable, WorkerFailed) as error:
        raise BadInput(f"{network.name} on {backend}: {error}") from error
    return found


def _step(tell: Callable[[str], Any], name: str, step: str) -> None:
    tell(f"{name}: {step}")


def rows(found: Sequence[Fed]) -> list[dict[str, Any]]:
    """Return a row for each way of feeding: the key metric of each head with its interval, and the change."""
    right = {_key(score): score for score in found[0].scores}
    table = []
    for fed in found:
        row: dict[str, Any] = {"fed": fed.name}
        for score in fed.scores:
            if (score.task, score.metric) in KEY_METRICS:
                title = f"{score.task.replace('_', ' ')} {score.metric} ({score.head})"
                low, high = score.ci95
                change = score.value - right[_key(score)].value
                row[title] = f"{score.value:.3f} [{low:.3f}, {high:.3f}]"
                row[f"change of {title}"] = "" if fed is found[0] else f"{change:+.3f}"
        table.append(row)
    return table


def _key(score: Score) -> tuple[str | None, str, str]:
    return score.head, score.task, score.metric


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
        ways = [{"fed": fed.name, "scores": [score.model_dump() for score in fed.scores]} for fed in found]
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
