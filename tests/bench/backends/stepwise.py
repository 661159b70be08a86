"""A backend that is right until a batch reaches the size ``AT``, and then goes wrong in the way that ``FAULT`` says.

Its outputs are the means of the first two channels. ``staged`` tells made-up stages where ``STAGED`` is set.
"""

import os
import signal

from bench.types import Session

DEVICES = ("cpu",)


def version():
    return "1.0"


def load(model, device, threads):
    fault, at = os.environ.get("FAULT", ""), int(os.environ.get("AT", "1000000"))
    runs = 0

    def run(feeds):
        nonlocal runs
        runs += 1
        means = feeds["data"][:, :2].mean(axis=(2, 3))
        if len(means) >= at:
            if fault == "wrong":
                return {"prob": means + 1e-3}
            if fault == "memory":
                raise MemoryError("out of memory")
            if fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
        if fault == "later" and runs > at:
            raise ValueError("worn out")
        return {"prob": means}

    def staged(feeds):
        return run(feeds), {"host_to_device": 1.5, "inference": 4.0, "device_to_host": 0.25}

    return Session(run, lambda: {"here": 1}, {}, staged=staged if os.environ.get("STAGED") else None)
