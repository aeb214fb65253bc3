"""The scores of a training: begun at one step, written when they are there, the best one kept."""

from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import TracebackType

from torch import nn

from training.background import InlineRunner
from training.config import TrainConfig
from training.free_memory import advise_out_of_memory
from training.history import to_plain
from training.keeping import TrainingKeeper
from training.metrics.score import describe_score
from training.processes import Processes
from training.progress import Progress
from training.reporting import SilentReporter
from training.scoring import SCORE_BATCH_SIZE, TrainingScore, TrainingScorer
from training.signals import StopSignal
from training.state import TrainingState


@dataclass(frozen=True, eq=False)
class PendingScore:
    """Hold a score to come, and the step it is of: counts, last losses, averaged generator."""

    progress: Progress
    losses: dict[str, float | None]
    generator: nn.Module
    result: Future[TrainingScore | None]


class TrainingScores:
    """Take the scores of a training, as a context manager that leaves no work behind.

    Where the ``runner`` works beside the training, one score at most is pending, and later steps
    are trained meanwhile. Nothing that a resume goes on from may be saved before it is written,
    but the state of its own step: from that, a resume makes up for a score that was lost.
    """

    def __init__(
        self,
        config: TrainConfig,
        scorer: TrainingScorer,
        state: TrainingState,
        keeper: TrainingKeeper,
        processes: Processes,
        runner: InlineRunner,
    ) -> None:
        self._config, self._scorer, self._state = config, scorer, state
        self._keeper, self._processes, self._runner = keeper, processes, runner
        self._pending: PendingScore | None = None
        self._is_abandoned = False

    def __enter__(self) -> "TrainingScores":
        self._is_abandoned = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give up a score that nobody collects any more, after a batch of its images."""
        self._is_abandoned, self._pending = True, None
        self._runner.close()

    def is_scored(self) -> bool:
        """Tell whether the last step has a score, by what the main process has written."""
        is_known = self._processes.is_main and any(
            row["step"] == self._state.progress.step for row in self._keeper.list_scores()
        )
        return self._processes.agree(is_known)

    def start(self, stop: StopSignal, reporter: SilentReporter) -> None:
        """Score the averaged generator as it is now, where scores are wanted; none is pending.

        The state of this step has been checked: a diverged one must not become the best.
        """
        if not self._config.score_every:
            return
        assert self._pending is None
        reporter.report_activity(f"scoring {self._config.score_samples} images")
        engine, means = self._state.engine, self._state.window.means
        generator = self._runner.freeze(engine.generator_ema)
        # Its predictor is asked for labels.
        critic = self._runner.freeze(engine.discriminator) if len(engine.model.labels) else None

        def score() -> TrainingScore | None:
            advice = f"it takes {SCORE_BATCH_SIZE} images at a time; give --score-every 0 for none."
            with advise_out_of_memory("a score", advice):
                return self._scorer.score(
                    generator, lambda: stop.is_set or self._is_abandoned, critic
                )

        self._pending = PendingScore(
            replace(self._state.progress),
            {key: means.get(key) for key in ("loss_d", "loss_g")},
            generator,
            self._runner.start(score),
        )
        self.collect(reporter)

    def collect(self, reporter: SilentReporter, must_wait: bool = False) -> bool:
        """Write the pending score if it is there, or as soon as it is; raises what it raised.

        Returns False if a stop left out the score of an earlier step: the training has then gone
        back to that step, which is the last one saved, since only from there a resume can score it.
        """
        pending = self._pending
        if pending is None or not (must_wait or pending.result.done()):
            return True
        self._pending = None
        measured = pending.result.result()
        if measured is not None:
            self._write(pending, measured, reporter)
        elif pending.progress.step < self._state.progress.step:
            self._state.load_state_dict(self._keeper.load_state())
            return False
        return True

    def _write(
        self, pending: PendingScore, measured: TrainingScore, reporter: SilentReporter
    ) -> None:
        """Keep the best generator and write a score, maybe after the losses of later steps.

        Holding those back would show them late, and lose them in a crash. Every reader takes losses
        and scores for two series, each by growing step, and a resume or rewind goes by the steps.

        The generator comes first: a resume takes a row for what says that it was kept, and without
        one scores this step again.
        """
        labels = measured.labels and [one.describe() for one in measured.labels]
        facts = describe_score(measured.score)
        row = to_plain({**pending.progress.describe(), **facts, **pending.losses, "labels": labels})
        self._keeper.save_if_best(pending.progress, pending.generator, row)
        reporter.report_score(row)
