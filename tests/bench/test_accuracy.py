"""Scores on images whose answer is known, and what becomes of images that are none."""

from dataclasses import replace
from functools import partial

import pytest
from bench_cases import latency_case
from numpy.testing import assert_allclose

from bench import accuracy
from bench.datasets import fingerprint
from bench.process import WorkerProcess, open_worker
from bench.team import Team
from bench.types import Sample


def measured(network, split, batch=3):
    case = latency_case(kind="accuracy", dataset="own", split="all", batch=batch)
    start = partial(open_worker, case.backend, case.device, case.threads, 30)
    with Team(lambda _: start(), lambda case: network.given(case, source=False)) as team:
        return accuracy.measure(case, network, split, team, lambda _: None)


@pytest.mark.parametrize("batch", [1, 3, 13, 17])
def test_every_image_is_scored_once_whatever_the_batch(network, split, batch):
    result = measured(network, split, batch)
    (score,) = result.scores
    assert (result.status, score.n, score.value) == ("ok", 13, 1.0)
    assert score.confusion.counts == ((5, 0), (0, 8))
    assert result.fingerprint.split_sha256 == fingerprint(split)
    assert result.fingerprint.n == 13


def test_a_wrong_answer_is_counted_in_its_cell(network, split):
    samples = (replace(split.samples[0], gender="female"), *split.samples[1:])
    (score,) = measured(network, replace(split, samples=samples)).scores
    assert_allclose(score.value, 12 / 13)
    assert score.confusion.counts == ((4, 1), (0, 8))


def test_every_batch_has_the_size_that_was_compared(network, split, monkeypatch):
    sizes = set()
    ask = WorkerProcess.ask

    def spy(worker, do, arrays=None, **request):
        sizes.update(len(a) for a in (arrays or {}).values())
        return ask(worker, do, arrays, **request)

    monkeypatch.setattr(WorkerProcess, "ask", spy)
    measured(network, split, batch=5)
    assert sizes == {5}


def test_images_that_are_none_are_counted_and_listed(network, split, tmp_path):
    (tmp_path / "text.png").write_text("I am not an image")
    samples = (
        Sample("text.png", tmp_path / "text.png", 1.0, "male"),
        *split.samples,
        Sample("gone.png", tmp_path / "gone.png", 1.0, "male"),
    )
    result = measured(network, replace(split, samples=samples))
    assert result.status == "ok"
    assert result.scores[0].n == 13
    (warning,) = result.warnings
    assert warning.startswith("skipped 2 of 15 images: text.png: not an image")
    assert "gone.png: No such file" in warning
    assert str(tmp_path) not in warning


def test_many_bad_images_are_all_counted_and_the_first_listed(network, split, tmp_path):
    bad = tuple(Sample(f"{i}.png", tmp_path / f"none-{i}.png", 1.0, "male") for i in range(25))
    (warning,) = measured(network, replace(split, samples=split.samples + bad)).warnings
    assert warning.startswith("skipped 25 of 38 images")
    assert warning.endswith("and 5 more")


def test_no_readable_image_at_all_is_a_failed_row(network, split, tmp_path):
    result = measured(network, replace(split, samples=(Sample("a", tmp_path / "a.png", 1.0, "male"),)))
    assert result.status == "failed"
    assert result.reason.startswith("no image could be read; the first: a: No such file")


@pytest.mark.parametrize(("fault", "status"), [("wrong", "failed"), ("kill", "failed"), ("refuse", "skipped")])
def test_a_fault_is_a_row_with_the_splits_fingerprint(network, split, monkeypatch, fault, status):
    monkeypatch.setenv("FAULT", fault)
    result = measured(network, split)
    assert result.status == status
    assert result.scores == ()
    assert result.fingerprint.split_sha256 == fingerprint(split)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("later nan", "output 'prob' holds numbers that are not finite, after 0 images"),
        ("later rows", "output 'prob' has the shape (2, 2) for a batch of 3"),
        ("later missing", "output 'prob' is missing"),
    ],
)
def test_outputs_that_go_wrong_after_the_comparison_are_never_scored(network, split, monkeypatch, fault, said):
    monkeypatch.setenv("FAULT", fault)
    result = measured(network, split)
    assert (result.status, result.scores) == ("failed", ())
    assert said in result.reason


def test_heads_that_do_not_fit_the_outputs_are_a_failed_row(network, split):
    years = {"task": "age", "output": "prob", "decode": "scalar", "labels": ()}
    heads = (type(network.card.heads[0]).model_validate(years),)
    result = measured(replace(network, card=network.card.model_copy(update={"heads": heads})), split)
    assert result.status == "failed"
    assert "2 values a face, the card's head has 1" in result.reason


def test_a_run_that_dies_half_way_scores_nothing(network, split, monkeypatch):
    monkeypatch.setenv("FAULT", "kill later")
    result = measured(network, replace(split, samples=split.samples * 9), batch=1)
    assert (result.status, result.scores) == ("failed", ())
    assert "out of memory" in result.reason
