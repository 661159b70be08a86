"""Whether a converted Caffe network gives what its files say, on every runtime that is here.

The judge is the layers in numpy, in double precision, which the tests hold against Caffe itself. OpenCV 4 reads Caffe
too and is asked as a witness; it decides nothing, since it reads some fields wrongly (``lrn_param.k``, ``transpose``,
``pad_w`` without ``pad_h``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters.caffe.kind import Array, kinds
from converters.caffe.net import Net
from converters.caffe.reference import run
from converters.errors import BadInput
from converters.runtimes import RUNTIMES, attempt, available
from converters.verify import Comparison, Run, compare, seeded_inputs

SQUASHING = ("Sigmoid", "Softmax", "TanH")


def made_up_inputs(net: Net, batch: int, largest: float = 128) -> dict[str, Array]:
    """Return inputs for a network, the same on each call; a network with a fixed batch gets its own batch size.

    Numbers are like pixels less their mean, up to ``largest`` either way, but where a layer needs others, such as the
    indices of Embed.
    """
    found = seeded_inputs({name: shape for name, shape in net.inputs.items() if net.symbols[name]}, batch, largest)
    for name, shape in net.inputs.items():
        if not net.symbols[name]:
            found |= {name: seeded_inputs({name: shape}, shape[0], largest)[name]}
    generator = np.random.default_rng(batch)
    for op in net.layers:
        holds = kinds()[op.type].holds
        for index, bottom in enumerate(op.bottoms):
            if holds is not None and bottom in found:
                numbers = holds(op, index, generator, found[bottom].shape)
                found[bottom] = found[bottom] if numbers is None else numbers.astype(np.float32)
    return {name: found[name] for name in net.inputs}


def scales(net: Net) -> tuple[int, ...]:
    """Return how large inputs are made up: like pixels, and small; only small for detections.

    Large ones make many scores equal, whose rows may then stand in any order.
    """
    return (1,) if any(net.symbols[name].keys() - {0} for name in net.outputs) else (128, 1)


def verify(
    net: Net, model: Path | bytes, prototxt: Path, caffemodel: Path | None
) -> tuple[list[Comparison], dict[str, str]]:
    """Compare a converted network with its source on every runtime that is installed, at batch 1 and 3.

    The inputs are as large as `scales` says. Without a caffemodel OpenCV 4 is not asked. Returns the rows, and why a
    runtime cannot run the network, by its name. Raises BadInput when there is no runtime.
    """

    def judge(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            blobs = run(net, feeds)
            return {name: blobs[name].astype(np.float32) for name in net.outputs}

    def on(name: str) -> Run:
        return lambda feeds: RUNTIMES[name](model, feeds)

    versions = {name: version for name, version in available().items() if not version.startswith("not installed")}
    if not versions:
        raise BadInput(f"no runtime to verify on; install one of: {', '.join(RUNTIMES)}")
    inputs = [made_up_inputs(net, batch, largest) for largest in scales(net) for batch in (1, 3)]
    refused = {name: said for name in versions if isinstance(said := attempt(RUNTIMES[name], model, inputs[0]), str)}
    runs = {f"{name} {version}": on(name) for name, version in versions.items() if name not in refused}
    rows = compare(judge, runs, inputs) + _before_the_last(net, model, list(runs), inputs[-2:])
    rows += _second_witness(judge, net, prototxt, caffemodel, inputs)
    return rows, {f"{name} {versions[name]}": said for name, said in refused.items()}


def _before_the_last(
    net: Net, model: Path | bytes, runtimes: Sequence[str], inputs: list[dict[str, Array]]
) -> list[Comparison]:
    """Compare what goes into a last Softmax or Sigmoid too: those forget the numbers where one is much the largest."""
    import onnx

    squashed = {op.bottoms[0] for op in net.layers if op.type in SQUASHING and not set(op.tops).isdisjoint(net.outputs)}
    whole = onnx.load(model, format="protobuf") if isinstance(model, Path) else onnx.load_from_string(model)
    made = {name for node in whole.graph.node for name in node.output} - set(net.outputs)
    names = [name for name in net.shapes if name in squashed & made]
    if not names:
        return []
    sizes = {n: [net.symbols[n].get(axis, size) for axis, size in enumerate(net.shapes[n])] for n in names}
    outputs = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape) for n, shape in sizes.items()]
    del whole.graph.output[:]
    whole.graph.output.extend(outputs)
    data = whole.SerializeToString()

    def judge(feeds: Mapping[str, Array]) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            blobs = run(net, feeds)
            return {name: blobs[name].astype(np.float32) for name in names}

    def on(runtime: str) -> Run:
        return lambda feeds: RUNTIMES[runtime.split()[0]](data, feeds)

    return compare(judge, {runtime: on(runtime) for runtime in runtimes}, inputs)


def _second_witness(
    judge: Run, net: Net, prototxt: Path, caffemodel: Path | None, inputs: list[dict[str, Array]]
) -> list[Comparison]:
    """Compare with OpenCV's own Caffe importer, where the installed OpenCV has one that takes the network."""
    try:
        import cv2
    except ImportError:
        return []
    reader: Any = getattr(cv2.dnn, "readNetFromCaffe", None)  # OpenCV 5 has none
    if caffemodel is None or reader is None:
        return []
    makers = {top: op.name for op in net.layers for top in op.tops}

    def read_by_opencv(feeds: Mapping[str, Array]) -> dict[str, Array]:
        opencv: Any = reader(str(prototxt), str(caffemodel))
        for name, feed in feeds.items():
            opencv.setInput(feed, name)
        outputs = opencv.forward([makers[name] for name in net.outputs])
        return dict(zip(net.outputs, outputs, strict=True))

    try:
        rows = compare(judge, {f"opencv {cv2.__version__} reading Caffe (a witness)": read_by_opencv}, inputs)
    except cv2.error:  # it refuses networks that Caffe takes
        return []
    return [Comparison(row.output, row.runtime, row.difference, None) for row in rows]
