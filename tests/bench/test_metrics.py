"""Scores against counts made by hand and intervals from textbook formulas."""

from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bench.heads import Prediction, decode, other_groups
from bench.intervals import share
from bench.metrics import confusion, scores
from bench.types import Sample
from zoo.fields import AGE_GROUPS, Head

AGE = Head(task="age_group", output="prob", decode="argmax", labels=AGE_GROUPS)
GENDER = Head(task="gender", output="prob", decode="argmax", labels=("female", "male"))


def faces(ages, genders=None):
    genders = genders or ["male"] * len(ages)
    return [Sample(str(i), Path(str(i)), age, g) for i, (age, g) in enumerate(zip(ages, genders, strict=True))]


def by_name(found):
    return {(s.task, s.metric): s for s in found}


def wilson(hits, n, z=1.959964):
    p = hits / n
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def test_groups_leave_out_the_ages_in_gaps_and_years_do_not():
    samples = faces([1, 5, 10, 30, 35, 22, 70])  # 35 and 22 lie in gaps
    prediction = Prediction(group=np.array([0, 2, 2, 7, 4, 3, 6]), years=np.array([1.0, 9, 10, 60, 30, 22, 50]))
    found = by_name(scores(AGE, prediction, samples))
    exact, near, mae = (found[key] for key in (("age_group", "accuracy"), ("age_group", "one_off"), ("age", "mae")))
    assert (exact.n, near.n, mae.n) == (5, 5, 7)
    assert exact.value == pytest.approx(2 / 5)
    assert near.value == pytest.approx(4 / 5)
    assert mae.value == pytest.approx((0 + 4 + 0 + 30 + 5 + 0 + 20) / 7)
    assert found["age", "rmse"].value == pytest.approx(sqrt((16 + 900 + 25 + 400) / 7))
    assert found["age", "cs5"].value == pytest.approx(5 / 7)


def test_confusion_has_predictions_in_rows_and_truth_in_columns():
    found = by_name(scores(AGE, Prediction(group=np.array([1, 1, 0])), faces([1, 5, 5])))
    counts = np.array(found["age_group", "accuracy"].confusion.counts)
    assert counts[1, 0] == 1
    assert counts[1, 1] == 1
    assert counts[0, 1] == 1
    assert counts.sum() == 3


def test_gender_confusion_follows_the_labels_order():
    samples = faces([9, 9, 9, 9], ["male", "male", "female", None])
    found = scores(GENDER, Prediction(gender=np.array(["male", "female", "female", "male"])), samples)
    assert [s.n for s in found] == [3]
    assert found[0].value == pytest.approx(2 / 3)
    assert found[0].confusion.labels == ("female", "male")
    assert found[0].confusion.counts == ((1, 1), (0, 1))


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (7, 7), (438, 1000)])
def test_share_has_wilsons_interval(hits, n):
    value, interval = share(np.arange(n) < hits)
    assert value == pytest.approx(hits / n)
    assert_allclose(interval, wilson(hits, n), atol=1e-6)


def test_the_interval_of_the_error_is_near_the_normal_one_and_always_the_same():
    rng = np.random.default_rng(5)
    ages = rng.integers(0, 90, 700)
    errors = rng.exponential(6, 700)
    one, two = (
        by_name(scores(AGE, Prediction(years=ages + errors), faces([float(a) for a in ages])))["age", "mae"]
        for _ in range(2)
    )
    assert one == two
    half = 1.96 * errors.std() / sqrt(700)
    assert_allclose(one.ci95, (errors.mean() - half, errors.mean() + half), atol=0.2 * half)


def test_one_face_has_an_interval_of_no_width():
    found = by_name(scores(AGE, Prediction(years=np.array([12.0])), faces([10])))
    assert found["age", "mae"].ci95 == (2, 2)


