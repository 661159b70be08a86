"""Parameter: weights as a blob of their own. It has no batch, so what joins it with samples fixes theirs."""

from __future__ import annotations

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("parameter_param", 145, None, "1 BlobShape shape")

CASES = ()


def shape(op: Layer) -> tuple[Shape]:
    """Return the shape that the file says."""
    sizes = tuple(op.param.shape.dim)
    if min(sizes, default=1) < 1:
        raise op.bad(f"shape {sizes} holds no numbers; give sizes of at least 1")
    return (sizes,)


def reference(op: Layer) -> tuple[Array]:
    """Return the weights."""
    return (op.blobs[0],)


@layer(
    "Parameter",
    shape=shape,
    reference=reference,
    weights=shape,
    parameter=PARAMETER,
    bottoms=0,
    constant=True,
)
def parameter(op: Layer, emit: Emit) -> None:
    """Identity of the weights; as a constant the layer never comes here."""
    emit.node("Identity", (emit.constant("weights", op.blobs[0]),), op.tops)
