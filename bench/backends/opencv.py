"""OpenCV DNN of whatever cv2 is installed, on the CPU or, where it is built with CUDA, on the GPU.

OpenCV 5 has two engines, and its classic one gives wrong numbers when a used net gets a larger batch; the new one is
right and knows no GPU. On CUDA OpenCV moves single layers back to the CPU with only a log line. What is proved is read
from the net itself once it has run: ``dump()`` says of each layer whether it has a node of the CUDA backend, and having
one or not is what OpenCV decides by when it runs the layer. A layer that is fused into another and has no node of its
own is then told as a stray although it costs nothing: the proof errs to that side alone.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from bench.types import Feeds, Session, Unavailable

DEVICES = ("cpu", "cuda")
NEEDS = (
    "opencv-python-headless>=4.10 | opencv-python>=4.10"
    " | opencv-contrib-python-headless>=4.10 | opencv-contrib-python>=4.10",
)
REMEDIES = {"cuda": "--backend onnxruntime, or an OpenCV that you built with CUDA"}
OPTIONS = {"engine": ("default", "new", "classic")}

NOT_KNOWN = (-210, -213)
"""OpenCV's codes for what it does not support and what it has not implemented."""


class Layer(NamedTuple):
    """A layer of a net that has run: its name, and where it runs, as ``OpenCV/CPU`` or ``OpenCV/CUDA``."""

    name: str
    place: str


def version() -> str:
    """Return the version of the installed OpenCV."""
    import cv2

    return str(cv2.__version__)


def load(model: Path, device: str, threads: int, *, engine: str = "default") -> Session:
    """Open ``model`` with ``threads`` threads.

    ``engine``: by default the new one where there is one and it can use the device, else the classic one.
    Raises Unavailable for an engine that is not there, or that cannot use the device; and for CUDA unless this OpenCV
    has its CUDA backend and sees a GPU. The first run raises it where no layer runs on the GPU.
    """
    import cv2

    if device == "cuda":
        _refuse_without_cuda()
    chosen = _engine(engine, device)
    cv2.setNumThreads(threads)
    net = _read(model, chosen)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_CUDA if device == "cuda" else cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CUDA if device == "cuda" else cv2.dnn.DNN_TARGET_CPU)
    names = list(net.getUnconnectedOutLayersNames())
    place = f"OpenCV/{device.upper()}"

    def run(feeds: Feeds) -> Feeds:
        for name, array in feeds.items():
            net.setInput(array, name)
        return dict(zip(names, net.forward(names), strict=True))

    def placement() -> dict[str, int]:
        if chosen == "new":  # it has no other place to run than the CPU
            return {"OpenCV/CPU": len(net.getLayerNames())}
        counted = Counter(layer.place for layer in layers(net.dump()))
        if place not in counted:
            raise Unavailable(f"OpenCV {version()} runs no layer of this network on {place}: {dict(counted)}")
        return {place: counted.pop(place), **counted}

    def strays() -> tuple[str, ...]:
        return () if chosen == "new" else tuple(x.name for x in layers(net.dump()) if x.place != place)

    return Session(run, placement, {"engine": chosen}, strays=strays)


def layers(dump: str) -> list[Layer]:
    """Return the layers of a net's ``dump()``, layers that are fused into one record once.

    A record's label ends with backend and target. ``CUDA/..`` has a node of the CUDA backend; ``OCV/CUDA``, with the
    target that was asked for and without such a node, runs on the CPU.
    """
    found = []
    for label, backend, target in re.findall(r'^\t"[^\n]*? \[label="([^\n]*?)(OCV|CUDA)/(\w+)\\n', dump, re.MULTILINE):
        on = "CUDA" if backend == "CUDA" else "CPU" if target.startswith("CUDA") else target
        found.append(Layer(label.lstrip("{").partition("\\n")[0], f"OpenCV/{on}"))
    return found


def _engine(asked: str, device: str) -> str:
    import cv2

    if not hasattr(cv2.dnn, "ENGINE_NEW"):
        if asked == "new":
            raise Unavailable(f"OpenCV {version()} has no new engine, only its own: --option engine=default")
        return "classic"
    if device == "cuda":
        if asked == "new":
            raise Unavailable(f"OpenCV {version()}: the new engine runs on the CPU only: --option engine=classic")
        return "classic"
    return "new" if asked == "default" else asked


def _read(model: Path, engine: str) -> Any:
    """Read a network. Raises Unavailable for one that has what this OpenCV knows no way to read, and says so."""
    import cv2

    try:
        if not hasattr(cv2.dnn, "ENGINE_NEW"):
            return cv2.dnn.readNetFromONNX(str(model))
        return cv2.dnn.readNetFromONNX(str(model), cv2.dnn.ENGINE_NEW if engine == "new" else cv2.dnn.ENGINE_CLASSIC)
    except cv2.error as error:
        if error.code not in NOT_KNOWN or "Failed to parse" in error.err:  # a damaged file is no limit of OpenCV's
            raise
        raise Unavailable(f"OpenCV {version()} cannot read this network: {' '.join(error.err.split())}") from error


def _refuse_without_cuda() -> None:
    import cv2

    if cv2.dnn.DNN_TARGET_CUDA not in cv2.dnn.getAvailableTargets(cv2.dnn.DNN_BACKEND_CUDA):
        raise Unavailable(
            f"OpenCV {version()} has no CUDA DNN backend (no wheel is built with it): use onnxruntime for cuda"
        )
    if cv2.cuda.getCudaEnabledDeviceCount() < 1:
        raise Unavailable(f"OpenCV {version()} has a CUDA DNN backend but sees no CUDA device on this machine")
