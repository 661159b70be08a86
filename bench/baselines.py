"""A baseline as one file that a person can review: JSON lines, one case a line, sorted, times rounded.

The first line is the run (machine, versions, commit), then a line for each of the machine's limits and each kernel that
shows it, for each network, for each case. What no check looks at, such as slices and warnings, is left out; numbers
keep four significant digits, scores six: that hides no change which a check could find.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.records import SCHEMA, Case, Result, RunRecord
from bench.results import write_atomically
from converters.errors import BadInput

FORM = 1
"""Which form of file this is; stands in its first line as ``baseline``."""

DIGITS = 4
SCORE_DIGITS = 6
LEFT_OUT = {"warnings"}
SCORE = ("task", "metric", "value", "ci95", "n", "head", "decode", "derived", "groups", "subjects")
"""What is kept of a score."""

HEAD = ("schema", "config", "host", "versions", "git_commit", "started", "notes")
BY_NETWORK = ("models", "costs", "inputs")


def write(path: Path, run: RunRecord, results: Sequence[Result]) -> None:
    """Write a baseline. Raises BadInput for a folder, or when it cannot be written."""
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; a baseline is written into a file, such as {path / 'baseline.jsonl'}")
    if not path.parent.is_dir():
        raise BadInput(f"{path}: there is no folder {path.parent}")
    write_atomically(path, text(run, results))


def text(run: RunRecord, results: Sequence[Result]) -> str:
    """Return the content of a baseline file."""
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in _lines(run, results))


def _lines(run: RunRecord, results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    told = json.loads(run.model_dump_json(by_alias=True))
    yield {"baseline": FORM, **{key: told[key] for key in HEAD}}
    for limit in sorted(told.get("limits", ()), key=lambda limit: (limit["device"], limit["threads"])):
        kernels = limit.pop("kernels", [])
        yield {"limit": _rounded(limit, DIGITS)}
        yield from ({"kernel": _rounded(kernel, DIGITS)} for kernel in kernels)
    for name in sorted({name for key in BY_NETWORK for name in told.get(key, {})}):
        yield {"network": name, **{key: told[key][name] for key in BY_NETWORK if name in told.get(key, {})}}
    for result in sorted(results, key=lambda result: sort_key(result.case)):
        yield _case(result)


def sort_key(case: Case) -> tuple[str, ...]:
    """Return the order of cases in a file: by network first; numbers by their size."""
    return tuple(f"{value:09d}" if isinstance(value, int) else str(value or "") for value in dict(case).values())


def _case(result: Result) -> dict[str, Any]:
    line = {key: value for key, value in json.loads(result.line()).items() if key not in LEFT_OUT}
    if line["latency"] is not None:
        line["latency"].pop("stages_ms", None)
    scores = [{key: score[key] for key in SCORE if key in score} for score in line.pop("scores")]
    small = {key: value for key, value in _rounded(line, DIGITS).items() if value is not None}
    return {**small, **({"scores": _rounded(scores, SCORE_DIGITS)} if scores else {})}


def _rounded(value: Any, digits: int) -> Any:
    """Return JSON with every fraction rounded to significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, list):
        return [_rounded(one, digits) for one in value]
    if isinstance(value, dict):
        return {key: _rounded(one, digits) for key, one in value.items()}
    return value


def read(path: Path) -> tuple[RunRecord, list[Result]]:
    """Read a baseline file. Raises BadInput, with the line, for what is none."""
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            f"{path}: no such baseline; bench check RUN --baseline {path} --update-baseline makes it"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is no baseline: {error.reason}") from error
    return parse(content, str(path))


def parse(content: str, where: str) -> tuple[RunRecord, list[Result]]:
    """Read the content of a baseline file; ``where`` is what errors call it."""
    known: dict[str, Any] = {"limits": [], **{key: {} for key in BY_NETWORK}}
    found: dict[Case, Result] = {}
    lines = content.removesuffix("\n").split("\n") if content else []
    for number, line in enumerate(lines, 1):
        try:
            _take(json.loads(line), number, known, found)
        except ValidationError as error:
            raise BadInput(f"{where}:{number}: {_first(error)}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{where}:{number}: not a line of a baseline: {error}") from error
    if "run" not in known:
        raise BadInput(f"{where}: is empty; bench check RUN --baseline {where} --update-baseline makes it anew")
    head = known.pop("run")
    try:
        return RunRecord.model_validate({**head, **known}), list(found.values())
    except ValidationError as error:
        raise BadInput(f"{where}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"not of schema {SCHEMA}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _take(line: Any, number: int, known: dict[str, Any], found: dict[Case, Result]) -> None:
    if not isinstance(line, dict):
        raise TypeError(f"{type(line).__name__}, not an object")
    if number == 1:
        if line.pop("baseline", None) != FORM:
            raise ValueError(f"the first line has no 'baseline': {FORM}")
        known["run"] = line
    elif "limit" in line:
        known["limits"].append({**line["limit"], "kernels": []})
    elif "kernel" in line:
        if not known["limits"]:
            raise ValueError("a kernel before any limit")
        known["limits"][-1]["kernels"].append(line["kernel"])
    elif "network" in line:
        for key in BY_NETWORK:
            if key in line:
                known[key][line["network"]] = line[key]
    else:
        result = Result.model_validate(line)
        if result.case in found:
            raise ValueError(f"the case stands there twice: {result.case}")
        found[result.case] = result
