"""The search for the highest rate, on workers whose queue is worked out by hand; and once for real."""

from pathlib import Path

import numpy as np
import pytest
from bench_cases import latency_case
from scenario_cases import STEPWISE, given, scripted
from test_arrivals import fifo

from bench.arrivals import poisson
from bench.points import best_rate, meets
from bench.records import Point
from bench.scenarios import server

CASE = latency_case(STEPWISE, scenario="server", batch=1)


def queue(service_ms):
    """Answer a trial as one worker would that takes ``service_ms`` for each request."""

    def serve(_, arrays, most):
        arrivals = arrays["arrivals_s"]
        services = np.full(len(arrivals), service_ms / 1000)
        done = fifo(arrivals, services)
        kept = np.concatenate([[True], done[:-1] <= most])
        return {"times_ms": ((done - arrivals) * 1000)[kept].tolist(), "service_ms": (services * 1000)[kept].tolist()}

    return serve


def measured(network, monkeypatch, service_ms, *cases, **changes):
    answers = {"time": lambda *_, **__: {"times_ms": [service_ms] * 70}, "serve": queue(service_ms)}
    scripted(monkeypatch, answers)
    with given(cases or [CASE], network, **changes) as what:
        return server.measure(what)


def allowed(service_ms, limit_ms, judged, rates, seconds):
    """Return the highest of ``rates`` whose percentile is within the limit, by trying every one."""
    found = []
    for rate in rates:
        arrivals = poisson(rate, max({90: 64, 99: 662}[judged], int(rate * seconds)), server.SEED)
        times = (fifo(arrivals, np.full(len(arrivals), service_ms / 1000)) - arrivals) * 1000
        if np.percentile(times, judged) <= limit_ms:
            found.append(rate)
    return max(found, default=None)


@pytest.mark.parametrize(("service_ms", "budget", "judged"), [(10.0, 2, 90), (1.0, 2, 99), (0.5, 3, 99)])
@pytest.mark.parametrize("limit", [2.5, 6, 40])
def test_the_rate_found_is_the_highest_that_meets_the_limit(network, monkeypatch, service_ms, budget, judged, limit):
    (result,) = measured(network, monkeypatch, service_ms, budget=budget, limit_ms=limit * service_ms)
    trials = result.points[1:]
    assert {point.judged for point in trials} == {judged}
    assert 3 <= len(trials) <= server.TRIALS
    assert sum(point.requests / point.rate_per_s for point in trials) <= server.FACTOR * budget
    step = 1000 / service_ms / 2 ** len(trials)
    rates = [step * number for number in range(1, 2 ** len(trials))]
    best = allowed(service_ms, limit * service_ms, judged, rates, server.FACTOR * budget / server.TRIALS)
    found = best_rate(result.points)
    assert (found and found.rate_per_s) == (best and pytest.approx(best))
    assert result.status == "ok"
    assert all(len(point.times_ms) >= {90: 64, 99: 662}[judged] for point in trials if meets(point))


def test_a_limit_that_no_rate_meets_is_a_result_without_a_rate(network, monkeypatch):
    (result,) = measured(network, monkeypatch, 10.0, budget=2, limit_ms=9.0)
    assert result.status == "ok"
    assert len(result.points) >= 2
    assert best_rate(result.points) is None


def test_without_a_limit_it_is_ten_medians_of_the_fastest_backend_for_all(network, monkeypatch, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text(Path(STEPWISE).read_text())
    pids = []

    def time(*_, **__):
        pids.append(1)
        return {"times_ms": [3.0 if len(pids) == 1 else 5.0] * 70}

    scripted(monkeypatch, {"time": time, "serve": queue(4.0)})
    cases = [CASE, latency_case(str(slow), scenario="server", batch=1)]
    with given(cases, network, budget=2) as what:
        results = server.measure(what)
    assert [{p.limit_ms for p in r.points[1:]} for r in results] == [{30.0}, {30.0}]
    assert [r.points[0].times_ms[0] for r in results] == [3.0, 5.0]


def test_one_too_slow_for_the_budget_is_skipped_and_says_which_would_do(network, monkeypatch):
    (result,) = measured(network, monkeypatch, 100.0, budget=2)
    assert result.status == "skipped"
    assert "give --budget 3 or more" in result.reason  # 64 requests at 5 a second are 12.8 s; 5 budgets are 15
    assert len(result.points) == 1
    (result,) = measured(network, monkeypatch, 100.0, budget=3)
    assert result.status == "ok"


def trial(times, requests, judged=90, limit=10.0):
    return Point(batch=1, images=1, times_ms=times, rate_per_s=5, requests=requests, judged=judged, limit_ms=limit)


@pytest.mark.parametrize(
    ("point", "met"),
    [
        (trial((9.0,) * 64, 64), True),
        (trial((9.0,) * 64, 65), False),  # one was not answered
        (trial((9.0,) * 63, 63), False),  # too few for p90
        (trial((9.0,) * 661, 661, judged=99), False),
        (trial((9.0,) * 660 + (11.0,) * 2, 662, judged=99), True),
        (trial((9.0,) * 650 + (11.0,) * 12, 662, judged=99), False),
        (trial((9.0,) * 64, 64, limit=8.9), False),
    ],
)
def test_a_trial_meets_its_limit_with_enough_requests_all_answered(point, met):
    assert meets(point) == met


@pytest.mark.parametrize(("fault", "status"), [("wrong", "failed"), ("later", "failed"), ("", "ok")])
def test_a_real_worker_plays_the_arrivals(network, monkeypatch, fault, status):
    monkeypatch.setenv("FAULT", fault)
    monkeypatch.setenv("AT", "1" if fault == "wrong" else "20")
    with given([CASE], network, budget=0.2) as what:
        (result,) = server.measure(what)
    assert result.status == status
    if status == "ok":
        assert all(len(p.times_ms) == len(p.service_ms) <= p.requests for p in result.points[1:])
        assert all(np.subtract(p.times_ms, p.service_ms).min() >= -1e-3 for p in result.points[1:])
        assert result.parity.max_abs < 1e-6
    else:
        assert ("outputs differ" if fault == "wrong" else "worn out") in result.reason
