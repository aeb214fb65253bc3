"""The ``cards`` command: a page for every checkpoint and the table of them all."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from training.checkpoint import SUFFIX, CheckpointHeader, load_header
from training.config import TrainConfig
from training.errors import CheckpointError
from training.files import explain_write_errors, write_text
from training.label_summary import LabelSummary, summarize_labels
from training.models import build_generator, get_model_spec
from training.models.summary import count_parameters
from training.numbers import read_number
from training.techniques import describe_techniques

TABLE_BEGIN, TABLE_END = "<!-- models:begin -->", "<!-- models:end -->"
FACTS = ("model", "data", "score", "samples", "noise floor", "terms")
ALL_FACTS = (
    *("model", "data", "score", "samples", "infinite N", "noise floor", "terms"),
    *("images seen", "hours", "device", "command"),
)

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_cards_parser(subparsers: Subparsers) -> None:
    """Add ``cards``, which writes what checkpoints say of themselves as Markdown."""
    parser = subparsers.add_parser(
        "cards",
        help="write a page per checkpoint and the table of them",
        description="Write FOLDER/NAME.md for every checkpoint, and the table of them all between "
        f"the lines {TABLE_BEGIN} and {TABLE_END} of each page given.",
    )
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"), metavar="FOLDER")
    parser.add_argument(
        "--scores",
        type=Path,
        metavar="FILE",
        help="what `evaluate --json` printed (FOLDER/scores.json if it is there; models without "
        "an entry show their best score in training)",
    )
    parser.add_argument(
        "--pages",
        type=Path,
        nargs="*",
        metavar="PAGE",
        help="pages that hold the table (FOLDER/README.md); outside the folder a shorter one",
    )
    parser.set_defaults(run=run_cards)


def run_cards(args: argparse.Namespace) -> int:
    """Write the cards and the table; prints each file written."""
    folder: Path = args.checkpoints
    headers = {path.stem: load_header(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}
    if not headers:
        raise CheckpointError(f"There is no checkpoint in {folder}: train a model first.")
    known = load_scores(args.scores or folder / "scores.json", is_required=bool(args.scores))
    scores = {name: known.get(name) or _get_own_score(header) for name, header in headers.items()}
    texts = {
        folder / f"{name}.md": format_card(name, header, scores[name])
        for name, header in headers.items()
    }
    # A page without a place for the table is found out before any file is written.
    texts |= {
        page: _fill_page(page, folder, headers, scores)
        for page in args.pages or [folder / "README.md"]
    }
    for path, text in texts.items():
        with explain_write_errors(path):
            write_text(path, text)
        print(f"Written: {path}")
    return 0


def _get_own_score(header: CheckpointHeader) -> dict[str, Any] | None:
    """Return a checkpoint's best score in training; None if it has none, or not a whole one."""
    found = header.best_score
    return None if found is None or find_missing(found) else found


def _fill_page(
    page: Path,
    folder: Path,
    headers: dict[str, CheckpointHeader],
    scores: dict[str, dict[str, Any] | None],
) -> str:
    is_inside = page.resolve().parent == folder.resolve()
    links = "" if is_inside else f"{folder.name}/"
    rows = [
        describe_row(name, f"{links}{name}.md", header, scores[name])
        for name, header in headers.items()
    ]
    return replace_table(page, format_table(rows, ALL_FACTS if is_inside else FACTS))


def load_scores(path: Path, is_required: bool) -> dict[str, dict[str, Any]]:
    """Read the rows of ``evaluate --json``, by model; none if an optional file is missing.

    Raises CheckpointError where the file, or what a row says, is something else.
    """
    if not path.is_file() and not is_required:
        return {}
    try:
        rows = {str(row["name"]): row for row in json.loads(path.read_bytes())}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} holds no scores ({type(error).__name__}): expected what "
            "`python -m training evaluate ... --json` prints."
        ) from error
    for name, row in rows.items():
        missing = find_missing(row)
        if missing:
            raise CheckpointError(
                f"{path} has no usable {missing} of {name}: expected what "
                "`python -m training evaluate ... --json` prints."
            )
    return rows


def find_missing(score: dict[str, Any]) -> str:
    """Name a fact that a score lacks or misstates; "" if it can be shown."""
    numbers = ("score", "num_samples", "noise_floor")
    missing = [key for key in numbers if read_number(score.get(key)) is None]
    missing += [key for key in ("score_name", "reference") if not isinstance(score.get(key), str)]
    for key in ("interval", "infinite_n_interval"):
        pair = score.get(key) or (0, 0)
        is_pair = isinstance(pair, (list, tuple)) and len(pair) == 2
        if not is_pair or any(read_number(end) is None for end in pair):
            missing.append(key)
    if "infinite_n" in score and read_number(score["infinite_n"]) is None:
        missing.append("infinite_n")
    return missing[0] if missing else ""


def tell(facts: dict[str, Any], key: str, form: str = "") -> str:
    """Write a fact of a header; "unknown" where it is missing or of another type."""
    value = facts.get(key)
    try:
        return "unknown" if value is None else format(value, form)
    except (TypeError, ValueError):
        return "unknown"


