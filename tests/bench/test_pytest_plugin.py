"""``pytest --agebench`` in a pytest of its own, on scripted times and on one real, tiny network."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points

import onnx.shape_inference
import pytest
import scipy.stats

import zoo.golden
from bench import latency, pytest_cases
from bench.cli import main
from bench.process import PACKAGES

pytest_plugins = ["pytester"]

ONCE = (onnx.shape_inference, scipy.stats, pytest_cases)
"""An inner pytest forgets what it imported, and libraries in C cannot be imported twice: here they are beforehand."""

INSTALLED = any(entry.value == "bench.pytest_plugin" for entry in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "bench.pytest_plugin")


@pytest.fixture
def run(tiny_zoo, pytester, monkeypatch):
    """Return what runs pytest on the case ``tiny`` of the backend null, each run of which takes ``ms``."""
    monkeypatch.setattr(latency, "ROUNDS", 8)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    for variable in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(variable, raising=False)

    def run(*words, ms=1.0, zoo_="tiny", backend="null", **script):
        given = {"golden": str(zoo.golden.FOLDER), "times_ms": [ms], **script}
        monkeypatch.setenv("BENCH_NULL", json.dumps(given))
        asked = ("--agebench", "--agebench-zoo", zoo_, "--agebench-backend", backend, "--agebench-threads", "1")
        return pytester.runpytest_inprocess(*PLUGIN, "-p", "no:xdist", *asked, "--agebench-budget", "0.02", *words)

    return run


def test_a_case_is_a_row_of_pytest_benchmark_with_the_workers_times(run, pytester):
    result = run("--benchmark-json", "rows.json", "--benchmark-save-data", ms=2.5)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["collected 1 item", "*benchmark 'tiny, batch 1, 1 thread': 1 tests*"])
    (row,) = json.loads((pytester.path / "rows.json").read_text())["benchmarks"]
    assert row["fullname"] == "agebench::latency[tiny-null-batch1-threads1]"
    assert row["stats"]["median"] == 0.0025
    assert set(row["stats"]["data"]) == {0.0025}
    assert row["stats"]["rounds"] == sum(row["extra_info"]["rounds"])
    assert row["extra_info"]["case"]["network"] == "tiny"


@pytest.mark.parametrize(("ms", "fails"), [pytest.param(1.04, False, marks=pytest.mark.slow), (1.06, True)])
def test_its_storage_and_its_comparison_work(run, ms, fails):
    assert run("--benchmark-save", "before", ms=1.0).ret == 0
    result = run("--benchmark-compare", "--benchmark-compare-fail=median:5%", ms=ms)
    assert bool(result.ret) == fails
    if fails:
        result.stderr.fnmatch_lines(["*Performance has regressed*", "*latency?tiny-null-batch1-threads1?*median*"])


@pytest.mark.slow
def test_all_backends_and_batch_sizes_of_a_network_are_cases(run):
    result = run("--agebench-batch", "1,3", "-v", zoo_="tiny,twin")
    result.assert_outcomes(passed=4)
    names = [
        f"agebench::latency[[]{name}-null-batch{batch}-threads1] *" for name in ("tiny", "twin") for batch in (1, 3)
    ]
    result.stdout.fnmatch_lines(names)


@pytest.mark.slow
def test_they_are_chosen_like_any_other_test(run, pytester):
    pytester.makepyfile("def test_own():\n    pass\n")
    run("-k", "twin", zoo_="tiny,twin").assert_outcomes(passed=1, deselected=2)
    run("--benchmark-skip", zoo_="tiny,twin").assert_outcomes(passed=1, skipped=2)
    run("--benchmark-only").assert_outcomes(passed=1, skipped=1)


@pytest.mark.slow
def test_with_benchmarks_disabled_the_outputs_are_still_compared(run):
    run("--benchmark-disable").assert_outcomes(passed=1)
    result = run("--benchmark-disable", fault="wrong")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*outputs differ from numpy by hand by 1 at batch 1*"])


def test_a_case_that_goes_wrong_fails_with_its_reason_and_is_no_row(run):
    result = run(fault="crash", after=9)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the worker crashed (SIGSEGV)*"])
    result.stdout.no_fnmatch_line("*benchmark 'tiny*")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--agebench-zoo", "nothing"), "no network matches 'nothing'"),
        (("--agebench-backend", "nothing"), "no backend 'nothing'"),
        (("--agebench-budget", "soon"), "give seconds"),
        (("--agebench-baseline", "nowhere"), "no such baseline"),
        (("--agebench-baseline", "x", "--agebench-against", "here"), "give one of them"),
        (("--agebench-against", "here", "--agebench-max-slowdown", "10"), "--agebench-max-slowdown"),
    ],
)
def test_a_wrong_option_is_a_usage_error(run, words, why):
    result = run(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --agebench: *{why}*"])


@pytest.fixture
def baseline(run, pytester, capsys):
    """Return a baseline file of a run whose times are 1 ms."""
    run("--co")
    words = ["--only", "latency", "--zoo", "tiny", "--backend", "null", "--threads", "1", "--budget", "0.02"]
    assert main(["run", *words, "--out", str(pytester.path / "before")]) == 0
    assert main(["check", "before", "--baseline", "base.jsonl", "--update-baseline"]) == 0
    return "base.jsonl"


@pytest.mark.slow
@pytest.mark.parametrize(("ms", "failed"), [(1.0, 0), (1.3, 1)])
def test_the_stricter_check_names_the_case(run, baseline, ms, failed):
    result = run("--agebench-baseline", baseline, "-v", ms=ms)
    result.assert_outcomes(passed=3 - failed, failed=failed)  # the row, the check of the case, the check of the run
    if failed:
        result.stdout.fnmatch_lines(
            ["*agebench_check?tiny-null-batch1-threads1? FAILED*", "*regression*latency*+30.0%*"]
        )


@pytest.mark.slow
def test_it_measures_side_by_side_too(run, tmp_path):
    slower = tmp_path / "before"
    script = json.dumps({"golden": str(zoo.golden.FOLDER), "times_ms": [0.5]})
    slower.write_text(f"#!/bin/sh\nexport BENCH_NULL='{script}'\nexec {sys.executable} \"$@\"\n")
    slower.chmod(0o755)
    run("--agebench-against", "here").assert_outcomes(passed=3)
    result = run("--agebench-against", str(slower))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*regression*latency*+100.0%*"])


@pytest.mark.slow
def test_a_test_of_ones_own_may_ask_for_the_check(run, baseline, pytester):
    pytester.makepyfile(
        f"""
        def test_same(agebench_check):
            findings = agebench_check("tiny", backend="null", baseline={baseline!r})
            assert {{f.dimension for f in findings}} >= {{"latency", "parity", "size"}}

        def test_beside_itself(agebench_check):
            agebench_check("tiny", backend="null", batch=3, against="here")

        def test_nothing_to_hold_it_against(agebench_check):
            agebench_check("tiny")

        def test_unknown(agebench_check):
            agebench_check("unknown", against="here")
        """
    )
    result = run("-k", "not latency")
    result.assert_outcomes(passed=2, failed=2, deselected=1)
    result.stdout.fnmatch_lines(["*give baseline= or against=*", "*no network matches 'unknown'*"])


@pytest.mark.slow
def test_a_real_network_is_a_row(run):
    run("--benchmark-columns=median", backend="onnxruntime").assert_outcomes(passed=1)


@pytest.fixture
def checkout(monkeypatch):
    """Let another process have our packages, whatever is installed."""
    monkeypatch.setenv("PYTHONPATH", str(PACKAGES))


def test_without_the_option_nothing_of_ours_is_imported_but_the_plugin(checkout, pytester):
    """Whoever has the project installed has the plugin in every pytest run."""
    pytester.makepyfile(
        """
        import sys

        def test_own():
            ours = {name for name in sys.modules if name.split(".")[0] in ("bench", "zoo", "converters")}
            assert ours <= {"bench", "bench.pytest_plugin"}
            assert not {"numpy", "onnx", "pydantic", "cv2"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess(*PLUGIN, "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_without_pytest_benchmark_it_says_what_to_install(checkout, pytester):
    result = pytester.runpytest_subprocess(*PLUGIN, "-p", "no:benchmark", "--agebench")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--agebench: needs pytest-benchmark: pip install 'agebench?pytest?'*"])


def test_the_plugin_is_quick_to_import(checkout):
    code = (
        "import sys, bench.pytest_plugin; print(len([n for n in sys.modules if n.startswith(('zoo', 'converters'))]))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
