"""Which backend can use which device on this machine, and the one thing to do about each that cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from bench import backends, environments
from bench.backends import ANY
from bench.devices import DEVICES, Probe, probe
from bench.host import gpus


def examine(*, as_json: bool) -> str:
    """Try every backend on every device with every format that it reads; return a table, or JSON."""
    from tabulate import tabulate

    probes = [
        probe(backend, device, form)
        for backend in backends.names()
        for form in backends.declared(backend).needs
        for device in DEVICES
    ]
    found = [_entry(one, probes) for one in probes]
    if as_json:
        return json.dumps(found, indent=1)
    rows = [
        (
            one["backend"],
            one["device"],
            one["reads"],
            "usable" if one["usable"] else "not usable",
            one["version"] or one["reason"],
            one["environment"],
            one["remedy"],
        )
        for one in found
    ]
    headers = ("backend", "device", "reads", "", "version, or why not", "environment", "what to do")
    table = tabulate(rows, headers=headers, maxcolwidths=(None, None, None, None, 44, None, 36))
    return f"{table}\n\n{_options()}"


def _entry(one: Probe, probes: Sequence[Probe]) -> dict[str, object]:
    usable = one.reason is None
    return {
        **asdict(one),
        "python": str(one.python or ""),
        "usable": usable,
        "reads": "onnx" if one.form == ANY else one.form,
        "environment": "" if one.python is None else environments.called(one.python),
        "options": {name: list(values) for name, values in backends.declared(one.backend).options.items()},
        "remedy": None if usable else _remedy(one, probes),
    }


def _remedy(one: Probe, probes: Sequence[Probe]) -> str:
    """Return the one thing to do: a GPU before all that needs one, then what the backend says, then what is nearest."""
    said = backends.declared(one.backend)
    if one.device == "cuda" and "cuda" in said.devices and not gpus():
        return said.remedies.get("cuda", "a machine with an NVIDIA GPU")
    if one.remedy is not None:
        return one.remedy
    if any(other.backend == one.backend and other.form == one.form and other.reason is None for other in probes):
        return f"another device: it is usable, but not on {one.device}"
    form = None if one.form == ANY else one.form
    name = environments.name_for(one.backend, form)
    return f"python -m bench env remove {name}, then create it" if name in environments.made() else "see why not"


def _options() -> str:
    lines = [
        f"  {backend}: {name}={'|'.join(values)}"
        for backend in backends.names()
        for name, values in backends.declared(backend).options.items()
    ]
    return "\n".join(["options, the first value of each its default (--option NAME=VALUE):", *(lines or ["  none"])])
