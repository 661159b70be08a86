"""InputLayer. It adds nothing: the tensor it stands for is there before the layers are run."""

from __future__ import annotations

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

CASES: Cases = ()


@layer("InputLayer")
def input_layer(op: Layer, emit: Emit) -> Tensor:
    """Raise: an input that is none of the model's own has no numbers."""
    raise op.bad("is read, and is none of the inputs of the model")
