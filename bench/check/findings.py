"""What a check found: one verdict a case and dimension, in words that every output form shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.records import Case
from converters.errors import CHECK_FAILED, DONE

Dimension = Literal[
    "run",
    "status",
    "input",
    "model",
    "parity",
    "placement",
    "nodes",
    "size",
    "scores",
    "latency",
    "throughput",
    "cold start",
    "memory",
]
Verdict = Literal["regression", "open", "not compared", "vanished", "changed", "new", "better", "ok"]
"""From the worst on. ``open``: the data do not tell; ``changed``: other than before, which alone is neither good nor
bad; ``vanished`` and ``new``: only one side has the case."""

WARNED: frozenset[Verdict] = frozenset({"open", "not compared", "vanished", "changed"})
UNDECIDED: frozenset[Verdict] = frozenset({"open", "not compared", "vanished"})
"""What fails as well where a check is strict: nobody knows whether it is worse."""

ORDER: tuple[Verdict, ...] = ("regression", "open", "not compared", "vanished", "changed", "new", "better", "ok")

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True)
class Finding:
    """What one dimension of a case amounts to.

    ``case``: which case, file or run, in words; ``baseline`` and ``candidate``: what both have, with its unit, ``-``
    where there is nothing; ``why``: the verdict's reason in one line; ``of``: the case itself, where it is one.
    """

    case: str
    dimension: Dimension
    verdict: Verdict
    baseline: str
    candidate: str
    why: str
    of: Case | None = None


@dataclass(frozen=True)
class Judged:
    """All findings of a check. ``title``: what was held against what.

    ``strict``: what is undecided fails it too; ``whole``: so does what has vanished, since as much was to be measured.
    """

    title: str
    findings: tuple[Finding, ...]
    strict: bool = False
    whole: bool = False

    def fails(self, finding: Finding) -> bool:
        """Whether the check fails by this finding."""
        gone = self.whole and finding.verdict == "vanished"
        return finding.verdict == "regression" or gone or (self.strict and finding.verdict in UNDECIDED)

    def level(self, finding: Finding) -> Level | None:
        """Return how loud a finding is to be told; None for what is fine."""
        if self.fails(finding):
            return "error"
        if finding.verdict in WARNED:
            return "warning"
        return None if finding.verdict == "ok" else "notice"

    @property
    def failed(self) -> bool:
        """Whether the check fails."""
        return any(self.fails(finding) for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """Return 1 where the check fails, else 0."""
        return CHECK_FAILED if self.failed else DONE

    def counted(self) -> str:
        """Return how often each verdict was given, the worst first."""
        counts = Counter(finding.verdict for finding in self.findings)
        return ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])

    def headline(self) -> str:
        """Return the result in one line."""
        return f"{self.title}: {'FAILED' if self.failed else 'passed'}; {self.counted()}"

    def told(self, *, everything: bool = False) -> list[Finding]:
        """Return the findings that are not fine, or all of them: what fails first, then in the order of verdicts."""
        kept = [finding for finding in self.findings if everything or finding.verdict != "ok"]
        return sorted(kept, key=lambda finding: (not self.fails(finding), ORDER.index(finding.verdict)))


def case_words(case: Case) -> str:
    """Return a case in a few words: what tells it from its neighbours in a table."""
    kind = case.scenario or ("" if case.kind == "latency" else "accuracy")
    precision = "" if case.precision == "fp32" else f" {case.precision}"
    device = "" if case.device == "cpu" else f" on {case.device}"
    on = f", {case.dataset}:{case.split}" if case.dataset else ""
    size = f", batch {case.batch}" if case.kind == "latency" and case.scenario in (None, "single", "offline") else ""
    words = f"{case.network}{precision}, {case.backend}{device}{size}, {case.threads} thread"
    return words + ("s" if case.threads != 1 else "") + on + (f" ({kind})" if kind else "")


def worst(findings: Sequence[Finding]) -> Verdict:
    """Return the worst verdict among findings; ``ok`` for none."""
    return min((finding.verdict for finding in findings), key=ORDER.index, default="ok")
