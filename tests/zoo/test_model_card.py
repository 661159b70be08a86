"""The model cards: the committed pages are what the command prints, and each says what its card says."""

from __future__ import annotations

import csv
import json
import re

import pytest
from numpy.testing import assert_allclose

from zoo import recipes, training
from zoo.__main__ import main
from zoo.card import all_cards
from zoo.fields import Measured
from zoo.model_card import PAGES, index, model_card

CARDS = all_cards()
SECTIONS = [
    "Model description",
    "Intended use and limits",
    "How to feed it",
    "Outputs",
    "Training data and procedure",
    "Published and measured numbers",
    "Parity",
    "Licence",
    "Citation",
]
MEASURED = Measured(
    task="age",
    metric="mae",
    dataset="UTKFace",
    split="test",
    split_sha256="0" * 64,
    n=1234,
    value=7.654,
    ci95=(7.5, 7.8),
    head="dense_2",
    backend="onnxruntime",
)


@pytest.mark.parametrize("name", sorted(CARDS))
def test_the_committed_page_is_what_the_command_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", name, "--format", "md"]) == 0
    wrong = "run `python -m zoo.model_card`"
    assert capsys.readouterr().out == (PAGES / f"{name}.md").read_text(encoding="utf-8"), wrong


def test_the_index_lists_every_network() -> None:
    assert index() == (PAGES / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in PAGES.glob("*.md")} == {*CARDS, "README"}


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_page_has_every_section_and_everything_that_feeding_needs(name: str) -> None:
    card, page = CARDS[name], model_card(CARDS[name])
    assert re.findall(r"^## (.*)", page, re.MULTILINE) == SECTIONS
    assert card.use in page
    for weights in card.files:
        assert weights.file in page
        assert weights.sha256[:16] in page
    for network, spec in card.networks().items():
        assert f"`{network}`" in page
        assert all(f"`{crop.name}` | {crop.share:g} |" in page for crop in spec.tensors)
    for claim in card.published:
        assert claim.where in page
        assert (f"{claim.value:.3f}" if claim.value is not None and claim.metric != "mae" else "") in page


def head_of(page: str) -> dict[str, object]:
    """Read the YAML on top as far as this project writes it: a value of JSON behind each key."""
    _, top, _ = page.split("---\n", 2)
    found = {}
    for line in top.splitlines():
        key, _, value = line.partition(": ")
        if value and not line.startswith((" ", "-")):
            found[key] = json.loads(value) if value[:1] in '["' else value
    return found


@pytest.mark.parametrize("name", sorted(CARDS))
def test_the_top_says_licence_and_task(name: str) -> None:
    head = head_of(model_card(CARDS[name]))
    assert head["license"] in {"mit", "cc0-1.0", "other"}
    assert (head["license"] == "other") == ("license_name" in head)
    assert head["library_name"] == "onnx"
    assert head["pipeline_tag"] == ("image-classification" if CARDS[name].heads else "object-detection")


def test_a_measured_number_stands_beside_the_published_one_and_on_top() -> None:
    card = CARDS["wide-resnet-16-8"].model_copy(update={"measured": (MEASURED,)})
    page = model_card(card)
    assert "| **7.65** (7.50 to 7.80) | test, 1,234 faces; `dense_2` |" in page
    assert '{"type": "mae", "value": 7.654,' in page
    head = head_of(page)
    assert (head["datasets"], head["metrics"]) == (["UTKFace"], ["mae"])
    (claim, *_) = card.published
    same = card.model_copy(update={"measured": (MEASURED.model_copy(update={"dataset": claim.dataset}),)})
    assert re.search(rf"\| {claim.value:.2f} \|.*\| \*\*7\.65\*\*", model_card(same)), "of one dataset: in one row"


@pytest.mark.parametrize("name", recipes.names())
def test_a_network_trained_here_shows_its_recipe_its_log_and_its_curve(name: str) -> None:
    page = model_card(CARDS[name])
    assert f"zoo/recipes/{name.replace('-', '_')}.py" in page
    assert f"| seed | `{recipes.find(name).SEED}` |" in page
    for file in (f"{name}.png", f"{name}.csv"):
        assert f"({file})" in page
        assert (PAGES / file).is_file()
    assert CARDS[name].measured


MIXED_CYCLES = {"thesis-age": "its first four epochs had the rates of a cycle of twelve, as its card says"}


@pytest.mark.parametrize("name", recipes.names())
def test_the_committed_log_has_the_rates_of_the_recipe(name: str, request: pytest.FixtureRequest) -> None:
    if why := MIXED_CYCLES.get(name):
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    with (PAGES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rates = [float(row["rate"]) for row in csv.DictReader(file)]
    assert_allclose(rates, [training.rate(recipes.find(name), epoch) for epoch in range(len(rates))], rtol=1e-5)


def test_zoo_show_keeps_its_other_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "dlib-gender"]) == 0
    text = capsys.readouterr().out
    assert not text.startswith("---")
    assert main(["show", "dlib-gender", "--json"]) == 0
    given = capsys.readouterr().out
    assert main(["show", "dlib-gender", "--format", "json"]) == 0
    assert capsys.readouterr().out == given
    assert json.loads(given)["name"] == "dlib-gender"
