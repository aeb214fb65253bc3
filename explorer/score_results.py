"""Scores that are known already: asked for again they come at once, and more samples continue."""

import dataclasses
import hashlib
import json
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import ProjectError
from training.files import write_text
from training.metrics.reference import ReferenceStatistics
from training.metrics.score import Score, describe_score

FORMAT_VERSION = 1
MAX_RECORDS = 256
MAX_ESTIMATORS = 4  # with 1,280 features each takes up to 70 MB
# Between two points that are kept only for a chart lies at least this ratio of samples.
MIN_RATIO = 1.03


@dataclass(frozen=True)
class ResultKey:
    """Name what a model's scores depend on, the number of samples aside."""

    fingerprint: str
    """Hash of the weights."""
    extractor: str
    reference: str
    """As `identify_reference` gives it."""
    base_seed: int

    @property
    def file_name(self) -> str:
        """Return a file name that no other key has."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() + ".json"


@dataclass
class _Record:
    """Hold the scores of a key by number of samples, and the numbers somebody asked for."""

    points: dict[int, Score]
    asked: set[int]

    def thin(self) -> None:
        """Forget points that a chart would draw upon each other, never one asked for."""
        kept: dict[int, Score] = {}
        counts = sorted(self.points)
        latest = 0
        for count in counts:
            if count in self.asked or count >= latest * MIN_RATIO or count == counts[-1]:
                kept[count] = self.points[count]
                latest = count
        self.points = kept


class ScoreResults:
    """Keep scores in memory and as small JSON files in a folder, and estimators to go on from.

    Without a folder nothing is written. A file that is damaged, or of another version, counts as
    absent and is replaced. A file that cannot be written is not missed: the scores stay in memory.
    Safe to use from several threads.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._records: OrderedDict[ResultKey, _Record] = OrderedDict()
        self._estimators: OrderedDict[ResultKey, Any] = OrderedDict()

    def get(self, key: ResultKey, max_samples: int) -> tuple[Score, ...]:
        """Return the scores known of up to so many samples, by growing number."""
        with self._lock:
            points = self._get_record(key).points
            return tuple(points[count] for count in sorted(points) if count <= max_samples)

    def was_asked(self, key: ResultKey, num_samples: int) -> bool:
        """Tell whether the score of so many samples was asked for: its interval is its own."""
        with self._lock:
            return num_samples in self._get_record(key).asked

    def add(self, key: ResultKey, score: Score, is_asked_for: bool = False) -> None:
        """Keep a score; one that was asked for stays, others thin out where they are many."""
        with self._lock:
            record = self._get_record(key)
            record.points[score.num_samples] = score
            if is_asked_for:
                record.asked.add(score.num_samples)

    def save(self, key: ResultKey) -> None:
        """Write a key's scores to its file."""
        with self._lock:
            record = self._get_record(key)
            record.thin()
            text = json.dumps(
                {
                    "format_version": FORMAT_VERSION,
                    "key": dataclasses.asdict(key),
                    "asked": sorted(record.asked),
                    "points": [describe_score(record.points[n]) for n in sorted(record.points)],
                }
            )
        if self.folder is None:
            return
        try:
            write_text(self.folder / key.file_name, text)
        except (OSError, ProjectError):
            return  # no place to keep it; it is still in memory, and can be computed again

    def take_estimator(self, key: ResultKey, max_samples: int) -> Any | None:
        """Hand out the estimator kept for a key, unless it has seen too many samples already.

        It is the caller's then, until `keep_estimator` gives it back.
        """
        with self._lock:
            estimator = self._estimators.get(key)
            if estimator is None or estimator.num_samples > max_samples:
                return None
            return self._estimators.pop(key)

    def keep_estimator(self, key: ResultKey, estimator: Any) -> None:
        """Keep an estimator, of two for one key the one that saw more; the oldest gives way."""
        with self._lock:
            known = self._estimators.get(key)
            if known is None or known.num_samples < estimator.num_samples:
                self._estimators[key] = estimator
            self._estimators.move_to_end(key)
            while len(self._estimators) > MAX_ESTIMATORS:
                self._estimators.popitem(last=False)

    def _get_record(self, key: ResultKey) -> _Record:
        """Return a key's record, read from its file at first; the caller holds the lock."""
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = self._read(key)
            while len(self._records) > MAX_RECORDS:
                self._records.popitem(last=False)
        self._records.move_to_end(key)
        return record

    def _read(self, key: ResultKey) -> _Record:
        if self.folder is None:
            return _Record({}, set())
        try:
            data = json.loads((self.folder / key.file_name).read_text(encoding="utf-8"))
            if data["format_version"] != FORMAT_VERSION or data["key"] != dataclasses.asdict(key):
                return _Record({}, set())
            scores = [read_score(values) for values in data["points"]]
            asked = {int(count) for count in data["asked"]}
        except (OSError, ValueError, KeyError, TypeError):
            return _Record({}, set())  # absent or damaged: it will be written anew
        return _Record({score.num_samples: score for score in scores}, asked)


def read_score(values: dict[str, Any]) -> Score:
    """Build a score from what `describe_score` gives; raises ValueError if it is none."""
    facts = {**values, "value": values.get("score")}
    facts.pop("score", None)
    expected = {field.name for field in dataclasses.fields(Score)}
    if set(facts) != expected:
        raise ValueError(f"a score has the fields {sorted(expected)}, found {sorted(facts)}")
    built: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in facts.items()
    }
    score = Score(**built)
    is_sound = math.isfinite(score.value) and math.isfinite(score.noise_floor)
    if not is_sound or not isinstance(score.num_samples, int) or score.num_samples < 1:
        raise ValueError(f"found a score of {built}")
    return score


def identify_reference(reference: ReferenceStatistics) -> str:
    """Return 32 hex digits that change with the real images, their statistics and noise floor."""
    facts = json.dumps(
        [
            reference.dataset.get("fingerprint"),
            reference.dataset.get("resolution"),
            reference.title,
            reference.extractor,
            reference.statistics.num_samples,
            reference.noise_floor,
        ],
        default=str,
    )
    digest = hashlib.blake2b(facts.encode(), digest_size=16)
    digest.update(np.ascontiguousarray(reference.statistics.mean).tobytes())
    digest.update(np.diag(reference.statistics.covariance).tobytes())
    return digest.hexdigest()
