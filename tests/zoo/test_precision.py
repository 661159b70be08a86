"""Half precision and 8 bits: what the float32 network says is the judge, on every runtime that is here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import IMAGE, images, model, old_network, weights
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper

from converters.errors import BadInput
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, Runtime, available, run_evaluator, run_onnxruntime
from zoo import quantisation
from zoo.clean import clean
from zoo.precision import half
from zoo.quantisation import quantised

pytest.importorskip("onnxruntime", reason="its tools make the variants")
HERE = [name for name, version in available().items() if not version.startswith("not installed")]


def squares() -> onnx.ModelProto:
    """Make a local response normalization of raw pixels, between two convolutions: squares are beyond 65,504."""
    band = (np.abs(np.subtract.outer(range(5), range(5))) <= 1).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["map"], name="first"),
        helper.make_node("Mul", ["map", "map"], ["square"], name="norm/square"),
        helper.make_node("Conv", ["square", "band", "one"], ["sums"], name="norm/sums"),
        helper.make_node("Sqrt", ["sums"], ["root"], name="norm/root"),
        helper.make_node("Div", ["map", "root"], ["norm"], name="norm"),
        helper.make_node("Conv", ["norm", "second"], ["out"], name="second"),
        helper.make_node("Conv", ["out", "third"], ["last"], name="third"),
    ]
    constants = {
        "first": 2 * np.ones((5, 3, 1, 1), np.float32) + weights(5, 3, 1, 1),
        "band": band[:, :, None, None] * 0.7,
        "one": np.ones(5, np.float32),
        "second": weights(4, 5, 3, 3),
        "third": weights(2, 4, 1, 1),
    }
    return model(nodes, constants, {"image": ("N", *IMAGE)}, {"last": ("N", 2, 10, 8)})


def batches(count: int = 3, largest: float = 1) -> Iterator[dict[str, np.ndarray]]:
    yield from ({"image": largest * images(8, seed=seed)} for seed in range(1, count + 1))


def run(source: onnx.ModelProto, feed: np.ndarray, runtime: str = "onnxruntime") -> np.ndarray:
    (found,) = RUNTIMES[runtime](to_bytes(source), {"image": feed}).values()
    return found


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("runtime", HERE)
def test_half_precision_is_close(runtime: str, batch: int) -> None:
    source = clean(old_network())
    feed = images(batch)
    found = run(half(source), feed, runtime)
    assert found.dtype == np.float32
    assert_allclose(found, run(source, feed), atol=2e-3)
    assert np.abs(found - run(source, feed)).max() > 0


@pytest.mark.parametrize("judge", [*(RUNTIMES[name] for name in HERE), run_evaluator])
def test_squares_of_pixels_are_finite_in_half_precision(judge: Runtime) -> None:
    """On a CPU the evaluator alone computes in half precision; the runtimes raise it to single, which hides a loss."""
    feed = 255 * images(3)
    wanted = run(squares(), feed)
    found = judge(to_bytes(half(squares())), {"image": feed})["last"]
    assert_allclose(found, wanted, atol=1e-2 * np.abs(wanted).max())


def test_half_precision_keeps_inputs_and_outputs_and_halves_the_weights() -> None:
    made = half(clean(old_network()))
    kinds = {v.type.tensor_type.elem_type for v in (*made.graph.input, *made.graph.output)}
    assert kinds == {TensorProto.FLOAT}
    assert {t.data_type for t in made.graph.initializer} == {TensorProto.FLOAT16, TensorProto.INT64}
    assert [o.type.tensor_type.shape.dim[0].dim_param for o in made.graph.output] == ["N"]


def test_nothing_is_cast_down_and_up_again_between_nodes_that_stay_float32() -> None:
    made = half(squares())
    casts = {node.output[0]: node for node in made.graph.node if node.op_type == "Cast"}
    assert casts
    assert not [name for name, node in casts.items() if node.input[0] in casts]
    kept = {t.name: t.data_type for t in made.graph.initializer}
    assert (kept["band"], kept["second"]) == (TensorProto.FLOAT, TensorProto.FLOAT16)


def test_weights_that_are_not_raw_are_halved_too() -> None:
    source = clean(old_network())
    for tensor in source.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            numbers = numpy_helper.to_array(tensor)
            tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.FLOAT, numbers.shape, numbers.ravel()))
    assert to_bytes(half(source)) == to_bytes(half(clean(old_network())))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("runtime", HERE)
def test_8_bits_are_near(runtime: str, batch: int) -> None:
    source = clean(old_network())
    feed = images(batch)
    wanted = run(source, feed)
    assert_allclose(run(quantised(source, batches()), feed, runtime), wanted, atol=0.03)


def two_convolutions(height: int, width: int, window: int) -> onnx.ModelProto:
    """Make a network whose second convolution makes a map of this size."""
    pads = [window // 2] * 4
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["map"], name="first", pads=pads),
        helper.make_node("Relu", ["map"], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "second"], ["last"], name="second", pads=pads),
        helper.make_node("Flatten", ["last"], ["row"], name="row"),
        helper.make_node("Gemm", ["row", "matrix"], ["logits"], name="dense"),
    ]
    constants = {
        "first": weights(8, 3, window, window),
        "second": weights(8, 8, window, window, seed=1),
        "matrix": weights(8 * height * width, 5),
    }
    return model(nodes, constants, {"image": ("N", 3, height, width)}, {"logits": ("N", 5)})


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("size", [(2, 2), (7, 5), (11, 13)])
@pytest.mark.parametrize("runtime", HERE)
def test_8_bits_are_near_whatever_the_size_of_a_map(runtime: str, size: tuple[int, int], window: int) -> None:
    source = two_convolutions(*size, window)
    made = quantised(source, [{"image": images(16, (3, *size), seed=seed)} for seed in range(2)])
    feed = images(3, (3, *size), seed=9)
    wanted = run(source, feed)
    assert_allclose(run(made, feed, runtime), wanted, atol=0.05 * np.abs(wanted).max())


def test_onnx_runtime_computes_in_8_bits(tmp_path: Path) -> None:
    import onnxruntime as ort

    made = quantised(two_convolutions(7, 5, 3), [{"image": images(16, (3, 7, 5))}])
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(to_bytes(made), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert kinds.count("QLinearConv") == 2
    assert "Conv" not in kinds
    assert "Mul" not in kinds


@pytest.mark.parametrize("runtime", HERE)
def test_a_normalisation_by_squares_stays_float32(runtime: str) -> None:
    feed = 255 * images(3)
    made = quantised(squares(), batches(largest=255))
    kept = {t.name: t.data_type for t in made.graph.initializer}
    assert kept["band"] == TensorProto.FLOAT
    wanted = run(squares(), feed)
    assert_allclose(run(made, feed, runtime), wanted, atol=0.05 * np.abs(wanted).max())


def test_weights_have_a_scale_a_channel_and_the_last_layer_stays_float32() -> None:
    made = quantised(clean(old_network()), batches())
    constants = {t.name: numpy_helper.to_array(t) for t in made.graph.initializer}
    makers = {node.output[0]: node for node in made.graph.node}
    (conv,) = [node for node in made.graph.node if node.op_type == "Conv"]
    weight = makers[conv.input[1]]
    assert weight.op_type == "DequantizeLinear"
    assert constants[weight.input[0]].dtype == np.int8
    assert constants[weight.input[1]].shape == (5,)
    (dense,) = [node for node in made.graph.node if node.op_type == "Gemm"]
    assert constants[dense.input[1]].dtype == np.float32


def test_a_large_last_layer_gets_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantisation, "FEW_WEIGHTS", 7 * 600 - 1)
    made = quantised(clean(old_network()), batches())
    (dense,) = [node for node in made.graph.node if node.op_type == "Gemm"]
    assert dense.input[1] not in {t.name for t in made.graph.initializer}


def test_the_range_is_a_percentile(monkeypatch: pytest.MonkeyPatch) -> None:
    def scale_of_pixels() -> float:
        made = quantised(clean(old_network()), batches())
        node = next(n for n in made.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == "image")
        return float({t.name: numpy_helper.to_array(t) for t in made.graph.initializer}[node.input[1]])

    whole = scale_of_pixels()
    assert whole == pytest.approx(1 / 255, rel=0.01)
    monkeypatch.setattr(quantisation, "PERCENTILE", 80)
    assert scale_of_pixels() == pytest.approx(0.8 / 255, rel=0.02)  # the pixels are even between 0 and 1


@pytest.mark.parametrize("make", [half, lambda source: quantised(source, batches())])
def test_the_bytes_are_the_same_each_time_and_say_what_the_source_says(make) -> None:
    source = clean(old_network(), {"name": "tiny"})
    before = to_bytes(source)
    made = make(source)
    assert to_bytes(made) == to_bytes(make(source))
    assert to_bytes(source) == before
    assert {entry.key: entry.value for entry in made.metadata_props} == {"name": "tiny"}
    assert [value.name for value in made.graph.input] == ["image"]
    assert [value.name for value in made.graph.output] == ["prob"]


def test_calibrating_says_nothing_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    quantised(clean(old_network()), batches())
    assert capfd.readouterr().out == ""


def test_no_batch_is_told() -> None:
    with pytest.raises(BadInput, match="no batch to calibrate with"):
        quantised(clean(old_network()), [])


def test_a_variant_of_a_network_with_a_fixed_size_of_batch_runs_at_any() -> None:
    made = quantised(clean(old_network()), batches())
    assert [len(run_onnxruntime(to_bytes(made), {"image": images(n)})["prob"]) for n in (1, 5)] == [1, 5]
