"""Every way in which ONNX Runtime does not use the GPU that it was asked for, played by a stub of its module."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import stub_onnxruntime
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, save
from stub_onnxruntime import CPU, CUDA, LOG, Fail, InvalidProtobuf, network, profiled

from bench.backends import _ort
from bench.backends import onnxruntime as backend
from bench.types import Unavailable

DATA = np.random.default_rng(5).normal(size=(2, 3, 7, 5)).astype(np.float32)


@pytest.fixture
def stub(monkeypatch):
    module = stub_onnxruntime.stub()
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    return module


def load(device="cuda", **options):
    return backend.load(Path("net.onnx"), device, 3, **options)


def test_a_session_wholly_on_the_gpu_is_proved_and_may_not_fall_back(stub):
    session = load()
    assert session.placement() == {CUDA: 3}
    assert session.strays() == ()
    (opened,) = stub.opened
    assert opened.entries["session.disable_cpu_ep_fallback"] == "1"
    assert opened.options.intra_op_num_threads == 3
    assert session.details["placement_from"] == "assignment"


def test_a_provider_that_did_not_start_is_a_refusal_with_the_library_that_is_missing(stub, capfd):
    stub.starts, stub.log = {CPU}, LOG
    with pytest.raises(
        Unavailable,
        match=r"fell back to CPUExecutionProvider: Failed to load library libonn\w+.so with error: libcudnn\.so\.9",
    ):
        load()
    assert [o.entries.get("session.disable_cpu_ep_fallback") for o in stub.opened] == ["1", None]
    assert "libcudnn.so.9" in capfd.readouterr().err


def test_a_silent_fall_back_is_a_refusal_even_where_nothing_is_said_and_no_ban_is_known(stub, monkeypatch):
    stub.starts = {CPU}
    monkeypatch.setattr(stub_onnxruntime, "NO_KERNEL", f"other words, {_ort.NO_KERNEL}")
    with pytest.raises(Unavailable, match=r"fell back to CPUExecutionProvider$"):
        load()


def test_a_graph_that_is_partly_on_the_gpu_names_the_nodes_that_are_not(stub):
    stub.nodes[2] = ("", "Softmax", CPU)
    stub.nodes.append(("top", "TopK", CPU))
    session = load()
    assert list(session.placement().items()) == [(CUDA, 2), (CPU, 2)]
    assert session.strays() == ("Softmax", "top")


def test_a_graph_of_which_the_gpu_runs_nothing_is_a_refusal(stub):
    stub.nodes = [(name, op, CPU) for name, op, _ in stub.nodes]
    with pytest.raises(Unavailable, match=r"started but runs no node .* \{'CPUExecutionProvider': 3\}"):
        load()


def test_a_build_without_cuda_says_what_to_install(stub):
    stub.available = [CPU]
    with pytest.raises(Unavailable, match=r"has no CUDAExecutionProvider .* install the cuda extra"):
        load()
    assert stub.opened == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Fail("all graph nodes have not been\npartitioned to it"), "all graph nodes have not been partitioned to it"),
        (  # a driver without a GPU; the Python wrapper answers a RuntimeError with a session on the CPU if it may
            RuntimeError(
                "/onnxruntime_src/cuda_call.cc:154 std::conditional_t<THRW> [with THRW = true] CUDA failure 35: "
                "CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=secret ; line=355"
            ),
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
        ),
    ],
)
def test_an_error_of_the_provider_is_a_refusal_with_the_runtimes_own_words(stub, error, said):
    stub.error = error
    with pytest.raises(Unavailable) as caught:
        load()
    assert str(caught.value) == f"onnxruntime 9.9 cannot use CUDAExecutionProvider on this machine: {said}"
    assert len(stub.opened) == 1, "only a graph with nodes left over is opened without the ban"


@pytest.mark.parametrize(
    ("device", "error"), [("cpu", Fail("bad")), ("cpu", RuntimeError()), ("cuda", InvalidProtobuf())]
)
def test_an_error_of_the_model_is_an_error_not_a_refusal(stub, device, error):
    stub.error = error
    with pytest.raises(type(error)):
        load(device)


@pytest.mark.parametrize("missing", [True, False])
def test_where_the_assignment_is_not_told_the_profile_is_read(stub, missing):
    if missing:
        stub.InferenceSession.get_provider_graph_assignment_info = property(
            lambda _: (_ for _ in ()).throw(AttributeError)
        )
    stub.assigns = False
    stub.profile = [
        profiled("conv1", "Conv", CUDA),
        profiled("Memcpy_token_1", "MemcpyToHost", CUDA),
        profiled("top", "TopK", CPU),
        profiled("top", "TopK", CPU),
        {"cat": "Kernel", "name": "cudnn_conv", "args": {"provider": CUDA}},
    ]
    session = load(cuda_graph="on")
    assert session.placement() == {CUDA: 1, CPU: 1}
    assert session.strays() == ("top",)
    assert session.details["placement_from"] == "profile"
    (path,) = stub.profiles
    assert not path.parent.exists()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_profile_without_nodes_proves_nothing(stub, device):
    stub.assigns = False
    with pytest.raises(Unavailable, match="does not say where its nodes run"):
        load(device)


def test_a_profile_of_the_cpu_is_a_refusal(stub):
    stub.assigns, stub.profile = False, [profiled("conv1", "Conv", CPU)]
    with pytest.raises(Unavailable, match="runs no node"):
        load()


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [
        ({}, "use_tf32", "0"),
        ({}, "cudnn_conv_algo_search", "EXHAUSTIVE"),
        ({}, "enable_cuda_graph", "0"),
        ({"tf32": "on"}, "use_tf32", "1"),
        ({"cudnn_search": "heuristic"}, "cudnn_conv_algo_search", "HEURISTIC"),
        ({"cudnn_search": "default"}, "cudnn_conv_algo_search", "DEFAULT"),
        ({"cuda_graph": "on"}, "enable_cuda_graph", "1"),
    ],
)
def test_options_reach_the_provider_and_are_recorded_as_the_session_reports_them(
    stub, monkeypatch, option, name, value
):
    session = load(**option)
    assert dict(stub.opened[0].asked)[CUDA][name] == value
    assert session.details[name] == value
    monkeypatch.setattr(stub.InferenceSession, "get_provider_options", lambda _: {CUDA: {name: "as it likes"}})
    assert load(**option).details[name] == "as it likes"
    monkeypatch.setattr(stub.InferenceSession, "get_provider_options", lambda _: {})
    assert load(**option).details[name] == "not reported"


def test_options_of_cuda_leave_no_record_on_the_cpu(stub):
    stub.nodes = [(name, op, CPU) for name, op, _ in stub.nodes]
    session = load("cpu", tf32="on", cuda_graph="on")
    assert stub.opened[0].asked == [(CPU, {})]
    assert session.details == {"provider": CPU}
    assert session.staged is None
    assert_allclose(session.run({"data": DATA})["age"], network(DATA)["age"])


@pytest.mark.parametrize("graph", ["off", "on"])
def test_host_tensors_in_host_tensors_out_at_every_batch_size(stub, graph):
    session = load(cuda_graph=graph)
    for batch in (2, 1, 2, 2):
        feeds = DATA[:batch] + batch + len(stub.calls)
        found = session.run({"data": feeds})
        for name, wanted in network(feeds).items():
            assert_allclose(found[name], wanted)
    assert stub.replays == (4 if graph == "on" else 0)
    assert len(stub.opened[0].graphs) == (2 if graph == "on" else 0)


def test_the_stages_are_the_steps_of_a_run_each_waited_for(stub):
    session = load()
    session.run({"data": DATA})
    run, stub.calls[:] = list(stub.calls), []
    outputs, stages = session.staged({"data": DATA})
    assert stub.calls == run == ["inputs there", "run", "outputs done", "outputs back"]
    assert list(stages) == ["host_to_device", "inference", "device_to_host"]
    assert min(stages.values()) > 0
    assert_allclose(outputs["prob"], network(DATA)["prob"])


@pytest.fixture
def real(tmp_path):
    """Return a small network, and ONNX Runtime as it is installed here."""
    ort = pytest.importorskip("onnxruntime")
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["h"], "first"), helper.make_node("Sigmoid", ["h"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(model, tmp_path / "net.onnx")
    return ort, tmp_path / "net.onnx"


def test_the_installed_onnx_runtime_tells_the_same_by_assignment_and_by_profile(real, monkeypatch):
    _, model = real
    assert backend.load(model, "cpu", 1).placement() == {CPU: 2}
    monkeypatch.setattr(_ort, "_assigned", lambda session: ())
    opened = _ort.open_on(model, [(CPU, {})], lambda options: None)
    assert (opened.placement(), opened.proof) == ({CPU: 2}, "profile")
    assert "first" in {node.name for node in opened.nodes}


def test_a_provider_of_the_installed_onnx_runtime_that_takes_no_node_is_refused(real):
    ort, model = real
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this build has no provider that takes no node")
    with pytest.raises(Unavailable, match="AzureExecutionProvider started but runs no node"):
        _ort.open_on(model, [("AzureExecutionProvider", {})], lambda options: None)


def test_the_installed_onnx_runtime_without_a_gpu_is_refused(real):
    ort, model = real
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this build has the CUDA provider")
    with pytest.raises(Unavailable, match="install the cuda extra"):
        backend.load(model, "cuda", 1)
