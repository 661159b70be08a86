"""A whole split as fast as it goes: images are decoded and prepared ahead while the worker infers.

The same work is also timed with only one of its two parts, before and after: the throughput of the slower one is what
overlapping them can reach at best. The worker has the CPUs that ``--threads`` gives it, decoding those that are left;
where none are left it has one thread that shares them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from bench.accuracy import Network, left_out, scored_on
from bench.ahead import cpus_left, decoders, in_order
from bench.detection import box_of
from bench.preprocess import Left, Unreadable, prepare, read_image
from bench.process import WorkerProcess
from bench.records import Case, Point, Result, RunConfig
from bench.scenarios import Given
from bench.scenarios._candidate import Candidate, attempt, compared, warm
from bench.team import Opened
from bench.types import Feeds, Sample, Split

ALONE_SHARE = 0.5
"""Of ``--budget``: how long each part alone is timed, before the passes and again after them."""

PASSES = 5
"""At most; a split that takes longer than the budget is passed once."""


def cases(config: RunConfig, splits: Sequence[Split]) -> list[dict[str, object]]:
    """Return a case for each split and each batch size of ``--batch``."""
    return [
        {"kind": "latency", "scenario": "offline", "batch": batch, "dataset": split.dataset, "split": split.split}
        for split in splits
        for batch in sorted(config.batches)
    ]


def measure(given: Given) -> list[Result]:
    """Measure one case after the other: each has the machine alone."""
    return [_measure(case, given) for case in given.cases]


def _measure(case: Case, given: Given) -> Result:
    split = next(s for s in given.splits if (s.dataset, s.split) == (case.dataset, case.split))
    cpus = cpus_left(case.threads)
    count = f"{len(cpus)} threads" if len(cpus) > 1 else "1 thread"
    named = f"CPU{'s' * (len(cpus) > 1)} {', '.join(map(str, cpus))}"
    where = named if cpus else "CPUs shared with the worker"
    runtime = {"decoding": f"{count} on {where}"}
    if given.network.faces is not None:
        given.tell("looking for faces, which is not timed")
        given.network.faces.look(split.samples)
        runtime["faces"] = given.network.faces.about
    candidate = Candidate(case, scored_on(split, given.network), runtime=runtime)
    with decoders(cpus) as pool:

        def ahead(samples: Iterable[Sample]) -> Generator[Prepared, None, None]:
            return in_order(samples, partial(_prepared, given.network), pool, 2 * max(case.batch, len(cpus)))

        attempt(candidate, given.team, lambda c, opened: _passes(c, opened, given, split, ahead))
    return candidate.result()


@dataclass(frozen=True)
class Prepared:
    """One image of a split, ready for the network; without tensors ``left`` says why."""

    sample: Sample
    tensors: Feeds
    left: Left | None = None


Ahead = Callable[[Iterable[Sample]], Generator[Prepared, None, None]]
"""Prepares images ahead, in their order."""


def _prepared(network: Network, sample: Sample) -> Prepared:
    try:
        image = read_image(sample.path)
        box = box_of(network.faces, sample.path, image)
        return Prepared(sample, dict(prepare(image, network.spec, network.mean_image, box)))
    except Unreadable as error:
        return Prepared(sample, {}, Left(sample.name, error))


def _passes(candidate: Candidate, opened: Opened, given: Given, split: Split, ahead: Ahead) -> None:
    """Time each part alone, the whole, and each part again, so that a machine that drifts slows all alike."""
    case, budget, samples = candidate.case, given.config.budget, split.samples
    first = compared(candidate, opened, given.network.golden, case.batch)
    warm(candidate, opened, budget / 10, case.batch)
    given.tell(f"{case.backend}: each part alone")
    decoding, some = _decoding(ahead, samples, case.batch, ALONE_SHARE * budget)
    if not some:
        none = ", or none shows a face" if given.network.faces is not None else ""
        candidate.end("failed", f"no image of the split could be read{none}")
        return
    inference = partial(_inference, opened.worker, some, case.batch, ALONE_SHARE * budget)
    candidate.points += [decoding, inference()]
    passes: list[float] = []
    while not passes or (sum(passes) < budget and len(passes) < PASSES):
        given.tell(f"{case.backend}: pass {len(passes) + 1}")
        begin = perf_counter()
        images, left = one_pass(opened.worker, ahead(samples), case.batch)
        passes.append(perf_counter() - begin)
    memory, _ = opened.worker.ask("time", count=1, seconds=0, most=0)
    candidate.points.append(
        Point(
            batch=case.batch,
            images=images,
            part="overlapped",
            times_ms=tuple(1000 * seconds for seconds in passes),
            memory_mb=memory["memory_mb"],
            device_memory_mb=memory["device_memory_mb"],
            parity=first.parity,
        )
    )
    candidate.warnings += left_out(left, split, given.network)
    given.tell(f"{case.backend}: each part alone, again")
    candidate.points += [inference(), _decoding(ahead, samples, case.batch, ALONE_SHARE * budget)[0]]


def one_pass(worker: WorkerProcess, prepared: Generator[Prepared, None, None], batch: int) -> tuple[int, list[Left]]:
    """Infer every image once, in order; return how many, and which were left out.

    The last batch is filled up with its last image: only the size that was compared with the reference is run.
    """
    images, left, waiting = 0, list[Left](), list[Feeds]()

    def infer() -> None:
        worker.ask("predict", _stacked(waiting, batch))
        waiting.clear()

    with closing(prepared):
        for one in prepared:
            if one.left is not None:
                left.append(one.left)
                continue
            images += 1
            waiting.append(one.tensors)
            if len(waiting) == batch:
                infer()
    if waiting:
        infer()
    return images, left


def _decoding(ahead: Ahead, samples: Sequence[Sample], batch: int, seconds: float) -> tuple[Point, list[Feeds]]:
    """Decode and prepare images for ``seconds``, at most the whole split; return also the first ones, for a batch."""
    images, some = 0, list[Feeds]()
    begin = perf_counter()

    def until() -> Iterator[Sample]:
        for sample in samples:
            if some and perf_counter() - begin >= seconds:
                return
            yield sample

    with closing(ahead(until())) as prepared:
        for one in prepared:
            if one.left is None:
                images += 1
                some += [one.tensors] * (len(some) < batch)
    spent = perf_counter() - begin
    return Point(batch=batch, images=images, part="decode", times_ms=(1000 * spent,)), some


def _inference(worker: WorkerProcess, some: Sequence[Feeds], batch: int, seconds: float) -> Point:
    """Infer one batch over and over for ``seconds``, by the way that images take: the pipe to the worker is in it."""
    times_ms: list[float] = []
    while sum(times_ms) < 1000 * seconds or not times_ms:
        begin = perf_counter()
        worker.ask("predict", _stacked(some, batch))
        times_ms.append(1000 * (perf_counter() - begin))
    return Point(batch=batch, images=batch, part="inference", times_ms=tuple(times_ms))


def _stacked(tensors: Sequence[Feeds], batch: int) -> Feeds:
    filled = [*tensors, *[tensors[-1]] * (batch - len(tensors))]
    return {name: np.stack([one[name] for one in filled]) for name in filled[0]}
