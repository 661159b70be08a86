"""Which networks: those that were named, a small default set, or the most accurate that meet a limit on this machine.

For a limit the accuracy comes from the cards' measured numbers, or a run's, always of one set of images; the latency is
that of one face, measured here, or in a run that was made here.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import latency
from bench.accuracy import Network
from bench.predict.asking import Place
from bench.run import Missing, network_of
from bench.statistics import median_interval
from bench.team import Team
from converters.errors import BadInput
from zoo.card import Card, find_networks
from zoo.fields import AGE_GROUPS, Measured

DEFAULT = ("dlib-age", "dlib-gender")
WHY_DEFAULT = "free for any use, and among the most accurate of the zoo; --zoo names others"
METRICS = {"age": "mae", "age_group": "accuracy", "gender": "accuracy"}
BUDGET = 0.2
"""Seconds of timed runs a network."""


@dataclass(frozen=True)
class Timed:
    """The latency of one face in ms: its median, the upper end of the median's 95 % interval, and both in words.

    ``high`` is None where there are too few rounds for an interval, ``ms`` where there is no latency: ``said`` has why.
    """

    ms: float | None
    high: float | None
    said: str

    def within(self, limit_ms: float) -> bool:
        """Whether the median is shown to be within a limit: the rule of the report's answer."""
        return self.high is not None and self.high <= limit_ms


def named(text: str | None) -> tuple[dict[str, Card], dict[str, str]]:
    """Return the networks that a list of globs selects, and why others of them say nothing of a face.

    Raises BadInput where none is left.
    """
    found = find_networks(",".join(DEFAULT) if text is None else text)
    left = {name: why for name, card in found.items() if (why := _silent(card))}
    chosen = {name: card for name, card in found.items() if name not in left}
    if not chosen:
        raise BadInput(f"--zoo {text}: none of them tells age or gender: {'; '.join(sorted(set(left.values())))}")
    return chosen, left


def _silent(card: Card) -> str | None:
    if card.seeded:
        return "its weights are random (seeded)"
    return None if card.heads else f"it is for {card.purpose}"


def by_cards(cards: Mapping[str, Card], limit_ms: float, time: Callable[[str], Timed]) -> dict[str, Card]:
    """Return the most accurate network for age and for gender that ``time`` shows to be within the limit.

    Networks are timed from the most accurate on, until one meets it. Raises BadInput, with the fastest, for none.
    """
    chosen: dict[str, Card] = {}
    tried: dict[str, Timed] = {}
    for task, ranked in _tasks(cards).items():
        took = None
        for name, one in ranked:
            tried[name] = tried.get(name) or time(name)
            if tried[name].within(limit_ms):
                took = name
                accurate = f"{one.metric} {one.value:.4g} on {one.dataset}:{one.split}, n {one.n}"
                trained = f"; trained on {cards[name].trained_on}" if cards[name].trained_on else ""
                tell(f"{words(task)}: {name}, {tried[name].said}; {accurate}{trained}")
                break
            tell(f"{words(task)}: not {name}: {tried[name].said}")
        if took is not None:
            chosen[took] = cards[took]
        else:
            tell(f"{words(task)}: no network meets {limit_ms:g} ms")
    if not chosen:
        times = [(timed.ms, name, timed.said) for name, timed in tried.items() if timed.ms is not None]
        fastest = f"the fastest is {min(times)[1]}: {min(times)[2]}" if times else "none could be timed"
        raise BadInput(f"--limit-ms {limit_ms:g}: no network meets it on this machine; {fastest}")
    return chosen


def _tasks(cards: Mapping[str, Card]) -> dict[str, list[tuple[str, Measured]]]:
    """Return the networks for each task that their cards have a score of, the best first, all on the same images.

    Age groups are asked for where there is no score of ages. Raises BadInput where no card has any.
    """
    ranked = {task: _ranked(cards, task) for task in METRICS}
    wanted = ("age" if ranked["age"] else "age_group", "gender")
    found = {task: ranked[task] for task in wanted if ranked[task]}
    if not found:
        raise BadInput("--limit-ms: no card of these networks has a measured score; give --run DIR, or other networks")
    return found


def _ranked(cards: Mapping[str, Card], task: str) -> list[tuple[str, Measured]]:
    found: list[tuple[str, Measured]] = []
    for name, card in cards.items():
        groups = {head.output for head in card.heads if head.labels == AGE_GROUPS}
        found += [
            (name, one)
            for one in card.measured
            if (one.task, one.metric) == (task, METRICS[task]) and name == card.name  # a card's are of its first input
            and (task != "age_group" or one.head in groups)
        ]  # fmt: skip
    most = Counter(one.split_sha256 for _, one in found).most_common(1)
    same = [(name, one) for name, one in found if one.split_sha256 == most[0][0]] if most else []
    return sorted(same, key=lambda pair: pair[1].value if pair[1].metric == "mae" else -pair[1].value)


def timer(cards: Mapping[str, Card], place: Place, mirror: Path | None) -> Callable[[str], Timed]:
    """Return what measures how long a network takes for one face here, by the harness of ``bench run``."""

    def time(name: str) -> Timed:
        network = network_of(name, cards[name], mirror)
        if isinstance(network, Missing):
            return Timed(None, None, network.reason)
        return timed(network, place)

    return time


def timed(network: Network, place: Place) -> Timed:
    """Measure how long a network takes for one face on ``place``."""
    with Team(place.worker, lambda _: str(network.model)) as team:
        (result,) = latency.measure([place.case(network)], team, network.golden, lambda _: None, BUDGET)
    if result.latency is None:
        return Timed(None, None, str(result.reason))
    times = result.latency.times_ms
    interval = median_interval(times, result.latency.by_round())
    high = None if interval is None else interval[1]
    between = "" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]"
    middle = float(np.median(times))
    return Timed(middle, high, f"p50 {middle:.2f}{between} ms of {len(times)} runs here, one face")


def words(task: str) -> str:
    """Return how a line of a choice begins."""
    return f"--limit-ms, {task.replace('_', ' ')}"


def tell(line: str) -> None:
    """Print a line of a choice on stderr."""
    print(line, file=sys.stderr)
