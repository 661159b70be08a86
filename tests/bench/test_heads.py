"""From raw outputs to ages, groups and genders."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bench.heads import OUTSIDE, decode, group_of_predicted_age, group_of_true_age
from zoo.card import AGE_GROUPS, Head

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
    assert found.derived


@pytest.mark.parametrize("labels", [("male", "female"), ("female", "male")])
def test_gender_goes_by_the_cards_index_order(labels):
    head = Head(task="gender", output="prob", decode="argmax", labels=labels)
    found = decode(head, np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]))
    assert_array_equal(found.gender, [labels[0], labels[1], labels[1]])


def test_gender_by_one_sigmoid():
    head = Head(task="gender", output="p", decode="scalar", labels=("female", "male"))
    assert_array_equal(decode(head, np.array([[0.2], [0.7]])).gender, ["female", "male"])


def test_a_distribution_over_ages_is_grouped_by_its_mass_not_by_its_mean():
    head = Head(task="age", output="age", decode="expectation", labels=tuple(str(i) for i in range(101)))
    rows = np.zeros((1, 101))
    rows[0, [5, 90, 92]] = 0.45, 0.30, 0.25
    found = decode(head, rows)
    assert_allclose(found.years, [0.45 * 5 + 0.3 * 90 + 0.25 * 92])
    assert AGE_GROUPS[found.group[0]] == "60-"
    assert not found.derived


def test_a_scalar_age():
    head = Head(task="age", output="age", decode="scalar", labels=())
    found = decode(head, np.array([[30.0], [4.0]]))
    assert_allclose(found.years, [30, 4])
    assert [AGE_GROUPS[g] for g in found.group] == ["25-32", "4-6"]


def test_an_output_of_another_width_than_the_head_is_an_error():
    head = Head(task="gender", output="prob", decode="argmax", labels=("male", "female"))
    with pytest.raises(ValueError, match="3 values a face"):
        decode(head, np.zeros((5, 3)))
