"""Diagnoses as text: one column for each model, the verdicts below."""

from collections.abc import Sequence

from explorer.diagnosis.types import Copying, Diagnosis, Duplicates, LabelEvidence, Sensitivity
from explorer.diagnosis.verdict import format_count
from training.tables import format_table

UNKNOWN = "-"


def format_diagnoses(diagnoses: Sequence[Diagnosis]) -> str:
    """Lay out what was measured of each model, beside what real images get, then the verdicts."""
    columns = [_describe(diagnosis) for diagnosis in diagnoses]
    rows = [("", *(diagnosis.model for diagnosis in diagnoses))]
    for label in dict.fromkeys(label for column in columns for label in column):
        rows.append((label, *(column.get(label, UNKNOWN) for column in columns)))
    verdicts = (
        f"{diagnosis.model}: {diagnosis.verdict.title}. {diagnosis.verdict.text}"
        for diagnosis in diagnoses
        if diagnosis.verdict is not None
    )
    return "\n\n".join([format_table(rows), *verdicts])


def _describe(diagnosis: Diagnosis) -> dict[str, str]:
    """Describe the parts of one diagnosis, a fact a line."""
    facts = {
        "samples": f"{diagnosis.num_samples:,}",
        "extractor": diagnosis.extractor,
        "reference": diagnosis.reference,
    }
    if diagnosis.duplicates is not None:
        facts |= _describe_duplicates(diagnosis.duplicates)
    if diagnosis.spread is not None:
        facts["distance between samples"] = _compare(
            diagnosis.spread.mean_distance, diagnosis.spread.real_mean_distance
        )
        for row in diagnosis.spread.metrics:
            facts[row.title.lower()] = _compare(row.value, row.real_value)
    if diagnosis.sensitivity is not None:
        facts |= _describe_sensitivity(diagnosis.sensitivity)
    for mode in diagnosis.modes:
        missing = ", ".join(mode.missing)
        facts[f"label {mode.name}"] = (
            f"{mode.entropy:.2f} bits (real {mode.real_entropy:.2f}; classifier right"
            f" {mode.accuracy:.0%})" + (f", missing: {missing}" if missing else "")
        )
    for label in diagnosis.labels:
        facts[f"label {label.name} as asked"] = _describe_fidelity(label)
    if diagnosis.copying is not None:
        facts |= _describe_copying(diagnosis.copying)
    return facts


def _describe_duplicates(found: Duplicates) -> dict[str, str]:
    low, high = found.support_interval
    if found.support is None or high is None:
        support = f"at least {format_count(low)}"
    else:
        interval = f"{format_count(low)} to {format_count(high)}"
        support = f"about {format_count(found.support)} ({interval})"
    return {
        "near-duplicates": f"{found.num_close:,} of {found.num_pairs:,} pairs"
        f" (real {found.expected_close:,.1f})",
        "different images": support,
    }


def _describe_sensitivity(found: Sensitivity) -> dict[str, str]:
    flat, strong = found.flattest[0].changes[-1], found.strongest[0].changes[-1]
    return {
        f"grey levels per step of {found.steps[-1]:g} in z": f"{found.mean_changes[-1]:.1f}"
        f" ({flat:.1f} to {strong:.1f}; two samples {found.between_samples:.1f})"
    }


def _describe_fidelity(found: LabelEvidence) -> str:
    if found.error is None:
        return f"{found.value:.1%} (real {found.real_value:.1%})"
    return (
        f"rank correlation {found.value:.2f} (real {found.real_value:.2f}), mean error"
        f" {found.error:.3g} (real {found.real_error:.3g})"
    )


def _describe_copying(found: Copying) -> dict[str, str]:
    if found.reason is not None:
        return {"copying": found.reason}
    return {
        "searched for copies": found.source,
        "closer than real images": f"{found.close_share:.1%} (real {found.expected_share:.1%})",
        "one image far nearer": f"{found.ratio_share:.1%} (real {found.expected_ratio_share:.1%})",
    }


def _compare(value: float, real_value: float | None) -> str:
    return f"{value:.2f}" + ("" if real_value is None else f" (real {real_value:.2f})")
