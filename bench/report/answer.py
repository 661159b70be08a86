"""The answer of a run: which network on which backend to deploy, for each task and each split, one face a run.

It follows from ``run.json`` and ``results.jsonl``, and says as plainly what it does not know: what the chosen one is
not told apart from, what is not in the running and why, and what was not measured. Different splits never meet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.records import WHOLE, Case, Result, RunRecord
from bench.report import choices as rules
from bench.report.absent import absent
from bench.report.apart import Field, Paired, Rival
from bench.report.candidates import METRIC, Absent, Candidate, Estimate, Question, questions
from bench.report.choices import Choice, Step
from bench.report.decision import decide, within
from bench.report.running import in_the_running, only_timed, timed
from converters.errors import BadInput
from zoo.fields import AGE_GROUPS

__all__ = [
    "Absent",
    "Answer",
    "Answers",
    "Candidate",
    "Choice",
    "Estimate",
    "Question",
    "Rival",
    "Step",
    "answers",
    "pick",
]


TASKS = {"age": "age in years", "age_group": "age group", "gender": "gender"}


CAUTIONS = {"sample": "The built-in sample is of composite portraits: scores on it say only that the pipeline works."}


@dataclass(frozen=True)
class Answer:
    """The answer to one question; ``question`` is None in a run without accuracy, where only speed can be asked.

    ``name`` is a heading; ``first``: whether it belongs on the first screen (age, standard age groups, gender).
    ``cautions`` are sentences that the reader has to have read; ``missing`` says what was not measured.
    """

    question: Question | None
    name: str
    first: bool
    metric: str
    choices: tuple[Choice, ...]
    front: tuple[Step, ...]
    candidates: tuple[Candidate, ...]
    absent: tuple[Absent, ...]
    cautions: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """All answers of a run under its limits. ``missing`` says why there are none, or none of a split."""

    limit_ms: float | None
    max_mae: float | None
    answers: tuple[Answer, ...]
    missing: tuple[str, ...]


def answers(
    run: RunRecord,
    results: Sequence[Result],
    *,
    limit_ms: float | None = None,
    max_mae: float | None = None,
    paired: Mapping[Question, Paired] | None = None,
) -> Answers:
    """Return the answer to every question of a run.

    ``limit_ms``: the most accurate whose median is shown to be within it; ``max_mae`` (years): the fastest whose error
    is; without either the knee of the Pareto front. ``paired``: the verdicts of comparisons face by face, where known;
    elsewhere intervals that overlap are not told apart. Raises BadInput for a limit that is not above 0.
    """
    _refuse(limit_ms, max_mae)
    times = timed(results)
    latencies = {r.case: r.latency for group in times.values() for r in group if r.latency is not None}
    found = []
    for question, readings in questions(results).items():
        candidates = tuple(in_the_running(question, readings, times))
        field = Field(candidates, METRIC[question.task], (paired or {}).get(question, {}), latencies)
        found.append(_answer(run, results, question, field, limit_ms, max_mae))
    if not found and (candidates := tuple(only_timed(times))):
        found.append(_answer(run, results, None, Field(candidates, "", {}, latencies), limit_ms, max_mae))
    return Answers(limit_ms, max_mae, tuple(found), tuple(_missing(results, found)))


def pick(
    run: RunRecord,
    results: Sequence[Result],
    *,
    task: str,
    limit_ms: float | None = None,
    max_mae: float | None = None,
    data: str | None = None,
    backends: Collection[str] | None = None,
    elsewhere: bool = False,
) -> Choice:
    """Return which network and backend a run says to take for a task: ``age``, ``age_group`` or ``gender``.

    ``data``: the split, ``name:split``, where the run has several; ``backends``: those that can be used here;
    ``elsewhere``: only networks that were not trained on that data set. Without limits the most accurate, with
    ``max_mae`` alone the fastest. A choice without a candidate says why.
    Raises BadInput for what the run does not have.
    """
    _refuse(limit_ms, max_mae)
    times = timed(results)
    known = {q: r for q, r in questions(results).items() if q.task == task and q.labels in ((), AGE_GROUPS)}
    names = [f"{q.dataset}:{q.split}" for q in known]
    if not known:
        raise BadInput(f"this run scored no {TASKS.get(task, task)}: measure it by bench run --data NAME")
    chosen = [q for q, name in zip(known, names, strict=True) if data in (None, name)]
    if len(chosen) != 1:
        said = f"no scores on {data}" if data is not None and not chosen else "scores on several splits"
        raise BadInput(f"this run has {said}; there are: {', '.join(names)}")
    latencies = {r.case: r.latency for group in times.values() for r in group if r.latency is not None}
    found = in_the_running(chosen[0], known[chosen[0]], times)
    usable = [c for c in found if (backends is None or c.backend in backends) and not (elsewhere and c.home)]
    return within(Field(tuple(usable), METRIC[task], {}, latencies), limit_ms, max_mae)[0]


def _refuse(limit_ms: float | None, max_mae: float | None) -> None:
    for name, limit in (("--limit-ms", limit_ms), ("--max-mae", max_mae)):
        if limit is not None and not 0 < limit < float("inf"):
            raise BadInput(f"{name} {limit:g} is no limit: give a number above 0")


def _answer(
    run: RunRecord,
    results: Sequence[Result],
    question: Question | None,
    field: Field,
    limit_ms: float | None,
    max_mae: float | None,
) -> Answer:
    steps = () if question is None else rules.front(field)
    return Answer(
        question=question,
        name="speed" if question is None else _name(question),
        first=question is None or question.labels in ((), AGE_GROUPS),
        metric=field.metric,
        choices=tuple(decide(question, field, steps, limit_ms, max_mae)),
        front=steps,
        candidates=field.candidates,
        absent=tuple(absent(run, results, question, field.candidates)),
        cautions=tuple(_cautions(question)),
        missing=tuple(_unmeasured(question, field)),
    )


def _name(question: Question) -> str:
    faces = "" if question.faces == WHOLE else f", faces {question.faces}"
    groups = f" of {len(question.labels)}, {question.labels[0]} to {question.labels[-1]}" if question.labels else ""
    return f"{TASKS[question.task]}{groups} on {question.dataset}:{question.split}{faces}"


def _cautions(question: Question | None) -> list[str]:
    found = []
    if question is not None and question.dataset in CAUTIONS:
        found.append(CAUTIONS[question.dataset])
    if question is not None and question.faces != WHOLE:
        found.append("The time to find the faces is not in these times.")
    return found


def _unmeasured(question: Question | None, field: Field) -> list[str]:
    found = []
    if question is None:
        found.append("No accuracy was measured, so only speed can be told: run without --only latency.")
    elif field.candidates and not any(c.p50 is not None for c in field.candidates):
        found.append("No candidate was timed with one face a run, so only accuracy can be told: run with --batch 1.")
    elif not field.candidates:
        found.append("Nothing is in the running.")
    return found


def _missing(results: Sequence[Result], found: Sequence[Answer]) -> list[str]:
    answered = {(a.question.dataset, a.question.split) for a in found if a.question is not None}
    asked: dict[tuple[str, str], list[Case]] = {}
    for result in results:
        if result.case.kind == "accuracy" and result.case.dataset is not None and result.case.split is not None:
            asked.setdefault((result.case.dataset, result.case.split), []).append(result.case)
    said = [
        f"No case on {dataset}:{split} was scored: see the skipped and failed cases."
        for dataset, split in asked
        if (dataset, split) not in answered
    ]
    return said or ([] if found else ["Nothing was measured that an answer could follow from."])
