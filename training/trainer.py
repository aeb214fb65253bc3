"""The training loop: steps, what is due after each, and going back when numbers run away."""

import dataclasses
import sys
import time
from pathlib import Path

import torch

from training.assembly import build_batches, build_engine, read_labels
from training.background import InlineRunner, choose_runner
from training.datasets import ImageDataset
from training.devices import describe_device, tune_device
from training.errors import CheckpointError, DivergenceError, TrainingError
from training.footprint import check_memory, explain_out_of_memory, measure_need
from training.health import check_losses, check_state, check_weights
from training.keeping import TrainingKeeper, WatchingKeeper
from training.memory import measure_memory
from training.place_names import shorten_command
from training.processes import ALONE, Processes, check_shares
from training.progress import Progress, find_due, is_due
from training.projector import Embedding
from training.reporting import Reporter, SilentReporter
from training.restart import join_words, list_resume_words
from training.rewind import (
    MAX_REWINDS,
    RATE_FACTOR,
    announce_rewind,
    describe_rewind,
    explain_stop,
)
from training.runs import RunFolder, RunOptions
from training.sample_grid import sample_grid
from training.scoring import TrainingScorer
from training.signals import StopSignal
from training.state import TrainingState
from training.tensorboard_log import TensorBoardLog
from training.training_scores import TrainingScores


