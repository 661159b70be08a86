"""The rows of the tables on where a run ran, how fast, and what it did not measure; units stand in the headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.records import WHOLE, Case, Latency, Point, Result, RunRecord
from bench.report import speed
from bench.report.speed import Bound, SpeedUp, bound_cell, speed_up_cell
from bench.statistics import ENOUGH, LEAST_ROUNDS, median_interval, percentile

Row = dict[str, Any]


def where_rows(run: RunRecord) -> list[Row]:
    """Return what the run ran on, as name and value."""
    host = run.host
    vectors = {"vector instructions": ", ".join(host["vectors"])} if host.get("vectors") else {}
    facts = {
        "started": run.started,
        "processor": f"{host['cpu']}, {host['cores']} cores, {host['usable_cpus']} usable CPUs",
        **vectors,
        "memory": f"{host['memory_gb']} GB",
        "GPU": ", ".join(host["gpus"]) + (f"; CUDA {host['cuda']}" if host.get("cuda") else "") or "none",
        "system": f"{host['system']}, Python {host['python']}",
        "load at the start": host["load"],
        "machine fingerprint": host["fingerprint"],
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "commit": run.git_commit or "not a checkout",
        "threads": ", ".join(map(str, run.config.threads)),
    }
    if run.config.faces != WHOLE:
        facts["faces"] = run.config.faces
    return [{"": name, "value": value} for name, value in facts.items()]


def latency_rows(
    results: Sequence[Result], faster: Mapping[Case, SpeedUp] | None = None, limits: Mapping[Case, Bound] | None = None
) -> list[Row]:
    """Return one row for each latency that was measured; of the backends of one network the fastest is in bold.

    ``faster`` and ``limits``: the rows' speed-ups over their source, and the machine's limits for them.
    """
    timed = [(r, r.latency) for r in speed.timed(results) if r.latency is not None]
    medians = [float(np.median(latency.times_ms)) for _, latency in timed]
    fastest: dict[tuple[Any, ...], float] = {}
    for (result, _), middle in zip(timed, medians, strict=True):
        fastest[_rivals(result)] = min(middle, fastest.get(_rivals(result), middle))
    rows = []
    for (result, latency), middle in zip(timed, medians, strict=True):
        case, times = result.case, latency.times_ms
        interval = median_interval(times, latency.by_round())
        p10, p90 = percentile(times, 10), percentile(times, 90)
        mark = "**" if middle == fastest[_rivals(result)] else ""
        rows.append(
            {
                "network": case.network,
                "backend": case.backend,
                "device": device(result),
                "precision": case.precision,
                "batch": case.batch,
                "threads": case.threads,
                "p50 ms [95 %]": f"{mark}{middle:.2f}{mark} {interval_cell(interval)}",
                "p90 ms": _few(p90, 90),
                "p99 ms": _few(percentile(times, 99), 99),
                "spread": "-" if p10 is None or p90 is None else f"{(p90 - p10) / middle:.0%}",
                "vs source": speed_up_cell(case, faster or {}),
                "images/s": f"{1000 * case.batch / middle:.1f}",
                "of the limit": bound_cell(case, limits or {}),
                "cold start ms": " + ".join(f"{latency.cold_ms[s]:.0f}" for s in ("import", "load", "first")),
                "memory MB": "-" if result.memory_mb is None else f"{result.memory_mb:.0f}",
                "device memory MB": "-" if result.device_memory_mb is None else f"{result.device_memory_mb:.0f}",
                "runs on": ", ".join(f"{name} {value}" for name, value in result.runtime.items()) or "-",
                "placement": placement(result),
                "parity": parity(result),
                "n": len(times),
                "warnings": ", ".join(kind(w) for w in result.warnings) or "-",
            }
        )
    return rows


def shared(rows: Sequence[Row], columns: Sequence[str]) -> tuple[str, list[Row]]:
    """Take out those of ``columns`` that are the same in all rows: return them as words, and the narrower rows."""
    same = [c for c in columns if rows and c in rows[0] and len({row[c] for row in rows}) == 1]
    words = ", ".join(f"{column} {rows[0][column]}" for column in same)
    return words, [{name: value for name, value in row.items() if name not in same} for row in rows]


def unmeasured_rows(results: Sequence[Result]) -> list[Row]:
    """Return every case that was skipped or failed; those of one reason in one row.

    A row that names several networks and several backends stands for each network on each backend.
    """
    backends: dict[tuple[Any, ...], list[str]] = {}
    for result in results:
        if result.status != "ok":
            case = result.case
            alike = case.model_copy(update={"network": "", "backend": ""})
            backends.setdefault((result.status, result.reason, alike, case.network), []).append(case.backend)
    networks: dict[tuple[Any, ...], list[str]] = {}
    for (status, reason, alike, network), on in backends.items():
        networks.setdefault((status, reason, alike, tuple(on)), []).append(network)
    rows = []
    for (status, reason, alike, on), found in networks.items():
        case = alike.model_copy(update={"network": ", ".join(found), "backend": ", ".join(on)})
        rows.append({"status": status, "cases": len(found) * len(on), "which": str(case), "reason": reason})
    return rows


def warned(results: Sequence[Result]) -> dict[str, list[str]]:
    """Return every warning by its kind, as what it says and of which cases."""
    found: dict[str, dict[str, list[str]]] = {}
    for result in results:
        for warning in result.warnings:
            found.setdefault(kind(warning), {}).setdefault(warning, []).append(_few_words(result))
    return {
        name: [f"{'; '.join(on)}: {text.removeprefix(f'{name}: ')}" for text, on in told.items()]
        for name, told in found.items()
    }


def kind(warning: str) -> str:
    """Return what sort of warning it is: its first word."""
    return warning.partition(" ")[0].rstrip(":")


def placement(result: Result) -> str:
    """Return how many nodes ran where."""
    return ", ".join(f"{n} {place}" for place, n in (result.placement or {}).items()) or "-"


def device(result: Result) -> str:
    """Return where a result ran; ``partial 23/24`` where that holds for 23 of its 24 nodes only."""
    total = sum((result.placement or {}).values())
    on = f", partial {total - len(result.strays)}/{total}" if result.strays else ""
    return f"{result.case.device}{on}"


def parity(result: Result) -> str:
    """Return how far the outputs were from the source framework's."""
    return "-" if result.parity is None else f"{result.parity.max_abs:.1e}"


def _rivals(result: Result) -> tuple[Any, ...]:
    case: Mapping[str, Any] = result.case.model_dump()
    return tuple(case[key] for key in ("network", "precision", "batch", "threads"))


def _few_words(result: Result) -> str:
    case = result.case
    on = f", {case.dataset}:{case.split}" if case.dataset else f", batch {case.batch}"
    return f"{case.network}, {case.backend} on {case.device}{on}"


def median_cell(latency: Latency | Point) -> str:
    """Return p50 in ms with its interval."""
    interval = median_interval(latency.times_ms, latency.by_round())
    return f"{np.median(latency.times_ms):.2f} {interval_cell(interval)}"


def interval_cell(interval: tuple[float, float] | None) -> str:
    """Return an interval in brackets, or that there are too few rounds for one."""
    return f"[rounds<{LEAST_ROUNDS}]" if interval is None else f"[{interval[0]:.2f}, {interval[1]:.2f}]"


def _few(value: float | None, q: int) -> str:
    return f"n<{ENOUGH[q]}" if value is None else f"{value:.2f}"
