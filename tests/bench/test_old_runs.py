"""Runs of before: one small folder of each set of fields that results ever had is still read, reported and compared.

``data/schema-1-first`` has neither heads nor rounds, one number of threads and no costs; ``-heads`` has heads;
``-rounds`` has rounds, stages, costs and the machine's limits; ``-inputs`` has what a known picture becomes, node
counts and the points of every scenario.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench import baselines, sides
from bench.check.judge import judge
from bench.cli import main
from bench.compare.against import against
from bench.results import read_results, read_run

DATA = Path(__file__).parent / "data"
OLD = sorted(path.name for path in DATA.iterdir())


def test_there_is_one_of_each():
    assert OLD == ["schema-1-first", "schema-1-heads", "schema-1-inputs", "schema-1-rounds"]
    first, heads, inputs, rounds = ((read_run(DATA / name), read_results(DATA / name)) for name in OLD)
    assert not any(result.latency.rounds for result in first[1] if result.latency)
    assert {score.head for result in first[1] for score in result.scores} == {None}
    assert None not in {score.head for result in heads[1] for score in result.scores}
    assert (heads[0].limits, heads[0].costs) == ((), {})
    assert all(result.latency.rounds for result in rounds[1] if result.latency)
    assert (len(rounds[0].limits), len(rounds[0].costs), rounds[0].inputs) == (1, 2, {})
    assert (set(inputs[0].inputs), inputs[0].costs["c3ae-plain"]["fp32"].nodes) == ({"c3ae-plain"}, 16)
    assert {result.case.scenario for result in inputs[1]} == {None, "batch", "offline", "server"}


@pytest.fixture(params=OLD)
def old(request, tmp_path):
    """Return a copy of a folder."""
    return Path(shutil.copytree(DATA / request.param, tmp_path / "old"))


def test_it_becomes_a_flat_table(old):
    assert main(["report", str(old), "--format", "csv,json"]) == 0
    for result in read_results(old):
        assert result.case.network in (old / "report.csv").read_text()


SLOW = [name for name in OLD if name != "schema-1-first"]


@pytest.mark.parametrize("name", ["schema-1-first", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_report_is_made_of_it(name, tmp_path):
    old = Path(shutil.copytree(DATA / name, tmp_path / "old"))
    assert main(["report", str(old)]) == 0
    for result in read_results(old):
        assert result.case.network in (old / "report.md").read_text()


def test_beside_itself_nothing_is_worse(old):
    side = sides.read(old)
    assert {finding.verdict for finding in judge(side, side)} <= {"ok", "open"}
    assert against(side, side, (), 0.05).pairs == len(side.ok())


def test_it_becomes_a_baseline_file(old, tmp_path):
    path = tmp_path / "base.jsonl"
    assert main(["check", str(old), "--baseline", str(path), "--update-baseline"]) == 0
    side, again = sides.read(old), sides.read(path)
    assert set(again.results) == set(side.results)
    assert {finding.verdict for finding in judge(again, side)} <= {"ok", "open"}
    assert main(["check", str(old), "--baseline", str(path)]) == 0
    assert baselines.text(again.run, list(again.results.values())) == path.read_text()


def test_one_without_heads_and_rounds_is_held_against_one_that_has_them():
    first, later = sides.read(DATA / "schema-1-first"), sides.read(DATA / "schema-1-heads")
    told = judge(first, later)
    scores = [finding for finding in told if finding.dimension == "scores"]
    assert {finding.verdict for finding in scores} == {"ok"}
    assert {"age_group accuracy", "age_group one_off"} <= {finding.case.rpartition(", ")[2] for finding in scores}
    assert against(first, later, (), 0.05).pairs == 1
    rounds = [f for f in judge(first, first) if f.dimension == "latency"]
    assert {finding.verdict for finding in rounds} == {"open"}
