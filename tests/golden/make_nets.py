"""Ask Caffe itself about whole networks. Runs under Python 3.9, see ``make_layers``.

    PYTHONPATH=.:tests/converters python tests/golden/make_nets.py random
    PYTHONPATH=.:tests/converters python tests/golden/make_nets.py architectures [NAME ..]
    PYTHONPATH=.:tests/converters python tests/golden/make_nets.py mtcnn FOLDER

The first writes ``random.npz``: for seed ``i`` the keys ``i:drawn``, the seed of the first network that stands,
``i:text``, and ``i:<blob>`` for each output. Weights and inputs are made anew by `random_nets.filled`.
The second writes ``architectures/<name>.npz``: the outputs, whose inputs and weights `architectures.blocks` makes anew.
The third writes ``architectures/mtcnn.npz`` from the folder that has ``det1.prototxt``, ``det1.caffemodel`` and so on:
the outputs of each network, by ``det1 <output>``, and of ``det1`` for a larger image as well, by ``det1_large``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

os.environ["GLOG_minloglevel"] = "3"  # noqa: SIM112 - so it is named; before Caffe is imported

import caffe
import numpy as np
from architectures import ARCHITECTURES
from architectures.mtcnn import LARGE, faces
from caffe.proto import caffe_pb2
from google.protobuf import text_format
from random_nets import BATCH, SEEDS, filled, random_network

FOLDER = Path(__file__).parent
LARGEST = 50.0
"""of all numbers in a network: beyond it float32 is too coarse to show an error of 1e-5"""
NUDGE, STEADY = 1e-5, 2e-3
"""An input moved by so much must move no output by more: else two right answers may differ."""
GAP = 1e-3
"""between the numbers that ArgMax orders, and between a number and a threshold"""


def random_networks() -> None:
    """Write ``random.npz``."""
    found, refused = {}, Counter()
    for seed in SEEDS:
        for drawn in range(seed, 10**6, 1000):
            outputs = apart(ask_random, drawn)
            if isinstance(outputs, dict):
                found[f"{seed}:drawn"], found[f"{seed}:text"] = drawn, random_network(drawn).text
                found.update({f"{seed}:{name}": top for name, top in outputs.items()})
                break
            refused[outputs] += 1
    path = FOLDER / "random.npz"
    np.savez_compressed(path, **found)
    print(f"{len(SEEDS)} networks, {path.stat().st_size} bytes; drawn again: {dict(refused)}")


def apart(function, *arguments):
    """Call a function in a process of its own: Caffe ends the process where it refuses a network."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        try:
            return pool.submit(function, *arguments).result(timeout=600)
        except BrokenProcessPool:
            return "refused by Caffe"


