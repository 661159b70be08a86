"""The tables of what each network costs, and of what the machine can do at all."""

from __future__ import annotations

import numpy as np

from bench.records import Costs, RunRecord
from bench.report.tables import Row


def network_rows(run: RunRecord) -> list[Row]:
    """Return each network's costs, a row a file; networks that share theirs, such as input variants, share a row."""
    names: dict[tuple[str, str, Costs], list[str]] = {}
    for name, of in run.costs.items():
        for precision, costs in of.items():
            names.setdefault((name.partition("@")[0], precision, costs), []).append(name)
    rows = [
        {
            "network": ", ".join(same),
            "precision": precision,
            "file MB": f"{costs.file_bytes / 1e6:.1f}",
            "parameters": f"{costs.parameters:,}",
            "MACC a face": f"{costs.macc:,}",
            "MB moved for one face": f"{costs.moved(1) / 1e6:.1f}",
            "MB for each further one": f"{costs.face_bytes / 1e6:.1f}",
        }
        for (_, precision, costs), same in names.items()
    ]
    if {row["precision"] for row in rows} <= {"fp32"}:
        return [{name: value for name, value in row.items() if name != "precision"} for row in rows]
    return rows


def machine_rows(run: RunRecord) -> list[Row]:
    """Return the limits of each device and number of threads, and what showed them."""
    return [
        {
            "device": limit.device,
            "threads": limit.threads,
            "best convolution GFLOP/s": "-" if limit.gflops is None else f"{limit.gflops:.1f}",
            "by": limit.gflops_by or "-",
            "memory GB/s": "-" if limit.gb_s is None else f"{limit.gb_s:.1f}",
            "by ": limit.gb_s_by or "-",
            "last-level cache MiB": "-" if limit.cache_bytes is None else f"{limit.cache_bytes / 2**20:.0f}",
        }
        for limit in run.limits
    ]


def kernel_rows(run: RunRecord) -> list[Row]:
    """Return each piece of work on each backend: its times, and how many operations or bytes a second p10 is."""
    rows = []
    for limit in run.limits:
        place = {"device": limit.device, "threads": limit.threads}
        for kernel in limit.kernels:
            fast, middle = (float(q) for q in np.percentile(kernel.times_ms, (10, 50)))
            said = [f"{amount / fast / 1e6:.1f}" if amount else "-" for amount in (kernel.operations, kernel.bytes)]
            by = {"work": kernel.name, "backend": kernel.backend.lstrip("_")}
            by |= {"p10 ms": f"{fast:.2f}", "p50 ms": f"{middle:.2f}"}
            rows.append({**place, **by, "GFLOP/s": said[0], "GB/s": said[1], "n": len(kernel.times_ms)})
        for name, why in limit.refused.items():
            none = dict.fromkeys(("p10 ms", "p50 ms", "GFLOP/s", "GB/s"), "-")
            rows.append({**place, "work": f"not measured: {why}", "backend": name, **none, "n": 0})
    return rows
