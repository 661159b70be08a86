"""Percentiles, medians and ratios on times whose distribution is known, and against SciPy's tests as judges."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, quantile_test

from bench.statistics import ENOUGH, LEAST_ROUNDS, median_interval, paired_ratio, percentile, unpaired_ratio


@pytest.mark.parametrize(
    ("n", "q", "said"), [(63, 90, False), (64, 90, True), (661, 99, False), (662, 99, True), (1, 50, True)]
)
def test_a_percentile_is_said_only_with_enough_samples(n, q, said):
    assert (percentile([1.0] * n, q) is not None) == said


def test_percentiles_of_a_known_distribution():
    times = list(np.linspace(0, 100, 1001))
    assert [percentile(times, q) for q in (10, 50, 90, 99)] == pytest.approx([10, 50, 90, 99])
    assert set(ENOUGH) == {10, 50, 90, 99}


def noisy(generator, machine, runs=13, within=0.02):
    """Return rounds whose true median is 1 ms: of each the speed of the machine just then, and runs around it."""
    times = np.exp(np.asarray(machine)[:, None] + within * generator.normal(size=(len(machine), runs)))
    return times.tolist()


def flat(rounds):
    return [t for times in rounds for t in times]


def holds(low, high):
    return low <= 1 <= high


@pytest.mark.parametrize("n", [6, 7, 10, 20, 101])
def test_the_interval_of_a_median_is_that_of_the_sign_test(n):
    times = np.random.default_rng(n).exponential(1, n).tolist()
    judge = quantile_test(times, q=0, p=0.5).confidence_interval(0.95)
    assert median_interval(times) == (judge.low, judge.high)


def test_the_interval_of_independent_times_covers_about_95_times_in_100():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(1000):
        low, high = median_interval(rng.exponential(1, 101).tolist())
        covered += low <= np.log(2) <= high
    assert 0.93 <= covered / 1000 <= 0.98


@pytest.mark.parametrize("count", [6, 10, 20])
def test_rounds_that_differ_are_covered_by_the_interval_over_rounds_and_not_by_the_naive_one(count):
    rng = np.random.default_rng(count)
    naive, by_round = 0, 0
    for _ in range(1000):
        rounds = noisy(rng, rng.normal(scale=0.05, size=count))
        naive += holds(*median_interval(flat(rounds)))
        by_round += holds(*median_interval(flat(rounds), rounds))
    assert by_round / 1000 >= 0.93
    assert naive / 1000 <= 0.70


@pytest.mark.parametrize("count", [10, 20, 30])
def test_rounds_that_resemble_the_one_before_have_a_wider_interval(count):
    rng = np.random.default_rng(count)
    covered, as_if_independent = 0, 0
    for _ in range(1500):
        machine = [rng.normal()]
        for step in rng.normal(scale=np.sqrt(1 - 0.3**2), size=count - 1):
            machine.append(0.3 * machine[-1] + step)
        rounds = noisy(rng, 0.05 * np.asarray(machine), runs=3)
        covered += holds(*median_interval(flat(rounds), rounds))
        as_if_independent += holds(*median_interval([float(np.median(times)) for times in rounds]))
    assert covered / 1500 >= 0.93
    assert covered > as_if_independent


def test_rounds_on_a_slope_have_the_widest_interval_there_is():
    slope = [[float(n)] for n in range(1, 31)]
    assert median_interval(flat(slope), slope) == (1.0, 30.0)


def test_the_interval_over_rounds_holds_the_median_of_all_times():
    rounds = [[1.0] * 50, *([[float(n)] * 2 for n in range(10, 21)])]
    low, high = median_interval(flat(rounds), rounds)
    assert low <= np.median(flat(rounds)) == 1.0 <= high


@pytest.mark.parametrize("n", [1, 3, 5])
def test_too_few_times_or_rounds_have_no_interval(n):
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0][:n]) is None
    assert median_interval(list(range(1, 1 + 40 * n)), [[1.0] * 40] * n) is None
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == (1.0, 6.0)


def test_a_paired_ratio_is_the_median_over_rounds_of_the_ratio_of_medians():
    ratio = paired_ratio([[2, 4, 90], [3, 3], [10], [4], [5], [12]], [[2], [2, 1, 9], [4, 4], [1], [1], [2]])
    assert (ratio.value, ratio.low, ratio.high, ratio.pairs) == (3.25, 1.5, 6.0, 6)  # 2, 1.5, 2.5, 4, 5, 6


def test_five_pairs_have_a_ratio_and_no_interval():
    ratio = paired_ratio([[2.0]] * 5, [[1.0]] * 5)
    assert (ratio.value, ratio.low, ratio.high, ratio.pairs) == (2.0, None, None, LEAST_ROUNDS - 1)


@pytest.mark.parametrize("function", [paired_ratio, unpaired_ratio])
def test_nothing_cannot_be_compared(function):
    with pytest.raises(ValueError, match="0 and 0 rounds"):
        function([], [])


def test_rounds_of_which_there_are_not_as_many_are_no_pairs():
    with pytest.raises(ValueError, match="7 and 8 rounds are no pairs"):
        paired_ratio([[1.0]] * 7, [[1.0]] * 8)


def test_what_the_machine_does_cancels_out_of_a_paired_ratio():
    rng = np.random.default_rng(2)
    machine = rng.normal(scale=0.5, size=20)
    slow, fast = noisy(rng, machine + np.log(1.1)), noisy(rng, machine)
    ratio = paired_ratio(slow, fast)
    assert ratio.value == pytest.approx(1.1, rel=0.02)
    assert 1.05 < ratio.low <= ratio.value <= ratio.high < 1.15
    unpaired = unpaired_ratio(slow, fast)
    assert unpaired.high / unpaired.low > 1.5


@pytest.mark.parametrize("count", [6, 11, 20])
def test_intervals_of_ratios_cover(count):
    rng = np.random.default_rng(count)
    paired, unpaired = 0, 0
    for _ in range(1000):
        machine = rng.normal(scale=0.05, size=count)
        a = paired_ratio(noisy(rng, machine), noisy(rng, machine))
        b = unpaired_ratio(noisy(rng, machine), noisy(rng, rng.normal(scale=0.05, size=count + 2)))
        paired, unpaired = paired + holds(a.low, a.high), unpaired + holds(b.low, b.high)
    assert paired / 1000 >= 0.93
    assert 0.93 <= unpaired / 1000 <= 0.98


@pytest.mark.parametrize(("first", "second"), [(6, 6), (7, 13), (20, 20), (11, 6)])
def test_the_unpaired_interval_is_that_of_the_mann_whitney_test(first, second):
    """A ratio just inside the interval is one that the test does not reject, and one just outside is."""
    rng = np.random.default_rng(first)
    slow, fast = rng.lognormal(0.2, 0.1, first), rng.lognormal(0, 0.1, second)
    ratio = unpaired_ratio([[t] for t in slow], [[t] for t in fast])
    assert ratio.value == pytest.approx(np.median(np.divide.outer(slow, fast)))

    def rejected(by):
        return mannwhitneyu(slow / by, fast, method="exact").pvalue < 0.05

    assert [rejected(ratio.low * (1 - 1e-9)), rejected(ratio.low * (1 + 1e-9))] == [True, False]
    assert [rejected(ratio.high * (1 - 1e-9)), rejected(ratio.high * (1 + 1e-9))] == [False, True]
