"""Every way in which ONNX Runtime does not use the GPU that it was asked for, played by a stub of its module."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bench.types import Unavailable

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.fixture
def stub(monkeypatch):
    """Return a stub of onnxruntime whose sessions put their nodes where ``stub.placed`` says."""
    module = ModuleType("onnxruntime")
    module.__version__ = "9.9"
    module.available = [CUDA, CPU]
    module.placed = {CUDA: 3}
    module.error = None
    module.asked = {}

    class Options:
        def __init__(self):
            self.entries = {}

        def add_session_config_entry(self, key, value):
            self.entries[key] = value

    class Session:
        def __init__(self, path, options, providers):
            module.asked = {"providers": providers, "entries": options.entries, "threads": options.intra_op_num_threads}
            if module.error:
                raise RuntimeError(module.error)

        def get_provider_graph_assignment_info(self):
            return [
                SimpleNamespace(ep_name=name, get_nodes=lambda count=count: range(count))
                for name, count in module.placed.items()
            ]

        def get_outputs(self):
            return [SimpleNamespace(name="prob"), SimpleNamespace(name="age")]

        def run(self, names, feeds):
            return [feeds["data"], len(names)]

    module.get_available_providers = lambda: module.available
    module.SessionOptions = Options
    module.InferenceSession = Session
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    monkeypatch.delitem(sys.modules, "bench.backends.onnxruntime", raising=False)
    yield module
    sys.modules.pop("bench.backends.onnxruntime", None)


def load(device):
    return importlib.import_module("bench.backends.onnxruntime").load(Path("net.onnx"), device, 3)


def test_a_session_wholly_on_the_gpu_is_proved_and_may_not_fall_back(stub):
    session = load("cuda")
    assert session.placement() == {CUDA: 3}
    assert stub.asked["entries"]["session.disable_cpu_ep_fallback"] == "1"
    assert stub.asked["threads"] == 3
    assert stub.asked["providers"] == [(CUDA, {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"})]
    assert session.details["use_tf32"] == "0"
    assert session.run({"data": 7}) == {"prob": 7, "age": 2}


@pytest.mark.parametrize("placed", [{CPU: 3}, {CUDA: 2, CPU: 1}, {}])
def test_nodes_that_are_elsewhere_are_a_refusal_however_quietly_they_got_there(stub, placed):
    stub.placed = placed
    with pytest.raises(Unavailable, match="placed nodes elsewhere"):
        load("cuda")


def test_a_build_without_cuda_says_what_to_install(stub):
    stub.available = [CPU]
    with pytest.raises(Unavailable, match=r"has no CUDAExecutionProvider .* install the cuda extra"):
        load("cuda")


def test_a_missing_library_is_a_refusal_with_the_runtimes_own_words(stub):
    stub.error = "Failed to load\nlibcudnn.so.9"
    with pytest.raises(Unavailable, match=r"cannot use CUDAExecutionProvider .*: Failed to load libcudnn\.so\.9"):
        load("cuda")


def test_on_the_cpu_an_error_of_the_model_is_an_error_not_a_refusal(stub):
    stub.error = "Invalid model"
    with pytest.raises(RuntimeError, match="Invalid model"):
        load("cpu")
