"""The page of the toolbox lists every technique with its paper."""

import dataclasses
import re

import pytest

from docs.ablation import ROOT
from training.options import get_flag
from training.techniques import TechniqueOptions

ROWS = [
    line
    for line in (ROOT / "docs" / "TOOLBOX.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `--")
]


@pytest.mark.parametrize("item", dataclasses.fields(TechniqueOptions), ids=lambda item: item.name)
def test_every_technique_has_a_row_with_its_source(item):
    rows = [row for row in ROWS if re.search(rf"{get_flag(item)}\b(?!-)", row)]
    assert rows
    assert item.metadata["source"] in " ".join(rows)


def test_every_row_is_an_option():
    flags = {get_flag(item) for item in dataclasses.fields(TechniqueOptions)}
    named = {flag for row in ROWS for flag in re.findall(r"--[\w-]+", row.split("|")[1])}
    assert named == flags
