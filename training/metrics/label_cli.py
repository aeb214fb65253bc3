"""The commands `reader` and `fidelity`: who reads labels, and whether they can be read."""

import argparse
import json
import math
from pathlib import Path
from typing import TypeAlias

import torch
from tqdm import tqdm

from training.checkpoint import CheckpointHeader, load_generator
from training.datasets import ImageDataset, load_dataset
from training.datasets.cli import add_dataset_arguments, get_dataset_options
from training.datasets.label_rows import read_label_rows
from training.devices import select_device
from training.errors import MetricError
from training.latents import check_seed
from training.metrics.cli_arguments import (
    DEFAULT_READER_FOLDER,
    REFERENCE_FOLDER,
    Subparsers,
    add_device_argument,
    expand_patterns,
    name_model,
    parse_count,
)
from training.metrics.extractors import DEFAULT_EXTRACTOR, load_extractor
from training.metrics.label_agreement import format_agreement
from training.metrics.label_diversity import MIN_IMAGES
from training.metrics.label_fidelity import (
    LabelFidelity,
    RealLabels,
    check_reader,
    measure_fidelity,
)
from training.metrics.label_reader import check_images
from training.metrics.label_sweep import NUM_STOPS, LabelSweep, measure_sweep
from training.metrics.reader_files import (
    READER_FOLDER,
    describe_reader_command,
    find_reader,
    list_reader_folders,
    load_reader,
)
from training.metrics.reference import find_reference, get_reference
from training.metrics.sampling import make_labelled_images
from training.tables import format_table

DEFAULT_NUM_SAMPLES = 2000

Fidelities: TypeAlias = dict[str, tuple[LabelFidelity, ...]]


