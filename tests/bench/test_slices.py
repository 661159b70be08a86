"""Slices of constructed faces: recall by group, gaps and who is no candidate for them, folds, and many subjects."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from bench.heads import Prediction
from bench.metrics import scores
from bench.slices import ENOUGH, LISTED
from bench.types import Sample
from zoo.fields import AGE_GROUPS, Head

AGE = Head(task="age_group", output="prob", decode="argmax", labels=AGE_GROUPS)
GENDER = Head(task="gender", output="prob", decode="argmax", labels=("female", "male"))
YEARS = Head(task="age", output="years", decode="scalar", labels=())


def face(number, age=30.0, gender="male", **more):
    return Sample(str(number), Path(str(number)), age, gender, **more)


def genders(samples, hits):
    other = {"male": "female", "female": "male"}
    said = [s.gender if hit else other[s.gender] for s, hit in zip(samples, hits, strict=True)]
    (found,) = scores(GENDER, Prediction(gender=np.array(said)), samples)
    return found


def by(score, kind):
    return next(s for s in score.slices if s.by == kind)


def test_slices_by_sex_and_the_gap_between_them():
    samples = [face(i, gender="male" if i < 40 else "female") for i in range(100)]
    found = by(genders(samples, [i % 4 != 0 if i < 40 else i % 2 == 0 for i in range(100)]), "sex")
    assert (found.labels, found.values, found.n, found.total) == (("female", "male"), (0.5, 0.75), (60, 40), 2)
    assert (found.gap.highest, found.gap.lowest, found.gap.value) == ("male", "female", 0.25)
    one, two = 31 / 42, 31 / 62  # with one hit and one miss more
    half = t.ppf(0.975, 39) * np.sqrt(one * (1 - one) / 42 + two * (1 - two) / 62)
    assert found.gap.interval == pytest.approx((0.25 - half, 0.25 + half), abs=1e-5)


def test_a_slice_of_few_faces_is_shown_and_no_candidate():
    kinds = ["a"] * 40 + ["b"] * 30 + ["c"] * (ENOUGH - 1)
    samples = [face(i, ethnicity=kind) for i, kind in enumerate(kinds)]
    found = by(genders(samples, [True] * 30 + [False] * 10 + [True] * 20 + [False] * 29), "ethnicity")
    assert (found.labels, found.n, found.values[2]) == (("a", "b", "c"), (40, 30, 19), 0)
    assert (found.gap.highest, found.gap.lowest) == ("a", "b")


def test_recall_and_error_of_each_age_group():
    samples = [face(0, 1.0), face(1, 1.0), face(2, 5.0), face(3, 30.0), face(4, 22.0), face(5, None)]
    prediction = Prediction(group=np.array([0, 3, 1, 4, 4, 4]), years=np.array([2.0, 4, 5, 25, 30, 9]))
    found = {(s.task, s.metric): s for s in scores(AGE, prediction, samples)}
    recall, error = by(found["age_group", "accuracy"], "age group"), by(found["age", "mae"], "age group")
    assert (recall.labels, recall.values, recall.n) == (("0-2", "4-6", "25-32"), (0.5, 1, 1), (2, 1, 1))
    assert (error.labels, error.values, error.n) == (("0-2", "4-6", "25-32"), (2, 0, 5), (2, 1, 1))
    assert recall.gap is None
    assert found["age_group", "one_off"].slices == ()


def test_a_head_of_other_groups_is_sliced_by_its_own():
    head = Head(task="age_group", output="o", decode="argmax", labels=("0-20", "21-50", "51-"))
    samples = [face(i, age) for i, age in enumerate((20.0, 22.0, 50.0, 51.0))]
    (accuracy, _) = scores(head, Prediction(group=np.array([0, 1, 0, 2])), samples)
    assert (by(accuracy, "age group").labels, by(accuracy, "age group").values) == (head.labels, (1, 0.5, 1))


def test_of_very_many_subjects_those_of_most_faces_are_kept_and_those_of_the_gap():
    people = [person for person in range(60) for _ in range(ENOUGH + (person if person > 1 else 0))]
    hits = [person != 0 and (person == 1 or i % 2 == 0) for i, person in enumerate(people)]
    samples = [face(i, subject=f"p{person:02}") for i, person in enumerate(people)]
    score = genders(samples, hits)
    found = by(score, "subject")
    assert (score.subjects, found.total, len(found.labels)) == (60, 60, LISTED + 2)
    assert {"p00", "p01", "p59", "p36"} <= set(found.labels)
    assert "p35" not in found.labels
    assert (found.gap.highest, found.gap.lowest, found.gap.value) == ("p01", "p00", 1)


def test_a_gap_that_was_picked_as_the_largest_of_equals_is_seldom_one():
    rng, false = np.random.default_rng(5), 0
    for _ in range(120):
        samples = [face(i, ethnicity=str(i % 6)) for i in range(240)]
        gap = by(genders(samples, rng.random(240) < 0.7), "ethnicity").gap
        false += gap.interval[0] > 0
    assert false <= 0.05 * 120


def test_slices_that_show_the_same_people_are_drawn_together():
    rng = np.random.default_rng(6)
    skill = rng.uniform(0, 1, 50)
    samples, hits = [], []
    for number in range(2000):
        person = number % 50
        samples.append(face(number, gender="male" if number < 1000 else "female", subject=str(person)))
        hits.append(rng.random() < skill[person])
    score = genders(samples, hits)
    gap, (low, high) = by(score, "sex").gap, score.ci95
    # both sexes are the same people here, so what is common to them leaves the difference
    assert gap.interval[1] - gap.interval[0] < high - low


def test_folds_have_a_mean_and_a_standard_deviation():
    samples = [face(i, 30.0, fold=str(i % 3)) for i in range(9)]
    errors = np.array([1.0, 2, 3, 1, 2, 6, 1, 5, 3])
    found = {s.metric: s for s in scores(YEARS, Prediction(years=30 + errors), samples)}
    assert found["mae"].folds.values == pytest.approx({"0": 1, "1": 3, "2": 4})
    assert (found["mae"].folds.mean, found["mae"].folds.sd) == pytest.approx((8 / 3, np.std([1, 3, 4], ddof=1)))
    assert found["rmse"].folds.values["2"] == pytest.approx(np.sqrt((9 + 36 + 9) / 3))
    assert found["cs5"].folds.values == pytest.approx({"0": 1, "1": 1, "2": 2 / 3})


def test_of_many_folds_only_mean_and_spread_are_kept():
    samples = [face(i, 30.0, fold=str(i % 11)) for i in range(22)]
    found = scores(YEARS, Prediction(years=30.0 + np.arange(22) % 11), samples)[0].folds
    assert (found.count, found.values, found.mean) == (11, {}, 5)


def test_without_labels_there_are_no_slices_and_no_folds():
    score = genders([face(i, age=None) for i in range(30)], [True] * 30)
    assert (score.slices, score.folds, score.subjects) == ((), None, None)
