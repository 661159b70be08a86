"""A network in its original framework on its original files: the baseline that every speed-up is quoted against.

Caffe files are read by OpenCV 4, the last that can; its outputs bear the names of layers, which are those of Caffe's
blobs in every network of the zoo. Keras files run as a ``tf.function`` in Keras's own layout: Keras's ``predict`` would
add 60 ms of its own to every call. What either gets wrong is for the comparison of outputs to tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.backends.opencv import layers
from bench.types import Feeds, Session, Unavailable

READS = "source"
DEVICES = ("cpu",)
NEEDS = {
    "caffe": (
        "opencv-python-headless>=4.10,<5 | opencv-python>=4.10,<5"
        " | opencv-contrib-python-headless>=4.10,<5 | opencv-contrib-python>=4.10,<5",
    ),
    "keras": ("tensorflow-cpu>=2.20 | tensorflow>=2.20", "keras>=3.10", "h5py>=3.12", "onnx>=1.17"),
}
CONFIDENCE = 2
"""The column of a detector's rows that says how sure it is: OpenCV fills up with rows of zeros, Caffe does not."""


def version() -> str:
    """Import the framework and return its name and version.

    Where both are installed it is not known yet which one is needed: `load` imports it then, within its own time.
    """
    here = [name for name in ("cv2", "tensorflow") if find_spec(name)]
    if here == ["cv2"]:
        return _opencv_version()
    if here == ["tensorflow"]:
        return _keras_version()
    found = {one.metadata["Name"]: one.version for one in distributions()}
    return ", ".join(f"{name} {of}" for name, of in sorted(found.items()) if re.match("opencv|tensorflow|keras$", name))


def load(model: Mapping[str, Path], device: str, threads: int) -> Session:
    """Open a network's files by role, with ``threads`` threads: ``prototxt`` and ``caffemodel``, or ``model``."""
    if "prototxt" in model:
        return _caffe(model["prototxt"], model["caffemodel"], threads)
    return _keras(model["model"], threads)


def _opencv_version() -> str:
    import cv2

    return f"OpenCV {cv2.__version__}"


def _caffe(prototxt: Path, caffemodel: Path, threads: int) -> Session:
    import cv2

    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise Unavailable(f"OpenCV {cv2.__version__} has no Caffe importer: python -m bench env create source-caffe")
    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    names = list(net.getUnconnectedOutLayersNames())
    detects = {name for name in names if net.getLayer(name).type == "DetectionOutput"}

    def run(feeds: Feeds) -> Feeds:
        for name, array in feeds.items():
            net.setInput(array, name)
        made = dict(zip(names, net.forward(names), strict=True))
        return made | {name: made[name][:, :, made[name][0, 0, :, CONFIDENCE] > 0] for name in detects}

    def placement() -> dict[str, int]:
        return dict(Counter(layer.place for layer in layers(net.dump())))

    return Session(run, placement, {"version": _opencv_version(), "reader": "readNetFromCaffe", "engine": "classic"})


def _keras_version() -> str:
    from converters.keras.load import tensorflow

    tf = tensorflow()
    import keras

    return f"TensorFlow {tf.__version__}, Keras {keras.__version__}"


def _keras(path: Path, threads: int) -> Session:
    from converters.keras.load import Loaded, tensorflow
    from converters.keras.load import load as load_keras

    tf = tensorflow()  # with oneDNN's kernels
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    loaded: Loaded = load_keras(path)
    functions: dict[int, Any] = {}
    placed: list[dict[str, int]] = []

    def prepare(feeds: Feeds) -> Feeds:
        """Bring feeds in ONNX's layout into Keras's, in the order that the model takes them in."""
        return {
            one.name: np.ascontiguousarray(feeds[one.name].transpose(np.argsort(one.order)), dtype=one.dtype)
            for one in loaded.inputs
        }

    def first(batch: int, given: list[Any]) -> Any:
        functions[batch] = _function(tf, loaded, batch)
        made, ran_on = _placed(functions[batch], given)
        placed[:] = [ran_on]
        return made

    def run(feeds: Feeds) -> Feeds:
        given = [tf.constant(array) for array in feeds.values()]
        batch = len(given[0])
        made = functions[batch](*given) if batch in functions else first(batch, given)
        return {
            one.name: tensor.numpy().transpose(one.order).astype(np.float32, copy=False)
            for one, tensor in zip(loaded.outputs, made, strict=True)
        }

    details = {"version": _keras_version(), "graph": "tf.function, fixed shapes", "onednn": "on", "layout": "Keras's"}
    return Session(run, lambda: placed[0], details, prepare=prepare)


def _function(tf: Any, loaded: Any, batch: int) -> Any:
    """Trace the model for one batch size; its inputs are in Keras's layout."""
    signature = [tf.TensorSpec((batch, *one.shape[1:]), one.dtype) for one in loaded.inputs]

    def call(*tensors: Any) -> Any:
        return loaded.call(*tensors)

    return tf.function(call, input_signature=signature, autograph=False).get_concrete_function()


def _placed(function: Any, given: list[Any]) -> tuple[Any, dict[str, int]]:
    """Run a function for the first time; return what it gives, and how many of its operations are on which device.

    TensorFlow tells that when it lays out the graph, which is at the first run only. What computes is counted:
    constants, and what hands variables and arguments over, are not.
    """
    from tensorflow.python.eager import context  # nothing public tells where a function's operations are

    context.enable_run_metadata()
    try:
        made = function(*given)
        told = context.export_run_metadata()
    finally:
        context.disable_run_metadata()
    nodes = [node for graph in told.function_graphs for part in graph.partition_graphs for node in part.node]
    ran = [node.device.rpartition("device:")[2] for node in nodes if node.op not in HANDED_OVER]
    return made, {f"TensorFlow/{device.partition(':')[0]}": count for device, count in Counter(ran).items()}


HANDED_OVER = frozenset(
    {"Const", "Identity", "NoOp", "ReadVariableOp", "_Arg", "_DeviceArg", "_DeviceRetval", "_Retval"}
)