def load(text, weights):
    """Return Caffe's network with these weights."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(text)
        file.flush()
        net = caffe.Net(file.name, caffe.TEST)
    if set(weights) != set(net.params):
        raise ValueError(f"weights of {sorted(weights)}, but the network needs {sorted(net.params)}")
    for name, blobs in net.params.items():
        for blob, numbers in zip(blobs, weights[name]):  # noqa: B905 - not in Python 3.9
            if blob.data.shape != numbers.shape:
                raise ValueError(f"{name}: weights of shape {numbers.shape}, not {blob.data.shape}")
            blob.data[...] = numbers
    return net


def forward(net, inputs):
    """Return every blob."""
    for name, numbers in inputs.items():
        net.blobs[name].reshape(*numbers.shape)
        net.blobs[name].data[...] = numbers
    net.forward()
    return {name: blob.data.copy() for name, blob in net.blobs.items()}


def ask_random(seed):
    """Return the outputs of a random network, or why it is no good judge."""
    net = random_network(seed)
    weights, inputs = filled(net, seed, BATCH + 1)  # the tests take a sample more, for which the same must hold
    caffe_net = load(net.text, weights)
    shapes = {name: blob.data.shape for name, blob in caffe_net.blobs.items()}
    wrong = {name: (blob.shape, shapes[name]) for name, blob in net.blobs.items() if blob.shape != shapes[name]}
    if wrong or sorted(caffe_net.outputs) != net.outputs:
        raise ValueError(f"seed {seed}: {wrong} {caffe_net.outputs} {net.outputs}\n{net.text}")
    blobs = forward(caffe_net, inputs)
    outputs = {name: blobs[name] for name in net.outputs}
    if not all(np.isfinite(blob).all() and np.abs(blob).max() <= LARGEST for blob in blobs.values()):
        return "out of range"
    if any(blob.size > 8 and len(np.unique(blob.round(4))) < 3 for blob in outputs.values()):
        return "an output of one number"
    if smallest_gap(net.text, blobs) < GAP:
        return "near a tie"
    stream = np.random.RandomState(1)
    for _ in range(3):
        nudged = {name: x + NUDGE * stream.uniform(-1, 1, x.shape).astype("f4") for name, x in inputs.items()}
        after = forward(caffe_net, nudged)
        if any(np.abs(after[name] - outputs[name]).max() > STEADY for name in outputs):
            return "unsteady"
    return {name: top[:BATCH] for name, top in outputs.items()}


def smallest_gap(text, blobs):
    """Return how near a network's ArgMax and Threshold layers come to deciding otherwise."""
    gaps = [np.inf]
    for layer in text_format.Parse(text, caffe_pb2.NetParameter()).layer:
        bottom = blobs[layer.bottom[0]] if layer.bottom else None
        if layer.type == "Threshold":
            gaps.append(np.abs(bottom - layer.threshold_param.threshold).min())
        elif layer.type == "ArgMax":
            p = layer.argmax_param
            axis = p.axis if p.HasField("axis") else 1
            rows = np.sort(bottom if p.HasField("axis") else bottom.reshape(len(bottom), -1), axis=axis)
            ordered = np.moveaxis(rows, axis, -1)[..., -p.top_k - 1 :]
            gaps.append(np.diff(ordered).min(initial=np.inf))
    return min(gaps)


def architectures(*names):
    """Write ``architectures/<name>.npz`` of all or some; print how large the numbers on the way are."""
    for name in names or ARCHITECTURES:
        entry = ARCHITECTURES[name]
        outputs, (least, largest) = apart(ask_architecture, name)
        np.savez_compressed(FOLDER / "architectures" / f"{name}.npz", **outputs)
        shapes = {output: (top.shape, float(top.std()), float(top.max())) for output, top in outputs.items()}
        print(f"{name}: {entry.network().learnt} parameters, blobs deviate by {least:.3g} to {largest:.3g}, {shapes}")


def ask_architecture(name):
    """Return the outputs, and the least and largest deviation of the blobs on the way."""
    entry = ARCHITECTURES[name]
    net = entry.network()
    judge = load(net.text, net.weights())
    blobs = forward(judge, net.samples(entry.samples))
    deviations = [blob.std() for name, blob in blobs.items() if name not in judge.outputs]
    thin = slice(None, None, entry.step)
    outputs = {o: blobs[o][..., thin, thin] if blobs[o].ndim == 4 else blobs[o] for o in judge.outputs}
    return outputs, (min(deviations), max(deviations))


def mtcnn(folder):
    """Write ``architectures/mtcnn.npz``."""
    found = {}
    for number in (1, 2, 3, 4):
        net = caffe.Net(f"{folder}/det{number}.prototxt", caffe.TEST, weights=f"{folder}/det{number}.caffemodel")
        shape = net.blobs["data"].data.shape[1:]
        for name, sides in ((f"det{number}", shape), *([("det1_large", LARGE)] if number == 1 else [])):
            blobs = forward(net, {"data": faces(sides)})
            found.update({f"{name} {output}": blobs[output] for output in net.outputs})
    np.savez_compressed(FOLDER / "architectures" / "mtcnn.npz", **found)
    print({key: (top.shape, float(top.std())) for key, top in found.items()})


if __name__ == "__main__":
    {"random": random_networks, "architectures": architectures, "mtcnn": mtcnn}[sys.argv[1]](*sys.argv[2:])
