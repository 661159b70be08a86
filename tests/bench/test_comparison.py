"""Cases against each other on made-up answers: which faces flip, what is compared with what, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from bench_cases import latency_case

from bench.comparison import NAMED, compare, contenders, farthest_years, flips, kind
from bench.differences import holm, of_shares
from bench.heads import Prediction
from bench.predictions import Predictions
from bench.published import against, same_dataset
from bench.records import Fingerprint, Result, Score
from bench.types import Sample
from converters.errors import BadInput
from zoo.fields import AGE_GROUPS, Claim, Head

GENDER = Head(task="gender", output="sex", decode="argmax", labels=("male", "female"))
YEARS = Head(task="age", output="age", decode="scalar", labels=())


def case(samples, *heads, network="tiny", fingerprint="a" * 64, **changes):
    of = latency_case("onnxruntime", network=network, kind="accuracy", dataset="own", split="all", **changes)
    printed = Fingerprint(split_sha256=fingerprint, n=len(samples), label_rule="by hand")
    return Predictions(Result(case=of, status="ok", fingerprint=printed), tuple(samples), (), heads)


def faces(n, **labels):
    """Return faces whose ages go through all years below 90 and whose sexes take turns."""
    return [
        Sample(
            f"{i:03}", Path(f"{i:03}"), float(i % 90), ("male", "female")[i % 2], **{k: v(i) for k, v in labels.items()}
        )
        for i in range(n)
    ]


def sexes(samples, wrong=()):
    other = {"male": "female", "female": "male"}
    return GENDER, Prediction(
        gender=np.array([other[s.gender] if i in wrong else s.gender for i, s in enumerate(samples)])
    )


def years(samples, errors):
    return YEARS, Prediction(years=np.array([s.age for s in samples]) + errors)


def test_flips_are_counted_by_group_and_sex_and_the_first_are_named():
    samples = faces(180)
    wrong = {0, 1, 2, 3, 5, *range(90, 120)}
    (found,) = flips(case(samples, sexes(samples)), case(samples, sexes(samples, wrong), precision="int8"))
    assert (found.head, found.what, found.n, found.count) == ("sex", "sex", 180, 35)
    assert found.names == tuple(samples[i].name for i in sorted(wrong))[:NAMED]
    # ages 0 to 29; 3, 7, 14 and 21 to 24 are in no group
    assert found.counts["0-2", "male"] == 4
    assert found.counts["0-2", "female"] == 2
    assert found.counts["4-6", "female"] == 2
    assert found.counts["-", "female"] == 2 + 1 + 2
    assert sum(found.counts.values()) == 35
    assert next(iter(found.counts)) == ("0-2", "female")


def test_groups_flip_within_a_heads_own_groups():
    head = Head(task="age_group", output="g", decode="argmax", labels=("0-44", "45-"))
    samples = faces(90)
    first, second = (np.array([i >= limit for i in range(90)], dtype=int) for limit in (45, 47))
    (found,) = flips(case(samples, (head, Prediction(group=first))), case(samples, (head, Prediction(group=second))))
    assert (found.what, found.counts) == ("age group", {("45-", "female"): 1, ("45-", "male"): 1})


def test_where_nothing_flips_there_is_no_count():
    samples = faces(30)
    (found,) = flips(case(samples, sexes(samples)), case(samples, sexes(samples), precision="fp16"))
    assert (found.count, found.counts, found.names) == (0, {}, ())


def test_the_farthest_ages():
    samples = faces(40)
    errors = np.zeros(40)
    errors[[3, 30]] = 0.5, -2.25
    assert farthest_years(case(samples, years(samples, 1.0)), case(samples, years(samples, 1 + errors))) == 2.25
    assert farthest_years(case(samples, sexes(samples)), case(samples, sexes(samples))) is None


def test_faces_are_matched_by_name_and_those_that_one_could_not_read_are_left_out():
    samples = faces(60)
    fewer = [s for i, s in enumerate(reversed(samples)) if i != 7]
    first = case(samples, sexes(samples, {59, 58}), years(samples, 2.0))
    second = case(fewer, sexes(fewer, {0}), years(fewer, 1.0), network="twin")  # 0 of the reversed is face 59
    found = {
        kind(a): compare([a, b])[0]
        for a in contenders("a", first)
        for b in contenders("b", second)
        if kind(a) == kind(b)
    }
    gender, age = found["gender", "accuracy", ()], found["age", "mae", ()]
    assert (gender.difference.n, gender.difference.only) == (59, (0, 1))
    assert (age.difference.n, age.difference.value) == (59, pytest.approx(1))
    (flip,) = flips(first, second)
    assert (flip.n, flip.names) == (59, ("058",))


def test_all_pairs_of_a_table_share_the_risk():
    samples = faces(300)
    rivals = [
        contenders(name, case(samples, sexes(samples, set(range(wrong))), network=name))[0]
        for name, wrong in (("a", 0), ("b", 7), ("c", 60))
    ]
    found = {(c.first.name, c.second.name): c for c in compare(rivals)}
    values = [rival.column.values for rival in rivals]
    alone = [of_shares(values[i], values[j]).p for i, j in ((0, 1), (0, 2), (1, 2))]
    assert [found[pair].p for pair in (("a", "b"), ("a", "c"), ("b", "c"))] == pytest.approx(holm(alone))
    assert found["a", "c"].verdict == "different"
    assert found["a", "b"].p == pytest.approx(2 ** (1 - 7) - 2**-7)  # the largest of three: nothing is added to it


def test_subjects_are_kept_together():
    samples = faces(200, subject=lambda i: str(i // 20))
    rivals = [
        contenders(name, case(samples, sexes(samples, wrong), years(samples, 3.0), network=name))
        for name, wrong in (("a", set()), ("b", set(range(20))))
    ]
    gender = compare([rivals[0][0], rivals[1][0]])[0]
    assert gender.difference.subjects == 10
    assert gender.difference.p == 1  # all of it is one person


def test_other_splits_are_refused():
    samples = faces(30)
    first, second = case(samples, sexes(samples)), case(samples, sexes(samples), network="twin", fingerprint="b" * 64)
    for refused in (lambda: flips(first, second), lambda: compare([contenders("x", p)[0] for p in (first, second)])):
        with pytest.raises(
            BadInput, match=r"no pairs: tiny on own:all has the split fingerprint a{16}, twin on own:all b{16}"
        ):
            refused()


def test_no_face_in_common_is_refused():
    samples = faces(60)
    one, two = case(samples[:30], sexes(samples[:30])), case(samples[30:], sexes(samples[30:]))
    with pytest.raises(BadInput, match="no face in common"):
        compare([contenders(name, p)[0] for name, p in (("a", one), ("b", two))])


def claim(**changes):
    where = {"dataset": "Adience", "split": "five folds", "where": "table 3"}
    return Claim.model_validate({"task": "age_group", "metric": "accuracy", "value": 0.5, **where, **changes})


def score(value, half, metric="accuracy", task="age_group"):
    return Score(task=task, metric=metric, value=value, ci95=(value - half, value + half), n=1000)


def test_a_published_number_with_its_spread():
    found = against(score(0.6, 1.959964 * 0.03), claim(sd=0.04))
    assert found.interval == pytest.approx((0.1 - 2.5758 * 0.05, 0.1 + 2.5758 * 0.05), abs=1e-4)
    assert found.verdict == "not enough data"
    assert against(score(0.8, 0.06), claim(sd=0.04)).verdict == "different"
    assert against(score(0.501, 0.001), claim(sd=0.001)).verdict == "equal"
    ages = claim(task="age", metric="mae", value=5, sd=0.01)
    assert against(score(5.02, 0.01, "mae", "age"), ages).verdict == "equal"


def test_a_published_number_without_spread_says_so():
    found = against(score(0.9, 0.01), claim())
    assert (found.value, found.interval, found.verdict) == (pytest.approx(0.4), None, "published without spread")


def test_a_published_table_is_no_number():
    table = claim(metric="confusion", value=None, labels=("0-9", "10-"), confusion=((1, 0), (0, 1)))
    assert against(score(0.9, 0.01), table) is None


@pytest.mark.parametrize(
    ("published", "ours", "same"),
    [
        ("Adience", "adience", True),
        ("IMDB-WIKI", "imdb_wiki", True),
        ("FG-NET", "utkface", False),
        ("UTKFace", None, False),
    ],
)
def test_data_sets_are_known_by_their_letters(published, ours, same):
    assert same_dataset(claim(dataset=published), ours) is same


def test_contenders_are_of_every_head_and_its_groups():
    samples = faces(90)
    groups = Head(task="age_group", output="g", decode="argmax", labels=AGE_GROUPS)
    said = case(samples, sexes(samples), (groups, Prediction(group=np.zeros(90, dtype=int))), years(samples, 1.0))
    assert [kind(c) for c in contenders("x", said)] == [
        ("gender", "accuracy", ()),
        ("age_group", "accuracy", AGE_GROUPS),
        ("age_group", "one_off", AGE_GROUPS),
        ("age", "mae", ()),
    ]
