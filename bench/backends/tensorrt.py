"""TensorRT, through ONNX Runtime's provider; what it has no layer for runs on the CUDA provider, and is a stray here.

An engine is built for the input shapes that it has seen: the first run at a new batch size builds one, which can take
minutes, and no cache hides that from the cold start. ONNX Runtime has no option for TF32, which TensorRT uses unless
told otherwise; NVIDIA's libraries read the environment for it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.backends._binding import on_device
from bench.backends._ort import CUDA, TENSORRT, open_on
from bench.types import Session

DEVICES = ("cuda",)
NEEDS = ("onnxruntime-gpu[cuda,cudnn]>=1.24", "tensorrt>=10,<11 | tensorrt-cu13>=10,<11 | tensorrt-cu12>=10,<11")
OPTIONS = {"tf32": ("off", "on")}

TF32 = "NVIDIA_TF32_OVERRIDE"
"""0: none of NVIDIA's libraries uses TF32. They read it when they start."""


def version() -> str:
    """Return the versions of the installed ONNX Runtime and, where it is a Python package, of TensorRT."""
    import onnxruntime as ort

    for package in ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"):
        with suppress(metadata.PackageNotFoundError):
            return f"{ort.__version__} with TensorRT {metadata.version(package)}"
    return str(ort.__version__)


def load(model: Path, device: str, threads: int, *, tf32: str = "off") -> Session:
    """Open ``model`` on TensorRT; half precision is allowed for a file that the zoo made in it (``.fp16.onnx``) alone.

    Raises Unavailable when the provider is missing, did not start, or got no node.
    """
    if tf32 == "off":
        os.environ[TF32] = "0"
    else:
        os.environ.pop(TF32, None)
    asked = {
        "trt_fp16_enable": "1" if model.name.endswith(".fp16.onnx") else "0",
        "trt_engine_cache_enable": "0",
        "trt_timing_cache_enable": "0",
    }
    behind = {"use_tf32": "1" if tf32 == "on" else "0"}

    def configure(options: Any) -> None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1

    if importlib.util.find_spec("tensorrt") is not None:
        importlib.import_module("tensorrt")  # loads TensorRT's libraries, which no loader path names
    opened = open_on(
        model,
        [(TENSORRT, asked), (CUDA, behind)],
        configure,
        "on a machine with a CUDA GPU: python -m bench env create tensorrt",
    )
    run, staged = on_device(opened.session, graph=False)
    details = {
        "provider": TENSORRT,
        "placement_from": opened.proof,
        "nodes": "of the network" if opened.proof == "assignment" else "a TensorRT subgraph counts as one",
        **opened.reported(asked),
        "tf32": tf32,
    }
    return Session(run, opened.placement, details, strays=opened.strays, staged=staged)
