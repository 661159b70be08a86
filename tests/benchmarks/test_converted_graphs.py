"""What a converted network gains by onnxslim: nothing; and how long a network of 45 MB takes to be converted.

Run by ``make benchmark``. Both sessions have two threads that do not spin while they wait, so that neither slows the
other down, and take turns.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from statistics import median
from time import perf_counter, perf_counter_ns

import numpy as np
import pytest
from architectures import ARCHITECTURES, mobilenet_ssd
from test_caffe_quality import REAL, real_files

from converters.caffe import convert

NETWORKS = {name: entry.network for name, entry in ARCHITECTURES.items()} | {"mobilenet_ssd": mobilenet_ssd.network}
SECONDS, LEAST = 8, 10
"""How long a network is measured, and how many rounds at least."""
BLOCK = 0.05
"""How long, in seconds, one turn takes."""
LIMIT = 1.02
WITHIN = 1.0
"""seconds"""


@pytest.fixture
def files(request, tmp_path, network):
    """Return prototxt and caffemodel, None where the weights are made up."""
    if network in REAL:
        return real_files(request, network)
    (tmp_path / "deploy.prototxt").write_text(NETWORKS[network]().text)
    return tmp_path / "deploy.prototxt", None


def session(model):
    """Load a model for two threads."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 2, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def nodes_of(model):
    """Return the nodes, whatever their order."""
    return {
        (node.op_type, *node.input, "->", *node.output, *sorted(str(attribute) for attribute in node.attribute))
        for node in model.graph.node
    }


def timed(session, feeds, runs):
    """Return the median of some runs, in nanoseconds."""
    times = []
    for _ in range(runs):
        start = perf_counter_ns()
        session.run(None, feeds)
        times.append(perf_counter_ns() - start)
    return median(times)


@pytest.mark.benchmark(group="what onnxslim gains")
@pytest.mark.parametrize("network", [*NETWORKS, *(pytest.param(n, marks=pytest.mark.weights) for n in REAL)])
def test_onnxslim_makes_nothing_faster(benchmark, files):
    import onnxslim

    model = convert(*files)
    sides = {"ours": session(model)}
    before = nodes_of(model)
    slim = onnxslim.slim(model)
    sides["slim"], after = session(slim), nodes_of(slim)
    generator = np.random.default_rng(5)
    shapes = {
        value.name: [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim] for value in slim.graph.input
    }
    feeds = {name: generator.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    once = max(timed(side, feeds, 3) for side in sides.values()) / 1e9
    runs = max(1, round(BLOCK / once))
    rounds = max(LEAST, round(SECONDS / (2 * runs * once)))
    blocks = {"ours": [], "slim": []}

    def pair(order):
        for side in order:
            gc.collect()
            blocks[side].append(timed(sides[side], feeds, runs))

    forth, back = ("ours", "slim"), ("slim", "ours")
    orders = iter([forth if i % 2 else back for i in range(rounds)])
    benchmark.pedantic(lambda: pair(next(orders)), rounds=rounds, iterations=1)
    ratio = median(ours / slim for ours, slim in zip(blocks["ours"], blocks["slim"], strict=True))
    found = {f"{side}_ms": median(times) / 1e6 for side, times in blocks.items()} | {"ratio": ratio}
    found |= {"ours_nodes": len(before), "slim_nodes": len(after), "same": before == after}
    benchmark.extra_info |= found
    print("\n" + ", ".join(f"{name} {value:.5g}" for name, value in found.items()))
    assert len(before) <= LIMIT * len(after)
    assert before == after or ratio <= LIMIT  # one graph against itself shows what else the machine does


@pytest.mark.benchmark(group="how long a conversion takes")
@pytest.mark.parametrize("network", [pytest.param("age", marks=pytest.mark.weights)])
def test_45_mb_are_converted_within_a_second(benchmark, files, tmp_path):
    command = [sys.executable, "-m", "converters", "caffe", *files, "-o", tmp_path / "age.onnx"]
    times = []

    def convert_once():
        start = perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - start)

    benchmark.pedantic(convert_once, rounds=7, iterations=1)
    print(f"\nthe whole process {median(times):.2f} s")
    assert median(times) < WITHIN
