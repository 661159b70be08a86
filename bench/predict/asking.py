"""The networks, each loaded in a worker of its own, compared with the reference, and asked of one face at a time.

A network that goes wrong says nothing from then on, and every face tells why; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import accuracy
from bench.accuracy import Network
from bench.inference import infer
from bench.parity import first_run
from bench.predict.said import Said, answers, fed_as
from bench.preprocess import Box, Image, Unreadable, views
from bench.process import WorkerFailed, WorkerProcess, open_worker
from bench.records import Case
from bench.types import Unavailable
from zoo.download import sha256_of


@dataclass(frozen=True)
class Place:
    """Where networks run: a backend by its name in results, what to import for it, its device and interpreter."""

    backend: str
    source: str
    device: str
    python: Path | None
    threads: int

    def case(self, network: Network) -> Case:
        """Return the case of one face at a time; of ten views of one where a network takes so many."""
        return Case(
            network=network.name, backend=self.backend, device=self.device, precision="fp32",
            batch=views(network.spec), threads=self.threads, kind="latency",
        )  # fmt: skip

    @contextmanager
    def worker(self, _: Case) -> Iterator[WorkerProcess]:
        """Start a worker; end it when the block ends."""
        with open_worker(self.source, self.device, self.threads, python=self.python) as worker:
            yield worker


@dataclass
class Asked:
    """One network that can be asked. ``failed`` says why it no longer can."""

    network: Network
    place: Place
    worker: WorkerProcess | None = None
    version: str = ""
    failed: str | None = None
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Hash the model once."""
        self.sha256 = sha256_of(self.network.model)

    def say(self, image: Image, box: Box | None) -> Said:
        """Return what the network says of the face in ``box`` (None: the whole image) of (H, W, 3), BGR."""
        if self.worker is None or self.failed is not None:
            return self._said(status="failed", reason=self.failed)
        feeder = accuracy.feeder(self.network)
        try:
            feeds = feeder.tensors(image, box)
            outputs = infer(self.worker, feeder, feeds, views(feeder.spec))
            return self._said(status="ok", **answers(self.network.card.heads, outputs))
        except (WorkerFailed, Unavailable) as error:
            self.failed = str(error)
            return self._said(status="failed", reason=self.failed)
        except (Unreadable, ValueError) as error:  # of this face alone
            return self._said(status="failed", reason=str(error))

    def _said(self, **told: Any) -> Said:
        return Said(
            **told,
            model_sha256=self.sha256,
            backend=self.place.backend,
            device=self.place.device,
            version=self.version,
            preprocessing=fed_as(self.network.spec),
        )


@contextmanager
def asked(networks: Mapping[str, Network], place: Place) -> Iterator[list[Asked]]:
    """Load every network, and compare its outputs with the reference's; the workers end with the block."""
    with ExitStack() as stack:
        found = []
        for network in networks.values():
            one = Asked(network, place)
            case = place.case(network)
            try:
                worker = stack.enter_context(place.worker(case))
                loaded, _ = worker.ask("load", model=str(network.model))
                first_run(worker, network.golden, case)
                one.worker, one.version = worker, loaded["version"]
            except (WorkerFailed, Unavailable) as error:
                one.failed = str(error)
            found.append(one)
        yield found
