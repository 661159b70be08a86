"""Look for files that the Caffe reader and converter do not answer with a network or one clear error.

    pip install atheris
    PYTHONPATH=.:tests/converters python tests/fuzz/fuzz_caffe.py seeds FOLDER
    PYTHONPATH=.:tests/converters python tests/fuzz/fuzz_caffe.py FOLDER -rss_limit_mb=4096 -timeout=10 -max_len=8192

A file is a network, `MARK`, and a caffemodel. The first command writes one for every small layer case, as text and as
binary; the second runs until it finds something, and writes it beside: keep that in ``findings``, whose files a test
reads. All that is not BadInput (Unsupported is one) counts, and so do 10 seconds and 4 GB.
"""

from __future__ import annotations

import hashlib
import random
import re
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from re import Match

from converters.errors import BadInput

MARK = b"\n#--- caffemodel ---\n"
FINDINGS = Path(__file__).parent / "findings"
NUMBERS = [b"%d" % number for number in (-(2**31), -2, -1, *range(18), 99, 1000, 65537, 10**6, 2**31 - 1, 2**32, 2**62)]
LARGEST_SEED = 4096
"""bytes: larger files are found nothing new with"""


def feed_files(net: bytes, weights: bytes) -> None:
    """Read and convert a network with its weights; without any when these are empty. Raises what that raises."""
    from converters.caffe import convert_net
    from converters.caffe.net import read_net

    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel = Path(folder) / "net.prototxt", Path(folder) / "net.caffemodel"
        prototxt.write_bytes(net)
        caffemodel.write_bytes(weights or b"\n\x00")
        convert_net(read_net(prototxt, caffemodel))


def one(data: bytes) -> None:
    """Try one file."""
    net, _, weights = data.partition(MARK)
    with suppress(BadInput):
        feed_files(net, weights)


def mutate(data: bytes, largest: int, seed: int) -> bytes:
    """Return a file like this one: by libFuzzer's own means, or with a number or a word of the network changed."""
    import atheris

    generator, (net, mark, weights) = random.Random(seed), data.partition(MARK)
    numbers = list(re.finditer(rb"(?<![\w.])-?\d+|(?<=[{ ])[a-z_]+(?=[:{ ])", net))
    if not numbers or generator.random() < 0.3:
        return bytes(atheris.Mutate(data, largest))
    for found in sorted(generator.sample(numbers, min(len(numbers), generator.randint(1, 3))), key=Match.start)[::-1]:
        other = generator.choice(numbers)[0] if found[0].isalpha() else generator.choice(NUMBERS)
        net = net[: found.start()] + other + net[found.end() :]
    return (net + mark + weights)[:largest]


@cache
def seeds() -> list[bytes]:
    """Return the small layer cases as text and as binary, with their weights, and files of all ages."""
    import numpy as np
    from caffe_nets import write
    from google.protobuf import text_format
    from layer_cases import cases

    from converters.caffe.schema import messages

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            prototxt, caffemodel = write(Path(folder), case.network, case.bottoms, case.positive)
            weights = caffemodel.read_bytes() if caffemodel else b""
            text = prototxt.read_bytes()
            if len(text) + len(weights) <= LARGEST_SEED:
                binary = text_format.Parse(text, messages()["NetParameter"]()).SerializeToString()
                found += [text + MARK + weights, binary + MARK + weights]
    formats = Path(__file__).parents[1] / "golden" / "formats"
    with np.load(formats / "formats.npz") as golden:
        for age in ("v0", "v1", "v2"):
            weights = golden[f"caffemodel {age}"].tobytes()
            found.append((formats / f"{age}.prototxt").read_bytes() + MARK + weights)
            found.append(golden[f"network {age}"].tobytes() + MARK + weights)
    return found


def main() -> None:
    """Write the seeds, or look for findings."""
    if sys.argv[1] == "seeds":
        folder = Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        for seed in seeds():
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        return
    import atheris

    with atheris.instrument_imports(include=["converters", "google.protobuf.text_format"]):
        import converters.caffe.fold
        import converters.caffe.net

        converters.caffe.net.kinds()  # the layers too
    atheris.Setup(sys.argv, one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
