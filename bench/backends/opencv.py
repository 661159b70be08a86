"""OpenCV DNN of whatever cv2 is installed, on the CPU.

OpenCV 5 has two engines and its classic one gives wrong numbers when a used net gets a larger batch, so the new one is
named outright. CUDA is refused: OpenCV moves single layers back to the CPU with only a log line and offers no list of
where each layer ran that could prove otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from bench.types import Feeds, Session, Unavailable

DEVICES = ("cpu", "cuda")
NEEDS = (
    "opencv-python-headless>=4.10 | opencv-python>=4.10"
    " | opencv-contrib-python-headless>=4.10 | opencv-contrib-python>=4.10",
)


def version() -> str:
    """Return the version of the installed OpenCV."""
    import cv2

    return str(cv2.__version__)


def load(model: Path, device: str, threads: int) -> Session:
    """Open ``model`` with ``threads`` threads. Raises Unavailable for any device but the CPU."""
    import cv2

    if device != "cpu":
        raise Unavailable(_why_no_cuda())
    cv2.setNumThreads(threads)
    engine = getattr(cv2.dnn, "ENGINE_NEW", None)
    net = cv2.dnn.readNetFromONNX(str(model)) if engine is None else cv2.dnn.readNetFromONNX(str(model), engine)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    names = list(net.getUnconnectedOutLayersNames())

    def run(feeds: Feeds) -> Feeds:
        for name, array in feeds.items():
            net.setInput(array, name)
        return dict(zip(names, net.forward(names), strict=True))

    def placement() -> dict[str, int]:
        if engine is not None:  # the new engine has no other place to run than the CPU
            return {"OpenCV/CPU": len(net.getLayerNames())}
        return {f"OpenCV/{place}": n for place, n in Counter(re.findall(r"\\lOCV/(\w+)\\n", net.dump())).items()}

    return Session(run, placement, {"engine": "classic" if engine is None else "new"})


def _why_no_cuda() -> str:
    import cv2

    if not cv2.dnn.getAvailableTargets(cv2.dnn.DNN_BACKEND_CUDA):
        return f"OpenCV {version()} is built without the CUDA DNN backend (as every wheel is): use onnxruntime for cuda"
    if not cv2.cuda.getCudaEnabledDeviceCount():
        return f"OpenCV {version()} has a CUDA DNN backend but sees no CUDA device on this machine"
    return f"OpenCV {version()} cannot prove that every layer stays on the GPU: use onnxruntime for cuda"
