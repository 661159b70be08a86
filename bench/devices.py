"""Which backends can really use which device here: each has to run a tiny network on it, in a worker of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import backends
from bench.host import gpus
from bench.parity import check_placement
from bench.process import WorkerFailed, open_worker
from bench.types import Unavailable
from converters.errors import NOT_USABLE, BadInput

DEVICES = ("cpu", "cuda")


class NotUsable(BadInput):
    """The device or the backend that was asked for is not usable here. One line a backend."""

    exit_code = NOT_USABLE


@dataclass(frozen=True)
class Probe:
    """Whether a backend can use a device: the runtime's version, or the reason why not."""

    backend: str
    device: str
    version: str | None
    reason: str | None


def probe(backend: str, device: str) -> Probe:
    """Run a tiny network in ``backend`` on ``device`` and say whether that worked."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "probe.onnx"
        model.write_bytes(_tiny_network())
        try:
            with open_worker(backend, device, threads=1, timeout=120) as worker:
                loaded, _ = worker.ask("load", model=str(model))
                answer, _ = worker.ask("run", {"x": np.ones((1, 3, 7, 5), dtype=np.float32)})
                check_placement(answer["placement"])
        except (Unavailable, WorkerFailed) as error:
            return Probe(backend, device, None, _with_advice(str(error)))
    return Probe(backend, device, loaded["version"], None)


def known_backends(text: str) -> dict[str, str]:
    """Return the backends that ``all`` or a comma-separated list names: name in the results, and what to import.

    A word ending in .py is a file of the user's own. Raises BadInput for a word that is neither that nor a backend.
    """
    if text == "all":
        return {name: name for name in backends.names()}
    chosen = {}
    for word in (word.strip() for word in text.split(",")):
        if word.endswith(".py"):
            if not Path(word).is_file():
                raise BadInput(f"no backend file {word}")
            chosen[backends.own_name(Path(word))] = word
        elif word not in backends.names():
            raise BadInput(f"no backend {word!r}; there are: {', '.join(backends.names())}")
        else:
            chosen[word] = word
    return chosen


def choose(chosen: Mapping[str, str], device: str, *, named: bool) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the device of each backend, the reason of each that cannot be used, and what was chosen and why.

    ``chosen``: name and what to import; ``device``: ``cpu``, ``cuda``, or ``auto`` for CUDA wherever it can be proved;
    ``named``: whether the user named the backends one by one.
    Raises NotUsable when none is usable, or when one that was named is not.
    """
    devices: dict[str, str] = {}
    refused: dict[str, str] = {}
    notes: list[str] = []
    wanted = ("cuda", "cpu") if device == "auto" and gpus() else ("cpu",) if device == "auto" else (device,)
    for backend, source in chosen.items():
        probes = []
        for candidate in wanted:
            probes.append(probe(source, candidate))
            if probes[-1].reason is None:
                break
        devices[backend] = probes[-1].device
        if probes[-1].reason is not None:
            refused[backend] = probes[-1].reason
        elif device == "auto":
            notes.append(f"{backend} runs on {probes[-1].device}: {_why(probes)}")
    if refused and (named or len(refused) == len(chosen)):
        lines = [f"{backend} on {devices[backend]}: {reason}" for backend, reason in refused.items()]
        raise NotUsable("not usable on this machine:", lines)
    return devices, refused, notes


def _why(probes: Sequence[Probe]) -> str:
    if len(probes) > 1:
        return f"cuda is not usable ({probes[0].reason})"
    return "proved usable" if probes[0].device == "cuda" else "no NVIDIA driver lists a GPU here"


def _with_advice(reason: str) -> str:
    if "No module named 'onnxruntime'" in reason:
        return "onnxruntime is not installed: pip install 'agebench[cpu]', or 'agebench[cuda]' for a CUDA GPU"
    return reason


def _tiny_network() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((2, 3, 3, 3), dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 7, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2, 5, 3])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
