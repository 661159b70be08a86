"""A worker: one fresh process that loads one model in one backend and runs or times it on request.

It answers over a pipe of its own (``bench.wire``) and may run under another interpreter than the harness, so it imports
only numpy, its runtime, and what of ours needs no more than those. Started by `bench.process`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import os
import platform
import resource
import signal
import statistics
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from bench.arrivals import answered
from bench.backends import import_backend
from bench.types import Feeds, Run, Session, Stages, Unavailable
from bench.wire import Arrays, receive, send

Answer = tuple[dict[str, Any], Arrays]


def timed(
    run: Run,
    feeds: Feeds,
    count: int,
    seconds: float,
    most: float = math.inf,
    clock: Callable[[], int] = perf_counter_ns,
) -> list[int]:
    """Run again and again until both ``count`` runs and ``seconds`` are reached, or ``most`` seconds are.

    Returns each run's nanoseconds; there is always one.
    """
    times: list[int] = []
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        begin = clock()
        while True:
            start = clock()
            run(feeds)
            stop = clock()
            times.append(stop - start)
            if (len(times) >= count and stop - begin >= seconds * 1e9) or stop - begin >= most * 1e9:
                return times
    finally:
        if collecting:
            gc.enable()


def warmed_up(
    run: Run,
    feeds: Feeds,
    window: float,
    windows: int = 8,
    tolerance: float = 0.05,
    clock: Callable[[], int] = perf_counter_ns,
) -> bool:
    """Run in windows of ``window`` seconds until two in a row have medians within ``tolerance``; False if none do.

    Where one run takes longer, a window is one run, or two.
    """
    before = 0.0
    for _ in range(windows):
        median = statistics.median(timed(run, feeds, 3, window, 2 * window, clock))
        if abs(median - before) <= tolerance * median:
            return True
        before = median
    return False


def peak_memory_mb() -> float:
    """Return the largest resident set this process has had, in MB.

    On Linux from ``VmHWM``, since ``getrusage`` counts what the parent held when it forked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


