"""The verdict: what the measured parts say together, in a sentence or two with their numbers.

Each part is judged by itself first. The thresholds are few, round, and far from what real images
get; docs/DIAGNOSIS.md says how they do on generators of known faults.
"""

from collections.abc import Sequence

from explorer.diagnosis.types import (
    Copying,
    Diagnosis,
    Duplicates,
    Finding,
    Level,
    ModeShares,
    Sensitivity,
    Spread,
    Verdict,
    VerdictKind,
)

# Fewer different images than this are a collapse. Arora, Risteski and Zhang 2018 found 10,000 to
# 250,000 faces in GANs that people find varied.
COLLAPSED_SUPPORT = 5000
# Shares of the real images' mean pair distance. Blurred samples have 0.7 to 0.8 of it.
COLLAPSED_SPREAD, LOW_SPREAD, NARROW_SPREAD = 0.4, 0.6, 0.8
# Shares of samples that look copied: the lower end of the interval, less twice what is expected
# of real images, over the share of the data set that was searched.
COPIED, SOME_COPIED = 0.25, 0.05
# Below this precision the samples are so unlike real images that neighbours tell little.
POOR_PRECISION = 0.1
# With fewer samples a value of 5 % of the real images may be absent by chance.
MIN_FOR_MODES = 400
# Of so many, the real share of one pair in 10,000 is known: ten pairs are behind it.
MIN_REAL_IMAGES = 450
# As many images as this share of the inverse of the real share can be told from real ones.
MAX_RESOLVED = 0.5
FLAT_CHANGE = 0.05

# Of two findings as bad as each other, the first is the verdict.
ORDER = ("copies", "collapsed", "missing_modes", "low_spread", "unsure", "healthy")
LEVELS: tuple[Level, ...] = ("bad", "warn", "unknown", "good")
# A warning is no conviction: it has a title of its own.
TITLES: dict[tuple[VerdictKind, Level], str] = {
    ("copies", "bad"): "Copies its training data",
    ("copies", "warn"): "May copy some images",
    ("collapsed", "bad"): "Collapsed",
    ("missing_modes", "bad"): "Misses modes",
    ("missing_modes", "warn"): "Some modes are rare",
    ("low_spread", "bad"): "Too little variety",
    ("low_spread", "warn"): "Somewhat less varied",
    ("unsure", "unknown"): "Cannot tell",
    ("healthy", "good"): "Healthy",
}


def judge(diagnosis: Diagnosis) -> Verdict | None:
    """Judge what is measured so far; None while near-duplicates and spread are to come.

    The worst finding is the verdict. "healthy" needs every part that can be measured, and says
    that no sign was found. Where a part cannot be told, the verdict is "unsure"; but too few
    samples to miss a value of a label leave it to the other parts, as without labels.
    """
    if diagnosis.duplicates is None or diagnosis.spread is None:
        if not diagnosis.is_done:
            return None
        text = (
            f"The reference {diagnosis.reference} has too few real images to know how alike two of"
            f" them may be: make one of at least {MIN_REAL_IMAGES}."
        )
        return _conclude("unsure", "unknown", text)
    findings = [
        judge_duplicates(diagnosis.duplicates),
        judge_spread(diagnosis.spread),
        *([judge_modes(diagnosis.modes, diagnosis.spread)] if diagnosis.modes else []),
        *([judge_copying(diagnosis.copying)] if diagnosis.copying else []),
        *([judge_sensitivity(diagnosis.sensitivity)] if diagnosis.sensitivity else []),
    ]
    findings.sort(key=lambda finding: (LEVELS.index(finding.level), ORDER.index(finding.kind)))
    is_silent = _has_too_few_for_modes(diagnosis.modes)
    worst = next(f for f in findings if not (is_silent and f.part == "modes"))
    if worst.level == "unknown":
        known = [f.text for f in findings if f.part == "duplicates" and f.level == "good"]
        return _conclude("unsure", "unknown", " ".join([worst.text, *known]), findings)
    if worst.level == "good":
        return _conclude("healthy", "good", _describe_health(diagnosis), findings)
    second = findings[1]  # the worst is the first: warnings come before what is not known
    is_as_bad = second.level == worst.level == "bad" and second.kind != worst.kind
    text = f"{worst.text} {second.text}" if is_as_bad else worst.text
    return _conclude(worst.kind, worst.level, text, findings)


def _conclude(
    kind: VerdictKind, level: Level, text: str, findings: Sequence[Finding] = ()
) -> Verdict:
    return Verdict(kind, level, TITLES[kind, level], text, tuple(findings))


