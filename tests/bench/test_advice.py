"""Each warning by a case that is made for it; none of them on one that is clean, or that a machine tells nothing of."""

from dataclasses import replace

import numpy as np
import pytest

from bench.advice import warnings
from bench.conditions import Conditions
from bench.types import Advice

QUIET = Conditions(cpu_s=0.2, others_s=0.002, stolen_s=0.001, frequency_mhz=3000.0, throttles=0)
COLD = {"import": 300.0, "load": 90.0, "first": 9.0}


def clean(rounds=20, runs=17, ms=5.0):
    return np.random.default_rng(4).normal(ms, 0.01 * ms, (rounds, runs)).tolist()


def kinds(rounds, steady=True, **more):
    return [w.partition(": ")[0] for w in warnings(rounds, steady=steady, **more)]


def test_a_clean_case_warns_of_nothing():
    assert kinds(clean(), cold_ms=COLD, conditions=[QUIET] * 20) == []


def test_what_a_machine_does_not_tell_is_not_warned_of():
    assert kinds(clean(), conditions=[Conditions(cpu_s=0.2)] * 20) == []


CASES = {
    Advice.UNSTEADY: ({"steady": False}, "two windows agreed within 5 %"),
    Advice.DRIFT: ({"rounds": clean(10) + clean(10, ms=6.0)}, "a median of 6.0"),
    Advice.OUTLIERS: ({"rounds": [[*times, 50.0] for times in clean()]}, "6% of the runs"),
    Advice.FREQUENCY: (
        {"conditions": [QUIET] * 19 + [replace(QUIET, frequency_mhz=2100.0)]},
        "the CPU ran at 2100 to 3000 MHz",
    ),
    Advice.LOAD: ({"conditions": [replace(QUIET, others_s=0.05)] * 20}, "other processes took 25% of its CPUs"),
    Advice.THROTTLED: ({"conditions": [QUIET] * 19 + [replace(QUIET, throttles=7)]}, "slowed down 7 times"),
    Advice.FIRST_SLOW: ({"cold_ms": {**COLD, "first": 120.0}}, "took 120.0 ms, 24 times the median of 5.0"),
    Advice.FEW_RUNS: ({"rounds": clean(5)}, "85 runs in 5 rounds; it takes 6 rounds"),
}


@pytest.mark.parametrize(("kind", "case"), CASES.items(), ids=list(CASES))
def test_each_kind_is_told_alone_with_its_number_and_what_to_do(kind, case):
    given, number = case
    (said,) = warnings(**{"rounds": clean(), "steady": True, "cold_ms": COLD, "conditions": [QUIET] * 20, **given})
    assert said.startswith(f"{kind.value}: ")
    assert number in said
    advised = ("repeat", "run once before", "give more time")
    assert any(words in said for words in advised)
    assert "\n" not in said


def test_every_kind_about_time_has_its_case():
    assert set(CASES) == set(Advice) - {Advice.PARTIAL, Advice.SKIPPED}


def test_time_that_another_virtual_machine_takes_is_told_apart():
    (said,) = warnings(clean(), steady=True, conditions=[replace(QUIET, stolen_s=0.1)] * 20)
    assert said.startswith("load: other virtual machines on the same host took 50%")


def test_a_load_is_a_share_of_all_rounds_together():
    once = [QUIET] * 19 + [replace(QUIET, others_s=0.1)]
    assert kinds(clean(), conditions=once) == []


def test_few_runs_says_which_statistic_lacks_what():
    (said,) = warnings(clean(6, 3), steady=True)
    assert said == "few-runs: 18 runs in 6 rounds; it takes 64 runs for p90: give more time with --budget"
    assert kinds(clean(1, 9)) == ["few-runs"]