def test_a_network_is_scored_on_its_own_groups_and_whoever_is_in_none_of_them_does_not_count():
    labels = tuple(f"{first}-{first + 4}" for first in range(0, 60, 5))
    head = Head(task="age_group", output="age_group", decode="argmax", labels=labels)
    samples = faces([0, 4, 5, 59, 60, 88, 34.9, None])  # 60 and 88 are beyond the last group
    prediction = Prediction(group=np.array([0, 1, 1, 11, 11, 3, 6, 2]), decode={"age_group": "argmax"})
    found = by_name(scores(head, prediction, samples))
    exact, near = found["age_group", "accuracy"], found["age_group", "one_off"]
    assert (exact.n, near.n) == (5, 5)
    assert exact.value == pytest.approx(4 / 5)
    assert near.value == 1
    assert exact.confusion.labels == labels
    assert np.array(exact.confusion.counts)[1, 0] == 1
    assert set(found) == {("age_group", "accuracy"), ("age_group", "one_off")}


def test_every_score_says_its_head_how_it_was_read_and_what_is_derived():
    ages = Head(task="age", output="years", decode="scalar", labels=())
    prediction = Prediction(
        group=np.array([4]), years=np.array([28.0]), decode={"age_group": "borders", "age": "scalar"}
    )
    found = by_name(scores(ages, prediction, faces([30])))
    assert {key: (s.head, s.decode, s.derived) for key, s in found.items()} == {
        ("age_group", "accuracy"): ("years", "borders", True),
        ("age_group", "one_off"): ("years", "borders", True),
        **{("age", metric): ("years", "scalar", False) for metric in ("mae", "rmse", "cs5")},
    }
    assert found["age_group", "accuracy"].confusion.labels == AGE_GROUPS
    prediction = Prediction(
        group=np.array([4]), years=np.array([28.0]), decode={"age_group": "argmax", "age": "expectation"}
    )
    found = by_name(scores(AGE, prediction, faces([30])))
    assert not found["age_group", "accuracy"].derived
    assert (found["age", "mae"].decode, found["age", "mae"].derived) == ("expectation", True)


def test_no_label_no_score():
    assert scores(GENDER, Prediction(gender=np.array(["male"])), faces([3], [None])) == []
    assert scores(AGE, Prediction(group=np.array([3]), years=np.array([3.0])), faces([None])) == []


def test_confusion_counts_repeats():
    assert confusion(np.array([1, 1, 1]), np.array([0, 0, 1]), ("a", "b")).counts == ((0, 0), (2, 1))


def test_a_range_counts_for_the_group_that_holds_it_and_for_no_error_in_years():
    ranges = [(8, 12), (25, 32), (60, float("inf")), (10, 19), (38, 48), (35, 35)]
    samples = [Sample(str(i), Path(str(i)), None, None, age_range=r) for i, r in enumerate(ranges)]
    prediction = Prediction(group=np.array([2, 4, 6, 3, 5, 4]), years=np.array([9.0, 30, 60, 15, 40, 35]))
    found = by_name(scores(AGE, prediction, samples))
    assert set(found) == {("age_group", "accuracy"), ("age_group", "one_off")}
    assert found["age_group", "accuracy"].n == 3
    assert found["age_group", "accuracy"].value == pytest.approx(2 / 3)


def test_a_face_known_by_a_range_of_ages_counts_for_groups_alone():
    samples = [
        Sample("a", Path("a"), None, "male", age_range=(8, 12)),
        Sample("b", Path("b"), None, "male", age_range=(20, 29)),  # in two groups
        Sample("c", Path("c"), 30.0, "male"),
        Sample("d", Path("d"), None, "male"),
    ]
    prediction = Prediction(group=np.array([2, 4, 4, 4]), years=np.array([9.0, 25, 33, 1]))
    found = by_name(scores(AGE, prediction, samples, unreadable=5))
    assert (found["age_group", "accuracy"].n, found["age_group", "accuracy"].value) == (2, 1)
    assert found["age_group", "accuracy"].left_out == {"unreadable": 5, "no age": 1, "in none of the groups": 1}
    assert (found["age", "mae"].n, found["age", "mae"].value) == (1, 3)
    assert found["age", "mae"].left_out == {"unreadable": 5, "no age in years": 3}