def judge_duplicates(found: Duplicates) -> Finding:
    """Judge the near-duplicates by the upper end of the support's interval."""
    low, high = found.support_interval
    pairs = (
        f"{found.num_close:,} of {found.num_pairs:,} pairs of samples are near-duplicates, where"
        f" real images have about {_format_small(found.expected_close)}"
    )
    # Of few real images, not even their own share of close pairs is known well.
    ceiling = min(float(COLLAPSED_SUPPORT), MAX_RESOLVED / found.real_share)
    if found.support is not None and high is not None and high < ceiling:
        text = (
            f"The generator has collapsed: its samples repeat as if it made about"
            f" {format_count(found.support)} different"
            f" {'image' if round(found.support) == 1 else 'images'} (95 %: {format_count(low)} to"
            f" {format_count(high)}); {pairs}."
        )
        return Finding("duplicates", "collapsed", "bad", text)
    if low < COLLAPSED_SUPPORT and MAX_RESOLVED / found.real_share < COLLAPSED_SUPPORT:
        text = (
            f"The reference has too few real images to tell whether there are more than"
            f" {COLLAPSED_SUPPORT:,} different ones: it takes about {MIN_REAL_IMAGES}."
        )
        return Finding("duplicates", "unsure", "unknown", text)
    if low < COLLAPSED_SUPPORT:
        text = (
            f"There are not enough samples to tell: {found.num_samples:,} show at least"
            f" {format_count(low)} different images, but not whether there are more than"
            f" {COLLAPSED_SUPPORT:,}. Take more."
        )
        return Finding("duplicates", "unsure", "unknown", text)
    if found.support is None:
        text = f"No more near-duplicates than real images have: {pairs}."
    else:
        text = f"As varied as drawing from {format_count(found.support)} different images: {pairs}."
    return Finding("duplicates", "healthy", "good", text)


def judge_spread(found: Spread) -> Finding:
    """Judge the mean distance between samples by its ratio to the real images' own."""
    text = f"Samples lie {found.ratio:.2f} times as far apart as real images do{_add_recall(found)}"
    if found.ratio < COLLAPSED_SPREAD:
        return Finding("spread", "collapsed", "bad", f"{text}: they hardly differ.")
    if found.ratio < LOW_SPREAD:
        return Finding("spread", "low_spread", "bad", f"{text}: they are far too alike.")
    if found.ratio < NARROW_SPREAD:
        return Finding("spread", "low_spread", "warn", f"{text}: they are less varied, or blurred.")
    return Finding("spread", "healthy", "good", f"{text}.")


def _add_recall(found: Spread) -> str:
    recall = next((row for row in found.metrics if row.key == "recall"), None)
    if recall is None:
        return ""
    real = "" if recall.real_value is None else f", of real images {recall.real_value:.2f}"
    return f" (recall {recall.value:.2f}{real})"


def judge_modes(modes: tuple[ModeShares, ...], spread: Spread) -> Finding:
    """Judge the known modes by the values that are missing, then by those that are rare.

    A classifier that learned from real images cannot be trusted with samples that look like none
    of them; precision says whether they do.
    """
    missing = [_name_values(mode, mode.missing) for mode in modes if mode.missing]
    rare = [_name_values(mode, mode.rare) for mode in modes if mode.rare]
    if missing or rare:
        precision = find_metric(spread, "precision")
        seen = _join(missing or rare)
        if precision is None:
            text = f"It is not yet known whether the classifiers can be trusted. They miss {seen}."
            return Finding("modes", "unsure", "unknown", text)
        if precision < POOR_PRECISION:
            text = (
                "Which values of the labels are missing cannot be told: so few of the samples look"
                f" real to the network (precision {precision:.2f}) that its classifiers cannot be"
                " trusted with them."
            )
            return Finding("modes", "unsure", "unknown", text)
        if missing:
            return Finding("modes", "missing_modes", "bad", f"As good as missing: {seen}.")
        text = f"Less than half as frequent as in real images: {seen}."
        return Finding("modes", "missing_modes", "warn", text)
    if _has_too_few_for_modes(modes):
        text = (
            f"There are not enough samples: {modes[0].num_samples:,} cannot tell which values of"
            f" the labels are missing. Take at least {MIN_FOR_MODES}."
        )
        return Finding("modes", "unsure", "unknown", text)
    count = len(modes)
    text = f"No known value of {'the label' if count == 1 else f'the {count} labels'} is missing."
    return Finding("modes", "healthy", "good", text)


def _has_too_few_for_modes(modes: tuple[ModeShares, ...]) -> bool:
    """Say whether nothing seems to be missing, but of samples too few to miss it."""
    is_amiss = any(mode.missing or mode.rare for mode in modes)
    return bool(modes) and not is_amiss and modes[0].num_samples < MIN_FOR_MODES


