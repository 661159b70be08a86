"""A card as a model card in the form that Hugging Face reads: YAML on top, then what a person asks first.

    python -m zoo.model_card

writes the pages of every network, and their index, under ``docs/models``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from zoo import golden, recipes
from zoo.card import Card, all_cards
from zoo.fields import Claim, Head, InputSpec, Measured

TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
PAGES = Path(__file__).parents[1] / "docs" / "models"
LICENCES = {"MIT": "mit", "CC0 1.0": "cc0-1.0"}
"""Hugging Face's names; what is not among them is ``other``, with a name of its own."""
TASKS = {"age": "age estimation", "age_group": "age group classification", "gender": "gender classification"}
METRICS = {
    "accuracy": "exact",
    "one_off": "one off",
    "mae": "mean absolute error",
    "rmse": "RMSE",
    "cs5": "within 5 years",
}
FEW = 15
"""So many labels are listed; of more, both ends are."""


def model_card(card: Card) -> str:
    """Return the page of a card, Markdown: the same for the same card, whatever is built here."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    environment.policies["json.dumps_function"] = _json
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        card=card,
        licence={"id": LICENCES.get(card.licence, "other"), "name": None if card.licence in LICENCES else card.licence},
        pipeline="image-classification" if card.heads else "object-detection",
        tags=["onnx", "face", *dict.fromkeys(TASKS[head.task] for head in card.heads)]
        + ["face detection"] * (not card.heads),
        datasets=list(dict.fromkeys(row.dataset for row in card.measured)),
        metrics=list(dict.fromkeys(row.metric for row in card.measured)),
        results=_results(card),
        description=_description(card),
        feeding=_feeding(card),
        outputs=_outputs(card),
        recipe=_recipe(card),
        numbers=_numbers(card),
        confusions=[_confusion(claim) for claim in card.published if claim.confusion is not None],
        parity=_parity(card),
        files=_files(card),
    )
    return page.rstrip("\n") + "\n"


def index() -> str:
    """Return the page that lists all networks."""
    rows = []
    for card in all_cards().values():
        best = "; ".join(f"{METRICS[row.metric]} {_value(row.metric, row.value)}" for row in _headline(card.measured))
        parameters = f"{card.parameters:,}" if card.parameters else ""
        tasks = ", ".join(dict.fromkeys(head.task for head in card.heads)) or card.purpose
        rows.append((f"[{card.name}]({card.name}.md)", card.title, tasks, parameters, best, card.licence))
    table = _table(("network", "title", "task", "parameters", "measured on UTKFace's test split", "licence"), rows)
    about = (
        "One page a network, made from its card by `python -m zoo.model_card`; `zoo show NAME --format md` prints it."
    )
    return f"# Networks\n\n{about}\n\n{table}\n"


def _json(value: Any, **options: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _headline(measured: Sequence[Measured]) -> Iterable[Measured]:
    return (row for row in measured if row.metric in ("mae", "accuracy"))


def _description(card: Card) -> str:
    if not card.heads:
        return "A face detector, for the pipelines that need faces before they can ask about them."
    told = " and ".join(dict.fromkeys(TASKS[head.task] for head in card.heads))
    made = {
        "caffe": "converted from Caffe",
        "keras": "converted from Keras",
        "lean": "a face-recognition backbone and a small dense network on it, merged into one graph",
        "onnx": "published as ONNX",
    }[card.format]
    return f"A network for {told} from one cropped face, {made}."


def _results(card: Card) -> list[dict[str, Any]]:
    return [
        {
            "task": {"type": "image-classification", "name": TASKS[row.task]},
            "dataset": {"type": row.dataset.lower(), "name": row.dataset, "split": row.split},
            "metrics": [{"type": row.metric, "value": row.value, "name": f"{METRICS[row.metric]}, output {row.head}"}],
        }
        for row in card.measured
    ]


def _feeding(card: Card) -> str:
    headers = ("network", "tensor", "share of the face", "width x height", "channels", "mean", "scale")
    rows = [
        (f"`{name}`", f"`{crop.name}`", f"{crop.share:g}", _size(spec), spec.channels, _mean(spec), f"{spec.scale:g}")
        for name, spec in card.networks().items()
        for crop in spec.tensors
    ]
    return _table(headers, rows)


def _size(spec: InputSpec) -> str:
    cut = "" if spec.size == spec.resize else f", cut from the centre of {spec.resize[0]} x {spec.resize[1]}"
    return f"{spec.size[0]} x {spec.size[1]}{cut}"


def _mean(spec: InputSpec) -> str:
    return spec.mean_image or ", ".join(f"{value:g}" for value in spec.mean or ()) or "none"


def _outputs(card: Card) -> str:
    if not card.heads:
        return "No ages and no genders: see the limits above for what a detector's outputs are."
    rows = [(f"`{head.output}`", head.task.replace("_", " "), head.decode, _labels(head)) for head in card.heads]
    return _table(("output", "tells", "read by", "labels in index order"), rows)


def _labels(head: Head) -> str:
    if not head.labels:
        return "one number, in years"
    if len(head.labels) > FEW:
        return f"{', '.join(head.labels[:3])}, .. {head.labels[-1]} ({len(head.labels)})"
    return ", ".join(head.labels)


def _recipe(card: Card) -> dict[str, str] | None:
    if card.name not in recipes.names():
        return None
    constants = {key: value for key, value in vars(recipes.find(card.name)).items() if key.isupper()}
    rows = [(key.lower().replace("_", " "), f"`{value!r}`") for key, value in constants.items()]
    path = f"zoo/recipes/{card.name.replace('-', '_')}.py"
    return {"path": path, "settings": _table(("setting", "value"), rows)}


def _numbers(card: Card) -> str:
    """Put what was published and what was measured for one task, metric and dataset side by side."""
    stated: list[Claim | Measured] = [*card.published, *card.measured]
    keys = dict.fromkeys((row.task, row.metric, row.dataset) for row in stated)
    rows: list[tuple[str, ...]] = []
    for key in keys:
        claims = [c for c in card.published if (c.task, c.metric, c.dataset) == key and c.value is not None]
        measured = [row for row in card.measured if (row.task, row.metric, row.dataset) == key]
        told = [key[0].replace("_", " "), METRICS.get(key[1], key[1]), key[2]]
        rows += [(*told, *_claimed(claim), *_found(row)) for claim, row in zip_longest(claims, measured)]
    headers = ("task", "metric", "dataset", "published", "split, source", "measured here", "split, output")
    return _table(headers, rows) if rows else ""


def _claimed(claim: Claim | None) -> tuple[str, str]:
    if claim is None or claim.value is None:
        return "", ""
    spread = f" ± {_value(claim.metric, claim.sd)}" if claim.sd is not None else ""
    about = "; ".join(part for part in (claim.split, claim.where, claim.note) if part)
    return f"{_value(claim.metric, claim.value)}{spread}", about


def _found(row: Measured | None) -> tuple[str, str]:
    if row is None:
        return "", ""
    low, high = (_value(row.metric, end) for end in row.ci95)
    return f"**{_value(row.metric, row.value)}** ({low} to {high})", f"{row.split}, {row.n:,} faces; `{row.head}`"


def _value(metric: str, value: float) -> str:
    return f"{value:.2f}" if metric in ("mae", "rmse") else f"{value:.3f}"


def _confusion(claim: Claim) -> str:
    assert claim.confusion is not None
    assert claim.labels is not None
    rows = [(label, *(f"{x:.3f}" for x in row)) for label, row in zip(claim.labels, claim.confusion, strict=True)]
    about = "; ".join(part for part in (claim.dataset, claim.split, claim.where, claim.note) if part)
    title = f"Published confusion ({about}), predicted classes in rows, true classes in columns:"
    return f"{title}\n\n{_table(('', *claim.labels), rows)}"


def _parity(card: Card) -> str:
    reference = golden.load(card.name)
    count = len(next(iter(reference.inputs.values())))
    return (
        f"`python -m zoo verify {card.name}` compares the built file on every runtime that is installed, at batch 1, 3 "
        f"and 8, with what {reference.source} answered to the same {count} inputs. An output passes within 1e-5, "
        "one that goes beyond 1 or stays below 0.01 within that share of its largest value."
    )


def _files(card: Card) -> str:
    listed = "; ".join(f"`{weights.file}` (sha256 `{weights.sha256[:16]}..`)" for weights in card.files)
    return f"Made of {listed}."


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main() -> None:
    """Write every page and the index."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, card in all_cards().items():
        (PAGES / f"{name}.md").write_text(model_card(card), encoding="utf-8")
    (PAGES / "README.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
