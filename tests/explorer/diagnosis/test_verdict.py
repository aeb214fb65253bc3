"""Verdicts: pure functions of what was measured, at and around their thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from explorer.diagnosis.types import (
    Copying,
    Diagnosis,
    DirectionCurve,
    Duplicates,
    MetricRow,
    ModeShares,
    Sensitivity,
    Spread,
)
from explorer.diagnosis.verdict import (
    format_count,
    judge,
    judge_copying,
    judge_duplicates,
    judge_modes,
    judge_sensitivity,
    judge_spread,
)

DUPLICATES = Duplicates(1000, 499_500, 4, 3.0, 1e-5, 5.0, None, (43_000.0, None), (), ())
SPREAD = Spread(10.0, 10.0, 1.0, (MetricRow("precision", "Precision", 0.6, 0.7),), 1000)
HAIR = ModeShares("hair", ("bun", "spiky"), (0.5, 0.5), (0.5, 0.5), (), (), 1.0, 1.0, 0.99, 1000)
COPYING = Copying(
    num_samples=1000,
    num_real=2048,
    num_dataset=10_000,
    source="2,048 of 10,000 images",
    close_share=0.01,
    close_share_interval=(0.005, 0.02),
    expected_share=0.01,
    ratio_share=0.05,
    ratio_share_interval=(0.04, 0.07),
    expected_ratio_share=0.05,
)
HEALTHY = Diagnosis(
    "m", "e", "r", 1000, 1000, "", duplicates=DUPLICATES, spread=SPREAD, modes=(HAIR,),
    copying=COPYING,
)  # fmt: skip


def collapse(support: float, low: float, high: float) -> Duplicates:
    return replace(DUPLICATES, num_close=500, support=support, support_interval=(low, high))


def copy_share(low: float) -> Copying:
    """Search all images and find at least that share of samples copied."""
    return replace(COPYING, num_real=10_000, close_share_interval=(low, low + 0.1))


def test_there_is_no_verdict_before_anything_is_measured() -> None:
    assert judge(replace(HEALTHY, duplicates=None)) is None
    assert judge(replace(HEALTHY, spread=None)) is None


def test_what_cannot_be_measured_at_all_leaves_the_verdict_open() -> None:
    verdict = judge(replace(HEALTHY, duplicates=None, is_done=True))
    assert verdict is not None
    assert verdict.kind == "unsure"
    assert "too few real images" in verdict.text


def test_nothing_found_is_healthy_and_says_by_what() -> None:
    verdict = judge(HEALTHY)
    assert verdict is not None
    assert (verdict.kind, verdict.level) == ("healthy", "good")
    assert verdict.text == (
        "No sign of collapse, missing values or copying in 1,000 samples: at least 43,000 different"
        " images, 1.00 times as far apart as real ones."
    )
    assert {finding.part for finding in verdict.findings} == {
        "duplicates", "spread", "modes", "copying"
    }  # fmt: skip


def test_what_was_not_measured_is_not_said_to_be_absent() -> None:
    verdict = judge(replace(HEALTHY, modes=(), copying=Copying(reason="Too few.")))
    assert verdict is not None
    assert verdict.text.startswith("No sign of collapse in 1,000 samples")


def test_healthy_samples_that_look_unreal_are_said_to_limit_the_search() -> None:
    rows = (MetricRow("precision", "Precision", 0.02, 0.7),)
    verdict = judge(replace(HEALTHY, spread=replace(SPREAD, metrics=rows)))
    assert verdict is not None
    assert verdict.kind == "healthy"
    assert "precision 0.02" in verdict.text


@pytest.mark.parametrize(
    ("found", "kind", "level"),
    [
        (collapse(1000, 900, 1100), "collapsed", "bad"),
        (collapse(4000, 3500, 4999), "collapsed", "bad"),
        (collapse(4500, 4000, 5001), "unsure", "unknown"),
        (collapse(9000, 5001, 20_000), "healthy", "good"),
        (replace(DUPLICATES, support_interval=(4999, None)), "unsure", "unknown"),
        (replace(DUPLICATES, support_interval=(5000, None)), "healthy", "good"),
    ],
)
def test_the_support_decides_by_its_interval(found: Duplicates, kind: str, level: str) -> None:
    finding = judge_duplicates(found)
    assert (finding.kind, finding.level) == (kind, level)


def test_a_collapse_is_told_with_its_numbers() -> None:
    verdict = judge(replace(HEALTHY, duplicates=collapse(1043.2, 953.1, 1150.9)))
    assert verdict is not None
    assert verdict.text == (
        "The generator has collapsed: its samples repeat as if it made about 1,000 different images"
        " (95 %: 950 to 1,200); 500 of 499,500 pairs of samples are near-duplicates, where real"
        " images have about 5.0."
    )


@pytest.mark.parametrize(
    ("ratio", "kind", "level"),
    [
        (0.39, "collapsed", "bad"),
        (0.41, "low_spread", "bad"),
        (0.61, "low_spread", "warn"),
        (0.81, "healthy", "good"),
        (1.3, "healthy", "good"),
    ],
)
def test_the_spread_is_judged_by_its_ratio(ratio: float, kind: str, level: str) -> None:
    finding = judge_spread(replace(SPREAD, ratio=ratio))
    assert (finding.kind, finding.level) == (kind, level)


def test_missing_values_are_told_with_their_shares() -> None:
    mode = replace(HAIR, shares=(0.998, 0.002), missing=("spiky",))
    finding = judge_modes((mode,), SPREAD)
    assert (finding.kind, finding.level) == ("missing_modes", "bad")
    assert finding.text == "As good as missing: hair spiky (0.2%, real images 50%)."
    rare = judge_modes((replace(HAIR, shares=(0.8, 0.2), rare=("spiky",)),), SPREAD)
    assert (rare.kind, rare.level) == ("missing_modes", "warn")


def test_classifiers_are_not_trusted_with_samples_that_look_like_nothing_real() -> None:
    mode = replace(HAIR, missing=("spiky",))
    poor = replace(SPREAD, metrics=(MetricRow("precision", "Precision", 0.05, 0.7),))
    finding = judge_modes((mode,), poor)
    assert (finding.kind, finding.level) == ("unsure", "unknown")
    assert "precision 0.05" in finding.text
    assert judge_modes((mode,), replace(SPREAD, metrics=())).kind == "unsure"
    assert judge_modes((HAIR,), poor).kind == "healthy"


def test_few_samples_cannot_rule_out_a_missing_value() -> None:
    assert judge_modes((replace(HAIR, num_samples=399),), SPREAD).kind == "unsure"
    assert judge_modes((replace(HAIR, num_samples=400),), SPREAD).kind == "healthy"


@pytest.mark.parametrize(
    ("close", "ratio", "num_real", "kind", "level"),
    [
        (0.28, 0.05, 10_000, "copies", "bad"),
        (0.26, 0.05, 10_000, "copies", "warn"),
        (0.01, 0.36, 10_000, "copies", "bad"),
        (0.01, 0.16, 10_000, "copies", "warn"),
        (0.06, 0.14, 10_000, "healthy", "good"),
        (0.05, 0.05, 1000, "copies", "bad"),  # 3 % more than expected in a tenth of the data set
        (0.03, 0.05, 1000, "copies", "warn"),
        (0.02, 0.10, 1000, "healthy", "good"),
    ],
)
def test_copies_are_judged_by_the_lower_end_and_what_was_searched(
    close: float, ratio: float, num_real: int, kind: str, level: str
) -> None:
    found = replace(
        COPYING,
        num_real=num_real,
        close_share_interval=(close, 1.0),
        ratio_share_interval=(ratio, 1.0),
    )
    finding = judge_copying(found)
    assert (finding.kind, finding.level) == (kind, level)


def test_the_worst_comes_first_and_equals_are_both_said() -> None:
    copied = replace(COPYING, close_share=0.9, close_share_interval=(0.85, 0.95))
    mode = replace(HAIR, missing=("spiky",))
    verdict = judge(
        replace(HEALTHY, duplicates=collapse(200, 190, 210), copying=copied, modes=(mode,))
    )
    assert verdict is not None
    assert verdict.kind == "copies"
    assert "copies its training images" in verdict.text
    assert "about 200 different images" in verdict.text
    assert [finding.kind for finding in verdict.findings[:3]] == [
        "copies", "collapsed", "missing_modes"
    ]  # fmt: skip
    warned = replace(COPYING, num_real=10_000, close_share_interval=(0.1, 0.2))
    worse = judge(replace(HEALTHY, copying=warned, modes=(mode,)))
    assert worse is not None
    assert (worse.kind, worse.level) == ("missing_modes", "bad")
    assert "look copied" not in worse.text


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({}, "Healthy"),
        ({"duplicates": collapse(200, 190, 210)}, "Collapsed"),
        ({"spread": replace(SPREAD, ratio=0.59)}, "Too little variety"),
        ({"spread": replace(SPREAD, ratio=0.79)}, "Somewhat less varied"),
        ({"modes": (replace(HAIR, missing=("spiky",)),)}, "Misses modes"),
        ({"modes": (replace(HAIR, rare=("spiky",)),)}, "Some modes are rare"),
        # 0.3 less twice 0.01, of a search among all: 0.28; and 0.1 less twice 0.01: 0.08.
        ({"copying": copy_share(0.3)}, "Copies its training data"),
        ({"copying": copy_share(0.1)}, "May copy some images"),
        ({"duplicates": replace(DUPLICATES, support_interval=(900.0, None))}, "Cannot tell"),
    ],
)
def test_a_warning_has_another_title_than_a_conviction(change: dict[str, Any], title: str) -> None:
    """What is only remarked on is not called by the name of the fault."""
    verdict = judge(replace(HEALTHY, **change))
    assert verdict is not None
    assert verdict.title == verdict.to_dict()["title"] == title


def test_an_unsure_verdict_still_says_what_is_known() -> None:
    """Samples that look like no real images leave the modes open; what else is known stays."""
    rows = (MetricRow("precision", "Precision", 0.05, 0.7),)
    verdict = judge(
        replace(
            HEALTHY,
            spread=replace(SPREAD, metrics=rows),
            modes=(replace(HAIR, missing=("spiky",)),),
        )
    )
    assert verdict is not None
    assert (verdict.kind, verdict.level) == ("unsure", "unknown")
    assert "Which values of the labels are missing cannot be told" in verdict.text
    assert "No more near-duplicates than real images have" in verdict.text


def test_too_few_samples_for_modes_leave_the_verdict_to_the_other_parts() -> None:
    """256 samples cannot miss a value: a finding and the verdict's text say so, and no more."""
    few = replace(HEALTHY, num_samples=256, modes=(replace(HAIR, num_samples=256),))
    verdict = judge(few)
    assert verdict is not None
    assert (verdict.kind, verdict.level) == ("healthy", "good")
    assert verdict.text == (
        "No sign of collapse or copying in 256 samples: at least 43,000 different images, 1.00"
        " times as far apart as real ones. Whether values of labels are missing takes 400 samples"
        " to tell."
    )
    (modes,) = (finding for finding in verdict.findings if finding.part == "modes")
    assert (modes.kind, modes.level) == ("unsure", "unknown")
    assert modes.text.endswith("Take at least 400.")
    unsure = judge(replace(few, duplicates=replace(DUPLICATES, support_interval=(900.0, None))))
    assert unsure is not None
    assert unsure.kind == "unsure"
    assert unsure.text.startswith("There are not enough samples to tell: 1,000 show at least 900")
    missing = judge(replace(few, modes=(replace(HAIR, num_samples=256, missing=("spiky",)),)))
    assert missing is not None
    assert (missing.kind, missing.level) == ("missing_modes", "bad")


