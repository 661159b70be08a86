"""The answer of a run, from results made by hand whose right answer is plain: what is chosen, and what is not said."""

import json
import re

import numpy as np
import pytest
from bench_cases import latency_case
from test_report import RUN

from bench import datasets
from bench.cli import main
from bench.records import Confusion, Fingerprint, Latency, Result, Score
from bench.report import labels, write
from bench.report.album import drawn
from bench.report.answer import answers, pick
from bench.report.apart import paired_verdicts
from bench.report.candidates import Question
from bench.report.pictures import new_figure
from converters.errors import BAD_INPUT, BadInput
from zoo.card import all_cards
from zoo.fields import AGE_GROUPS

ROUNDS = 12
N = 200


def timed(network, ms, backend="onnxruntime", spread=0.01, rounds=ROUNDS, **changes):
    """Return a latency of ``rounds`` rounds of 3 runs around ``ms``."""
    noise = np.random.default_rng(len(network)).permutation(np.linspace(-spread, spread, rounds * 3))
    latency = Latency(
        times_ms=tuple(ms * (1 + noise)), cold_ms={"import": 1, "load": 2, "first": 3}, rounds=(3,) * rounds
    )
    case = latency_case(backend, network=network, **{"batch": 1, "threads": 2, **changes})
    return Result(case=case, status="ok", placement={"CPU": 7}, latency=latency)


def said(network, backend="onnxruntime", data="own:test", sha="1" * 64, **changes):
    dataset, split = data.split(":")
    on = {"kind": "accuracy", "dataset": dataset, "split": split, "batch": 8, "threads": 2}
    return {
        "case": latency_case(backend, network=network, **{**on, **changes}),
        "status": "ok",
        "fingerprint": Fingerprint(split_sha256=sha, n=N, label_rule="by name; and more"),
    }


def aged(network, mae, half=0.2, n=N, head="age", **changes):
    score = Score(task="age", metric="mae", value=mae, ci95=(mae - half, mae + half), n=n, head=head, derived=False)
    return Result(**said(network, **changes), scores=(score,))


def sexed(network, accuracy, half=0.02, **changes):
    ends = (accuracy - half, accuracy + half)
    score = Score(task="gender", metric="accuracy", value=accuracy, ci95=ends, n=N, head="g", derived=False)
    return Result(**said(network, **changes), scores=(score,))


def skipped(result, reason):
    return Result(case=result.case, status="skipped", reason=reason)


def asked(results, task="age", **limits):
    found = [a for a in answers(RUN_OF(results), results, **limits).answers if a.question.task == task]
    assert len(found) == 1
    return found[0]


def RUN_OF(results):
    names = tuple(dict.fromkeys(r.case.network for r in results))
    return RUN.model_copy(update={"config": RUN.config.model_copy(update={"networks": names})})


def choice(answer, what, *, elsewhere=False):
    (found,) = [c for c in answer.choices if c.what == what and c.elsewhere == elsewhere]
    return found


def chosen(answer, what, **which):
    candidate = choice(answer, what, **which).candidate
    return None if candidate is None else (candidate.network, candidate.backend)


def rivals(found, of):
    return [(r.candidate.network, r.candidate.backend) for r in found.rivals if r.of == of]


TRIO = [
    *[timed("quick", 1), timed("middle", 10), timed("best", 100)],
    *[aged("quick", 9), aged("middle", 6), aged("best", 5)],
]


def test_the_most_accurate_the_fastest_and_the_knee():
    answer = asked(TRIO)
    assert [c.what for c in answer.choices] == ["accuracy", "speed", "knee"]
    assert chosen(answer, "accuracy") == ("best", "onnxruntime")
    assert chosen(answer, "speed") == ("quick", "onnxruntime")
    assert chosen(answer, "knee") == ("middle", "onnxruntime")  # 3 of the 4 years for half of the (log) time
    assert [step.candidate.network for step in answer.front] == ["quick", "middle", "best"]
    assert all(step.told_apart for step in answer.front)
    assert all(not c.rivals for c in answer.choices)


