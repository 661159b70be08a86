"""The pieces of work that a machine is measured by: large convolutions, and a dense layer whose weights fit no cache.

Their results are known: a backend that does not give them has not done the work, and its times are thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

ENOUGH = 1e-3
"""How far a result may be off, as part of the largest: Winograd's convolutions are off by some 1e-4."""


LEAST = 2**25
"""How many float32 measure a CPU's memory at the least: 128 MiB."""

PARTS = 4


@dataclass(frozen=True)
class Made:
    """What a backend loads, by its path, what it is fed with, and the output ``y`` that it has to give."""

    model: str
    feeds: dict[str, Array]
    wanted: Array


@dataclass(frozen=True)
class Work:
    """One kernel, not yet made; ``make`` writes it into a folder.

    ``operations``: two a multiplication; ``bytes``: the least that a run moves; one of the two is 0. ``backend``: the
    only one that can run it; None for all that run ONNX.
    """

    name: str
    operations: int
    bytes: int
    make: Callable[[Path], Made]
    backend: str | None = None


def convolution(window: int, channels: int, side: int, batch: int, depth: int) -> Work:
    """Return ``depth`` convolutions in a row, as many channels out as in, of ``batch`` images of ``side`` x ``side``.

    The copies to a GPU and back are of one image size at each end: the more layers, the less they count.
    """

    def make(folder: Path) -> Made:
        generator = np.random.default_rng(window)
        shape = (channels, channels, window, window)
        weights = generator.standard_normal(shape, dtype=np.float32) / np.float32(window * channels**0.5)
        image = generator.standard_normal((1, channels, side, side), dtype=np.float32)
        wanted = image
        for _ in range(depth):
            wanted = convolved(wanted, weights)
        padding = [window // 2] * 4
        names = ["x", *(f"c{layer}" for layer in range(1, depth)), "y"]
        nodes = [("Conv", [names[i], "w"], [names[i + 1]], {"pads": padding}) for i in range(depth)]
        path = _write(folder / f"{name}.onnx", nodes, weights, image.shape[1:], image.shape[1:])
        return Made(path, {"x": np.repeat(image, batch, axis=0)}, np.repeat(wanted, batch, axis=0))

    name = f"convolution {window}x{window}, {channels} channels, {side}x{side}, batch {batch}, {depth} layers"
    return Work(name, 2 * depth * batch * side**2 * channels**2 * window**2, 0, make)


def convolved(images: Array, weights: Array) -> Array:
    """Return (N, C, H, W) convolved with (K, C, window, window), zeros around, at the same height and width."""
    height, width = images.shape[2:]
    around = weights.shape[2] // 2
    padded = np.pad(images, ((0, 0), (0, 0), (around, around), (around, around)))
    made = np.zeros((len(images), len(weights), height * width), dtype=images.dtype)
    for y, x in np.ndindex(*weights.shape[2:]):
        part = np.ascontiguousarray(padded[:, :, y : y + height, x : x + width])
        made += weights[:, :, y, x] @ part.reshape(len(images), -1, height * width)
    return made.reshape(len(images), -1, height, width)


def dense(side: int) -> Work:
    """Return a dense layer from ``side`` to ``side`` numbers for one face: all it does is to read its weights once."""

    def make(folder: Path) -> Made:
        generator = np.random.default_rng(side)
        weights = generator.random((side, side), dtype=np.float32) - np.float32(0.5)
        given = generator.standard_normal((1, side), dtype=np.float32)
        nodes: list[Any] = [("Gemm", ["x", "w"], ["y"], {"transB": 1})]
        path = _write(folder / f"{name}.onnx", nodes, weights, (side,), (side,))
        return Made(path, {"x": given}, given @ weights.T)

    name = f"dense layer, {side} x {side}"
    return Work(name, 0, 4 * (side**2 + 2 * side), make)


def memory(action: str, length: int) -> Work:
    """Return the plain reading, or copying, of ``length`` float32 in the CPU's memory by numpy, in so many threads.

    A run does the next of `PARTS` parts, so it is short, and what it wants has left the cache since it was last there.
    """

    def make(folder: Path) -> Made:
        path = folder / f"{name}.txt"
        path.write_text(f"{action} {length} {PARTS}")
        wanted = np.array([2.0 if action == "read" else length // PARTS])
        return Made(str(path), {"x": np.zeros(1, dtype=np.float32)}, wanted)

    name = f"plain {action}, {length / PARTS / 2**18:.0f} of {length / 2**18:.0f} MiB"
    return Work(name, 0, 4 * (length // PARTS) * {"read": 1, "copy": 2}[action], make, backend="_memory")


def kernels(device: str, cache_bytes: int | None) -> list[Work]:
    """Return the kernels of a device: as large as runtimes need to be at their best, and no larger.

    A run of a few ms mostly has the CPUs to itself, however busy the machine; a long one never has.
    ``cache_bytes``: the last-level cache; what measures the memory is four times as large.
    """
    if device == "cuda":  # the dense layer has 512 MiB, four times the cache of the largest GPU
        return [convolution(3, 256, 56, 16, 16), convolution(1, 1024, 28, 16, 32), dense(11584)]
    length = max(LEAST, cache_bytes or 0)
    side = 64 * math.ceil(length**0.5 / 64)
    convolutions = [convolution(3, 128, 28, 1, 2), convolution(3, 256, 14, 2, 1), convolution(1, 256, 28, 2, 2)]
    return [*convolutions, dense(side), memory("read", length), memory("copy", length)]


def _write(path: Path, nodes: list[Any], weights: Array, given: tuple[int, ...], made: tuple[int, ...]) -> str:
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node(operator, reads, makes, **attributes) for operator, reads, makes, attributes in nodes],
        "kernel",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *given])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", *made])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    # added last: each step above would copy hundreds of MB
    model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=weights.shape, raw_data=weights.tobytes())
    path.write_bytes(model.SerializeToString())
    return str(path)
