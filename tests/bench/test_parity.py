"""How far outputs may be from the golden ones, by precision and by the size of the numbers."""

import json

import numpy as np
import pytest
from bench_cases import latency_case
from numpy.testing import assert_array_equal

import zoo.golden
from bench.parity import Differs, first_run


class Answering:
    """A worker that answers with the golden outputs, moved."""

    def __init__(self, golden, by):
        self.golden, self.by = golden, by

    def ask(self, do, feeds):
        batch = len(next(iter(feeds.values())))
        outputs = {name: value + np.float32(self.by) for name, value in self.golden.cycle(batch)[1].items()}
        return {"placement": {"here": 1}, "strays": [], "details": {}, "run_ms": 1.0}, outputs


def golden_of(tmp_path, monkeypatch, output, kind="output"):
    monkeypatch.setattr(zoo.golden, "FOLDER", tmp_path)
    pixels = np.arange(8 * 3, dtype=np.uint8).reshape(8, 1, 1, 3)
    arrays = {"input:data": pixels, "offset:data": np.float32(0), f"{kind}:out": output.astype(np.float32)}
    np.savez(tmp_path / "net.npz", meta=json.dumps({"framework": "by hand"}), **arrays)
    return zoo.golden.load("net")


PROBABILITIES = np.linspace(0, 0.9, 16).reshape(8, 2)
YEARS = np.linspace(60, 80, 8).reshape(8, 1)


@pytest.mark.parametrize(
    ("outputs", "precision", "by", "passes"),
    [
        (PROBABILITIES, "fp32", 5e-6, True),
        (PROBABILITIES, "fp32", 5e-5, False),
        (YEARS, "fp32", 5e-3, True),
        (YEARS, "fp32", 5e-2, False),
        (PROBABILITIES, "winograd", 5e-6, True),
        (PROBABILITIES, "winograd", 5e-5, False),
        (PROBABILITIES, "fp16", 5e-3, True),
        (PROBABILITIES, "fp16", 5e-2, False),
        (YEARS, "fp16", 0.5, True),
        (YEARS, "fp16", 1.5, False),
        (YEARS, "int8", 9, True),
        (YEARS, "int8", np.inf, False),
        (YEARS, "fp16", np.nan, False),
    ],
)
@pytest.mark.parametrize("batch", [1, 13])
def test_what_passes_depends_on_precision_and_size(tmp_path, monkeypatch, outputs, precision, by, passes, batch):
    golden = golden_of(tmp_path, monkeypatch, outputs)
    case = latency_case(precision=precision, batch=batch)
    if passes:
        assert first_run(Answering(golden, by), golden, case).parity.max_abs == pytest.approx(by, rel=1e-2)
    else:
        with pytest.raises(Differs, match=f"at batch {batch}"):
            first_run(Answering(golden, by), golden, case)


def rows_of(*images):
    """Return rows (1, 1, K, 7) as a detector has them: the image, and numbers of its own."""
    rows = [[image, 1, *np.random.default_rng((image, place)).random(5)] for place, image in enumerate(images)]
    return np.array(rows, np.float32)[None, None]


def test_the_rows_of_a_detector_follow_their_images_into_any_batch(tmp_path, monkeypatch):
    rows = rows_of(0, 0, 1, 2, 2, 2, 5, 7)  # nothing is found in 3, 4 and 6
    golden = golden_of(tmp_path, monkeypatch, rows, kind="found")
    assert_array_equal(golden.cycle(8)[1]["out"], rows)
    assert_array_equal(golden.cycle(3)[1]["out"], rows[:, :, :6])
    eleven = golden.cycle(11)[1]["out"]
    assert_array_equal(eleven[0, 0, :, 0], [0, 0, 1, 2, 2, 2, 5, 7, 8, 8, 9, 10, 10, 10])
    assert_array_equal(eleven[0, 0, 8:, 1:], rows[0, 0, :6, 1:])


def test_a_row_too_few_is_no_parity(tmp_path, monkeypatch):
    golden = golden_of(tmp_path, monkeypatch, rows_of(0, 0, 1, 2, 3, 4, 5, 6, 7), kind="found")
    worker = Answering(golden, 0)
    assert first_run(worker, golden, latency_case(batch=3)).parity.max_abs == 0
    one_less = Answering(golden_of(tmp_path, monkeypatch, rows_of(0, 1, 2, 3, 4, 5, 6, 7), kind="found"), 0)
    with pytest.raises(Differs, match="by inf"):
        first_run(one_less, golden, latency_case(batch=3))
