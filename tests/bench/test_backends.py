"""Each backend in its own environment against the source framework's outputs, and what it refuses.

Environments are not made here: a backend whose environment is not there is skipped.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from bench_cases import latency_case

import zoo.golden
from bench import backends, devices, doctor, environments, probes
from bench.backends import ANY, null, opencv4, opencv5, openvino, source
from bench.devices import Probe, choose, probe
from bench.parity import Differs, first_run
from bench.process import WorkerFailed, open_worker
from bench.types import Unavailable
from bench.worker import timed
from zoo.card import find_card
from zoo.store import build, fetch_graph


def interpreter(backend, form=ANY):
    needs = backends.declared(backend).needs_for(form)
    python = environments.find(needs)
    if python is None:
        pytest.skip(environments.advice(environments.name_for(backend, None if form == ANY else form), needs))
    return python


def outputs_hold(backend, python, model, name, batches=(1, 3), **options):
    """Run a network's golden inputs at rising batch sizes in one worker; return what its last first run told."""
    golden = zoo.golden.load(name)
    with open_worker(backend, "cpu", threads=1, timeout=200, python=python, options=options) as worker:
        worker.ask("load", model=model)
        for batch in batches:
            told = first_run(worker, golden, latency_case(backend, batch=batch))
            assert told.parity.max_abs < 1e-4
            assert worker.ask("time", count=2, seconds=0)[0]["times_ms"]
    return told


@pytest.mark.parametrize("backend", ["opencv4", "opencv5", "openvino"])
@pytest.mark.parametrize("name", ["c3ae-plain", "ror-age"])
def test_a_backend_gives_what_keras_gave(backend, name):
    told = outputs_hold(backend, interpreter(backend), str(build(find_card(name))), name)
    assert sum(told.placement.values()) > 3


def test_a_network_that_opencv_4_cannot_read_is_a_refusal_in_its_own_words(face_detector):
    with open_worker("opencv4", "cpu", threads=1, python=interpreter("opencv4")) as worker:
        wanted = r"^OpenCV 4\.[0-9.]+ cannot read this network: Unsupported data type: BOOL"
        with pytest.raises(Unavailable, match=wanted):
            worker.ask("load", model=str(build(find_card("res10-ssd-face"))))


def test_a_damaged_file_is_an_error_of_opencv_not_a_refusal(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    python = interpreter("opencv4")
    with (
        open_worker("opencv4", "cpu", threads=1, python=python) as worker,
        pytest.raises(WorkerFailed, match="Failed to parse"),
    ):
        worker.ask("load", model=str(tmp_path / "net.onnx"))


@pytest.mark.parametrize("shape", ["static", "dynamic"])
def test_openvino_says_itself_that_it_runs_in_single_precision_on_the_threads_given(shape):
    name = "c3ae-plain"
    told = outputs_hold("openvino", interpreter("openvino"), str(build(find_card(name))), name, shape=shape)
    assert told.details == {
        "shape": shape,
        "precision": "f32",
        "threads": "1",
        "streams": "1",
        "hint": "LATENCY",
        "pinning": "False",
    }
    assert told.placement.keys() == {"OpenVINO/CPU"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["c3ae-plain", "thesis-age"])
def test_source_runs_a_keras_file_as_keras_did(name):
    (file,) = fetch_graph(find_card(name)).values()
    told = outputs_hold("source", interpreter("source", "keras"), {"model": str(file)}, name)
    assert told.placement.keys() == {"TensorFlow/CPU"}
    assert told.details["version"].startswith("TensorFlow ")
    assert "Keras" in told.details["version"]


def test_source_runs_caffe_files_as_caffe_did(levi_hassner):
    files = {role: str(path) for role, path in levi_hassner["age"].files.items()}
    told = outputs_hold("source", interpreter("source", "caffe"), files, "levi-hassner-age")
    assert told.details["version"].startswith("OpenCV 4.")
    assert told.placement.keys() == {"OpenCV/CPU"}


def test_source_gives_a_detectors_rows_without_those_that_opencv_fills_up_with(face_detector):
    files = {role: str(path) for role, path in face_detector.items()}
    outputs_hold("source", interpreter("source", "caffe"), files, "res10-ssd-face", batches=(1, 2))


@pytest.mark.parametrize(
    ("backend", "form"),
    [
        *((backend, ANY) for backend in ("opencv4", "opencv5", "openvino", "null")),
        ("source", "caffe"),
        pytest.param("source", "keras", marks=pytest.mark.slow),
    ],
)
def test_the_tiny_network_of_its_format_proves_a_backend(backend, form):
    interpreter(backend, form)
    found = probe(backend, "cpu", form)
    assert found.reason is None
    assert found.version


@pytest.mark.parametrize(
    ("module", "version", "wanted"),
    [(opencv4, "5.0.0", "5.0.0, not 4"), (opencv5, "4.14.0", "4.14.0, not 5"), (opencv4, "40.1", "40.1, not 4")],
)
def test_an_opencv_of_another_major_version_is_refused(monkeypatch, module, version, wanted):
    monkeypatch.setattr("bench.backends.opencv.version", lambda: version)
    with pytest.raises(Unavailable, match=wanted):
        module.version()


def test_opencv_without_a_caffe_importer_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(dnn=SimpleNamespace(), __version__="5.0.0"))
    with pytest.raises(Unavailable, match=r"OpenCV 5\.0\.0 has no Caffe importer: .* env create source-caffe"):
        source.load({"prototxt": Path("a"), "caffemodel": Path("b")}, "cpu", 1)


