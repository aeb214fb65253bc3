"""Run benchmarks, print their rows as they come, and write them to RESULTS.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.measurement import Context, Measurement, UnavailableError
from benchmarks.registry import BENCHMARKS
from benchmarks.report import COLUMNS, format_line, format_row, update_results

DEFAULT_OUTPUT = Path(__file__).resolve().parent / "RESULTS.md"
Results = dict[str, list[Measurement]]
"""What was measured, by the name of the benchmark."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where and how long to measure."""
    parser.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="check in a minute that all of it runs; writes a file only if --output is given",
    )
    parser.add_argument(
        "--output", type=Path, help="the file to update (default: benchmarks/RESULTS.md)"
    )


def run_and_record(names: Sequence[str], options: argparse.Namespace) -> Results:
    """Run benchmarks as the flags of `add_arguments` say, and update the file of results.

    Raises ProjectError if there is no such device.
    """
    machine, facts = describe_machine(options.device)
    print(f"{machine}; {facts}", flush=True)
    context = Context(options.device, options.quick)
    taken = describe_versions(context.root)
    output = options.output or (None if options.quick else DEFAULT_OUTPUT)
    results: Results = {}
    for name in names:
        found = run_benchmarks([name], context, taken)
        results |= found
        if output and found:  # at once: a later one may fail
            before = output.read_text(encoding="utf-8") if output.exists() else ""
            rows = format_rows(found, taken)
            after = update_results(before, machine, facts, rows, list(BENCHMARKS))
            output.write_text(after, encoding="utf-8")
            print(f"Wrote {output}")
    return results


def run_benchmarks(names: Sequence[str], context: Context, taken: str) -> Results:
    """Run benchmarks one after another and print their rows; one that cannot run is left out."""
    results: Results = {}
    print(format_line(COLUMNS))
    for name in names:
        try:
            for measurement in BENCHMARKS[name].run(context):
                results.setdefault(name, []).append(measurement)
                print(format_row(name, measurement, taken), flush=True)
        except UnavailableError as error:
            results.pop(name, None)
            print(f"{name} was not measured: {error}", file=sys.stderr, flush=True)
    return results


def format_rows(results: Mapping[str, Sequence[Measurement]], taken: str) -> dict[str, list[str]]:
    """Format all measurements as lines of the table, by benchmark."""
    return {
        name: [format_row(name, measurement, taken) for measurement in measurements]
        for name, measurements in results.items()
    }
