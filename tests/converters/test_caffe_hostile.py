"""Files that are broken, or made to break a reader: one clear error each, soon, and without taking memory for it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import network

from converters.caffe import wire
from converters.caffe.binary import is_binary
from converters.caffe.schema import MOST_LAYERS, messages
from converters.caffe.text import DEEPEST, read_text
from converters.caffe.weights import read_mean, read_weights
from converters.errors import BadInput

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))
from fuzz_caffe import FINDINGS, MARK, feed_files, seeds

RELU = network('layer { name: "r" type: "ReLU" bottom: "data" top: "r" }', (2, 3, 5, 7))
PATH = Path("net.caffemodel")


def record(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def model(blob: bytes) -> bytes:
    return record(100, record(1, b"fc") + record(7, blob))


def dims(*sizes: int) -> bytes:
    return record(7, b"".join(b"\x08" + varint(size % 2**64) for size in sizes))


SIX = record(5, bytes(24))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (model(dims(10**9)), "holds 0 numbers where its shape (1000000000,) needs 1000000000"),
        (model(dims(10**9, 10**9, 10**9) + SIX), "needs 1000000000000000000000000000"),
        (model(dims(2**62, 4) + SIX), "needs 18446744073709551616"),
        (model(dims(-2, -3) + SIX), "its shape (-2, -3) has a negative length"),
        (model(b"\x08" + varint(2**64 - 6) + SIX), "its shape (-6, 0, 0, 0) has a negative length"),
        (model(dims(*[1] * 33) + record(5, bytes(4))), "its shape has 33 axes; Caffe allows 32"),
        (model(dims(*[2**40] * 50_000)), "its shape has 50000 axes; Caffe allows 32"),
        (model(dims(5) + record(5, bytes(21))), "21 bytes are no whole list of numbers"),
        (model(dims(5) + record(8, bytes(21))), "21 bytes are no whole list of numbers"),
        (model(record(7, b"\x0a\xff")), "its records are damaged"),
        (model(b"\x2d\0\0\0\0" + record(7, b"\x0a\xff")), "its records are damaged"),
        (model(SIX[:-1]), "cut off after 34 bytes, the record at byte 9 needs 1 more"),
        (
            record(100, record(1, b"fc") + b"\x3a\x05") + model(b""),
            "damaged before byte 9, the record at byte 7 needs 5",
        ),
        (
            record(100, b"") + b"\xa2\x06" + varint(2**62),
            "cut off after 14 bytes, the record at byte 3 needs 4611686",
        ),
        (b"\xa2\x06" + b"\xff" * 20, "no Caffe record at byte 0: its number does not end"),
        (b"\xa2\x06\x80", "cut off after 3 bytes, the record at byte 0 needs more"),
        (b"\x0b" * 100_000, "no Caffe record at byte 0"),
        (b"\x00\x01" * 100, "no Caffe record at byte 0"),
        (record(2, b"") + record(100, b""), "has both 'layer' and 'layers'"),
        (record(100, record(1, b"caf\xe9")), "its names are no text"),
        (b"PK\x03\x04", "is a zip file; unpack it first"),
    ],
)
def test_weights(data, said):
    with pytest.raises(BadInput) as caught:
        read_weights(PATH, data)
    assert str(caught.value).startswith("net.caffemodel: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("data", [b"\x08\x01" * 101, model(b"\x08\x01" * 99), record(100, record(1, b"fc")) * 60])
def test_files_of_endless_records(monkeypatch, data):
    monkeypatch.setattr(wire, "MOST_RECORDS", 100)
    with pytest.raises(BadInput, match="no Caffe file: it has more than 100 records"):
        read_weights(PATH, data)


def test_blobs_of_no_number_and_of_one():
    one = read_weights(PATH, model(record(5, bytes(4))))["fc"][0]
    none = read_weights(PATH, model(dims(3, 0)))["fc"][0]
    assert (one.shape, none.shape) == ((), (3, 0))


def test_numbers_that_float32_cannot_hold_are_infinite():
    big = model(dims(1) + record(8, np.array([1e300]).tobytes()))
    assert read_weights(PATH, big)["fc"][0].tolist() == [np.inf]


def test_mean_image_that_is_cut_or_not_packed(tmp_path):
    mean = np.arange(3 * 5 * 7, dtype="<f4").reshape(3, 5, 7)
    blob = b"\x08\x01\x10\x03\x18\x05\x20\x07"
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(blob + b"".join(b"\x2d" + number.tobytes() for number in mean.ravel()))
    np.testing.assert_array_equal(read_mean(path), mean)
    path.write_bytes(blob + record(5, mean.tobytes())[:-9])
    with pytest.raises(BadInput, match=r"mean\.binaryproto: not a whole mean image: cut off after"):
        read_mean(path)


DEEP = "a { " * 100_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DEEP, f"net.prototxt:1: more than {DEEPEST} braces inside each other"),
        (RELU + "layer { " + DEEP, f"more than {DEEPEST} braces"),
        (RELU.replace('type: "ReLU"', f'type: "ReLU" {"a < " * 60} {"> " * 60}'), f"more than {DEEPEST} braces"),
        (RELU + "}" * 100_000, "net.prototxt:5:"),
        (RELU + "[" * 100_000, "net.prototxt:5:"),
        (RELU.replace("top:", "x: " + "[" * 100_000 + " top:"), "net.prototxt:4:"),
        (RELU + "input_dim: 99999999999999999999", "net.prototxt:5:"),
        (RELU.replace("dim: 5", "dim: -5"), "input 'data' has the shape (2, 3, -5, 7)"),
        (RELU.replace("dim: 2 dim: 3 dim: 5 dim: 7", "dim: 9223372036854775807 " * 4), "input 'data' of shape"),
        (RELU + "layer { } " * (MOST_LAYERS + 1), f"has {MOST_LAYERS + 2} layers; a network may have {MOST_LAYERS}"),
        (RELU.encode().replace(b'"tiny"', b'"ti\xe9y"'), "byte 9 is not UTF-8"),
        (RELU.encode().replace(b"type", b"t\xffpe"), "is not UTF-8"),
        (RELU.encode("utf-16"), "net.prototxt: "),
    ],
)
def test_text_networks(text, said):
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(BadInput) as caught:
        feed_files(data, b"")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b'# caf\xe9 \xbf\xaa\xcd\xb7 { " layer {\n' + RELU.encode(),
        RELU.encode().replace(b"bottom", b"# \xff\xfe '\nbottom"),
        b"\xef\xbb\xbf# \xe9\r\n" + RELU.encode().replace(b"\n", b"\r\n"),
        b"\x0c\x0b" + RELU.encode(),
        RELU.encode().replace(b"\n", b"\r"),
    ],
)
def test_what_caffe_reads_is_read(data):
    """Its own parser takes any bytes in comments, and all kinds of white space."""
    net, entries = read_text(PATH, data)
    assert (net.name, [entry.type for entry in entries]) == ("tiny", ["ReLU"])


@pytest.mark.parametrize(
    ("data", "binary"),
    [
        (RELU.encode(), False),
        (b"# \x1b[31m\n" + RELU.encode(), False),
        (b"\n\xa2\x06\x02\x0a\x00", True),
        (b"\n\x04tiny\x1a\x04data", True),
        (b"\n\n#" + b"x" * 9 + b"\x1a\x04data", True),
        (b"\x12\x05\x22\x01x\x28\x7f", True),
        (RELU.encode() + b"\x00", False),
    ],
)
def test_binary_networks_are_told_from_text(data, binary):
    assert is_binary(data) == binary


BINARY = messages()["NetParameter"](name="tiny", input=["data"], input_dim=[2, 3, 5, 7]).SerializeToString()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BINARY + b"\x0b" * 100_000, "not a whole caffemodel: no Caffe record at byte"),
        (BINARY + record(100, b"\x0b" * 100_000), "a layer in it is damaged"),
        (BINARY + record(100, record(1, b"r\xff") + record(2, b"ReLU")), "its names are no text"),
        (BINARY + record(100, record(1, b"r") + record(2, b"Re\xff")), "no such layer type"),
        (BINARY + record(100, record(1, b"r") + record(2, b"ReLU") + record(6, record(1, b"\xff"))), "are no text"),
        (BINARY + record(100, b"") * (MOST_LAYERS + 1), f"a network may have {MOST_LAYERS}"),
        (BINARY[:-1], "not a whole caffemodel: cut off after"),
        (BINARY + record(3, b"\xff"), "its names are no text"),
    ],
)
def test_binary_networks(data, said):
    with pytest.raises(BadInput) as caught:
        feed_files(data, b"")
    assert said in str(caught.value)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["change", "delete", "insert", "cut", "repeat", "flip", "number"]),
        st.integers(0, 2**16),
        st.one_of(st.binary(min_size=1, max_size=6), st.sampled_from([b"{", b"}", b'"', b"0", b"-1", b"layer {"])),
    ),
    min_size=1,
    max_size=4,
)


def damaged(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """Return a file with bytes changed, left out, put in, a part of it twice, another number, or its end cut off."""
    for how, place, other in edits:
        at = place % max(len(data), 1)
        before, after = data[:at], data[at:]
        match how:
            case "change":
                data = before + other + after[len(other) :]
            case "delete":
                data = before + after[len(other) :]
            case "insert":
                data = before + other + after
            case "cut":
                data = before
            case "repeat":
                part = after[: 1 + sum(other) % 200]
                data = before + part + after
            case "flip":
                data = before + bytes([(after[:1] or b"\0")[0] ^ 1 << other[0] % 8]) + after[1:]
            case "number":
                digits = str(int.from_bytes(other, "little", signed=True)).encode()
                end = at + 1
                while data[end : end + 1].isdigit():
                    end += 1
                data = before + digits + data[end:] if after[:1].isdigit() else data
    return data


@settings(derandomize=True, deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**16), edits=EDITS, in_network=st.booleans())
def test_damaged_files_are_refused_or_read(seed, edits, in_network):
    net, _, weights = seeds()[seed % len(seeds())].partition(MARK)
    net, weights = (damaged(net, edits), weights) if in_network else (net, damaged(weights, edits))
    try:
        feed_files(net, weights)
    except BadInput as error:
        assert str(error)  # noqa: PT017 - both ways are right


@pytest.mark.parametrize("finding", sorted(FINDINGS.glob("*")), ids=lambda path: path.name)
def test_what_was_found_once(finding):
    net, _, weights = finding.read_bytes().partition(MARK)
    try:
        feed_files(net, weights)
    except BadInput as error:
        assert str(error)  # noqa: PT017 - both ways are right


def test_seeds_are_good():
    assert len(seeds()) > 50
    for seed in seeds()[::7]:
        net, _, weights = seed.partition(MARK)
        feed_files(net, weights)
