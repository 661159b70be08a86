"""What the architectures are built of: a prototxt that grows layer by layer, and the weights that belong to it.

The shapes of the weights are counted here, apart from the converter's own rules. Their numbers come from a stream that
numpy promises to keep, seeded by the layer's name, and are scaled so that deep networks neither explode nor fade.
Runs under Python 3.9 too, for ``tests/golden/make_nets.py``.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod, sqrt

import numpy as np

Shape = tuple[int, ...]
Sides = tuple[int, int]
DEVIATION = 73.3
"""of whole numbers drawn evenly from -127 to 127"""


@dataclass(frozen=True)
class Blob:
    """Weights of one shape: ``centre`` plus numbers drawn evenly, with this deviation. ``learnt``: by training."""

    shape: Shape
    deviation: float
    centre: float = 0.0
    learnt: bool = True
    bilinear: bool = False

    def numbers(self, stream: np.random.RandomState) -> np.ndarray:
        """Return them, float32; bilinear ones are each channel's own interpolation."""
        if self.bilinear:
            side = self.shape[-1]
            middle = (side - 1) / 2 if side % 2 else side / 2 - 0.5
            line = 1 - np.abs(np.arange(side) - middle) / ((side + 1) // 2)
            whole = np.zeros(self.shape, dtype=np.float32)
            whole[np.arange(self.shape[0]), np.arange(self.shape[1])] = np.outer(line, line)
            return whole
        drawn = stream.randint(-127, 128, self.shape, dtype=np.int8)
        numbers = np.multiply(drawn, np.float32(self.deviation / DEVIATION), dtype=np.float32)
        return numbers + np.float32(self.centre) if self.centre else numbers


@dataclass
class Network:
    """A deploy network. Every method that adds a layer returns its top's name; most tops are named as their layer."""

    name: str
    inputs: dict[str, Shape]
    lines: list[str] = field(default_factory=list)
    channels: dict[str, int] = field(default_factory=dict)
    blobs: dict[str, list[Blob]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, shape in self.inputs.items():
            self.channels[name] = shape[1]

    @property
    def text(self) -> str:
        """The prototxt."""
        inputs = (
            f'input: "{name}"\ninput_shape {{ {" ".join(f"dim: {n}" for n in shape)} }}'
            for name, shape in self.inputs.items()
        )
        return "\n".join((f'name: "{self.name}"', *inputs, *self.lines, ""))

    @property
    def learnt(self) -> int:
        """How many parameters training finds: all weights, but for the statistics of BatchNorm."""
        return sum(prod(blob.shape) for blobs in self.blobs.values() for blob in blobs if blob.learnt)

    def weights(self) -> dict[str, list[np.ndarray]]:
        """Return the weights of each layer, float32."""
        streams = {name: np.random.RandomState(zlib.crc32(name.encode())) for name in self.blobs}
        return {name: [blob.numbers(streams[name]) for blob in blobs] for name, blobs in self.blobs.items()}

    def samples(self, count: int) -> dict[str, np.ndarray]:
        """Return the first ``count`` samples of the inputs, float32 between -2 and 2."""
        stream = np.random.RandomState(zlib.crc32(self.name.encode()))
        shapes = {name: (count, *shape[1:]) for name, shape in self.inputs.items()}
        return {n: stream.randint(-127, 128, s, dtype=np.int8) / np.float32(64) for n, s in shapes.items()}

    def layer(self, kind: str, name: str, bottoms: str | Sequence[str], text: str = "", *, top: str = "") -> str:
        """Add a layer; its top has the channels of its first bottom, unless they are set."""
        bottoms = [bottoms] if isinstance(bottoms, str) else list(bottoms)
        read = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        self.lines.append(f'layer {{ name: "{name}" type: "{kind}" {read} top: "{top or name}" {text} }}')
        self.channels.setdefault(top or name, self.channels[bottoms[0]])
        return top or name

    def convolution(
        self,
        name: str,
        bottom: str,
        outputs: int,
        kernel: int | Sides,
        *,
        stride: int = 1,
        pad: int | Sides = 0,
        group: int = 1,
        bias: bool = True,
        gain: float = 2.0,
    ) -> str:
        """Add a convolution; ``gain`` is how much more variance it gives than it takes, 2 makes up for a ReLU."""
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        shape = (outputs, self.channels[bottom] // group, *sides)
        self.blobs[name] = [Blob(shape, sqrt(gain / prod(shape[1:]))), *([Blob((outputs,), 0.1)] if bias else [])]
        text = f"num_output: {outputs}" + ("" if bias else " bias_term: false")
        for word, value in (("kernel", kernel), ("pad", pad)):
            if isinstance(value, tuple):
                text += f" {word}_h: {value[0]} {word}_w: {value[1]}"
            elif value:
                text += f" {word}{'_size' if word == 'kernel' else ''}: {value}"
        text += f" stride: {stride}" * (stride > 1) + f" group: {group}" * (group > 1)
        self.channels[name] = outputs
        return self.layer("Convolution", name, bottom, f"convolution_param {{ {text} }}")

    def deconvolution(self, name: str, bottom: str, kernel: int, stride: int) -> str:
        """Add a bilinear upsampling; its channels are mixed, as networks for segmentation have it, by zeros."""
        channels = self.channels[bottom]
        self.blobs[name] = [Blob((channels, channels, kernel, kernel), 0.0, bilinear=True)]
        text = f"num_output: {channels} kernel_size: {kernel} stride: {stride} bias_term: false"
        return self.layer("Deconvolution", name, bottom, f"convolution_param {{ {text} }}")

    def inner_product(self, name: str, bottom: str, outputs: int, inputs: int, *, gain: float = 2.0) -> str:
        """Add a dense layer; ``inputs`` is the length of a row of the bottom."""
        self.blobs[name] = [Blob((outputs, inputs), sqrt(gain / inputs)), Blob((outputs,), 0.1)]
        self.channels[name] = outputs
        return self.layer("InnerProduct", name, bottom, f"inner_product_param {{ num_output: {outputs} }}")

    def batch_norm(
        self, name: str, scale: str, bottom: str, *, text: str = "", top: str = "", factor: float = 0.8
    ) -> str:
        """Add BatchNorm and Scale with their statistics near 0 and 1; ``factor`` is what Scale multiplies with."""
        size = (self.channels[bottom],)
        self.blobs[name] = [
            Blob(size, 0.05, learnt=False),
            Blob(size, 0.15, 1.0, learnt=False),
            Blob((1,), 0.0, 1.0, learnt=False),
        ]
        self.blobs[scale] = [Blob(size, 0.1, factor), Blob(size, 0.05)]
        normal = self.layer("BatchNorm", name, bottom, f"batch_norm_param {{ {text} }}" if text else "", top=top)
        return self.layer("Scale", scale, normal, "scale_param { bias_term: true }", top=normal)

    def relu(self, name: str, bottom: str) -> str:
        """Add a ReLU in place."""
        return self.layer("ReLU", name, bottom, top=bottom)

    def dropout(self, name: str, bottom: str, ratio: float = 0.5) -> str:
        """Add a Dropout in place, which does nothing."""
        return self.layer("Dropout", name, bottom, f"dropout_param {{ dropout_ratio: {ratio} }}", top=bottom)

    def pooling(self, name: str, bottom: str, pool: str, kernel: int, stride: int = 1, pad: int = 0) -> str:
        """Add a pooling; kernel 0 takes the whole plane."""
        text = f"kernel_size: {kernel} stride: {stride}" if kernel else "global_pooling: true"
        text += f" pad: {pad}" if pad else ""
        return self.layer("Pooling", name, bottom, f"pooling_param {{ pool: {pool} {text} }}")

    def lrn(self, name: str, bottom: str) -> str:
        """Add the response normalisation of 2012."""
        return self.layer("LRN", name, bottom, "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")

    def concat(self, name: str, bottoms: Sequence[str], text: str = "") -> str:
        """Join along the channels, unless ``text`` says otherwise."""
        self.channels[name] = sum(self.channels[bottom] for bottom in bottoms)
        return self.layer("Concat", name, bottoms, text)

    def sum(self, name: str, bottoms: Sequence[str], coefficients: Sequence[float] = ()) -> str:
        """Add an Eltwise SUM."""
        text = " ".join(("operation: SUM", *(f"coeff: {coefficient}" for coefficient in coefficients)))
        return self.layer("Eltwise", name, bottoms, f"eltwise_param {{ {text} }}")
