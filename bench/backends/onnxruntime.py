"""ONNX Runtime, on the CPU or through its CUDA provider.

Asked for CUDA on a machine without it, ONNX Runtime falls back to the CPU with only a log line, and
``get_available_providers()`` lists CUDA all the same: only the session's own node assignment is believed here.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bench.types import Feeds, Session, Unavailable

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
DEVICES = tuple(PROVIDERS)
NEEDS = ("onnxruntime>=1.24 | onnxruntime-gpu>=1.24",)
PROVIDER_OPTIONS = {
    "cpu": {},
    # TF32 would change the numbers; the exhaustive search is cuDNN's default in ONNX Runtime, stated to be recorded.
    "cuda": {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"},
}


def version() -> str:
    """Return the version of the installed ONNX Runtime."""
    import onnxruntime as ort

    return str(ort.__version__)


def load(model: Path, device: str, threads: int) -> Session:
    """Open ``model`` on ``device`` with ``threads`` intra-op threads.

    Raises Unavailable when the device's provider is missing, cannot start, or did not get every node.
    """
    import onnxruntime as ort

    provider = PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise Unavailable(
            f"onnxruntime {version()} has no {provider} (it has {', '.join(ort.get_available_providers())}): "
            "on a machine with a CUDA GPU install the cuda extra instead of cpu"
        )
    if device == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # the CUDA and cuDNN libraries of the nvidia-* wheels, which no loader path names
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if device != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(str(model), options, providers=[(provider, PROVIDER_OPTIONS[device])])
    except Exception as error:
        if device == "cpu":
            raise
        raise Unavailable(f"onnxruntime {version()} cannot use {provider} on this machine: {_line(error)}") from error
    placed = Counter(part.ep_name for part in session.get_provider_graph_assignment_info() for _ in part.get_nodes())
    if placed.keys() != {provider}:
        raise Unavailable(f"onnxruntime {version()} placed nodes elsewhere than asked ({provider}): {dict(placed)}")
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Feeds) -> Feeds:
        return dict(zip(names, session.run(names, feeds), strict=True))

    return Session(run, lambda: dict(placed), {"provider": provider, **PROVIDER_OPTIONS[device]})


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
