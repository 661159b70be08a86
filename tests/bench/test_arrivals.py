"""Poisson arrivals, and a queue that a clock made by hand runs through, against Lindley's recursion."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bench.arrivals import answered, poisson


@pytest.mark.parametrize("rate", [0.7, 31.0, 4000.0])
def test_gaps_are_exponential(rate):
    n = 20_000
    gaps = np.diff(poisson(rate, n, seed=3), prepend=0)
    assert (gaps > 0).all()
    assert gaps.mean() * rate == pytest.approx(1, abs=4 / np.sqrt(n))
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / n))  # a fixed rate has 0
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / np.sqrt(n)
    assert np.mean(gaps * rate > 1) == pytest.approx(np.exp(-1), abs=4 * np.sqrt(0.24 / n))


def test_a_seed_has_one_schedule_and_rates_only_scale_it():
    assert_allclose(poisson(10, 50, seed=1), 7 * poisson(70, 50, seed=1))
    assert_allclose(poisson(10, 50, seed=1)[:20], poisson(10, 20, seed=1))
    assert not np.allclose(poisson(10, 50, seed=1), poisson(10, 50, seed=2))


class Clock:
    """A clock that stands still but for sleeps and scripted runs; a look at it takes a microsecond."""

    def __init__(self, services_s):
        self.now, self.services, self.slept = 5_000_000_000, iter(services_s), []

    def look(self):
        self.now += 1000
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += round(seconds * 1e9)

    def run(self):
        self.now += round(next(self.services) * 1e9)


def fifo(arrivals_s, services_s):
    """Return when each is answered, first come, first served: it starts when it is there and the one before is done."""
    done, free = [], 0.0
    for arrival, service in zip(arrivals_s, services_s, strict=True):
        free = max(arrival, free) + service
        done.append(free)
    return np.asarray(done)


@pytest.mark.parametrize("load", [0.3, 0.9, 1.4])
def test_a_queue_is_that_of_one_worker_first_come_first_served(load):
    generator = np.random.default_rng(7)
    services = generator.uniform(0.002, 0.018, 400)
    arrivals = poisson(load / 0.010, 400, seed=9)
    clock = Clock(services)
    times_ms, service_ms = answered(clock.run, arrivals.tolist(), 1e9, clock.look, clock.sleep)
    assert_allclose(times_ms, (fifo(arrivals, services) - arrivals) * 1000, atol=400 * 0.005)
    assert_allclose(service_ms, services * 1000, atol=0.002)
    assert np.max(times_ms) > 2 * np.max(service_ms) or load < 0.5


def test_a_slow_answer_makes_those_behind_it_late():
    services = [0.1, 0.001, 0.001]
    clock = Clock(services)
    times_ms, _ = answered(clock.run, [0.0, 0.01, 0.02], 1e9, clock.look, clock.sleep)
    assert_allclose(times_ms, [100, 91, 82], atol=0.02)


def test_it_sleeps_between_arrivals_and_wakes_a_little_before():
    clock = Clock([0.001] * 2)
    answered(clock.run, [0.0, 0.050], 1e9, clock.look, clock.sleep)
    assert max(clock.slept) == pytest.approx(0.0485, abs=1e-4)


def test_a_trial_that_is_late_is_broken_off_and_the_rest_has_no_time():
    clock = Clock([0.1] * 9)
    times_ms, service_ms = answered(clock.run, [0.0] * 9, 0.35, clock.look, clock.sleep)
    assert len(times_ms) == len(service_ms) == 4
