"""TensorRT through ONNX Runtime, played by a stub: what it takes, what CUDA gets, and who did not start."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import stub_onnxruntime
from stub_onnxruntime import CPU, CUDA, TENSORRT, profiled

from bench import backends
from bench.backends import tensorrt as backend
from bench.types import Unavailable


@pytest.fixture
def stub(monkeypatch):
    module = stub_onnxruntime.stub()
    module.nodes = [(name, op, TENSORRT) for name, op, _ in module.nodes]
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    return module


def load(name="net.onnx", **options):
    return backend.load(Path(name), "cuda", 3, **options)


def test_original_nodes_are_counted_and_nothing_is_cached(stub):
    session = load()
    assert session.placement() == {TENSORRT: 3}
    assert session.details["nodes"] == "of the network"
    (opened,) = stub.opened
    assert [name for name, _ in opened.asked] == [TENSORRT, CUDA]
    assert dict(opened.asked)[TENSORRT] == {
        "trt_fp16_enable": "0",
        "trt_engine_cache_enable": "0",
        "trt_timing_cache_enable": "0",
    }
    assert session.details["trt_engine_cache_enable"] == "0"


@pytest.mark.parametrize(
    ("file", "wanted"), [("c3ae.fp16.onnx", "1"), ("c3ae.onnx", "0"), ("c3ae.int8.onnx", "0"), ("fp16.onnx", "0")]
)
def test_half_precision_is_for_files_of_half_precision_alone(stub, file, wanted):
    assert load(file).details["trt_fp16_enable"] == wanted


@pytest.mark.parametrize(("tf32", "environment", "cuda"), [("off", "0", "0"), ("on", None, "1")])
def test_tf32_is_off_for_all_of_nvidias_libraries_unless_asked_for(stub, tf32, environment, cuda):
    session = load(tf32=tf32)
    assert os.environ.get("NVIDIA_TF32_OVERRIDE") == environment
    assert dict(stub.opened[0].asked)[CUDA]["use_tf32"] == cuda
    assert session.details["tf32"] == tf32


def test_a_build_without_tensorrt_is_refused(stub):
    stub.available = [CUDA, CPU]
    with pytest.raises(Unavailable, match=r"has no TensorrtExecutionProvider .* bench env create tensorrt"):
        load()


def test_tensorrt_that_did_not_start_is_refused_and_the_cuda_provider_does_not_stand_in_for_it(stub):
    stub.starts = {CUDA, CPU}
    stub.log = "[E] Failed to load library libonnxruntime_providers_tensorrt.so with error: libnvinfer.so.10: no\n"
    with pytest.raises(Unavailable, match=r"fell back to CUDAExecutionProvider: Failed to load .*libnvinfer\.so\.10"):
        load()


def test_a_graph_that_tensorrt_leaves_to_the_cuda_provider_is_refused(stub):
    stub.nodes = [(name, op, CUDA) for name, op, _ in stub.nodes]
    with pytest.raises(Unavailable, match=r"TensorrtExecutionProvider started but runs no node"):
        load()


def test_nodes_of_the_cuda_provider_are_strays(stub):
    stub.nodes[1:] = [("nms", "NonMaxSuppression", CUDA), ("top", "TopK", CPU)]
    session = load()
    assert list(session.placement().items()) == [(TENSORRT, 1), (CUDA, 1), (CPU, 1)]
    assert session.strays() == ("nms", "top")


def test_a_profile_says_that_it_counts_subgraphs(stub):
    stub.assigns = False
    stub.profile = [profiled("TRTKernel_graph_0", "TRTKernel_graph_0", TENSORRT), profiled("top", "TopK", CUDA)]
    session = load()
    assert session.placement() == {TENSORRT: 1, CUDA: 1}
    assert session.details["nodes"] == "a TensorRT subgraph counts as one"


def test_tensorrts_package_is_imported_before_the_session_for_its_libraries(stub, monkeypatch, tmp_path):
    (tmp_path / "tensorrt.py").write_text("import os\nseen = os.environ.get('NVIDIA_TF32_OVERRIDE')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    assert backend.version() == "9.9"
    assert "tensorrt" not in sys.modules, "TF32 must be settled before its libraries are loaded"
    load()
    package = sys.modules.pop("tensorrt")
    assert isinstance(package, ModuleType)
    assert package.seen == "0"


def test_what_backends_share_is_no_backend():
    assert {"onnxruntime", "opencv", "tensorrt"} <= set(backends.names())
    assert not [name for name in backends.names() if name.startswith("_")]
    assert backends.declared("tensorrt").devices == ("cuda",)
