"""What a run leaves on disk: ``run.json`` (one ``RunRecord``) and ``results.jsonl`` (one ``Result`` a line).

Raw measurements are stored, statistics are derived from them. Unknown keys are refused.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SCHEMA = 1

Precision = Literal["fp32", "winograd", "fp16", "int8"]


class Record(BaseModel):
    """A frozen record whose unknown keys are refused. An infinite number is the string ``Infinity``: JSON has none."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="strings")


def _empty(value: object) -> bool:
    """Whether a field beyond the contract is left out of a line."""
    return not value


WHOLE = "whole"
"""Of ``--faces``: every image is a face already."""


def _are_whole(faces: str) -> bool:
    """Whether faces are as they were in results of before there was a choice."""
    return faces == WHOLE


Scenario = Literal["single", "batch", "offline", "server"]
"""How requests come: one after the other, in growing batches, a whole split at once, or at random times."""


class Case(Record):
    """One thing to measure. Two cases are the same when all their fields are.

    ``scenario`` is of latency alone; None is ``single``, the latency of one request after the other.
    """

    network: str
    backend: str
    device: str
    precision: Precision
    batch: int
    threads: int
    kind: Literal["latency", "accuracy"]
    dataset: str | None = None
    split: str | None = None
    scenario: Scenario | None = Field(default=None, exclude_if=_empty)

    def __str__(self) -> str:
        """Return the case as one line for a person."""
        where = f"{self.network} on {self.backend}, {self.device}, {self.precision}, batch {self.batch}"
        on = f" on {self.dataset}:{self.split}" if self.dataset else ""
        kind = self.kind if self.scenario is None else f"{self.scenario} {self.kind}"
        return f"{kind}{on} of {where}, {self.threads} threads"


def _by_round(times_ms: tuple[float, ...], rounds: tuple[int, ...]) -> list[tuple[float, ...]]:
    ends = list(accumulate(rounds, initial=0))
    return [times_ms[begin:end] for begin, end in pairwise(ends)]


class Latency(Record):
    """Raw times of single runs in ms, in the order they were taken; cold start in ms by stage.

    ``rounds`` says how many of the times belong to each round, in order; the rounds of cases that were measured side by
    side are pairs. ``stages_ms`` has the raw times of the parts of an inference, of runs of their own (`bench.stages`):
    ``decode`` and ``prepare`` of one image each, the others of one run of the case's batch size.
    """

    times_ms: tuple[float, ...]
    cold_ms: dict[str, float]
    rounds: tuple[int, ...] = Field(default=(), exclude_if=_empty)
    stages_ms: dict[str, tuple[float, ...]] = Field(default={}, exclude_if=_empty)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.rounds and sum(self.rounds) != len(self.times_ms):
            raise ValueError(f"the rounds have {sum(self.rounds)} times, there are {len(self.times_ms)}")
        return self

    def by_round(self) -> list[tuple[float, ...]]:
        """Return the times of each round; none for results of before rounds were kept."""
        return _by_round(self.times_ms, self.rounds)

    def in_rounds(self) -> list[tuple[float, ...]]:
        """Return the times of each round; for results of before rounds were kept all times as one."""
        return self.by_round() or [self.times_ms]


class Parity(Record):
    """How far the outputs are from the reference's: the largest difference, and relative to the largest value."""

    reference: str
    max_abs: float
    max_rel: float


class Point(Record):
    """One step of a scenario: raw times in ms, each of ``images`` images that went through in batches of ``batch``.

    In ``batch`` a time is one run, and ``rounds`` are as in `Latency`. In ``offline`` it is a pass over images, all of
    it (``overlapped``) or only one ``part`` of the work. In ``server`` it is the time from the arrival of a request to
    its answer, without its time in the queue in ``service_ms``; of the ``requests`` that were due those without a time
    were not answered before the trial was broken off. ``judged`` is the percentile that is held against ``limit_ms``.
    The first point of ``server`` has no rate: there, each request came when the one before it was answered.
    """

    batch: int
    images: int
    times_ms: tuple[float, ...]
    rounds: tuple[int, ...] = Field(default=(), exclude_if=_empty)
    part: Literal["overlapped", "decode", "inference"] | None = Field(default=None, exclude_if=_empty)
    rate_per_s: float | None = Field(default=None, exclude_if=_empty)
    requests: int | None = Field(default=None, exclude_if=_empty)
    service_ms: tuple[float, ...] = Field(default=(), exclude_if=_empty)
    limit_ms: float | None = Field(default=None, exclude_if=_empty)
    judged: int | None = Field(default=None, exclude_if=_empty)
    memory_mb: float | None = Field(default=None, exclude_if=_empty)
    device_memory_mb: float | None = Field(default=None, exclude_if=_empty)
    parity: Parity | None = Field(default=None, exclude_if=_empty)

    def by_round(self) -> list[tuple[float, ...]]:
        """Return the times of each round; none where there were no rounds."""
        return _by_round(self.times_ms, self.rounds)


