"""The accuracy pass on a Ray cluster: a split's images in shards, each run by the very worker of a pass in one process.

Shards end where batches end, so every batch is the one that it would be in one process. Images, weights and this
package have to be on every node, under the same paths: nothing but names and outputs goes over the network. A shard
whose actor or worker dies is run again by another one; what a network answers wrongly is not.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any

from bench.accuracy import Engine, Network, Ready, here
from bench.host import usable_cpus
from bench.inference import Predicted, together_again
from bench.parity import FirstRun
from bench.preprocess import views
from bench.process import WorkerFailed
from bench.records import Case
from bench.seats import LOST, Refused, Seat
from bench.team import Team
from bench.types import Sample
from converters.errors import NOT_USABLE, BadInput

SHARD = 256
"""Images, made up to whole batches."""

TRIES = 3
"""How often a shard is begun before its case fails, and a cluster is asked for a server that dies at once."""


class NoRay(BadInput):
    """Ray, or its cluster, is not there."""

    exit_code = NOT_USABLE


def check(engine: str) -> None:
    """Raise BadInput for an engine that is none, NoRay where Ray is asked for and not installed."""
    if engine not in ("local", "ray") and not engine.startswith("ray://"):
        raise BadInput(f"--engine {engine}: give local, ray or ray://ADDRESS")
    if engine == "ray://":
        raise BadInput(f"--engine {engine}: no address after it; give ray://HOST:PORT, or ray for one on this machine")
    if engine != "local" and importlib.util.find_spec("ray") is None:
        raise NoRay(f"--engine {engine}: Ray is not installed here: pip install 'agebench[ray]'")


@contextmanager
def engine(name: str, *, cached: bool) -> Iterator[Engine]:
    """Make the engine of a run: ``local``, ``ray`` (a cluster of this machine alone), or a cluster's ``ray://ADDRESS``.

    Raises NoRay where the cluster cannot be reached.
    """
    if name == "local":
        yield partial(here, cached=cached)
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    _connect(name)
    try:
        yield partial(_shared_out, name, cached)
    finally:
        ray.shutdown()


def _connect(name: str) -> None:
    """Connect to the cluster, or start the one of this machine. Raises NoRay.

    A cluster forks a server for each client, and a few in a hundred of them die before their first line
    (ray-project/ray#63202): such a client is to ask again.
    """
    import ray

    where: dict[str, Any] = {"address": name}
    if name == "ray":
        where = {"address": "local", "num_cpus": len(usable_cpus()), "include_dashboard": False}
    for _ in range(TRIES):
        try:
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except ConnectionAbortedError as error:
            ray.shutdown()
            last = f"its head answered, and {TRIES} times no server for this client came up; the last: {_line(error)}"
        except (ConnectionError, ImportError, ValueError, RuntimeError) as error:
            raise NoRay(f"--engine {name}: no cluster: {_line(error)}{_advice(name)}") from error
        else:
            return
    raise NoRay(f"--engine {name}: {last}")


def _advice(name: str) -> str:
    """Return what to look at first; a cluster that wants a token answers a client without one as if it were not there.

    Ray turns tokens on by itself from 2.59 on, where the head's machine has one in ``~/.ray``.
    """
    if name == "ray" or os.environ.get("RAY_AUTH_MODE"):
        return ""
    return "; is the address right, and does the cluster want a token (then set RAY_AUTH_MODE=token)?"


@contextmanager
def _shared_out(name: str, cached: bool, case: Case, network: Network, team: Team) -> Iterator[Ready]:
    crew = _Crew(case, network, team, cached, _places(case))
    try:
        first, runtime = crew.hire()
        told = f"{name}, actors of {case.threads} CPU{'s' * (case.threads > 1)}"
        yield Ready(first, {**runtime, "engine": told}, crew.predict)
    finally:
        crew.dismiss()


def nodes() -> list[dict[str, float]]:
    """Return what each living node of the cluster has: its CPUs, GPUs and memory, by Ray's names."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _places(case: Case) -> int:
    """Return how many workers of a case the cluster has room for. Raises WorkerFailed where there is none."""
    alive = nodes()
    room = [int(node.get("CPU", 0)) // case.threads for node in alive]
    if case.device != "cpu":
        room = [min(cpus, int(node.get("GPU", 0))) for cpus, node in zip(room, alive, strict=True)]
    if not any(room):
        what = f"{case.threads} CPUs{'' if case.device == 'cpu' else ' and a GPU'}"
        raise WorkerFailed(f"no node of the cluster has {what} for a worker: give fewer --threads")
    return sum(room)


class _Crew:
    """The actors of a case, seen from the run."""

    def __init__(self, case: Case, network: Network, team: Team, cached: bool, places: int) -> None:
        import ray

        gpus = 0 if case.device == "cpu" else 1
        self.seat: Any = ray.remote(num_cpus=case.threads, num_gpus=gpus, max_restarts=0)(Seat)
        self.given = (team.start, team.model(case), case, network, cached)
        self.case, self.places = case, places
        self.shard = ceil(SHARD / self._images(network)) * self._images(network)
        self.actors: dict[Any, str] = {}
        self.agreed: tuple[FirstRun, dict[str, str]] | None = None

    def _images(self, network: Network) -> int:
        return self.case.batch // views(network.spec)

    def hire(self) -> tuple[FirstRun, dict[str, str]]:
        """Start an actor. It has to run what the others run, as they do. Raises what its worker raised."""
        import ray

        last = ""
        for _ in range(TRIES):
            actor = self.seat.remote(*self.given)
            try:
                node = ray.get(actor.node.remote())
                self.actors[actor] = node
                answer = ray.get(actor.begin.remote(list(self.actors.values()).count(node) - 1))
            except ray.exceptions.RayActorError as error:
                answer = Refused(LOST, _line(error))
            if not isinstance(answer, Refused):
                return self._agree(*answer)
            self.fire(actor)
            last = answer.reason
            if answer.kind != LOST:
                raise answer.error(self.case.batch)
        raise WorkerFailed(f"{TRIES} workers died before they were asked anything; the last: {last}")

    def _agree(self, first: FirstRun, runtime: dict[str, str]) -> tuple[FirstRun, dict[str, str]]:
        if self.agreed is not None:
            before, ran = self.agreed
            if (before.placement, ran) != (first.placement, runtime):
                raise WorkerFailed(f"the nodes differ: {ran} {before.placement}, and {runtime} {first.placement}")
            first = max(before, first, key=lambda one: one.parity.max_abs)
        self.agreed = (first, runtime)
        return self.agreed

    def fire(self, actor: Any) -> None:
        """End an actor, dead or alive; its worker goes with it."""
        import ray

        self.actors.pop(actor, None)
        ray.kill(actor)

    def dismiss(self) -> None:
        """End them all."""
        for actor in list(self.actors):
            self.fire(actor)

    def predict(self, samples: Sequence[Sample], tell: Callable[[str], Any]) -> Predicted:
        """Run every shard and put the outputs together in order. Raises WorkerFailed for one that dies too often."""
        import ray

        shards = [samples[first : first + self.shard] for first in range(0, len(samples), self.shard)]
        while len(self.actors) < min(self.places, len(shards)):
            self.hire()
        waiting, begun = deque(range(len(shards))), [0] * len(shards)
        idle, running, found = list(self.actors), dict[Any, tuple[Any, int]](), dict[int, Predicted]()
        while len(found) < len(shards):
            while waiting and idle:
                actor, number = idle.pop(), waiting.popleft()
                begun[number] += 1
                running[actor.predict.remote(shards[number])] = actor, number
            (done,), _ = ray.wait(list(running), num_returns=1)
            actor, number = running.pop(done)
            answer = _outcome(done)
            if isinstance(answer, Predicted):
                found[number] = answer
                idle.append(actor)
                tell(f"{sum(len(shards[n]) for n in found)}/{len(samples)} images")
                continue
            self.fire(actor)
            if answer.kind != LOST:
                raise answer.error(self.case.batch)
            if begun[number] == TRIES:
                what = f"the shard of {shards[number][0].name} was begun {TRIES} times and its worker died each time"
                raise WorkerFailed(f"{what}; the last: {answer.reason}")
            waiting.appendleft(number)
            known = set(self.actors)
            self.hire()
            idle += [actor for actor in self.actors if actor not in known]
        return _joined([found[number] for number in range(len(shards))])


def _outcome(done: Any) -> Predicted | Refused:
    import ray

    try:
        answer: Predicted | Refused = ray.get(done)
    except ray.exceptions.RayActorError as error:
        return Refused(LOST, _line(error))
    return answer


def _joined(parts: Sequence[Predicted]) -> Predicted:
    outputs = together_again([part.outputs for part in parts if part.read])
    cached = None if any(part.cached is None for part in parts) else sum(part.cached or 0 for part in parts)
    whole = Predicted([s for part in parts for s in part.read], outputs, [one for part in parts for one in part.left])
    return replace(whole, cached=cached)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
