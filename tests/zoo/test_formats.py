"""The formats that a card may have: found by file name, and strict about files and options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zoo import formats

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", formats.names())
def test_every_format_offers_what_a_card_needs(name: str) -> None:
    module = formats.find(name)
    assert module.ROLES
    assert all(re.fullmatch("[a-z_]+", role) for role in module.ROLES)
    assert all(values is None or values for values in module.OPTIONS.values())
    formats.check(name, module.ROLES, {key: (values or ("whatever",))[-1] for key, values in module.OPTIONS.items()})


def test_the_formats_are_the_files_of_the_folder() -> None:
    files = {file.stem for file in (ROOT / "zoo" / "formats").glob("*.py")} - {"__init__"}
    assert set(formats.names()) == files
    assert {"caffe", "keras"} <= files


@pytest.mark.parametrize(
    ("name", "roles", "options", "said"),
    [
        ("caffe", ["prototxt"], {}, "a caffe network is made of the files prototxt, caffemodel, each once"),
        ("caffe", [], {}, "each once; given: none"),
        ("caffe", ["prototxt", "caffemodel", "caffemodel"], {}, "given: prototxt, caffemodel, caffemodel"),
        ("keras", ["prototxt", "caffemodel"], {}, "a keras network is made of the files model, each once"),
        ("caffe", ["caffemodel", "prototxt"], {"lrn": "fast"}, "convert.lrn = 'fast' is no option of the format caffe"),
        ("caffe", ["caffemodel", "prototxt"], {"road": "direct"}, "there are lrn: lowered, native"),
        ("keras", ["model"], {"lrn": "native"}, "convert.lrn = 'native' is no option of the format keras"),
        ("lean", ["backbone", "model"], {"top": "relu"}, "no option of the format lean; there are tap: any"),
        ("darknet", ["model"], {}, "no format 'darknet'; there are "),
        ("__init__", ["model"], {}, "no format '__init__'"),
        ("../card", ["model"], {}, "no format '../card'"),
    ],
)
def test_a_card_that_does_not_fit_its_format_is_told_why(
    name: str, roles: list[str], options: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        formats.check(name, roles, options)
    assert "\n" not in str(refused.value)
