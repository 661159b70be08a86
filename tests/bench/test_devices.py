"""Which device each backend gets: what ``auto`` says of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import devices
from bench.devices import NotUsable, Probe, choose

GPU = ["GPU 0, 580.1"]

CPU_ONLY = str(Path(__file__).parent / "backends" / "cpu_only.py")


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes a machine: its GPUs, and what a probe says by backend and device."""

    def make(gpus, refused):
        def probe(backend, device, form="*"):
            reason = refused.get((backend, device))
            return Probe(backend, device, form, None if reason else "1.0", reason, None if reason else Path("python"))

        monkeypatch.setattr(devices, "gpus", lambda: gpus)
        monkeypatch.setattr(devices, "probe", probe)

    return make


def chosen(names, device, *, named=False):
    return choose({name: name for name in names}, device, ["onnx"], named=named)


def test_auto_takes_the_gpu_where_it_is_proved_and_says_so(machine):
    machine(GPU, {})
    found = chosen(["onnxruntime"], "auto")
    assert found.devices == {"onnxruntime": "cuda"}
    assert found.notes == ["onnxruntime runs on cuda: proved usable"]


def test_auto_falls_to_the_cpu_with_the_reason_where_the_provider_does_not_start(machine):
    machine(GPU, {("onnxruntime", "cuda"): "fell back: libcudnn.so.9"})
    found = chosen(["onnxruntime"], "auto")
    assert found.devices == {"onnxruntime": "cpu"}
    assert found.notes == ["onnxruntime runs on cpu: cuda is not usable (fell back: libcudnn.so.9)"]
    assert found.refused == {}


def test_auto_without_a_gpu_asks_nobody_for_one(machine):
    machine([], {("onnxruntime", "cuda"): "must not be asked"})
    assert chosen(["onnxruntime"], "auto").notes == ["onnxruntime runs on cpu: no NVIDIA driver lists a GPU here"]


def test_a_backend_of_one_device_keeps_the_reason_of_that_device(machine):
    machine(GPU, {("tensorrt", "cuda"): "libnvinfer.so.10 is missing", ("tensorrt", "cpu"): "runs on cuda only"})
    found = chosen(["onnxruntime", "tensorrt"], "auto")
    assert found.refused == {("tensorrt", "*"): "libnvinfer.so.10 is missing"}


def test_a_backend_of_the_cpu_alone_does_not_say_that_there_is_no_gpu(machine, monkeypatch):
    machine(GPU, {})
    declared = devices.backends.declared
    monkeypatch.setattr(devices.backends, "declared", lambda name: declared(CPU_ONLY))
    assert chosen(["one"], "auto").notes == ["one runs on cpu: it runs on nothing else"]


def test_cuda_by_name_never_falls_to_the_cpu(machine):
    machine(GPU, {("onnxruntime", "cuda"): "fell back: libcudnn.so.9"})
    with pytest.raises(NotUsable, match="not usable") as caught:
        chosen(["onnxruntime"], "cuda")
    assert caught.value.exit_code == 3
    assert caught.value.details == ("onnxruntime on cuda: fell back: libcudnn.so.9",)
