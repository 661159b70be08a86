"""The built-in sample: 128 composite portraits, eight per age group and sex, for trying everything without a dataset.

Each is the average of 16 UTKFace faces, so nobody's face. Scores on it say only that the pipeline works.
Terms: non-commercial research only, as UTKFace, of which it is derived; ``bench/sample/NOTICE.md`` has the rest.
Layout: ``bench/sample/labels.csv`` and ``images/``; made by ``bench/sample/make.py``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.datasets import csv
from bench.types import Split

TERMS = "non-commercial research only, as UTKFace; scores on it say only that the pipeline works"
CITATION = "that of UTKFace, of which it is derived"
SIZE = "128 portraits, 1 MB"
GET = "comes with the package"
SPLITS = ("all",)
DEFAULT_SPLIT = "all"
PATH = Path(__file__).parents[1] / "sample"
LABEL_RULE = "composites of 16 UTKFace train faces of one sex: their mean age, rounded, and their sex"


def load(path: Path, split: str) -> Split:
    """Read the sample at ``path``."""
    return replace(csv.load(path, split), dataset="sample", label_rule=LABEL_RULE)
