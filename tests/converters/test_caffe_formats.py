"""One network in files of every age, and its weights in every form that Caffe reads: Caffe's numbers for every pair."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_numbers import real
from google.protobuf import descriptor_pool, text_format
from numpy.testing import assert_allclose, assert_array_equal

from converters.caffe.layers.pooling import PARAMETER as POOLING
from converters.caffe.messages import EXTRA, TABLES, Parameter, build_messages
from converters.caffe.net import Net, read_net
from converters.caffe.reference import run
from converters.caffe.schema import Found, layer_type, messages
from converters.caffe.v0 import upgrade
from converters.caffe.weights import read_weights
from converters.errors import BadInput, Unsupported

FOLDER = Path(__file__).parents[1] / "golden" / "formats"
AGES = ("v0", "v1", "v2")
BLOBS = ("conv1", "pool1", "norm1", "conv2", "pool2", "both", "fc6", "fc7", "prob")


@cache
def golden() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "formats.npz") as file:
        return dict(file)


NETWORKS = [f"{kind} {age}" for age in AGES for kind in ("text", "binary")]
CAFFEMODELS = sorted(key.removeprefix("caffemodel ") for key in golden() if key.startswith("caffemodel "))


def network(kind: str) -> bytes:
    form, age = kind.split()
    return (FOLDER / f"{age}.prototxt").read_bytes() if form == "text" else golden()[f"network {age}"].tobytes()


def read(folder: Path, net: bytes | str, weights: bytes | None = None) -> Net:
    prototxt, caffemodel = folder / "tiny.prototxt", folder / "tiny.caffemodel"
    prototxt.write_bytes(net.encode() if isinstance(net, str) else net)
    if weights is None:
        return read_net(prototxt)
    caffemodel.write_bytes(weights)
    return read_net(prototxt, caffemodel)


@pytest.mark.parametrize("weights", CAFFEMODELS)
@pytest.mark.parametrize("net", NETWORKS)
def test_every_pair_gives_the_numbers_of_caffe(tmp_path, net, weights):
    found = read(tmp_path, network(net), golden()[f"caffemodel {weights}"].tobytes())
    blobs = run(found, {"data": real(golden()["data"])})
    assert found.outputs == ("prob",)
    for name in BLOBS:
        assert_allclose(blobs[name], golden()[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weights", CAFFEMODELS)
def test_weights_are_those_that_caffe_was_given(tmp_path, weights):
    found = read_weights(tmp_path, golden()[f"caffemodel {weights}"].tobytes())
    assert found.keys() - {"other"} == {"conv1", "conv2", "fc6", "fc7"}
    for key in golden():
        if key.startswith("weights "):
            _, layer, index = key.split()
            blob, expected = found[layer][int(index)], real(golden()[key], fan_in=True)
            assert blob.dtype == np.float32
            assert_array_equal(blob.reshape(expected.shape), expected)


@pytest.mark.parametrize("age", AGES)
def test_weights_in_the_network_file(tmp_path, age):
    """Layer by layer, the blobs of the caffemodel go into the network."""
    net = messages()["NetParameter"].FromString(golden()[f"network {age}"].tobytes())
    model = messages()["NetParameter"].FromString(golden()[f"caffemodel {age}"].tobytes())
    given = {inner(layer).name: inner(layer).blobs for layer in (*model.layers, *model.layer)}
    for layer in (*net.layers, *net.layer):
        inner(layer).blobs.extend(given.get(inner(layer).name, ()))
    for data in (net.SerializeToString(), text_format.MessageToString(net)):
        blobs = run(read(tmp_path, data), {"data": real(golden()["data"])})
        assert_allclose(blobs["prob"], golden()["prob"], rtol=1e-5, atol=1e-6)


def inner(layer: Any) -> Any:
    """Return the message with name and blobs: in V0 one further inside."""
    return layer.layer if "layer" in layer.DESCRIPTOR.fields_by_name and layer.HasField("layer") else layer


def test_weights_are_views_of_the_file(tmp_path):
    data = golden()["caffemodel v2"].tobytes()
    for blobs in read_weights(tmp_path, data).values():
        for blob in blobs:
            assert np.shares_memory(blob, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("age", AGES)
def test_a_parameter_block_that_clashes_does_not_hide_the_weights(tmp_path, age):
    """A fork's block under a number of ours: here number 106 (convolution) holds a string that is no message."""
    net = messages()["NetParameter"].FromString(golden()[f"caffemodel {age}"].tobytes())
    layers = net.layer if age == "v2" else net.layers
    record = {"v2": b"\xd2\x06\x03\xff\xff\xff", "v1": b"\x52\x03\xff\xff\xff", "v0": b"\x52\x03\xff\xff\xff"}[age]
    tag = b"\xa2\x06" if age == "v2" else b"\x12"
    data = b""
    for layer in layers:
        content = layer.SerializeToString() + record
        data += tag + bytes([len(content) & 127 | 128, len(content) >> 7]) + content
    expected = read_weights(tmp_path, golden()[f"caffemodel {age}"].tobytes())
    for name, blobs in read_weights(tmp_path, data).items():
        for blob, other in zip(blobs, expected[name], strict=True):
            assert_array_equal(blob, other)


