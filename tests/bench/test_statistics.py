"""Percentiles and warnings on times whose distribution is known."""

import numpy as np
import pytest

from bench.statistics import median_interval, percentile, warnings


@pytest.mark.parametrize(
    ("n", "q", "said"), [(63, 90, False), (64, 90, True), (661, 99, False), (662, 99, True), (1, 50, True)]
)
def test_a_percentile_is_said_only_with_enough_samples(n, q, said):
    assert (percentile([1.0] * n, q) is not None) == said


def test_percentiles_of_a_known_distribution():
    times = list(np.linspace(0, 100, 1001))
    assert [percentile(times, q) for q in (10, 50, 90, 99)] == pytest.approx([10, 50, 90, 99])


def test_the_medians_interval_covers_the_true_median_about_95_times_in_100():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        low, high = median_interval(rng.exponential(1, 101).tolist())
        covered += low <= np.log(2) <= high
    assert 0.92 <= covered / 400 <= 0.99


def test_few_times_have_the_whole_range_as_interval():
    assert median_interval([3.0, 1.0, 2.0]) == (1.0, 3.0)


def test_quiet_rounds_warn_of_nothing():
    rng = np.random.default_rng(4)
    assert warnings([rng.normal(5, 0.05, 50).tolist() for _ in range(14)], steady=True) == []


def test_drift_outliers_and_an_unsteady_start_are_said():
    rng = np.random.default_rng(4)
    slower = [rng.normal(5 + 0.3 * i, 0.05, 50).tolist() for i in range(14)]
    assert [w.split(":")[0] for w in warnings(slower, steady=True)] == ["drift"]
    spiky = [[5.0] * 9 + [50.0] for _ in range(14)]
    assert [w.split(":")[0] for w in warnings(spiky, steady=True)] == ["outliers"]
    assert [w.split(":")[0] for w in warnings([[5.0] * 9], steady=False)] == ["unsteady"]
