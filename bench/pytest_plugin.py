"""``pytest --agebench``: latency cases as rows of pytest-benchmark, and the check of `bench.check` as tests.

pytest loads this module wherever the project is installed, so it imports nothing of ours, and does nothing, until it is
asked for: by ``--agebench``, or by a test with the fixture ``agebench_check``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bench.pytest_checks import Check


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; they are those of ``python -m bench run`` and ``python -m bench ab``."""
    group = parser.getgroup("agebench", "latency of face age and gender networks")
    group.addoption("--agebench", action="store_true", help="collect latency cases, as rows of pytest-benchmark")
    group.addoption("--agebench-zoo", default="all", metavar="all|GLOB,..", help="networks (default: all)")
    group.addoption("--agebench-backend", default="onnxruntime", metavar="all|NAME,..", help="default: onnxruntime")
    group.addoption("--agebench-batch", default="1", metavar="1,8,32", help="batch sizes (default: 1)")
    group.addoption("--agebench-threads", metavar="N[,N..]", help="threads of each runtime (default: all usable CPUs)")
    group.addoption("--agebench-budget", default="0.5", metavar="S", help="seconds of timed runs a case (default: 0.5)")
    group.addoption(
        "--agebench-baseline", metavar="BASE", help="check each case against this run or baseline file as well"
    )
    group.addoption(
        "--agebench-against", metavar="SPEC", help="check each case side by side with this, as bench ab --a SPEC does"
    )
    group.addoption("--agebench-max-slowdown", default="10%", metavar="10%", help="what may be slower (default: 10%%)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to go on without pytest-benchmark, whose rows the cases are."""
    if config.getoption("--agebench") and not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError("--agebench: needs pytest-benchmark: pip install 'agebench[pytest]'")


@pytest.hookimpl(tryfirst=True)  # so that -k, -m and pytest-benchmark see the cases like any other test
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the cases after what was collected."""
    if config.getoption("--agebench"):
        from bench import pytest_cases

        cases = pytest_cases.collect(session)
        items += cases
        report = pytest.CollectReport(pytest_cases.NAME, "passed", None, [*cases])
        session.ihook.pytest_collectreport(report=report)  # so that they are counted among the collected


@pytest.fixture
def agebench_check(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Return what holds one network against a baseline or another side, and fails the test where it is worse.

    ``agebench_check("c3ae-plain", backend="onnxruntime", batch=1)`` is held against ``--agebench-baseline``, or side by
    side against ``--agebench-against``; ``baseline=`` and ``against=`` say it in the test.
    """
    from bench.pytest_checks import Check

    return Check(request.config, tmp_path_factory.mktemp("agebench"))
