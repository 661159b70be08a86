"""The self-test on scripted times: its table, its exit code, and that it catches a ruler that is wrong.

Nothing real is timed but in the test marked slow, and no real time is asserted anywhere.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

import bench.selftest as selftest
import bench.verdict
from bench import environments, statistics
from bench.backends import _delayed
from bench.cli import main
from bench.process import WorkerFailed
from bench.selftest import alarms, check, cost, distributions, network, pairs
from bench.selftest.alarms import BROKEN, SAME, judge, repeat
from bench.selftest.pairs import SIDES, Pair
from bench.statistics import Ratio
from bench.verdict import compare

FAIR = Ratio(1.001, 0.998, 1.003, 200)


class Script:
    """Times as workers would give them, of a machine whose rounds differ by 5 %; ``delays``: what each side adds."""

    def __init__(self, delays=None, noise=0.01):
        self.generator = np.random.default_rng(5)
        self.delays = {side: int(percent) / 100 for side, percent in SIDES.items()} | (delays or {})
        self.noise = noise
        self.sets = 0

    @contextmanager
    def workers(self, _network=None):
        self.sets += 1
        yield self.measure

    def measure(self, side):
        machine = self.generator.normal(scale=0.05, size=30)
        return Pair(self.rounds(machine, 0.0), self.rounds(machine, self.delays[side]))

    def rounds(self, machine, delay):
        own = self.generator.normal(scale=self.noise, size=30)
        runs = self.generator.normal(scale=0.01, size=(30, 9))
        return ((1 + delay) * np.exp(machine[:, None] + own[:, None] + runs)).tolist()


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Let the self-test time a script instead of workers, and return a function that runs it: its exit code."""
    monkeypatch.setattr(cost, "ratio_to_hand_written", lambda *_: FAIR)
    monkeypatch.setattr(selftest, "timed_network", network.made)
    monkeypatch.setattr(selftest, "FULL", replace(selftest.FULL, simulations=200))
    monkeypatch.setattr(selftest, "SHORT", replace(selftest.SHORT, simulations=200))

    def run(script, *words):
        monkeypatch.setattr(selftest, "workers", script.workers)
        return main(["check", "--self-test", *words])

    return run


def verdicts(capsys):
    told = json.loads(capsys.readouterr().out)
    return told, {c["test"]: c["verdict"] for c in told["checks"]}


def test_a_good_ruler_keeps_every_bound(scripted, capsys):
    script = Script()
    assert scripted(script) == 0
    said = capsys.readouterr()
    assert "self-test, full form: a seeded network on ONNX Runtime, 1 thread, pairs of 30 rounds" in said.out
    assert "NOT KEPT" not in said.out
    for words in ("at most 4 of 200", "at least 95 of 100", "a comparator with its sign flipped", "0.98 to 1.02"):
        assert words in said.out
    assert script.sets == 4
    assert said.err == ""


def test_as_json_every_check_has_its_bound_and_verdict(scripted, capsys):
    assert scripted(Script(), "--json") == 0
    told, found = verdicts(capsys)
    assert (told["form"], told["passed"], told["max_slowdown"]) == ("full", True, 0.05)
    assert found.pop("5 % slower") == "-"
    assert set(found.values()) == {"kept"}
    assert len(found) == 12
    assert all(c["measured"] and c["bound"] for c in told["checks"])


def test_the_short_form_says_that_it_is_short(scripted, capsys):
    assert scripted(Script(), "--short") == 0
    said = capsys.readouterr().out
    assert "self-test, short form" in said
    assert "bounds are such that a ruler which just keeps those of the full form fails less than 1% of the time" in said


@pytest.mark.parametrize("words", [("--json",), ("--json", "--short")], ids=["full", "short"])
@pytest.mark.parametrize(
    ("delays", "noise", "broken"),
    [
        ({SAME: 0.08}, 0.01, {"the same network beside itself"}),
        ({"+10 %": 0.02}, 0.01, {"10 % slower"}),
        ({"+10 %": 0.0, "+25 %": 0.0}, 0.01, {"10 % slower", "25 % slower"}),
        ({}, 0.5, {"10 % slower", "25 % slower"}),
    ],
    ids=["two that are the same differ", "10 % is not seen", "nothing is seen", "noise hides it"],
)
def test_a_ruler_that_is_wrong_is_caught(scripted, capsys, words, delays, noise, broken):
    assert scripted(Script(delays, noise), *words) == 1
    told, found = verdicts(capsys)
    assert told["passed"] is False
    assert broken <= {test for test, verdict in found.items() if verdict == "NOT KEPT"}


def test_a_comparator_whose_sign_is_flipped_fails_the_self_test(scripted, monkeypatch, capsys):
    monkeypatch.setattr(bench.verdict, "paired_ratio", lambda slow, fast: statistics.paired_ratio(fast, slow))
    assert scripted(Script(), "--json") == 1
    _, found = verdicts(capsys)
    assert (found["10 % slower"], found["the same network beside itself"]) == ("NOT KEPT", "kept")


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_comparator_is_caught_and_the_right_one_is_not(name, short):
    script, wanted = Script(), {SAME: 20, "+10 %": 10}
    found = {side: [script.measure(side) for _ in range(n)] for side, n in wanted.items()}
    assert all(c.passed for c in judge(found, wanted, short=short))
    assert not all(c.passed for c in judge(found, wanted, short=short, comparator=BROKEN[name]))
    checks = alarms.broken_ones_are_caught(found, wanted, short=short)
    assert [c.passed for c in checks] == [True] * len(BROKEN)


