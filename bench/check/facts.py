"""What stands over all cases: whether both runs are of one machine, code and versions, and how old the baseline is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from bench.check.allowed import Allowed
from bench.check.findings import Finding
from bench.check.pairs import Pair
from bench.check.references import best_kernel
from bench.sides import Side

DRIFTED = 0.1
"""By how much the machine's own best convolution may be slower before that is told."""

CONFIG = ("faces", "options", "budget", "limit", "limit_ms")
"""What a run was asked for that its cases do not say."""


def same_host(baseline: Side, candidate: Side) -> bool:
    """Whether both were measured on machines of one fingerprint."""
    return bool(baseline.run.host.get("fingerprint") == candidate.run.host.get("fingerprint"))


def findings(
    baseline: Side, candidate: Side, allowed: Allowed, pairs: Sequence[Pair], *, paired: bool
) -> list[Finding]:
    """Return what differs between two runs as a whole; ``pairs`` are their cases that are numbers in both."""
    found = [*_host(baseline, candidate), *versions(baseline, candidate), *asked(baseline, candidate)]
    found += [*runtimes(pairs), *_threads(pairs)]
    if not paired:
        found += [*_age(baseline, candidate, allowed), *_drift(baseline, candidate)]
    return found


def _host(baseline: Side, candidate: Side) -> Iterator[Finding]:
    if same_host(baseline, candidate):
        return
    both = (machine(baseline), machine(candidate))
    why = "another machine: times are not compared; speed-ups over a reference of the same run are, with wider limits"
    yield Finding("the run", "run", "changed", *both, why)


def machine(side: Side) -> str:
    """Return the machine of a run in a few words, with the beginning of its fingerprint."""
    host = side.run.host
    gpus = "".join(f", {gpu}" for gpu in host.get("gpus", ()))
    fingerprint = str(host.get("fingerprint", "?"))[:8]
    return f"{host.get('cpu', '?')}, {host.get('usable_cpus', '?')} CPUs{gpus} ({fingerprint})"


def versions(baseline: Side, candidate: Side) -> Iterator[Finding]:
    """Yield each package, and the commit, that differs."""
    before, now = {**baseline.run.versions}, {**candidate.run.versions}
    before["Python"], now["Python"] = (str(side.run.host.get("python", "?")) for side in (baseline, candidate))
    ours = {name: (before.get(name), now.get(name)) for name in sorted(before.keys() | now.keys())}
    for name, (old, new) in ours.items():
        if old != new:
            yield Finding(name, "run", "changed", old or "-", new or "-", "another version")
    if baseline.run.git_commit != candidate.run.git_commit:
        commits = [(side.run.git_commit or "not a checkout")[:12] for side in (baseline, candidate)]
        yield Finding("the project", "run", "new", commits[0], commits[1], "another commit")


def runtimes(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Yield once a backend what it ran with otherwise, whatever the number of its cases."""
    seen: set[tuple[str, str, str, str]] = set()
    for before, now in ((pair.first, pair.second) for pair in pairs):
        backend = " and ".join(dict.fromkeys((before.case.backend, now.case.backend)))
        for key in sorted((before.runtime.keys() | now.runtime.keys()) & SETTINGS):
            old, new = before.runtime.get(key, "-"), now.runtime.get(key, "-")
            told = (backend, key, old, new)
            if old != new and told not in seen:
                seen.add(told)
                yield Finding(f"backend {backend}", "run", "changed", old, new, f"another {key}")


def _threads(pairs: Sequence[Pair]) -> Iterator[Finding]:
    counts = {(pair.first.case.threads, pair.second.case.threads) for pair in pairs if "threads" in pair.differ}
    for before, now in sorted(counts):
        why = "measured with another number of threads, and held against each other all the same"
        both = [f"{count} thread{'s' if count != 1 else ''}" for count in (before, now)]
        yield Finding("the run", "run", "changed", both[0], both[1], why)


SETTINGS = {
    "version", "engine", "provider", "precision", "shape", "streams", "hint", "pinning", "tf32", "cudnn_search",
    "cuda_graph", "graph", "onednn", "layout",
}  # fmt: skip
"""What of a result's ``runtime`` is a choice; the rest are measurements, such as clocks and cached outputs."""


def asked(baseline: Side, candidate: Side) -> Iterator[Finding]:
    """Yield what both runs were asked to do otherwise, beyond what their cases say."""
    for key in CONFIG:
        before, now = (getattr(side.run.config, key) for side in (baseline, candidate))
        if before != now:
            yield Finding(
                "the run", "run", "changed", str(before), str(now), f"measured with another --{key.replace('_', '-')}"
            )


def _age(baseline: Side, candidate: Side, allowed: Allowed) -> Iterator[Finding]:
    started = [_time(side.run.started) for side in (baseline, candidate)]
    if None in started:
        unreadable = (baseline, candidate)[started.index(None)]
        why = f"when {unreadable.name} was measured cannot be read"
        yield Finding("the baseline", "run", "open", baseline.run.started, candidate.run.started, why)
        return
    before, now = started
    assert before is not None
    assert now is not None
    days = (now - before).total_seconds() / 86400
    both = (baseline.run.started, candidate.run.started)
    if days < 0:
        yield Finding("the baseline", "run", "open", *both, "the baseline was measured after the run")
    elif days > allowed.age_days:
        why = f"stale: measured {days:.0f} days before the run, {allowed.age_days:g} are allowed"
        yield Finding("the baseline", "run", "open", *both, why)


def _time(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _drift(baseline: Side, candidate: Side) -> Iterator[Finding]:
    """Yield that the machine itself was slower: a hint only, it excuses nothing."""
    if not same_host(baseline, candidate):
        return
    for device, threads in sorted({(limit.device, limit.threads) for limit in baseline.run.limits}):
        kernel = best_kernel(baseline.run, candidate.run, (device, threads), (device, threads))
        if kernel is not None and kernel[2] > (1 + DRIFTED) * kernel[1]:
            name, before, now = kernel
            why = (
                f"the machine itself took {now / before - 1:.0%} longer for {name}: what is slower may be its doing; "
                "measure both side by side"
            )
            yield Finding(
                f"the machine, {device}, {threads} threads", "run", "changed", f"{before:.3g} ms", f"{now:.3g} ms", why
            )
