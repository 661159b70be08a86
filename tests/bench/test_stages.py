"""The stages of an inference: whose they are, of how many images, and what goes wrong without harm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_cases import latency_case
from scenario_cases import STEPWISE, given

from bench import latency, stages
from bench.records import Latency, Parity, Result
from bench.report.album import Album
from bench.report.stages import picture, stage_rows, stages_ms
from bench.scenarios import single
from bench.types import Sample


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    monkeypatch.setattr(latency, "ROUNDS", 2)
    monkeypatch.setattr(latency, "LEAST_ROUNDS", 2)


def case(backend=STEPWISE, batch=3):
    return latency_case(backend, batch=batch)


def measured(network, splits, *cases, batches=(3,)):
    with given(cases or [case()], network, splits, batches=batches) as what:
        return single.measure(what)


def taken(result):
    return result.latency.stages_ms


def test_on_the_cpu_there_are_decode_prepare_inference_and_heads_and_no_copies(network, split):
    (result,) = measured(network, [split])
    assert list(taken(result)) == ["decode", "prepare", "inference", "heads"]
    assert len(taken(result)["decode"]) == len(taken(result)["prepare"]) == 13
    assert len(taken(result)["inference"]) >= 1
    assert result.warnings == () or not any("stages" in warning for warning in result.warnings)


def test_backends_of_a_network_share_what_does_not_depend_on_them(network, split, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(Path(STEPWISE).read_text())
    first, second = measured(network, [split], case(), case(str(other)))
    for stage in ("decode", "prepare", "heads"):
        assert taken(first)[stage] == taken(second)[stage]
    assert taken(first)["inference"] != taken(second)["inference"]


def test_a_backend_that_tells_its_stages_apart_is_believed(network, split, monkeypatch):
    monkeypatch.setenv("STAGED", "1")
    (result,) = measured(network, [split])
    assert list(taken(result)) == ["decode", "prepare", "host_to_device", "inference", "device_to_host", "heads"]
    assert set(taken(result)["host_to_device"]) == {1.5}
    assert set(taken(result)["inference"]) == {4.0}


def test_a_network_without_heads_has_no_such_stage(network, split):
    headless = replace(network, card=network.card.model_copy(update={"heads": ()}))
    (result,) = measured(headless, [split])
    assert list(taken(result)) == ["decode", "prepare", "inference"]


def test_only_the_smallest_batch_has_stages(network, split):
    (small,) = measured(network, [split], case(batch=2), batches=(7, 2))
    (large,) = measured(network, [split], case(batch=7), batches=(7, 2))
    assert taken(small)
    assert not taken(large)


def test_the_feeds_are_real_images_as_many_as_the_batch(network, split, monkeypatch):
    from bench.process import WorkerProcess

    fed, ask = [], WorkerProcess.ask

    def spy(worker, do, arrays=None, **request):
        if do == "run":
            fed.append(arrays["data"])
        return ask(worker, do, arrays, **request)

    monkeypatch.setattr(WorkerProcess, "ask", spy)
    measured(network, [split], case(batch=17), batches=(17,))
    assert fed[-1].shape == (17, 3, 7, 11)
    blue, green = fed[-1][:13, 0].max(axis=(1, 2)), fed[-1][:13, 1].max(axis=(1, 2))
    assert [bool(b > g) for b, g in zip(blue, green, strict=True)] == [number % 3 == 0 for number in range(13)]
    assert (fed[-1][13:] == fed[-1][:4]).all()


def test_unreadable_images_are_passed_over(network, split, tmp_path):
    samples = (Sample("gone", tmp_path / "gone.png", 1.0, None), *split.samples[:2])
    (result,) = measured(network, [replace(split, samples=samples)])
    assert len(taken(result)["decode"]) == 2


def test_without_a_readable_image_the_latency_stands_and_a_warning_says_so(network, split, tmp_path):
    samples = (Sample("gone", tmp_path / "gone.png", 1.0, None),)
    (result,) = measured(network, [replace(split, samples=samples)])
    assert result.status == "ok"
    assert result.latency.times_ms
    assert "skipped: the stages: none of 1 images could be read" in result.warnings


def test_a_worker_that_fails_in_its_stages_keeps_its_latency(network, split, monkeypatch):
    real = latency.measure

    def then_broken(*given):
        results = real(*given)
        monkeypatch.setattr(stages, "SECONDS", "no number")
        return results

    monkeypatch.setattr(stages, "before_inference", lambda *_: ({}, [{"data": np.zeros((3, 7, 11), np.float32)}]))
    monkeypatch.setattr(latency, "measure", then_broken)
    (result,) = measured(network, [split])
    assert result.status == "ok"
    assert result.latency.times_ms
    assert not taken(result)
    assert any(warning.startswith("skipped: the stages: TypeError") for warning in result.warnings)


def test_what_is_not_ok_has_no_stages(network, split, monkeypatch):
    monkeypatch.setenv("FAULT", "wrong")
    monkeypatch.setenv("AT", "3")
    (result,) = measured(network, [split])
    assert (result.status, result.latency) == ("failed", None)


def test_the_images_are_the_splits_or_else_the_samples(split, tmp_path):
    assert stages.faces([split])[0] == split.samples[0].path
    features = replace(split, samples=(replace(split.samples[0], features={"tap": np.zeros(3, np.float32)}),))
    sample = stages.faces([])
    assert sample == stages.faces([features])
    assert sample[0].exists()
    assert stages.faces([features, split]) == stages.faces([split])


STAGED = {
    "decode": (2.0, 4.0, 3.0),
    "prepare": (1.0,),
    "inference": (40.0, 50.0, 60.0),
    "heads": (0.5,),
}


def staged(backend="a", batch=10, **changes):
    return Result(
        case=latency_case(backend, batch=batch),
        status="ok",
        latency=Latency(times_ms=(50.0,), cold_ms={}, stages_ms={**STAGED, **changes}),
        parity=Parity(reference="numpy", max_abs=0.0, max_rel=0.0),
    )


def test_a_stage_of_a_run_is_divided_by_its_batch_one_of_an_image_is_not():
    assert stages_ms(staged()) == {"decode": 3.0, "prepare": 1.0, "inference": 5.0, "heads": 0.05}


def test_a_row_has_its_stages_their_sum_and_how_many_times_there_are(tmp_path):
    first, second = stage_rows([staged(), staged("b", host_to_device=(20.0,))])
    assert list(first)[6:] == ["decode", "resize and normalise", "host to device", "inference", "heads", "sum", "n"]
    assert (first["host to device"], second["host to device"]) == ("-", "2.000")
    assert (first["sum"], second["sum"]) == ("9.050", "11.050")
    assert first["n"] == "3 images, 3 runs"


def test_the_picture_is_of_results_with_stages_alone(tmp_path):
    album = Album(tmp_path)
    assert picture([], album) is None
    assert picture([staged()], album) == "stages.png"
    album.draw()
    assert (tmp_path / "stages.png").read_bytes()[:4] == b"\x89PNG"
