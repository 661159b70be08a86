"""One line of the self-test's table, and the bounds that a number of repetitions can be held to."""

from __future__ import annotations

from dataclasses import dataclass

CHANCE = 0.01
"""How often a ruler that just keeps its bound may fail it in a short self-test, by chance."""


@dataclass(frozen=True)
class Check:
    """What was tested, what was measured, the bound, and whether it is kept; None where there is no bound."""

    test: str
    measured: str
    bound: str
    passed: bool | None


def most(count: int, share: float, *, short: bool) -> int:
    """Return how many of ``count`` may go wrong where ``share`` of them may.

    In a short self-test, that share is the share in the long run: so many that more of them would come by chance less
    than `CHANCE` of the time.
    """
    from scipy.stats import binom

    return int(binom.ppf(1 - CHANCE, count, share)) if short else int(count * share + 1e-9)