def test_openvino_that_executes_elsewhere_too_is_refused():
    compiled = SimpleNamespace(get_property=lambda name: ["CPU", "GPU"])
    with pytest.raises(Unavailable, match="executes on CPU, GPU"):
        openvino._placement(compiled)


def test_a_missing_environment_is_the_reason_and_its_command_the_remedy(monkeypatch):
    monkeypatch.setattr(environments, "find", lambda needs: None)
    monkeypatch.setattr(environments, "missing", lambda needs, places: list(needs))
    found = probe("source", "cpu", "keras")
    assert found.remedy == "python -m bench env create source-keras"
    assert found.reason.startswith("no environment has tensorflow-cpu>=2.20, keras")
    assert probe("source", "cuda", "keras").remedy == "--device cpu"


@pytest.fixture
def probed(monkeypatch):
    """Return how many things are found out by ``choose``: version and interpreter of each backend, set by the test."""
    found = {}

    def told(backend, device, form):
        version, python = found[backend]
        return Probe(backend, device, form, version, None, Path(python))

    monkeypatch.setattr(devices, "probe", told)
    return found


OPENCVS = {"opencv": "opencv", "opencv4": "opencv4", "opencv5": "opencv5"}


@pytest.mark.parametrize(
    ("there", "twin"),
    [
        ({"opencv": ("5.0.0", "/own"), "opencv4": ("4.14.0", "/four"), "opencv5": ("5.0.0", "/own")}, "opencv5"),
        ({"opencv": ("4.14.0", "/own"), "opencv4": ("4.14.0", "/own"), "opencv5": ("5.0.0", "/five")}, "opencv4"),
        ({"opencv": ("4.10.0", "/own"), "opencv4": ("4.14.0", "/own"), "opencv5": ("5.0.0", "/five")}, None),
        ({"opencv": ("5.0.0", "/own"), "opencv4": ("4.14.0", "/four"), "opencv5": ("5.0.0", "/five")}, None),
    ],
)
def test_the_same_opencv_is_measured_once(probed, there, twin):
    probed |= there
    found = choose(OPENCVS, "cpu", {"caffe"}, named=False)
    wanted = f"is opencv {there['opencv'][0]} here, the same that {twin} runs: see those rows"
    assert found.refused == ({} if twin is None else {("opencv", ANY): wanted})


def test_what_the_user_named_is_measured_even_if_it_is_the_same(probed):
    probed |= dict.fromkeys(OPENCVS, ("5.0.0", "/own"))
    assert choose(OPENCVS, "cpu", {"caffe"}, named=True).refused == {}


def test_doctor_has_a_row_for_each_format_with_its_environment_options_and_remedy(monkeypatch):
    def told(backend, device, form):
        if device == "cuda":
            return Probe(backend, device, form, None, "no GPU")
        if backend == "source":
            return Probe(backend, device, form, None, "nothing", remedy="do this")
        return Probe(backend, device, form, "1.2", None, Path("/home/envs/mine/bin/python"))

    monkeypatch.setattr(doctor, "probe", told)
    monkeypatch.setattr(doctor, "gpus", list)
    rows = json.loads(doctor.examine(as_json=True))
    found = {(row["backend"], row["device"], row["reads"]): row for row in rows}
    assert {(b, r) for b, _, r in found} >= {("source", "caffe"), ("source", "keras"), ("openvino", "onnx")}
    ov = found["openvino", "cpu", "onnx"]
    assert (ov["usable"], ov["version"], ov["environment"], ov["remedy"]) == (True, "1.2", "mine", None)
    assert ov["options"] == {"shape": ["static", "dynamic"]}
    assert found["source", "cpu", "keras"]["remedy"] == "do this"
    assert "NVIDIA GPU" in found["onnxruntime", "cuda", "onnx"]["remedy"]
    assert found["tensorrt", "cuda", "onnx"]["remedy"] == "a machine with an NVIDIA GPU"
    assert "onnxruntime" in found["opencv4", "cuda", "onnx"]["remedy"]
    assert all(row["usable"] or row["remedy"] for row in rows)
    table = doctor.examine(as_json=False)
    assert "openvino: shape=static|dynamic" in table
    assert re.search(r"source +cpu +keras +not usable +nothing +do this", table)


