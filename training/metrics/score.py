"""Scores of a generator while its samples come in: a first value early, then a better one often."""

import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from training.errors import MetricError
from training.metrics.extractors import Extractor
from training.metrics.reference import ReferenceStatistics
from training.metrics.streaming import RunningStatistics

FIRST_SCORE_AT = 64
SECONDS_BETWEEN_SCORES = 0.8
# A score may take this share of the time, so that sampling, not scoring, sets the pace.
MAX_SCORING_SHARE = 0.2


@dataclass(frozen=True)
class Score:
    """Hold a score with everything needed to judge it; lower is better.

    `noise_floor` is what perfect samples of this number are expected to score against this
    reference; where it is not measured it is extrapolated, to be shown with a "~".
    """

    value: float
    score_name: str
    extractor: str
    num_samples: int
    reference: str
    noise_floor: float
    is_noise_floor_measured: bool = True


def describe_score(score: Score) -> dict[str, Any]:
    """Return a score as plain JSON values: `score` (the value) and the other fields of Score."""
    values = asdict(score)
    return {"score": values.pop("value"), **values}


MakeImages = Callable[[int, int], Tensor]
"""Makes the images (count, C, H, W) uint8 of samples start to start + count - 1."""


def stream_scores(
    make_images: MakeImages,
    reference: ReferenceStatistics,
    extractor: Extractor,
    num_samples: int,
    batch_size: int = 64,
) -> Generator[Score, None, None]:
    """Yield the score after the first 64 samples, about once per second, and after the last one.

    The last score does not depend on the batch size or on how many came before. Closing the
    iterator stops the work between two batches. Where one score takes long, fewer are computed.

    Raises MetricError if reference and extractor do not fit, or below 2 samples.
    """
    _check_request(reference, extractor, num_samples, batch_size)
    running = RunningStatistics(extractor.dim)
    next_score_at = 0.0
    while running.num_samples < num_samples:
        start = running.num_samples
        # Batches meet the first score's count exactly, so that it does not wait for a large one.
        end = FIRST_SCORE_AT if start < FIRST_SCORE_AT else num_samples
        count = min(batch_size, end - start, num_samples - start)
        _add_samples(running, make_images, extractor, start, count)
        is_last = running.num_samples == num_samples
        is_due = running.num_samples >= FIRST_SCORE_AT and time.monotonic() >= next_score_at
        if is_last or is_due:
            began = time.monotonic()
            score = _compute_score_so_far(running, reference, extractor)
            seconds = time.monotonic() - began
            pause = max(SECONDS_BETWEEN_SCORES, seconds / MAX_SCORING_SHARE)
            next_score_at = began + pause
            yield score


def compute_score(
    make_images: MakeImages,
    reference: ReferenceStatistics,
    extractor: Extractor,
    num_samples: int,
    batch_size: int = 64,
    on_batch: Callable[[int], object] | None = None,
) -> Score:
    """Compute the score of `num_samples` samples; `on_batch` hears how many each batch added."""
    _check_request(reference, extractor, num_samples, batch_size)
    running = RunningStatistics(extractor.dim)
    for start in range(0, num_samples, batch_size):
        count = min(batch_size, num_samples - start)
        _add_samples(running, make_images, extractor, start, count)
        if on_batch is not None:
            on_batch(count)
    return _compute_score_so_far(running, reference, extractor)


def _add_samples(
    running: RunningStatistics,
    make_images: MakeImages,
    extractor: Extractor,
    start: int,
    count: int,
) -> None:
    images = make_images(start, count)
    if len(images) != count:
        raise MetricError(
            f"Score: found {len(images)} of the {count} images from sample {start} on; expected as"
            " many as asked for."
        )
    running.update(extractor(images).numpy())


def _compute_score_so_far(
    running: RunningStatistics, reference: ReferenceStatistics, extractor: Extractor
) -> Score:
    num_samples = running.num_samples
    return Score(
        value=running.compute_frechet_distance(reference.statistics),
        score_name=extractor.score_name,
        extractor=extractor.key,
        num_samples=num_samples,
        reference=reference.title,
        noise_floor=reference.get_noise_floor(num_samples),
        is_noise_floor_measured=reference.is_noise_floor_measured(num_samples),
    )


def _check_request(
    reference: ReferenceStatistics, extractor: Extractor, num_samples: int, batch_size: int
) -> None:
    if reference.extractor != extractor.key:
        raise MetricError(
            f"Score: the reference of {reference.name} was made with the extractor"
            f" {reference.extractor}, the samples would use {extractor.key}; use the same one, or"
            " make a reference with `python -m training reference`."
        )
    if num_samples < 2 or batch_size < 1:
        raise MetricError(
            f"Score: found {num_samples} sample(s) in batches of {batch_size}, expected at least 2"
            " samples in batches of at least 1."
        )
