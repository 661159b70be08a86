"""``bench check RUN --baseline BASE``: what was asked, parsed; then judged, told, and the exit code."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from bench import baselines, sides
from bench.check import formats
from bench.check.allowed import Allowed, number_of, share_of
from bench.check.findings import Judged
from bench.check.judge import judge
from bench.records import Case, Result
from bench.results import write_atomically
from bench.sides import Side
from converters.errors import DONE, BadInput


def check(arguments: argparse.Namespace) -> int:
    """Judge a run, or make it the baseline. Returns 1 where it is worse.

    Raises BadInput for what cannot be read or has nothing in common.
    """
    allowed, form = allowed_by(arguments), form_of(arguments)
    run = sides.read(arguments.run)
    if run.folder is None:
        raise BadInput(f"{arguments.run}: is a file; RUN is the --out folder of a run")
    if arguments.update_baseline:
        return _update(run, arguments.baseline)
    baseline = sides.read(arguments.baseline)
    if baseline.folder is not None and baseline.folder.resolve() == run.folder.resolve():
        raise BadInput(f"{run.name} is its own baseline: nothing can differ; give another run, or a baseline file")
    title = f"check of {run.name} against {baseline.name}"
    judged = Judged(title, tuple(judge(baseline, run, allowed)), strict=arguments.strict, whole=not arguments.subset)
    tell(judged, form, arguments.output, everything=arguments.all)
    return judged.exit_code


def tell(judged: Judged, form: formats.Form, output: Path | None, *, everything: bool) -> None:
    """Print a check, or write it into a file and print its headline. Raises BadInput when it cannot be written."""
    text = form.render(judged, everything=everything)
    if output is None:
        print(text, end="")
        return
    if not output.parent.is_dir():
        raise BadInput(f"--output {output}: there is no folder {output.parent}")
    write_atomically(output, text)
    print(judged.headline())


def form_of(arguments: argparse.Namespace) -> formats.Form:
    """Return how to tell it. Raises BadInput for a form that there is not."""
    return formats.named("json" if arguments.json else arguments.format)


def allowed_by(arguments: argparse.Namespace) -> Allowed:
    """Return the bounds that were given, and the defaults of the others. Raises BadInput for what is no bound."""
    found: dict[str, float] = {}
    for name in ("slowdown", "slowdown_elsewhere", "memory", "size", "cold_start"):
        if (text := getattr(arguments, f"max_{name}")) is not None:
            option = f"--max-{name.replace('_', '-')}"
            found[name] = share_of(text, option, zero=not name.startswith("slowdown"))
    for option, name, factor, words in (
        ("drop", "drop", 100, "points of a hundred, as 0.5"),
        ("years", "years", 1, "years, as 0.1"),
        ("nodes", "nodes", 1, "a whole number of nodes, as 2"),
        ("parity", "parity_factor", 1, "a factor from 1 on, as 10"),
        ("age", "age_days", 1, "days, as 90"),
    ):
        if (text := getattr(arguments, f"max_{option}")) is not None:
            found[name] = _number(text, f"--max-{option}", f"give {words}", option) / factor
    nodes = found.pop("nodes", None)
    return Allowed(**found, **({} if nodes is None else {"nodes": int(nodes)}))  # type: ignore[arg-type]


def _number(text: str, option: str, wanted: str, what: str) -> float:
    number = number_of(text, option, wanted)
    least = 1 if what == "parity" else 0
    if number < least or (what == "nodes" and number != int(number)):
        raise BadInput(f"{option} {text!r}: {wanted}")
    return number


def _update(run: Side, path: Path) -> int:
    """Write the baseline, and say what of it is new, gone and other than before."""
    before = _readable(path) if path.is_file() else {}
    results = list(run.results.values())
    baselines.write(path, run.run, results)
    now = sides.read(path).results
    new, gone = len(now.keys() - before.keys()), len(before.keys() - now.keys())
    other = sum(now[case] != before[case] for case in now.keys() & before.keys())
    told = f"{path}: {len(now)} cases of {run.name}: {new} new, {other} changed, {gone} gone"
    failed = [result for result in results if result.status == "failed"]
    print(f"{told}; {len(failed)} of them failed: they can only become better" if failed else told)
    return DONE


def _readable(path: Path) -> Mapping[Case, Result]:
    try:
        return sides.read(path).results
    except BadInput:  # it is written anew, whatever it was
        return {}
