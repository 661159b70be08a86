"""Protobuf's wire format, read in place: a record is a span of the file's bytes, never a copy of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5
"""What kinds of records there are in Caffe's files."""

MOST_RECORDS = 2**19
"""A network of ten thousand layers has half of it; a file of more would only take time."""


class Broken(Exception):  # noqa: N818 - it says what it is
    """Where the records of a file stop making sense, and how."""


class Record(NamedTuple):
    """One field: its number, its kind, where it begins, and where its content does and ends."""

    number: int
    kind: int
    begin: int
    start: int
    end: int


class Wire:
    """A file's bytes, and how many records may still be read from it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._left = MOST_RECORDS

    def records(self, start: int, end: int) -> Iterator[Record]:
        """Yield the records of a span of the file. Raises Broken where one reaches beyond it or has no kind."""
        while start < end:
            begin, self._left = start, self._left - 1
            if self._left < 0:
                raise Broken(f"no Caffe file: it has more than {MOST_RECORDS} records up to byte {start}")
            tag, start = self._varint(start, begin, end)
            kind, length = tag & 7, {EIGHT: 8, FOUR: 4}.get(tag & 7, 0)
            if kind not in (VARINT, EIGHT, LENGTH, FOUR) or not 0 < tag >> 3 < 2**29:
                what = f" (the file starts with {self.data[:16]!r})" if begin < 16 else ""
                raise Broken(f"no Caffe record at byte {begin}{what}")
            if kind == LENGTH:
                length, start = self._varint(start, begin, end)
            after = self._varint(start, begin, end)[1] if kind == VARINT else start + length
            if after > end:
                raise self._cut(begin, end, f"{after - end} more")
            yield Record(tag >> 3, kind, begin, start, after)
            start = after

    def whole(self) -> Iterator[Record]:
        """Yield the records that the file consists of."""
        return self.records(0, len(self.data))

    def _varint(self, position: int, begin: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if position >= end:
                raise self._cut(begin, end, "more")
            byte = self.data[position]
            value |= (byte & 127) << shift
            position += 1
            if byte < 128:
                return value, position
        raise Broken(f"no Caffe record at byte {begin}: its number does not end")

    def _cut(self, begin: int, end: int, more: str) -> Broken:
        where = f"cut off after {end} bytes" if end == len(self.data) else f"damaged before byte {end}"
        return Broken(f"{where}, the record at byte {begin} needs {more}")
