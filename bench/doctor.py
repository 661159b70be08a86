"""Which backend can use which device on this machine, and what to do about each that cannot."""

from __future__ import annotations

import json
from dataclasses import asdict

from bench import backends
from bench.devices import DEVICES, called, probe


def examine(*, as_json: bool) -> str:
    """Try every backend on every device; return a table, or JSON."""
    from tabulate import tabulate

    probes = [
        probe(backend, device, form)
        for backend in backends.names()
        for form in backends.declared(backend).needs
        for device in DEVICES
    ]
    if as_json:
        return json.dumps(
            [{**asdict(p), "python": str(p.python or ""), "usable": p.reason is None} for p in probes], indent=1
        )
    rows = [
        (called((p.backend, p.form)), p.device, "usable" if p.reason is None else "not usable", p.version or p.reason)
        for p in probes
    ]
    return tabulate(rows, headers=("backend", "device", "", "version, or why not"), maxcolwidths=(None, None, None, 80))
