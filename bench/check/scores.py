"""Less right than before? Only on the same images with the same labels; in pairs where both runs kept the answers.

A network gives the same answers to the same images, so a drop is no chance of which faces were drawn; what may be
chance is that another rounding moved a few faces across a border.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bench.check.allowed import Allowed
from bench.check.findings import Finding, Verdict
from bench.check.pairs import Pair
from bench.comparison import compare, contenders
from bench.differences import ALPHA, Difference, speaks
from bench.records import Fingerprint, Result, Score
from bench.sides import Side

FEWEST = 7
"""Of so many faces that only one side has right, all on one side, McNemar's mid-p is below `ALPHA`: 0.5 ** 7 < 0.01."""

YEARS = ("mae", "rmse")

Key = tuple[Any, ...]


def findings(pair: Pair, baseline: Side, candidate: Side, allowed: Allowed) -> list[Finding]:
    """Judge every score that both results have; one that only the baseline has is named."""
    before, now = pair.first, pair.second
    if not before.scores and not now.scores:
        return []
    words = pair.words
    why = another(before.fingerprint, now.fingerprint)
    if why is not None:
        both = (_print(before.fingerprint), _print(now.fingerprint))
        return [Finding(words, "scores", "not compared", *both, f"cannot be compared: {why}", now.case)]
    headed = all(score.head is not None for result in (before, now) for score in result.scores)
    old, new = ({_key(score, headed=headed): score for score in result.scores} for result in (before, now))
    moved = [key for key in old if key in new and not _small(_worse(old[key], new[key]), old[key], allowed)]
    pairs = _pairs(before, now, baseline, candidate, moved, headed=headed) if moved else {}
    found = [
        _judged(f"{words}, {_words(key)}", now, old[key], new[key], pairs.get(key), allowed)
        for key in old
        if key in new
    ]
    return [*found, *(_one_sided(words, now, old, new))]


def another(before: Fingerprint | None, now: Fingerprint | None) -> str | None:
    """Say why two results' scores are of other images, labels or faces; None where they are of the same."""
    if before is None or now is None:
        return "a result does not say which images it is of"
    if before.split_sha256 != now.split_sha256:
        return f"different images or labels, {before.n} and {now.n} of them"
    if before.label_rule != now.label_rule:
        return f"another label rule: {now.label_rule}, not {before.label_rule}"
    if before.faces != now.faces:
        return f"faces found otherwise: {now.faces}, not {before.faces}"
    return None


def _print(fingerprint: Fingerprint | None) -> str:
    return "-" if fingerprint is None else f"split {fingerprint.split_sha256[:12]}"


def _key(score: Score, *, headed: bool) -> Key:
    """Return what tells a score from others of its case; results of before there were heads do not name any."""
    return score.head if headed else None, score.task, score.metric, score.groups


def _words(key: Key) -> str:
    head, task, metric, groups = key
    return " ".join(str(part) for part in (f"{task} {metric}", groups and f"({groups})", head and f"of {head}") if part)


def _pairs(
    before: Result, now: Result, baseline: Side, candidate: Side, keys: Sequence[Key], *, headed: bool
) -> dict[Key, Difference]:
    """Compare face by face the answers that both runs kept, the candidate less the baseline, by head and metric."""
    ours, theirs = baseline.predicted(before), candidate.predicted(now)
    if ours is None or theirs is None:
        return {}
    old, new = (
        {(c.head.output if headed else None, c.column.task, c.column.metric, c.column.groups): c for c in of}
        for of in (contenders("baseline", ours), contenders("now", theirs))
    )
    return {key: compare([new[key], old[key]])[0].difference for key in keys if key in old and key in new}


def _worse(old: Score, new: Score) -> float:
    """Return by how much a score is worse now, as a share or in years."""
    return new.value - old.value if old.metric in YEARS else old.value - new.value


def _small(worse: float, old: Score, allowed: Allowed) -> bool:
    return abs(worse) <= _bound(old, allowed) + 1e-12


def _bound(old: Score, allowed: Allowed) -> float:
    return allowed.years if old.metric in YEARS else allowed.drop


def _judged(words: str, now: Result, old: Score, new: Score, pair: Difference | None, allowed: Allowed) -> Finding:
    years, bound, worse = old.metric in YEARS, _bound(old, allowed), _worse(old, new)
    both = _number(old.value, years), _number(new.value, years)
    change = f"{worse:+.2f} years" if years else f"{0.0 - 100 * worse:+.2f} points"
    said = f"{bound:g} years" if years else f"{100 * bound:g} points"
    if _small(worse, old, allowed):
        fewer = "" if new.n == old.n else f", of {old.n} before"
        told = f"{change} of {new.n} faces{fewer}; {said} allowed"
        return Finding(words, "scores", "changed" if fewer else "ok", *both, told, now.case)
    beyond, how = _beyond(old, new, worse, pair, years=years)
    verdict: Verdict = "better" if worse < 0 else "regression" if beyond else "open"
    return Finding(words, "scores", verdict, *both, f"{change} of {new.n} faces, {how}; {said} allowed", now.case)


def _beyond(old: Score, new: Score, worse: float, pair: Difference | None, *, years: bool) -> tuple[bool, str]:
    """Say whether a change is more than a few faces that fell the other way, and how that is known."""
    if pair is not None:
        only = "" if pair.only is None else f", {pair.only[1]} only right before and {pair.only[0]} only now"
        return (speaks(pair) or not years) and pair.p < ALPHA, f"in pairs{only}, p {pair.p:.2g}"
    if not years:
        faces = round(abs(worse) * min(old.n, new.n))
        return faces >= FEWEST, f"not in pairs, {faces} faces net ({FEWEST} tell)"
    spread = (old.ci95[1] - old.ci95[0]) / (2 * 1.96) * np.sqrt(old.n)
    worth = float(abs(worse) * old.n / spread) if spread > 0 else float("inf") if worse else 0.0
    return worth >= FEWEST, f"not in pairs, as if {worth:.1f} faces erred by a standard deviation more ({FEWEST} tell)"


def _number(value: float, years: bool) -> str:
    return f"{value:.2f} years" if years else f"{100 * value:.2f} %"


def _one_sided(words: str, now: Result, old: dict[Key, Score], new: dict[Key, Score]) -> Iterator[Finding]:
    for key in old:
        if key not in new:
            years = old[key].metric in YEARS
            both = (_number(old[key].value, years), "-")
            yield Finding(f"{words}, {_words(key)}", "scores", "vanished", *both, "no such score in this run", now.case)
