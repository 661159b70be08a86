"""The tests that ``pytest --agebench`` collects: a row for each latency case, and a check where there is a baseline.

pytest-benchmark times a function in its own process; a latency is that of a worker, in turns with the others of its
network. So the rounds are measured as ever, and pytest-benchmark then gets each run's time from a clock that tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench import pytest_checks
from bench.accuracy import Network
from bench.latency import measure
from bench.parity import first_run
from bench.plan import Planned
from bench.process import WorkerFailed
from bench.pytest_checks import case_id, run_arguments
from bench.records import Case, Result
from bench.request import resolve
from bench.resume import side_by_side
from bench.run import Missing, Request, network_of
from bench.team import Team
from bench.types import Unavailable
from converters.errors import BadInput

NAME = "agebench"


@dataclass
class Clock:
    """Tells a scripted time: ``now`` is reset before each run, and the run moves it on."""

    now: float = 0.0

    def reset(self) -> None:
        """Begin a run."""
        self.now = 0.0

    def tell(self) -> float:
        """Return the seconds since then."""
        return self.now


class Cases(pytest.Collector):
    """The parent of all cases: ``agebench::`` stands before their names."""

    def collect(self) -> Iterator[pytest.Item]:
        """Nothing: the cases are added by `collect`."""
        yield from ()


@dataclass
class Latencies:
    """The results of the latency cases, those of a network measured side by side when the first of them is needed."""

    request: Request
    selected: Callable[[], Sequence[Case]]
    results: dict[Case, Result] = field(default_factory=dict)
    networks: dict[str, Network | Missing] = field(default_factory=dict)

    def of(self, case: Case) -> Result:
        """Return the result of a case."""
        if case not in self.results:
            together = [one for one in self.selected() if side_by_side(one) == side_by_side(case)]
            self._measure([one for one in together if one not in self.results])
        return self.results[case]

    def compare(self, case: Case) -> None:
        """Load the network of a case and compare its outputs, without timing it. Raises WorkerFailed or Unavailable."""
        network = self._network(case)
        if isinstance(network, Network):
            with self._team(network) as team, team.turn(case) as opened:
                first_run(opened.worker, network.golden, case)

    def _measure(self, cases: Sequence[Case]) -> None:
        network = self._network(cases[0])
        if isinstance(network, Missing):
            missing = [Result(case=case, status=network.status, reason=network.reason) for case in cases]
            self.results |= {result.case: result for result in missing}
            return
        with self._team(network) as team:
            found = measure(cases, team, network.golden, lambda step: None, self.request.config.budget)
        self.results |= {result.case: result for result in found}

    def _team(self, network: Network) -> Team:
        readers = self.request.readers
        return Team(self.request.start, lambda case: network.given(case, source=case.backend in readers))

    def _network(self, case: Case) -> Network | Missing:
        if case.network not in self.networks:
            card = self.request.cards[case.network]
            self.networks[case.network] = network_of(case.network, card, self.request.mirror)
        return self.networks[case.network]


def collect(session: pytest.Session) -> list[pytest.Item]:
    """Return the items of all cases. Raises UsageError for a wrong option, or a backend that cannot be used."""
    config = session.config
    try:
        pytest_checks.refuse(config)
        request = resolve(run_arguments(config), Path("-"))
        checks = pytest_checks.named_checks(config, request)
    except BadInput as error:
        raise pytest.UsageError("\n".join((f"--agebench: {error}", *error.details))) from error
    parent = Cases.from_parent(session, name=NAME, nodeid=NAME)
    rows: dict[pytest.Item, Case] = {}
    latencies = Latencies(request, lambda: [rows[item] for item in session.items if item in rows])
    for planned in request.planned:
        rows[_row(parent, planned, latencies)] = planned.case
    return [*rows, *(_item(parent, f"agebench_check[{words}]", check) for words, check in checks.items())]


def _row(parent: Cases, planned: Planned, latencies: Latencies) -> pytest.Function:
    case, clock = planned.case, Clock()

    def latency(benchmark: Any) -> None:
        if planned.skip is not None:
            benchmark.skipped = True
            pytest.skip(planned.skip)
        try:
            result = None if benchmark.disabled else latencies.of(case)
            if result is None:
                latencies.compare(case)
        except Unavailable as error:
            pytest.skip(str(error))
        except WorkerFailed as error:
            pytest.fail(str(error), pytrace=False)
        _tell(benchmark, clock, result)

    item = _item(parent, f"latency[{case_id(case)}]", latency)
    group = f"{case.network}, batch {case.batch}, {case.threads} thread{'s' if case.threads != 1 else ''}"
    item.add_marker(pytest.mark.benchmark(group=group, timer=clock.tell))
    return item


def _tell(benchmark: Any, clock: Clock, result: Result | None) -> None:
    """Give pytest-benchmark each run's time; ``result`` None: benchmarks are disabled, and there are no times."""
    if result is None:
        benchmark.pedantic(clock.reset)
        return
    if result.status != "ok" or result.latency is None:
        benchmark.skipped = True
        (pytest.skip if result.status == "skipped" else pytest.fail)(str(result.reason))
    times = iter(result.latency.times_ms)

    def one_run() -> None:
        clock.now = next(times) / 1000

    benchmark.extra_info.update(
        case=result.case.model_dump(),
        placement=result.placement,
        runtime=result.runtime,
        rounds=list(result.latency.rounds),
        cold_ms=result.latency.cold_ms,
        warnings=list(result.warnings),
    )
    benchmark.pedantic(one_run, setup=clock.reset, rounds=len(result.latency.times_ms))


def _item(parent: Cases, name: str, called: Callable[..., None]) -> pytest.Function:
    return pytest.Function.from_parent(parent, name=name, callobj=called)
