"""ONNX Runtime, on the CPU or through its CUDA provider.

Asked for CUDA on a machine without it, ONNX Runtime falls back to the CPU with only a log line, and
``get_available_providers()`` lists CUDA all the same: only the session's own providers and node assignment are
believed here (`bench.backends._ort`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.backends._binding import on_device
from bench.backends._ort import CPU, CUDA, open_on
from bench.types import Feeds, Session

DEVICES = ("cpu", "cuda")
NEEDS = ("onnxruntime>=1.24 | onnxruntime-gpu>=1.24",)
REMEDIES = {"cuda": "pip install 'agebench[cuda]' instead of [cpu], on a machine with an NVIDIA GPU"}
OPTIONS = {
    # TF32 would change the numbers; the exhaustive search is cuDNN's default in ONNX Runtime, stated to be recorded.
    "tf32": ("off", "on"),
    "cudnn_search": ("exhaustive", "heuristic", "default"),
    "cuda_graph": ("off", "on"),
}


def version() -> str:
    """Return the version of the installed ONNX Runtime."""
    import onnxruntime as ort

    return str(ort.__version__)


def load(
    model: Path,
    device: str,
    threads: int,
    *,
    tf32: str = "off",
    cudnn_search: str = "exhaustive",
    cuda_graph: str = "off",
) -> Session:
    """Open ``model`` on ``device`` with ``threads`` intra-op threads.

    ``tf32``, ``cudnn_search`` and ``cuda_graph`` are of CUDA; on the CPU they mean nothing and are not recorded.
    Raises Unavailable when the device's provider is missing, did not start, or got no node.
    """
    if device == "cpu":
        return _on_cpu(model, threads)
    asked = {
        "use_tf32": "1" if tf32 == "on" else "0",
        "cudnn_conv_algo_search": cudnn_search.upper(),
        "enable_cuda_graph": "1" if cuda_graph == "on" else "0",
    }
    return _on_cuda(model, threads, asked, graph=cuda_graph == "on")


def _cpu_options(options: Any, threads: int) -> None:
    """Set what a session on the CPU runs with."""
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1


def _on_cpu(model: Path, threads: int) -> Session:
    opened = open_on(model, [(CPU, {})], lambda options: _cpu_options(options, threads))
    names = [output.name for output in opened.session.get_outputs()]

    def run(feeds: Feeds) -> Feeds:
        return dict(zip(names, opened.session.run(names, feeds), strict=True))

    return Session(run, opened.placement, {"provider": CPU}, strays=opened.strays)


def _on_cuda(model: Path, threads: int, asked: dict[str, str], *, graph: bool) -> Session:
    def configure(options: Any) -> None:
        options.intra_op_num_threads = threads  # for the nodes that stay on the CPU, if any
        options.inter_op_num_threads = 1

    opened = open_on(
        model, [(CUDA, asked)], configure, "on a machine with a CUDA GPU install the cuda extra instead of cpu"
    )
    run, staged = on_device(opened.session, graph=graph)
    details = {"provider": CUDA, "placement_from": opened.proof, **opened.reported(asked)}
    return Session(run, opened.placement, details, strays=opened.strays, staged=staged)
