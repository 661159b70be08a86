"""The two sides of ``bench ab``, opened: which interpreter runs whose workers, and where each network's file is.

What a side is not about is the same on both: a package changes the interpreter alone, a zoo folder the files alone.
Cards, golden outputs and preprocessing are always those of the harness, so both sides are held against one reference.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench import backends, contract, devices, environments, installing
from bench.ab import revisions
from bench.ab.specs import Spec
from bench.accuracy import Network
from bench.backends import ANY
from bench.process import PACKAGES
from converters.errors import BadInput
from zoo.card import Card
from zoo.graph import metadata

Label = Literal["A", "B"]

OLDEST = (3, 11)
"""The oldest Python whose ``-P`` a worker can be started with."""


class Absent(BadInput):
    """A side does not know a network at all: on A it is new, on B it has vanished."""


@dataclass(frozen=True)
class Side:
    """One side. ``python``: the interpreter of its workers, None for whichever has what a backend needs."""

    label: Label
    spec: Spec
    about: str
    python: Path | None = None
    packages: Path = PACKAGES
    files: Mapping[str, Path | str] | None = None
    """its own ONNX files by card, or why there is none; None: those of the harness's store"""

    def interpreter(self, backend: str, form: str) -> Path:
        """Return the interpreter that runs ``backend``. Raises NotUsable where none here has what it needs."""
        if self.python is not None:
            return self.python
        probe = _probed(backend, form)
        if probe.reason is not None:
            raise devices.NotUsable(f"{self.spec.text}: {backend} on cpu: {probe.reason}")
        assert probe.python is not None
        return probe.python

    def network(self, network: Network, *, fed: bool) -> Network:
        """Return ``network`` with this side's file, if that is fed as the card says; ``fed``: it has to say so.

        Raises Absent where the side has no such network, BadInput where its file is not to be had or says otherwise.
        """
        if self.files is None:
            return network
        file = self.files.get(network.card.name)
        if file is None:
            raise Absent(f"{self.spec.text} has no network {network.card.name}")
        if isinstance(file, str):
            raise BadInput(f"{self.spec.text}: {file}")
        if fed or "input" in metadata(file):
            contract.check(file, network.name, network.spec, network.mean_image)
        return replace(network, model=file)


@contextmanager
def opened(specs: tuple[Spec, Spec], cards: Sequence[Card], mirror: Path | None) -> Iterator[tuple[Side, Side]]:
    """Make both sides ready for ``cards``: environments, revisions, files; what is temporary goes with the block.

    Raises BadInput for a SPEC that cannot be had at all.
    """
    with ExitStack() as stack:
        first, second = _opened("A", specs[0], stack), _opened("B", specs[1], stack)
        names = [card.name for card in cards]
        if revisions.code_key(first.packages) != revisions.code_key(second.packages):
            first, second = (_building(side, names, mirror) for side in (first, second))
        yield first, second


def _opened(label: Label, spec: Spec, stack: ExitStack) -> Side:
    if spec.kind == "interpreter":
        return Side(label, spec, _python(spec), python=Path(spec.value))
    if spec.kind == "package":
        environment = installing.create(environment_name(spec.value), [spec.value])
        environments.forget()
        found = environments.packages(environment)
        name = canonicalize_name(Requirement(spec.value).name)
        return Side(label, spec, f"{name} {found[name]}", python=environments.python_of(environment))
    if spec.kind == "revision":
        packages = stack.enter_context(revisions.checked_out(spec.value))
        return Side(label, spec, f"revision {spec.value[:12]}", packages=packages)
    if spec.kind == "zoo":
        return Side(label, spec, f"the files in {spec.value}", files=files_in(Path(spec.value)))
    return Side(label, spec, "this interpreter and checkout")


def environment_name(requirement: str) -> str:
    """Return the name of the environment of one version of a package."""
    wanted = Requirement(requirement)
    return f"{canonicalize_name(wanted.name)}{environments.PINNED}{str(wanted.specifier).lstrip('=').replace('*', 'x')}"


