"""The machine's own limits, measured at the start of a run: its best convolution, and the bandwidth of its memory.

They are what the run's own backends reach on work that suits them, not what a data sheet says. A convolution that a
runtime computes with fewer multiplications (Winograd) counts as if it did all, as those of every network do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.host import last_level_cache, usable_cpus
from bench.kernels import ENOUGH, Made, Work, kernels
from bench.parity import check_placement
from bench.process import Start, WorkerFailed, WorkerProcess, open_worker
from bench.records import Case, Kernel, Limit
from bench.types import Unavailable
from converters.errors import BadInput

ROUNDS = 4
ROUND_SECONDS = 0.1
ROUND_RUNS = 2
SHARE = 10
"""The percentile of a kernel's times that is its time: what the machine can, whatever else it does meanwhile."""

MOST_SECONDS = 0.5
"""The longest that a round takes, whatever the backend makes of the kernel."""

Open = Callable[[str], AbstractContextManager[WorkerProcess]]
"""Starts the worker of a backend, and ends it when the block ends."""


def limits(cases: Sequence[Case], start: Start, kept: Sequence[Limit], tell: Callable[[str], Any]) -> tuple[Limit, ...]:
    """Return the limits of each device and number of threads that ``cases`` are measured with.

    ``kept``: those that were measured before, by an earlier part of the same run.
    """
    found = {(limit.device, limit.threads): limit for limit in kept}
    places: dict[tuple[str, int], dict[str, Case]] = {}
    for case in cases:
        places.setdefault((case.device, case.threads), {}).setdefault(case.backend, case)
    for (device, threads), by_backend in places.items():
        if (device, threads) not in found:

            def begin(backend: str, by: Mapping[str, Case] = by_backend) -> AbstractContextManager[WorkerProcess]:
                return start(by[backend])

            found[device, threads] = measure(device, threads, list(by_backend), begin, tell)
    return tuple(found.values())


def measure(device: str, threads: int, backends: Sequence[str], start: Open, tell: Callable[[str], Any]) -> Limit:
    """Measure what ``backends`` reach on ``device`` with ``threads`` threads; ``tell`` is told what is being done.

    The backends of a kernel take turns, all others stopped. One that cannot run a kernel, or runs it wrongly, is left
    out from there on, and ``refused`` says why.
    """
    cache = last_level_cache(usable_cpus()[:threads]) if device == "cpu" else None
    timed: list[Kernel] = []
    refused: dict[str, str] = {}
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="agebench-") as folder:
        workers: dict[str, WorkerProcess] = {}

        def load(name: str, made: Made) -> None:
            if name not in workers:
                own = open_worker(name, device, threads) if name.startswith("_") else start(name)
                workers[name] = stack.enter_context(own)
            _load(workers[name], made)

        for work in kernels(device, cache):
            made = _written(work, Path(folder))
            times: dict[str, list[float]] = {}
            for name in backends if work.backend is None else [work.backend]:
                tell(f"{work.name} on {name}")
                if _went(refused, name, work, partial(load, name, made)):
                    times[name] = []
            for number in range(ROUNDS):
                for name in times if number % 2 == 0 else reversed(times):
                    _went(refused, name, work, partial(_round, workers[name], times[name]))
            timed += [_kernel(work, name, taken) for name, taken in times.items() if name not in refused]
            Path(made.model).unlink()
    return limit(device, threads, timed, refused, cache)


def _written(work: Work, folder: Path) -> Made:
    try:
        return work.make(folder)
    except OSError as error:
        said = f"{folder.parent}: {work.name} cannot be written: {error.strerror}"
        raise BadInput(f"{said}; make room there, or let TMPDIR name another folder") from error


def limit(
    device: str, threads: int, timed: Sequence[Kernel], refused: Mapping[str, str], cache_bytes: int | None
) -> Limit:
    """Return the limits that the times of kernels show."""
    gflops, gflops_by = _best(timed, [kernel.operations for kernel in timed])
    gb_s, gb_s_by = _best(timed, [kernel.bytes for kernel in timed])
    return Limit(
        device=device,
        threads=threads,
        gflops=gflops,
        gflops_by=gflops_by,
        gb_s=gb_s,
        gb_s_by=gb_s_by,
        cache_bytes=cache_bytes,
        kernels=tuple(timed),
        refused=dict(refused),
    )


def _best(timed: Sequence[Kernel], amounts: Sequence[int]) -> tuple[float | None, str | None]:
    """Return the most done in a second, in billions, and what did it."""
    rates = [amount / float(np.percentile(k.times_ms, SHARE)) / 1e6 for k, amount in zip(timed, amounts, strict=True)]
    if not any(rates):
        return None, None
    best = int(np.argmax(rates))
    return rates[best], f"{timed[best].backend.lstrip('_')}: {timed[best].name}"


def _went(refused: dict[str, str], name: str, work: Work, step: Callable[[], Any]) -> bool:
    """Take a step with a backend that has not failed yet; where it fails now, note why. Says whether all is well."""
    if name not in refused:
        try:
            step()
        except (WorkerFailed, Unavailable) as error:
            refused[name] = f"{work.name}: {error}"
    return name not in refused


def _load(worker: WorkerProcess, made: Made) -> None:
    """Load a kernel, run it, and hold its outputs against the right ones. Raises WorkerFailed where they differ."""
    with worker.turn():
        worker.ask("load", model=made.model)
        answer, outputs = worker.ask("run", made.feeds)
        check_placement(answer["placement"])
        worker.ask("time", count=1, seconds=ROUND_SECONDS, most=MOST_SECONDS)  # the first runs are slow
    found = outputs.get("y")
    if found is None or found.shape != made.wanted.shape:
        raise WorkerFailed(f"the output y has the shape {getattr(found, 'shape', None)}, not {made.wanted.shape}")
    off = float(np.abs(found - made.wanted).max() / np.abs(made.wanted).max())
    if not off <= ENOUGH:
        raise WorkerFailed(f"the output is off by {off:.2g} of the largest: its times say nothing")


def _round(worker: WorkerProcess, times: list[float]) -> None:
    with worker.turn():
        answer, _ = worker.ask("time", count=ROUND_RUNS, seconds=ROUND_SECONDS, most=MOST_SECONDS)
    times += [round(time, 6) for time in answer["times_ms"]]


def _kernel(work: Work, name: str, times: Sequence[float]) -> Kernel:
    return Kernel(name=work.name, backend=name, operations=work.operations, bytes=work.bytes, times_ms=tuple(times))
