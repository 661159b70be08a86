"""The stricter check as tests: a run or another side to hold cases against, and the findings of `bench.check`.

Everything is measured once, when the first of the tests needs it, and each test then has the findings of its case.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from bench import ab, sides
from bench.ab.request import resolve as resolve_ab
from bench.check.allowed import Allowed, share_of
from bench.check.findings import Finding, Judged, case_words
from bench.check.formats import named
from bench.check.judge import judge
from bench.commands import ab as ab_command
from bench.commands import run as run_command
from bench.records import Case
from bench.request import resolve
from bench.run import Request, run
from converters.errors import BadInput

SLOWDOWN = "--agebench-max-slowdown"


def case_id(case: Case) -> str:
    """Return what a test of a case is called."""
    return f"{case.network}-{case.backend}-batch{case.batch}-threads{case.threads}"


def refuse(config: pytest.Config) -> None:
    """Raise BadInput for options of the check that are wrong, before anything is looked at that takes time."""
    baseline, against = config.getoption("--agebench-baseline"), config.getoption("--agebench-against")
    if baseline and against:
        raise BadInput("--agebench-baseline and --agebench-against: give one of them")
    share_of(config.getoption(SLOWDOWN), SLOWDOWN, zero=False)
    if baseline:
        sides.read(Path(baseline))


def named_checks(config: pytest.Config, request: Request) -> dict[str, Callable[..., None]]:
    """Return the checks by name: one for each case, and one for what stands over all of them."""
    baseline, against = config.getoption("--agebench-baseline"), config.getoption("--agebench-against")
    if not baseline and not against:
        return {}
    known: list[Judged] = []

    def judged(factory: pytest.TempPathFactory) -> Judged:
        if not known:
            known.append(judge_all(config, factory.mktemp("agebench"), baseline=baseline, against=against))
        return known[0]

    cases = list(dict.fromkeys(planned.case for planned in request.planned))
    return {
        **{case_id(case): _checking(case_words(case), case.__eq__, judged) for case in cases},
        "the run": _checking("the run", lambda of: of not in cases, judged),
    }


def _checking(
    title: str, about: Callable[[Case | None], bool], judged: Callable[[pytest.TempPathFactory], Judged]
) -> Callable[..., None]:
    """Return a test of the findings whose case, None for what is none, is one that the test is ``about``."""

    def agebench_check(tmp_path_factory: pytest.TempPathFactory) -> None:
        try:
            whole = judged(tmp_path_factory)
        except BadInput as error:
            pytest.fail(_lines(error), pytrace=False)
        _verdict(Judged(f"{title}, {whole.title}", tuple(finding for finding in whole.findings if about(finding.of))))

    return agebench_check


def _lines(error: BadInput) -> str:
    return "\n".join((str(error), *error.details))


def _verdict(judged: Judged) -> None:
    """Fail where it is worse, with the check's own table; skip where nothing was compared."""
    if judged.failed:
        pytest.fail(named("text").render(judged, everything=False), pytrace=False)
    compared = [f for f in judged.findings if f.verdict not in ("not compared", "new", "vanished")]
    if judged.findings and not compared:
        pytest.skip(judged.findings[0].why)


def judge_all(config: pytest.Config, out: Path, *, baseline: str | None, against: str | None, **changes: Any) -> Judged:
    """Measure the cases of the options and hold them against a baseline, or side by side against another side.

    ``changes`` are arguments in place of those of the options. Raises BadInput.
    """
    slowdown = config.getoption(SLOWDOWN)
    arguments = run_arguments(config, **changes)
    if against:
        same = {key: getattr(arguments, key) for key in ("zoo", "backend", "batch", "threads", "budget")}
        request = resolve_ab(_arguments(ab_command, a=against, only="latency", max_slowdown=slowdown, **same))
        return ab.compared(request, out)[0].judged
    allowed = Allowed(slowdown=share_of(slowdown, SLOWDOWN, zero=False))
    with redirect_stdout(StringIO()):
        run(resolve(arguments, out / "run"))
    found = judge(sides.read(Path(str(baseline))), sides.read(out / "run"), allowed)
    return Judged(f"against {baseline}", tuple(found))


def run_arguments(config: pytest.Config, **changes: Any) -> argparse.Namespace:
    """Return the arguments of ``bench run`` that the options stand for."""
    given = {name: config.getoption(f"--agebench-{name}") for name in ("zoo", "backend", "batch", "threads")}
    try:
        budget = float(config.getoption("--agebench-budget"))
    except ValueError as error:
        raise BadInput(f"--agebench-budget: {error}; give seconds") from error
    return _arguments(run_command, only="latency", **{**given, "budget": budget, **changes})


def _arguments(command: Any, **changes: Any) -> argparse.Namespace:
    """Return a command's arguments at their defaults, but for ``changes``."""
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    defaults = {action.dest: action.default for action in parser._actions if action.dest != "help"}
    return argparse.Namespace(**{**defaults, **changes})


class Check:
    """What the fixture ``agebench_check`` returns."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        """Keep the options, and where runs go."""
        self.config, self.folder, self.number = config, folder, 0

    def __call__(
        self,
        network: str,
        *,
        backend: str | None = None,
        batch: int | None = None,
        threads: int | None = None,
        baseline: str | Path | None = None,
        against: str | None = None,
    ) -> Sequence[Finding]:
        """Measure ``network`` and fail the test where it is worse than ``baseline``, or than the side ``against``.

        What is not given is that of the options. Returns the findings. Where nothing can be compared it fails, too.
        """
        if baseline is None and against is None:
            baseline, against = (self.config.getoption(f"--agebench-{name}") for name in ("baseline", "against"))
        if (baseline is None) == (against is None):
            pytest.fail(
                "agebench_check: give baseline= or against=, or an --agebench- option of the name", pytrace=False
            )
        given = {"zoo": network, "backend": backend, "batch": batch, "threads": threads}
        changes = {name: str(value) for name, value in given.items() if value is not None}
        self.number += 1
        told, out = None if baseline is None else str(baseline), self.folder / str(self.number)
        try:
            judged = judge_all(self.config, out, baseline=told, against=against, **changes)
        except BadInput as error:
            pytest.fail(_lines(error), pytrace=False)
        _verdict(judged)
        return judged.findings
