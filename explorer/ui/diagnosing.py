"""What the Diagnose tab and its public endpoint both do: stream diagnoses of one or two models."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.diagnosis.on_disk import find_dataset_on_disk
from explorer.diagnosis.results import DiagnosisKey
from explorer.diagnosis.types import Diagnosis
from explorer.ui.context import AppContext
from explorer.weights import DIAGNOSE_AGAIN, check_weights
from training.datasets.types import ImageDataset
from training.errors import ConfigError, ProjectError

if TYPE_CHECKING:
    from training.metrics.reference import ReferenceStatistics

MAX_MODELS = 2
NOT_HERE = "The real images themselves are not on this machine, so only samples are shown."
WITHHELD = "Real images are not sent: others may reach this page, or --no-real-images was given."


@dataclass(frozen=True)
class Case:
    """Hold one model's newest diagnosis (None before the first), or why there can be none.

    ``real_images_note`` says why the images that it learned are not shown, "" if they are.
    """

    model: str
    diagnosis: Diagnosis | None = None
    error: str | None = None
    real_images_note: str = NOT_HERE

    @property
    def has_real_images(self) -> bool:
        """Say whether the images that the model learned can be shown."""
        return not self.real_images_note

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
            "real_images_note": self.real_images_note,
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
    extracted once. The models take turns; what is known from before comes at once. A model that
    cannot be diagnosed says why in its case, and the other one goes on. Raises ConfigError if the
    choice itself is wrong.
    """
    from explorer.diagnosis.request import MAX_SAMPLES, MIN_SAMPLES

    check_models(names)
    if not MIN_SAMPLES <= num_samples <= MAX_SAMPLES:
        raise ConfigError(
            f"{num_samples} samples are out of range: choose {MIN_SAMPLES} to {MAX_SAMPLES:,}."
        )
    cases = {name: Case(name) for name in names}
    yield tuple(cases.values())
    streams = {
        name: stream_case(context, name, extractor_key, num_samples, search_all) for name in names
    }
    try:
        while streams:
            for name in list(streams):
                case = next(streams[name], None)
                if case is None:
                    del streams[name]
                    continue
                cases[name] = case
                yield tuple(cases.values())
    finally:
        for stream in streams.values():
            stream.close()


def stream_case(
    context: AppContext, name: str, extractor_key: str, num_samples: int, search_all: bool
) -> Generator[Case, None, None]:
    """Yield a model's case after every value; what keeps it from being diagnosed is in the last."""
    from explorer.comparison import get_reference_for

    case = Case(name)
    try:
        reference = get_reference_for(context.sampler, name, extractor_key)
        for case in _stream_case(context, name, reference, num_samples, search_all):
            yield case
    except ProjectError as error:
        yield replace(case, error=str(error))


def _stream_case(
    context: AppContext,
    name: str,
    reference: "ReferenceStatistics",
    num_samples: int,
    search_all: bool,
) -> Generator[Case, None, None]:
    """Diagnose a model on the worker, unless that was done before."""
    from explorer.diagnosis.request import DiagnosisOptions
    from explorer.diagnosis.stream import stream_diagnosis
    from explorer.score_results import identify_reference

    dataset = find_dataset_on_disk(context.sampler.get_header(name).dataset)
    key = DiagnosisKey(
        context.library.get_fingerprint(name),
        reference.extractor,
        identify_reference(reference),
        num_samples,
        has_dataset=dataset is not None,
        is_search_wide=search_all,
        reader=context.readers.identify(name),
    )
    options = DiagnosisOptions(num_samples=num_samples, extract_dataset=search_all)
    note = explain_absence(context, dataset)

    def make_stream() -> Iterator[Diagnosis]:
        samples = context.bank.open(name, context.bank.get_extractor(reference.extractor))
        # It is kept under the key, which was made before the worker came to it.
        check_weights(context.library, name, key.fingerprint, DIAGNOSE_AGAIN)
        reader = context.readers.find(name)
        return stream_diagnosis(context.sampler, samples, reference, options, dataset, reader)

    known = context.diagnoses.find(key)
    if known is not None:
        yield Case(name, known, real_images_note=note)
        return
    with closing(context.worker.run(make_stream)) as stream:
        for diagnosis in stream:
            if diagnosis.is_done and diagnosis.checkpoint == key.fingerprint:
                context.diagnoses.add(key, diagnosis)
            yield Case(name, diagnosis, real_images_note=note)


def explain_absence(context: AppContext, dataset: ImageDataset | None) -> str:
    """Return the sentence that says why real images are not shown, "" if they are."""
    if dataset is None:
        return NOT_HERE
    return "" if context.sends_real_images else WITHHELD


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
