"""What the Compare tab and the public endpoint both do: stream the scores of several models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from explorer.ui.context import AppContext

if TYPE_CHECKING:
    from training.metrics.score import Score


@dataclass(frozen=True)
class ScoreRow:
    """Hold a model's newest score and all its values by number of samples."""

    model: str
    score: "Score | None" = None
    points: tuple[tuple[int, float], ...] = ()

    def add(self, score: "Score") -> "ScoreRow":
        """Return the row with one more score."""
        return replace(self, score=score, points=(*self.points, (score.num_samples, score.value)))

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON values; without a score only the model's name."""
        if self.score is None:
            return {"model": self.model, "value": None}
        score = self.score
        return {
            "model": self.model,
            "value": score.value,
            "score_name": score.score_name,
            "num_samples": score.num_samples,
            "extractor": score.extractor,
            "reference": score.reference,
            "noise_floor": score.noise_floor,
            "is_noise_floor_measured": score.is_noise_floor_measured,
        }


@dataclass(frozen=True)
class Board:
    """Hold the rows of a comparison on its way."""

    rows: tuple[ScoreRow, ...]
    num_samples: int
    is_done: bool = False
    finished: frozenset[str] = field(default_factory=frozenset)

    @property
    def score_name(self) -> str | None:
        """Return the name that the scores give themselves, None before the first."""
        return next((row.score.score_name for row in self.rows if row.score), None)


def stream_board(
    context: AppContext, names: Sequence[str], extractor: str, num_samples: int
) -> Iterator[Board]:
    """Yield the board before the first score and after every score; closing it stops the work."""
    from explorer.comparison import stream_comparison

    board = Board(tuple(ScoreRow(name) for name in names), num_samples)
    yield board
    for update in stream_comparison(context.sampler, names, extractor, num_samples):
        rows = tuple(
            row.add(update.score) if row.model == update.model else row for row in board.rows
        )
        finished = board.finished | ({update.model} if update.is_last else set())
        board = Board(rows, num_samples, len(finished) == len(rows), finished)
        yield board
