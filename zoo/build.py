"""What an ONNX file of the zoo is made of: the card's files through a converter, and the card itself as metadata.

The key stands for everything the bytes depend on, so a changed label or mean builds anew, and a changed claim does not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import converters
from converters.errors import BadInput
from zoo import formats
from zoo.card import Card


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
    sources = [card.format, *(weights.sha256 for weights in card.graph())]
    return hashlib.sha256(_json([sources, converters.VERSION, card.convert, metadata(card)]).encode()).hexdigest()[:16]


def model_bytes(card: Card, files: dict[str, Path]) -> bytes:
    """Convert the card's files (file name -> path). Raises what the converter raises."""
    paths = {weights.role: files[weights.file] for weights in card.graph()}
    content = formats.find(card.format).model_bytes(paths, card.convert, metadata(card))
    _refuse_other_names(card, content)
    return content


def _refuse_other_names(card: Card, content: bytes) -> None:
    """Raise BadInput where the card speaks of inputs, outputs or sizes that the graph does not have."""
    import onnx

    graph = onnx.load_from_string(content).graph
    inputs = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim[1:]] for i in graph.input}
    outputs = [output.name for output in graph.output]
    for spec in card.input:
        wanted = {crop.name: [spec.depth, spec.size[1], spec.size[0]] for crop in spec.tensors}
        if inputs != wanted:
            raise BadInput(f"card {card.name}: inputs of the shapes {wanted}; the network has {inputs}")
    for head in card.heads:
        if head.output not in outputs:
            raise BadInput(f"card {card.name}: head output {head.output!r}; the network has {', '.join(outputs)}")


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
