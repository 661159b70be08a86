"""Layers that change nothing once the training is over: noise, dropout, augmentation.

A dropout that was called with ``training=True`` drops at inference too; that is refused. Augmentations are always
written with it and still do nothing in ``predict``.
"""

from __future__ import annotations

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

CASES: Cases = (
    ("Dropout", {"rate": 0.3}, (7, 9, 3)),
    ("Dropout", {"rate": 0.3, "noise_shape": (None, 1, 1, 3)}, (7, 9, 3)),
    ("SpatialDropout1D", {"rate": 0.3}, (7, 3)),
    ("SpatialDropout2D", {"rate": 0.3}, (7, 9, 3)),
    ("SpatialDropout3D", {"rate": 0.3}, (4, 7, 9, 3)),
    ("AlphaDropout", {"rate": 0.3}, (7,)),
    ("GaussianNoise", {"stddev": 0.3}, (7, 9, 3)),
    ("GaussianDropout", {"rate": 0.3}, (7, 9, 3)),
    ("ActivityRegularization", {"l1": 0.3, "l2": 0.1}, (7, 9, 3)),
    ("Identity", {}, (7, 9, 3)),
    ("RandomFlip", {"mode": "horizontal"}, (7, 9, 3)),
    ("RandomRotation", {"factor": 0.2}, (7, 9, 3)),
    ("RandomZoom", {"height_factor": 0.2}, (7, 9, 3)),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.1}, (7, 9, 3)),
    ("RandomContrast", {"factor": 0.2}, (7, 9, 3)),
)


@layer(
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "AlphaDropout",
    "GaussianNoise",
    "GaussianDropout",
    "ActivityRegularization",
    "Identity",
)
def nothing(op: Layer, emit: Emit) -> Tensor:
    """Return the input."""
    op.setting("rate", "p", "stddev", "sigma", "noise_shape", "l1", "l2", "data_format", "dim_ordering")
    return op.input


@layer(
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
    "RandomHue",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomGrayscale",
    "RandomColorJitter",
    "RandomColorDegeneration",
    "RandomErasing",
    "RandomGaussianBlur",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomElasticTransform",
    call=("training",),
)
def augmentation(op: Layer, emit: Emit) -> Tensor:
    """Return the input, whatever the settings."""
    op.setting(*op.config)
    return op.input
