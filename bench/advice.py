"""What may be odd about the times of one case, in one line each: its kind, the number, and what to do about it.

Only what was measured is warned of: a machine that does not tell its frequency is not suspected of changing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import numpy as np

from bench.conditions import Conditions
from bench.statistics import ENOUGH, LEAST_ROUNDS, Rounds, medians
from bench.types import Advice

DRIFT = 0.10
OUTLIERS = 0.05
FREQUENCY = 0.10
LOAD = 0.05
FIRST_SLOW = 10.0
"""From how many times the median on a first run is worth a word: below that it disappears among other requests."""


def warnings(
    rounds: Rounds,
    *,
    steady: bool,
    cold_ms: Mapping[str, float] | None = None,
    conditions: Sequence[Conditions] = (),
) -> list[str]:
    """Say what is odd about the times in ms of the ``rounds`` of one case, and what to do about it.

    ``steady``: whether the warm-up ended by itself; ``cold_ms``: the cold start by stage, of which ``first`` is the
    first run; ``conditions``: those of each round.
    """
    checks: dict[Advice, Callable[[], str | None]] = {
        Advice.UNSTEADY: lambda: None if steady else _unsteady(),
        Advice.DRIFT: lambda: _drift(rounds),
        Advice.OUTLIERS: lambda: _outliers(rounds),
        Advice.FREQUENCY: lambda: _frequency(conditions),
        Advice.LOAD: lambda: _load(conditions),
        Advice.THROTTLED: lambda: _throttled(conditions),
        Advice.FIRST_SLOW: lambda: _first_slow(rounds, cold_ms or {}),
        Advice.FEW_RUNS: lambda: _few_runs(rounds),
    }
    return [f"{kind.value}: {text}" for kind, check in checks.items() if (text := check()) is not None]


def _unsteady() -> str:
    return "the warm-up ended before two windows agreed within 5 %; close other programs and repeat"


def _drift(rounds: Rounds) -> str | None:
    middles = medians(rounds)
    half = len(middles) // 2
    if not half:
        return None
    first, second = float(np.median(middles[:half])), float(np.median(middles[half:]))
    if abs(second - first) <= DRIFT * first:
        return None
    return (
        f"the second half of the rounds has a median of {second:.2f} ms, the first {first:.2f} ms; "
        "trust its ratio to a row measured beside it rather than its own times, and repeat when the machine is at rest"
    )


def _outliers(rounds: Rounds) -> str | None:
    times = np.fromiter(chain(*rounds), dtype=float)
    far = float(np.mean(times > 2 * np.median(times)))
    if far <= OUTLIERS:
        return None
    return (
        f"{far:.0%} of the runs took over twice the median; other programs were likely running, close them and repeat"
    )


def _frequency(conditions: Sequence[Conditions]) -> str | None:
    told = [c.frequency_mhz for c in conditions if c.frequency_mhz is not None]
    if not told or max(told) - min(told) <= FREQUENCY * max(told):
        return None
    return (
        f"the CPU ran at {min(told):.0f} to {max(told):.0f} MHz; "
        "set a fixed frequency (the governor 'performance', mains power) and repeat"
    )


def _load(conditions: Sequence[Conditions]) -> str | None:
    others = _share([(c.others_s, c.cpu_s) for c in conditions])
    stolen = _share([(c.stolen_s, c.cpu_s) for c in conditions])
    said = []
    if others > LOAD:
        said.append(f"other processes took {others:.0%} of its CPUs; close them and repeat")
    if stolen > LOAD:
        said.append(
            f"other virtual machines on the same host took {stolen:.0%} of its CPUs; "
            "repeat at another time or on a machine of one's own"
        )
    return "; ".join(said) or None


def _share(parts: Sequence[tuple[float | None, float]]) -> float:
    """Return the share of all the CPU time there was; 0 where the machine does not tell.

    Over all rounds together, since the kernel counts in hundredths of a second and a round has few of those.
    """
    told = [(part, whole) for part, whole in parts if part is not None]
    whole = sum(whole for _, whole in told)
    return sum(part for part, _ in told) / whole if whole > 0 else 0.0


def _throttled(conditions: Sequence[Conditions]) -> str | None:
    times = sum(c.throttles or 0 for c in conditions)
    if not times:
        return None
    return f"the CPU became too hot and slowed down {times} times; let it cool down, mend its cooling, and repeat"


def _first_slow(rounds: Rounds, cold_ms: Mapping[str, float]) -> str | None:
    first, middle = cold_ms.get("first"), float(np.median(list(chain(*rounds))))
    if first is None or first <= FIRST_SLOW * middle:
        return None
    return (
        f"the first run took {first:.1f} ms, {first / middle:.0f} times the median of {middle:.2f} ms; "
        "run once before serving requests"
    )


def _few_runs(rounds: Rounds) -> str | None:
    runs = sum(len(times) for times in rounds)
    lacking = []
    if len(rounds) < LEAST_ROUNDS:
        lacking.append(f"{LEAST_ROUNDS} rounds for the interval of its median")
    if runs < ENOUGH[90]:
        lacking.append(f"{ENOUGH[90]} runs for p90")
    if not lacking:
        return None
    return f"{runs} runs in {len(rounds)} rounds; it takes {' and '.join(lacking)}: give more time with --budget"
