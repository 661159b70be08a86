"""No runtime at all: a network's stored outputs with made-up times, to try the rest of the pipeline with known numbers.

It answers only inputs whose answers are stored in ``zoo/golden``, so the comparison of outputs holds, and scores fail.
The times are those of a script, exactly: the environment variable ``BENCH_NULL`` has it as JSON, or the path of a file
that does, with the keys

- ``times_ms``: the milliseconds of the runs, over and over (default: ``[1.0]``);
- ``spread``: each is multiplied by ``exp(spread * z)``, z normal (default: 0);
- ``seed``: of that (default: 0);
- ``fault``: ``hang``, ``crash``, ``raise`` or ``wrong`` (outputs off by 1), from run ``after`` on (default: 0);
- ``golden``: another folder of golden files.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.types import Feeds, Session

LISTED = False
DEVICES = ("cpu",)
GOLDEN = Path(__file__).parents[2] / "zoo" / "golden"
PROBE = "probe"
"""The tiny network that says whether a backend is usable: nothing is stored of it, and nobody compares."""

MADE_UP = "scripted by null: made up, not measured"
FAULTS = ("hang", "crash", "raise", "wrong")


@dataclass(frozen=True)
class Script:
    """What `null` is to do; see the module."""

    times_ms: tuple[float, ...] = (1.0,)
    spread: float = 0.0
    seed: int = 0
    fault: str | None = None
    after: int = 0
    golden: Path = GOLDEN


@dataclass
class Clock:
    """Stands still but for the runs: each takes what the script says, in ns."""

    script: Script
    now: int = 0
    runs: int = 0
    draws: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Seed the draws."""
        self.draws = np.random.default_rng(self.script.seed)

    def __call__(self) -> int:
        """Return the nanoseconds so far."""
        return self.now

    def run(self) -> None:
        """Let a run's time pass."""
        wanted = self.script.times_ms[self.runs % len(self.script.times_ms)]
        self.now += round(1e6 * wanted * np.exp(self.script.spread * self.draws.standard_normal()))
        self.runs += 1


def version() -> str:
    """Say what this is instead of a version."""
    return MADE_UP


def load(model: Path, device: str, threads: int) -> Session:
    """Look up the stored outputs of the network that ``model`` is named after; ValueError where there are none."""
    script = read_script(os.environ.get("BENCH_NULL", "{}"))
    stored = _stored(script.golden, model.stem.partition(".")[0])
    clock = Clock(script)

    def run(feeds: Feeds) -> Feeds:
        faulty = script.fault is not None and clock.runs >= script.after
        if faulty:
            _fail(str(script.fault))
        clock.run()
        made = stored(feeds)
        return {name: array + 1 for name, array in made.items()} if faulty else made

    return Session(run, lambda: {MADE_UP: 1}, {"times": MADE_UP}, clock=clock)


def read_script(text: str) -> Script:
    """Read a script: JSON, or the path of a file with it. Raises ValueError for what is none."""
    given = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    known = set(Script.__dataclass_fields__)
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"BENCH_NULL: no key {unknown[0]!r}; there are {', '.join(sorted(known))}")
    times = tuple(float(t) for t in given.get("times_ms", (1.0,)))
    if not times or not all(0 < t < 1e9 for t in times):
        raise ValueError(f"BENCH_NULL: times_ms {list(times)}: give one or more, each above 0 and below 1e9")
    if given.get("fault") not in (None, *FAULTS):
        raise ValueError(f"BENCH_NULL: fault {given['fault']!r}: there are {', '.join(FAULTS)}")
    golden = Path(given.get("golden", GOLDEN))
    return Script(**{**given, "times_ms": times, "golden": golden})


def _fail(fault: str) -> None:
    if fault == "hang":
        time.sleep(86_400)
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "raise":
        raise RuntimeError("a fault of null's script")


def _stored(folder: Path, name: str) -> Any:
    """Return what answers feeds out of a golden file (`zoo.golden` has its form)."""
    if name == PROBE:
        return lambda feeds: {}
    path = folder / f"{name}.npz"
    if not path.is_file():
        raise ValueError(f"no golden outputs {path.name}: null runs only networks that have them")
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
    named = {key.partition(":")[2]: key for key in arrays if key.startswith("input:")}
    inputs = {
        name: (arrays[key].astype(np.float32) - arrays[f"offset:{name}"]) * arrays.get(f"scale:{name}", np.float32(1))
        for name, key in named.items()
    }
    count = len(next(iter(inputs.values())))
    places = {tuple(inputs[name][row].tobytes() for name in sorted(inputs)): row for row in range(count)}

    def answer(feeds: Feeds) -> Feeds:
        batch = len(next(iter(feeds.values())))
        rows = [places.get(tuple(feeds[name][row].tobytes() for name in sorted(feeds))) for row in range(batch)]
        if None in rows:
            raise ValueError("an input whose output is not stored: null plays back golden outputs, and scores nothing")
        made = {key.partition(":")[2]: array[rows] for key, array in arrays.items() if key.startswith("output:")}
        found = {key.partition(":")[2]: array for key, array in arrays.items() if key.startswith("found:")}
        return made | {key: _detections(array, rows) for key, array in found.items()}

    return answer


def _detections(found: np.ndarray[Any, Any], rows: list[Any]) -> np.ndarray[Any, Any]:
    """Return a detector's rows (1, 1, K, 7) for the stored inputs ``rows``; the first column counts through them."""
    parts = [found[:, :, found[0, 0, :, 0] == row].copy() for row in rows]
    for index, part in enumerate(parts):
        part[..., 0] = index
    return np.concatenate(parts, axis=2)