def test_hdf5_says_how_to_get_a_binary_file(tmp_path):
    line = (
        r"net\.caffemodel\.h5: .*caffe\.Net\('deploy\.prototxt', 'net\.caffemodel\.h5', caffe\.TEST\)\.save\('net\.caff"
    )
    with pytest.raises(Unsupported, match=line):
        read_weights(tmp_path / "net.caffemodel.h5", b"\x89HDF\r\n\x1a\n")


V0 = network("text v0").decode()
HEAD = 'input: "data" input_dim: 2 input_dim: 3 input_dim: 11 input_dim: 9\n'
PAD = 'layers { layer { name: "p" type: "padding" pad: 1 } bottom: "data" top: "p" }\n'


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (
            V0.replace('"relu"', '"relu" kernelsize: 3'),
            BadInput,
            r"tiny\.prototxt:14: layer 'relu1' \(relu\): kernelsize,",
        ),
        (V0.replace('"tanh"', '"tanh" num_output: 3'), BadInput, r"layer 'tanh6' \(tanh\): num_output,"),
        (V0.replace('"concat"', '"concat" k: 2'), BadInput, r"layer 'both' \(concat\): k,"),
        (V0.replace('"lrn"', '"lrn" new_num: 2'), BadInput, r"layer 'norm1' \(lrn\): new_num,"),
        (V0.replace('"lrn"', '"lnr"'), Unsupported, r"layer 'norm1' \(lnr\): no such layer type .* innerproduct, lrn,"),
        (
            V0.replace('"lrn"', '"lrn" alhpa: 1'),
            Unsupported,
            r"tiny\.prototxt:17:44: layer 'norm1' \(lrn\): unknown field",
        ),
        (V0.replace(' top: "norm1"', ' top: "norm1" include { phase: TEST }'), BadInput, "'norm1' .*: include, which"),
        (
            V0.replace('top: "fc7" }', 'top: "fc7" }\nlayers { bottom: "fc7" top: "x" }'),
            Unsupported,
            r"layer '' \(\): no",
        ),
        (V0.replace("input_dim: 2", "input_shape { } input_dim: 2"), BadInput, "tiny.prototxt: has input_shape, which"),
        (V0.replace('"tanh"', '"image"'), Unsupported, "no such layer type"),
        (
            HEAD + PAD + 'layers { layer { name: "r" type: "relu" } bottom: "p" top: "r" }',
            BadInput,
            "layer 'r': reads the padding layer 'p'",
        ),
        (
            HEAD + PAD + PAD.replace('"data"', '"p"').replace('top: "p"', 'top: "q"'),
            BadInput,
            "layer 'p': reads the padding layer 'p'",
        ),
        (
            HEAD + PAD.replace("top:", 'top: "x" top:') + 'layers { layer { name: "c" type: "conv" } bottom: "p" }',
            BadInput,
            "layer 'c': it and the padding layer 'p' need one bottom each, and one top",
        ),
    ],
)
def test_what_caffe_leaves_out_of_a_v0_file_is_an_error(tmp_path, text, kind, said):
    with pytest.raises(BadInput, match=said) as caught:
        read(tmp_path, text)
    assert type(caught.value) is kind


