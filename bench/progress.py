"""What a person sees while a run goes on: a bar on a terminal, one line a case elsewhere; always on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from bench.records import Case, Result


class Display:
    """Shows how far a run is. A context manager; ``total`` is the number of cases."""

    def __init__(self, total: int) -> None:
        """Prepare the bar; nothing is shown yet."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.total = total
        self.done = 0
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self.task = self.progress.add_task("", total=total)

    def __enter__(self) -> Self:
        """Show the bar."""
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self.progress.stop()

    def working(self, case: str, step: str) -> None:
        """Say which case is being measured, and how far that is."""
        self.progress.update(self.task, description=f"{case}: {step}")

    def finished(self, result: Result) -> None:
        """Count a case, and say what became of it."""
        self.done += 1
        self.progress.update(self.task, completed=self.done)
        line = f"[{self.done}/{self.total}] {result.status}: {result.case}{_figure(result)}"
        if self.console.is_terminal:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


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
    own = [s for s in result.scores if not s.derived] or list(result.scores)
    return "".join(f": {s.task} {s.metric} {s.value:.4f}" for s in own[:1])
