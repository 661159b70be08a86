"""From raw outputs to ages, groups and genders."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bench.heads import (
    GROUP_BORDERS,
    GROUP_RANGES,
    OUTSIDE,
    TWELVE_GROUPS,
    borders_of,
    decode,
    group_of_predicted_age,
    group_of_sample,
    group_of_true_age,
    other_groups,
    ranges_of,
    true_groups,
)
from bench.types import Sample
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


@pytest.mark.parametrize(
    ("years", "label"),
    [((0, 2), "0-2"), ((8, 12), "8-13"), ((60, 100), "60-"), ((60, np.inf), "60-"), ((38, 43), "38-43")]
    + [(across, None) for across in ((3, 9), (20, 29), (0, 4), (53, 60), (21, 24))],
)
def test_a_range_of_ages_is_in_the_group_that_holds_all_of_it(years, label):
    face = Sample("a", Path("a"), None, None, age_range=years)
    assert group_of_sample(face) == (OUTSIDE if label is None else AGE_GROUPS.index(label))


def test_a_true_age_goes_before_a_range():
    def face(age, years):
        return Sample("a", Path("a"), age, None, age_range=years)

    found = true_groups([face(5.0, (0, 2)), face(None, (0, 2)), face(None, None), face(22.0, (25, 32))])
    assert_array_equal(found, [1, 0, OUTSIDE, OUTSIDE])


def test_borders_are_the_middles_of_gaps_and_where_there_is_no_gap_the_next_groups_first_year():
    assert_allclose(borders_of(GROUP_RANGES), GROUP_BORDERS, atol=0.5)  # theirs has 35.5 where the middle is 35
    assert borders_of(ranges_of(TWELVE_GROUPS)) == tuple(range(5, 60, 5))
    assert borders_of(ranges_of(("0-2", "3-9", "12-19", "20-"))) == (3, 10.5, 20)


def test_which_other_groups_an_age_is_put_into():
    own = ("0-2", "3-9", "10-")
    assert other_groups(own) == {"twelve": TWELVE_GROUPS, "dataset": own}
    assert other_groups(()) == other_groups(AGE_GROUPS) == other_groups(TWELVE_GROUPS) == {"twelve": TWELVE_GROUPS}


def test_one_age_falls_into_other_groups_by_their_borders():
    head = Head(task="age", output="age", decode="scalar", labels=())
    ages = np.array([[2.9], [3.0], [4.9], [5.0], [99.0]])
    found = decode(head, ages, other_groups(("0-2", "3-9", "10-")))
    assert_array_equal(found.regrouped["dataset"], [0, 1, 1, 1, 2])
    assert_array_equal(found.regrouped["twelve"], [0, 0, 0, 1, 11])
    assert found.shares is None


def test_a_distribution_over_ages_falls_into_the_other_group_with_most_of_it():
    head = Head(task="age", output="age", decode="expectation", labels=tuple(map(str, range(101))))
    rows = np.zeros((2, 101))
    rows[0, [2, 3, 9]] = 0.4, 0.3, 0.3  # the likeliest year is not in the likeliest group
    rows[1, [59, 60, 100]] = 0.2, 0.3, 0.5
    found = decode(head, rows, other_groups(("0-2", "3-9", "10-")))
    assert_array_equal(found.regrouped["dataset"], [1, 2])
    assert_array_equal(found.regrouped["twelve"], [0, 11])
    assert_array_equal(found.shares, rows)


def test_heads_for_groups_are_put_into_no_others():
    head = Head(task="age_group", output="prob", decode="argmax", labels=AGE_GROUPS, years=YEARS)
    assert decode(head, np.eye(8), other_groups(("0-2", "3-9"))).regrouped == {}


@pytest.mark.parametrize("rows", [np.eye(2) * 2, np.eye(2) * 2 - 1])
def test_what_is_no_distribution_has_no_shares(rows):
    head = Head(task="gender", output="prob", decode="argmax", labels=("male", "female"))
    assert decode(head, rows).shares is None
    assert_array_equal(decode(head, np.eye(2)).shares, np.eye(2))


def test_one_number_for_a_gender_is_the_share_of_the_second_label():
    head = Head(task="gender", output="prob", decode="scalar", labels=("male", "female"))
    assert_allclose(decode(head, np.array([[0.2], [0.9]])).shares, [[0.8, 0.2], [0.1, 0.9]])
