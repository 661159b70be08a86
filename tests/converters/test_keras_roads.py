"""The second road, the judge and the command. What needs TensorFlow is skipped where it is not installed."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from keras_files import functional, given, layer, modern, sequential, write_hdf5, write_keras
from onnx import numpy_helper

from converters import __main__ as command
from converters.errors import Unsupported, run_command
from converters.keras import convert
from converters.keras.load import ENVIRONMENT, tensorflow
from converters.keras.mend import mended
from converters.keras.trust import refuse_code
from converters.keras.verify import orders_of, with_inner
from converters.runtimes import run_onnxruntime

needs_keras = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="needs TensorFlow: pip install 'agebench[keras]'"
)


def call(*arguments):
    return run_command(command.main, [str(argument) for argument in arguments])


def error_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def dense(path: Path, activation: str = "softmax", scale: float = 1.0) -> Path:
    """Write a convolution and a dense layer, as Keras 2 does."""
    numbers = np.random.default_rng(3)
    config = functional(
        [
            given("picture", 5, 7, 3),
            layer("Conv2D", "conv", [[["picture", 0, 0]]], filters=4, kernel_size=[3, 3], activation="relu"),
            layer("Flatten", "flat", [[["conv", 0, 0]]]),
            layer("Dense", "groups", [[["flat", 0, 0]]], units=6, activation=activation),
        ],
        [["picture", 0, 0]],
        [["groups", 0, 0]],
    )
    tensors = {
        "conv": {"conv/kernel:0": numbers.normal(size=(3, 3, 3, 4)), "conv/bias:0": numbers.normal(size=4)},
        "groups": {"groups/kernel:0": numbers.normal(0, scale, (60, 6)), "groups/bias:0": numbers.normal(size=6)},
    }
    whole = {name: {key: value.astype(np.float32) for key, value in group.items()} for name, group in tensors.items()}
    return write_hdf5(path, config, whole)


@pytest.fixture
def no_tensorflow(monkeypatch):
    for name in ("tensorflow", "keras"):
        monkeypatch.setitem(sys.modules, name, None)


def test_the_direct_road_is_the_default_and_needs_no_tensorflow(tmp_path, capsys, no_tensorflow):
    out = tmp_path / "out.onnx"
    assert call("keras", dense(tmp_path / "a.h5"), "-o", out) == 0
    assert capsys.readouterr().out.startswith(f"{out}: {out.stat().st_size} bytes, ")
    said = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert (said["converter"], said["road"], said["source_model"]) == ("keras", "direct", "a.h5")


@pytest.mark.parametrize("words", [("--via", "tf2onnx"), ("--verify",)])
def test_a_missing_extra_is_one_line_and_exit_code_3(words, tmp_path, capsys, no_tensorflow):
    assert call("keras", dense(tmp_path / "a.h5"), "-o", tmp_path / "out.onnx", *words) == 3
    assert "pip install 'agebench[keras]'" in error_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_the_road_is_never_changed_silently(tmp_path, capsys):
    (tmp_path / "saved").mkdir()
    assert call("keras", tmp_path / "saved", "-o", tmp_path / "out.onnx") == 2
    assert "--via tf2onnx" in error_line(capsys)
    config = sequential([given("a", 5), layer("SpectralThing", "odd")])
    assert call("keras", write_hdf5(tmp_path / "odd.h5", config, {}), "-o", tmp_path / "out.onnx") == 2
    line = error_line(capsys)
    assert "layer 'odd' (SpectralThing)" in line
    assert "--via tf2onnx" in line


def test_out_that_cannot_be_written(tmp_path, capsys):
    source = dense(tmp_path / "a.h5")
    assert call("keras", source, "-o", source) == 2
    assert "is the source file" in error_line(capsys)
    assert call("keras", source, "-o", tmp_path / "no folder" / "out.onnx") == 2
    assert "cannot be written" in error_line(capsys)


LAMBDA = {"class_name": "Lambda", "config": {"name": "code", "function": ["4wEAAAA=", None, None], "arguments": {}}}
CODE = {
    "Keras 2": {**LAMBDA, "inbound_nodes": [[["a", 0, 0, {}]]], "name": "code"},
    "Keras 3": modern({**LAMBDA, "name": "code"}, [[["a", 0, 0]]]),
    "a class of one's own": {**modern(layer("Odd", "code"), [[["a", 0, 0]]]), "module": "os", "registered_name": "Odd"},
    "a registered class": {**modern(layer("Odd", "code"), [[["a", 0, 0]]]), "registered_name": "mine>Odd"},
}


@pytest.mark.parametrize("entry", CODE.values(), ids=CODE)
def test_code_in_a_file_is_refused_by_both_roads(entry, tmp_path):
    config = functional([given("a", 5), entry], [["a", 0, 0]], [["code", 0, 0]])
    with pytest.raises(Unsupported, match=r"layer 'code' .*(code|class)"):
        refuse_code(tmp_path / "a.h5", config)
    with pytest.raises(Unsupported, match="layer 'code'"):
        convert(write_hdf5(tmp_path / "a.h5", config, {}))


def test_an_activation_that_is_a_function_of_somebody_is_refused(tmp_path):
    function = {"class_name": "function", "config": "system", "module": "os", "registered_name": "system"}
    config = functional([given("a", 5), layer("Activation", "b", [[["a", 0, 0]]], activation=function)], [], [])
    with pytest.raises(Unsupported, match="system"):
        refuse_code(tmp_path / "a.h5", config)


def shared(first: int) -> dict:
    inner = functional([given("x", 4), layer("Dense", "d", [[["x", 0, 0]]], units=2)], [["x", 0, 0]], [["d", 0, 0]])
    twice = {**inner, "name": "inner", "inbound_nodes": [[["a", 0, 0, {}]], [["b", 0, 0, {}]]]}
    refs = [["inner", first, 0], ["inner", first + 1, 0]]
    return functional(
        [given("a", 4), given("b", 4), twice, layer("Subtract", "out", [refs])],
        [["a", 0, 0], ["b", 0, 0]],
        [["out", 0, 0]],
    )


@pytest.mark.parametrize("first", [0, 1])
def test_calls_of_nested_models_are_counted_as_keras_3_does(first):
    config = shared(first)
    before = copy.deepcopy(config)
    found = mended(config)
    assert config == before
    (node,) = found["config"]["layers"][3]["inbound_nodes"]
    assert [ref[:3] for ref in node] == [["inner", 0, 0], ["inner", 1, 0]]


def test_only_what_says_nothing_is_left_out_of_an_architecture():
    layers = [layer("LSTM", "a", units=2, time_major=False), layer("LSTM", "b", units=2, time_major=True)]
    found = mended(sequential([*layers, layer("Conv2D", "c", groups=1), layer("SeparableConv2D", "d", groups=1)]))
    kept = {
        entry["config"]["name"]: set(entry["config"]) & {"time_major", "groups"} for entry in found["config"]["layers"]
    }
    assert kept == {"a": set(), "b": {"time_major"}, "c": {"groups"}, "d": set()}


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "tanh"])
def test_what_goes_into_a_last_softmax_is_an_output_too(activation, tmp_path):
    model = convert(dense(tmp_path / "a.h5", activation))
    assert orders_of(model) == {"picture": (0, 3, 1, 2), "groups": (0, 1)}
    feeds = {"picture": np.random.default_rng(1).normal(size=(2, 3, 5, 7)).astype(np.float32)}
    found = run_onnxruntime(with_inner(model), feeds)
    (name,) = found.keys() - {"groups"}
    assert name == f"groups before {activation.capitalize()}"
    linear = run_onnxruntime(convert(dense(tmp_path / "b.h5", "linear")).SerializeToString(), feeds)
    np.testing.assert_allclose(found[name], linear["groups"], rtol=1e-6)


@needs_keras
@pytest.mark.parametrize("via", ["direct", "tf2onnx"])
def test_verify(via, tmp_path, capsys):
    source, out = dense(tmp_path / "a.h5"), tmp_path / "out.onnx"
    assert call("keras", source, "-o", out, "--via", via, "--verify") == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split("  ")[0] for line in lines[3:5]] == ["groups", "groups before Softmax"]
    assert {line.split("  ")[-1] for line in lines[3:]} == {"ok"}
    assert captured.err == ""


@needs_keras
@pytest.mark.parametrize("form", ["h5", "keras"])
def test_verify_takes_whole_numbers_and_half_precision(form, tmp_path, capsys):
    import keras

    tensorflow()
    x = keras.Input((5, 7, 3), name="x", dtype="uint8")
    y = keras.layers.Conv2D(4, 3, dtype="mixed_float16", name="c")(keras.layers.Rescaling(1 / 255)(x))
    keras.Model(x, keras.layers.Flatten(name="y", dtype="float32")(y)).save(tmp_path / f"a.{form}")
    assert call("keras", tmp_path / f"a.{form}", "-o", tmp_path / "out.onnx", "--verify") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split("  ")[-1] for line in lines[3:]} == {"ok"}


@needs_keras
def test_a_saturated_softmax_hides_no_difference(tmp_path):
    """Softmax is 1 for one class with either weights; what goes into it tells them apart."""
    from converters.keras.verify import verify

    source = dense(tmp_path / "a.h5", scale=1e5)
    model = convert(source)
    kernel = next(one for one in model.graph.initializer if list(one.dims) == [6, 60])
    kernel.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(kernel) * np.float32(1.001), kernel.name))
    rows, _ = verify(source, model.SerializeToString())
    assert {row.output: row.ok for row in rows if row.runtime.startswith("onnxruntime")} == {
        "groups": True,
        "groups before Softmax": False,
    }


@needs_keras
def test_the_second_road_says_what_the_first_does(tmp_path):
    from converters.keras.tf2onnx_road import convert as convert_by_tf2onnx

    source = dense(tmp_path / "a.h5")
    models = [convert(source), convert_by_tf2onnx(source)]
    first, second = ({entry.key: entry.value for entry in model.metadata_props} for model in models)
    assert second.pop("road") == "tf2onnx"
    assert second.pop("tf2onnx").startswith("tf2onnx 1.")
    assert {key: first[key] for key in second} == second
    assert models[0].graph.input == models[1].graph.input
    assert models[0].graph.output == models[1].graph.output
    assert {node.name.split("/")[0] for node in models[1].graph.node} >= {"conv", "groups"}
    assert [(o.domain, o.version) for o in models[1].opset_import] == [("", 17)]


@needs_keras
@pytest.mark.slow
def test_the_second_road_gives_the_same_bytes_in_every_process(tmp_path):
    import keras

    tensorflow()
    x = given_x = keras.Input((9, 5), name="x")
    x = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))(x)
    x = keras.layers.TimeDistributed(keras.layers.Dense(2))(x)
    keras.Model(given_x, keras.layers.Flatten()(x)).save(tmp_path / "a.keras")
    code = (
        "import sys; from pathlib import Path; from converters.keras.tf2onnx_road import convert; "
        "sys.stdout.buffer.write(convert(Path(sys.argv[1])).SerializeToString(deterministic=True))"
    )
    found = set()
    for seed in ("1", "2"):
        words = [sys.executable, "-c", code, str(tmp_path / "a.keras")]
        made = subprocess.run(words, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True)
        assert made.stderr == b""
        found.add(hashlib.sha256(made.stdout).hexdigest())
    assert len(found) == 1


@needs_keras
def test_a_sequential_model_and_a_saved_model_folder(tmp_path):
    import keras

    from converters.keras.load import load
    from converters.keras.tf2onnx_road import convert as convert_by_tf2onnx
    from converters.keras.verify import verify

    tensorflow()
    layers = [keras.layers.Conv2D(4, 3, strides=2, padding="same"), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((6, 9, 2)), *layers])
    model.save(tmp_path / "a.keras")
    model.export(tmp_path / "saved", verbose=False)
    for source in (tmp_path / "a.keras", tmp_path / "saved"):
        made = convert_by_tf2onnx(source)
        assert [dim.dim_param or dim.dim_value for dim in made.graph.input[0].type.tensor_type.shape.dim] == [
            "N",
            2,
            6,
            9,
        ]
        rows, _ = verify(source, made.SerializeToString())
        assert rows
        assert all(row.ok for row in rows)
        assert [one.name for one in load(source).inputs] == [one.name for one in made.graph.input]
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(Exception, match=r"saved_model\.pb is no SavedModel"):
        load(tmp_path / "saved")


@needs_keras
@pytest.mark.parametrize("form", ["h5", "keras"])
def test_a_lambda_is_never_run(form, tmp_path, capsys):
    import keras

    tensorflow()
    marker, source = tmp_path / "marker", tmp_path / f"a.{form}"
    x = keras.Input((4,), name="x")

    def code(tensor, path=str(marker)):
        __import__("pathlib").Path(path).write_text("run")
        return tensor

    model = keras.Model(x, keras.layers.Lambda(code, name="code")(x))
    marker.unlink()
    model.save(source)
    assert call("keras", source, "-o", tmp_path / "out.onnx", "--via", "tf2onnx") == 2
    assert "layer 'code' (Lambda): runs code that the file brings" in error_line(capsys)
    assert not marker.exists()


@needs_keras
def test_a_seeded_architecture_is_judged_with_the_same_weights(tmp_path, capsys):
    import keras

    tensorflow()
    x = keras.Input((6, 9, 2), name="x")
    y = keras.layers.SeparableConv2D(4, 3, name="s")(x)
    y = keras.layers.LSTM(3, name="l")(keras.layers.Reshape((28, 4))(keras.layers.BatchNormalization(name="b")(y)))
    (tmp_path / "a.json").write_text(keras.Model(x, y).to_json())
    assert call("keras", tmp_path / "a.json", "-o", tmp_path / "out.onnx", "--verify") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("warning: made up")
    assert "FAILED" not in captured.out


@needs_keras
@pytest.mark.parametrize("name", ["c3ae-v84", "c3ae-v89"])
@pytest.mark.parametrize("via", ["direct", "tf2onnx"])
@pytest.mark.weights
def test_c3ae_is_what_the_rebuilt_network_gives(name, via, mirror):
    from c3ae_rebuilt import rebuilt

    from converters.keras import convert as convert_directly
    from converters.keras.tf2onnx_road import convert as convert_by_tf2onnx
    from zoo.card import find_card
    from zoo.download import Unreachable
    from zoo.store import fetch_weights

    try:
        (path,) = fetch_weights(find_card(name), mirror, variant=None).values()
    except Unreachable as error:
        pytest.skip(str(error))
    tensorflow()
    network = rebuilt(path, squeeze=name == "c3ae-v89")
    model = (convert_directly if via == "direct" else convert_by_tf2onnx)(path)
    numbers = np.random.default_rng(5)
    for batch in (1, 3, 8):
        pictures = [numbers.uniform(0, 255, (batch, 64, 64, 3)).astype(np.float32) for _ in range(3)]
        feeds = {f"input_{i}": one.transpose(0, 3, 1, 2).copy() for i, one in zip((2, 3, 4), pictures, strict=True)}
        found = list(run_onnxruntime(model.SerializeToString(), feeds).values())
        for made, answer in zip(found, network(pictures), strict=True):
            expected = np.asarray(answer)
            assert np.abs(made - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def test_write_keras_is_read_by_the_direct_road(tmp_path):
    config = sequential([given("a", 4), layer("Dense", "d", units=2)])
    tensors = {"layers/dense/vars/0": np.ones((4, 2), np.float32), "layers/dense/vars/1": np.zeros(2, np.float32)}
    model = convert(write_keras(tmp_path / "a.keras", config, tensors))
    made = run_onnxruntime(model.SerializeToString(), {"a": np.ones((3, 4), np.float32)})
    assert made["d"].tolist() == [[4, 4]] * 3


@needs_keras
def test_a_network_that_keras_cannot_run_on_made_up_inputs_is_told_in_a_line(tmp_path, capsys):
    import keras

    numbers = keras.Input((5,), dtype="int32", name="numbers")
    rows = keras.layers.Embedding(7, 3)(keras.layers.Add()([numbers, numbers]))
    keras.Model(numbers, rows).save(tmp_path / "rows.keras")
    assert call("keras", tmp_path / "rows.keras", "-o", tmp_path / "rows.onnx", "--verify") == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("error")]
    assert re.search(r"Keras itself cannot run \w+ on made-up inputs: indices\[.*is not in \[0, 7\)$", line)


def test_tensorflow_that_was_imported_before_it_was_told_of_onednn_is_warned_of(monkeypatch):
    quiet = SimpleNamespace(setLevel=lambda level: None)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(get_logger=lambda: quiet))
    backend = SimpleNamespace(backend=lambda: "tensorflow")
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(backend=backend))
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    with pytest.warns(UserWarning, match="imported before, without TF_ENABLE_ONEDNN_OPTS=1"):
        tensorflow()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensorflow()
