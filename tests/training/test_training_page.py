"""docs/TRAINING.md describes exactly the rows that trainings write."""

import dataclasses
import itertools
import re

import pytest

from training.history import is_loss_row, read_history
from training.runs import CHANGEABLE, MOVABLE

ROW = re.compile(r"^\| `(\w+)` \| ([\w, ]+) \|", re.MULTILINE)
ONLY_ON_CUDA = {"gpu_memory_mb"}


@pytest.fixture(scope="module")
def fields(repository):
    """Read the page: the fields of each kind of row."""
    page = (repository / "docs/TRAINING.md").read_text(encoding="utf-8")
    table = page.partition("<!-- metrics:begin -->")[2].partition("<!-- metrics:end -->")[0]
    found = {"losses": set(), "score": set(), "rewind": set()}
    for field, kinds in ROW.findall(table):
        for kind in found if kinds == "all" else kinds.split(", "):
            found[kind].add(field)
    assert len(ROW.findall(table)) == table.strip().count("\n") - 1  # every line was understood
    return found


def test_the_page_names_what_a_resume_may_change(repository):
    page = (repository / "docs/TRAINING.md").read_text(encoding="utf-8")
    section = page.partition("## What a resume may change\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `--")]
    flags = re.findall(r"`--([\w-]+)`", " ".join(rows))
    names = sorted(flag.replace("-", "_") for flag in flags)
    assert names == sorted((*CHANGEABLE, *MOVABLE))


def name_kind(row):
    """Name the kind of a row of metrics."""
    if is_loss_row(row):
        return "losses"
    return "rewind" if "event" in row else "score"


def test_a_run_writes_the_fields_on_the_page_and_no_others(fields, build_trainer, tiny_extractor):
    options = {"score_every": 4, "score_samples": 32, "extractor": "tiny", "on_nan": "rewind"}
    trainer = build_trainer(steps=8, **options)
    draw, draws = trainer.batches.draw, itertools.count(1)

    def draw_poison():
        batch = draw()
        factor = float("nan") if next(draws) == 6 else 1.0
        return dataclasses.replace(batch, images=batch.images * factor)

    trainer.batches.draw = draw_poison
    trainer.train()
    found = {}
    for row in read_history(trainer.folder.metrics_path):
        found.setdefault(name_kind(row), []).append(set(row))
    assert found.keys() == fields.keys()
    for kind, rows in found.items():
        for keys in rows:
            assert keys == fields[kind] - ONLY_ON_CUDA, kind