class Confusion(Record):
    """Counts with predicted classes in rows and true classes in columns, both in the order of ``labels``."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


Decode = Literal["argmax", "expectation", "scalar", "mass", "borders"]
"""How an output was read. ``mass``: the age group with most of a distribution over ages; ``borders``: the one that a
single age falls into."""


GroupSet = Literal["twelve", "dataset"]
"""Age groups that an age is put into beside the standard eight: twelve of five years, or the data set's own."""

SliceBy = Literal["sex", "age group", "ethnicity", "subject"]


class Gap(Record):
    """The largest difference of a score between two slices of enough faces.

    ``interval`` is simultaneous over all pairs of such slices at 95 %: that the pair was picked makes no gap.
    """

    highest: str
    lowest: str
    value: float
    interval: tuple[float, float]


class Slices(Record):
    """A score among the faces of each label. Of very many labels the ones with the most faces, and those of the gap.

    ``total`` says how many labels there are.
    """

    by: SliceBy
    labels: tuple[str, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: tuple[int, ...]
    total: int
    gap: Gap | None = None


class Folds(Record):
    """Mean and standard deviation (n - 1) of a score over the ``count`` folds of the data set's own protocol.

    ``values`` has each one's, where there are not too many to list.
    """

    mean: float
    sd: float
    count: int
    values: dict[str, float] = Field(default={}, exclude_if=_empty)


class Calibration(Record):
    """How far a distribution is from what happens; 0 is perfect.

    ``top_label``: expected calibration error of the most likely class over 15 bins of equal width (Guo et al. 2017);
    ``claimed`` is the mean confidence, ``observed`` the share of hits. ``quantile``: the mean distance, over the levels
    0.05 to 0.95, of the share of true ages below a quantile from its level (Kuleshov et al. 2018); ``claimed`` is the
    0.9 of the central interval, ``observed`` the share of true ages within it.
    """

    kind: Literal["top_label", "quantile"]
    error: float
    claimed: float
    observed: float
    n: int


class Score(Record):
    """One metric of one head with its 95 % interval. Shares for accuracy, one_off and cs5, years for mae and rmse.

    ``derived``: the network itself does not say this but something that it follows from, such as groups from an age.
    Results of before there were several heads of a task have no ``head``, ``decode`` and ``derived``.
    """

    task: Literal["age", "age_group", "gender"]
    metric: Literal["accuracy", "one_off", "mae", "rmse", "cs5"]
    value: float
    ci95: tuple[float, float]
    n: int
    confusion: Confusion | None = None
    head: str | None = Field(default=None, description="the output it was read from")
    decode: Decode | None = None
    derived: bool | None = None
    groups: GroupSet | None = Field(default=None, exclude_if=_empty, description="None: the head's own, or the eight")
    left_out: dict[str, int] = Field(default={}, exclude_if=_empty, description="faces that do not count, by reason")
    subjects: int | None = Field(default=None, exclude_if=_empty, description="by whom the interval is clustered")
    curve: tuple[float, ...] = Field(default=(), exclude_if=_empty, description="of cs5: CS@0 to CS@10")
    folds: Folds | None = Field(default=None, exclude_if=_empty)
    slices: tuple[Slices, ...] = Field(default=(), exclude_if=_empty)
    calibration: Calibration | None = Field(default=None, exclude_if=_empty)


class Fingerprint(Record):
    """Which images and labels a score was measured on."""

    split_sha256: str
    n: int
    label_rule: str
    faces: str = Field(default=WHOLE, exclude_if=_are_whole, description="what found the faces, as --faces says it")


class Result(Record):
    """What became of one case."""

    schema_: int = Field(default=SCHEMA, alias="schema")
    case: Case
    status: Literal["ok", "skipped", "failed"]
    reason: str | None = None
    placement: dict[str, int] | None = None
    latency: Latency | None = None
    memory_mb: float | None = Field(default=None, description="peak resident set beyond the bare worker's")
    parity: Parity | None = None
    scores: tuple[Score, ...] = ()
    fingerprint: Fingerprint | None = None
    warnings: tuple[str, ...] = ()
    runtime: dict[str, str] = Field(
        default={}, exclude_if=_empty, description="what ran it: version, interpreter, and its settings"
    )
    strays: tuple[str, ...] = Field(
        default=(), exclude_if=_empty, description="the nodes that ran elsewhere than on the device"
    )
    device_memory_mb: float | None = Field(default=None, exclude_if=_empty, description="of the device's own memory")
    points: tuple[Point, ...] = Field(
        default=(), exclude_if=_empty, description="of a scenario other than single; a failed one has those before"
    )

    @model_validator(mode="after")
    def _reason(self) -> Self:
        if (self.status == "ok") != (self.reason is None):
            raise ValueError("skipped and failed results say why, ok ones have no reason")
        return self

    def line(self) -> str:
        """Return the result as one line of JSON."""
        return self.model_dump_json(by_alias=True)


def _several(threads: Any) -> Any:
    """Take the one number of threads that a run had before there could be several."""
    return (threads,) if isinstance(threads, int) else threads


class RunConfig(Record):
    """What a run was asked to do. Data sets by name and split, without the folder they lie in."""

    networks: tuple[str, ...]
    backends: tuple[str, ...]
    device: Literal["auto", "cpu", "cuda"]
    precisions: tuple[Precision, ...]
    data: tuple[str, ...]
    batches: tuple[int, ...]
    threads: Annotated[tuple[int, ...], BeforeValidator(_several)]
    limit: int | None
    only: Literal["latency", "accuracy"] | None
    scenarios: tuple[Scenario, ...] = ("single",)
    options: dict[str, str] = Field(default={}, description="of the backends, as --option gave them")
    budget: float = Field(default=0.5, description="seconds of timed runs a case")
    max_batch: int = Field(default=64, description="the largest size of the scenario batch")
    faces: str = Field(default=WHOLE, description="whole, or detect: and the detector")
    limit_ms: float | None = Field(default=None, description="of the scenario server; None: by the fastest backend")


class Costs(Record):
    """What a network's file holds, and the least that a run of it does.

    ``macc``: multiplications of convolutions and dense layers for one face; a run of ``b`` faces moves at least
    ``run_bytes + b * face_bytes``, of which the first are the weights.
    """

    file_bytes: int
    parameters: int
    macc: int
    run_bytes: int
    face_bytes: int
    nodes: int | None = Field(default=None, exclude_if=_empty, description="of the graph; None in runs of before")

    def moved(self, batch: int) -> int:
        """Return the least bytes that a run of ``batch`` faces moves."""
        return self.run_bytes + batch * self.face_bytes


class Kernel(Record):
    """The times in ms of one piece of work that a machine is measured by: its operations, or the bytes it moves."""

    name: str
    backend: str
    operations: int = Field(default=0, description="floating-point operations, two a multiplication")
    bytes: int = Field(default=0, description="least bytes moved")
    times_ms: tuple[float, ...]


class Limit(Record):
    """How fast a device is with so many threads, as far as any backend of the run could show.

    ``gflops`` and ``gb_s`` are of the kernel that is best in the fastest tenth of its runs (p10), which ``.._by`` names
    with its backend; None where no backend ran any. ``cache_bytes``: the last-level cache, where the system tells.
    """

    device: str
    threads: int
    gflops: float | None
    gflops_by: str | None
    gb_s: float | None
    gb_s_by: str | None
    cache_bytes: int | None = None
    kernels: tuple[Kernel, ...] = ()
    refused: dict[str, str] = Field(default={}, description="why a backend has no times, by backend and kernel")


class RunRecord(Record):
    """What stands over all results of a run: what was asked, where it ran, with which versions, how fast that is.

    ``costs``: by network and precision. ``inputs``: by network the sha256 of the tensors that its preprocessing makes
    of a known picture (`bench.contract`); empty in runs of before it was kept.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    config: RunConfig
    host: dict[str, Any]
    versions: dict[str, str]
    git_commit: str | None
    started: str
    models: dict[str, dict[str, str]] = {}
    costs: dict[str, dict[Precision, Costs]] = Field(default={}, exclude_if=_empty)
    inputs: dict[str, str] = Field(default={}, exclude_if=_empty)
    limits: tuple[Limit, ...] = Field(default=(), exclude_if=_empty)
    notes: tuple[str, ...] = ()
