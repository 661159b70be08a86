"""Where a run ran: enough to tell two machines apart, and nothing that names one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import nvml

PACKAGES = (
    "agebench",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
    "opencv-python",
    "opencv-python-headless",
    "openvino",
    "protobuf",
    "tensorrt",
)


CPUS = Path("/sys/devices/system/cpu")

VECTORS = re.compile("avx|amx|fma|f16c|neon|asimd|sve|bf16|i8mm|vnni")
"""In the names of the instruction sets that runtimes choose their kernels, and what they fuse, by."""


def host() -> dict[str, Any]:
    """Return the machine: CPU, cores, memory in GB, GPUs, system, Python, the load when asked, and a fingerprint.

    ``cuda`` is the newest CUDA that the driver supports, where there is one that says so.

    The fingerprint is a hash of what does not change from run to run. A virtual machine may call CPUs of several
    generations by one name, so the family, the model and the vector instructions are part of it.
    """
    import psutil
    from cpuinfo import get_cpu_info

    cpu = get_cpu_info()
    lasting = {
        "cpu": cpu.get("brand_raw") or platform.processor() or platform.machine(),
        "cpu_model": [cpu.get(name) for name in ("vendor_id_raw", "family", "model")],
        "vectors": sorted(filter(VECTORS.search, cpu.get("flags", ()))),
        "cores": psutil.cpu_count(logical=False) or 0,
        "usable_cpus": len(usable_cpus()),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "gpus": gpus(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    digest = hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:16]
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    cuda = nvml.cuda_version()
    told = {"fingerprint": digest, "python": platform.python_version(), "load": load}
    return {**lasting, **told, **({} if cuda is None else {"cuda": cuda})}


def usable_cpus() -> list[int]:
    """Return the CPUs that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity else list(range(os.cpu_count() or 1))


def last_level_cache(cpus: Sequence[int]) -> int | None:
    """Return the bytes of the last-level caches that ``cpus`` have, those they share once; None where nobody tells."""
    found: dict[tuple[int, str], int] = {}
    for cpu in cpus:
        levels: list[tuple[int, str, int]] = []
        for index in (CPUS / f"cpu{cpu}" / "cache").glob("index*"):
            size, level, shared = ((index / name).read_text().strip() for name in ("size", "level", "shared_cpu_list"))
            levels.append((int(level), shared, int(size.removesuffix("K")) * 1024))
        if not levels:
            return None
        last = max(levels)
        found[last[:2]] = last[2]
    return sum(found.values())


def gpus() -> list[str]:
    """Return name and driver version of the NVIDIA GPUs; none where there is no driver."""
    listed = nvml.gpus()
    if listed is not None:
        return listed
    try:
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.stdout.splitlines() if line.strip()]


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that a number may depend on."""
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def git_commit() -> str | None:
    """Return the project's commit, with ``+changes`` when files differ from it; None outside a checkout."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        changes = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.stdout.strip() + ("+changes" if changes.stdout.strip() else "")
