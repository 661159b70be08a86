"""Who is to blame for a difference: Caffe's reference, the runtimes, and ONNX's own slow evaluator have a vote each.

The evaluator is asked only where the runtimes leave it open. It is no judge of LRN, which it computes wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from converters.caffe.kind import Array
from converters.verify import Difference, close_enough, differences

Result = Array | str
"""What a runtime makes of a blob, or why it makes nothing."""
CONVERTER, UNDECIDED = "converter", "undecided"
AGREE = 0.1
"""Two agree when they are nearer to each other than this share of their distance from the reference."""


def close(expected: Array, found: Array, slack: float = 0.0) -> bool:
    """Whether a blob is what it should be, by the tolerances of `verify`; ``slack`` is an absolute one besides."""
    difference = distance(expected, found)
    return difference.max_abs <= slack or close_enough(expected, difference)


def distance(expected: Array, found: Array) -> Difference:
    """Return how far a blob is from what it should be."""
    return differences({"blob": expected}, {"blob": found})["blob"]


def vote(
    expected: Array, values: Mapping[str, Result], evaluate: Callable[[], Result], slack: float = 0.0
) -> tuple[tuple[str, ...], str] | None:
    """Return who is to blame and why, or None where nothing differs.

    ``values`` are the runtimes', by name and version; ``evaluate`` asks ONNX's evaluator.
    """
    ran = {name: value for name, value in values.items() if not isinstance(value, str)}
    wrong = [name for name, value in ran.items() if not close(expected, value, slack)]
    right = [name for name in ran if name not in wrong]
    if ran and not wrong:
        return None
    if len(ran) > 1 and all(_agree(expected, ran[wrong[0]], value) for value in ran.values()):
        return (CONVERTER,), f"{' and '.join(ran)} agree on what the file says, and Caffe gives something else"
    if right:
        return tuple(wrong), f"{' and '.join(right)} gives what Caffe gives"
    return _with_evaluator(expected, ran, evaluate(), slack)


def _with_evaluator(
    expected: Array, ran: Mapping[str, Array], evaluated: Result, slack: float
) -> tuple[tuple[str, ...], str] | None:
    """Decide where no runtime is right, and two that run do not agree."""
    if isinstance(evaluated, str):
        if not ran:
            return (CONVERTER,), f"nothing runs it, ONNX's evaluator neither: {evaluated}"
        return (UNDECIDED,), f"{_alone(ran)}, and ONNX's evaluator does not run it: {evaluated}"
    if close(expected, evaluated, slack):
        return (tuple(ran), "ONNX's evaluator gives what Caffe gives") if ran else None
    same = [name for name, value in ran.items() if _agree(expected, value, evaluated)]
    if same or not ran:
        others = [name for name in ran if name not in same]
        also = f"; {' and '.join(others)} runs it wrongly besides" if others else ""
        both = " and ".join([*same, "ONNX's evaluator"])
        return (CONVERTER, *others), f"{both} agree on what the file says, and Caffe gives something else{also}"
    far = distance(expected, evaluated).max_abs
    return (UNDECIDED,), f"{_alone(ran)}, nor with ONNX's evaluator, which is {far:.2g} from Caffe"


def _alone(ran: Mapping[str, Array]) -> str:
    if len(ran) == 1:
        return f"only {next(iter(ran))} runs it, and it does not agree with Caffe"
    names, values = list(ran), list(ran.values())
    apart = distance(values[0].astype(np.float64), values[1]).max_abs
    return f"{' and '.join(names)} agree neither with Caffe nor with each other ({apart:.2g} apart)"


def _agree(expected: Array, one: Array, other: Array) -> bool:
    """Whether two values are the same wrong one, as it were."""
    if one.shape != other.shape or not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return False
    known = np.isfinite(one)
    first, second = one[known].astype(np.float64), other[known].astype(np.float64)
    apart = float(np.abs(first - second).max(initial=0.0))
    if one.shape != expected.shape or not known.all():
        return apart <= 1e-4 * float(np.abs(first).max(initial=0.0)) + 1e-12
    right = expected[known]
    return apart <= AGREE * min(float(np.abs(first - right).max()), float(np.abs(second - right).max()))
