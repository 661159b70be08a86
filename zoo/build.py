"""What an ONNX file of the zoo is made of: the card's files through a converter, and the card itself as metadata.

The key stands for everything the bytes depend on, so a changed label or mean builds anew, and a changed claim does not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import converters
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
    sources = [weights.sha256 for weights in card.graph()]
    return hashlib.sha256(_json([sources, converters.VERSION, card.convert, metadata(card)]).encode()).hexdigest()[:16]


def model_bytes(card: Card, files: dict[str, Path]) -> bytes:
    """Convert the card's files (file name -> path). Raises what the converter raises."""
    from converters.caffe import convert, to_bytes

    paths = {weights.role: files[weights.file] for weights in card.graph()}
    return to_bytes(convert(paths["prototxt"], paths["caffemodel"], metadata=metadata(card), **card.convert))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
