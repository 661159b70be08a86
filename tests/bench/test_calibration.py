"""Calibration by hand, and of distributions that are drawn from."""

import numpy as np
import pytest

from bench.calibration import quantile, top_label


def test_top_label_by_hand():
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.41, 0.59]])
    found = top_label(shares, np.array([0, 1, 1, 1]))
    # the bin of 0.9: confident 0.9, right 0.5, two faces; those of 0.59 and 0.6 share one: 0.595, right 1
    assert found.error == pytest.approx((2 * 0.4 + 2 * 0.405) / 4)
    assert (found.claimed, found.observed, found.n) == (pytest.approx(0.7475), 0.75, 4)


def test_a_class_drawn_from_its_distribution_is_calibrated_and_one_that_boasts_is_not():
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.ones(5), 20_000)
    truth = (rng.random(len(shares))[:, None] > shares.cumsum(axis=1)).sum(axis=1)
    assert top_label(shares, truth).error < 0.015
    boasting = shares**3 / (shares**3).sum(axis=1, keepdims=True)
    found = top_label(boasting, truth)
    assert found.error == pytest.approx(found.claimed - found.observed, abs=0.01)
    assert found.error > 0.15


def drawn(years, spread, faces, seed):
    rng = np.random.default_rng(seed)
    ages = np.arange(101.0)
    middle = rng.uniform(20, 80, faces)
    shares = np.exp(-((ages - middle[:, None]) ** 2) / (2 * spread**2))
    shares /= shares.sum(axis=1, keepdims=True)
    truth = (rng.random(faces)[:, None] > shares.cumsum(axis=1)).sum(axis=1).astype(float)
    return shares, ages, truth + years


@pytest.mark.parametrize("spread", [0.3, 7.0])
def test_an_age_drawn_from_its_distribution_is_calibrated_however_sharp_it_is(spread):
    found = quantile(*drawn(0, spread, 8000, 5))
    assert found.error < 0.012
    assert found.observed == pytest.approx(0.9, abs=0.012)


def test_an_age_that_is_always_too_low_is_not():
    found = quantile(*drawn(7, 7.0, 4000, 6))
    assert found.error > 0.2
    assert found.observed < 0.8


def test_quantiles_by_hand():
    # all of it on 30, true age 30.9: whole years, so each level holds its own share
    sure = quantile(np.array([[0.0, 1.0, 0.0]]), np.array([29.0, 30, 31]), np.array([30.9]))
    assert (sure.error, sure.observed) == (pytest.approx(0), pytest.approx(0.9))
    # true age above all: no level holds it, and the mean level is a half
    beyond = quantile(np.array([[0.5, 0.5, 0.0]]), np.array([29.0, 30, 31]), np.array([80.0]))
    assert (beyond.error, beyond.observed) == (pytest.approx(0.5), 0)
