"""Two runs in, findings out: the pure heart of the check, which ``bench ab`` shares."""

from __future__ import annotations

from bench.check import cases, facts, latency, networks, scores, throughput
from bench.check.allowed import Allowed
from bench.check.findings import Finding, Verdict, case_words
from bench.check.pairs import Matched, matched
from bench.sides import Side
from converters.errors import BadInput


def judge(baseline: Side, candidate: Side, allowed: Allowed | None = None, *, paired: bool = False) -> list[Finding]:
    """Hold every case of ``candidate`` against the same case of ``baseline``.

    A case that differs in its number of threads alone counts as the same where there is just one of it, and the number
    is named. ``paired``: whether the rounds of both were taken side by side, as by ``bench ab``. Raises BadInput where
    no case is in both, or none that both have is ok in the baseline: there would be nothing to judge.
    """
    allowed = allowed or Allowed()
    match = matched(baseline.results, candidate.results, ("threads",))
    _refuse_nothing(match, baseline, candidate)
    both_ok = [pair for pair in match.pairs if pair.first.status == pair.second.status == "ok"]
    found = facts.findings(baseline, candidate, allowed, both_ok, paired=paired)
    found += [*_alone(match, baseline, candidate), *networks.findings(baseline, candidate, allowed)]
    found += [cases.status(pair) for pair in match.pairs]
    for pair in both_ok:
        found += cases.findings(pair, allowed, same_host=facts.same_host(baseline, candidate))
        found += latency.findings(pair, baseline, candidate, allowed, paired=paired)
        found += throughput.findings(pair, baseline, candidate, allowed, paired=paired)
        found += scores.findings(pair, baseline, candidate, allowed)
    return found


def _refuse_nothing(match: Matched, baseline: Side, candidate: Side) -> None:
    if not match.pairs:
        first = [case_words(next(iter(side.results))) for side in (candidate, baseline)]
        raise BadInput(
            f"nothing to compare: {candidate.name} and {baseline.name} have no case in common; the first of each: "
            f"{'; '.join(first)}"
        )
    if not any(pair.first.status == "ok" for pair in match.pairs):
        raise BadInput(f"nothing to compare: of the {len(match.pairs)} cases in common none is ok in {baseline.name}")


def _alone(match: Matched, baseline: Side, candidate: Side) -> list[Finding]:
    found = []
    for case in match.first_alone:
        status = baseline.results[case].status  # one that was skipped was no number: nothing is lost
        verdict: Verdict = "ok" if status == "skipped" else "vanished"
        found.append(Finding(case_words(case), "status", verdict, status, "-", "not in this run", case))
    for case in match.second_alone:
        status = candidate.results[case].status
        found.append(Finding(case_words(case), "status", "new", "-", status, "not in the baseline", case))
    return found
