"""One model's score in turns: samples, values, and pieces of interval and limit, each in time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from explorer.feature_bank import BATCH_SIZE, SampleFeatures
from explorer.score_results import ResultKey, ScoreResults, identify_reference
from training.metrics.estimator import ScoreEstimator
from training.metrics.frechet_estimator import STALE_AFTER
from training.metrics.reference import ReferenceStatistics
from training.metrics.score import Score

FIRST_SCORE_AT = 16
# Numbers of samples that scores are often asked for: they are computed on the way to larger ones.
# Exact scores of more samples take a second and longer, and are left to those who ask for them.
MILESTONES = (16, 32, 64, 128, 256, 512)
# A value each second, with room for a batch or a piece that takes longer than the last one.
SECONDS_BETWEEN_SCORES = 0.7
# Before samples are added, so long is spent on old pieces of interval and limit.
SECONDS_OF_PIECES = 0.1
# The longest piece takes so many times as long as a value: known before the first was measured.
PIECE_OF_SCORING = 2.0
# A score may take this share of the time where it takes long, so that samples still come in.
MAX_SCORING_SHARE = 0.65


@dataclass(frozen=True)
class ComparisonUpdate:
    """Hold a model's score so far, the seconds spent on it, and whether it is the last.

    ``is_known`` marks a score from an earlier time; ``earlier`` are known ones of fewer samples.
    ``num_done`` is how many samples the work has got through: less than the score's while samples
    behind a known score are gone through again. ``checkpoint`` is the hash of the weights, and
    ``reference`` tells the real images apart, which titles do not: see `identify_reference`.
    """

    model: str
    score: Score
    seconds: float
    is_last: bool
    is_known: bool = False
    earlier: tuple[Score, ...] = ()
    num_done: int = 0
    checkpoint: str = ""
    reference: str = ""


class ModelScoring:
    """Score one model, a value at a time, from where the results leave off.

    ``clock`` tells seconds; what a turn does depends on it, what is computed does not.
    """

    def __init__(
        self,
        samples: SampleFeatures,
        reference: ReferenceStatistics,
        num_samples: int,
        results: ScoreResults,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.samples = samples
        self.reference = reference
        self.num_samples = num_samples
        self.results = results
        self.clock = clock
        self.key = ResultKey(
            samples.fingerprint,
            samples.extractor.key,
            identify_reference(reference),
            samples.base_seed,
        )
        self.known = results.get(self.key, num_samples)
        if self.is_known and not results.was_asked(self.key, num_samples):
            # A point on the way to more samples: its interval may be that of fewer.
            self.known = self.known[:-1]
        self.stops = tuple(sorted({*MILESTONES, num_samples}))
        self.estimator: ScoreEstimator | None = None
        self.seconds = 0.0
        self.batch_seconds = 0.0
        self.scoring_seconds = 0.0
        self.piece_seconds = 0.0
        self.num_scored = 0
        self.num_exact = 0
        self.is_sampling_next = False
        self.shown: Score | None = None

    @property
    def is_known(self) -> bool:
        """Tell whether the score that is asked for is known without any work."""
        return bool(self.known) and self.known[-1].num_samples == self.num_samples

    def start(self) -> None:
        """Go on with the estimator of an earlier time, or with a new one."""
        self.estimator = self.results.take_estimator(self.key, self.num_samples) or ScoreEstimator(
            self.reference, self.samples.extractor
        )

    def show_known(self) -> ComparisonUpdate:
        """Return the largest score that is known already, with those before it."""
        *earlier, newest = self.known
        return self._describe(newest, tuple(earlier))

    def take_turn(self, last_value_at: float) -> ComparisonUpdate:
        """Add samples until a value is due, a second after the last one, and compute it.

        Where interval and limit of a stop take long, its value comes without them first, and with
        more of their pieces once a second until it has them all. Between stops old pieces that
        would make a value late are measured in turns of their own, every other one.
        """
        assert self.estimator is not None
        began = self.clock()
        due_at = last_value_at + SECONDS_BETWEEN_SCORES
        if self._is_inexact_stop(self.estimator.num_samples):
            is_exact = self._measure_pieces(self.estimator, due_at, growth=1)
        else:
            is_exact = False
            if not self._renew_pieces(self.estimator, due_at):
                self._add_samples(self.estimator, began, last_value_at)
                is_exact = self._is_exact_in_time(self.estimator, due_at)
        if is_exact:
            self.num_exact = self.estimator.num_samples
        score = self._compute(self.estimator, is_exact)
        # Half of an interval changes nothing by itself: its other half comes next.
        self.is_sampling_next = self.is_sampling_next and score != self.shown
        self.shown = score
        self.seconds += self.clock() - began
        return replace(
            self._describe(score),
            is_last=is_exact and self.estimator.num_samples == self.num_samples,
        )

    def keep(self) -> None:
        """Leave what was computed to the results."""
        if self.estimator is not None:
            self.results.keep_estimator(self.key, self.estimator)
            self.results.save(self.key)

    def _is_inexact_stop(self, done: int) -> bool:
        """Tell whether the score of so many samples is to get its own interval and limit yet."""
        return done in self.stops and self._is_news(done) and done != self.num_exact

    def _is_exact_in_time(self, estimator: ScoreEstimator, due_at: float) -> bool:
        """Measure the pieces of a stop of few samples with its value, as far as there is time."""
        done = estimator.num_samples
        if done > MILESTONES[-1] or not self._is_inexact_stop(done):
            return False
        ends_at = due_at - self.scoring_seconds
        if self.clock() + self.piece_seconds > ends_at:
            return False
        return self._measure_pieces(estimator, ends_at, growth=1)

    def _measure_pieces(
        self, estimator: ScoreEstimator, ends_at: float, growth: float = STALE_AFTER
    ) -> bool:
        """Measure a piece, and more until another would end late; tell whether none is left."""
        began = self.clock()
        while estimator.renew(growth):
            now = self.clock()
            # The longest so far: some pieces take ten times as long as others.
            self.piece_seconds, began = max(self.piece_seconds, now - began), now
            if now + self.piece_seconds > ends_at:
                return False
        return True

    def _renew_pieces(self, estimator: ScoreEstimator, due_at: float) -> bool:
        """Measure what is old of interval and limit; tell whether that takes the turn.

        It does where a piece, samples and a value together would be late. Then samples come next.
        """
        is_sampling, self.is_sampling_next = self.is_sampling_next, False
        if estimator.num_samples < FIRST_SCORE_AT or not estimator.is_stale():
            return False
        now = self.clock()
        expected = PIECE_OF_SCORING * self.scoring_seconds
        pieces = max(self.piece_seconds, expected, SECONDS_OF_PIECES)
        if now + pieces + self.batch_seconds + self.scoring_seconds <= due_at:
            self._measure_pieces(estimator, now + SECONDS_OF_PIECES)
            return False
        if is_sampling:
            return False
        self._measure_pieces(estimator, due_at)
        self.is_sampling_next = True
        return True

    def _add_samples(self, estimator: ScoreEstimator, began: float, last_value_at: float) -> None:
        """Add samples until a value is due."""
        is_due = False
        while not is_due:
            self._add_batch(estimator)
            now = self.clock()
            is_due = self._is_due(estimator.num_samples, now - began, now - last_value_at)

    def _add_batch(self, estimator: ScoreEstimator) -> None:
        """Add samples up to the end of a batch of the bank, or up to the next stop."""
        began = self.clock()
        start = estimator.num_samples
        end = min(stop for stop in self.stops if stop > start)
        count = min(BATCH_SIZE - start % BATCH_SIZE, end - start)
        estimator.update(self.samples.get(start, count))
        self.batch_seconds = self.clock() - began

    def _is_due(self, done: int, turn_seconds: float, seconds_since_value: float) -> bool:
        """Tell whether another batch before the next value would make it late."""
        if self._is_news(done) and done in self.stops:
            return True
        if done < FIRST_SCORE_AT:
            return False
        scoring = self.scoring_seconds if self._is_news(done) else 0.0
        is_late = seconds_since_value + self.batch_seconds + scoring > SECONDS_BETWEEN_SCORES
        return is_late and scoring <= (scoring + turn_seconds) * MAX_SCORING_SHARE

    def _is_news(self, done: int) -> bool:
        """Tell whether a score of so many samples is not known yet."""
        return not self.known or done > self.known[-1].num_samples

    def _compute(self, estimator: ScoreEstimator, is_exact: bool) -> Score:
        """Compute a score, or return a known one of more samples; keep it, the last if it is exact.

        In between, interval and limit may be scaled from fewer samples.
        """
        done = estimator.num_samples
        if not self._is_news(done):
            return self.known[-1]
        began = self.clock()
        score = estimator.compute(is_exact)
        if done != self.num_scored:  # the value of samples scored before costs nothing
            self.scoring_seconds = self.clock() - began
            self.num_scored = done
        if is_exact or done not in self.stops:
            self.results.add(self.key, score, is_asked_for=is_exact)
        if is_exact:
            self.results.save(self.key)
        return score

    def _describe(self, score: Score, earlier: tuple[Score, ...] = ()) -> ComparisonUpdate:
        return ComparisonUpdate(
            self.samples.model,
            score,
            self.seconds,
            is_last=score.num_samples == self.num_samples,
            is_known=score in self.known,
            earlier=earlier,
            num_done=self.num_samples if self.estimator is None else self.estimator.num_samples,
            checkpoint=self.samples.fingerprint,
            reference=self.key.reference,
        )
