"""Status, parity, placement, memory, cold start: one number a side, and no interval."""

from __future__ import annotations

from collections.abc import Iterator

from bench.check.allowed import Allowed
from bench.check.findings import Dimension, Finding, Verdict
from bench.check.pairs import Pair
from bench.records import Parity

NEAR = {"fp32": 1e-5, "winograd": 1e-5, "fp16": 1e-3, "int8": 1e-2}
"""How far outputs may be, relative to the largest, whatever they were before: as much is rounding, which another CPU or
runtime does otherwise."""

MEMORY_MB = 16.0
"""What a worker's peak may rise by, however small it was: allocators keep more or less."""

COLD_MS = 200.0
"""The same of a cold start, which is measured once and may find its files cached or not."""

STAGES = ("import", "load", "first")


def status(pair: Pair) -> Finding:
    """Say whether a case that was a number still is one."""
    before, now, words = pair.first, pair.second, pair.words
    both = (before.status, now.status)
    if before.status == "ok" and now.status != "ok":
        return Finding(words, "status", "regression", *both, f"was ok: {now.reason}", now.case)
    if before.status != "ok" and now.status == "ok":
        return Finding(words, "status", "better", *both, f"was {before.status}: {before.reason}", now.case)
    if before.status != now.status:
        return Finding(words, "status", "changed", *both, str(now.reason), now.case)
    return Finding(words, "status", "ok", *both, "as before" if now.reason is None else str(now.reason), now.case)


def findings(pair: Pair, allowed: Allowed, *, same_host: bool) -> list[Finding]:
    """Judge what two results that are ok have one number each of."""
    return [
        *_parity(pair, allowed),
        *_placement(pair, same_host=same_host),
        *_memory(pair, allowed, same_host=same_host),
        *_cold_start(pair, allowed, same_host=same_host),
    ]


def _parity(pair: Pair, allowed: Allowed) -> Iterator[Finding]:
    before, now = pair.first, pair.second
    if before.parity is None or now.parity is None:
        return
    words, both = pair.words, (_far(before.parity), _far(now.parity))
    if before.parity.reference != now.parity.reference:
        why = f"another reference: {now.parity.reference}, not {before.parity.reference}"
        yield Finding(words, "parity", "not compared", *both, why, now.case)
        return
    near = NEAR[now.case.precision]
    bound = max(near, allowed.parity_factor * before.parity.max_rel)
    verdict: Verdict = "ok" if now.parity.max_rel <= bound else "regression"
    why = f"{bound:.1e} allowed: {allowed.parity_factor:g} times the baseline's, or {near:.0e}"
    yield Finding(words, "parity", verdict, *both, why, now.case)


def _far(parity: Parity) -> str:
    return f"{parity.max_rel:.1e} of the largest"


def _placement(pair: Pair, *, same_host: bool) -> Iterator[Finding]:
    """Say where nodes run, and how many: a runtime fuses by its version, and by what the machine's CPU can."""
    before, now = pair.first, pair.second
    if not before.placement or not now.placement:
        return
    words, both = pair.words, (_places(before.placement), _places(now.placement))
    moved = sorted(set(now.strays) - set(before.strays)) if len(now.strays) > len(before.strays) else []
    if moved or len(now.strays) > len(before.strays):
        why = f"{len(now.strays) - len(before.strays)} more nodes run elsewhere than on {now.case.device}: "
        yield Finding(words, "placement", "regression", *both, why + ", ".join(moved[:5]), now.case)
    elif next(iter(now.placement)) != next(iter(before.placement)):
        yield Finding(words, "placement", "regression", *both, "runs in another place", now.case)
    elif len(now.strays) < len(before.strays):
        yield Finding(words, "placement", "better", *both, "fewer nodes run elsewhere", now.case)
    else:
        yield Finding(words, "placement", "ok", *both, "in the same place", now.case)
    more = sum(now.placement.values()) - sum(before.placement.values())
    if more:
        same = before.runtime.get("version") == now.runtime.get("version")
        verdict: Verdict = "changed" if not (same and same_host) else "regression" if more > 0 else "better"
        why = f"{more:+d} nodes run, by {'the same' if same else 'another'} version of the runtime"
        why += "" if same_host else " on another machine"
        yield Finding(words, "nodes", verdict, *both, why, now.case)


def _places(placement: dict[str, int]) -> str:
    return ", ".join(f"{count} {place}" for place, count in placement.items())


def _memory(pair: Pair, allowed: Allowed, *, same_host: bool) -> Iterator[Finding]:
    before, now = pair.first, pair.second
    for name, old, new in (
        ("", before.memory_mb, now.memory_mb),
        (" of the device", before.device_memory_mb, now.device_memory_mb),
    ):
        if old is not None and new is not None:
            yield _one(pair, "memory", (old, new), (allowed.memory, MEMORY_MB), f"MB{name}", same_host=same_host)


def _cold_start(pair: Pair, allowed: Allowed, *, same_host: bool) -> Iterator[Finding]:
    before, now = pair.first.latency, pair.second.latency
    if before is None or now is None:
        return
    old, new = (sum(side.cold_ms.get(stage, 0.0) for stage in STAGES) for side in (before, now))
    yield _one(pair, "cold start", (old, new), (allowed.cold_start, COLD_MS), "ms", same_host=same_host)


def _one(
    pair: Pair,
    dimension: Dimension,
    values: tuple[float, float],
    bounds: tuple[float, float],
    unit: str,
    *,
    same_host: bool,
) -> Finding:
    """Judge a number that was measured once: it has to be beyond the share that is allowed and the floor."""
    (old, new), (share, floor) = values, bounds
    beyond, below = new > old * (1 + share) and new - old > floor, new < old / (1 + share) and old - new > floor
    verdict: Verdict = "regression" if beyond else "better" if below else "ok"
    grown = f"{new / old - 1:+.0%}" if old > 0 else f"{new - old:+.0f} {unit}"
    why = f"{grown}; {share:.0%} and {floor:.0f} {unit.split()[0]} allowed"
    if not same_host and verdict != "ok":
        verdict, why = "not compared", f"{why}; of another machine, so this says little"
    both = f"{old:.0f} {unit}", f"{new:.0f} {unit}"
    return Finding(pair.words, dimension, verdict, *both, why, pair.second.case)
