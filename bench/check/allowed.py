"""How much worse something may be. Shares unless the name says another unit: 0.1 is 10 %."""

from __future__ import annotations

import math
from dataclasses import dataclass

from converters.errors import BadInput


@dataclass(frozen=True)
class Allowed:
    """The bounds of a check.

    ``drop``: of accuracy, one-off and cs5, as a share; ``years``: by how much an error in years may rise;
    ``nodes``: how many more there may be; ``parity_factor``: how many times as far from the reference;
    ``slowdown_elsewhere``: of a speed-up over a reference, where the baseline is of another machine.
    """

    slowdown: float = 0.10
    slowdown_elsewhere: float = 0.50
    drop: float = 0.005
    years: float = 0.1
    memory: float = 0.20
    size: float = 0.01
    nodes: int = 0
    cold_start: float = 1.0
    parity_factor: float = 10.0
    age_days: float = 90.0


def share_of(text: str, option: str, *, zero: bool = True) -> float:
    """Read ``10%`` or ``0.1``. ``zero``: whether 0 is a bound too. Raises BadInput for anything else.

    A bare number from 1 on is refused: ``10`` may be meant as 10 %, or as tenfold.
    """
    wanted = "give per cent as 10%, or a share below 1 as 0.1"
    percent = text.strip().endswith("%")
    number = number_of(text.strip().removesuffix("%"), option, wanted, shown=text)
    if number < 0 or (number == 0 and not zero):
        raise BadInput(f"{option} {text!r}: a bound is {'not below' if zero else 'above'} 0; {wanted}")
    if not percent and number >= 1:
        raise BadInput(f"{option} {text!r}: is that per cent? {wanted}, or {text.strip()}% or {number * 100:g}%")
    return number / 100 if percent else number


def number_of(text: str, option: str, wanted: str, *, shown: str | None = None) -> float:
    """Read a finite number. Raises BadInput, which says what is ``wanted``."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"{option} {shown or text!r}: {wanted}")
    return number
