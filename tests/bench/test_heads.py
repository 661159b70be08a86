"""From raw outputs to ages, groups and genders."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bench.heads import OUTSIDE, decode, group_of_predicted_age, group_of_true_age
from zoo.fields import AGE_GROUPS, Head

YEARS = (1, 5, 10.5, 17.5, 28.5, 40.5, 50.5, 80)


@pytest.mark.parametrize(
    ("age", "label"),
    [(0, "0-2"), (2, "0-2"), (2.9, "0-2"), (4, "4-6"), (8, "8-13"), (13.5, "8-13"), (20, "15-20"), (25, "25-32")]
    + [(38, "38-43"), (53, "48-53"), (60, "60-"), (116, "60-")]
    + [(gap, None) for gap in (3, 7, 14, 21, 24, 33, 37, 44, 47, 54, 59, None)],
)
def test_group_of_a_true_age(age, label):
    assert group_of_true_age(age) == (OUTSIDE if label is None else AGE_GROUPS.index(label))


def test_a_predicted_age_falls_into_a_group_by_the_middles_of_the_gaps():
    ages = [2.9, 3.1, 6.9, 7.1, 13.9, 14.1, 22.4, 22.6, 35.4, 35.6, 45.4, 45.6, 56.4, 56.6]
    assert_array_equal(group_of_predicted_age(np.array(ages)), [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7])


def test_age_groups_by_argmax_and_years_by_expectation():
    head = Head(task="age_group", output="prob", decode="argmax", labels=AGE_GROUPS, years=YEARS)
    rows = np.zeros((3, 8), np.float32)
    rows[0, 4], rows[1, [0, 7]], rows[2, 2] = 1, (0.75, 0.25), 1
    found = decode(head, rows)
    assert_array_equal(found.group, [4, 0, 2])
    assert_allclose(found.years, [28.5, 0.75 * 1 + 0.25 * 80, 10.5])
    assert found.decode == {"age_group": "argmax", "age": "expectation"}


def test_age_groups_without_middle_ages_have_no_years():
    head = Head(task="age_group", output="prob", decode="argmax", labels=("0-13", "14-22", "23-"))
    assert decode(head, np.eye(3)).years is None


def test_groups_of_any_kind_by_their_own_order():
    labels = tuple(f"{first}-{first + 4}" for first in range(0, 60, 5))
    head = Head(task="age_group", output="age_group", decode="argmax", labels=labels)
    assert_array_equal(decode(head, np.eye(12)[[11, 0, 7]]).group, [11, 0, 7])


@pytest.mark.parametrize("labels", [("male", "female"), ("female", "male")])
def test_gender_goes_by_the_cards_index_order(labels):
    head = Head(task="gender", output="prob", decode="argmax", labels=labels)
    found = decode(head, np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]))
    assert_array_equal(found.gender, [labels[0], labels[1], labels[1]])


def test_gender_by_one_sigmoid():
    head = Head(task="gender", output="p", decode="scalar", labels=("male", "female"))
    for output in (np.array([[0.2], [0.7]]), np.array([0.2, 0.7])):
        found = decode(head, output)
        assert_array_equal(found.gender, ["male", "female"])
    assert found.decode == {"gender": "scalar"}


def test_a_distribution_over_ages_is_grouped_by_its_mass_not_by_its_mean():
    head = Head(task="age", output="age", decode="expectation", labels=tuple(str(i) for i in range(101)))
    rows = np.zeros((1, 101))
    rows[0, [5, 90, 92]] = 0.45, 0.30, 0.25
    found = decode(head, rows)
    assert_allclose(found.years, [0.45 * 5 + 0.3 * 90 + 0.25 * 92])
    assert AGE_GROUPS[found.group[0]] == "60-"
    assert found.decode == {"age_group": "mass", "age": "expectation"}


@pytest.mark.parametrize("ages", [81, 101])
def test_every_age_of_a_distribution_belongs_to_the_group_its_year_falls_into(ages):
    head = Head(task="age", output="age", decode="expectation", labels=tuple(str(i) for i in range(ages)))
    found = decode(head, np.eye(ages))
    assert_allclose(found.years, np.arange(ages))
    assert_array_equal(found.group, group_of_predicted_age(np.arange(ages)))


def test_shares_need_not_add_up_to_one():
    head = Head(task="age", output="age", decode="expectation", labels=("0", "1", "2"))
    assert_allclose(decode(head, np.array([[0.0, 3.0, 1.0]])).years, [1.25])


def test_a_distribution_by_its_highest_share():
    head = Head(task="age", output="age", decode="argmax", labels=tuple(str(i) for i in range(101)))
    rows = np.zeros((1, 101))
    rows[0, [5, 90, 92]] = 0.45, 0.30, 0.25
    found = decode(head, rows)
    assert_allclose(found.years, [5])
    assert found.decode == {"age_group": "mass", "age": "argmax"}


def test_a_scalar_age():
    head = Head(task="age", output="age", decode="scalar", labels=())
    found = decode(head, np.array([[30.0], [4.0]]))
    assert_allclose(found.years, [30, 4])
    assert [AGE_GROUPS[g] for g in found.group] == ["25-32", "4-6"]
    assert found.decode == {"age_group": "borders", "age": "scalar"}


def test_a_scalar_age_below_zero_is_the_youngest_group():
    head = Head(task="age", output="age", decode="scalar", labels=())
    assert_array_equal(decode(head, np.array([-3.5, 140])).group, [0, 7])


def test_shares_that_add_up_to_nothing_have_no_mean():
    head = Head(task="age", output="age", decode="expectation", labels=("0", "1"))
    with pytest.raises(ValueError, match=r"'age' has shares that add up to -1"):
        decode(head, np.array([[0.5, 0.5], [0.0, -1.0]]))


@pytest.mark.parametrize("way", ["expectation", "scalar"])
def test_age_groups_are_read_by_argmax_only(way):
    head = Head(task="age_group", output="p", decode=way, labels=("0-13", "14-"))
    with pytest.raises(ValueError, match=f"argmax, not by {way}"):
        decode(head, np.zeros((5, 2)))


def test_an_output_of_another_width_than_the_head_is_an_error():
    head = Head(task="gender", output="prob", decode="argmax", labels=("male", "female"))
    with pytest.raises(ValueError, match="3 values a face"):
        decode(head, np.zeros((5, 3)))
