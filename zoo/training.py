"""Train one recipe: epochs that can be interrupted at any point, a log line for each, the best weights kept.

Everything random follows from the recipe's seed and the number of the epoch, so an interrupted training goes on as if
nothing had happened, but for the last bits of float sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import BadInput
from zoo import checkpoint, examples, progress
from zoo.checkpoint import Log
from zoo.examples import Examples
from zoo.fields import InputSpec
from zoo.recipes import Recipe

Array = np.ndarray[Any, Any]

LAST_RATE = 0.02
"""What the cosine leaves of the learning rate."""


def train(
    recipe: Recipe,
    spec: InputSpec,
    data: str,
    folder: Path,
    start: Path | None,
    say: Callable[[str], None],
    backbone: Path | None = None,
) -> Log:
    """Train ``recipe`` on the train split of ``data``, chosen by its validation split, in ``folder``; return the log.

    ``start`` are the weights to begin with, ``backbone`` makes the features that a network of features is trained on.
    ``folder`` then holds ``best.keras`` (float32, without optimizer), ``log.csv`` and the state to go on from. Raises
    BadInput for a folder with another training in it.
    """
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    known, unseen = (examples.load(recipe, spec, data, split, folder, backbone) for split in ("train", "validation"))
    checkpoint.claim(folder, _identity(recipe, spec, known, unseen))
    keras.utils.set_random_seed(recipe.SEED)
    keras.mixed_precision.set_global_policy(recipe.PRECISION)
    network = recipe.network()
    if start is not None:
        say(f"begins with {_begin_with(network, start)} layers of {start.name}")
    model = recipe.training(network)
    log = checkpoint.read_log(folder)
    if log:
        _same_rates(recipe, log, folder)
        checkpoint.restore(model, log, folder)
    for epoch in range(len(log), epochs(recipe)):
        if log and epoch - _best(recipe, log)["epoch"] > recipe.PATIENCE:
            say(f"no better {recipe.MONITOR[0]} for {recipe.PATIENCE} epochs")
            break
        log.append(_epoch(recipe, model, epoch, known, unseen))
        say(", ".join(f"{name} {value:.4g}" for name, value in log[-1].items()))
        if _best(recipe, log) is log[-1]:
            checkpoint.whole(folder / "best.weights.h5", network.save_weights)
        checkpoint.keep(model, log, folder)
    keras.mixed_precision.set_global_policy("float32")
    exported = recipe.network()
    exported.load_weights(folder / "best.weights.h5")
    if recipe.STRAIGHTEN:
        slope, offset = _straighten(exported, known)
        say(f"last layer times {slope:.4f}, plus {offset:.4f}")
    checkpoint.whole(folder / "best.keras", exported.save)
    return log


def _identity(recipe: Recipe, spec: InputSpec, known: Examples, unseen: Examples) -> dict[str, str]:
    """Return what a training is made of, but for its cycles: those may be added to."""
    constants = {key: repr(value) for key, value in vars(recipe).items() if key.isupper() and key != "CYCLES"}
    splits = {"train split": known.fingerprint, "validation split": unseen.fingerprint}
    return constants | splits | {"input": spec.model_dump_json(exclude_defaults=True)}


def epochs(recipe: Recipe) -> int:
    """Return how many epochs a recipe has at most."""
    return sum(length for length, _ in recipe.CYCLES)


def _epoch(recipe: Recipe, model: Any, epoch: int, known: Examples, unseen: Examples) -> dict[str, float]:
    """Train for one epoch, judge, and return the line of the log."""
    import keras

    keras.utils.set_random_seed(recipe.SEED + epoch)
    model.optimizer.learning_rate.assign(rate(recipe, epoch))
    batches = _batches(recipe, known, epoch)
    with progress.task(f"epoch {epoch + 1} of {epochs(recipe)}", len(batches)) as advance:
        told = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: advance(batch + 1))
        fitted = model.fit(batches, verbose=0, callbacks=[told])
    judged = model.evaluate(_batches(recipe, unseen, None), verbose=0, return_dict=True)
    line = {"epoch": epoch, "rate": rate(recipe, epoch)}
    line |= {name: float(values[-1]) for name, values in fitted.history.items()}
    return line | {f"val_{name}": float(value) for name, value in judged.items()}


def _batches(recipe: Recipe, found: Examples, epoch: int | None) -> Any:
    """Feed examples batch by batch: shuffled and moved at random in an epoch, as they are for validation (None)."""
    import keras

    order = found.chosen
    if epoch is not None:
        order = np.random.default_rng((recipe.SEED, epoch)).permutation(order)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc] # a class, made where keras is
        def __len__(self) -> int:
            return math.ceil(len(order) / recipe.BATCH)

        def __getitem__(self, index: int) -> tuple[Array, Mapping[str, Array] | Array]:
            places = order[index * recipe.BATCH : (index + 1) * recipe.BATCH]
            generator = None if epoch is None else np.random.default_rng((recipe.SEED, epoch, index))
            answers = {name: values[places] for name, values in found.answers.items()}
            return found.inputs(places, generator), answers if len(answers) > 1 else next(iter(answers.values()))

    return Batches()


def _best(recipe: Recipe, log: Log) -> dict[str, float]:
    """Return the line that is best by the recipe's number, the first of equals."""
    metric, mode = recipe.MONITOR
    return (min if mode == "min" else max)(log, key=lambda line: line[metric])


def rate(recipe: Recipe, epoch: int) -> float:
    """Return an epoch's learning rate: half a cosine a cycle, after Loshchilov and Hutter, "SGDR", ICLR 2017."""
    first = 0
    for length, highest in recipe.CYCLES:
        if epoch < first + length:
            fall = (1 + math.cos(math.pi * (epoch - first) / length)) / 2
            return highest * (LAST_RATE + (1 - LAST_RATE) * fall)
        first += length
    raise ValueError(f"epoch {epoch} of {first}")


def _same_rates(recipe: Recipe, log: Log, folder: Path) -> None:
    """Raise BadInput when the epochs of a log were not trained as the recipe's first ones are."""
    if len(log) > epochs(recipe) or any(line["rate"] != rate(recipe, epoch) for epoch, line in enumerate(log)):
        raise BadInput(f"{folder}: a training in other cycles is there; give the same --epochs, or another --out")


def _straighten(network: Any, known: Examples) -> tuple[float, float]:
    """Fit slope and offset of the last layer, one number in years, to a quarter of the training faces as they are.

    Dropout leaves sums as they are on average but not what a ReLU makes of them, so a regression that was trained with
    it answers on another scale without it.
    """
    from scipy.optimize import minimize

    places = known.chosen[::4]
    (truth,) = (values[places, 0] for values in known.answers.values())
    answers = network.predict(known.inputs(places, None), verbose=0)[:, 0].astype(np.float64)

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