def test_the_cumulative_score_of_every_year_to_ten():
    ages = Head(task="age", output="years", decode="scalar", labels=())
    errors = np.array([0, 0.5, -1, 2, 5, -5.01, 9, 10, 10.5, 40])
    found = by_name(scores(ages, Prediction(years=50 + errors), faces([50.0] * 10)))
    curve = found["age", "cs5"].curve
    assert curve == pytest.approx((0.1, 0.3, 0.4, 0.4, 0.4, 0.5, 0.6, 0.6, 0.6, 0.7, 0.8))
    assert curve[5] == found["age", "cs5"].value
    assert found["age", "mae"].curve == ()


def test_an_age_is_scored_in_the_data_sets_own_groups_and_in_twelve():
    own = ("0-2", "3-9", "10-")
    head = Head(task="age", output="years", decode="scalar", labels=())
    samples = [
        Sample(str(i), Path(str(i)), age, None, age_range=years)
        for i, (age, years) in enumerate([(None, (3, 9)), (None, (0, 2)), (12.0, None), (70.0, None)])
    ]
    prediction = decode(head, np.array([[9.9], [4.0], [16.0], [30.0]]), other_groups(own))
    found = {(s.groups, s.metric): s for s in scores(head, prediction, samples, own) if s.task == "age_group"}
    dataset, twelve = found["dataset", "accuracy"], found["twelve", "accuracy"]
    assert (dataset.n, dataset.value, dataset.confusion.labels) == (4, 0.75, own)
    assert dataset.confusion.counts == ((0, 0, 0), (1, 1, 0), (0, 0, 2))
    assert (twelve.n, twelve.left_out) == (2, {"in none of the groups": 2})  # 3-9 is in two of them, 70 beyond the last
    assert (found["twelve", "one_off"].value, len(twelve.confusion.labels)) == (1, 12)
    assert {s.derived for s in found.values()} == {True}


def test_intervals_of_faces_of_few_people_are_wider():
    rng = np.random.default_rng(8)
    right = rng.random(40) < 0.5
    samples = [Sample(str(i), Path(str(i)), 30.0, "male", subject=str(i // 10)) for i in range(400)]
    said = np.where(np.repeat(right, 10), "male", "female")
    (clustered,) = scores(GENDER, Prediction(gender=said), samples)
    (alone,) = scores(GENDER, Prediction(gender=said), faces([30.0] * 400))
    assert (clustered.subjects, alone.subjects) == (40, None)
    assert clustered.value == alone.value
    widths = [s.ci95[1] - s.ci95[0] for s in (clustered, alone)]
    assert widths[0] == pytest.approx(sqrt(10) * widths[1], rel=0.15)


def test_distributions_have_a_calibration_and_single_numbers_none():
    rows = np.array([[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.75, 0.25]])
    samples = faces([30.0] * 4, ["female", "female", "female", "male"])
    (found,) = scores(GENDER, decode(GENDER, rows), samples)
    assert found.calibration.error == pytest.approx(0)
    assert (found.calibration.claimed, found.calibration.observed) == (0.75, 0.75)
    ages = Head(task="age", output="age", decode="expectation", labels=("29", "30", "31"))
    prediction = decode(ages, np.array([[0.0, 1, 0]] * 4), other_groups(()))
    kinds = {(s.task, s.metric, s.groups): s.calibration for s in scores(ages, prediction, samples)}
    assert kinds["age", "mae", None].kind == "quantile"
    assert kinds["age_group", "accuracy", None].kind == kinds["age_group", "accuracy", "twelve"].kind == "top_label"
    assert kinds["age", "rmse", None] is None
    single = Head(task="age", output="age", decode="scalar", labels=())
    assert {s.calibration for s in scores(single, decode(single, np.array([[30.0]] * 4)), samples)} == {None}
