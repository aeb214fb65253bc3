"""Lessons at 128 and 256 px go on after a stop, score for score."""

import dataclasses
import json
from pathlib import Path

import torch

from benchmarks.learning import (
    Check,
    Lesson,
    describe_lesson,
    draw_avatars,
    forget_other_lesson,
    train_and_score,
)

LESSON = Lesson(
    32, width=8, batch_size=4, num_steps=2, check_every=1, num_images=16, score_samples=16
)
CPU = torch.device("cpu")


def learn(lesson: Lesson, folder: Path) -> list[Check]:
    forget_other_lesson(lesson, folder, CPU)
    return train_and_score(lesson, draw_avatars(lesson, folder), folder, CPU)


def test_goes_on_after_a_stop_as_if_there_had_been_none(tmp_path: Path) -> None:
    whole = learn(LESSON, tmp_path / "whole")
    shorter = learn(dataclasses.replace(LESSON, num_steps=1), tmp_path / "parts")
    (tmp_path / "parts" / "lesson.json").write_text(describe_lesson(LESSON, CPU))
    assert [check.step for check in shorter] == [0, 1]
    assert learn(LESSON, tmp_path / "parts") == whole
    assert whole[:2] == shorter


def test_takes_no_score_twice(tmp_path: Path) -> None:
    checks = learn(LESSON, tmp_path)
    marked = [dataclasses.replace(check, value=-1.0) for check in checks]
    (tmp_path / "checks.json").write_text(
        json.dumps([dataclasses.asdict(check) for check in marked])
    )
    assert learn(LESSON, tmp_path) == marked


def test_ends_when_the_whole_interval_is_below_the_first(tmp_path: Path) -> None:
    learn(dataclasses.replace(LESSON, num_steps=0), tmp_path)
    (tmp_path / "lesson.json").write_text(describe_lesson(LESSON, CPU))
    checks = [Check(0, 100.0, 99.0, 101.0, 16), Check(1, 98.0, 97.0, 98.9, 16)]
    text = json.dumps([dataclasses.asdict(check) for check in checks])
    (tmp_path / "checks.json").write_text(text)
    assert learn(LESSON, tmp_path) == checks


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    learn(dataclasses.replace(LESSON, num_steps=0), tmp_path)
    other = dataclasses.replace(LESSON, batch_size=8)
    forget_other_lesson(other, tmp_path, CPU)
    assert [path.name for path in tmp_path.iterdir()] == ["lesson.json"]
