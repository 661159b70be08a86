"""``python -m zoo train``: a network without public weights, trained by its recipe on the train split of a dataset.

The test split is never read. What was trained and stopped goes on where it was, in the same folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from converters.errors import DONE, NOT_USABLE, BadInput, one_line

if TYPE_CHECKING:
    from zoo.card import Card
    from zoo.recipes import Recipe

ABOUT = "Train a network by its recipe. Needs the extra keras."
NEEDED = ("keras", "tensorflow")


class NotInstalled(BadInput):
    """What a training needs is not installed."""

    exit_code = NOT_USABLE


def add_command(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser("train", help="train a network by its recipe", description=ABOUT)
    parser.set_defaults(run=train)
    parser.add_argument("name", metavar="NET", help="a network that has a recipe")
    parser.add_argument(
        "--data", required=True, metavar="NAME[=PATH]", help="a dataset with a train and a validation split: utkface"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="its folder (default: $ZOO_HOME/training/NET)")
    parser.add_argument("--epochs", type=int, metavar="N", help="train for so many (default: the recipe's)")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="look here first for a backbone's files")


def train(arguments: argparse.Namespace) -> int:
    """Train, then write ``best.keras``, ``NET.keras`` in half precision, ``log.csv`` and ``curve.png``; print them."""
    from zoo import recipes, store
    from zoo.card import find_card

    recipe = _shortened(recipes.find(arguments.name), arguments.epochs)
    card = find_card(arguments.name)
    _demand_keras()
    folder: Path = arguments.out or store.home() / "training" / arguments.name
    start = None if recipe.START is None else _trained(recipe.START, folder)
    backbone = _backbone(card, recipe, arguments.mirror)
    from zoo import training
    from zoo.curve import curve
    from zoo.half import halve

    log = training.train(recipe, card.input[0], arguments.data, folder, start, _say, backbone)
    kept = folder / f"{card.name}.keras"
    halve(folder / "best.keras", kept)
    (folder / "curve.png").write_bytes(curve(log, *recipe.MONITOR, title=card.name))
    for name in ("best.keras", kept.name, "log.csv", "curve.png"):
        print(f"{folder / name}  {(folder / name).stat().st_size} bytes")
    return DONE


def _shortened(recipe: Recipe, epochs: int | None) -> Recipe:
    """Return the recipe with so many epochs in one cycle, within which its learning rate falls."""
    if epochs is None:
        return recipe
    if epochs < 1:
        raise BadInput(f"--epochs {epochs}: a training has one at least")
    return cast("Recipe", SimpleNamespace(**{**vars(recipe), "CYCLES": ((epochs, recipe.CYCLES[0][1]),)}))


def _demand_keras() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NotInstalled(f"a training needs {' and '.join(missing)}; install the extra keras")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what it could use and does not is no news
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _trained(name: str, folder: Path) -> Path:
    """Return the weights that a recipe begins with: trained beside it, or those of this package."""
    from zoo.store import BUNDLED

    places = (folder.parent / name / "best.keras", BUNDLED / f"{name}.keras")
    for place in places:
        if place.is_file():
            return place
    raise BadInput(f"{folder.name} begins with the weights of {name}: train that first, into {places[0].parent}")


def _backbone(card: Card, recipe: Recipe, mirror: Path | None) -> Path | None:
    """Bring the backbone whose features a network is trained on; None for one that is trained on faces."""
    from zoo import store

    (weights,) = [file for file in card.files if file.role == "backbone"] or (None,)
    if weights is None:
        return None
    if card.convert.get("tap") != getattr(recipe, "TAP", None):
        raise BadInput(f"card {card.name}: its tap is {card.convert.get('tap')}, that of its recipe another")
    return store.fetch_files([weights], store.mirror_folder(mirror))[weights.file]


def _say(text: str) -> None:
    print(one_line(text), file=sys.stderr, flush=True)
