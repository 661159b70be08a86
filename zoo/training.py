"""Train one recipe: epochs that can be interrupted at any point, a log line for each, the best weights kept.

Everything random follows from the recipe's seed and the number of the epoch, so an interrupted training goes on as if
nothing had happened, but for the last bits of float sums.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import faces
from zoo.fields import InputSpec
from zoo.recipes import Augmentation, Recipe

Array = np.ndarray[Any, Any]
Log = list[dict[str, float]]

LAST_RATE = 0.02
"""What the cosine leaves of the learning rate."""


def train(
    recipe: Recipe, spec: InputSpec, data: str, folder: Path, start: Path | None, say: Callable[[str], None]
) -> Log:
    """Train ``recipe`` on the train split of ``data``, chosen by its validation split, in ``folder``; return the log.

    ``folder`` then holds ``best.keras`` (float32, without optimizer), ``log.csv`` and the state to go on from.
    """
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    known, unseen = (faces.load(data, split, spec) for split in ("train", "validation"))
    keras.utils.set_random_seed(recipe.SEED)
    keras.mixed_precision.set_global_policy(recipe.PRECISION)
    network = recipe.network()
    if start is not None:
        say(f"begins with {_begin_with(network, start)} layers of {start.name}")
    model = recipe.training(network)
    log = _resume(model, folder)
    validation = _Batches(recipe, spec, unseen, epoch=None)
    metric, mode = recipe.MONITOR
    sign = 1 if mode == "min" else -1
    for epoch in range(len(log), sum(length for length, _ in recipe.CYCLES)):
        best = min((sign * line[metric], line["epoch"]) for line in log) if log else (math.inf, epoch)
        if epoch - best[1] > recipe.PATIENCE:
            say(f"no better {metric} for {recipe.PATIENCE} epochs")
            break
        keras.utils.set_random_seed(recipe.SEED + epoch)
        model.optimizer.learning_rate.assign(_rate(recipe, epoch))
        fitted = model.fit(_Batches(recipe, spec, known, epoch), verbose=0)
        judged = model.evaluate(validation, verbose=0, return_dict=True)
        line = {"epoch": epoch, "rate": _rate(recipe, epoch)}
        line |= {name: float(values[-1]) for name, values in fitted.history.items()}
        line |= {f"val_{name}": float(value) for name, value in judged.items()}
        log.append(line)
        say(", ".join(f"{name} {value:.4g}" for name, value in line.items()))
        if sign * line[metric] < best[0]:
            _whole(folder / "best.weights.h5", network.save_weights)
        _keep(model, log, folder)
    keras.mixed_precision.set_global_policy("float32")
    exported = recipe.network()
    exported.load_weights(folder / "best.weights.h5")
    if recipe.STRAIGHTEN:
        slope, offset = _straighten(exported, spec, known)
        say(f"last layer times {slope:.4f}, plus {offset:.4f}")
    _whole(folder / "best.keras", exported.save)
    return log


def _Batches(recipe: Recipe, spec: InputSpec, found: faces.Faces, epoch: int | None) -> Any:  # noqa: N802 - a class, made where keras is
    """Feed ``found`` batch by batch: shuffled and moved at random in an epoch, as it is for validation (None)."""
    import keras

    answers, kept = recipe.targets(found.ages, found.genders)
    order = np.flatnonzero(kept)
    generator = np.random.default_rng(
        (recipe.SEED, -1 if epoch is None else epoch) if epoch is not None else recipe.SEED
    )
    if epoch is not None:
        order = generator.permutation(order)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return math.ceil(len(order) / recipe.BATCH)

        def __getitem__(self, index: int) -> tuple[Array, Mapping[str, Array] | Array]:
            chosen = order[index * recipe.BATCH : (index + 1) * recipe.BATCH]
            images = found.images[chosen]
            if epoch is not None:
                seed = np.random.default_rng((recipe.SEED, epoch, index))
                images = np.stack([moved(image, recipe.AUGMENTATION, seed) for image in images])
            batch = {name: values[chosen] for name, values in answers.items()}
            tensors = faces.tensors(images, spec)[spec.name].transpose(0, 2, 3, 1)
            return tensors, batch if len(batch) > 1 else next(iter(batch.values()))

    return Batches()


def moved(image: Array, by: Augmentation, generator: np.random.Generator) -> Array:
    """Return ``image`` (height, width, 3), 8 bits, mirrored, turned, scaled, shifted and lit at random."""
    import cv2

    height, width = image.shape[:2]
    turn, scale, right, down, contrast, light = generator.uniform(-1, 1, 6)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn * by.turn, 1 + scale * by.scale)
    matrix[:, 2] += right * by.shift * width, down * by.shift * height
    if generator.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.convertScaleAbs(turned, alpha=1 + contrast * by.light, beta=light * by.light * 128)


def _rate(recipe: Recipe, epoch: int) -> float:
    """Let the rate fall by half a cosine, once a cycle: Loshchilov and Hutter, "SGDR", ICLR 2017."""
    for length, highest in recipe.CYCLES:
        if epoch < length:
            fall = (1 + math.cos(math.pi * epoch / length)) / 2
            return highest * (LAST_RATE + (1 - LAST_RATE) * fall)
        epoch -= length
    raise ValueError("no cycle has this epoch")


def _straighten(network: Any, spec: InputSpec, known: faces.Faces) -> tuple[float, float]:
    """Fit slope and offset of the last layer, one number in years, to a quarter of the training faces as they are.

    Dropout leaves sums as they are on average but not what a ReLU makes of them, so a regression that was trained with
    it answers on another scale without it.
    """
    from scipy.optimize import minimize

    tensors = faces.tensors(known.images[::4], spec)[spec.name].transpose(0, 2, 3, 1)
    answers, truth = network.predict(tensors, verbose=0)[:, 0].astype(np.float64), known.ages[::4]

    def error(fit: Array) -> float:
        return float(np.abs(fit[0] * answers + fit[1] - truth).mean())

    slope, offset = map(float, minimize(error, np.array([1.0, 0.0]), method="Nelder-Mead").x)
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel * slope, bias * slope + offset])
    return slope, offset


def _begin_with(network: Any, start: Path) -> int:
    """Take over the layers of another trained network that share name and shapes; return how many."""
    import keras

    others = {layer.name: layer.get_weights() for layer in keras.saving.load_model(start, compile=False).layers}
    taken = 0
    for layer in network.layers:
        weights = others.get(layer.name, [])
        if weights and [w.shape for w in weights] == [tuple(w.shape) for w in layer.weights]:
            layer.set_weights(weights)
            taken += 1
    return taken


def _resume(model: Any, folder: Path) -> Log:
    """Go back to the last whole epoch, if there is one."""
    try:
        log: Log = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    model.optimizer.build(model.trainable_variables)
    with np.load(folder / f"state-{len(log)}.npz") as state:
        for index, variable in enumerate([*model.variables, *model.optimizer.variables]):
            variable.assign(state[str(index)])
    return log


def _keep(model: Any, log: Log, folder: Path) -> None:
    """Write the state of this epoch, then say that it counts, then forget the one before."""
    variables = [*model.variables, *model.optimizer.variables]
    arrays: dict[str, Any] = {str(index): np.asarray(variable) for index, variable in enumerate(variables)}
    _whole(folder / f"state-{len(log)}.npz", lambda path: np.savez(path, **arrays))
    _whole(folder / "state.json", lambda path: path.write_text(json.dumps(log), encoding="utf-8"))
    (folder / f"state-{len(log) - 1}.npz").unlink(missing_ok=True)
    with (folder / "log.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(log[0]))
        writer.writeheader()
        writer.writerows(log)


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file beside ``path`` and move it there, so that it is there whole or not at all."""
    part = path.with_name(f"part-{path.name}")
    write(part)
    part.replace(path)