def test_an_image_that_does_not_follow_z_is_remarked_on() -> None:
    curve = DirectionCurve(1, (0.1, 2.0))
    found = Sensitivity((1.0, 4.0), (0.1, 2.0), 50.0, 16, (0, 1), (curve,), (curve,))
    assert judge_sensitivity(found).level == "warn"
    assert judge_sensitivity(replace(found, mean_changes=(0.1, 3.0))).level == "good"
    assert judge_sensitivity(replace(found, base_seeds=(0,))).level == "good"  # too early to say


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (2.02, "2"), (9.96, "10"), (12.4, "12"), (1043, "1,000"), (69_137, "69,000"),
        (1_219_476, "1.2 million"),
    ],
)  # fmt: skip
def test_counts_have_two_digits(value: float, text: str) -> None:
    assert format_count(value) == text


def test_few_real_images_accuse_nobody() -> None:
    """Of 150 real images one pair in 1,000 is all that is known: about 1,000 images apart."""
    few = replace(
        DUPLICATES, real_share=1e-3, expected_close=499.5, num_close=700, support=2_500.0,
        support_interval=(1_900.0, 3_600.0),
    )  # fmt: skip
    found = judge_duplicates(few)
    assert (found.kind, found.level) == ("unsure", "unknown")
    assert "too few real images" in found.text
    assert "about 450" in found.text
    clear = replace(few, num_close=5_500, support=100.0, support_interval=(80.0, 120.0))
    assert judge_duplicates(clear).kind == "collapsed"
