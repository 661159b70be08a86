"""The rows of every table of a report, with units in the header and intervals in the cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bench.records import Confusion, Result, RunRecord, Score
from bench.statistics import ENOUGH, median_interval, percentile
from converters.errors import BadInput
from zoo.card import Card, find_card

Row = dict[str, Any]


def where_rows(run: RunRecord) -> list[Row]:
    """Return what the run ran on, as name and value."""
    host = run.host
    facts = {
        "started": run.started,
        "processor": f"{host['cpu']}, {host['cores']} cores, {host['usable_cpus']} usable CPUs",
        "memory": f"{host['memory_gb']} GB",
        "GPU": ", ".join(host["gpus"]) or "none",
        "system": f"{host['system']}, Python {host['python']}",
        "load at the start": host["load"],
        "machine fingerprint": host["fingerprint"],
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "commit": run.git_commit or "not a checkout",
        "threads": run.config.threads,
    }
    return [{"": name, "value": value} for name, value in facts.items()]


def latency_rows(results: Sequence[Result]) -> list[Row]:
    """Return one row for each latency that was measured."""
    rows = []
    for result in results:
        if result.latency is None:
            continue
        case, times = result.case, result.latency.times_ms
        middle = float(np.median(times))
        low, high = median_interval(times)
        p10, p90 = percentile(times, 10), percentile(times, 90)
        rows.append(
            {
                "network": case.network,
                "backend": case.backend,
                "device": case.device,
                "batch": case.batch,
                "threads": case.threads,
                "p50 ms [95 %]": f"{middle:.2f} [{low:.2f}, {high:.2f}]",
                "p90 ms": _few(p90, 90),
                "p99 ms": _few(percentile(times, 99), 99),
                "spread": "-" if p10 is None or p90 is None else f"{(p90 - p10) / middle:.0%}",
                "images/s": f"{1000 * case.batch / middle:.1f}",
                "cold start ms": " + ".join(f"{result.latency.cold_ms[s]:.0f}" for s in ("import", "load", "first")),
                "memory MB": "-" if result.memory_mb is None else f"{result.memory_mb:.0f}",
                "placement": _placement(result),
                "parity": _parity(result),
                "n": len(times),
            }
        )
    return rows


def accuracy_rows(results: Sequence[Result]) -> list[Row]:
    """Return one row for each network and backend that was scored on one split."""
    rows = []
    for result in results:
        if result.status != "ok":
            continue
        found = {(s.task, s.metric): s for s in result.scores}
        rows.append(
            {
                "network": result.case.network,
                "backend": result.case.backend,
                "device": result.case.device,
                "exact %": _share(found.get(("age_group", "accuracy"))),
                "one-off %": _share(found.get(("age_group", "one_off"))),
                "MAE years": _years(found.get(("age", "mae")), derived=_is_derived(result.case.network)),
                "gender %": _share(found.get(("gender", "accuracy"))),
                "n": _counts(result.scores),
                "placement": _placement(result),
                "parity": _parity(result),
            }
        )
    return rows


def claim_rows(networks: Iterable[str]) -> list[Row]:
    """Return one row for each published number of the networks' cards."""
    rows = []
    for card in _cards(networks):
        for claim in card.published:
            if claim.value is None:
                continue
            unit = " years" if claim.metric == "mae" else " %"
            value, sd = (x if x is None or claim.metric == "mae" else 100 * x for x in (claim.value, claim.sd))
            rows.append(
                {
                    "network": card.name,
                    "what": f"{claim.task} {claim.metric}".replace("_", " "),
                    "published": f"{value:.4g}" + ("" if sd is None else f" ± {sd:.2g}") + unit,
                    "measured on": f"{claim.dataset}, {claim.split}",
                    "where": claim.where,
                    "note": claim.note,
                }
            )
    return rows


def confusions(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return each network's age-group tables: ours once for all backends that agree, and the published one."""
    tables: dict[tuple[str, Confusion], list[str]] = {}
    for result in results:
        for score in result.scores:
            if score.task == "age_group" and score.confusion is not None:
                tables.setdefault((result.case.network, score.confusion), []).append(result.case.backend)
    found: list[dict[str, Any]] = []
    for (network, counted), backends in tables.items():
        counts = np.asarray(counted.counts, dtype=float)
        totals = counts.sum(axis=0)
        shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
        published = next((c for card in _cards([network]) for c in card.published if c.confusion is not None), None)
        found.append(
            {
                "network": network,
                "number": 1 + sum(other["network"] == network for other in found),
                "backends": backends,
                "labels": counted.labels,
                "shares": shares,
                "rows": _confusion_rows(counted.labels, shares),
                "totals": [int(t) for t in totals],
                "published": None
                if published is None or published.confusion is None
                else np.asarray(published.confusion),
                "published_rows": []
                if published is None or published.confusion is None
                else _confusion_rows(published.labels or (), np.asarray(published.confusion)),
                "where": "" if published is None else f"{published.dataset}, {published.split}; {published.where}",
            }
        )
    return found


def _confusion_rows(labels: Sequence[str], shares: np.ndarray[Any, Any]) -> list[Row]:
    return [
        {
            "predicted \\ true": label,
            **{true: "-" if np.isnan(v) else f"{v:.3f}" for true, v in zip(labels, row, strict=True)},
        }
        for label, row in zip(labels, shares, strict=True)
    ]


def _cards(networks: Iterable[str]) -> list[Card]:
    found: dict[str, Card] = {}
    for network in networks:
        try:
            card = find_card(network)
        except BadInput:  # a run of long ago may hold a network that the zoo no longer has
            continue
        found[card.name] = card
    return list(found.values())


def _is_derived(network: str) -> bool:
    return any(head.task == "age_group" for card in _cards([network]) for head in card.heads)


def _share(score: Score | None) -> str:
    if score is None:
        return "-"
    return f"{100 * score.value:.1f} [{100 * score.ci95[0]:.1f}, {100 * score.ci95[1]:.1f}]"


def _years(score: Score | None, *, derived: bool) -> str:
    if score is None:
        return "-"
    return f"{score.value:.2f} [{score.ci95[0]:.2f}, {score.ci95[1]:.2f}]" + (" *derived*" if derived else "")


def _counts(scores: Sequence[Score]) -> str:
    counts = {s.task.replace("_", " "): s.n for s in scores}
    return ", ".join(f"{n} {task}" for task, n in counts.items())


def _placement(result: Result) -> str:
    return ", ".join(f"{n} {place}" for place, n in (result.placement or {}).items()) or "-"


def _parity(result: Result) -> str:
    return "-" if result.parity is None else f"{result.parity.max_abs:.1e}"


def _few(value: float | None, q: int) -> str:
    return f"n<{ENOUGH[q]}" if value is None else f"{value:.2f}"
