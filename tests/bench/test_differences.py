"""Tests of differences against textbook formulas, and what they say where there is none: seeded simulations."""

from math import comb, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bench import differences
from bench.differences import Difference, holm, of_shares, of_years, verdict
from bench.intervals import Subjects


def hits(both, first, second, neither):
    one = [True] * both + [True] * first + [False] * second + [False] * neither
    two = [True] * both + [False] * first + [True] * second + [False] * neither
    return np.array(one), np.array(two)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 7), (3, 11), (40, 61), (5, 5)])
def test_mcnemars_mid_p_from_the_binomial_coefficients(first, second):
    found = of_shares(*hits(13, first, second, 17))
    n, fewer = first + second, min(first, second)
    tail = sum(comb(n, i) for i in range(fewer + 1)) / 2**n
    assert found.p == pytest.approx(min(1, 2 * tail - comb(n, fewer) / 2**n))
    assert found.only == (first, second)
    assert found.value == pytest.approx((first - second) / (30 + n))
    assert found.n == 30 + n


def test_the_interval_of_paired_shares_is_bonett_and_prices():
    found = of_shares(*hits(13, 3, 11, 17))
    one, two = 4 / 46, 12 / 46
    half = 2.5758293 * sqrt((one + two - (one - two) ** 2) / 46)
    assert_allclose(found.interval, (one - two - half, one - two + half), rtol=1e-6)


def test_mcnemar_by_subject_from_each_ones_balance():
    one = np.array([1, 1, 0, 1, 1, 1, 0, 0, 1, 1], dtype=bool)
    two = np.array([0, 0, 0, 1, 0, 1, 1, 0, 0, 1], dtype=bool)
    whose = Subjects(np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 4]), 5)
    found = of_shares(one, two, whose)
    balance = np.array([2, 1, -1, 1])  # the fifth has no discordant face
    assert found.p == pytest.approx(2 * stats.t.sf(balance.sum() / sqrt((balance**2).sum()), 3))
    assert (found.subjects, found.only) == (5, (4, 1))


def test_years_are_students_t_on_the_standard_error():
    rng = np.random.default_rng(1)
    errors = rng.exponential(5, (400, 3)) + np.array([0, 0.1, 1])
    found = of_years(errors)
    assert set(found) == {(0, 1), (0, 2), (1, 2)}
    for (i, j), difference in found.items():
        judge = stats.ttest_rel(errors[:, i], errors[:, j])
        interval = judge.confidence_interval(0.99)
        assert difference.value == pytest.approx((errors[:, i] - errors[:, j]).mean())
        assert difference.p == pytest.approx(judge.pvalue, rel=0.15, abs=2e-3)
        assert_allclose(difference.interval, interval, atol=0.1 * (interval.high - interval.low))


def test_equal_years_are_equal():
    errors = np.repeat(np.random.default_rng(1).exponential(5, (50, 1)), 2, axis=1)
    (found,) = of_years(errors).values()
    assert (found.value, found.interval, found.p) == (0, (0, 0), 1)
    assert verdict(found, 0.1) == "equal"


def test_holm_by_hand():
    assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(holm([0.9, 0.5, 0.6]), [1, 1, 1])
    assert holm([]) == []


@pytest.mark.parametrize(
    ("interval", "p", "n", "subjects", "said"),
    [
        ((-0.009, 0.009), 0.5, 900, None, "equal"),
        ((0.001, 0.009), 0.0001, 900, None, "equal"),  # surely there, and surely too small to speak of
        ((0.001, 0.011), 0.0001, 900, None, "different"),
        ((-0.001, 0.011), 0.02, 900, None, "not enough data"),
        ((-0.009, 0.009), 0.5, 19, None, "not enough data"),
        ((0.2, 0.3), 0.0001, 19, None, "not enough data"),
        ((0.2, 0.3), 0.0001, 900, 9, "not enough data"),
        ((0.2, 0.3), 0.0001, 900, 10, "different"),
    ],
)
def test_verdicts(interval, p, n, subjects, said):
    assert verdict(Difference(sum(interval) / 2, interval, p, n, subjects), 0.01) == said


def test_an_adjusted_p_decides():
    found = Difference(0.05, (0.01, 0.09), 0.002, 900)
    assert (verdict(found, 0.01), verdict(found, 0.01, p=0.02)) == ("different", "not enough data")


def people(rng, count):
    sizes = rng.integers(1, 12, count)
    return Subjects(np.repeat(np.arange(count), sizes), count)


def nulls(rng, kind):
    """Draw two columns of equal expectation, of faces that are alike within a subject where there are subjects."""
    whose = people(rng, 60) if "subjects" in kind else None
    n = 300 if whose is None else len(whose.index)
    hard = rng.normal(0, 1, n) if whose is None else rng.normal(0, 1, 60)[whose.index]
    sides = (rng.normal(0, 1, n) if whose is None else rng.normal(0, 1, 60)[whose.index] for _ in range(2))
    columns = [hard + side + rng.normal(0, 1, n) for side in sides]
    if "years" in kind:
        return np.stack([np.exp(column / 2) for column in columns], axis=1), whose
    return np.stack([column > (1.8 if "few" in kind else 0.2) for column in columns], axis=1), whose


@pytest.mark.parametrize(
    ("kind", "repeats"),
    [
        ("shares", 1000),
        ("shares, few", 1000),
        ("shares, subjects", 1000),
        ("years", 300),
        ("years, subjects", 300),
        pytest.param("years", 2000, marks=pytest.mark.slow),
        pytest.param("years, subjects", 2000, marks=pytest.mark.slow),
    ],
)
def test_where_there_is_no_difference_at_most_two_per_cent_are_said_to_differ(kind, repeats, monkeypatch):
    monkeypatch.setattr(differences, "RESAMPLES", 200)
    rng, false = np.random.default_rng(20), 0
    for _ in range(repeats):
        values, whose = nulls(rng, kind)
        found = of_years(values, whose)[0, 1] if "years" in kind else of_shares(*values.T, whose)
        false += verdict(found, 1e-9) == "different"
    assert false <= 0.02 * repeats


def test_faces_taken_for_independent_would_be_said_to_differ_far_too_often():
    rng = np.random.default_rng(20)
    false = sum(of_shares(*nulls(rng, "shares, subjects")[0].T).p < differences.ALPHA for _ in range(400))
    assert false > 0.05 * 400


def test_a_difference_of_the_margin_is_hardly_ever_said_to_be_equal_and_none_at_all_mostly():
    rng = np.random.default_rng(21)

    def equal(second):
        n, said = 6000, 0
        for _ in range(400):
            draw = rng.random(n)
            # 1 % of the faces only the first gets right, and 0 or 1 % only the second
            said += verdict(of_shares(draw < 0.61, (draw < 0.60) | (draw > 1 - second)), 0.01) == "equal"
        return said / 400

    assert equal(0.0) <= 0.02
    assert equal(0.01) > 0.8


@pytest.mark.parametrize("subjects", [False, True])
def test_a_difference_that_is_there_is_found(subjects):
    rng = np.random.default_rng(22)
    whose = people(rng, 200) if subjects else None
    n = len(whose.index) if subjects else 1200
    errors = rng.exponential(5, n)
    (found,) = of_years(np.stack([errors, errors + rng.normal(0.5, 1, n)], axis=1), whose).values()
    assert verdict(found, 0.1) == "different"
    first = rng.random(n) < 0.7
    assert verdict(of_shares(first, first & (rng.random(n) < 0.9), whose), 0.01) == "different"
