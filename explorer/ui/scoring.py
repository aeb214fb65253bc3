"""What the Compare tab and the public endpoint both do: stream the scores of several models."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.ui.context import AppContext

if TYPE_CHECKING:
    from explorer.model_scoring import ComparisonUpdate
    from training.metrics.score import Score


@dataclass(frozen=True)
class ScoreRow:
    """Hold a model's newest score, all its scores by growing number of samples, and the progress.

    ``num_done`` is how many samples the work has got through; ``is_kept`` says that the newest
    score is one that was known before. ``reference`` tells references of one title apart.
    """

    model: str
    scores: "tuple[Score, ...]" = ()
    num_done: int = 0
    is_kept: bool = False
    is_last: bool = False
    checkpoint: str = ""
    reference: str = ""

    @property
    def score(self) -> "Score | None":
        """Return the newest score, None before the first."""
        return self.scores[-1] if self.scores else None

    def add(self, update: "ComparisonUpdate") -> "ScoreRow":
        """Return the row with what an update brought; of one number of samples the newer stays."""
        news = (*self.scores, *update.earlier, update.score)
        scores = {score.num_samples: score for score in news}
        return replace(
            self,
            scores=tuple(scores[count] for count in sorted(scores)),
            num_done=update.num_done,
            is_kept=update.is_known,
            is_last=update.is_last,
            checkpoint=update.checkpoint,
            reference=update.reference,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON values; without a score only the model's name."""
        from training.metrics.score import describe_score

        if self.score is None:
            return {"model": self.model, "value": None}
        facts = describe_score(self.score)
        value = facts.pop("score")
        return {"model": self.model, "checkpoint": self.checkpoint, "value": value, **facts}

    def list_points(self) -> list[dict[str, Any]]:
        """List all values for a chart: number of samples, value, interval, noise floor."""
        return [
            {
                "x": score.num_samples,
                "y": score.value,
                "low": score.interval[0],
                "high": score.interval[1],
                "floor": score.noise_floor,
            }
            for score in self.scores
        ]


@dataclass(frozen=True)
class Board:
    """Hold the rows of a comparison on its way."""

    rows: tuple[ScoreRow, ...]
    num_samples: int

    @property
    def is_done(self) -> bool:
        """Tell whether every model has its last score."""
        return all(row.is_last for row in self.rows)

    @property
    def score_name(self) -> str | None:
        """Return the name that the scores give themselves, None before the first."""
        return next((row.score.score_name for row in self.rows if row.score), None)

    def add(self, update: "ComparisonUpdate") -> "Board":
        """Return the board with what an update brought."""
        rows = (row.add(update) if row.model == update.model else row for row in self.rows)
        return replace(self, rows=tuple(rows))


def stream_board(
    context: AppContext, names: Sequence[str], extractor: str, num_samples: int
) -> Iterator[Board]:
    """Yield the board before the first score and after every score; closing it stops the work.

    The work is done on the context's worker, in turns with other jobs.
    """
    from explorer.comparison import stream_comparison

    board = Board(tuple(ScoreRow(name) for name in names), num_samples)
    yield board
    updates = context.worker.run(
        lambda: stream_comparison(
            context.bank, names, extractor, num_samples, results=context.results
        )
    )
    with closing(updates):
        for update in updates:
            board = board.add(update)
            yield board


def describe_board(board: Board) -> dict[str, Any]:
    """Describe a board for the page."""
    return {
        "rows": [{**row.to_dict(), "points": row.list_points()} for row in board.rows],
        "score_name": board.score_name,
        "num_samples": board.num_samples,
        "status": describe_progress(board),
        "note": describe_scores(board),
        "is_done": board.is_done,
    }


def describe_scores(board: Board) -> str:
    """Say of which samples the scores are, and whether they compare; "" before the first."""
    from explorer.comparison import DIFFERENT_DATA

    if board.score_name is None:
        return ""
    # The sheets beside the board may be of other seeds, and truncated.
    note = f"Scores are of seeds 0 to {board.num_samples - 1:,} at truncation 1."
    references = {row.reference for row in board.rows if row.score}
    return f"{note} {DIFFERENT_DATA}" if len(references) > 1 else note


def describe_progress(board: Board) -> str:
    """Say in a sentence how far a comparison is."""
    total = f"{board.num_samples:,}"
    if board.is_done:
        was_known = all(row.is_kept for row in board.rows)
        return f"Scored {total} samples of each model" + (
            ", kept from an earlier time." if was_known else "."
        )
    if not any(row.scores for row in board.rows):
        return "Loading the feature extractor and the first samples."
    fewest = min(row.num_done for row in board.rows)
    status = f"{fewest:,} of {total} samples of each model."
    if any(row.score and row.num_done < row.score.num_samples for row in board.rows):
        status += " Earlier values are shown; the samples behind them are gone through again."
    return status