def add_fidelity_parser(subparsers: Subparsers) -> None:
    """Add `fidelity`, which measures whether generated images show their labels."""
    parser = subparsers.add_parser(
        "fidelity",
        help="measure whether images show the labels asked for",
        description="Let an independent reader read the labels of generated images.",
    )
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT")
    parser.add_argument(
        "--reader",
        type=Path,
        metavar="FILE",
        help=f"a reader's file (that of the images the model learned, in {READER_FOLDER}/ beside "
        f"it, the cache, or {DEFAULT_READER_FOLDER})",
    )
    parser.add_argument(
        "--num-samples",
        type=parse_count,
        default=DEFAULT_NUM_SAMPLES,
        metavar="N",
        help="images per model, labels spread as in the data (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first sample; the rest count up (0)"
    )
    parser.add_argument(
        "--data",
        help="the data set that the models learned: measure, too, how far images of one label "
        "value differ, and how far real ones do",
    )
    parser.add_argument(
        "--sweep",
        metavar="LABEL",
        help="go through all values of a label instead, while noise and other labels of each seed "
        f"stay: of a number {NUM_STOPS} values, so that there are --num-samples/{NUM_STOPS} seeds",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list, not a table")
    add_device_argument(parser)
    add_dataset_arguments(parser)
    parser.set_defaults(run=run_fidelity)


def run_fidelity(args: argparse.Namespace) -> int:
    """Measure the label fidelity of checkpoints and print a table or JSON."""
    device = select_device(args.device)
    check_seed(args.seed)
    check_seed(args.seed + args.num_samples - 1)
    if args.sweep and args.data:
        raise MetricError("Diversity is not measured along a --sweep: leave --data out.")
    dataset = load_dataset(args.data, get_dataset_options(args)) if args.data else None
    jobs, paths = [], expand_patterns(args.checkpoints)
    for path in paths:  # all that can be missing is found before the first minute
        generator, header = load_generator(path, device)
        if not len(header.model.labels):
            raise MetricError(f"{path.name} was trained without labels: there is none to read.")
        reader = load_reader(args.reader or locate_reader(path, header, args.cache_dir), device)
        check_reader(reader, header.model.labels)
        check_images(reader, header.model.img_channels, header.model.img_resolution)
        if args.sweep:
            header.model.labels.find(args.sweep)
        real = find_real(path, header, dataset, device, args.cache_dir) if dataset else None
        jobs.append((path, generator, header.model.labels, reader, real))
    if args.sweep:
        sweeps = {}
        for path, generator, layout, reader, _ in tqdm(jobs, unit="model", disable=len(jobs) == 1):
            num_stops = len(layout.find(args.sweep).list_stops(NUM_STOPS))
            seeds = range(args.seed, args.seed + max(1, args.num_samples // num_stops))
            sweeps[name_model(path, paths)] = measure_sweep(generator, args.sweep, reader, seeds)
        print(format_sweeps_as_json(sweeps) if args.json else format_sweeps(sweeps))
        return 0
    found: Fidelities = {}
    for path, generator, layout, reader, real in tqdm(jobs, unit="model", disable=len(jobs) == 1):
        source = make_labelled_images(generator, device, args.seed)
        found[name_model(path, paths)] = measure_fidelity(
            source, layout, reader, args.num_samples, real=real
        )
    print(format_json(found) if args.json else format_fidelities(found))
    return 0


def find_real(
    checkpoint: Path,
    header: CheckpointHeader,
    dataset: ImageDataset,
    device: torch.device,
    cache_dir: Path | None = None,
) -> RealLabels:
    """Return features and label rows of the real images a model learned; raises MetricError."""
    if dataset.fingerprint != header.dataset.get("fingerprint"):
        raise MetricError(
            f"{checkpoint.name} learned {header.dataset.get('name')}, and --data has other images: "
            "give the same data set with the same options."
        )
    folders = [checkpoint.parent / "references", REFERENCE_FOLDER]
    reference = find_reference(dataset.describe(), DEFAULT_EXTRACTOR, folders)
    reference = reference or get_reference(
        dataset, DEFAULT_EXTRACTOR, cache_dir=cache_dir, device=device
    )
    if reference.real is None:
        raise MetricError(
            f"The reference of {reference.title} is of an older format, without features of single "
            "real images: make it anew with `python -m training reference`."
        )
    kinds = [f"{item['name']}:{item['kind']}" for item in header.model.labels.to_list()]
    rows = read_label_rows(dataset, ",".join(kinds)).rows
    extractor = load_extractor(DEFAULT_EXTRACTOR, device=device)
    return RealLabels(extractor, reference.real.features, rows[reference.real.indices])


def locate_reader(
    checkpoint: Path, header: CheckpointHeader, cache_dir: Path | None = None
) -> Path:
    """Return the file of the reader of a checkpoint's data set; raises MetricError if none is."""
    layout = header.model.labels
    folders = [*list_reader_folders(checkpoint.parent, cache_dir), DEFAULT_READER_FOLDER]
    found = find_reader(header.dataset, layout, folders)
    if found is None:
        command = describe_reader_command(header, folders[0])
        name, labels = header.dataset.get("name", "DATA"), ", ".join(layout.names)
        raise MetricError(
            f"No reader of the images {checkpoint.name} learned ({name}, {labels}) is in "
            f"{folders[0]}: name its file with --reader, or train one with {command}."
        )
    return found


def format_sweeps(found: dict[str, LabelSweep]) -> str:
    """Write a table per model: what was asked for, and what was read."""
    parts = []
    for name, sweep in found.items():
        facts = sweep.describe()
        if "shares" in facts:
            rows = [(sweep.label.name, "read right")]
            cells = [f"{100 * share:.1f} %" for share in facts["shares"]]
            text = f"{name}: {100 * float(sweep.shares.mean()):.1f} % read right"
        else:
            rows = [(sweep.label.name, "read on average")]
            cells = [f"{value:.3g}" for value in facts["read"]]
            correlation = facts["correlation"]
            text = (
                f"{name}: rank correlation along a seed {correlation['mean']:.2f} on average, "
                f"{correlation['lowest']:.2f} at least"
            )
        rows += zip(facts["asked"], cells, strict=True)
        parts.append(f"{text}, of {facts['num_seeds']:,} seeds\n{format_table(rows)}")
    return "\n\n".join(parts)


def format_sweeps_as_json(found: dict[str, LabelSweep]) -> str:
    """Write a JSON list with one object per model."""
    return json.dumps([{"model": name, **one.describe()} for name, one in found.items()], indent=2)


def format_fidelities(found: Fidelities) -> str:
    """Write a table of models and labels."""
    rows = [("model", "label", "read off generated images", "worst value", "off real images",
             "diversity within a value")]  # fmt: skip
    for name, fidelities in found.items():
        for one in fidelities:
            read, real = one.fidelity.describe(), one.real.describe()
            cells = (format_agreement(read), format_worst(one), format_agreement(real))
            rows.append((name, one.fidelity.name, *cells, format_diversity(one)))
    return format_table(rows)


def format_worst(found: LabelFidelity) -> str:
    """Write the class that is read right least often, of those asked for often enough, or "-"."""
    counts = found.fidelity.counts
    shares = {
        name: share
        for (name, share), count in zip(found.shares.items(), counts, strict=True)
        if count >= MIN_IMAGES
    }
    if not shares:
        return "-"
    name = min(shares, key=shares.__getitem__)
    return f"{100 * shares[name]:.1f} % ({name})"


def format_diversity(found: LabelFidelity) -> str:
    """Write how far images of one value differ, as a share of real ones; "-" if not measured."""
    facts = found.diversity.describe() if found.diversity else None
    if facts is None:
        return "-"
    return f"{facts['mean']:.2f}, lowest {facts['lowest']:.2f} ({facts['lowest_group']})"


def format_json(found: Fidelities) -> str:
    """Write a JSON list with one object per model."""
    return json.dumps(
        [
            {
                "model": name,
                "labels": [{**one.describe(), "shares": list_shares(one)} for one in fidelities],
            }
            for name, fidelities in found.items()
        ],
        indent=2,
    )


def list_shares(found: LabelFidelity) -> dict[str, float | None]:
    """Return the share read right of each class; None where no image was asked to be of it."""
    return {name: None if math.isnan(share) else share for name, share in found.shares.items()}