def judge_copying(found: Copying) -> Finding:
    """Judge the nearest real images by the share of samples that come closer than real ones do."""
    if found.reason is not None:
        return Finding("copying", "healthy", "good", f"Copying was not measured. {found.reason}")
    searched = min(1.0, found.num_real / max(found.num_dataset, 1))
    copied = max(
        _count_copied(found.close_share_interval[0], found.expected_share, searched),
        _count_copied(found.ratio_share_interval[0], found.expected_ratio_share, searched),
    )
    shares = (
        f"{found.close_share:.0%} of the samples are closer to one of {found.source} than"
        f" {1 - found.expected_share:.0%} of real images are to each other, and for"
        f" {found.ratio_share:.0%} one real image is nearer by far than the next (real images:"
        f" {found.expected_ratio_share:.0%})"
    )
    if copied > COPIED:
        part = (
            "" if searched > 0.99 else f", though only {searched:.0%} of the data set was searched"
        )
        text = f"The generator copies its training images: {shares}{part}."
        return Finding("copying", "copies", "bad", text)
    if copied > SOME_COPIED:
        return Finding("copying", "copies", "warn", f"Some samples look copied: {shares}.")
    return Finding("copying", "healthy", "good", f"No sign of copying: {shares}.")


def _count_copied(low: float, expected: float, searched: float) -> float:
    """Estimate the share of samples that are copies, by the lower end of the share found.

    Copies of images that were not searched cannot be found: what is found stands for more.
    """
    return max(0.0, low - 2 * expected) / searched


def judge_sensitivity(found: Sensitivity) -> Finding:
    """Judge whether the image moves at all for the largest step in z."""
    change, step = found.mean_changes[-1], found.steps[-1]
    text = (
        f"A step of {step:g} in z changes the image by {change:.1f} grey levels; two samples differ"
        f" by {found.between_samples:.1f}."
    )
    if len(found.base_seeds) > 1 and change < FLAT_CHANGE * max(found.between_samples, 1.0):
        return Finding("sensitivity", "low_spread", "warn", f"The image hardly follows z. {text}")
    return Finding("sensitivity", "healthy", "good", text)


def _describe_health(diagnosis: Diagnosis) -> str:
    """Say that nothing was found, by which numbers, and what limits that."""
    assert diagnosis.duplicates is not None
    assert diagnosis.spread is not None
    low = diagnosis.duplicates.support_interval[0]
    searched = diagnosis.copying is not None and diagnosis.copying.reason is None
    has_few = _has_too_few_for_modes(diagnosis.modes)
    absent = ["collapse", *(["missing values"] if diagnosis.modes and not has_few else [])]
    absent += ["copying"] if searched else []
    text = (
        f"No sign of {_join(absent, 'or')} in {diagnosis.num_samples:,} samples: at least"
        f" {format_count(low)} different images, {diagnosis.spread.ratio:.2f} times as far apart as"
        " real ones."
    )
    if has_few:
        text += f" Whether values of labels are missing takes {MIN_FOR_MODES} samples to tell."
    precision = find_metric(diagnosis.spread, "precision")
    if precision is not None and precision < POOR_PRECISION:
        text += (
            f" But few of them look real to the network (precision {precision:.2f}): a copy among"
            " such samples could go unseen."
        )
    return text


def find_metric(spread: Spread, key: str) -> float | None:
    """Return the value of one of the spread's metrics, None while it is not measured."""
    return next((row.value for row in spread.metrics if row.key == key), None)


def format_count(value: float) -> str:
    """Write a number of images with two significant digits: 1,100, 12, 1.0 million."""
    if value >= 1e6:
        return f"{value / 1e6:.2g} million"
    digits = float(f"{value:.2g}")
    return f"{digits:,.0f}" if value >= 9.95 else f"{round(value, 1):g}"


def _format_small(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.5 else f"{value:.1f}"


def _name_values(mode: ModeShares, values: tuple[str, ...]) -> str:
    """Name values with their shares: "hair: spiky (0.2 %, real 25 %)"."""
    share_of = {
        value: (share, real)
        for value, share, real in zip(mode.values, mode.shares, mode.real_shares, strict=True)
    }
    named = (f"{v} ({share_of[v][0]:.1%}, real images {share_of[v][1]:.0%})" for v in values)
    return f"{mode.name} {', '.join(named)}"


def _join(parts: list[str], last: str = "and") -> str:
    """Join parts with commas, and the last one with a word."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"
