"""Random Keras networks, as Keras answered (``tests/golden/keras_random.npz``), at three batch sizes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from keras_cases import BATCH, cycled

from converters.keras import convert
from converters.keras.verify import orders_of
from converters.runtimes import RUNTIMES

GOLDEN = Path(__file__).parents[1] / "golden" / "keras_random.npz"


@cache
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


SEEDS = sorted({int(key.partition(":")[0]) for key in np.load(GOLDEN).files})


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks(seed, runtime, tmp_path):
    found = {key.partition(":")[2]: value for key, value in golden().items() if key.startswith(f"{seed}:")}
    (tmp_path / "random.keras").write_bytes(found.pop("keras").tobytes())
    model = convert(tmp_path / "random.keras")
    orders = orders_of(model)
    answers = {name.removeprefix("out "): value for name, value in found.items() if name.startswith("out ")}
    assert sorted(answers) == sorted(end.name for end in model.graph.output)
    for batch in (1, BATCH, 8):
        feeds = {name: found[name].astype(np.float32) / 16 for name in found if name.startswith("in")}
        feeds = {name: moved(cycled(value, batch), orders[name]) for name, value in feeds.items()}
        made = RUNTIMES[runtime](model.SerializeToString(), feeds)
        for name, value in answers.items():
            expected = moved(cycled(value, batch), orders[name])
            assert made[name].shape == expected.shape
            error = np.abs(made[name] - expected).max() / max(1.0, np.abs(expected).max())
            assert error <= 1e-5, f"{name} at batch {batch}"


def moved(array, order):
    return np.ascontiguousarray(array.transpose(order))


def test_there_are_enough():
    assert len(SEEDS) >= 100
    assert GOLDEN.stat().st_size < 1_000_000
