"""That a network is fed as its ONNX file says, and that every card says what our own code does."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench import contract
from bench.contract import OtherInput, check, fingerprint, known_picture
from zoo.card import all_cards
from zoo.fields import InputSpec

SPECS = [(name, spec) for card in all_cards().values() for name, spec in card.networks().items()]


def spec(**changes):
    values = {"name": "data", "size": (11, 7), "resize": (11, 7), "channels": "BGR"} | changes
    return InputSpec(**values)


def model_of(folder, *specs):
    tensor = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, 7, 11])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 3, 7, 11])
    graph = helper.make_graph([helper.make_node("Relu", ["data"], ["out"])], "net", [tensor], [out])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if specs:
        told = json.dumps([one.model_dump(mode="json", exclude_none=True) for one in specs])
        helper.set_model_props(made, {"input": told})
    path = folder / "net.onnx"
    onnx.save(made, path)
    return path


def test_the_known_picture_is_the_same_everywhere_and_has_edges_in_every_channel():
    picture = known_picture()
    assert (picture.shape, picture.dtype) == ((97, 131, 3), np.uint8)
    by_hand = [(0, 0, 0), (5, 7, 1), (96, 130, 2)]
    for row, column, channel in by_hand:
        waves = (row * row + 3 * column * (channel + 1) + 7 * row * column) // 11
        blocks = ((row // 13 + column // 17) % 2) * (60 + 20 * channel)
        assert picture[row, column, channel] == (waves + blocks) % 256
    assert all(len(np.unique(picture[..., channel])) == 256 for channel in range(3))


@pytest.mark.parametrize(("name", "given"), SPECS, ids=[name for name, _ in SPECS])
def test_every_card_has_the_sha256_of_its_input(name, given):
    made = fingerprint(given, None if given.mean_image is None else mean_image())
    assert given.sha256 == made, f"the sha256 of the input of {name} is {made}"


def mean_image():
    from converters.caffe.weights import read_mean
    from zoo.card import find_card
    from zoo.download import Unreachable
    from zoo.store import fetch_weights

    try:
        return read_mean(fetch_weights(find_card("levi-hassner-age"), variant="mean-image")["mean.binaryproto"])
    except Unreachable as error:
        pytest.skip(str(error))


def test_what_a_model_says_of_itself_is_what_it_is_fed(tmp_path):
    rgb = spec(variant="rgb", channels="RGB")
    given = spec(mean=(1, 2, 3))
    given = given.model_copy(update={"sha256": fingerprint(given)})
    model = model_of(tmp_path, given, rgb)
    check(model, "net", given)
    check(model, "net@rgb", rgb)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channels": "RGB"}, "channels is RGB, and net.onnx was made for channels = BGR"),
        ({"scale": 0.5}, "scale is 0.5, and net.onnx was made for scale = 1.0"),
        ({"share": 1.4}, "share is 1.4"),
        ({"mean": (1, 2, 4)}, r"mean is \(1.0, 2.0, 4.0\)"),
        ({"kernel": "area"}, "kernel is area"),
        ({"resize": (13, 9)}, "resize is"),
    ],
)
def test_another_preprocessing_is_refused_and_named(tmp_path, changes, field):
    model = model_of(tmp_path, spec(mean=(1, 2, 3)))
    with pytest.raises(OtherInput, match=f"net: {field}"):
        check(model, "net", spec(**{"mean": (1, 2, 3), **changes}))


def test_code_that_makes_other_tensors_of_the_same_spec_is_refused(tmp_path, monkeypatch):
    given = spec(resize=(13, 9))
    given = given.model_copy(update={"sha256": fingerprint(given)})
    model = model_of(tmp_path, given)
    check(model, "net", given)
    monkeypatch.setattr(contract, "known_picture", lambda: known_picture()[::-1])
    with pytest.raises(OtherInput, match=r"becomes other tensors .*, or OpenCV [0-9.]+ resizes otherwise"):
        check(model, "net", given)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"channels": "RGB"}, "channels is RGB, and the card's sha256 [0-9a-f]{16} stands for BGR; its scores"),
        ({"channels": "RGB", "share": 1.4}, "share is 1.4, and .* stands for 1.0 and channels is RGB, and .* for BGR;"),
        ({"resizer": "pillow"}, "resizer is pillow, and .* stands for opencv"),
        (
            {"resizer": "pillow", "kernel": "cubic", "scale": 3},
            "the known picture becomes other tensors .*: a field of the card was changed",
        ),
    ],
)
def test_a_card_that_was_changed_is_refused_and_the_field_named(tmp_path, changes, told):
    """The model was built anew from the changed card, so that only the sha256 remembers."""
    right = spec(resize=(13, 9))
    changed = right.model_copy(update={**changes, "sha256": fingerprint(right)})
    with pytest.raises(OtherInput, match=told):
        check(model_of(tmp_path, changed), "net", changed)


def test_a_model_that_says_nothing_is_refused(tmp_path):
    with pytest.raises(OtherInput, match="does not say how it is fed"):
        check(model_of(tmp_path), "net", spec())
    with pytest.raises(OtherInput, match="no input variant 'rgb'"):
        check(model_of(tmp_path, spec()), "net@rgb", spec(variant="rgb"))


def test_the_fingerprint_depends_on_every_tensor_and_its_name(monkeypatch):
    crops = ({"name": "near", "share": 0.5},)
    found = {fingerprint(one) for one in (spec(), spec(name="x"), spec(crops=crops), spec(scale=2))}
    assert len(found) == 4
    tensor = known_picture()[:7, :11]
    whole = hashlib.sha256()
    whole.update(b"data (1, 3, 7, 11)")
    whole.update(np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], dtype="<f4").tobytes())
    monkeypatch.setattr(contract, "known_picture", lambda: tensor)
    assert fingerprint(spec()) == whole.hexdigest()