def test_a_front_that_bends_the_other_way_or_is_noise_has_no_knee():
    late = [*TRIO[:3], aged("quick", 9), aged("middle", 8.5, half=0.1), aged("best", 5)]
    assert "no knee" in choice(asked(late), "knee").note
    noise = [*TRIO[:3], aged("quick", 5.2), aged("middle", 5.1), aged("best", 5)]
    answer = asked(noise)
    assert [step.told_apart for step in answer.front] == [True, False, False]
    assert choice(answer, "knee").candidate is None
    assert "1 step of the front can be told apart" in choice(answer, "knee").note


@pytest.mark.parametrize(
    ("limits", "what", "expected"),
    [
        ({"limit_ms": 20}, "accurate within", "middle"),
        ({"limit_ms": 200}, "accurate within", "best"),
        ({"limit_ms": 0.5}, "accurate within", None),
        ({"max_mae": 6.3}, "fast within", "middle"),
        ({"max_mae": 10}, "fast within", "quick"),
        ({"max_mae": 5.1}, "fast within", None),  # 5 years, but its interval ends at 5.2
        ({"limit_ms": 20, "max_mae": 6.3}, "fast within", "middle"),
        ({"limit_ms": 2, "max_mae": 6.3}, "accurate within", None),
    ],
)
def test_limits_hold_for_the_ends_of_intervals(limits, what, expected):
    found = choice(asked(TRIO, **limits), what)
    assert (found.candidate and found.candidate.network) == expected
    if expected is None:
        assert "none is shown to be within" in found.note


def test_a_median_within_the_limit_whose_interval_is_not_is_named_and_not_taken():
    results = [timed("sure", 5), timed("unsure", 9, spread=0.3), timed("few", 2, rounds=3)]
    results += [aged("sure", 8), aged("unsure", 4), aged("few", 3)]
    found = choice(asked(results, limit_ms=9.5), "accurate within")
    assert found.candidate.network == "sure"
    assert "unsure on onnxruntime 9.0" in found.note
    assert "few on onnxruntime 2.0" in found.note  # three rounds have no interval
    assert "no interval" in found.note


def test_what_is_not_told_apart_in_accuracy_is_named_and_comparisons_in_pairs_count_more_than_intervals():
    results = [timed("one", 3), timed("two", 7), timed("far", 11), aged("one", 5), aged("two", 5.3), aged("far", 9)]
    answer = asked(results)
    assert rivals(choice(answer, "accuracy"), "accuracy") == [("two", "onnxruntime")]
    assert choice(answer, "accuracy").rivals[0].how == "intervals overlap"
    pair = frozenset((("one", "fp32", "age"), ("two", "fp32", "age")))
    far = frozenset((("one", "fp32", "age"), ("far", "fp32", "age")))
    for verdicts, expected in (
        ({pair: "different"}, []),
        ({pair: "equal", far: "not enough data"}, [("two", "equal within 0.1 years, in pairs"),
                                                   ("far", "not enough data, in pairs")]),
    ):  # fmt: skip
        found = answers(RUN_OF(results), results, paired={answer.question: verdicts}).answers[0]
        assert [(r.candidate.network, r.how) for r in choice(found, "accuracy").rivals] == expected


def test_the_chosen_network_is_put_on_the_fastest_backend_of_those_that_score_alike():
    results = [timed("net", ms, backend) for backend, ms in (("a", 9), ("b", 3), ("c", 3.02), ("d", 1))]
    results += [aged("net", mae, backend=backend) for backend, mae in (("a", 5), ("b", 5.05), ("c", 5.01), ("d", 5.5))]
    found = choice(asked(results), "accuracy")
    assert (found.candidate.backend, found.candidate.score.value) == ("b", 5.05)  # d is faster, and not alike
    assert rivals(found, "speed") == [("net", "c"), ("net", "d")]  # neither is slower than b


def test_the_fastest_names_what_is_not_told_to_be_slower():
    results = [timed("one", 10, spread=0.2), timed("near", 10.1, spread=0.2), timed("slow", 30)]
    results += [aged(name, 5) for name in ("one", "near", "slow")]
    found = choice(asked(results), "speed")
    assert rivals(found, "speed") == [("near", "onnxruntime")]
    assert "not side by side" in found.rivals[0].how


def test_few_faces_are_no_ground_for_a_choice():
    results = [timed("one", 3), timed("two", 7), aged("one", 5, half=0, n=19), aged("two", 6, half=0, n=19)]
    answer = asked(results)
    assert choice(answer, "accuracy").candidate is None
    assert "19 faces count: 20 are needed" in choice(answer, "accuracy").note


