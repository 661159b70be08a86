"""Is it slower? The one rule by which two measurements of a case are judged.

It is an alarm only if the slow-down is both larger than what is allowed and beyond chance; and ``equal`` is a finding
too, not what is left when nothing was found: what cannot be told is ``open``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.statistics import LEAST_ROUNDS, Ratio, Rounds, paired_ratio, unpaired_ratio

MAX_SLOWDOWN = 0.05
"""The slow-down that is allowed where nobody says another: also what the self-test judges by."""


@dataclass(frozen=True)
class Verdict:
    """What was found: how many times as long the candidate takes, the 95 % interval of that, and why so in one line.

    ``interval`` is None, and the verdict open, with too few rounds for one.
    """

    verdict: Literal["slower", "faster", "equal", "open"]
    ratio: float
    interval: tuple[float, float] | None
    why: str

    @property
    def alarm(self) -> bool:
        """Whether a check fails by it."""
        return self.verdict == "slower"


def compare(
    baseline_rounds: Rounds, candidate_rounds: Rounds, max_slowdown: float = MAX_SLOWDOWN, *, paired: bool = True
) -> Verdict:
    """Judge whether the candidate is slower than the baseline by more than ``max_slowdown`` (a share: 0.05 is 5 %).

    Both are times in ms by round. ``paired``: whether they were taken side by side; False for runs at different times.

    - ``slower``: the ratio is above ``1 + max_slowdown``, and its 95 % interval wholly above 1;
    - ``faster``: the ratio is below ``1 / (1 + max_slowdown)``, and its interval wholly below 1;
    - ``equal``: the interval lies wholly between those two;
    - ``open``: anything else, more rounds may tell; or fewer than `LEAST_ROUNDS` rounds.

    Raises ValueError for no rounds at all, for rounds that are no pairs, and for a ``max_slowdown`` not above 0.
    """
    if not max_slowdown > 0:
        raise ValueError(f"a slow-down of {max_slowdown} is no bound: give a share above 0, as 0.05 for 5 %")
    ratio = (paired_ratio if paired else unpaired_ratio)(candidate_rounds, baseline_rounds)
    if ratio.low is None or ratio.high is None:
        return Verdict("open", ratio.value, None, f"{ratio.pairs} rounds; {LEAST_ROUNDS} are needed for an interval")
    return Verdict(_word(ratio, ratio.low, ratio.high, max_slowdown), ratio.value, (ratio.low, ratio.high), _why(ratio))


def _word(ratio: Ratio, low: float, high: float, allowed: float) -> Literal["slower", "faster", "equal", "open"]:
    least, most = 1 / (1 + allowed), 1 + allowed
    if ratio.value > most and low > 1:
        return "slower"
    if ratio.value < least and high < 1:
        return "faster"
    return "equal" if least <= low and high <= most else "open"


def _why(ratio: Ratio) -> str:
    assert ratio.low is not None
    assert ratio.high is not None
    return f"{ratio.value - 1:+.1%} [{ratio.low - 1:+.1%}, {ratio.high - 1:+.1%}] over {ratio.pairs} rounds"
