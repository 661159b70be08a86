"""Messages between the harness and a worker: one JSON object and any number of arrays, over a pipe of their own.

The pipe is not stdout, so a runtime that prints cannot garble a message. Only the standard library and numpy are
imported here: a worker may run under another interpreter than the harness.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]

PROTOCOL = 1
"""What a worker can be asked, and how: raised with every change of that, here or in `bench.worker`. A worker of another
revision is only talked to where this is the same; `bench ab` reads it out of this file."""


def send(
    pipe: Connection, message: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]] | None = None
) -> None:
    """Send ``message`` and ``arrays``. Raises TypeError, before a byte is sent, for what is no array of numbers."""
    arrays = arrays or {}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise TypeError(f"{name!r} is no array of numbers but {getattr(array, 'dtype', type(array).__name__)}")
    described = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
    pipe.send_bytes(json.dumps({"message": message, "arrays": described}).encode())
    for array in arrays.values():
        if array.size:
            pipe.send_bytes(np.ascontiguousarray(array).data.cast("B"))


def receive(pipe: Connection) -> tuple[dict[str, Any], Arrays]:
    """Wait for the next message. Raises EOFError or another OSError when the other side is gone."""
    header = json.loads(pipe.recv_bytes())
    arrays: Arrays = {}
    for name, dtype, shape in header["arrays"]:
        empty = 0 in shape
        arrays[name] = np.frombuffer(b"" if empty else pipe.recv_bytes(), dtype=dtype).reshape(shape)
    return header["message"], arrays
