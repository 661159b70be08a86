"""The runtimes that can run a converted model here, each as one function: model and inputs in, outputs out.

Made for checking, not for speed: the model is loaded anew for each call, so no call sees what an earlier one left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Model = Path | bytes
Runtime = Callable[[Model, Mapping[str, Array]], dict[str, Array]]


def run_onnxruntime(model: Model, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Run a model in ONNX Runtime on the CPU; ``feeds`` are its inputs, float32. Returns its outputs by name."""
    import onnxruntime as ort

    source = model if isinstance(model, bytes) else str(model)
    session = ort.InferenceSession(source, providers=["CPUExecutionProvider"])
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


def available() -> dict[str, str]:
    """Return each runtime's version, or why it cannot be used here (``not installed: ..``)."""
    found = {}
    for name, module in (("onnxruntime", "onnxruntime"), ("opencv", "cv2")):
        try:
            found[name] = str(__import__(module).__version__)
        except ImportError as error:
            found[name] = f"not installed: {error}"
    return found
