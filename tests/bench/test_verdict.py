"""The truth table of the comparator: where the ratio lies, where its interval, and what is said."""

import numpy as np
import pytest

from bench.verdict import MAX_SLOWDOWN, compare


def rounds(*factors):
    return [[0.9 * f, f, 1.2 * f] for f in factors]


ONES = rounds(*[1.0] * 8)
STEADY = {"slower": 1.2, "faster": 1 / 1.2, "equal": 1.02}
WIDE = (0.99, 1.0, 1.0, 1.01, 1.1, 1.2, 1.2, 1.3)
"""Around 1.055, above what is allowed, with an interval that holds 1."""


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("verdict", "factor"), STEADY.items())
def test_a_clear_difference_is_named_and_only_slower_is_an_alarm(verdict, factor, paired):
    found = compare(ONES, rounds(*[factor] * 8), paired=paired)
    assert (found.verdict, found.alarm) == (verdict, verdict == "slower")
    assert found.ratio == pytest.approx(factor)
    assert found.interval == pytest.approx((factor, factor))


@pytest.mark.parametrize(
    ("factors", "verdict"),
    [
        ((1.051,) * 8, "slower"),
        ((1.049,) * 8, "equal"),
        ((1.01, 1.01, 1.06, 1.06, 1.06, 1.06, 1.3, 1.3), "slower"),
        (WIDE, "open"),
        ((1.01, 1.01, 1.03, 1.03, 1.03, 1.03, 1.2, 1.2), "open"),
        ((0.9, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), "open"),
        (tuple(1 / f for f in WIDE), "open"),
        ((1 / 1.051,) * 8, "faster"),
    ],
    ids=[
        "just above what is allowed",
        "just within it",
        "above it and beyond chance, if not surely beyond what is allowed",
        "above it and within chance",
        "beyond chance and not above it",
        "even, with an interval that reaches too far",
        "below, within chance",
        "just below",
    ],
)
def test_it_takes_both_the_ratio_and_significance(factors, verdict):
    assert compare(ONES, rounds(*factors)).verdict == verdict


def test_what_is_allowed_is_the_callers():
    assert MAX_SLOWDOWN == 0.05
    assert compare(ONES, rounds(*[1.08] * 8), 0.10).verdict == "equal"
    assert compare(ONES, rounds(*[1.08] * 8), 0.07).verdict == "slower"
    with pytest.raises(ValueError, match="give a share above 0"):
        compare(ONES, ONES, 0)


@pytest.mark.parametrize("paired", [True, False])
def test_too_few_rounds_are_open_however_slow(paired):
    found = compare(ONES[:5], rounds(*[9.0] * 5), paired=paired)
    assert (found.verdict, found.interval, found.ratio) == ("open", None, pytest.approx(9))
    assert found.why == "5 rounds; 6 are needed for an interval"


def test_a_machine_that_drifts_deceives_the_unpaired_mode_alone():
    drift = np.linspace(1, 2, 9)
    baseline, candidate = rounds(*drift), rounds(*(drift * 1.1))
    assert compare(baseline, candidate).verdict == "slower"
    assert compare(baseline, candidate, paired=False).verdict == "open"


def test_swapping_the_sides_swaps_slower_and_faster():
    slow = rounds(*[1.2] * 8)
    assert [compare(ONES, slow).verdict, compare(slow, ONES).verdict] == ["slower", "faster"]


def test_two_runs_may_have_different_numbers_of_rounds_and_pairs_may_not():
    assert compare(ONES, rounds(*[1.2] * 13), paired=False).verdict == "slower"
    with pytest.raises(ValueError, match="13 and 8 rounds are no pairs"):
        compare(ONES, rounds(*[1.2] * 13))


def test_the_reason_says_ratio_interval_and_rounds():
    assert compare(ONES, rounds(1.1, 1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.3)).why == "+20.0% [+10.0%, +30.0%] over 8 rounds"
