"""Whether a converted Caffe network gives what its files say, on every runtime that is here.

The judge is the layers in numpy, in double precision, which the tests hold against Caffe itself. OpenCV 4 reads Caffe
too and is asked as a witness; it decides nothing, since it reads some fields wrongly (``lrn_param.k``, ``transpose``,
``pad_w`` without ``pad_h``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converters.caffe.kind import Array, kinds
from converters.caffe.net import Net
from converters.caffe.reference import run
from converters.errors import BadInput
from converters.runtimes import RUNTIMES, available
from converters.verify import Comparison, Run, compare, seeded_inputs


def made_up_inputs(net: Net, batch: int) -> dict[str, Array]:
    """Return inputs for a network, the same on each call; a network with a fixed batch gets its own batch size.

    Numbers are like pixels less their mean, but where a layer needs others, such as the indices of Embed.
    """
    found = seeded_inputs({name: shape for name, shape in net.inputs.items() if net.symbols[name]}, batch)
    for name, shape in net.inputs.items():
        if not net.symbols[name]:
            found |= {name: seeded_inputs({name: shape}, shape[0])[name]}
    generator = np.random.default_rng(batch)
    for op in net.layers:
        holds = kinds()[op.type].holds
        for index, bottom in enumerate(op.bottoms):
            if holds is not None and bottom in found:
                numbers = holds(op, index, generator, found[bottom].shape)
                found[bottom] = found[bottom] if numbers is None else numbers.astype(np.float32)
    return {name: found[name] for name in net.inputs}


def verify(net: Net, model: Path | bytes, prototxt: Path, caffemodel: Path | None) -> list[Comparison]:
    """Compare a converted network with its source on every runtime that is installed, at batch 1 and 3.

    Without a caffemodel OpenCV 4 is not asked. Raises BadInput when there is no runtime.
    """

    def judge(feeds: Mapping[str, Array]) -> dict[str, Array]:
        blobs = run(net, feeds)
        return {name: blobs[name].astype(np.float32) for name in net.outputs}

    def on(name: str) -> Run:
        return lambda feeds: RUNTIMES[name](model, feeds)

    versions = {name: version for name, version in available().items() if not version.startswith("not installed")}
    if not versions:
        raise BadInput(f"no runtime to verify on; install one of: {', '.join(RUNTIMES)}")
    inputs = [made_up_inputs(net, batch) for batch in (1, 3)]
    rows = compare(judge, {f"{name} {version}": on(name) for name, version in versions.items()}, inputs)
    return rows + _second_witness(judge, net, prototxt, caffemodel, inputs)


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