class Worker:
    """The requests a worker answers, each a method.

    ``load``, ``run``, ``predict``, ``warm_up``, ``time``, ``stages``, ``serve``.
    """

    def __init__(self, backend: str, device: str, threads: int, options: Mapping[str, str]) -> None:
        """Import the backend's runtime, and time that."""
        self.baseline_mb = peak_memory_mb()
        start = perf_counter_ns()
        self.backend = import_backend(backend)
        self.version = self.backend.version()
        self.import_ms = (perf_counter_ns() - start) / 1e6
        self.device = device
        self.threads = threads
        self.options = options
        self.feeds: Feeds = {}
        self.session: Session | None = None

    def load(self, request: dict[str, Any], _: Arrays) -> Answer:
        """Open ``model``, a path or one for each role. Answers with the runtime's version and the cold times so far."""
        if self.device not in self.backend.DEVICES:
            raise Unavailable(f"runs on {', '.join(self.backend.DEVICES)}, not on {self.device}")
        given = request["model"]
        model = {role: Path(path) for role, path in given.items()} if isinstance(given, dict) else Path(given)
        start = perf_counter_ns()
        self.session = self.backend.load(model, self.device, self.threads, **self.options)
        load_ms = (perf_counter_ns() - start) / 1e6
        cold_ms = {"import": self.import_ms, "load": load_ms}
        return {"version": self.version, "python": platform.python_version(), "cold_ms": cold_ms}, {}

    def run(self, _: dict[str, Any], feeds: Arrays) -> Answer:
        """Run once; the feeds stay for the timing that follows. Answers with the outputs and where the nodes ran."""
        session = self._loaded()
        self.feeds = session.prepare(feeds)
        start = session.clock()
        outputs = session.run(self.feeds)
        run_ms = (session.clock() - start) / 1e6
        told = {"placement": session.placement(), "strays": session.strays(), "details": session.details}
        return {"run_ms": run_ms, **told}, outputs

    def predict(self, _: dict[str, Any], feeds: Arrays) -> Answer:
        """Run once and answer with the outputs alone."""
        session = self._loaded()
        return {}, session.run(session.prepare(feeds))

    def warm_up(self, request: dict[str, Any], _: Arrays) -> Answer:
        """Run on the last feeds until the time is steady."""
        gc.collect()
        gc.freeze()  # what a runtime's import left is never looked through again: that takes longer than a short round
        session = self._loaded()
        return {"steady": warmed_up(session.run, self.feeds, request["window"], clock=session.clock)}, {}

    def time(self, request: dict[str, Any], _: Arrays) -> Answer:
        """Time runs on the last feeds, in ms each; answers with the memory beyond the bare worker's as well."""
        session = self._loaded()
        most = request.get("most", math.inf)
        times = timed(session.run, self.feeds, request["count"], request["seconds"], most, session.clock)
        told = session.device_memory_mb
        memory = {
            "memory_mb": peak_memory_mb() - self.baseline_mb,
            "device_memory_mb": None if told is None else told(),
        }
        return {"times_ms": [t / 1e6 for t in times], **memory}, {}

    def stages(self, request: dict[str, Any], _: Arrays) -> Answer:
        """Time the stages of runs on the last feeds, in ms each.

        Where the backend does not tell them apart the whole run is ``inference`` on the CPU, and ``run`` elsewhere:
        there it has the copies in it.
        """
        session, found = self._loaded(), list[Stages]()
        staged = session.staged
        if staged is None:
            asked = (request["count"], request["seconds"], request["most"])
            times = timed(session.run, self.feeds, *asked, session.clock)
            return {"stages_ms": {"inference" if self.device == "cpu" else "run": [t / 1e6 for t in times]}}, {}

        def run(feeds: Feeds) -> Feeds:
            outputs, parts = staged(feeds)
            found.append(parts)
            return outputs

        timed(run, self.feeds, request["count"], request["seconds"], request["most"])
        return {"stages_ms": {name: [parts[name] for parts in found] for name in found[0]}}, {}

    def serve(self, request: dict[str, Any], arrays: Arrays) -> Answer:
        """Run once, on the last feeds, for each of ``arrivals_s``, at its time or as soon after as can be."""
        run, feeds = self._loaded().run, self.feeds
        gc.collect()
        gc.disable()
        try:
            times_ms, service_ms = answered(lambda: run(feeds), arrays["arrivals_s"].tolist(), request["most"])
        finally:
            gc.enable()
        return {"times_ms": times_ms, "service_ms": service_ms}, {}

    def _loaded(self) -> Session:
        if self.session is None:
            raise RuntimeError("no model is loaded yet")
        return self.session


def serve(pipe: Connection, worker: Callable[[], Worker]) -> None:
    """Answer requests until the harness hangs up. What goes wrong in one is its answer, never silence."""
    made: Worker | None = None
    while True:
        try:
            request, arrays = receive(pipe)
        except EOFError:
            return
        try:
            made = made or worker()
            answer, outputs = getattr(made, request["do"])(request, arrays)
            send(pipe, answer, outputs)
        except Unavailable as error:
            send(pipe, {"unavailable": str(error)})
        except Exception as error:  # noqa: BLE001 - the one place where a crash becomes a result
            send(pipe, {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"})


def main() -> None:
    """Entry point: the pipe's file descriptor, and the backend, device, threads, options and CPUs as JSON."""
    pipe = Connection(int(sys.argv[1]))
    spec = json.loads(sys.argv[2])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a stopped worker must not outlive the harness
        os.sched_setaffinity(0, spec["cpus"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the harness's to handle
    serve(pipe, lambda: Worker(spec["backend"], spec["device"], spec["threads"], spec["options"]))


if __name__ == "__main__":
    main()
