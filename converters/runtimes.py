"""The runtimes that can run a converted model here, each as one function: model and inputs in, outputs out.

Made for checking, not for speed: the model is loaded anew for each call, so no call sees what an earlier one left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Model = Path | bytes
Runtime = Callable[[Model, Mapping[str, Array]], dict[str, Array]]


def run_onnxruntime(model: Model, feeds: Mapping[str, Array], *, optimised: bool = True) -> dict[str, Array]:
    """Run a model in ONNX Runtime on the CPU; ``feeds`` are its inputs, float32. Returns its outputs by name.

    ``optimised=False`` runs the graph node by node as it is written.
    """
    import onnxruntime as ort

    source, options = model if isinstance(model, bytes) else str(model), ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def run_opencv(model: Model, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Run a model in OpenCV's dnn module on the CPU; in OpenCV 5 by its new engine, the old one is wrong there.

    ``feeds`` are the model's inputs, float32. Returns its outputs by name.
    """
    import cv2
    import numpy as np
    import onnx

    data = model if isinstance(model, bytes) else model.read_bytes()
    buffer = np.frombuffer(data, dtype=np.uint8)
    engine = getattr(cv2.dnn, "ENGINE_NEW", None)
    net = cv2.dnn.readNetFromONNX(buffer) if engine is None else cv2.dnn.readNetFromONNX(buffer, engine)
    for name, feed in feeds.items():
        net.setInput(feed, name)
    names = [output.name for output in onnx.load_from_string(data).graph.output]
    return dict(zip(names, net.forward(names), strict=True))


RUNTIMES: dict[str, Runtime] = {"onnxruntime": run_onnxruntime, "opencv": run_opencv}
NODE_BY_NODE: dict[str, Runtime] = {"onnxruntime": partial(run_onnxruntime, optimised=False), "opencv": run_opencv}
"""The same, without the runtime's own optimisation of the graph where that can be switched off."""

LONGEST_REASON = 200


def attempt(run: Runtime, model: Model, feeds: Mapping[str, Array]) -> dict[str, Array] | str:
    """Run a model; returns its outputs, or in a line why it did not run."""
    try:
        return run(model, feeds)
    except Exception as error:  # noqa: BLE001 - what a runtime cannot run is a result; the others still have their turn
        text = re.sub(r"^OpenCV\(\S+\) \S+ error: ", "", " ".join(str(error).split()))
        return (text or type(error).__name__)[:LONGEST_REASON]


def run_evaluator(model: Model, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Run a model in ONNX's own evaluator: slow, and wrong for LRN where batch and channels differ."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)
    return dict(zip(evaluator.output_names, evaluator.run(None, dict(feeds)), strict=True))


def available() -> dict[str, str]:
    """Return each runtime's version, or why it cannot be used here (``not installed: ..``)."""
    found = {}
    for name, module in (("onnxruntime", "onnxruntime"), ("opencv", "cv2")):
        try:
            found[name] = str(__import__(module).__version__)
        except ImportError as error:
            found[name] = f"not installed: {error}"
    return found
