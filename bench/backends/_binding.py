"""A session on the GPU fed through IO binding: from host tensors to host tensors, every copy and wait counted.

An output that the session allocated stays bound, and the next run would write into it, whatever its shape is by then:
outputs are bound anew for each run. A CUDA graph is the opposite case: it replays with the addresses that it was
captured with, so each set of input shapes has buffers and a graph of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from bench.types import Feeds, Run, Stages

Staged = Callable[[Feeds], tuple[Feeds, Stages]]

NO_GRAPH = "-1"
"""The graph id of a run that neither captures nor replays."""


@dataclass(frozen=True)
class Bound:
    """What is bound for one set of input shapes: inputs in buffers of the device, and the graph that is replayed."""

    binding: Any
    inputs: dict[str, Any]
    options: Any


def on_device(session: Any, *, graph: bool) -> tuple[Run, Staged]:
    """Return how to run ``session``, and how to run it with the milliseconds of its stages.

    The stages are the very steps of a run, one after the other: host tensors into buffers of the device, inference,
    outputs into host tensors; each is waited for before the next begins. ``graph``: replay a CUDA graph.
    """
    names = [output.name for output in session.get_outputs()]
    held: dict[tuple[Any, ...], Bound] = {}

    def put(feeds: Feeds) -> Bound:
        shapes = tuple((name, array.shape, array.dtype.str) for name, array in feeds.items())
        if shapes not in held:
            held[shapes] = _bind(session, feeds, names, str(len(held) + 1) if graph else None)
        bound = held[shapes]
        for name, array in feeds.items():
            bound.inputs[name].update_inplace(array)
        bound.binding.synchronize_inputs()
        return bound

    def infer(bound: Bound) -> None:
        if not graph:
            _outputs_anew(bound.binding, names)
        session.run_with_iobinding(bound.binding, bound.options)
        bound.binding.synchronize_outputs()

    def take(bound: Bound) -> Feeds:
        return dict(zip(names, bound.binding.copy_outputs_to_cpu(), strict=True))

    def run(feeds: Feeds) -> Feeds:
        bound = put(feeds)
        infer(bound)
        return take(bound)

    def staged(feeds: Feeds) -> tuple[Feeds, Stages]:
        begin = perf_counter_ns()
        bound = put(feeds)
        there = perf_counter_ns()
        infer(bound)
        done = perf_counter_ns()
        outputs = take(bound)
        back = perf_counter_ns()
        stages = {"host_to_device": there - begin, "inference": done - there, "device_to_host": back - done}
        return outputs, {name: nanoseconds / 1e6 for name, nanoseconds in stages.items()}

    return run, staged


def _bind(session: Any, feeds: Feeds, names: list[str], graph_id: str | None) -> Bound:
    """Give the inputs buffers on the device; with ``graph_id``, fix the outputs too and capture a graph of that id."""
    import onnxruntime as ort

    binding = session.io_binding()
    inputs = {name: ort.OrtValue.ortvalue_from_numpy(array, "cuda", 0) for name, array in feeds.items()}
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    if graph_id is None:
        return Bound(binding, inputs, None)
    _outputs_anew(binding, names)
    session.run_with_iobinding(binding, _run_options(NO_GRAPH))
    for name, value in zip(names, binding.get_outputs(), strict=True):
        binding.bind_ortvalue_output(name, value)
    options = _run_options(graph_id)
    session.run_with_iobinding(binding, options)  # captures: what is compared and timed after this is a replay
    return Bound(binding, inputs, options)


def _outputs_anew(binding: Any, names: list[str]) -> None:
    for name in names:
        binding.bind_output(name, "cuda", 0)


def _run_options(graph_id: str) -> Any:
    import onnxruntime as ort

    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", graph_id)
    return options