def test_v0_layers_become_what_caffe_makes_of_them():
    """``upgraded`` is Caffe's own text of every V0 layer type with all its fields."""
    path = FOLDER / "v0_layers.prototxt"
    net = text_format.Parse(path.read_text(), messages()["NetParameter"]())
    found = upgrade(path, net, [Found(message, "", lambda where: None) for message in net.layers])
    judge = text_format.Parse(str(golden()["upgraded"]), messages()["NetParameter"]()).layer
    assert [layer.message.name for layer in found] == [layer.name for layer in judge if layer.type != "Input"]
    for layer, other in zip(found, judge[1:], strict=True):
        message = layer.message
        assert layer_type(message) == other.type
        assert (list(message.bottom), list(message.top)) == (list(other.bottom), list(other.top))
        assert blocks(message) == blocks(other)


def blocks(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields() if field.name.endswith("_param")}


def test_fields_are_those_of_caffe():
    """Number, kind, repeated or not, and default of every field that Caffe has too; forks have more."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(golden()["fields"].tobytes())
    judge = {name: pool.FindMessageTypeByName(f"caffe.{name}") for name in TABLES if name in CAFFE_HAS}
    for name in ("LayerParameter", "V1LayerParameter"):
        for block in judge[name].fields:
            if block.name.endswith("_param") and block.name in messages()[name].DESCRIPTOR.fields_by_name:
                own = messages()[name].DESCRIPTOR.fields_by_name[block.name].message_type.name
                judge.setdefault(own, block.message_type)
    for name, message in judge.items():
        own_fields = messages()[name].DESCRIPTOR.fields_by_name
        for field in message.fields:
            if field.name in own_fields:
                parts = slice(3 if name == "V0LayerParameter" else 4)  # what is not set in V0 is not set in V1 either
                assert described(own_fields[field.name])[parts] == described(field)[parts], f"{name}.{field.name}"
            else:
                assert (name, field.name) in LEFT_OUT, f"{name}.{field.name} is missing"


CAFFE_HAS = {"NetParameter", "NetState", "NetStateRule", "LayerParameter", "V1LayerParameter", "V0LayerParameter"}
CAFFE_HAS |= {"ParamSpec", "FillerParameter", "BlobShape", "BlobProto"}
LEFT_OUT = {
    ("V0LayerParameter", "axis"),
    ("V1LayerParameter", "reverse_param"),
    ("LayerParameter", "ctc_loss_param"),
    ("LayerParameter", "continuation_indicator_param"),
    ("LayerParameter", "labelsequence_accuracy_param"),
    ("LayerParameter", "reverse_param"),
}
"""The fork's own, which the judge was built from."""


def described(field: Any) -> tuple[Any, ...]:
    default = field.default_value if field.message_type is None and not field.is_repeated else None
    return field.number, field.type, field.is_repeated, default


def test_families_may_share_a_block():
    built = build_messages([POOLING, Parameter(**vars(POOLING)), *EXTRA])
    assert [f.number for f in built["LayerParameter"].DESCRIPTOR.fields if f.name == "pooling_param"] == [121]


def test_blocks_without_a_number_get_one_that_no_file_has():
    free = [Parameter(f"{name}_param", None, None, "1 float x") for name in "ab"]
    fields = build_messages([*EXTRA, *free])["LayerParameter"].DESCRIPTOR.fields_by_name
    assert [fields[block.name].number for block in free] == [20000, 20001]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (Parameter("warp_param", 102, None, "1 float x"), "accuracy_param and warp_param both have the number 102"),
        (Parameter("warp_param", 999, 27, "1 float x"), "accuracy_param and warp_param both have the number 27"),
        (Parameter("warp_param", 999, None, "1 float x; 1 float y"), "warp_param: x and y both have the number 1"),
        (Parameter("data_param", 107, 11, "1 float x"), "two different blocks data_param"),
        (Parameter("warp_param", 999, None, "1 DB x", {"DB": "SQL"}), "two different enums DB"),
    ],
)
def test_what_clashes_is_said_with_both_names(block, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        build_messages([*EXTRA, block])
