"""A caffemodel written byte by byte: half a gigabyte passes from the arrays to the file, never copied as a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

LENGTH_DELIMITED = 2
LAYER, NAME, BLOBS, SHAPE, DIM, DATA = 100, 1, 7, 7, 1, 5
"""field numbers: of NetParameter, twice of LayerParameter, of BlobProto, of BlobShape, of BlobProto"""


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it, seven bits a byte."""
    head = b""
    while number > 0x7F:
        head += bytes([number & 0x7F | 0x80])
        number >>= 7
    return head + bytes([number])


def field(number: int, length: int) -> bytes:
    """Return the head of a field of that length."""
    return varint(number << 3 | LENGTH_DELIMITED) + varint(length)


def write_caffemodel(path: Path, weights: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write the float32 weights of each layer, in the form of 2015 on: ``shape``, and packed ``data``."""
    with path.open("wb") as file:
        for name, blobs in weights.items():
            heads = []
            for blob in blobs:
                dims = b"".join(varint(size) for size in blob.shape)
                shape = field(DIM, len(dims)) + dims
                head = field(SHAPE, len(shape)) + shape + field(DATA, blob.nbytes)
                heads.append(field(BLOBS, len(head) + blob.nbytes) + head)
            title = field(NAME, len(name.encode())) + name.encode()
            length = len(title) + sum(len(head) + blob.nbytes for head, blob in zip(heads, blobs, strict=True))
            file.write(field(LAYER, length) + title)
            for head, blob in zip(heads, blobs, strict=True):
                file.write(head)
                file.write(np.ascontiguousarray(blob, dtype="<f4").data)