@pytest.mark.parametrize("form", probes.FORMS)
def test_the_tiny_network_is_the_same_in_every_format(tmp_path, form):
    tiny = probes.write(tmp_path, form)
    if form == "caffe":
        from converters.caffe import convert

        model = convert(Path(tiny.model["prototxt"]), Path(tiny.model["caffemodel"]))
    elif form == "keras":
        from converters.keras import convert

        model = convert(Path(tiny.model["model"]))
    else:
        import onnx

        model = onnx.load(tiny.model)
    assert [one.name for one in model.graph.input] == [tiny.input]
    (output,) = model.graph.output
    assert [d.dim_value for d in output.type.tensor_type.shape.dim][1:] == [2, 5, 3]


SCRIPT = {"times_ms": [3.0, 1.5, 2.25]}


def null_worker(monkeypatch, **script):
    monkeypatch.setenv("BENCH_NULL", json.dumps(script))
    return open_worker("null", "cpu", threads=1, timeout=3)


@pytest.mark.parametrize("name", ["c3ae-v84", "res10-ssd-face", "levi-hassner-age"])
def test_null_reports_exactly_its_script_and_passes_the_comparison(monkeypatch, name):
    golden = zoo.golden.load(name)
    with null_worker(monkeypatch, **SCRIPT) as worker:
        worker.ask("load", model=f"/nowhere/{name}.fp16.onnx")
        for batch in (1, 11):
            told = first_run(worker, golden, latency_case("null", batch=batch))
            assert told.parity.max_abs == 0
            assert told.placement == {null.MADE_UP: 1}
            assert told.details == {"times": null.MADE_UP}
        answer, _ = worker.ask("time", count=4, seconds=0)
    assert answer["times_ms"] == [2.25, 3.0, 1.5, 2.25]


def test_nulls_spread_is_that_of_the_script_and_always_the_same():
    spread = {"times_ms": [10], "spread": 0.05, "seed": 4}
    drawn = []
    for _ in range(2):
        clock = null.Clock(null.read_script(json.dumps(spread)))
        times = timed(lambda feeds, clock=clock: clock.run() or {}, {}, 400, 0, clock=clock)
        drawn.append(np.array(times) / 1e6)
    np.testing.assert_array_equal(*drawn)
    logs = np.log(drawn[0] / 10)
    assert abs(logs.mean()) < 4 * 0.05 / 20
    assert 0.04 < logs.std() < 0.06


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [("raise", "a fault of null's script"), ("crash", "SIGSEGV"), ("hang", "within 3 s"), ("wrong", "outputs differ")],
)
def test_nulls_faults_come_when_the_script_says(monkeypatch, fault, wanted):
    golden = zoo.golden.load("c3ae-plain")
    with null_worker(monkeypatch, fault=fault, after=1) as worker:
        worker.ask("load", model="c3ae-plain.onnx")
        first_run(worker, golden, latency_case("null", batch=1))
        with pytest.raises(WorkerFailed, match=wanted) as caught:
            first_run(worker, golden, latency_case("null", batch=2))
        assert isinstance(caught.value, Differs) == (fault == "wrong")


def test_null_scores_nothing(monkeypatch):
    with null_worker(monkeypatch) as worker:
        worker.ask("load", model="c3ae-plain.onnx")
        feeds, _ = zoo.golden.load("c3ae-plain").cycle(1)
        other = {name: array + 1 for name, array in feeds.items()}
        with pytest.raises(WorkerFailed, match="plays back golden outputs, and scores nothing"):
            worker.ask("predict", other)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"time_ms": [1]}', "no key 'time_ms'; there are after, fault, golden, seed, spread, times_ms"),
        ('{"times_ms": []}', "give one or more"),
        ('{"times_ms": [1, 0]}', "each above 0"),
        ('{"fault": "sulk"}', "fault 'sulk': there are hang"),
    ],
)
def test_a_wrong_script_is_told(text, wanted):
    with pytest.raises(ValueError, match=re.escape(wanted) if "key" in wanted else wanted):
        null.read_script(text)


def test_a_script_may_be_a_file(tmp_path):
    (tmp_path / "script.json").write_text('{"times_ms": [4], "after": 2}')
    script = null.read_script(str(tmp_path / "script.json"))
    assert (script.times_ms, script.after) == ((4.0,), 2)


def test_null_is_not_listed():
    assert "null" in backends.names()
    assert "null" not in backends.names(listed=True)


def test_source_imports_its_framework_only_where_there_is_one_to_choose(monkeypatch):
    fake = ModuleType("cv2")
    fake.__version__ = "4.99.0"
    monkeypatch.setitem(sys.modules, "cv2", fake)
    monkeypatch.setattr(source, "find_spec", lambda name: name == "cv2" or None)
    assert source.version() == "OpenCV 4.99.0"
    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.setattr(source, "find_spec", lambda name: True)
    before = set(sys.modules)
    assert "opencv-python" in source.version()
    assert not {"cv2", "tensorflow"} & (set(sys.modules) - before)
