"""What the backends on ONNX Runtime share: a session on the provider that was asked for, and where its nodes are.

ONNX Runtime never says outright that a provider did not start. It logs a line and gives the session to the next one;
and where falling back to the CPU is forbidden, its error is word for word that of a graph of which a single node has no
kernel on the GPU. So after that error the session is opened once more without the ban: its list of providers tells
whether the provider started at all, its node assignment what it got.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.backends._stderr import heard
from bench.types import Unavailable

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"

Provider = tuple[str, Mapping[str, str]]
"""A provider and its options."""

NO_KERNEL = "assigned to the default CPU EP"
"""In the error of a session that may not fall back to the CPU, and would."""

BROKEN_FILE = {"NoSuchFile", "NoModel", "InvalidProtobuf", "InvalidGraph"}
"""ONNX Runtime's errors that are about the model, whatever the device."""

COPIES = {"MemcpyFromHost", "MemcpyToHost"}
"""What ONNX Runtime adds to a graph to move tensors; no nodes of the network."""


@dataclass(frozen=True)
class Node:
    """A node of the graph, and the provider that runs it."""

    name: str
    provider: str


@dataclass(frozen=True)
class Opened:
    """A session, and what the provider that it was opened on runs of it."""

    session: Any
    provider: str
    nodes: tuple[Node, ...]
    proof: str
    """what told where the nodes are: ``assignment`` or ``profile``"""

    def placement(self) -> dict[str, int]:
        """Return how many nodes each provider runs, the one that was asked for first."""
        counted = Counter(node.provider for node in self.nodes)
        return {self.provider: counted.pop(self.provider), **counted}

    def strays(self) -> tuple[str, ...]:
        """Return the names of the nodes that another provider runs."""
        return tuple(node.name for node in self.nodes if node.provider != self.provider)

    def reported(self, asked: Mapping[str, str]) -> dict[str, str]:
        """Return the values that the session itself reports for the provider options ``asked``."""
        told = self.session.get_provider_options().get(self.provider, {})
        return {name: str(told.get(name, "not reported")) for name in asked}


def open_on(model: Path, providers: Sequence[Provider], configure: Callable[[Any], None], advice: str = "") -> Opened:
    """Open ``model`` on the first of ``providers``; the others take what it has no kernel for, before the CPU does.

    ``configure`` sets the session's options; ``advice`` says what to do where the provider is missing.
    Raises Unavailable when it is, when it did not start, when it runs no node, or when nothing tells where the nodes
    are.
    """
    import onnxruntime as ort

    wanted = providers[0][0]
    if wanted not in ort.get_available_providers():
        have = ", ".join(ort.get_available_providers())
        raise Unavailable(f"onnxruntime {ort.__version__} has no {wanted} (it has {have}): {advice}")
    if wanted != CPU and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # the CUDA and cuDNN libraries of the nvidia-* packages, which no loader path names

    def start(*, strict: bool = False, profile: Path | None = None) -> Any:
        options = ort.SessionOptions()
        configure(options)
        options.log_severity_level = 4
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if strict:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile)
        # without enable_fallback=0 the Python wrapper answers some errors with a session on the CPU
        return ort.InferenceSession(str(model), options, providers=list(providers), enable_fallback=0)

    session = start() if wanted == CPU else _strictly(start, wanted)
    nodes, proof = _assigned(session), "assignment"
    if not nodes:
        session, nodes = _profiled(start)
        proof = "profile"
    if not nodes:
        raise Unavailable(f"onnxruntime {ort.__version__} does not say where its nodes run: nothing is proved")
    if all(node.provider != wanted for node in nodes):
        placed = dict(Counter(node.provider for node in nodes))
        raise Unavailable(f"onnxruntime {ort.__version__}: {wanted} started but runs no node of this network: {placed}")
    return Opened(session, wanted, nodes, proof)


def _strictly(start: Callable[..., Any], wanted: str) -> Any:
    """Start a session that may not fall back to the CPU; where that cannot be, one that may.

    Raises Unavailable where the provider did not start.
    """
    import onnxruntime as ort

    cannot = f"onnxruntime {ort.__version__} cannot use {wanted} on this machine"
    session: Any = None
    failed: Exception | None = None
    with heard() as lines:
        try:
            session = _where_it_can(start)
        except Exception as error:
            if type(error).__name__ in BROKEN_FILE:
                raise
            failed = error
    if failed is not None:
        said = " ".join(str(failed).split())
        why = _reason([*lines, said]) or said[:300]
        raise Unavailable(f"{cannot}: {why}") from failed
    first = session.get_providers()[0]
    if first != wanted:
        why = _reason(lines)
        raise Unavailable(f"{cannot} and fell back to {first}{f': {why}' if why else ''}")
    return session


def _where_it_can(start: Callable[..., Any]) -> Any:
    try:
        return start(strict=True)
    except Exception as error:
        if NO_KERNEL not in str(error):
            raise
        return start()


def _assigned(session: Any) -> tuple[Node, ...]:
    """Return the nodes as the session assigned them; none where this ONNX Runtime does not tell."""
    tell = getattr(session, "get_provider_graph_assignment_info", None)
    parts = [] if tell is None else tell()
    return tuple(Node(node.name or node.op_type, part.ep_name) for part in parts for node in part.get_nodes())


def _profiled(start: Callable[..., Any]) -> tuple[Any, tuple[Node, ...]]:
    """Start a session with the profiler on, run it once on zeros, and return it with the nodes that the profile has."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        session = start(profile=Path(folder) / "profile")
        options = ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", "-1")  # no CUDA graph is captured of this run
        session.run(None, {given.name: _zeros(given) for given in session.get_inputs()}, options)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return session, nodes_of_profile(events)


def nodes_of_profile(events: Sequence[Mapping[str, Any]]) -> tuple[Node, ...]:
    """Return the nodes of a profile, each once, without the copies that ONNX Runtime added."""
    found: dict[str, Node] = {}
    for event in events:
        said = event.get("args", {})
        if event.get("cat") == "Node" and said.get("provider") and said.get("op_name") not in COPIES:
            name = event["name"].removesuffix("_kernel_time")
            found.setdefault(name, Node(name, said["provider"]))
    return tuple(found.values())


NUMPY = {"float": "f4", "float16": "f2", "double": "f8", "uint8": "u1", "int8": "i1", "int32": "i4", "int64": "i8"}


def _zeros(given: Any) -> np.ndarray[Any, Any]:
    kind = given.type.removeprefix("tensor(").removesuffix(")")
    return np.zeros([size if isinstance(size, int) else 1 for size in given.shape], NUMPY[kind])


REASONS = (r"Failed to load .*", r"Error loading .*", r"\w+ failure \d+: .*", r"Failed to create .*")
"""What ONNX Runtime says of a provider that does not start, what says most first."""


def _reason(lines: Sequence[str]) -> str:
    """Return why a provider did not start, without paths and the host's name, which ONNX Runtime adds to it."""
    for pattern in REASONS:
        for line in lines:
            if found := re.search(pattern, line):
                return re.sub(r"/\S*/", "", found[0].partition(" ; GPU=")[0]).strip()[:300]
    return ""
