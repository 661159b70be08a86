"""Which backends can really use which device here: each has to run a tiny network on it, in a worker of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench import backends, environments, probes
from bench.backends import ANY
from bench.host import gpus
from bench.parity import check_placement
from bench.process import WorkerFailed, open_worker
from bench.types import Unavailable
from converters.errors import NOT_USABLE, BadInput

DEVICES = ("cpu", "cuda")

Place = tuple[str, str]
"""A backend by its name, and the format of the files that it reads: ``*``, or one of its own where it reads several."""


class NotUsable(BadInput):
    """The device or the backend that was asked for is not usable here. One line a backend."""

    exit_code = NOT_USABLE


@dataclass(frozen=True)
class Probe:
    """Whether a backend can use a device for files of a format: the runtime's version, or the reason why not.

    ``python`` is the interpreter that has what it needs; ``remedy`` is the one thing to do where it cannot.
    """

    backend: str
    device: str
    form: str
    version: str | None
    reason: str | None
    python: Path | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Chosen:
    """Where each backend will run: its device, the reason and the interpreter by backend and format, and notes."""

    devices: dict[str, str] = field(default_factory=dict)
    refused: dict[Place, str] = field(default_factory=dict)
    pythons: dict[Place, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def probe(backend: str, device: str, form: str = ANY) -> Probe:
    """Run a tiny network in ``backend`` on ``device`` and say whether that worked.

    ``backend``: its name, or the path of its file; ``form``: the format of the files that it reads.
    """
    said = backends.declared(backend)
    if device not in said.devices:
        only = ", ".join(said.devices)
        return Probe(backend, device, form, None, f"runs on {only} only", remedy=f"--device {only}")
    needs = said.needs_for(form) or ()
    python = environments.find(needs)
    if python is None:
        file = backend.endswith(".py")
        name = backend if file else environments.name_for(backend, None if form == ANY else form)
        why, remedy = environments.advice(name, needs), environments.remedy(name)
        return Probe(backend, device, form, None, why, remedy=remedy)
    with tempfile.TemporaryDirectory() as folder:
        tiny = probes.write(Path(folder), form)
        try:
            with open_worker(backend, device, threads=1, timeout=120, python=python) as worker:
                loaded, _ = worker.ask("load", model=tiny.model)
                answer, _ = worker.ask("run", {tiny.input: np.ones((1, 3, 7, 5), dtype=np.float32)})
                check_placement(answer["placement"])
        except (Unavailable, WorkerFailed) as error:
            return Probe(backend, device, form, None, str(error), python, said.remedies.get(device))
    return Probe(backend, device, form, loaded["version"], None, python)


def known_backends(text: str) -> dict[str, str]:
    """Return the backends that ``all`` or a comma-separated list names: name in the results, and what to import.

    A word ending in .py is a file of the user's own. Raises BadInput for a word that is neither that nor a backend.
    """
    if text == "all":
        return {name: name for name in backends.names(listed=True)}
    chosen = {}
    for word in (word.strip() for word in text.split(",")):
        if word.endswith(".py"):
            if not Path(word).is_file():
                raise BadInput(f"no backend file {word}")
            chosen[backends.own_name(Path(word))] = word
        elif word not in backends.names():
            raise BadInput(f"no backend {word!r}; there are: {', '.join(backends.names())}")
        else:
            chosen[word] = word
    return chosen


def choose(chosen: Mapping[str, str], device: str, forms: Collection[str], *, named: bool) -> Chosen:
    """Return the device of each backend, what cannot be used and why, and what was chosen and why.

    ``chosen``: name and what to import; ``device``: ``cpu``, ``cuda``, or ``auto`` for CUDA wherever it can be proved;
    ``forms``: the formats of the networks; ``named``: whether the user named the backends one by one. If not, those
    that are for another device are left out, and those that turn out to be the same code on the same runtime under the
    same interpreter are measured once.
    Raises NotUsable when none is usable, or when one that was named is not.
    """
    found = Chosen()
    usable: list[Probe] = []
    wanted = ("cuda", "cpu") if device == "auto" and gpus() else ("cpu",) if device == "auto" else (device,)
    for backend, source in chosen.items():
        needs, runs_on = backends.declared(source).needs, backends.declared(source).devices
        if not named and not set(runs_on) & set(wanted):
            found.notes.append(f"{backend} runs on {', '.join(runs_on)} only: left out on {' and '.join(wanted)}")
            continue
        for form in [form for form in needs if form == ANY or form in forms]:
            probed: list[Probe] = []
            for candidate in [one for one in wanted if one in runs_on] or wanted:
                probed.append(probe(source, candidate, form))
                if probed[-1].reason is None:
                    break
            _note(found, backend, form, probed, device, wanted)
            if probed[-1].reason is None:
                usable.append(probed[-1])
        found.devices.setdefault(backend, wanted[-1])
    if not named:
        found.refused.update(_twins(usable))
    _refuse(found, chosen, named=named)
    return found


def _twins(usable: Sequence[Probe]) -> dict[Place, str]:
    """Return what need not be measured, and why: a backend whose file another one took its code from.

    Under the same interpreter, with the same version of the runtime and on the same device the two are the same.
    """

    def same(code: str, one: Probe) -> tuple[object, ...]:
        return code, one.form, one.device, one.version, one.python

    there = {same(backends.declared(one.backend).code, one): one.backend for one in usable}
    skipped: dict[Place, str] = {}
    for one in usable:
        other = there.get(same(one.backend, one), one.backend)
        if other != one.backend:
            what = f"{one.backend} {one.version}"
            skipped[one.backend, one.form] = f"is {what} here, the same that {other} runs: see those rows"
    return skipped


def _note(found: Chosen, backend: str, form: str, probed: Sequence[Probe], device: str, wanted: Sequence[str]) -> None:
    last, place = probed[-1], (backend, form)
    found.devices.setdefault(backend, last.device)
    if last.python is not None:
        found.pythons[place] = last.python
    if last.reason is not None:
        found.refused[place] = last.reason
    elif device == "auto":
        found.notes.append(f"{called(place)} runs on {last.device}: {_why(probed, wanted)}")


def _refuse(found: Chosen, chosen: Mapping[str, str], *, named: bool) -> None:
    usable = {backend for backend, _ in found.pythons.keys() - found.refused.keys()}
    unusable = {backend for backend, _ in found.refused} - usable
    if unusable and (named or not usable):
        lines = [
            f"{called(place)} on {found.devices[place[0]]}: {reason}"
            for place, reason in found.refused.items()
            if place[0] in unusable
        ]
        raise NotUsable("not usable on this machine:", lines)


def called(place: Place) -> str:
    """Return a backend as a person calls it, with the format where it reads several."""
    backend, form = place
    return backend if form == ANY else f"{backend} of {form} files"


def _why(probed: Sequence[Probe], wanted: Sequence[str]) -> str:
    if len(probed) > 1:
        return f"cuda is not usable ({probed[0].reason})"
    if probed[0].device == "cuda":
        return "proved usable"
    return "it runs on nothing else" if "cuda" in wanted else "no NVIDIA driver lists a GPU here"
