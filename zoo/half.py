"""Trained networks as this project keeps them: kernels in half precision, nothing that is only for training.

Vectors (biases, scales, running statistics) stay as they are: they hold little, and half precision would lose small
variances.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import BadInput

if TYPE_CHECKING:
    import h5py

LEFT_OUT = ("_initializer", "_regularizer", "_constraint", "build_config", "compile_config")
"""What an architecture says of a training or of how it was made, and no answer depends on; code may be among it."""

LONG_AGO = (1980, 1, 1, 0, 0, 0)


def halve(trained: Path, stored: Path) -> None:
    """Write the ``.keras`` file ``trained`` to ``stored``: the same bytes each time.

    Raises BadInput for a file that is none, or a kernel with numbers that half precision has not (65504 at most).
    """
    try:
        with zipfile.ZipFile(trained) as archive:
            config = json.loads(archive.read("config.json"))
            about = json.loads(archive.read("metadata.json"))
            weights = archive.read("model.weights.h5")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"{trained}: is no whole .keras file: {error}; give the one that a training wrote") from error
    parts = {
        "metadata.json": json.dumps({"keras_version": about["keras_version"]}).encode(),
        "config.json": json.dumps(slim(config), separators=(",", ":")).encode(),
        "model.weights.h5": _halved(weights, trained),
    }
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            member = zipfile.ZipInfo(name, LONG_AGO)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)


def slim(value: Any) -> Any:
    """Return Keras's JSON without what is only for training."""
    if isinstance(value, dict):
        return {key: slim(inner) for key, inner in value.items() if not key.endswith(LEFT_OUT)}
    return [slim(inner) for inner in value] if isinstance(value, list) else value


def _halved(weights: bytes, origin: Path) -> bytes:
    import h5py

    made = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as old, h5py.File(made, "w") as new:
        _copy(old, new, origin)
    return made.getvalue()


def _copy(old: h5py.Group, new: h5py.Group, origin: Path) -> None:
    import h5py

    for key, value in old.attrs.items():
        new.attrs[key] = value
    for name, item in old.items():
        if isinstance(item, h5py.Group):
            _copy(item, new.create_group(name), origin)
            continue
        numbers = item[()]
        if numbers.ndim > 1:
            if np.abs(numbers).max(initial=0) > np.finfo(np.float16).max:
                raise BadInput(f"{origin}: {item.name!r} has numbers beyond half precision; train with weight decay")
            numbers = numbers.astype(np.float16)
        new.create_dataset(name, data=numbers, track_times=False)
