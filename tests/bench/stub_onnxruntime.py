"""A stub of onnxruntime with a GPU: it puts nodes where a test says, and is as strict as ONNX Runtime about buffers.

The words of its errors and its habits are those of ONNX Runtime 1.32: a provider that does not start is a line on
stderr; a session that may not fall back says the same whether the provider did not start or one node has no kernel; an
output that is left bound is written into, whatever its shape; a CUDA graph replays on the buffers of its capture.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

CUDA, CPU, TENSORRT = "CUDAExecutionProvider", "CPUExecutionProvider", "TensorrtExecutionProvider"

NO_KERNEL = (
    "This session contains graph nodes that are assigned to the default CPU EP, "
    "but fallback to CPU EP has been explicitly disabled by the user."
)
MISSING = "Failed to load library /a/b/libonnxruntime_providers_cuda.so with error: libcudnn.so.9: cannot open it"
LOG = f"\x1b[1;31m2026-01-02 [E:onnxruntime:Default, provider_bridge_ort.cc:2395 TryGetProviderInfo_CUDA] {MISSING}\n"


class Fail(Exception):
    """As in ONNX Runtime it is no RuntimeError."""


class InvalidProtobuf(Exception):
    """What a file that is no model gives."""


class OrtValue:
    def __init__(self, array, device):
        self.array, self.device = np.array(array), device

    @classmethod
    def ortvalue_from_numpy(cls, array, device_type="cpu", device_id=0):
        return cls(array, device_type)

    def update_inplace(self, array):
        assert self.array.shape == array.shape, "a buffer of the device has one shape"
        self.array[...] = array


class Binding:
    def __init__(self, module):
        self.module, self.inputs, self.outputs, self.fixed = module, {}, {}, set()

    def bind_ortvalue_input(self, name, value):
        self.inputs[name] = value

    def bind_ortvalue_output(self, name, value):
        self.outputs[name] = value
        self.fixed.add(name)

    def bind_output(self, name, device_type="cpu", device_id=0):
        self.outputs[name] = None
        self.fixed.discard(name)

    def synchronize_inputs(self):
        self.module.calls.append("inputs there")

    def synchronize_outputs(self):
        self.module.calls.append("outputs done")

    def get_outputs(self):
        return list(self.outputs.values())

    def copy_outputs_to_cpu(self):
        self.module.calls.append("outputs back")
        return [value.array.copy() for value in self.outputs.values()]


class SessionOptions:
    def __init__(self):
        self.entries, self.enable_profiling = {}, False

    def add_session_config_entry(self, key, value):
        self.entries[key] = value


class RunOptions:
    def __init__(self):
        self.entries = {}

    def add_run_config_entry(self, key, value):
        self.entries[key] = value


def network(data):
    """Return what the stub's network answers for ``data`` (N, 3, 7, 5): prob (N, 3) and age (N,)."""
    return {"prob": data.mean(axis=(2, 3)), "age": data.sum(axis=(1, 2, 3))}


class Session:
    module: ModuleType

    def __init__(self, path, options, providers, enable_fallback=1):
        self.options = options
        module = self.module
        module.opened.append(self)
        self.asked, self.entries = providers, dict(options.entries)
        os.write(2, module.log.encode())
        if module.error:
            raise module.error
        assert enable_fallback == 0, "the wrapper would fall back to the CPU by itself"
        names = [name for name, _ in providers]
        self.providers = [name for name in names if name in module.starts] + [CPU] * (CPU not in names)
        self.nodes = [(n, op, p if p in self.providers else self.providers[0]) for n, op, p in module.nodes]
        if self.entries.get("session.disable_cpu_ep_fallback") == "1" and CPU in {p for _, _, p in self.nodes}:
            raise Fail(NO_KERNEL)
        self.graphs = {}
        self.runs = 0

    def get_providers(self):
        return self.providers

    def get_provider_options(self):
        return {name: {"device_id": "0", **options} for name, options in self.asked}

    def get_inputs(self):
        return [SimpleNamespace(name="data", type="tensor(float)", shape=["N", 3, 7, 5])]

    def get_outputs(self):
        return [SimpleNamespace(name="prob"), SimpleNamespace(name="age")]

    def get_provider_graph_assignment_info(self):
        nodes = self.nodes if self.module.assigns else []
        return [
            SimpleNamespace(ep_name=p, get_nodes=lambda n=n, op=op: [SimpleNamespace(name=n, op_type=op)])
            for n, op, p in nodes
        ]

    def run(self, names, feeds, options=None):
        self.runs += 1
        found = network(feeds["data"])
        return [found[name] for name in names or found]

    def io_binding(self):
        return Binding(self.module)

    def run_with_iobinding(self, binding, options=None):
        self.module.calls.append("run")
        graph = options.entries["gpu_graph_id"] if options else "0"
        asked = dict(self.asked[0][1])
        if asked.get("enable_cuda_graph") == "1" and graph != "-1":
            if graph not in self.graphs:
                assert binding.fixed == set(binding.outputs), "a graph is captured with fixed outputs"
                self.graphs[graph] = (dict(binding.inputs), dict(binding.outputs))
            else:
                self.module.replays += 1
            inputs, outputs = self.graphs[graph]
        else:
            inputs, outputs = binding.inputs, binding.outputs
        assert {value.device for value in inputs.values()} == {"cuda"}
        for name, array in network(inputs["data"].array).items():
            if outputs[name] is None:
                outputs[name] = OrtValue(array, "cuda")
            else:
                assert outputs[name].array.shape == array.shape, "an output that is left bound has one shape"
                outputs[name].array[...] = array

    def end_profiling(self):
        assert self.options.enable_profiling
        assert self.runs == 1
        path = Path(self.options.profile_file_prefix + "_2026.json")
        session = {"cat": "Session", "name": "model_loading", "args": {}}
        path.write_text(json.dumps([session, *self.module.profile]))
        self.module.profiles.append(path)
        return str(path)


def profiled(name, op, provider):
    return {"cat": "Node", "name": f"{name}_kernel_time", "args": {"op_name": op, "provider": provider}}


def stub() -> ModuleType:
    """Return a stub on which everything works: all nodes on CUDA, and TensorRT in the build."""
    module = ModuleType("onnxruntime")
    module.__version__ = "9.9"
    module.available = [TENSORRT, CUDA, CPU]
    module.starts = {TENSORRT, CUDA, CPU}
    module.nodes = [("conv1", "Conv", CUDA), ("relu1", "Relu", CUDA), ("", "Softmax", CUDA)]
    module.log, module.error, module.assigns, module.profile = "", None, True, []
    module.opened, module.calls, module.replays, module.profiles = [], [], 0, []
    module.OrtValue, module.SessionOptions, module.RunOptions = OrtValue, SessionOptions, RunOptions
    module.InferenceSession = type("InferenceSession", (Session,), {"module": module})
    module.get_available_providers = lambda: module.available
    return module
