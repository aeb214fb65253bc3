"""Run the benchmarks: `python -m benchmarks [--only NAME ...] [--device cpu] [--quick]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.measurement import Context, UnavailableError
from benchmarks.registry import BENCHMARKS
from benchmarks.report import COLUMNS, format_line, format_row, update_results

DEFAULT_OUTPUT = Path(__file__).resolve().parent / "RESULTS.md"


def build_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time the app, sampling and training."
    )
    listing = "; ".join(f"{name}: {item.title}" for name, item in BENCHMARKS.items())
    parser.add_argument(
        "--only",
        action="append",
        choices=sorted(BENCHMARKS),
        metavar="NAME",
        help=f"run this benchmark; may be repeated ({listing})",
    )
    parser.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="check in a minute that all of it runs; writes a file only if --output is given",
    )
    parser.add_argument(
        "--output", type=Path, help="the file to update (default: benchmarks/RESULTS.md)"
    )
    return parser


def run_benchmarks(names: Sequence[str], context: Context) -> dict[str, list[str]]:
    """Run benchmarks one after another, print their rows, and return the rows by benchmark."""
    taken = describe_versions(context.root)
    rows: dict[str, list[str]] = {}
    print(format_line(COLUMNS))
    for name in names:
        try:
            for measurement in BENCHMARKS[name].run(context):
                line = format_row(name, measurement, taken)
                rows.setdefault(name, []).append(line)
                print(line, flush=True)
        except UnavailableError as error:
            rows.pop(name, None)
            print(f"{name} was not measured: {error}", file=sys.stderr, flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    from training.errors import ProjectError

    options = build_parser().parse_args(arguments)
    names = options.only or list(BENCHMARKS)
    try:
        machine, facts = describe_machine(options.device)
        print(f"{machine}; {facts}", flush=True)
        rows = run_benchmarks(names, Context(options.device, options.quick))
    except ProjectError as error:
        print(error, file=sys.stderr)
        return 2
    output = options.output or (None if options.quick else DEFAULT_OUTPUT)
    if output and rows:
        before = output.read_text(encoding="utf-8") if output.exists() else ""
        after = update_results(before, machine, facts, rows, list(BENCHMARKS))
        output.write_text(after, encoding="utf-8")
        print(f"Wrote {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
