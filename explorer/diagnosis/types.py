"""What a diagnosis says, as records that the page, the command line and JSON share.

Distances are Euclidean distances between the extractor's features unless a field says otherwise.
Intervals are 95 % confidence intervals. Seeds name samples, indices name images of the data set.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

VerdictKind = Literal["healthy", "collapsed", "missing_modes", "copies", "low_spread", "unsure"]
Level = Literal["good", "warn", "bad", "unknown"]


class Record:
    """Turn a dataclass into JSON values."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name: records as objects, tuples and arrays as lists.

        What JSON has no number for (infinite, not a number) becomes None.
        """
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: _to_plain(getattr(self, field.name)) for field in fields}


@dataclass(frozen=True)
class SamplePair(Record):
    """Name two samples by seed, and say how far they lie apart."""

    first_seed: int
    second_seed: int
    distance: float


@dataclass(frozen=True)
class PairLevel(Record):
    """Count the pairs closer than a distance, where real images would have `expected`."""

    real_share: float
    distance: float
    num_pairs: int
    expected: float


@dataclass(frozen=True)
class Duplicates(Record):
    """Hold the birthday-paradox test: near-duplicates among the samples, and the support size.

    `num_close` of `num_pairs` pairs are closer than `threshold`; among as many pairs of real
    images `expected_close` are. `support` is the effective number of different images (None: no
    more pairs than among real images, so there is only a lower bound); the upper end of its
    interval is None where the samples set no bound. `levels` counts pairs at other distances.
    `closest` are the closest pairs, no seed in more than one.
    """

    num_samples: int
    num_pairs: int
    num_close: int
    threshold: float
    real_share: float
    expected_close: float
    support: float | None
    support_interval: tuple[float, float | None]
    levels: tuple[PairLevel, ...]
    closest: tuple[SamplePair, ...]


@dataclass(frozen=True)
class MetricRow(Record):
    """Hold a metric of the samples beside what as many real images get (None: unknown)."""

    key: str
    title: str
    value: float
    real_value: float | None
    is_higher_better: bool = True


@dataclass(frozen=True)
class Spread(Record):
    """Hold how far samples lie apart, how far real images do, and the ratio of the two.

    `metrics` has recall, precision, density and coverage, as far as they are measured yet, of the
    first `num_measured` samples (recall and coverage: of as many as there are real images kept, at
    most).
    """

    mean_distance: float
    real_mean_distance: float
    ratio: float
    metrics: tuple[MetricRow, ...] = ()
    num_measured: int = 0


@dataclass(frozen=True)
class DirectionCurve(Record):
    """Hold how far the image moves along one direction, for each of the step sizes.

    `direction_seed` names the direction: the latent of that seed, scaled to length 1. `changes`
    are averages over the base points, in grey levels (root mean square over pixels, 0 to 255).
    """

    direction_seed: int
    changes: tuple[float, ...]


@dataclass(frozen=True)
class Sensitivity(Record):
    """Hold how far the image moves per step in z: grey levels (RMS over pixels, 0 to 255).

    `steps` are lengths in z. `mean_changes` average over all directions and base points, the
    curves over the base points `base_seeds`. `between_samples` is the same measure between two
    different samples, the most that a step could change on average. `flattest` and `strongest`
    are the directions that change least and most at the largest step, the most extreme first;
    images along one are those of z = latent(base seed) + step * direction.
    """

    steps: tuple[float, ...]
    mean_changes: tuple[float, ...]
    between_samples: float
    num_directions: int
    base_seeds: tuple[int, ...]
    flattest: tuple[DirectionCurve, ...]
    strongest: tuple[DirectionCurve, ...]
    unit: str = "grey levels (RMS, 0 to 255)"


@dataclass(frozen=True)
class ModeShares(Record):
    """Hold how often a label's values occur, by the reference's classifier; entropies in bits.

    `shares` and `real_shares` follow `values`. `missing` names the values that are as good as
    absent from the samples, `rare` those that occur markedly less often than in real images.
    `accuracy` is the classifier's on real images that it did not learn from.
    """

    name: str
    values: tuple[str, ...]
    shares: tuple[float, ...]
    real_shares: tuple[float, ...]
    missing: tuple[str, ...]
    rare: tuple[str, ...]
    entropy: float
    real_entropy: float
    accuracy: float
    num_samples: int


@dataclass(frozen=True)
class NearestImage(Record):
    """Name a sample by seed, the real image nearest to it by index, and their distance."""

    seed: int
    image_index: int
    distance: float


@dataclass(frozen=True)
class Copying(Record):
    """Hold how near samples come to real images, beside how near real images come to each other.

    `num_real` of the data set's `num_dataset` images were searched. The histogram has bin `edges`
    (B + 1) and shares (B) of samples and of real images by the distance to the nearest (other)
    real image; `close_share` of the samples are closer than `close_distance`, `expected_share` of
    the real images are. `ratio_share` of the samples have their nearest real image nearer than
    `ratio_limit` times their second nearest, `expected_ratio_share` of the real images do: a copy
    with noise shows there only. The intervals count samples that repeat as one. Where the search is
    impossible, `reason` says why and the rest is empty.
    """

    num_samples: int = 0
    num_real: int = 0
    num_dataset: int = 0
    source: str = ""
    edges: tuple[float, ...] = ()
    sample_shares: tuple[float, ...] = ()
    real_shares: tuple[float, ...] = ()
    close_distance: float = 0.0
    close_share: float = 0.0
    close_share_interval: tuple[float, float] = (0.0, 1.0)
    expected_share: float = 0.0
    ratio_limit: float = 0.0
    ratio_share: float = 0.0
    ratio_share_interval: tuple[float, float] = (0.0, 1.0)
    expected_ratio_share: float = 0.0
    closest: tuple[NearestImage, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class FeatureMap(Record):
    """Hold samples and real images on the leading principal components of their features.

    The first two columns of the positions (n, 4) and (m, 4) make the map, all four the pair plot.
    `axes` names the components, `explained_shares` says how much of the variance each explains.
    """

    axes: tuple[str, ...]
    explained_shares: tuple[float, ...]
    sample_seeds: tuple[int, ...]
    sample_positions: NDArray[np.float32]
    real_indices: tuple[int, ...]
    real_positions: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LabelEvidence(Record):
    """Hold, for one label, how well samples show what was asked for, read by a stranger.

    `value` is the share of samples whose class is read right, or the rank correlation (Spearman) of
    asked and read numbers, whose mean absolute error is `error`; `real_value` and `real_error` are
    the same reader's on `num_real` real images it did not learn from. Of classes, `values` names
    them, `shares` is the share read right of each, and `confusion` (C, C) counts samples by the
    class asked for and the class read.
    """

    name: str
    values: tuple[str, ...]
    num_samples: int
    value: float
    real_value: float
    num_real: int
    error: float | None = None
    real_error: float | None = None
    shares: tuple[float, ...] = ()
    confusion: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Finding(Record):
    """Hold what one part of the diagnosis says by itself."""

    part: Literal["duplicates", "spread", "sensitivity", "modes", "copying"]
    kind: VerdictKind
    level: Level
    text: str


@dataclass(frozen=True)
class Verdict(Record):
    """Hold the conclusion: one or two sentences with the numbers it rests on, and all findings.

    `title` says in a few words what `kind` and `level` are together.
    """

    kind: VerdictKind
    level: Level
    title: str
    text: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class Diagnosis(Record):
    """Hold one state of a running diagnosis of one model; parts are None until measured.

    `stage` is a sentence for the status line. `modes` stays empty where the reference has no
    classifiers; `mode_note` then says so. `labels` stays empty where the model has none, and
    until they are read; `label_note` then says why. `checkpoint` is the hash of the weights that
    all of it is of.
    """

    model: str
    extractor: str
    reference: str
    num_samples: int
    target: int
    stage: str
    is_done: bool = False
    base_seed: int = 0
    verdict: Verdict | None = None
    duplicates: Duplicates | None = None
    spread: Spread | None = None
    sensitivity: Sensitivity | None = None
    modes: tuple[ModeShares, ...] = ()
    mode_note: str | None = None
    copying: Copying | None = None
    map: FeatureMap | None = None
    labels: tuple[LabelEvidence, ...] = ()
    label_note: str | None = None
    checkpoint: str = ""


def _to_plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return _to_plain(value.tolist())
    if isinstance(value, (tuple, list)):
        return [_to_plain(item) for item in value]
    if isinstance(value, (np.integer, np.floating)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
