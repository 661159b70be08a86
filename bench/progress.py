"""What a person sees while a run goes on, always on stderr: on a terminal a live table, elsewhere one line a case.

The table counts the cases of each backend: done, running, left; below it is what is being measured, and how long it
will take if the rest goes as what is done.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bench.points import headline
from bench.records import Case, Result

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

STATUSES = ("ok", "skipped", "failed")


class Display:
    """Shows how far a run is. A context manager; ``cases`` are those that are to be measured."""

    def __init__(self, cases: Sequence[Case]) -> None:
        """Prepare the table; nothing is shown yet."""
        from rich.console import Console
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.total = len(cases)
        self.planned = Counter(case.backend for case in cases)
        self.done: Counter[tuple[str, str]] = Counter()
        self.running: Counter[str] = Counter()
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left:"), TimeRemainingColumn(), console=self.console, auto_refresh=False,
        )  # fmt: skip
        self.task = self.bar.add_task("", total=self.total)
        self.live = Live(console=self.console, get_renderable=self.shown, transient=True, refresh_per_second=4)

    def __enter__(self) -> Self:
        """Show the table."""
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the table away."""
        self.live.stop()

    def started(self, cases: Sequence[Case]) -> None:
        """Note which cases are being measured now, side by side."""
        self.running = Counter(case.backend for case in cases)

    def working(self, case: str, step: str) -> None:
        """Say which case is being measured, and how far that is."""
        self.bar.update(self.task, description=f"{case}: {step}")

    def finished(self, result: Result) -> None:
        """Count a case, and say what became of it."""
        self.done[result.case.backend, result.status] += 1
        self.running[result.case.backend] -= 1
        number = self.done.total()
        self.bar.update(self.task, completed=number)
        line = f"[{number}/{self.total}] {result.status}: {result.case}{_figure(result)}"
        if self.console.is_terminal:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def shown(self) -> RenderableType:
        """Return the table and the bar below it."""
        from rich.console import Group
        from rich.table import Table

        table = Table("backend", *STATUSES, "running", "left", box=None, pad_edge=False, header_style="bold")
        for column in table.columns[1:]:
            column.justify = "right"
        for backend, planned in self.planned.items():
            done = [self.done[backend, status] for status in STATUSES]
            running = max(0, self.running[backend])
            counts = [*done, running, planned - sum(done) - running]
            table.add_row(backend, *(str(count) if count else "-" for count in counts))
        group: Group = Group(table, self.bar)
        return group


def short(case: Case) -> str:
    """Return a case in the few words that fit before a bar."""
    return (
        f"{case.kind} {case.network} batch {case.batch}" if case.kind == "latency" else f"{case.network} {case.backend}"
    )


def _figure(result: Result) -> str:
    if result.reason is not None:
        return f": {result.reason}"
    if result.latency is not None:
        times = sorted(result.latency.times_ms)
        return f": p50 {times[len(times) // 2]:.2f} ms"
    if result.points:
        return f": {headline(result.points)}"
    own = [s for s in result.scores if not s.derived] or list(result.scores)
    return "".join(f": {s.task} {s.metric} {s.value:.4f}" for s in own[:1])