class Trainer:
    """Train one model on one data set and leave a checkpoint that the app finds."""

    def __init__(
        self,
        run: RunOptions,
        dataset: ImageDataset,
        folder: RunFolder,
        device: torch.device,
        processes: Processes = ALONE,
        runner: InlineRunner | None = None,
    ) -> None:
        """``runner`` runs the scores; None for what suits the device.

        A checkpoint that tells of another run's id is not overwritten.
        """
        self.config = run.config.resolve()
        self.options = dataclasses.replace(run, config=self.config)
        self._processes = processes
        check_shares(self.config, processes.num)
        self.dataset, self.folder, self.device = dataset, folder, device
        tune_device(device)
        self.device_name = describe_device(device)
        self.labels = labels = read_labels(self.config, dataset)
        self.engine = build_engine(self.config, dataset, labels, device, processes)
        self.num_bytes_needed = measure_need(self.engine, device, processes.num)
        self.batches = build_batches(
            self.config, dataset, labels, device, processes, self.num_bytes_needed
        )
        self._state = TrainingState(self.engine, self.batches)
        self.precision = "bf16" if self.engine.has_autocast else "fp32"
        command = shorten_command(run.command)
        facts = {"device": self.device_name, "precision": self.precision, "command": command}
        facts |= {"run_id": run.run_id} if run.run_id else {}
        build_keeper = TrainingKeeper if processes.is_main else WatchingKeeper
        self._keeper = build_keeper(
            self.config, self.engine, dataset, folder, run.checkpoint_path, facts, processes.num
        )
        places = (run.checkpoints, run.dataset.cache_dir)
        self._scorer = TrainingScorer(self.config, dataset, device, *places, processes, labels)
        runner = runner or choose_runner(device, processes)
        self._scores = TrainingScores(
            self.config, self._scorer, self._state, self._keeper, processes, runner
        )

    def resume(self) -> None:
        """Go back to the state saved in the run folder; nothing is written before `train`.

        Raises CheckpointError if it is damaged, or of other images or options.
        """
        state = self.folder.states.load()
        self.folder.check_config(self.config, state.get("config", {}))
        names = self.labels.layout.names if self.labels else ()
        self.folder.check_dataset(self.dataset, names, state)
        try:
            self._state.load_state_dict(state)
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"The saved state in {self.folder.path} does not fit the networks that "
                f"{self.folder.options_path.name} describes: put its options back as they were."
            ) from error
        if self._processes.is_main:
            self.folder.warn_of_changes(
                self.precision, self.device_name, self._processes.num, state
            )

    def check_files(self) -> None:
        """Raise ProjectError if a file could not be written later, or is of another run."""
        self._keeper.check_places()

    def train(self) -> StopSignal:
        """Train to the goal, or until a signal; returns the signal's holder.

        Raises TrainingError if a loss or weight stops being finite (with ``on_nan`` "rewind": for
        the fourth time); the checkpoint and the saved state stay those of the last good save.
        """
        check_memory(
            self.engine, self.device, self._processes.num, is_resumed=self.progress.step > 0
        )
        self._keeper.prepare()
        self._scorer.load()
        with StopSignal() as stop, self._open_reporter() as reporter, self._scores:
            if self.progress.step == 0:
                self._keeper.save_snapshot(self.progress)
                self._report_grid(reporter)
                self._save_state(reporter)
            while not self._try_to_finish(stop, reporter):
                pass
            if self.is_done and self.config.projector and self._processes.is_main:
                self._report_embedding(stop, reporter)
        return stop

    def write_embedding(self) -> int | None:
        """Write the projector's embedding, and nothing else; returns a signal that prevented it."""
        if not self._processes.is_main:
            return None
        with StopSignal() as stop, TensorBoardLog(self.folder, self.progress.step + 1) as log:
            embedding = self._embed(stop)
            if embedding is not None:
                log.add_embedding(embedding, self.progress.step)
        return stop.received if embedding is None else None

    def _open_reporter(self) -> SilentReporter:
        """Return what numbers are told to; only the main process writes any."""
        if not self._processes.is_main:
            return SilentReporter()
        self.folder.truncate(self.progress.step, len(self._state.window) > 0)
        return Reporter(self.folder, self.config.name, self.progress.step + 1)

    def _try_to_finish(self, stop: StopSignal, reporter: SilentReporter) -> bool:
        """Train to the end; returns False if that diverged and the training was rewound."""
        try:
            self._loop(stop, reporter)
        except DivergenceError as error:
            self._scores.collect(reporter, must_wait=True)  # of a step before, which was checked
            if self.config.on_nan == "stop" or self._state.num_rewinds == MAX_REWINDS:
                raise TrainingError(
                    explain_stop(error, self._state.num_rewinds, self.resume_command)
                ) from error
            self._rewind(error, reporter)
            return False
        return True

    def _loop(self, stop: StopSignal, reporter: SilentReporter) -> None:
        seconds_before, started = self.progress.seconds, time.monotonic()
        if is_due(self.config.score_every, self.progress.step) and not self._scores.is_scored():
            self._scores.start(stop, reporter)  # a signal came before it was done
        while not self._processes.agree(self._is_at_goal or stop.is_set):
            if self.engine.is_next_recorded and not self._scores.collect(reporter, must_wait=True):
                continue  # a stop left that score out
            self._take_step()
            self.progress.seconds = seconds_before + time.monotonic() - started
            self._keep_up(stop, reporter)
        self._scores.collect(reporter, must_wait=True)
        # Not cleared: in a resume these steps belong to the mean of the row that is due next.
        self._report_losses(reporter)
        if not self._processes.agree(stop.is_set) and not self.is_done:
            check_state(self.engine.state_dict(), self.progress.step)
            self._scores.start(stop, reporter)
            self._scores.collect(reporter, must_wait=True)
        self.progress.seconds = seconds_before + time.monotonic() - started
        self._save_state(reporter)

    def _take_step(self) -> None:
        started = time.monotonic()
        step = self.progress.step + 1
        self.engine.set_progress(self.progress.get_fraction(self.config))
        with explain_out_of_memory(self.config, self._processes.num):
            stats = self.engine.run(step, self.batches.draw)
        self._state.window.add(stats, time.monotonic() - started)
        self.progress.step = step
        self.progress.images_seen += self._images_per_step

    def _keep_up(self, stop: StopSignal, reporter: SilentReporter) -> None:
        """Do whatever is due after a step."""
        due = find_due(self.config, self.progress.step)
        if not self._scores.collect(reporter, must_wait=due.save or due.snapshot):
            return
        if due.losses:
            self._report_losses(reporter)
            self._state.window.clear()
        if due.save:  # before anything of this step is written
            check_state(self.engine.state_dict(), self.progress.step)
        if due.snapshot:
            self._keeper.save_snapshot(self.progress)
        if due.histograms:
            networks = {
                "generator": self.engine.generator,
                "discriminator": self.engine.discriminator,
            }
            reporter.report_histograms(networks, self.progress.step)
        if due.grid:
            self._report_grid(reporter)
        if due.score:
            self._scores.start(stop, reporter)
        if due.save:
            self._save_state(reporter)

    @property
    def checkpoint_path(self) -> Path:
        """Return where the best generator is, or will be."""
        return self.options.checkpoint_path

    @property
    def has_reader(self) -> bool:
        """Tell whether the labels' reader is there already, or none is needed."""
        return self._scorer.has_reader()

    @property
    def progress(self) -> Progress:
        """Return how far the training is."""
        return self._state.progress

    @property
    def is_finished(self) -> bool:
        """Tell whether the goal is reached; every process has to ask, since their clocks differ."""
        return self._processes.agree(self._is_at_goal)

    @property
    def _is_at_goal(self) -> bool:
        return self.progress.get_fraction(self.config) >= 1

    @property
    def is_done(self) -> bool:
        """Tell whether the goal is reached and its last step scored; without scores, kept.

        Every process has to ask.
        """
        if not self.is_finished:
            return False
        if self.config.score_every:
            return self._scores.is_scored()
        step = self.progress.step
        return self._processes.agree(self._processes.is_main and self._keeper.is_latest_kept(step))

    @property
    def resume_command(self) -> str:
        """Return the command that goes on with this run."""
        return join_words(list_resume_words(self.folder, self.config.device, self._processes.num))

    @property
    def _images_per_step(self) -> int:
        return self.config.batch_size * int(self.config.critic_steps or 1)

    def _report_losses(self, reporter: SilentReporter) -> None:
        """Report the mean of the window's steps; raises DivergenceError if not all is finite."""
        if not len(self._state.window):
            return
        stats = self._state.window.read()
        check_losses(self.progress.step, stats)
        check_weights(self.engine, self.progress.step)
        row = {
            **self.progress.describe(),
            **self._state.window.summarize(stats, self._images_per_step),
            **self.engine.get_learning_rates(),
            **measure_memory(self.device),
        }
        reporter.report_losses(row, self.progress.get_fraction(self.config))

    def _save_state(self, reporter: SilentReporter) -> None:
        reporter.sync()  # a state must not be newer than its metrics
        self._keeper.save_state(self._state)

    def _rewind(self, error: DivergenceError, reporter: SilentReporter) -> None:
        """Go back to the last save with both learning rates halved, and say so everywhere."""
        num_rewinds = self._state.num_rewinds + 1
        self._state.load_state_dict(self.folder.states.load())
        self._processes.wait()  # all have read the state before it is written again
        self._state.num_rewinds = num_rewinds
        rates = self.engine.scale_learning_rates(RATE_FACTOR)
        step = self.progress.step
        if self._processes.is_main:
            print("\n" + announce_rewind(error, step, num_rewinds), file=sys.stderr)
        self._save_state(reporter)  # first: a crash from here on does not forget the rewind
        row = describe_rewind(error, self.progress, num_rewinds, rates)
        reporter.rewind(step, len(self._state.window) > 0, row)

    def _report_embedding(self, stop: StopSignal, reporter: SilentReporter) -> None:
        reporter.report_activity(f"embedding {self.config.projector} images")
        embedding = self._embed(stop)
        if embedding is not None:
            reporter.report_embedding(embedding, self.progress.step)

    def _embed(self, stop: StopSignal) -> Embedding | None:
        return self._scorer.embed(self.engine.generator_ema, lambda: stop.is_set)

    def _report_grid(self, reporter: SilentReporter) -> None:
        if self.config.grid_every and self._processes.is_main:
            grid = sample_grid(self.engine.generator_ema, self.device)
            reporter.report_grid(grid, self.progress.step)
