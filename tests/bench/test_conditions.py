"""The counters of a made-up kernel, of a machine that tells nothing, and of this process."""

import os
from types import SimpleNamespace

import psutil
import pytest

from bench import conditions
from bench.conditions import Conditions, between, counters

FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")


class Machine:
    """Four CPUs, of which the worker may use 1 and 3."""

    def __init__(self):
        self.cpus = [dict.fromkeys(FIELDS, 10.0) for _ in range(4)]
        self.worker = SimpleNamespace(user=2.0, system=1.0)
        self.now = 100.0

    def pass_time(self, seconds, cpu, **spent):
        self.now += seconds
        for name, more in spent.items():
            self.cpus[cpu][name] += more

    def cpu_times(self, percpu):
        assert percpu
        return [psutil_times(**fields) for fields in self.cpus]

    def process(self, pid):
        if pid != 77:
            raise psutil.NoSuchProcess(pid)
        return SimpleNamespace(cpu_times=lambda: self.worker, cpu_affinity=lambda: [1, 3])


def psutil_times(**fields):
    from collections import namedtuple

    return namedtuple("Times", fields)(**fields)


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setattr(psutil, "cpu_times", made.cpu_times)
    monkeypatch.setattr(psutil, "Process", made.process)
    monkeypatch.setattr(conditions, "perf_counter", lambda: made.now)
    return made


def kernel(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def test_what_others_did_is_what_the_workers_cpus_did_and_it_did_not(machine, tmp_path):
    before = counters(77, tmp_path)
    machine.pass_time(2.0, 1, user=1.5, system=0.25, idle=0.25, guest=1.0)
    machine.pass_time(0.0, 3, nice=0.5, softirq=0.125, iowait=1.0, steal=0.375)
    machine.pass_time(0.0, 0, user=2.0)
    machine.worker = SimpleNamespace(user=3.0, system=1.5)
    found = between(before, counters(77, tmp_path))
    assert found == Conditions(cpu_s=4.0, others_s=pytest.approx(0.875), stolen_s=pytest.approx(0.375))


def test_frequency_and_heat_are_those_of_the_workers_cpus(machine, tmp_path):
    folder = kernel(
        tmp_path,
        cpu0__cpufreq__scaling_cur_freq="9000000\n",
        cpu1__cpufreq__scaling_cur_freq="3000000\n",
        cpu3__cpufreq__scaling_cur_freq="2000000\n",
        cpu0__thermal_throttle__core_throttle_count="50\n",
        cpu1__thermal_throttle__core_throttle_count="3\n",
        cpu3__thermal_throttle__core_throttle_count="4\n",
        cpu1__thermal_throttle__package_throttle_count="8\n",
        cpu3__thermal_throttle__package_throttle_count="8\n",
    )
    before = counters(77, folder)
    assert (before.frequency_mhz, before.throttles) == (2500.0, 15)
    kernel(
        folder,
        cpu1__cpufreq__scaling_cur_freq="1000000\n",
        cpu3__thermal_throttle__core_throttle_count="6\n",
        cpu1__thermal_throttle__package_throttle_count="9\n",
        cpu3__thermal_throttle__package_throttle_count="9\n",
    )
    found = between(before, counters(77, folder))
    assert (found.frequency_mhz, found.throttles) == (1500.0, 3)


def test_a_kernel_that_tells_nothing_is_none_and_not_zero(machine, tmp_path):
    for cpu in machine.cpus:
        cpu.update(dict.fromkeys(FIELDS, 0.0))
    found = between(counters(77, tmp_path), counters(77, tmp_path))
    assert found == Conditions(cpu_s=0.0)
    kernel(tmp_path, cpu1__cpufreq__scaling_cur_freq="<unknown>\n")
    assert counters(77, tmp_path).frequency_mhz is None


def test_a_worker_that_has_died_is_no_error(machine, tmp_path):
    found = between(counters(77, tmp_path), counters(78, tmp_path))
    assert (found.others_s, found.stolen_s) == (None, None)


def test_of_this_process_on_this_machine():
    before = counters(os.getpid())
    sum(i * i for i in range(3_000_000))
    found = between(before, counters(os.getpid()))
    assert found.cpu_s > 0
    assert before.worker_s is not None
    assert found.others_s is None or found.others_s <= found.cpu_s * 2 + 1
