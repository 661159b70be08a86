"""OpenCV's engines, and every way in which it does not use the GPU, played by a stub of cv2 with real dumps."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from bench.backends import opencv as backend
from bench.probes import write
from bench.types import Unavailable

DATA = np.random.default_rng(5).normal(size=(2, 3, 7, 5)).astype(np.float32)

STYLE = 'fillcolor="#ffffb3" style=filled shape=box]'


def record(name, kind, backend, target, *fused):
    """Return a layer as OpenCV 4.14 dumps it; with ``fused``, a record of several."""
    more = "".join(f" | {other}\\nReLU\\n" for other in fused)
    node, brace = ("cluster_4", "{") if fused else (name, "")
    end = " }" if fused else ""
    return (
        f'\t"{node}" [label="{brace}{name}\\n{kind}\\nkernel_size (HxW): 3 x 3\\l{more}'
        f'output: 2 x 2 x 5 x 3\\l{backend}/{target}\\n{end}" {STYLE}'
    )


def dump(*records):
    return "\n".join(["digraph G {", *records, "", '\t"conv1" -> "relu1"', "}", ""])


ON_GPU = record("conv1", "Convolution", "CUDA", "CUDA")
ON_CPU = record("top", "TopK", "OCV", "CUDA")
"""What OpenCV writes of a layer that was to run on the GPU and has no node there."""


class Net:
    def __init__(self, module):
        self.module, self.ran = module, False

    def setPreferableBackend(self, number):
        self.module.asked["backend"] = number

    def setPreferableTarget(self, number):
        self.module.asked["target"] = number

    def getUnconnectedOutLayersNames(self):
        return ("y",)

    def setInput(self, array, name):
        self.array = array

    def forward(self, names):
        self.ran = True
        return [self.array]

    def dump(self):
        assert self.ran, "before the first run nothing is settled"
        return self.module.dump


@pytest.fixture
def stub(monkeypatch):
    """Return a stub of OpenCV 4 with its CUDA backend and a GPU."""
    module = ModuleType("cv2")
    module.__version__ = "4.14.0"
    module.asked, module.dump, module.devices, module.targets = {}, dump(ON_GPU), 1, [6, 7]
    module.setNumThreads = lambda threads: None
    module.cuda = SimpleNamespace(getCudaEnabledDeviceCount=lambda: module.devices)

    def read(path, engine=None):
        module.asked["engine"] = engine
        return Net(module)

    module.dnn = SimpleNamespace(
        DNN_BACKEND_OPENCV=3,
        DNN_BACKEND_CUDA=5,
        DNN_TARGET_CPU=0,
        DNN_TARGET_CUDA=6,
        getAvailableTargets=lambda number: module.targets if number == 5 else [0],
        readNetFromONNX=read,
    )
    monkeypatch.setitem(sys.modules, "cv2", module)
    return module


@pytest.fixture
def five(stub):
    """Return the stub as OpenCV 5, which has engines to choose from."""
    stub.__version__ = "5.0.0"
    stub.dnn.ENGINE_CLASSIC, stub.dnn.ENGINE_NEW = 1, 2
    return stub


def ran(device="cuda", **options):
    session = backend.load(Path("net.onnx"), device, 1, **options)
    session.run({"x": DATA})
    return session


def test_a_net_whose_every_layer_has_a_node_on_the_gpu_is_proved(stub):
    stub.dump = dump(ON_GPU, record("conv2", "Convolution", "CUDA", "CUDA", "relu2"))
    session = ran()
    assert session.placement() == {"OpenCV/CUDA": 2}
    assert session.strays() == ()
    assert stub.asked == {"engine": None, "backend": 5, "target": 6}
    assert session.details == {"engine": "classic"}


def test_layers_that_fell_back_are_named(stub):
    stub.dump = dump(ON_CPU, ON_GPU, record("onnx_node!pool", "Pooling", "OCV", "CUDA", "relu2"))
    session = ran()
    assert list(session.placement().items()) == [("OpenCV/CUDA", 1), ("OpenCV/CPU", 2)]
    assert session.strays() == ("top", "onnx_node!pool")


@pytest.mark.parametrize("records", [(ON_CPU,), (record("conv1", "Convolution", "OCV", "CPU"),), ()])
def test_a_net_that_fell_back_altogether_is_refused_after_its_first_run(stub, records):
    stub.dump = dump(*records)
    with pytest.raises(Unavailable, match="runs no layer of this network on OpenCV/CUDA"):
        ran().placement()


@pytest.mark.parametrize("targets", [(), [7]])
def test_a_build_without_the_cuda_target_is_refused(stub, targets):
    stub.targets = targets
    with pytest.raises(Unavailable, match="has no CUDA DNN backend"):
        ran()


@pytest.mark.parametrize("devices", [0, -1])
def test_a_target_without_a_device_is_refused(stub, devices):
    stub.devices = devices
    with pytest.raises(Unavailable, match="sees no CUDA device"):
        ran()


@pytest.mark.parametrize(("engine", "wanted"), [("default", "classic"), ("classic", "classic")])
def test_opencv_4_has_its_own_engine_alone(stub, engine, wanted):
    stub.dump = dump(record("conv1", "Convolution", "OCV", "CPU"))
    session = ran("cpu", engine=engine)
    assert session.details == {"engine": wanted}
    assert session.placement() == {"OpenCV/CPU": 1}
    assert stub.asked == {"engine": None, "backend": 3, "target": 0}
    with pytest.raises(Unavailable, match=r"4\.14\.0 has no new engine"):
        ran("cpu", engine="new")


@pytest.mark.parametrize(("engine", "number"), [("default", 1), ("classic", 1)])
def test_on_the_gpu_opencv_5_has_its_classic_engine_alone(five, engine, number):
    assert ran(engine=engine).details == {"engine": "classic"}
    assert five.asked["engine"] == number
    with pytest.raises(Unavailable, match="the new engine runs on the CPU only"):
        ran(engine="new")


ENGINES = ("default", "new", "classic") if hasattr(cv2.dnn, "ENGINE_NEW") else ("default", "classic")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_installed_opencv_runs_with_each_engine_it_has_and_says_which(tmp_path, engine):
    session = backend.load(Path(write(tmp_path, "*").model), "cpu", 1, engine=engine)
    (found,) = session.run({"x": DATA}).values()
    windows = np.lib.stride_tricks.sliding_window_view(DATA, (3, 3), axis=(2, 3))
    sums = np.maximum(windows.sum(axis=(1, 4, 5)), 0)
    assert_allclose(found, np.stack([sums, sums], axis=1), rtol=1e-5, atol=1e-5)
    assert list(session.placement()) == ["OpenCV/CPU"]
    assert session.strays() == ()
    assert session.details["engine"] == (engine if engine != "default" else ENGINES[1])


def test_a_dump_of_the_installed_opencv_is_read(tmp_path):
    session_file = write(tmp_path, "*").model
    net = cv2.dnn.readNetFromONNX(session_file, *([cv2.dnn.ENGINE_CLASSIC] if "new" in ENGINES else []))
    net.setInput(DATA, "x")
    net.forward()
    first, *_ = found = backend.layers(net.dump())
    assert first.name.startswith("onnx_node")
    assert {layer.place for layer in found} == {"OpenCV/CPU"}
