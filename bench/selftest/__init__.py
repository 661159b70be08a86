"""The ruler measures itself: its false alarms, what it finds, what it adds, and whether its statistics are right.

Everything is timed on this machine, now, in the turns and by the code that a case of ``bench run`` is timed with.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from bench import environments
from bench.backends import onnxruntime as backend
from bench.process import WorkerFailed
from bench.selftest import alarms, cost, distributions
from bench.selftest.check import CHANCE, Check
from bench.selftest.network import Timed, timed_network
from bench.selftest.pairs import BASELINE, ROUNDS, SECONDS, SIDES, workers
from bench.types import Unavailable
from bench.verdict import MAX_SLOWDOWN
from converters.errors import CHECK_FAILED, DONE, NOT_USABLE, BadInput

Tell = Callable[[str], None]
"""Told what is being done, once for each step."""


@dataclass(frozen=True)
class Form:
    """How much is measured: repetitions beside itself and of each slow-down, sets of workers, and the time limit."""

    beside_itself: int
    slowed: int
    sets: int
    blocks: int
    simulations: int
    seconds: float
    short: bool

    def wanted(self) -> dict[str, int]:
        """Return how often each side is timed."""
        return {side: self.beside_itself if side == alarms.SAME else self.slowed for side in SIDES if side != BASELINE}

    def steps(self) -> int:
        """Return how many steps are told of."""
        return sum(self.wanted().values()) + 2


FULL = Form(beside_itself=200, slowed=100, sets=4, blocks=200, simulations=2000, seconds=1200, short=False)
SHORT = Form(beside_itself=20, slowed=10, sets=1, blocks=60, simulations=500, seconds=240, short=True)


class NoRuntime(BadInput):
    """ONNX Runtime is not installed."""

    exit_code = NOT_USABLE


def self_test(*, short: bool, as_json: bool) -> int:
    """Run every test, print the table or JSON, and return 1 when a bound is not kept, else 0."""
    lacking = environments.missing(backend.NEEDS, sys.path)
    if lacking:
        raise NoRuntime(f"the self-test times ONNX Runtime, which is not installed here: pip install '{lacking[0]}'")
    form = SHORT if short else FULL
    begin = monotonic()
    with tempfile.TemporaryDirectory() as folder, _progress(form.steps()) as tell:
        network = timed_network(Path(folder))
        checks = measure(form, network, tell)
    print(rendered(checks, form, network.name, monotonic() - begin, as_json=as_json))
    return exit_code(checks)


def measure(form: Form, network: Timed, tell: Tell) -> list[Check]:
    """Return the checks of a form, timed on ``network``. A worker that fails fails the tests that it was needed for."""
    wanted = form.wanted()
    try:
        found = alarms.repeat(partial(workers, network), wanted, form.sets, form.seconds, tell)
        checks = [
            *alarms.judge(found, wanted, short=form.short),
            *alarms.broken_ones_are_caught(found, wanted, short=form.short),
        ]
    except (WorkerFailed, Unavailable) as error:
        checks = [Check("the network in workers side by side", str(error), "they answer", passed=False)]
    tell("harness")
    checks.append(cost.harness_cost(network, form.blocks, short=form.short))
    tell("distributions")
    return [*checks, *distributions.checks(form.simulations)]


def exit_code(checks: list[Check]) -> int:
    """Return 1 when a bound is not kept, else 0."""
    return CHECK_FAILED if any(check.passed is False for check in checks) else DONE


def rendered(checks: list[Check], form: Form, network: str, seconds: float, *, as_json: bool) -> str:
    """Return the checks as a table with what was timed above it, or as JSON."""
    from tabulate import tabulate

    if as_json:
        told = [{**asdict(check), "verdict": _word(check)} for check in checks]
        facts = {"form": _name(form), "network": network, "max_slowdown": MAX_SLOWDOWN, "seconds": round(seconds, 1)}
        return json.dumps({**facts, "passed": exit_code(checks) == DONE, "checks": told}, indent=1)
    rows = [(check.test, check.measured, check.bound, _word(check)) for check in checks]
    table = tabulate(rows, headers=("test", "measured", "bound", "verdict"), maxcolwidths=(44, 52, 40, None))
    return f"{_heading(form, network, seconds)}\n\n{table}"


def _heading(form: Form, network: str, seconds: float) -> str:
    timed = f"{network} on ONNX Runtime, 1 thread, pairs of {ROUNDS} rounds of {SECONDS * 1000:.0f} ms"
    lines = [f"self-test, {_name(form)} form: {timed}; {seconds:.0f} s"]
    if form.short:
        lines.append(
            "The short form has few repetitions: its bounds are such that a ruler which just keeps those of the full "
            f"form fails less than {CHANCE:.0%} of the time."
        )
    return "\n".join(lines)


def _name(form: Form) -> str:
    return "short" if form.short else "full"


def _word(check: Check) -> str:
    return {True: "kept", False: "NOT KEPT", None: "-"}[check.passed]


@contextmanager
def _progress(total: int) -> Iterator[Tell]:
    """Show on stderr how far it is: a bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("start", total=total)
        yield lambda step: progress.update(task, advance=1, description=step)
