"""What every tab is given: the core to compute with, and the widgets that tabs share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from explorer.diagnosis.on_disk import find_dataset_on_disk
from explorer.diagnosis.results import DiagnosisResults
from explorer.diagnosis.shown_images import ShownImages
from explorer.feature_bank import FeatureBank
from explorer.label_reading import ReaderShelf
from explorer.library import CheckpointLibrary
from explorer.runs import RunLibrary
from explorer.sampler import Sampler
from explorer.score_results import ScoreResults
from explorer.turns import Turns
from explorer.ui.components.label_panel import build_label_panel
from explorer.ui.components.open_dropdown import OpenDropdown
from explorer.ui.errors import BusyError
from explorer.ui.exports import ExportFolder
from explorer.worker import Worker
from training.files import get_cache_dir
from training.metrics.extractors import DEFAULT_EXTRACTOR

# Animations are made one at a time; two at once starve everything else.
MAX_EXPORTS = 1
# Scores and diagnoses take turns on the worker, so that several may run; more only wait longer.
MAX_SCORE_JOBS = 4
# A later drawing of the same widgets must not be done before an earlier one: each kind of drawing
# has a line of its own, in which one goes after the other, those of a page that opens too.
LINES: dict[str, dict[str, Any]] = {
    name: {"concurrency_id": name, "concurrency_limit": 1}
    for name in ("sheet", "sheets", "morph", "labels")
}
IN_PASSING: dict[str, Any] = {"concurrency_id": "load", "concurrency_limit": 2}
# Events of the page itself: no public endpoint, no veil over what they change.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Long jobs start at once and wait in `Turns`: in Gradio's own queue they could say nothing.
LONG: dict[str, Any] = {"concurrency_limit": None}


@dataclass(eq=False)
class AppContext:
    """Hold what the page computes with, and the folder in which it leaves files to download.

    Trainings are watched through ``runs``. Long jobs (scores, diagnoses) run on ``worker``, read
    samples' features from ``bank``, and scores stay in ``results``, whose files are in ``scores``
    (the cache unless given). They stand in line at ``scoring``, animations at ``exporting``.
    Real images are shown beside diagnoses if ``sends_real_images``.
    """

    library: CheckpointLibrary
    sampler: Sampler
    exports: Path
    runs: RunLibrary
    scores: Path | None = None
    sends_real_images: bool = True
    # Calls that bypass Gradio's queue are bounded here.
    frame_slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(2)
    )
    worker: Worker = field(default_factory=Worker)

    def __post_init__(self) -> None:
        """Make what is built over the sampler; nothing is computed or loaded yet."""
        self.bank = FeatureBank(self.sampler)
        self.readers = ReaderShelf(self.library)
        self.results = ScoreResults(self.scores or get_cache_dir() / "scores")
        self.diagnoses = DiagnosisResults()
        self.shown_images = ShownImages()
        self.downloads = ExportFolder(self.exports)
        self.exporting = Turns(MAX_EXPORTS)
        self.scoring = Turns(MAX_SCORE_JOBS)

    def prepare_scoring(self) -> None:
        """Load on the worker what the first score will need, ahead of the click that asks for it.

        Where that fails, the click fails too and says why.
        """
        self.worker.submit(self._prepare_scoring)

    def _prepare_scoring(self) -> None:
        """Load the default extractor and the statistics that the models at hand need."""
        import explorer.comparison  # noqa: F401  # imports what scores are computed with

        self.bank.get_extractor(DEFAULT_EXTRACTOR)
        for name in choose_models(self.library.names, None, is_several=True):
            self.library.find_reference(self.library.get(name), DEFAULT_EXTRACTOR)
        # Asked for only now, so that a score asked for meanwhile goes first.
        self.worker.submit(self._prepare_diagnosis)

    def _prepare_diagnosis(self) -> None:
        """Import what diagnoses are made with, and hash the images that the first model learned.

        By their hash they are known for those of its data set.
        """
        import explorer.diagnosis.stream  # noqa: F401

        for name in self.library.names[:1]:
            find_dataset_on_disk(self.sampler.get_header(name).dataset)

    @contextmanager
    def take_frame_slot(self) -> Iterator[None]:
        """Wait for one of the slots for images outside the queue; raises BusyError after 5 s."""
        if not self.frame_slots.acquire(timeout=5):
            raise BusyError("The server is busy: try again in a moment.")
        try:
            yield
        finally:
            self.frame_slots.release()


@dataclass
class Page:
    """Hold the widgets that tabs share; they are made first and placed by the tab they are in."""

    library: CheckpointLibrary
    tabs: gr.Tabs
    empty_notice: gr.HTML
    model_dropdowns: list[gr.Dropdown] = field(default_factory=list)
    min_models: list[int] = field(default_factory=list)
    loaders: list[tuple[Callable[..., Any], list[Any], Any, dict[str, Any]]] = field(
        default_factory=list
    )
    # Events after which every tab is filled anew, as when the page opens.
    refills: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the widgets of Interpolate that Sample fills, placed there later."""
        self.morph_model = self.build_model_dropdown(render=False)
        self.morph_seed_a = gr.Number(0, label="Seed A", precision=0, min_width=100, render=False)
        self.morph_seed_b = gr.Number(1, label="Seed B", precision=0, min_width=100, render=False)
        self.morph_through = gr.Textbox(
            "",
            label="Through seeds, such as 5, 9-12",
            elem_classes="lx-seeds",
            lines=1,
            render=False,
        )
        self.morph_truncation = gr.Slider(
            0, 1, value=1, step=0.01, label="Truncation", render=False, buttons=[]
        )
        self.morph_panels = (
            build_label_panel("Labels at A", "by seed A", render=False),
            build_label_panel("Labels at B", "as at A", render=False),
        )
        self.morph_sweep = OpenDropdown(
            [("None", "")],
            value="",
            label="Sweep a label",
            info="At seed A; all else stays as it is.",
            render=False,
        )

    def build_model_dropdown(
        self, num_models: int = 1, min_models: int = 1, render: bool = True
    ) -> gr.Dropdown:
        """Build a dropdown of the readable checkpoints, for up to so many, that follows rescans.

        One place fewer is filled from the start, so that there is room for another model. A rescan
        fills up to ``min_models`` again.
        """
        is_several = num_models > 1
        dropdown = OpenDropdown(
            self.library.names,
            value=choose_models(self.library.names, None, is_several, num_models - 1),
            label="Models" if is_several else "Model",
            multiselect=is_several,
            max_choices=num_models if is_several else None,
            interactive=True,
            render=render,
        )
        self.model_dropdowns.append(dropdown)
        self.min_models.append(min_models)
        return dropdown

    def on_load(
        self,
        function: Callable[..., Any],
        inputs: list[Any],
        outputs: Any,
        line: dict[str, Any] = IN_PASSING,
    ) -> None:
        """Ask for an event when the page opens; inputs are the widgets' values by then.

        ``line``: where it waits for others, one of LINES if it draws.
        """
        self.loaders.append((function, inputs, outputs, line))

    def fill_after(self, event: Any) -> None:
        """Fill every tab after an event: what was asked for with `on_load`."""
        for function, inputs, outputs, line in self.loaders:
            event.then(function, inputs, outputs, **line, **PRIVATE)

    @property
    def library_outputs(self) -> list[Any]:
        """Return the widgets that `list_library_updates` changes."""
        return [self.empty_notice, *self.model_dropdowns]

    def list_library_updates(self, *chosen: Any) -> list[Any]:
        """List the updates after a rescan, keeping what is ``chosen`` in each dropdown."""
        names, message = self.library.names, self.library.message
        return [
            gr.HTML(value=message or "", visible=message is not None),
            *(
                gr.Dropdown(names, value=self._choose(dropdown, value, fewest))
                for dropdown, value, fewest in zip(
                    self.model_dropdowns, chosen, self.min_models, strict=True
                )
            ),
        ]

    def _choose(self, dropdown: gr.Dropdown, chosen: Any, min_models: int) -> Any:
        is_several, names = bool(dropdown.multiselect), self.library.names
        found = choose_models(names, chosen, is_several, (dropdown.max_choices or 2) - 1)
        if not is_several:
            return found
        others = [name for name in names if name not in found]
        return [*found, *others[: max(0, min_models - len(found))]]


def choose_models(names: list[str], chosen: Any, is_several: bool, num_first: int = 3) -> Any:
    """Keep the chosen names that are still there, else choose the first one (or ``num_first``)."""
    if is_several:
        kept = [name for name in chosen or [] if name in names]
        return kept or names[:num_first]
    return chosen if chosen in names else next(iter(names), None)
