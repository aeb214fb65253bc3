"""Scores of several models side by side, while their samples come in."""

import time
from collections.abc import Callable, Iterator, Sequence

from explorer.feature_bank import FeatureBank
from explorer.library import REFERENCES_FOLDER
from explorer.model_scoring import ComparisonUpdate, ModelScoring
from explorer.sampler import Sampler
from explorer.score_results import ScoreResults
from training.errors import MetricError
from training.latents import check_seed
from training.metrics.data_advice import PLACE_ADVICE, describe_data_options
from training.metrics.extractors import DEFAULT_EXTRACTOR, Extractor
from training.metrics.frechet_estimator import MIN_SAMPLES
from training.metrics.reference import ReferenceStatistics

MAX_SAMPLES = 50_000
DIFFERENT_DATA = (
    "The models are measured against different real images: only scores with one reference compare."
)


def stream_comparison(
    bank: FeatureBank,
    names: Sequence[str],
    extractor: Extractor | str = DEFAULT_EXTRACTOR,
    num_samples: int = 2048,
    base_seed: int = 0,
    reference: ReferenceStatistics | None = None,
    results: ScoreResults | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[ComparisonUpdate]:
    """Score models in turns on the same seeds, yielding each new value, about one per second.

    Models are compared with ``reference`` if given, else each with the statistics of the data set
    it learned. Sample i of every model is drawn from seed ``base_seed + i``, which draws the labels
    of models that take some, too. ``extractor`` is a loaded one or a key of EXTRACTORS. What
    ``results`` know comes at once, and only samples beyond it are scored. Closing the iterator
    stops the work; what is scored by then is kept in ``results``. Raises MetricError here, before
    any work, if a reference is missing or of another resolution. ``clock`` tells seconds.
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
        name: get_reference_for(bank.sampler, name, key, reference) for name in dict.fromkeys(names)
    }
    loaded = bank.get_extractor(extractor) if isinstance(extractor, str) else extractor
    kept = ScoreResults() if results is None else results
    scorings = [
        ModelScoring(bank.open(name, loaded, base_seed), found, num_samples, kept, clock)
        for name, found in references.items()
    ]
    return _take_turns(scorings, clock)


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
        command = f"{describe_data_options(header)} --extractor {extractor_key}"
        raise MetricError(
            f"{name} learned {data} at {resolution} px, and there are no {extractor_key} "
            f"statistics of these images in {library.shown / REFERENCES_FOLDER}: make them with "
            f"`python -m training reference {command}`, {PLACE_ADVICE}."
        )
    if found.dataset.get("resolution") != resolution:
        raise MetricError(
            f"{name} makes images of {resolution} px, but the reference {found.name} is of "
            f"{found.dataset.get('resolution')} px: a score needs one resolution."
        )
    return found


def _take_turns(
    scorings: list[ModelScoring], clock: Callable[[], float]
) -> Iterator[ComparisonUpdate]:
    """Yield what is known of every model, then let those that go on take turns."""
    going = [scoring for scoring in scorings if not scoring.is_known]
    try:
        for scoring in going:
            scoring.start()
        for scoring in scorings:
            if scoring.known:
                yield scoring.show_known()
        last_value_at = clock()
        while going:
            for scoring in list(going):
                update = scoring.take_turn(last_value_at)
                last_value_at = clock()
                if update.is_last:
                    going.remove(scoring)
                yield update
    finally:
        for scoring in scorings:
            scoring.keep()