def test_networks_trained_on_the_data_set_are_said_to_be_and_have_a_choice_without_them():
    results = [timed("thesis-age", 3), timed("dlib-age", 7), timed("c3ae-v84", 9)]
    results += [aged(name, mae, data="utkface:test") for name, mae in
                (("thesis-age", 4), ("dlib-age", 6), ("c3ae-v84", 9))]  # fmt: skip
    answer = asked(results, limit_ms=20)
    assert chosen(answer, "accuracy") == ("thesis-age", "onnxruntime")
    assert choice(answer, "accuracy").candidate.home == "trained on utkface, its train split"
    for what in ("accuracy", "accurate within"):
        assert chosen(answer, what, elsewhere=True) == ("dlib-age", "onnxruntime")
        assert "not trained on utkface" in choice(answer, what, elsewhere=True).title
    other = asked([r.model_copy(update={"case": r.case.model_copy(update={"dataset": "fgnet"})})
                   if r.scores else r for r in results])  # fmt: skip
    assert [c.elsewhere for c in other.choices] == [False] * 3


def test_cards_say_their_training_sets_as_the_bench_calls_them():
    found = {name: card.training_sets for name, card in all_cards().items() if card.training_sets}
    assert len(found) >= 14
    for sets in found.values():
        for dataset, _, split in (one.partition(":") for one in sets):
            assert split in ("", *datasets.describe(dataset)["splits"])
    for name, card in all_cards().items():
        for dataset, words in (("utkface", "UTKFace, the train split"), ("imdb_wiki", "IMDB"), ("adience", "Adience")):
            assert any(one.startswith(dataset) for one in card.training_sets) == card.trained_on.startswith(words), name


def why(answer):
    return {(one.network, where): one.reason for one in answer.absent for where in (one.where or ("",))}


def test_everything_that_is_not_in_the_running_is_there_with_its_reason():
    on = "onnxruntime (cpu, fp32)"
    results = [
        *[timed("dlib-age", 3), aged("dlib-age", 6, data="utkface:train")],
        *[timed("thesis-age", 3), aged("thesis-age", 2, data="utkface:train")],
        *[timed("untimed", 3, batch=8), aged("untimed", 4, data="utkface:train")],
        *[timed("unscored", 3), skipped(aged("unscored", 4, data="utkface:train"), "out of reach")],
        *[skipped(timed("failed", 3), "crashed"), aged("failed", 4, data="utkface:train")],
        *[skipped(timed("neither", 3), "no file"), skipped(aged("neither", 4, data="utkface:train"), "no file")],
        *[timed("dlib-gender", 3), sexed("dlib-gender", 0.9, data="utkface:train")],
        *[timed("dlib-age", 2, "source"), aged("dlib-age", 6, data="utkface:train", backend="source")],
        *[timed("age-resnet34", 3), timed("yunet-face", 3)],
    ]
    run = RUN_OF(results)
    run = run.model_copy(update={"config": run.config.model_copy(update={"networks": ("never", *run.config.networks)})})
    answer = next(a for a in answers(run, results).answers if a.question.task == "age")
    assert [(c.network, c.backend) for c in answer.candidates] == [("dlib-age", "onnxruntime")]
    assert why(answer) == {
        ("never", ""): "no case of it is in this run's results",
        ("thesis-age", on): "it was trained on utkface:train, so its score there says nothing",
        ("untimed", on): "scored 4.00 years [3.80, 4.20]; no latency at batch 1",
        ("unscored", on): "not scored (skipped): out of reach",
        ("failed", on): "scored 4.00 years [3.80, 4.20]; no latency at batch 1 (skipped): crashed",
        ("neither", on): "neither scored nor timed (skipped): no file",
        ("dlib-gender", on): "it has no head for age",
        ("dlib-age", "source (cpu, fp32)"): "it is the original framework, which the others are held against",
        ("age-resnet34", on): "its weights are random numbers: for timing only",
        ("yunet-face", on): "it is for face detection",
    }


def test_splits_never_meet():
    results = [timed("one", 3), timed("two", 7), aged("one", 5), aged("two", 4, sha="2" * 64)]
    found = answers(RUN_OF(results), results).answers
    assert [[c.network for c in a.candidates] for a in found] == [["one"], ["two"]]
    assert "scored on other images of that name" in why(found[0])["two", "onnxruntime (cpu, fp32)"]
    pictures = {a.question.split_sha256 for a in found}
    assert len(pictures) == 2


