"""A backend that runs nothing and goes wrong on demand: in the way that ``FAULT`` says, when it loads or runs.

Its outputs are the means of the first two channels, so that a test can know them without a runtime.
"""

import os
import signal
import time

import numpy as np

from bench.types import Session, Unavailable

DEVICES = ("cpu", "cuda")


def version():
    return "1.0"


def means(feeds):
    return feeds["data"][:, :2].mean(axis=(2, 3))


def load(model, device, threads):
    if device == "cuda":
        raise Unavailable("this one has no GPU")
    fault = os.environ.get("FAULT", "")
    runs = 0
    if fault == "refuse":
        raise Unavailable("not today")
    if fault == "load":
        raise ValueError("cannot read\nthis file")

    def run(feeds):
        nonlocal runs
        runs += 1
        if fault == "garbage":
            os.write(1, b"\x00garbage on stdout\n" * 100)
        if fault == "wrong":
            return {"prob": means(feeds) + 1e-3}
        if fault == "not a number":
            return {"prob": means(feeds) * float("nan")}
        if fault == "object":
            return {"prob": np.array([object()])}
        if fault == "no output":
            return {"other": means(feeds)}
        if fault == "later nan" and runs > 1:
            return {"prob": means(feeds) * float("nan")}
        if fault == "later rows" and runs > 1:
            return {"prob": means(feeds)[:-1]}
        if fault == "later missing" and runs > 1:
            return {"other": means(feeds)}
        if fault == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "kill" or (fault == "kill later" and runs > 20):
            os.write(2, b"about to die\n")
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "hang":
            time.sleep(600)
        if fault == "exit":
            os._exit(7)
        if fault == "memory":
            raise MemoryError("out of memory")
        time.sleep(0.0005)
        return {"prob": means(feeds)}

    places = {"nowhere": {}, "placement is None": None, "placement is a list": [1], "placement of 0": {"here": 0}}
    return Session(run, lambda: places.get(fault, {"here": 1}), {})
