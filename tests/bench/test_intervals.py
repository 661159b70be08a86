"""Bootstrap intervals against scipy's own, Student's, and what they cover in simulations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bench.intervals import Subjects, among, expanded, mean, resampled, share, subjects_of, totals


def people(sizes):
    return Subjects(np.repeat(np.arange(len(sizes)), sizes), len(sizes))


def test_subjects_are_numbered_and_who_is_unknown_is_one_of_his_own():
    found = subjects_of(np.asarray(["ann", "", "bob", "ann", ""], dtype=object))
    assert found.count == 4
    assert found.index[0] == found.index[3]
    assert len(set(found.index.tolist())) == 4
    assert subjects_of(np.asarray(["", ""], dtype=object)) is None


def test_some_faces_are_of_some_subjects():
    found = among(people([2, 3, 5]), np.array([9, 0, 8]))
    assert (found.count, found.index.tolist()) == (2, [1, 0, 1])
    assert among(None, np.array([0])) is None


def test_totals_are_of_each_subject():
    columns = np.arange(14.0).reshape(7, 2)
    assert_allclose(totals(columns, people([2, 0, 5])), [[2, 4], [0, 0], [40, 45]])


def test_without_subjects_it_is_scipys_percentile_interval_but_for_the_draws():
    values = np.random.default_rng(2).exponential(6, 800)
    judge = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(3))
    value, interval = mean(values)
    assert value == pytest.approx(values.mean())
    width = judge.confidence_interval.high - judge.confidence_interval.low
    assert_allclose(interval, judge.confidence_interval, atol=0.08 * width)


def test_with_subjects_it_is_scipys_bootstrap_of_a_ratio_of_their_totals():
    rng = np.random.default_rng(4)
    whose = people(rng.integers(1, 30, 120))
    values = rng.normal(0, 3, 120)[whose.index] + rng.normal(20, 1, len(whose.index))
    sums, faces = np.bincount(whose.index, values), np.bincount(whose.index)
    judge = stats.bootstrap(
        (sums, faces), lambda s, n, axis: s.sum(axis=axis) / n.sum(axis=axis), paired=True, method="percentile",
        n_resamples=9999, rng=np.random.default_rng(5),
    )  # fmt: skip
    _, interval = mean(values, whose)
    width = judge.confidence_interval.high - judge.confidence_interval.low
    assert_allclose(interval, judge.confidence_interval, atol=0.08 * width)
    _, narrow = mean(values)
    assert width > 3 * (narrow[1] - narrow[0])


def test_columns_are_drawn_together():
    values = np.random.default_rng(6).normal(size=300)
    drawn = resampled(np.stack([values, values + 5], axis=1))
    assert_allclose(drawn[:, 1] - drawn[:, 0], 5)
    assert drawn[:, 0].std() == pytest.approx(values.std() / np.sqrt(300), rel=0.1)


@pytest.mark.parametrize("drawn", [3, 12, 5000])
def test_few_draws_widen_by_students_t(drawn):
    low, high = expanded(0.05, drawn)
    wider = stats.t.ppf(0.975, drawn - 1) * np.sqrt(drawn / (drawn - 1))
    assert low == pytest.approx(stats.norm.sf(wider))
    assert high == pytest.approx(1 - low)
    assert expanded(0.05, 1) == (0, 1)


def test_it_is_the_subjects_that_are_few():
    whose = people([50] * 5)
    values = np.random.default_rng(9).normal(size=(5,))[whose.index]
    _, interval = mean(values, whose)
    assert_allclose(interval, np.quantile(resampled(values[:, None], whose), expanded(0.05, 5)))


def test_intervals_by_subject_cover_what_they_say_and_those_of_faces_do_not():
    rng = np.random.default_rng(7)
    covered, naive, repeats = 0, 0, 150
    truth = np.clip(np.random.default_rng(0).normal(0.6, 0.25, 10**6), 0, 1).mean()
    for _ in range(repeats):
        whose = people(rng.integers(2, 20, 40))
        hits = rng.random(len(whose.index)) < np.clip(rng.normal(0.6, 0.25, 40), 0, 1)[whose.index]
        for_subjects, for_faces = share(hits, whose)[1], share(hits)[1]
        covered += for_subjects[0] <= truth <= for_subjects[1]
        naive += for_faces[0] <= truth <= for_faces[1]
    assert covered / repeats > 0.9
    assert naive / repeats < 0.85


@pytest.mark.parametrize("hits", [np.ones(79, bool), np.arange(79) % 3 > 0])
@pytest.mark.parametrize("sizes", [[79], [40, 39], [1] * 79])
def test_few_people_who_are_alike_leave_no_less_to_chance_than_as_many_strangers(hits, sizes):
    (low, high), (least, most) = share(hits, people(sizes))[1], share(hits)[1]
    assert low <= least < most <= high
    years = np.where(hits, 2.0, 7.0) + np.arange(79) % 2
    (low, high), (least, most) = mean(years, people(sizes))[1], mean(years)[1]
    assert low <= least < most <= high
