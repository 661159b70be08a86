"""What each network's file is: its bytes, its size, its nodes, and how it is fed. The same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.check.allowed import Allowed
from bench.check.findings import Finding, Verdict
from bench.records import Costs
from bench.sides import Side


def findings(baseline: Side, candidate: Side, allowed: Allowed) -> list[Finding]:
    """Return what became of the files of the networks that both runs have; a file of several inputs counts once."""
    found: dict[Any, Finding] = {}
    for name in sorted(baseline.run.models.keys() & candidate.run.models.keys()):
        for finding in _of_network(name, baseline, candidate, allowed):
            found.setdefault(
                (finding.case, finding.dimension, finding.baseline, finding.candidate, finding.why), finding
            )
    return list(found.values())


def _of_network(name: str, baseline: Side, candidate: Side, allowed: Allowed) -> Iterator[Finding]:
    yield from _bytes(name, baseline.run.models[name], candidate.run.models[name])
    yield _fed(name, baseline, candidate)
    before, now = baseline.run.costs.get(name, {}), candidate.run.costs.get(name, {})
    for precision in sorted(before.keys() & now.keys()):
        words = name.partition("@")[0] + ("" if precision == "fp32" else f" {precision}")
        yield _size(words, before[precision], now[precision], allowed)
        yield from _nodes(words, before[precision], now[precision], allowed)


def _bytes(name: str, before: dict[str, str], now: dict[str, str]) -> Iterator[Finding]:
    sources = [file for file in sorted(before.keys() | now.keys()) if not file.startswith("onnx")]
    other = [file for file in sources if before.get(file) != now.get(file)]
    for file in sorted(key for key in before.keys() & now.keys() if key.startswith("onnx")):
        words = name.partition("@")[0] + file.removeprefix("onnx")
        both = (before[file][:12], now[file][:12])
        if before[file] == now[file]:
            yield Finding(words, "model", "ok", *both, "the same bytes")
        else:
            cause = f"its source {', '.join(other)} differs" if other else "of the same source files"
            yield Finding(words, "model", "changed", *both, f"other bytes of the ONNX file, {cause}")


def _fed(name: str, baseline: Side, candidate: Side) -> Finding:
    before, now = (side.run.inputs.get(name) for side in (baseline, candidate))
    both = (before or "-")[:12], (now or "-")[:12]
    if before is not None and before == now:
        return Finding(name, "input", "ok", *both, "a known picture becomes the same tensors")
    if before is not None and now is not None:
        why = "preprocessing: a known picture becomes other tensors than in the baseline"
        return Finding(name, "input", "regression", *both, why)
    if baseline.run.models[name].get("onnx") == candidate.run.models[name].get("onnx"):
        return Finding(name, "input", "ok", *both, "the same ONNX file, whose metadata say how it is fed")
    return Finding(name, "input", "not compared", *both, "one run is of before it was kept how a network is fed")


def _size(words: str, before: Costs, now: Costs, allowed: Allowed) -> Finding:
    grown = now.file_bytes / before.file_bytes - 1
    both = f"{before.file_bytes / 1e6:.3f} MB", f"{now.file_bytes / 1e6:.3f} MB"
    return Finding(words, "size", _more(grown, allowed.size), *both, f"{grown:+.1%}; {allowed.size:.1%} allowed")


def _nodes(words: str, before: Costs, now: Costs, allowed: Allowed) -> Iterator[Finding]:
    if before.nodes is not None and now.nodes is not None:
        more = now.nodes - before.nodes
        verdict = _more(more, allowed.nodes)
        why = f"{more:+d} in the file; {allowed.nodes} allowed"
        yield Finding(words, "nodes", verdict, f"{before.nodes} nodes", f"{now.nodes} nodes", why)
    for what, old, new in (("parameters", before.parameters, now.parameters), ("MACC", before.macc, now.macc)):
        if old != new:
            grown = new / old - 1 if old else float("inf")
            verdict = "changed" if 0 < grown <= allowed.size else _more(grown, 0)
            yield Finding(words, "nodes", verdict, f"{old:,} {what}", f"{new:,} {what}", f"{new - old:+,} {what}")


def _more(more: float, allowed: float) -> Verdict:
    if more > allowed:
        return "regression"
    return "better" if more < -allowed else "ok"
