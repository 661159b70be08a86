"""What an ONNX file of the zoo is made of: the card's files through a converter, and the card itself as metadata.

The key stands for everything the bytes depend on, so a changed label or mean builds anew, and a changed claim does not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import converters
from converters.errors import BadInput
from zoo.card import Card

if TYPE_CHECKING:
    import onnx


def metadata(card: Card) -> dict[str, str]:
    """Return what the card has written into the file; the converter adds its version and the sha256 of each source.

    ``input`` and ``heads`` are JSON lists in the form of the card.
    """
    records = {"input": card.input, "heads": card.heads}
    return {
        "name": card.name,
        "title": card.title,
        "source": card.source,
        "licence": card.licence,
        "use": card.use,
        **{key: _json([r.model_dump(mode="json", exclude_none=True) for r in value]) for key, value in records.items()},
    }


def model_key(card: Card) -> str:
    """Return 16 hexadecimal digits that change whenever the bytes of the card's ONNX file do."""
    sources = [weights.sha256 for weights in card.graph()]
    return hashlib.sha256(_json([sources, converters.VERSION, card.convert, metadata(card)]).encode()).hexdigest()[:16]


def model_bytes(card: Card, files: dict[str, Path]) -> bytes:
    """Convert the card's files (file name -> path). Raises what the converter raises."""
    from converters.caffe import convert, to_bytes

    paths = {weights.role: files[weights.file] for weights in card.graph()}
    model = convert(paths["prototxt"], paths["caffemodel"], metadata=metadata(card), **card.convert)
    _refuse_other_names(card, model)
    return to_bytes(model)


def _refuse_other_names(card: Card, model: onnx.ModelProto) -> None:
    """Raise BadInput where the card speaks of inputs, outputs or sizes that the graph does not have."""
    inputs = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim[1:]] for i in model.graph.input}
    outputs = [output.name for output in model.graph.output]
    for spec in card.input:
        wanted = [3, spec.size[1], spec.size[0]]
        if inputs.get(spec.name) != wanted:
            raise BadInput(f"card {card.name}: input {spec.name!r} of shape {wanted}; the network has {inputs}")
    for head in card.heads:
        if head.output not in outputs:
            raise BadInput(f"card {card.name}: head output {head.output!r}; the network has {', '.join(outputs)}")


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
