"""Every Keras layer case: what Keras itself answered (``tests/golden/keras``) against the converted files.

The direct road needs no TensorFlow; the tf2onnx road and the live judge are tested where it is installed.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from keras_cases import BATCH, build, cases, cycled, inputs_of, real
from numpy.testing import assert_array_equal

from converters.keras import convert
from converters.keras.verify import orders_of
from converters.runtimes import RUNTIMES, available

GOLDEN = Path(__file__).parents[1] / "golden" / "keras"
CASES = list(cases())
WITHOUT_TENSORFLOW = find_spec("tensorflow") is None
needs_keras = pytest.mark.skipif(WITHOUT_TENSORFLOW, reason="needs TensorFlow: pip install 'agebench[keras]'")

LEAVES_GAPS = "it gives ConvTranspose negative pads, where windows leave gaps or output_padding adds to them"
ROUNDS_DOWN = "it writes a Resize whose scale makes one pixel too few"
NO_TF2ONNX = {
    "UpSampling2D {'size': (2, 3), 'interpolation': 'bicubic'}": "it takes another cubic kernel",
    "'lanczos": "it has no ScaleAndTranslate",
    "Resizing {'height': 5, 'width': 4, 'antialias': True}": "it has no ScaleAndTranslate",
    "Resizing {'height': 5, 'width': 13}": ROUNDS_DOWN,
    "Resizing {'height': 11, 'width': 4, 'interpolation': 'bicubic'}": ROUNDS_DOWN,
    "CenterCrop {'height': 10, 'width': 5}": ROUNDS_DOWN,
    "Conv2DTranspose {'filters': 4, 'kernel_size': 2, 'strides': 3, 'use_bias': False}": LEAVES_GAPS,
    "Conv2DTranspose {'filters': 4, 'kernel_size': (2, 5), 'strides': (3, 2), 'padding': 'same'}": LEAVES_GAPS,
    "Conv2DTranspose {'filters': 4, 'kernel_size': 1, 'strides': 2, 'padding': 'same'}": LEAVES_GAPS,
    "Conv2DTranspose {'filters': 4, 'kernel_size': 3, 'strides': 2, 'output_padding': 1}": LEAVES_GAPS,
    "Conv3DTranspose {'filters': 4, 'kernel_size': 2, 'strides': (1, 2, 3), 'padding': 'same'}": LEAVES_GAPS,
}
"""What tf2onnx cannot convert, or converts so that a runtime gives something else: a part of the case, and why."""


@cache
def golden(family):
    with np.load(GOLDEN / f"{family}.npz") as file:
        return dict(file)


def stored(case):
    prefix = f"{case.number}:"
    found = {key.removeprefix(prefix): v for key, v in golden(case.family).items() if key.startswith(prefix)}
    assert str(found.pop("case", "")) == str(case), "the cases changed: run tests/golden/make_keras_layers.py again"
    return found


def files(case, folder):
    """Write a case's files; returns them by format."""
    found = stored(case)
    paths = {}
    for form in {"h5", "keras"} & found.keys():
        paths[form] = folder / f"tiny.{form}"
        paths[form].write_bytes(found[form].tobytes())
    return paths


def why_not(runtime, case):
    """Return why a runtime cannot run a case, else nothing."""
    version = available()[runtime].partition(".")[0]
    return next((why for *where, part, why in case.gaps if where == [runtime, version] and part in str(case)), None)


def check(model, case, runtime):
    """Compare a converted case with the golden answers at three batch sizes."""
    orders, found = orders_of(model), stored(case)
    feeds = {name: real(case, found[name]) for name in found if name.startswith("in")}
    answers = {name: found[name] for name in found if name.startswith("out")}
    data = model.SerializeToString()
    for batch in (1, BATCH, 8):
        given = {name: moved(cycled(value, batch), orders[name]) for name, value in feeds.items()}
        made = RUNTIMES[runtime](data, given)
        assert sorted(made) == sorted(answers)
        for name, value in answers.items():
            expected = moved(cycled(value, batch), orders[name])
            assert made[name].shape == expected.shape
            assert made[name].dtype == np.float32
            error = np.abs(made[name] - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0))
            assert error <= 1e-5, f"{name} at batch {batch}"


def moved(array, order):
    return np.ascontiguousarray(array.transpose(order))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_direct_road(case, runtime, tmp_path, request):
    if why := why_not(runtime, case):
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    paths = files(case, tmp_path)
    check(convert(paths["keras"]), case, runtime)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_formats_give_one_graph(case, tmp_path):
    paths = files(case, tmp_path)
    if "h5" not in paths:
        pytest.skip("Keras saves it as .keras only")
    graphs = [convert(path).graph for path in paths.values()]
    assert graphs[0] == graphs[1]


def test_names_and_batch(tmp_path):
    for case in CASES:
        model = convert(files(case, tmp_path)["keras"])
        ends = [*model.graph.input, *model.graph.output]
        assert {end.type.tensor_type.shape.dim[0].dim_param for end in ends} == {"N"}
        assert [end.name for end in model.graph.input] == [name for name in stored(case) if name.startswith("in")]
        assert not {node.op_type for node in model.graph.node} & {"Affine"}


def test_every_family_has_a_golden_file():
    assert {path.stem for path in GOLDEN.glob("*.npz")} == {case.family for case in CASES}
    assert sum(path.stat().st_size for path in GOLDEN.glob("*.npz")) < 3_000_000


@needs_keras
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_golden_answers_are_keras_own(case):
    """The same model built and run here: what is stored cannot have been made up."""
    import keras

    from converters.keras.load import tensorflow

    tensorflow()
    found, inputs = stored(case), inputs_of(case)
    for name, value in inputs.items():
        assert_array_equal(found[name], value)
    given = [real(case, value) for value in inputs.values()]
    if "dilation_rate" in str(case) and "Transpose" in case.type:
        pytest.skip("TensorFlow has no kernel for the CPU")
    answers = keras.tree.flatten(build(case)(given if len(given) > 1 else given[0], training=False))
    for name, answer in zip([name for name in found if name.startswith("out")], answers, strict=True):
        np.testing.assert_allclose(np.asarray(answer, dtype=np.float32), found[name], rtol=1e-5, atol=1e-5)


@needs_keras
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_tf2onnx_road(case, tmp_path, request):
    from converters.keras.tf2onnx_road import convert as convert_by_tf2onnx

    if why := next((why for part, why in NO_TF2ONNX.items() if part in str(case)), None):
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    model = convert_by_tf2onnx(files(case, tmp_path)["keras"])
    assert onnx.checker.check_model(model) is None
    check(model, case, "onnxruntime")
