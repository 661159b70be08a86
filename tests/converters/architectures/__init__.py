"""Public deploy networks written from memory, one file each, whose weights are seeded: only their shape is real."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from architectures import alexnet, densenet121, fcn8s, googlenet, inception_resnet, resnet50, squeezenet, vgg16
from architectures.blocks import Network


class Architecture(NamedTuple):
    """A network, the number of parameters that its authors or others have published, and how it is tested.

    ``samples`` are stored; of a large map only every ``step``-th row and column is.
    """

    network: Callable[[], Network]
    published: int
    samples: int = 2
    step: int = 1
    slow: bool = False


ARCHITECTURES = {
    "alexnet": Architecture(alexnet.network, 60_965_224),
    "caffenet": Architecture(partial(alexnet.network, pooled_first=True), 60_965_224),
    "googlenet": Architecture(googlenet.network, 6_998_552),
    "vgg16": Architecture(vgg16.network, 138_357_544, samples=1, slow=True),
    "resnet50": Architecture(resnet50.network, 25_557_032 + 64),  # torchvision counts no bias of the first convolution
    "squeezenet_1_0": Architecture(partial(squeezenet.network, "1.0"), 1_248_424),
    "squeezenet_1_1": Architecture(partial(squeezenet.network, "1.1"), 1_235_496),
    "densenet121": Architecture(densenet121.network, 7_978_856),
    "inception_resnet": Architecture(inception_resnet.network, 55_843_464, samples=1, slow=True),
    "fcn8s": Architecture(fcn8s.network, 134_489_759, samples=1, step=3, slow=True),
}
"""Those that real Caffe runs; MobileNet-SSD has layers that it has not."""
