"""What the Diagnose tab and its public endpoint both do: stream diagnoses of one or two models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.diagnosis.on_disk import find_dataset_on_disk
from explorer.diagnosis.types import Diagnosis
from explorer.ui.context import AppContext
from training.errors import ConfigError, ProjectError

if TYPE_CHECKING:
    from training.datasets.types import ImageDataset

MAX_MODELS = 2


@dataclass(frozen=True)
class Case:
    """Hold one model's newest diagnosis (None before the first), or why there can be none.

    ``has_real_images`` says whether the images that it learned can be shown.
    """

    model: str
    diagnosis: Diagnosis | None = None
    error: str | None = None
    has_real_images: bool = False

    @property
    def is_done(self) -> bool:
        """Say whether nothing more will come."""
        return self.error is not None or (self.diagnosis is not None and self.diagnosis.is_done)

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as JSON values, with the error and whether there are pictures."""
        values = {"is_done": False} if self.diagnosis is None else self.diagnosis.to_dict()
        return {
            **values,
            "model": self.model,
            "error": self.error,
            "has_real_images": self.has_real_images,
        }


def stream_cases(
    context: AppContext,
    names: Sequence[str],
    extractor_key: str,
    num_samples: int,
    search_all: bool = False,
) -> Iterator[tuple[Case, ...]]:
    """Yield all models' cases before the first value and after every one; closing it stops.

    With ``search_all`` copies are looked for among all real images, whose features are then
    extracted once. The models take turns. A model that cannot be diagnosed says why in its case,
    and the other one goes on. Raises ConfigError if the choice itself is wrong.
    """
    from explorer.diagnosis.stream import MAX_SAMPLES, MIN_SAMPLES

    check_models(names)
    if not MIN_SAMPLES <= num_samples <= MAX_SAMPLES:
        raise ConfigError(
            f"{num_samples} samples are out of range: choose {MIN_SAMPLES} to {MAX_SAMPLES:,}."
        )
    cases = {name: Case(name) for name in names}
    yield tuple(cases.values())
    streams: dict[str, Iterator[Diagnosis]] = {}
    try:
        for name in names:
            try:
                streams[name] = start_stream(context, name, extractor_key, num_samples, search_all)
                has_images = find_dataset(context, name) is not None
                cases[name] = Case(name, has_real_images=has_images)
            except ProjectError as error:
                cases[name] = Case(name, error=str(error))
        yield tuple(cases.values())
        while streams:
            for name in list(streams):
                cases[name] = step_case(cases[name], streams)
                yield tuple(cases.values())
    finally:
        for stream in streams.values():
            close = getattr(stream, "close", None)
            if close is not None:
                close()


def step_case(case: Case, streams: dict[str, Iterator[Diagnosis]]) -> Case:
    """Take a model's next diagnosis; a stream that ends or fails is removed."""
    try:
        return replace(case, diagnosis=next(streams[case.model]))
    except StopIteration:
        del streams[case.model]
        return case
    except ProjectError as error:
        del streams[case.model]
        return replace(case, error=str(error))


def start_stream(
    context: AppContext, name: str, extractor_key: str, num_samples: int, search_all: bool
) -> Iterator[Diagnosis]:
    """Start a model's diagnosis on the worker; raises MetricError without fitting statistics."""
    from explorer.comparison import get_reference_for
    from explorer.diagnosis.stream import DiagnosisOptions, stream_diagnosis

    reference = get_reference_for(context.sampler, name, extractor_key)
    options = DiagnosisOptions(num_samples=num_samples, extract_dataset=search_all)

    def make_stream() -> Iterator[Diagnosis]:
        samples = context.bank.open(name, context.bank.get_extractor(extractor_key))
        dataset = find_dataset(context, name)
        return stream_diagnosis(context.sampler, samples, reference, options, dataset)

    return context.worker.run(make_stream)


def find_dataset(context: AppContext, name: str) -> "ImageDataset | None":
    """Return the images that a model learned, None if they are not on this machine."""
    return find_dataset_on_disk(context.sampler.get_header(name).dataset)


def check_models(names: Sequence[str] | None) -> list[str]:
    """Return one or two different models; raises ConfigError."""
    chosen = list(names or [])
    if len(set(chosen)) != len(chosen):
        raise ConfigError("The same model is chosen twice: choose different ones.")
    if not 1 <= len(chosen) <= MAX_MODELS:
        raise ConfigError(
            f"{len(chosen)} models are chosen: choose one to diagnose, or two beside each other."
        )
    return chosen
