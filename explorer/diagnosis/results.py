"""Finished diagnoses, kept so that asking again is instant."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from explorer.diagnosis.types import Diagnosis

MAX_KEPT = 32


@dataclass(frozen=True)
class DiagnosisKey:
    """Name everything that a diagnosis depends on.

    ``fingerprint`` is the hash of the weights, ``reference`` identifies the statistics,
    ``has_dataset`` says whether the real images were at hand, ``is_search_wide`` whether copies
    were looked for among all of them, ``reader`` who read the labels: "" if nobody did.
    """

    fingerprint: str
    extractor: str
    reference: str
    num_samples: int
    has_dataset: bool
    is_search_wide: bool
    reader: str = ""


class DiagnosisResults:
    """Keep the finished diagnoses used last; safe to use from several threads."""

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self.max_kept = max_kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[DiagnosisKey, Diagnosis] = OrderedDict()

    def find(self, key: DiagnosisKey) -> Diagnosis | None:
        """Return the diagnosis of a key, None if there is none."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        return found

    def add(self, key: DiagnosisKey, diagnosis: Diagnosis) -> None:
        """Keep a finished diagnosis; the one used longest ago makes room."""
        with self._lock:
            self._kept[key] = diagnosis
            self._kept.move_to_end(key)
            while len(self._kept) > self.max_kept:
                self._kept.popitem(last=False)