def _building(side: Side, cards: list[str], mirror: Path | None) -> Side:
    if side.files is not None:
        return side
    there = [card for card in cards if revisions.known(side.packages, card)]
    print(f"{side.label}: {side.about} builds {len(there)} networks, where they are not there yet", file=sys.stderr)
    return replace(side, files=revisions.built_by(side.packages, there, mirror))


def _python(spec: Spec) -> str:
    """Return what an interpreter says that it is. Raises BadInput where it is none, or too old."""
    code = "import sys; print(*sys.version_info[:3])"
    try:
        said = subprocess.run([spec.value, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
        version = tuple(map(int, said.split()))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise BadInput(f"SPEC {spec.text!r}: is no Python: it does not say its version") from error
    words = ".".join(map(str, version))
    if version < OLDEST:
        raise BadInput(f"SPEC {spec.text!r}: is Python {words}; a worker needs {'.'.join(map(str, OLDEST))} or later")
    return f"Python {words} at {spec.value}"


def files_in(folder: Path) -> dict[str, Path | str]:
    """Return the ONNX files of a zoo folder by card: ``NAME.onnx`` in it, or those of a store (``$ZOO_HOME``).

    Raises BadInput for a folder with neither.
    """
    flat: dict[str, list[Path]] = {path.stem: [path] for path in sorted(folder.glob("*.onnx"))}
    if not flat:
        for path in sorted(folder.glob("models/*/*.onnx")):
            if path.parent.name.rpartition("-")[0] == path.stem:
                flat.setdefault(path.stem, []).append(path)
    if not flat:
        raise BadInput(f"{folder}: holds no NAME.onnx and no models/ of a store; give one that does")
    return {name: _one(name, paths) for name, paths in flat.items()}


def _one(name: str, paths: list[Path]) -> Path | str:
    if len(paths) == 1:
        return paths[0]
    builds = ", ".join(path.parent.name for path in paths)
    return f"{len(paths)} builds of {name} ({builds}): give a folder with the one that is meant, as {name}.onnx"


def _probed(backend: str, form: str) -> devices.Probe:
    """Return the interpreter for a backend of the harness's own side; what it can do is looked at once."""
    key = (backend, form)
    if key not in _PROBES:
        _PROBES[key] = devices.probe(backend, "cpu", form)
    return _PROBES[key]


_PROBES: dict[tuple[str, str], devices.Probe] = {}


def backends_for(specs: tuple[Spec, Spec], text: str | None) -> dict[str, str]:
    """Return the backends to compare, name and what to import: those of ``--backend``, or those that a package is for.

    Without a package that is ``onnxruntime``. Raises BadInput for a backend that a package of a side is not for.
    """
    packages = [Requirement(spec.value).name for spec in specs if spec.kind == "package"]
    if text is not None:
        chosen = devices.known_backends(text)
        for backend, source in chosen.items():
            for package in packages:
                if not _needs(source, package):
                    raise BadInput(
                        f"--backend {backend}: runs without {package}; leave it out, or give one that needs it"
                    )
        return chosen
    if not packages:
        return {"onnxruntime": "onnxruntime"}
    found = [name for name in backends.names(listed=True) if all(_needs(name, package) for package in packages)]
    own = [name for name in found if backends.declared(name).code == name]  # opencv4 is the code of opencv
    if not own:
        raise BadInput(f"no backend needs {' and '.join(packages)}: name one with --backend, or give interpreters")
    return {name: name for name in own}


def _needs(backend: str, package: str) -> bool:
    declared = backends.declared(backend)
    wanted = canonicalize_name(package)
    needs = [one for need in declared.needs.get(ANY, ()) for one in need.split(" | ")]
    return any(canonicalize_name(Requirement(one).name) == wanted for one in needs)
