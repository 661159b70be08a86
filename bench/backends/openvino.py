"""OpenVINO on the CPU, in single precision: left to itself it computes in bfloat16 where a CPU has that.

A batch size is compiled for when it first comes: with every shape fixed OpenVINO plans memory and picks kernels ahead.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from bench.types import Feeds, Session, Unavailable

DEVICES = ("cpu",)
NEEDS = ("openvino>=2025.3",)
OPTIONS = {"shape": ("static", "dynamic")}
NO_WORK = frozenset({"Const", "Input", "Output"})
"""Layer types that compute nothing."""


def version() -> str:
    """Return the version of the installed OpenVINO."""
    import openvino

    return str(openvino.__version__).partition("-")[0]


def load(model: Path, device: str, threads: int, shape: str = "static") -> Session:
    """Read ``model``; it is compiled with ``threads`` threads at the first run, or the first of each batch size.

    ``shape``: ``static`` compiles for each batch size, ``dynamic`` once for all.
    """
    import openvino

    core = openvino.Core()
    network = core.read_model(str(model))
    names = [output.any_name for output in network.outputs]
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # the worker is pinned already
    }
    requests: dict[int | None, Any] = {}
    compiled: list[Any] = []
    details = {"shape": shape}

    def open_for(batch: int | None) -> Any:
        fixed = network.clone()
        if batch is not None:
            fixed.reshape({one.any_name: [batch, *list(one.partial_shape)[1:]] for one in network.inputs})
        made = core.compile_model(fixed, "CPU", settings)
        compiled[:] = [made]
        details.update(_told(made))
        return made.create_infer_request()

    def run(feeds: Feeds) -> Feeds:
        batch = len(next(iter(feeds.values()))) if shape == "static" else None
        if batch not in requests:
            requests[batch] = open_for(batch)
        made = requests[batch].infer(feeds, share_inputs=True)  # outputs are copied: the next run writes over its own
        return {name: made[index] for index, name in enumerate(names)}

    return Session(run, lambda: _placement(compiled[0]), details)


def _told(compiled: Any) -> dict[str, str]:
    """Return what a compiled model itself says of how it runs."""
    return {
        "precision": compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(),
        "threads": str(compiled.get_property("INFERENCE_NUM_THREADS")),
        "streams": str(compiled.get_property("NUM_STREAMS")),
        "hint": str(compiled.get_property("PERFORMANCE_HINT")),
        "pinning": str(compiled.get_property("ENABLE_CPU_PINNING")),
    }


def _placement(compiled: Any) -> dict[str, int]:
    """Return how many nodes of the graph that is executed compute on the CPU, which has to be the only device."""
    devices = list(compiled.get_property("EXECUTION_DEVICES"))
    if devices != ["CPU"]:
        raise Unavailable(f"openvino executes on {', '.join(devices)}, not on the CPU alone")
    layers = Counter(_text(node.get_rt_info()["layerType"]) for node in compiled.get_runtime_model().get_ops())
    return {"OpenVINO/CPU": sum(count for layer, count in layers.items() if layer not in NO_WORK)}


def _text(value: Any) -> str:
    return str(value.astype(str)) if hasattr(value, "astype") else str(value)
