"""The faulty backend's answers from a worker that dies, alone or with its parent, as often as ``DYING`` says.

``DYING`` is ``worker:N:FOLDER`` or ``parent:N:FOLDER``: at its third run it dies while FOLDER has fewer than N files.
"""

import os
import signal
from pathlib import Path

import numpy as np

from bench.types import Session

DEVICES = ("cpu",)


def version():
    return "1.0"


def load(model, device, threads):
    whom, times, folder = os.environ.get("DYING", "worker:0:/").split(":")
    runs = 0

    def run(feeds):
        nonlocal runs
        runs += 1
        if runs == 3 and len(list(Path(folder).iterdir())) < int(times):
            (Path(folder) / f"{os.getpid()}").touch()
            os.kill(os.getppid() if whom == "parent" else os.getpid(), signal.SIGKILL)
        return {"prob": np.float32(feeds["data"][:, :2].mean(axis=(2, 3)))}

    return Session(run, lambda: {"here": 1}, {})