def test_a_run_with_only_one_half_says_which_is_missing():
    (found,) = answers(RUN_OF(TRIO), TRIO[:3]).answers
    assert found.question is None
    assert [(c.what, c.candidate.network) for c in found.choices] == [("speed", "quick")]
    assert "No accuracy was measured" in found.missing[0]
    (found,) = answers(RUN_OF(TRIO), TRIO[3:], limit_ms=3).answers
    assert [(c.what, c.candidate.network) for c in found.choices] == [("accuracy", "best")]
    assert "only accuracy can be told" in found.missing[0]
    nothing = answers(RUN_OF(TRIO), [])
    assert (nothing.answers, len(nothing.missing)) == ((), 1)
    failed = [*TRIO[:3], skipped(TRIO[3], "gone")]
    assert "No case on own:test was scored" in answers(RUN_OF(TRIO), failed).missing[0]


def test_an_input_variant_has_the_times_of_its_graph_and_ten_views_have_none():
    base = "levi-hassner-gender"
    results = [timed(base, 3), sexed(base, 0.8), sexed(f"{base}@mean-image", 0.85), sexed(f"{base}@over-sampled", 0.9)]
    answer = asked(results, "gender")
    assert {c.network: c.p50.value == answer.candidates[0].p50.value for c in answer.candidates} == {
        base: True, f"{base}@mean-image": True,
    }  # fmt: skip
    assert answer.candidates[1].marks == (f"timed as {base}, whose graph it shares",)
    assert "ten views" in why(answer)[f"{base}@over-sampled", "onnxruntime (cpu, fp32)"]


def test_age_groups_of_other_labels_are_other_questions():
    def grouped(network, groups, value):
        table = Confusion(labels=groups, counts=tuple(tuple(9 for _ in groups) for _ in groups))
        score = Score(task="age_group", metric="accuracy", value=value, ci95=(value - 0.1, value + 0.1), n=N,
                      head="g", derived=False, confusion=table)  # fmt: skip
        return Result(**said(network), scores=(score,))

    results = [timed("one", 3), timed("two", 7), grouped("one", AGE_GROUPS, 0.5), grouped("two", ("0-40", "41-"), 0.9)]
    found = answers(RUN_OF(results), results).answers
    assert [(a.first, [c.network for c in a.candidates]) for a in found] == [(True, ["one"]), (False, ["two"])]


def test_pick_is_the_same_rule_for_a_program():
    run = RUN_OF(TRIO)
    assert pick(run, TRIO, task="age").candidate.network == "best"
    assert pick(run, TRIO, task="age", limit_ms=20).candidate.network == "middle"
    assert pick(run, TRIO, task="age", max_mae=9.5).candidate.network == "quick"
    assert pick(run, TRIO, task="age", limit_ms=20, backends={"opencv"}).candidate is None
    both = [*TRIO, aged("best", 7, data="fgnet:all")]
    assert pick(run, both, task="age", data="fgnet:all").candidate.network == "best"
    for task, data, words in (("gender", None, "scored no gender"), ("age", None, "several splits"),
                              ("age", "utkface:test", "no scores on utkface:test")):  # fmt: skip
        with pytest.raises(BadInput, match=words):
            pick(run, both, task=task, data=data)


@pytest.mark.parametrize("limits", [{"limit_ms": 0}, {"max_mae": -1}, {"limit_ms": float("nan")}])
def test_a_limit_that_is_none_is_refused(limits):
    with pytest.raises(BadInput, match="is no limit"):
        answers(RUN_OF(TRIO), TRIO, **limits)


def stored(tmp_path, results):
    (tmp_path / "run.json").write_text(RUN_OF(results).model_dump_json(by_alias=True))
    (tmp_path / "results.jsonl").write_text("".join(r.line() + "\n" for r in results))
    return tmp_path


