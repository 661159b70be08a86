"""What the report says of pairs and slices: of a real small run, and of answers that are made to differ."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_cases import latency_case

import zoo.card
import zoo.store
import zoo.variants
from bench import predictions
from bench.cli import main
from bench.heads import Prediction
from bench.metrics import scores
from bench.records import Fingerprint, Result
from bench.report import write
from bench.report.agreement import agreement
from bench.report.album import Album
from bench.report.comparisons import networks, predicted, published_rows
from bench.report.slices import details
from bench.results import read_results
from bench.types import Sample, Split
from zoo.fields import AGE_GROUPS, Head

GENDER = Head(task="gender", output="prob", decode="argmax", labels=("male", "female"))
GROUPS = Head(
    task="age_group", output="prob", decode="argmax", labels=AGE_GROUPS, years=(1, 5, 10.5, 17.5, 28.5, 40.5, 50.5, 80)
)


def split(n=240, name="all", **labels):
    samples = tuple(
        Sample(
            f"{i:03}.png",
            Path(f"{i:03}.png"),
            float(i % 80),
            ("male", "female")[i % 2],
            **{k: v(i) for k, v in labels.items()},
        )
        for i in range(n)
    )
    return Split("own", name, "by hand", samples)


def said(faces, wrong=()):
    other = {"male": "female", "female": "male"}
    return Prediction(
        gender=np.array([other[s.gender] if i in wrong else s.gender for i, s in enumerate(faces.samples)]),
        decode={"gender": "argmax"},
    )


def measured(out, faces, network, head, prediction, backend="onnxruntime", precision="fp32", fingerprint="a"):
    result = Result(
        case=latency_case(
            backend, network=network, precision=precision, kind="accuracy", dataset=faces.dataset, split=faces.split
        ),
        status="ok",
        scores=tuple(scores(head, prediction, faces.samples)),
        fingerprint=Fingerprint(split_sha256=fingerprint * 64, n=len(faces.samples), label_rule="by hand"),
    )
    predictions.write(out, result, faces, faces.samples, [(head, prediction)])
    return result


def test_backends_and_precisions_that_say_the_same_are_one_sentence(tmp_path):
    faces = split()
    results = [
        measured(tmp_path, faces, "a", GENDER, said(faces), *where)
        for where in (("onnxruntime", "fp32"), ("opencv", "fp32"), ("onnxruntime", "fp16"))
    ]
    found = agreement(predicted(results, tmp_path))
    assert (found["same"], found["faces"], found["pairs"], found["rows"]) == (True, "240", 2, [])
    assert found["who"] == "backends and precisions"


def test_what_flips_is_a_row_with_its_faces(tmp_path):
    faces = split()
    results = [
        measured(tmp_path, faces, "a", GENDER, said(faces)),
        measured(tmp_path, faces, "a", GENDER, said(faces, range(30)), precision="int8"),
    ]
    found = agreement(predicted(results, tmp_path))
    (row,) = found["rows"]
    assert (row["first"], row["second"]) == ("onnxruntime fp32", "onnxruntime int8")
    assert (row["changes"], row["only right"], row["verdict"]) == ("30 of 240", "0 / 30", "different")
    assert row["difference [99 %]"].startswith("-12.50 [-")
    (flipped,) = found["flips"]
    assert flipped["count"] == 30
    assert flipped["names"] == tuple(f"{i:03}.png" for i in range(20))


def test_ages_that_differ_are_a_row_though_nothing_flips(tmp_path):
    head = Head(task="age", output="age", decode="scalar", labels=())
    faces = split()
    ages = np.array([s.age for s in faces.samples])
    results = [
        measured(tmp_path, faces, "a", head, Prediction(years=ages + off), backend)
        for backend, off in (("onnxruntime", 1.0), ("opencv", 1.04))
    ]
    (row,) = agreement(predicted(results, tmp_path))["rows"]
    assert (row["what"], row["changes"], row["verdict"]) == ("years", "up to 0.04 years", "equal within 0.1 years")


def test_the_best_network_and_those_that_are_not_shown_to_differ(tmp_path):
    faces = split()
    results = [
        measured(tmp_path, faces, name, GENDER, said(faces, range(wrong)))
        for name, wrong in (("good", 4), ("best", 0), ("bad", 90), ("same", 0))
    ]
    results.append(measured(tmp_path, faces, "bad", GENDER, said(faces), backend="opencv"))  # the first backend counts
    (found,) = networks(predicted(results, tmp_path))
    assert (found["best"], found["n"], found["pairs"]) == ("best", 240, 6)
    assert found["said"] == "best is best, 100.0 %; not shown to be different: same, good"
    rows = {row["network"]: row for row in found["rows"]}
    assert (rows["bad"]["verdict"], rows["bad"]["only right"]) == ("different", "0 / 90")
    assert rows["bad"]["difference [99 %]"].startswith("-37.50 [-45")
    assert [row["4"] for row in found["matrix"]] == ["≠", "≠", "≠", "·"]


def test_of_few_faces_no_network_is_called_the_best(tmp_path):
    faces = split(19)
    results = [
        measured(tmp_path, faces, name, GENDER, said(faces, wrong)) for name, wrong in (("a", ()), ("b", (1, 2)))
    ]
    (found,) = networks(predicted(results, tmp_path))
    assert (found["said"], found["rows"]) == ("too few to compare", [])


def test_networks_of_other_groups_are_not_compared(tmp_path):
    faces = split()
    other = Head(task="age_group", output="prob", decode="argmax", labels=("0-29", "30-"))
    group = np.zeros(240, dtype=int)
    results = [
        measured(tmp_path, faces, "a", replace_years(GROUPS), Prediction(group=group)),
        measured(tmp_path, faces, "b", other, Prediction(group=group)),
    ]
    assert networks(predicted(results, tmp_path)) == []


def replace_years(head):
    return head.model_copy(update={"years": None})


def test_published_numbers_of_the_same_data_set_are_held_against_ours_with_their_spread(tmp_path):
    faces = replace(split(), dataset="adience")
    group = np.zeros(240, dtype=int)
    results = [measured(tmp_path, faces, "levi-hassner-age", GROUPS, Prediction(group=group))]
    rows = {row["what"]: row for row in published_rows(results)}
    exact = rows["exact age group"]
    assert (exact["published"], exact["verdict"]) == ("50.7 ± 5.1", "different")
    assert rows["age group, one-off"]["published"] == "84.7 ± 2.2"
    elsewhere = measured(tmp_path, split(), "levi-hassner-age", GROUPS, Prediction(group=group))
    assert published_rows([elsewhere]) == []


def test_details_of_slices_folds_and_faces_that_do_not_count(tmp_path):
    faces = split(ethnicity=lambda i: "xy"[i % 3 == 0], fold=lambda i: str(i % 2))
    prediction = Prediction(group=np.zeros(240, dtype=int), years=np.full(240, 1.0), decode={"age": "expectation"})
    album = Album(tmp_path)
    found = details([measured(tmp_path, faces, "a", GROUPS, prediction)], "own-all", album)
    album.draw()
    gaps = {(row["what"], row["by"]): row for row in found["gaps"]}
    assert gaps["years, *derived*", "age group"]["highest"].startswith("60-: 68.50 (n = 60)")
    assert ("8 groups", "ethnicity") in gaps
    assert {part["title"] for part in found["slices"]} >= {"8 groups by age group", "years by sex"}
    assert {row["metric"] for row in found["folds"]} == {"accuracy", "one_off", "mae", "rmse", "cs5"}
    (row,) = found["left_out"]
    in_gaps = sum(
        i % 80 in {3, 7, 14, *range(21, 25), *range(33, 38), *range(44, 48), *range(54, 60)} for i in range(240)
    )
    assert row["faces that do not count"] == f"{in_gaps} in none of the groups"
    assert (tmp_path / found["curve"]).read_bytes().startswith(b"\x89PNG")


def run(zoo, out, *more):
    always = ["--out", str(out), "--threads", "1", "--device", "cpu", "--only", "accuracy"]
    return main(["run", *always, "--data", f"csv={zoo.faces}", *more])


def test_a_real_run_leaves_predictions_and_its_report_compares_them(tiny_zoo, tmp_path):
    card, out = zoo.card.all_cards()["tiny"], tmp_path / "out"
    zoo.variants.build(card, zoo.store.build(card), "fp16")
    assert run(tiny_zoo, out, "--backend", "onnxruntime,opencv", "--zoo", "tiny,twin", "--precision", "fp32,fp16") == 0
    results = [r for r in read_results(out) if r.status == "ok"]
    assert {p.name for p in (out / "predictions").iterdir()} == {predictions.file_of(out, r.case).name for r in results}
    for result in results:
        found = predictions.read(out, result)
        ((head, prediction),) = found.heads
        assert scores(head, prediction, found.samples)[0].value == result.scores[0].value
    text = (out / "report.md").read_text()
    assert re.search(
        r"### Do backends and precisions agree, csv:all\n\nAll say the same group and sex of all 11 faces", text
    )
    assert "### Networks against each other, csv:all" in text
    assert "- gender (n = 11): too few to compare." in text
    assert str(tmp_path) not in text


def test_a_run_without_predictions_is_still_reported(tiny_zoo, tmp_path):
    out = tmp_path / "out"
    assert run(tiny_zoo, out, "--backend", "onnxruntime,opencv", "--zoo", "tiny,twin") == 0
    for file in (out / "predictions").iterdir():
        file.unlink()
    text = write(out, ["md"])[0].read_text()
    assert "Accuracy on csv:all" in text
    assert "against each other" not in text


def test_predictions_of_other_labels_stop_the_report_in_one_line(tiny_zoo, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(tiny_zoo, out, "--backend", "onnxruntime", "--zoo", "tiny") == 0
    (line,) = (out / "results.jsonl").read_text().splitlines()
    fingerprint = read_results(out)[0].fingerprint.split_sha256
    (out / "results.jsonl").write_text(line.replace(fingerprint, "0" * 64) + "\n")
    capsys.readouterr()
    assert main(["report", str(out)]) == 2
    (told,) = capsys.readouterr().err.strip().splitlines()
    assert "is of other images or labels" in told


def test_splits_of_other_fingerprints_never_meet(tmp_path):
    faces = split()
    apart = [
        measured(tmp_path, faces, "a", GENDER, said(faces)),
        measured(tmp_path, faces, "b", GENDER, said(faces, {1}), fingerprint="b"),
    ]
    with pytest.raises(Exception, match="no pairs"):
        networks(predicted(apart, tmp_path))
    for result in apart:  # the report asks for one split at a time
        assert networks(predicted([result], tmp_path)) == []
