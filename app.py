"""Serve Latent Explorer: python app.py [--checkpoints DIR] [--runs DIR]. Also what a Space runs."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

# Before Gradio is imported: nothing is reported to anyone.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT set the defaults."""
    parser = argparse.ArgumentParser(description="Look into the latent space of GANs.")
    here = Path(__file__).resolve().parent
    parser.add_argument(
        "--checkpoints", type=Path, default=here / "checkpoints", metavar="DIR",
        help="folder with *.safetensors generators (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=Path, default=here / "runs", metavar="DIR",
        help="folder with training runs to watch, which need not be there yet "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets others on the network in (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=parse_port, default=os.environ.get("GRADIO_SERVER_PORT", "7860"),
        help="port to listen on (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--share", action="store_true", help="make a public gradio.live link")
    parser.add_argument(
        "--real-images", action=argparse.BooleanOptionalAction,
        help="show images of the training data beside diagnoses, and so send them to whoever opens "
        "the page (default: only where no other machine can)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    return parser.parse_args()


def parse_port(text: str) -> int:
    """Parse a port; raises ArgumentTypeError that says what it may be."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: choose one from 1 to 65535")
    return int(text)


def serve(arguments: argparse.Namespace) -> None:
    """Build the page and serve it until interrupted; raises ProjectError if it cannot be."""
    from explorer.library import CheckpointLibrary
    from explorer.runs import RunLibrary
    from explorer.sampler import Sampler
    from explorer.ui.access import (
        is_private,
        list_trusted_hosts,
        may_send_real_images,
        name_folder,
    )
    from explorer.ui.app import build_app, get_launch_options
    from training.devices import select_device
    from training.errors import ConfigError

    is_alone = is_private(arguments.host, arguments.share)
    shown = name_folder(arguments.checkpoints, is_alone)
    library = CheckpointLibrary(arguments.checkpoints, shown)
    sampler = Sampler(library, select_device(arguments.device))
    sends_real_images = may_send_real_images(arguments.real_images, is_alone)
    # Services and containers are stopped by SIGTERM: end as by Ctrl-C, and leave no files behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(
        prefix="latent-explorer-", ignore_cleanup_errors=True
    ) as exports:
        runs = RunLibrary(arguments.runs, name_folder(arguments.runs, is_alone))
        demo = build_app(library, sampler, Path(exports), runs, sends_real_images)
        try:
            demo.launch(
                server_name=arguments.host,
                server_port=arguments.port,
                share=arguments.share,
                **get_launch_options(list_trusted_hosts(arguments.host, arguments.share)),
            )
        except OSError as error:
            raise ConfigError(
                f"Nothing can be served at {arguments.host}:{arguments.port}: the port is taken, or"
                " the address is not of this machine. Choose another --port or --host."
            ) from error


def main() -> int:
    """Serve the page; expected failures become one sentence on stderr and status 2."""
    arguments = parse_arguments()
    # Imported here, as in serve, so that --help answers at once.
    from training.errors import ProjectError

    try:
        serve(arguments)
    except ProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