def test_the_first_screen_is_the_answer_and_its_evidence_is_one_click_away(tmp_path, capsys):
    results = [*TRIO, skipped(timed("gone", 3), "a | <b>")]
    assert main(["report", str(stored(tmp_path, results)), "--limit-ms", "20", "--max-mae", "6.3"]) == 0
    text = (tmp_path / "report.md").read_text()
    assert re.findall("^## (.*)$", text, re.MULTILINE)[:2] == ["The answer", "Where it ran"]
    screen = text.partition("## Where it ran")[0]
    assert re.search(r"\| Most accurate within 20 ms and 6.3 years +\| middle ", screen)
    assert "a \\| &lt;b>" in screen
    assert "![Accuracy against latency, with the Pareto front](accuracy-latency-age-own-test.png)" in screen
    anchors = re.findall(r"\]\(#([^)]+)\)", screen)
    assert len(set(anchors)) == 2
    assert all(text.count(f'<a id="{anchor}"></a>') == 1 for anchor in anchors)
    assert main(["report", str(tmp_path), "--limit-ms", "0"]) == BAD_INPUT
    assert "--limit-ms 0 is no limit" in capsys.readouterr().err


def test_a_report_says_the_same_twice_and_its_svgs_are_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(stored(tmp_path / folder, TRIO), ["md"])
    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert "accuracy-latency-age-own-test.svg" in names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    drawing = (tmp_path / "one" / "accuracy-latency-age-own-test.svg").read_text()
    assert "<dc:date>" not in drawing
    assert ">middle</text>" in drawing.replace("\n", "")


def test_pictures_of_two_splits_of_one_name_are_two(tmp_path):
    results = [*TRIO, *(r.model_copy(update={"fingerprint": Fingerprint(split_sha256="2" * 64, n=N, label_rule="x"),
                                             "case": r.case.model_copy(update={"network": f"{r.case.network}-b"})})
                        for r in TRIO[3:]), *(timed(f"{n}-b", 4) for n in ("quick", "middle", "best"))]  # fmt: skip
    write(stored(tmp_path, results), ["md"])
    assert len(list(tmp_path.glob("accuracy-latency-age-own-test-*.png"))) == 2


def test_labels_cover_neither_each_other_nor_points(tmp_path):
    random = np.random.default_rng(5)
    points = [(float(10 ** (x / 3)), float(y)) for x, y in random.normal(0, 1, (25, 2))]
    figure, (axes,) = new_figure(10, 7, 1)
    axes.set_xscale("log")
    axes.plot(*zip(*points, strict=True), marker="o", linestyle="none")
    axes.margins(x=0.12, y=0.08)
    labels.place(axes, [f"a-network-{number}" for number in range(25)], points)
    drawn(figure, tmp_path, "labels")
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer).extents for text in axes.texts]
    dots = [axes.transData.transform(point) for point in points]
    apart = [first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] or second[3] <= first[1]
             for i, first in enumerate(boxes) for second in boxes[:i]]  # fmt: skip
    assert len(apart) == 300
    assert all(apart)
    assert not any(x0 < x < x1 and y0 < y < y1 for x, y in dots for x0, y0, x1, y1 in boxes)


def test_verdicts_of_pairs_are_known_by_question_and_head():
    class Stand:
        def __init__(self, **fields):
            self.__dict__ |= fields

    def contender(network, head, task="age", metric="mae"):
        case = latency_case(network=network)
        return Stand(predictions=Stand(result=Stand(case=case)), head=Stand(output=head),
                     column=Stand(task=task, metric=metric, labels=()))  # fmt: skip

    images = ("own", "test", "1" * 64, "whole")
    pairs = [
        Stand(first=contender("one", "age"), second=contender("two", "years"), verdict="equal"),
        Stand(first=contender("one", "g", "age_group", "one_off"), second=contender("two", "g"), verdict="different"),
    ]
    assert paired_verdicts(images, pairs) == {
        Question(*images, "age", ()): {frozenset((("one", "fp32", "age"), ("two", "fp32", "years"))): "equal"}
    }


def test_the_times_of_before_there_were_rounds_are_told_apart_by_their_intervals():
    old = [
        r.model_copy(update={"latency": r.latency.model_copy(update={"rounds": ()})}) if r.latency else r for r in TRIO
    ]
    found = asked([*old, timed("quick", 1.001, "opencv"), aged("quick", 9, backend="opencv")])
    assert rivals(choice(found, "speed"), "speed") == [("quick", "opencv")]
    assert json.loads(old[0].line())["latency"].get("rounds") is None