def format_card(name: str, header: CheckpointHeader, score: dict[str, Any] | None) -> str:
    """Describe one checkpoint as a Markdown page."""
    spec, training, dataset = get_model_spec(header.model.model), header.training, header.dataset
    rows = [
        ("model", f"{spec.title} ({spec.source}), width {header.model.width}, "
         f"z_dim {header.model.z_dim}"),
        ("image", f"{header.model.img_channels} x {header.model.img_resolution} x "
         f"{header.model.img_resolution}"),
        ("generator", f"{count_parameters(build_generator(header.model)):,} parameters"),
        ("techniques", list_techniques(header) or "as published"),
        ("data", f"{tell(dataset, 'title')}, {tell(dataset, 'num_images', ',')} images, "
         f"fingerprint `{tell(dataset, 'fingerprint')}`"),
        ("terms", tell(dataset, "terms")),
        ("images seen", f"{tell(training, 'images_seen', ',')} "
         f"({tell(training, 'steps', ',')} generator steps)"),
        ("hours", format_hours(training)),
        ("device", f"{tell(training, 'device')}, {tell(training, 'precision')}"),
        ("score", describe_score(score)),
        *describe_metrics(score or {}),
        *describe_labels(header),
    ]  # fmt: skip
    table = "\n".join(f"| {key} | {escape_cell(value)} |" for key, value in rows)
    command = tell(training, "command")
    return f"# {name}\n\n| | |\n|---|---|\n{table}\n\n```bash\n{command}\n```\n"


def describe_labels(header: CheckpointHeader) -> list[tuple[str, str]]:
    """Say what each label can be, and who could read it when the model was scored best."""
    return [(f"label {label.name}", _describe(label)) for label in summarize_labels(header)]


def _describe(label: LabelSummary) -> str:
    parts = [label.values]
    if label.reader:
        parts.append(
            f"an independent reader reads {label.reader}, of real images {label.reader_on_real}"
        )
    if label.predictor:
        parts.append(
            f"the model's own predictor {label.predictor}, so hidden information {label.hidden}"
        )
    if label.diversity:
        parts.append(
            f"within a value samples differ {label.diversity} times as much as real images"
        )
    return "; ".join(parts)


def list_techniques(header: CheckpointHeader) -> str:
    """Name the techniques in which a checkpoint's training differs from its model's defaults."""
    defaults = TrainConfig(header.model.model, data="any", name="any").resolve()
    return describe_techniques(header.training, defaults)


def describe_row(
    name: str, link: str, header: CheckpointHeader, score: dict[str, Any] | None
) -> dict[str, str]:
    """Describe one checkpoint by ALL_FACTS, as Markdown."""
    return {
        "model": f"[{name}]({link})",
        "data": tell(header.dataset, "title"),
        "score": f"{format_value(score)} {score['score_name']}" if score else "none",
        "samples": f"{score['num_samples']:,}" if score else "",
        "infinite N": format_value(score, "infinite_n") if score else "",
        "noise floor": format_floor(score) if score else "",
        "terms": tell(header.dataset, "terms"),
        "images seen": tell(header.training, "images_seen", ","),
        "hours": format_hours(header.training),
        "device": tell(header.training, "device"),
        "command": f"`{tell(header.training, 'command')}`",
    }


def format_table(rows: list[dict[str, str]], columns: Sequence[str]) -> str:
    """Lay rows out as a Markdown table of some of their columns."""
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        lines.append(f"| {' | '.join(escape_cell(row[column]) for column in columns)} |")
    return "\n".join(lines)


def replace_table(page: Path, table: str) -> str:
    """Return a page's text with the table between its marks replaced."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, begin, rest = text.partition(TABLE_BEGIN)
    _, end, after = rest.partition(TABLE_END)
    if not begin or not end:
        raise CheckpointError(
            f"{page} has no place for the table: put the lines {TABLE_BEGIN} and {TABLE_END} in it."
        )
    return f"{before}{begin}\n{table}\n{end}{after}"


def format_hours(training: dict[str, Any]) -> str:
    """Return the hours of training, e.g. "0.58"."""
    seconds = read_number(training.get("seconds"))
    return "unknown" if seconds is None else f"{seconds / 3600:.2f}"


def format_floor(score: dict[str, Any]) -> str:
    """Return a score's noise floor; "~" marks an extrapolated one."""
    mark = "" if score.get("is_noise_floor_measured", True) else "~"
    return f"{mark}{score['noise_floor']:.1f}"


def format_value(score: dict[str, Any], key: str = "score") -> str:
    """Return a score's value with its 95 % interval, e.g. "70.1 [69.2, 71.0]".

    Entries of older versions have no interval, and no value at infinitely many samples: "".
    """
    if key not in score:
        return ""
    low, high = score.get("interval" if key == "score" else f"{key}_interval") or (None, None)
    interval = "" if low is None else f" [{low:.1f}, {high:.1f}]"
    return f"{score[key]:.1f}{interval}"


def describe_score(score: dict[str, Any] | None) -> str:
    """Describe a score with its number of samples, its limit, reference and noise floor."""
    if score is None:
        return "none"
    limit = format_value(score, "infinite_n")
    return (
        f"{score['score_name']} {format_value(score)} of {score['num_samples']:,} samples against "
        f"{score['reference']}; {f'at infinitely many samples {limit}; ' if limit else ''}noise "
        f"floor {format_floor(score)}"
    )


def describe_metrics(score: dict[str, Any]) -> list[tuple[str, str]]:
    """Describe the metrics beside the score, each with its error and what real images get."""
    rows = []
    for value in score.values():
        if not isinstance(value, dict) or "title" not in value:
            continue
        found, error, real = (
            read_number(value.get(k)) for k in ("value", "standard_error", "real")
        )
        if found is None:
            continue
        text = f"{found:z.4f}" + ("" if error is None else f" ± {error:z.4f}")
        rows.append(
            (str(value["title"]), text if real is None else f"{text}; real images {real:z.4f}")
        )
    return rows


def escape_cell(text: str) -> str:
    """Escape what would end a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")
