"""Scores of several models side by side, while their samples come in."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from explorer.feature_bank import make_images
from explorer.sampler import Sampler
from training.errors import MetricError
from training.latents import check_seed
from training.metrics.extractors import DEFAULT_EXTRACTOR, Extractor, load_extractor
from training.metrics.reference import ReferenceStatistics
from training.metrics.score import Score, stream_scores

BATCH_SIZE = 32
MIN_SAMPLES, MAX_SAMPLES = 2, 50_000


@dataclass(frozen=True)
class ComparisonUpdate:
    """Hold a model's score so far, the seconds spent on it, and whether it is the last."""

    model: str
    score: Score
    seconds: float
    is_last: bool


def stream_comparison(
    sampler: Sampler,
    names: Sequence[str],
    extractor: Extractor | str = DEFAULT_EXTRACTOR,
    num_samples: int = 2048,
    base_seed: int = 0,
    reference: ReferenceStatistics | None = None,
) -> Iterator[ComparisonUpdate]:
    """Score models in turns on the same seeds, yielding each new value, about one per second.

    Models are compared with ``reference`` if given, else each with the statistics of the data set
    it learned. Sample i of every model is drawn from seed ``base_seed + i``; class-conditional
    models get all classes in turn. ``extractor`` is a loaded one or a key of EXTRACTORS. Closing
    the iterator stops the work. Raises MetricError here, before any work, if a reference is
    missing or does not fit.
    """
    if not names:
        raise MetricError("No models were chosen: choose at least one to score.")
    if not MIN_SAMPLES <= num_samples <= MAX_SAMPLES:
        raise MetricError(
            f"{num_samples} samples are out of range: choose {MIN_SAMPLES} to {MAX_SAMPLES}."
        )
    check_seed(base_seed)
    check_seed(base_seed + num_samples - 1)
    key = extractor if isinstance(extractor, str) else extractor.key
    references = {
        name: get_reference_for(sampler, name, key, reference) for name in dict.fromkeys(names)
    }
    if isinstance(extractor, str):
        extractor = load_extractor(extractor, device=sampler.device)
    streams: dict[str, Iterator[Score]] = {
        name: stream_scores(
            make_images(sampler, name, base_seed), found, extractor, num_samples, BATCH_SIZE
        )
        for name, found in references.items()
    }
    return _take_turns(streams, num_samples)


def get_reference_for(
    sampler: Sampler,
    name: str,
    extractor_key: str,
    reference: ReferenceStatistics | None = None,
) -> ReferenceStatistics:
    """Return the given reference, else the one of a model's own data set; raises MetricError."""
    library = sampler.library
    entry = library.get(name)
    header = sampler.get_header(name)
    resolution = header.model.img_resolution
    found = reference or library.find_reference(entry, extractor_key)
    if found is None:
        data = header.dataset.get("name", "unknown")
        raise MetricError(
            f"{name} learned {data} at {resolution} px, and there are no {extractor_key} "
            f"statistics of these images in {library.get_references_folder()}: make them with "
            f"`python -m training reference --data {data} --resolution {resolution} --extractor "
            f"{extractor_key}`."
        )
    if found.dataset.get("resolution") != resolution:
        raise MetricError(
            f"{name} makes images of {resolution} px, but the reference {found.name} is of "
            f"{found.dataset.get('resolution')} px: a score needs one resolution."
        )
    return found


def _take_turns(
    streams: dict[str, Iterator[Score]], num_samples: int
) -> Iterator[ComparisonUpdate]:
    seconds = dict.fromkeys(streams, 0.0)
    try:
        while streams:
            for name in list(streams):
                began = time.monotonic()
                score = next(streams[name])
                seconds[name] += time.monotonic() - began
                is_last = score.num_samples == num_samples
                if is_last:
                    del streams[name]  # its features' statistics are no longer needed
                yield ComparisonUpdate(name, score, seconds[name], is_last)
    finally:
        streams.clear()
