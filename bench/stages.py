"""What becomes of the time from an image file to an answer: its stages apart, on real images, each in runs of its own.

``decode`` (the file to pixels), ``prepare`` (crop, resize, normalise) and ``heads`` (the outputs to ages and genders)
run in the harness, so they are the same for every backend of a network and timed once. ``host_to_device``,
``inference`` and ``device_to_host`` are the worker's: on the CPU there is nothing to copy, and no such stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import dropwhile
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import datasets
from bench.ahead import one_cv2_thread
from bench.detection import box_of
from bench.heads import decode
from bench.preprocess import Unreadable, prepare_views, read_image
from bench.process import WorkerFailed
from bench.records import Case, Result
from bench.team import Team
from bench.types import Feeds, Split, Unavailable

if TYPE_CHECKING:
    from bench.accuracy import Network

STAGES = ("decode", "prepare", "host_to_device", "inference", "run", "device_to_host", "heads")
"""In the order of an image's way. ``run`` stands for the device's three where a backend cannot tell them apart."""

PER_IMAGE = ("decode", "prepare")
"""The stages whose times are of one image each; those of the others are of one run of the case's batch."""

IMAGES = 16
LOOKED_AT = 64
SECONDS = 0.05
"""Of each stage at most, but for the least of times: three of images, one of a run."""

LEAST_IMAGES = 3
HEAD_TIMES = 50

Times = dict[str, tuple[float, ...]]


def faces(splits: Sequence[Split]) -> list[Path]:
    """Return the first images of the first split that has any; without one those of the built-in sample."""
    for split in splits:
        if not any(sample.features for sample in split.samples):
            return [sample.path for sample in split.samples[:LOOKED_AT]]
    return [sample.path for sample in datasets.load("sample").samples[:LOOKED_AT]]


def with_stages(results: Sequence[Result], network: Network, team: Team, images: Sequence[Path]) -> list[Result]:
    """Return ``results``, the ok ones with the stages of their network and backend; they share their batch size.

    What goes wrong here does not take the latency with it: it is a warning.
    """
    if not any(result.status == "ok" for result in results):
        return list(results)
    with one_cv2_thread():
        before, tensors = before_inference(network, images)
    if not tensors:
        why = f"skipped: the stages: none of {len(images)} images could be read"
        return [_warned(result, why) if result.status == "ok" else result for result in results]
    batch = results[0].case.batch
    feeds = {name: np.stack([tensors[number % len(tensors)][name] for number in range(batch)]) for name in tensors[0]}
    after: Times | None = None
    found = []
    for result in results:
        if result.status != "ok" or result.latency is None:
            found.append(result)
            continue
        try:
            own, outputs = _of_worker(result.case, team, feeds)
            after = _of_heads(network, outputs) if after is None else after
        except (WorkerFailed, Unavailable, ValueError, KeyError) as error:
            found.append(_warned(result, f"skipped: the stages: {error}"))
            continue
        times = {**before, **own, **after}
        ordered = {stage: times[stage] for stage in STAGES if stage in times}
        found.append(result.model_copy(update={"latency": result.latency.model_copy(update={"stages_ms": ordered})}))
    return found


def before_inference(network: Network, images: Sequence[Path]) -> tuple[Times, list[Feeds]]:
    """Read and prepare up to `IMAGES` of ``images``, passing over what cannot be read: ms of each, and the tensors.

    The first that can be read is taken twice, and only the second time counts: the first one wakes up OpenCV.
    """
    decoded: list[float] = []
    prepared: list[float] = []
    tensors: list[Feeds] = []
    unread = list(dropwhile(lambda path: not _awake(path, network), images))
    end = perf_counter() + 2 * SECONDS
    for path in unread:
        start = perf_counter_ns()
        try:
            image = read_image(path)
            middle = perf_counter_ns()
            box = box_of(network.faces, path, image)
        except Unreadable:
            continue
        found = perf_counter_ns()
        views = prepare_views(image, network.spec, network.mean_image, box)
        tensors.append({name: of_face[0] for name, of_face in views.items()})
        stop = perf_counter_ns()
        decoded.append((middle - start) / 1e6)
        prepared.append((stop - found) / 1e6)
        if len(tensors) == IMAGES or (len(tensors) >= LEAST_IMAGES and perf_counter() >= end):
            break
    return {"decode": tuple(decoded), "prepare": tuple(prepared)}, tensors


def _awake(path: Path, network: Network) -> bool:
    try:
        image = read_image(path)
        prepare_views(image, network.spec, network.mean_image, box_of(network.faces, path, image))
    except Unreadable:
        return False
    return True


def _of_worker(case: Case, team: Team, feeds: Feeds) -> tuple[Times, Feeds]:
    with team.turn(case) as opened:
        _, outputs = opened.worker.ask("run", feeds)
        answer, _ = opened.worker.ask("stages", count=3, seconds=SECONDS, most=2 * SECONDS)
    return {stage: tuple(round(t, 6) for t in times) for stage, times in answer["stages_ms"].items()}, outputs


def _of_heads(network: Network, outputs: Feeds) -> Times:
    """Time all heads of a network together; a network without heads has no such stage."""
    heads = network.card.heads
    if not heads:
        return {}
    return {"heads": _repeated(lambda: [decode(head, outputs[head.output]) for head in heads])}


def _repeated(work: Callable[[], Any]) -> tuple[float, ...]:
    times: list[float] = []
    end = perf_counter() + SECONDS
    while not times or (len(times) < HEAD_TIMES and perf_counter() < end):
        start = perf_counter_ns()
        work()
        times.append((perf_counter_ns() - start) / 1e6)
    return tuple(times)


def _warned(result: Result, warning: str) -> Result:
    return result.model_copy(update={"warnings": (*result.warnings, warning)})
