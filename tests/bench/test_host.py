"""What a run says of its machine, and what tells two machines apart."""

from __future__ import annotations

import cpuinfo
import pytest

from bench.host import host

GENOA = {
    "brand_raw": "AMD EPYC", "vendor_id_raw": "AuthenticAMD", "family": 25, "model": 17,
    "flags": ["aes", "avx", "avx2", "avx512_bf16", "avx512f", "fma", "sse2", "vpclmulqdq"],
}  # fmt: skip


@pytest.fixture
def on(monkeypatch):
    """Return what gives the host record of a machine with a CPU of that description."""

    def on(**cpu):
        monkeypatch.setattr(cpuinfo, "get_cpu_info", lambda: cpu)
        return host()

    return on


def test_a_host_says_which_vector_instructions_it_has(on):
    told = on(**GENOA)
    assert told["vectors"] == ["avx", "avx2", "avx512_bf16", "avx512f", "fma"]
    assert told["cpu_model"] == ["AuthenticAMD", 25, 17]


@pytest.mark.parametrize("changed", [{"model": 1}, {"family": 23}, {"flags": ["avx", "avx2", "fma"]}])
def test_cpus_of_one_name_and_two_generations_are_two_machines(on, changed):
    assert on(**GENOA)["fingerprint"] != on(**{**GENOA, **changed})["fingerprint"]


def test_what_is_no_vector_instruction_makes_no_other_machine(on):
    """A kernel that hides or shows another flag changes nothing that is measured."""
    more = {**GENOA, "flags": ["rdpid", *reversed(GENOA["flags"])]}
    assert on(**GENOA)["fingerprint"] == on(**more)["fingerprint"]


def test_where_nothing_is_known_of_the_cpu_there_is_a_fingerprint_all_the_same(on):
    told = on()
    assert told["vectors"] == []
    assert len(told["fingerprint"]) == 16
