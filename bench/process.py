"""A worker seen from the harness: started, asked, stopped between its turns, and ended; its death is an answer too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from time import sleep
from typing import Any

import psutil

from bench.host import usable_cpus
from bench.records import Case
from bench.types import Unavailable
from bench.wire import Arrays, receive, send

PACKAGES = Path(__file__).parent.parent

BOOT = """\
import importlib.machinery, importlib.util, sys
for name in ("bench", "converters"):
    spec = importlib.machinery.PathFinder.find_spec(name, [sys.argv[3]])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
from bench.worker import main
main()
"""
"""Our packages by their path, and nothing else that may lie beside them: where they are installed that is the harness's
own environment, whose packages a worker under another interpreter must not see."""


class WorkerFailed(Exception):  # noqa: N818 - it says what it is
    """A worker answered with an error, died, or did not answer in time. Says which."""


class WorkerDied(WorkerFailed):
    """A worker's process is gone: it says nothing of the network, another one may get through."""


class WorkerProcess:
    """One running worker. Made by ``open_worker``."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pipe: Connection,
        errors: Any,
        timeout: float,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Take over a started process; ``timeout`` is how long one request may take, in seconds."""
        self.options = dict(options or {})
        self.process = process
        self.pipe = pipe
        self.errors = errors
        self.timeout = timeout

    def ask(self, do: str, arrays: Arrays | None = None, **request: Any) -> tuple[dict[str, Any], Arrays]:
        """Send a request and wait for its answer.

        Raises Unavailable when the backend refuses the device, WorkerFailed when the worker fails, dies or hangs.
        """
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.process.kill()

        deadline = threading.Timer(self.timeout, give_up)
        deadline.start()  # a stopped or hanging worker may also never take the request in: its death ends both waits
        try:
            send(self.pipe, {"do": do, **request}, arrays)
            answer, outputs = receive(self.pipe)
        except (EOFError, OSError):
            if late.is_set():
                raise WorkerFailed(f"no answer to '{do}' within {self.timeout:g} s; the worker was ended") from None
            raise WorkerDied(self._death()) from None
        finally:
            deadline.cancel()
        if "unavailable" in answer:
            raise Unavailable(answer["unavailable"])
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer, outputs

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let the worker run for as long as the block lasts, and stop it again after that."""
        self._signal(running=True)
        try:
            yield
        finally:
            self._signal(running=False)

    def end(self) -> None:
        """Kill the worker, also a stopped or hanging one."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        self.errors.close()

    def _signal(self, *, running: bool) -> None:
        with suppress(psutil.NoSuchProcess):  # the next request finds it dead and says so
            process = psutil.Process(self.process.pid)
            if running:
                process.resume()
                return
            process.suspend()
            while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                sleep(0.0005)  # the signal is on its way: the next worker must not start beside this one

    def _death(self) -> str:
        code = self.process.wait()
        self.errors.seek(0)
        lines = [line for line in self.errors.read().decode(errors="replace").splitlines() if line.strip()]
        said = f"; it last said: {lines[-1].strip()[:300]}" if lines else ""
        if code == -signal.SIGKILL:
            return f"the worker was killed (SIGKILL), most likely out of memory{said}"
        if code < 0:
            return f"the worker crashed ({signal.Signals(-code).name}){said}"
        return f"the worker ended with exit code {code}{said}"


Model = str | dict[str, str]
"""What a worker is to load: the path of an ONNX file, or of each of a network's original files by role."""

Start = Callable[[Case], AbstractContextManager[WorkerProcess]]
"""Starts the worker of a case, and ends it when the block ends."""


@contextmanager
def open_worker(
    backend: str,
    device: str,
    threads: int,
    timeout: float = 300,
    *,
    python: Path | None = None,
    options: Mapping[str, str] | None = None,
    packages: Path = PACKAGES,
) -> Iterator[WorkerProcess]:
    """Start a worker pinned to as many CPUs as it has threads; end it when the block ends.

    ``timeout``: seconds for each request; ``python``: another environment's interpreter; ``options``: the backend's;
    ``packages``: the folder of another revision of our packages, whose `bench.wire.PROTOCOL` has to be ours.
    """
    ours, theirs = Pipe()
    cpus = usable_cpus()[:threads]
    spec = {"backend": backend, "device": device, "threads": threads, "cpus": cpus, "options": dict(options or {})}
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if python not in (None, Path(sys.executable)):
        environment.pop("PYTHONPATH", None)
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - the worker's end closes it
    process = subprocess.Popen(
        [str(python or sys.executable), "-P", "-c", BOOT, str(theirs.fileno()), json.dumps(spec), str(packages)],
        pass_fds=[theirs.fileno()],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=errors,
        stderr=errors,
    )
    theirs.close()
    worker = WorkerProcess(process, ours, errors, timeout, options)
    try:
        yield worker
    finally:
        worker.end()
