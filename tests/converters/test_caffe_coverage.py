"""The page of all layers is what the code says."""

from __future__ import annotations

from pathlib import Path

from converters.caffe.coverage import markdown
from converters.caffe.kind import kinds

PAGE = Path(__file__).parents[2] / "docs" / "caffe-layers.md"


def test_page_is_what_the_code_says():
    said = PAGE.read_text(encoding="utf-8")
    assert said == markdown(), "the layers changed: python -m converters layers > docs/caffe-layers.md"


def test_every_type_is_on_it():
    said = markdown()
    assert [name for name in kinds() if f"`{name}`" not in said] == []
    assert "`ConvolutionDepthwise`" in said
    assert "- `Pooling`: pool STOCHASTIC; MAX and AVE are" in said
    assert "| OpenCV 5 | `ROIPooling` | everywhere | has no MaxRoiPool |" in said
