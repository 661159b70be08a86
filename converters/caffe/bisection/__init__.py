"""Where a converted network first differs from Caffe, and whether the file or a runtime is to blame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from converters.caffe.bisection.graph import Graph
from converters.caffe.bisection.matching import match_names
from converters.caffe.bisection.report import Report
from converters.caffe.bisection.trial import Trial
from converters.caffe.kind import Array, kinds
from converters.caffe.net import Net
from converters.caffe.verify import made_up_inputs
from converters.errors import BadInput
from converters.runtimes import RUNTIMES, available

SMALL = np.float32(1 / 128)


def bisect(net: Net, graph: Graph, path: Path) -> Report:
    """Compare an ONNX file (at ``path``) with the network that it was made from; findings in the order of the layers.

    The inputs are seeded: like pixels, and as small as pixels that are scaled to -1 and 1. Raises BadInput when inputs
    or outputs do not match, or when no runtime is installed.
    """
    report = Report({name: v for name, v in available().items() if not v.startswith("not installed")})
    if not report.runtimes:
        raise BadInput(f"no runtime to compare on; install one of: {', '.join(RUNTIMES)}")
    names = match_names(net, graph, str(path))
    for feeds in _inputs(net, graph, names, path):
        with np.errstate(all="ignore"):
            Trial(net, graph, path, names, feeds, report).run()
    tops = [top for op in net.layers for top in op.tops]
    report.findings.sort(key=lambda finding: tops.index(finding.blob) if finding.blob in tops else len(tops))
    if unknown := sorted(names.keys() - net.inputs.keys() - report.compared):
        report.note(f"not compared, since the numbers are not finite: {', '.join(unknown)}")
    return report


def _inputs(net: Net, graph: Graph, names: Mapping[str, str], path: Path) -> list[dict[str, Array]]:
    """Return the sets of inputs, by blob. Two samples each, where file and network allow it."""
    sizes = {name: graph.sizes(names[name]) for name in net.inputs}
    fixed = [size[0] for name, size in sizes.items() if size and size[0] and net.symbols[name]]
    pixels = made_up_inputs(net, fixed[0] if fixed else 2)
    for name, feed in pixels.items():
        if sizes[name] and (len(sizes[name]) != feed.ndim or any(map(_other, sizes[name], feed.shape))):
            wanted = ", ".join(str(net.symbols[name].get(axis, size)) for axis, size in enumerate(net.inputs[name]))
            there = ", ".join(str(size or "any") for size in sizes[name])
            raise BadInput(f"{path}: input {names[name]!r} has the shape ({there}); the network's is ({wanted})")
    chosen = {bottom for op in net.layers if kinds()[op.type].holds is not None for bottom in op.bottoms}
    small = {name: feed if name in chosen else feed * SMALL for name, feed in pixels.items()}
    return [pixels] if chosen >= pixels.keys() else [pixels, small]


def _other(size: int, length: int) -> bool:
    """Whether an axis has a size of its own, and not this length."""
    return size not in (0, length)
