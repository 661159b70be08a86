"""What NVML tells of a worker's GPU, played by a stub of its Python package: missing, failing, and with values."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest
from bench_cases import FAULTY, latency_case

from bench import accuracy, host, latency, nvml
from bench.nvml import Reading
from bench.process import open_worker
from bench.team import Team

PID = 4242


class NVMLError(Exception):
    """Every error of NVML is one of these."""


@pytest.fixture
def stub(monkeypatch):
    """Return a stub of pynvml with two GPUs, of which the second one has the process."""
    module = ModuleType("pynvml")
    module.NVMLError = NVMLError
    module.processes = {0: [(7, 5_000_000)], 1: [(PID, 300_000_000), (9, 1), (PID, 12_000_000)]}
    module.reasons, module.busy = 0, {0: 3, 1: 93}
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetCount = lambda: len(module.processes)
    module.nvmlDeviceGetHandleByIndex = lambda number: number
    module.nvmlDeviceGetName = lambda handle: f"GPU {handle}"
    module.nvmlSystemGetDriverVersion = lambda: "580.1"
    module.nvmlSystemGetCudaDriverVersion = lambda: 13020
    module.nvmlDeviceGetComputeRunningProcesses = lambda handle: [
        SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in module.processes[handle]
    ]
    module.nvmlDeviceGetUtilizationRates = lambda handle: SimpleNamespace(gpu=module.busy[handle], memory=1)
    module.nvmlDeviceGetCurrentClocksThrottleReasons = lambda handle: module.reasons
    monkeypatch.setitem(sys.modules, "pynvml", module)
    nvml._library.cache_clear()
    yield module
    nvml._library.cache_clear()


def failing(*_):
    raise NVMLError("not supported")


def test_the_gpu_is_the_one_that_has_the_process(stub):
    assert nvml.look(PID) == Reading(memory_mb=312.0, utilisation=93.0, slowed=())


def test_a_process_that_no_gpu_of_several_has_is_not_guessed_at(stub):
    assert nvml.look(1) is None


@pytest.mark.parametrize("held", [[], [(PID, None)]])
def test_the_only_gpu_is_the_workers_but_memory_is_known_of_its_own_process_alone(stub, held):
    stub.processes = {0: [(7, 5_000_000), *held]}
    assert nvml.look(PID) == Reading(memory_mb=None, utilisation=3.0, slowed=())


@pytest.mark.parametrize(
    ("reasons", "slowed"),
    [
        (0x1 | 0x2 | 0x10 | 0x100, ()),  # idle, clocks that somebody set, synchronised, display: nothing is wrong
        (0x4, ("power cap",)),
        (0x1 | 0x20 | 0x80, ("temperature", "power brake")),
        (0x8 | 0x40, ("hardware slowdown", "temperature, by the hardware")),
    ],
)
def test_clocks_that_are_held_down_are_told_from_clocks_that_are_low(stub, reasons, slowed):
    stub.reasons = reasons
    assert nvml.look(PID).slowed == slowed


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetUtilizationRates"])
def test_what_nvml_does_not_tell_is_not_known(stub, monkeypatch, call):
    monkeypatch.setattr(stub, call, failing)
    assert nvml.look(PID) is None


def test_without_the_package_nothing_is_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    nvml._library.cache_clear()
    assert (nvml.look(PID), nvml.gpus(), nvml.cuda_version()) == (None, None, None)
    nvml._library.cache_clear()


def test_gpus_have_the_form_of_nvidia_smi_and_come_from_it_where_nvml_is_silent(stub, monkeypatch):
    assert host.gpus() == ["GPU 0, 580.1", "GPU 1, 580.1"]
    assert nvml.cuda_version() == "13.2"
    assert host.host()["cuda"] == "13.2"
    for call in ("nvmlSystemGetDriverVersion", "nvmlSystemGetCudaDriverVersion"):
        monkeypatch.setattr(stub, call, failing)
    said = subprocess.CompletedProcess([], 0, stdout="GPU 0, 580.1\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: said)
    assert host.gpus() == ["GPU 0, 580.1"]
    assert nvml.cuda_version() is None


def test_the_mean_of_the_rounds_and_what_held_the_clocks_down():
    readings = [Reading(1.0, 90, ()), Reading(2.0, 95, ("power cap",)), Reading(3.0, 100, ("temperature", "power cap"))]
    assert nvml.summary(readings) == {"gpu_utilisation": "95 %"}
    (warning,) = nvml.warnings(readings)
    assert warning.startswith("throttled: the GPU's clocks were held down in 2 of 3 rounds (power cap, temperature)")
    assert (nvml.summary([]), nvml.warnings([]), nvml.warnings(readings[:1])) == ({}, [], [])


PARTLY = """
from dataclasses import replace
from pathlib import Path
exec(Path({faulty!r}).read_text())
device_load = load

def load(model, device, threads):
    session = device_load(model, "cpu", threads)
    return replace(session, placement=lambda: {{"GPU": 23, "CPU": 1}}, strays=lambda: ("Softmax_3",))
"""


@pytest.fixture
def partly(tmp_path):
    """Return a backend that claims CUDA and has one node elsewhere."""
    path = tmp_path / "partly.py"
    path.write_text(PARTLY.format(faulty=FAULTY))
    return str(path)


def measured(case, network, monkeypatch):
    monkeypatch.setattr(latency, "ROUNDS", 4)
    monkeypatch.setattr(latency, "LEAST_ROUNDS", 4)
    with Team(lambda c: open_worker(c.backend, c.device, 1, 60), lambda c: network.given(c, source=False)) as team:
        (result,) = latency.measure([case], team, network.golden, lambda _: None, budget=0.04)
    return result


PARTIAL = "partial: 1 of 24 nodes ran on CPU: Softmax_3; the copies to and fro count in its times"


def test_a_row_on_the_gpu_has_its_memory_its_utilisation_and_its_warnings(network, monkeypatch, partly):
    pids, readings = [], iter(Reading(100.0 + n, 90 + n, ("temperature",) if n == 2 else ()) for n in range(4))
    monkeypatch.setattr(nvml, "look", lambda pid: pids.append(pid) or next(readings))
    result = measured(latency_case(partly, device="cuda"), network, monkeypatch)
    assert result.status == "ok", result.reason
    assert (len(pids), len(set(pids))) == (4, 1)
    assert result.device_memory_mb == 103
    assert result.runtime["gpu_utilisation"] == "92 %"
    assert result.strays == ("Softmax_3",)
    assert result.warnings[0] == PARTIAL
    assert any(warning.startswith("throttled: ") for warning in result.warnings)


def test_nobody_looks_at_a_gpu_for_a_row_on_the_cpu(network, monkeypatch):
    monkeypatch.setattr(nvml, "look", lambda pid: pytest.fail("no GPU is in use"))
    result = measured(latency_case(), network, monkeypatch)
    assert (result.device_memory_mb, "gpu_utilisation" in result.runtime) == (None, False)


def test_a_score_of_a_network_that_is_partly_on_the_gpu_says_so_too(network, split, partly):
    case = latency_case(partly, device="cuda", kind="accuracy", dataset="own", split="all")
    with Team(lambda c: open_worker(c.backend, c.device, 1, 60), lambda c: network.given(c, source=False)) as team:
        result = accuracy.measure(case, network, split, team, lambda _: None)
    assert result.status == "ok", result.reason
    assert result.warnings == (PARTIAL,)
