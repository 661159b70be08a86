"""Ask Keras itself about every Keras layer case. It needs the extra ``keras``; the tests read what it writes.

    PYTHONPATH=.:tests/converters python tests/golden/make_keras_layers.py [FAMILY ...]

writes ``keras/<family>.npz``: for case ``i`` the keys ``i:case`` (its text), ``i:h5`` and ``i:keras`` (the files that
Keras saved), ``i:in`` and so on (inputs, int8), ``i:out`` and so on (what Keras answered, float32, in Keras's layout).
Operations have no ``i:h5``: Keras itself cannot read them from HDF5.
"""

from __future__ import annotations

import io
import logging
import sys
import tempfile
import zipfile
from itertools import groupby
from pathlib import Path

import numpy as np
from keras_cases import build, cases, inputs_of, real

from converters.keras.load import tensorflow

FOLDER = Path(__file__).parent / "keras"


def main(wanted: list[str]) -> None:
    """Write one file a layer family."""
    FOLDER.mkdir(exist_ok=True)
    tensorflow()
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras says that HDF5 is of old
    for family, members in groupby(cases(), key=lambda case: case.family):
        if not wanted or family in wanted:
            found = {}
            for case in members:
                found |= {f"{case.number}:{key}": value for key, value in ask(case).items()}
            np.savez_compressed(FOLDER / f"{family}.npz", **found)
            print(f"{family}: {(FOLDER / f'{family}.npz').stat().st_size} bytes")


def ask(case):
    """Return a case's files, inputs and outputs."""
    import keras

    model, found = build(case), {"case": np.array(str(case))}
    with tempfile.TemporaryDirectory() as folder:
        for form in ("keras",) if case.type.startswith("ops.") else ("h5", "keras"):
            path = Path(folder) / f"tiny.{form}"
            try:
                model.save(path)
            except (TypeError, NotImplementedError):
                continue
            data = path.read_bytes() if form == "h5" else repacked(path)
            found[form] = np.frombuffer(data, dtype=np.uint8)
    inputs = inputs_of(case)
    found |= inputs
    given = [real(case, value) for value in inputs.values()]
    answers = answered(model, given if len(given) > 1 else given[0])
    for index, value in enumerate(keras.tree.flatten(answers)):
        found[f"out_{index}" if index else "out"] = np.asarray(value, dtype=np.float32)
    return found


def answered(model, given):
    """Run a model; by XLA where TensorFlow has no kernel for the CPU, as for dilated transposed convolutions."""
    import tensorflow as tf

    try:
        return model(given, training=False)
    except tf.errors.InvalidArgumentError:
        return tf.function(lambda x: model(x, training=False), jit_compile=True)(given)


def repacked(path: Path) -> bytes:
    """Return a ``.keras`` file without compression and dates, so that it packs well and is the same each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            if info.filename != "metadata.json":
                new.writestr(zipfile.ZipInfo(info.filename), old.read(info))
        new.writestr(zipfile.ZipInfo("metadata.json"), '{"keras_version": "3.15.1"}')
    return buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