def test_a_self_test_that_lets_a_broken_comparator_pass_fails(monkeypatch):
    monkeypatch.setattr(alarms, "BROKEN", {"that is right": compare})
    script, wanted = Script(), {SAME: 20, "+10 %": 10}
    found = {side: [script.measure(side) for _ in range(n)] for side, n in wanted.items()}
    (missed,) = alarms.broken_ones_are_caught(found, wanted, short=True)
    assert (missed.measured, missed.passed) == ("passes", False)


def test_fewer_repetitions_than_wanted_are_told_and_fail(scripted, monkeypatch, capsys):
    clock = count(step=10)
    monkeypatch.setattr(alarms, "monotonic", lambda: next(clock))
    assert scripted(Script(), "--json") == 1
    told, found = verdicts(capsys)
    assert found["the same network beside itself"] == "NOT KEPT"
    assert "the time was up" in told["checks"][0]["measured"]
    assert told["checks"][0]["bound"] == "200 repetitions"


def test_a_worker_that_fails_is_a_check_that_fails(scripted, capsys):
    script = Script()

    def fail(_):
        raise WorkerFailed("the worker 'as it is': no answer to 'time' within 60 s; the worker was ended")

    script.measure = fail
    assert scripted(script, "--json") == 1
    told, _ = verdicts(capsys)
    assert "no answer to 'time'" in told["checks"][0]["measured"]


@pytest.mark.parametrize(
    ("ratio", "full", "short"),
    [
        (FAIR, True, True),
        (Ratio(1.021, 1.015, 1.03, 60), False, True),
        (Ratio(1.03, 1.021, 1.04, 60), False, False),
        (Ratio(0.97, 0.96, 0.979, 60), False, False),
        (Ratio(0.981, 0.96, 0.99, 60), True, True),
    ],
)
def test_what_the_harness_adds_is_held_to_two_percent(ratio, full, short):
    assert (cost.judged(ratio, short=False).passed, cost.judged(ratio, short=True).passed) == (full, short)


@pytest.mark.parametrize(
    ("n", "share", "full", "short"), [(200, 0.02, 4, 9), (20, 0.02, 0, 2), (100, 0.05, 5, 11), (10, 0.05, 0, 3)]
)
def test_a_short_form_allows_what_chance_brings_and_no_more(n, share, full, short):
    from scipy.stats import binom

    assert (check.most(n, share, short=False), check.most(n, share, short=True)) == (full, short)
    assert binom.sf(short, n, share) < check.CHANCE <= binom.sf(short - 1, n, share)


def test_sides_take_turns_in_every_set_of_fresh_workers():
    script, told = Script(), []
    found = repeat(script.workers, {SAME: 4, "+10 %": 2}, 2, 60, told.append)
    assert {side: len(kept) for side, kept in found.items()} == {SAME: 4, "+10 %": 2}
    assert script.sets == 2
    assert told == [SAME, "+10 %", SAME] * 2


@pytest.mark.parametrize(
    ("function", "wrong", "test"),
    [
        ("percentile", lambda times, q: float(np.percentile(times, q)) * 1.03, "percentiles of normal"),
        ("percentile", lambda times, q: float(np.percentile(times, q)), "percentiles of too few"),
        ("median_interval", lambda times, _: statistics.median_interval(times), "interval of the median"),
    ],
    ids=["percentiles too high", "percentiles of anything", "runs of a round taken as independent"],
)
def test_statistics_that_are_wrong_are_caught(monkeypatch, function, wrong, test):
    assert all(c.passed for c in distributions.checks(200))
    monkeypatch.setattr(distributions, function, wrong)
    assert [c.passed for c in distributions.checks(200) if test in c.test] == [False]


def test_without_onnx_runtime_it_is_not_usable_here(monkeypatch, capsys):
    monkeypatch.setattr(environments, "missing", lambda needs, _: list(needs))
    assert main(["check", "--self-test"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "ONNX Runtime" in line
    assert "pip install" in line


@pytest.mark.parametrize(("delay", "until"), [("5", 1050), ("10", 1100), ("25", 1250)])
def test_a_delay_is_a_share_of_the_runs_own_time_spun_away(monkeypatch, tmp_path, delay, until):
    made = network.made(tmp_path)
    delayed = _delayed.load(made.model, "cpu", 1, delay)
    clock, read = iter([0, 1000, *range(1001, 5000)]), []
    monkeypatch.setattr(_delayed, "perf_counter_ns", lambda: read.append(next(clock)) or read[-1])
    outputs = delayed.run(made.golden.inputs)
    assert read[-1] == until
    np.testing.assert_allclose(outputs["y"], made.golden.outputs["y"], atol=1e-6)


def test_the_seeded_network_is_the_same_bytes_and_answers_something(tmp_path):
    first, again = (tmp_path / name for name in ("first", "again"))
    for folder in (first, again):
        folder.mkdir()
    made = network.made(first)
    assert made.model.read_bytes() == network.made(again).model.read_bytes()
    answer = made.golden.outputs["y"]
    assert answer.shape == (1, network.CHANNELS[-1])
    assert answer.sum() == pytest.approx(1, abs=1e-5)
    assert answer.max() > 1.2 * answer.min() > 0


@pytest.mark.slow
def test_real_workers_give_their_rounds_through_the_turns_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "ROUNDS", 3)
    made = network.made(tmp_path)
    with pairs.workers(made) as measure:
        for side in (SAME, "+25 %"):
            pair = measure(side)
            for rounds in (pair.baseline, pair.candidate):
                assert [len(times) >= 1 for times in rounds] == [True] * 3
                assert min(min(times) for times in rounds) > 0
    feeds, _ = made.golden.cycle(1)
    assert cost.ratio_to_hand_written(made.model, feeds, 8).pairs == 8
