"""The resumable states of a run: the last two saves, each with a checksum."""

import hashlib
import io
import re
import sys
from pathlib import Path
from typing import Any

import torch

from training.errors import CheckpointError
from training.files import explain_write_errors, write_bytes

NUM_KEPT = 2
STATE_VERSION = 2
MAGIC = b"latent-explorer-state"
# The line before what torch.save wrote: magic, version, SHA-256 of all that follows.
HEADER = re.compile(rb"latent-explorer-state (\d{1,9}) ([0-9a-f]{64})\n")
HEADER_BYTES = len(MAGIC) + 1 + 9 + 1 + 64 + 1
# Version 1 was one file without a checksum.
OLD_NAME = "state.pt"
NAME = re.compile(r"state-(\d{7,})\.pt")


class DamagedStateError(Exception):
    """Say what is wrong with one state file."""


class StateStore:
    """Write states to ``state-STEP.pt``, keep the last two, and read the newest that is whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list_paths(self) -> list[Path]:
        """List the state files, the newest first; one of an older version comes last."""
        steps = {
            int(match[1]): path
            for path in self.folder.glob("state-*.pt")
            if (match := NAME.fullmatch(path.name))
        }
        old = self.folder / OLD_NAME
        return [steps[step] for step in sorted(steps, reverse=True)] + [old] * old.is_file()

    def get_path(self, step: int) -> Path:
        """Return the file of the state after a step."""
        return self.folder / f"state-{step:07d}.pt"

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state, whole or not at all, and remove all but the last two.

        States of later steps were damaged or given up, or a resume would have gone on from them:
        they are removed too. Raises ProjectError if there is no room, or the place is read-only.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        payload = buffer.getbuffer()
        header = b"%s %d %s\n" % (MAGIC, STATE_VERSION, _hash(payload))
        path = self.get_path(step)
        with explain_write_errors(path):
            write_bytes(path, header, payload)
            paths = self.list_paths()
            newest = paths.index(path)
            for other in paths[:newest] + paths[newest + NUM_KEPT :]:
                other.unlink()

    def load(self) -> dict[str, Any]:
        """Read the newest state that is whole; no code in the file is run.

        A damaged one is named on stderr, and the one before it is read. Raises CheckpointError if
        none can be read, or if a newer version of the program wrote it.
        """
        paths = self.list_paths()
        if not paths:
            raise CheckpointError(
                f"{self.folder} holds no saved state: the run ended before its first save; "
                "start it again with the command that began it."
            )
        damages = []
        for path in paths:
            try:
                state = read_state(path)
            except DamagedStateError as error:
                damages.append(f"{path.name} is damaged ({error})")
                continue
            if damages:
                print(
                    f"warning: {self.folder}: {', '.join(damages)}: going on from {path.name}, "
                    f"step {state.get('step')}.",
                    file=sys.stderr,
                )
            return state
        raise CheckpointError(
            f"{self.folder}: {', '.join(damages)}: expected a state that training wrote; "
            "start a new run."
        )


def read_state(path: Path) -> dict[str, Any]:
    """Read one state file; raises DamagedStateError if it is not whole."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedStateError(error.strerror or str(error)) from error
    if not content:
        raise DamagedStateError("it is empty")
    payload: bytes | memoryview = content
    if path.name != OLD_NAME:
        match = HEADER.match(content[:HEADER_BYTES])
        if match is None:
            raise DamagedStateError("its first line is not that of a state")
        if int(match[1]) > STATE_VERSION:
            raise CheckpointError(
                f"{path} has format version {int(match[1])}, this program reads up to "
                f"{STATE_VERSION}: update the program."
            )
        payload = memoryview(content)[match.end() :]
        if _hash(payload) != match[2]:
            raise DamagedStateError("its SHA-256 does not fit: cut off or changed")
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle without a checksum may break in any way
        raise DamagedStateError(type(error).__name__) from error
    if not isinstance(state, dict):
        raise DamagedStateError(f"it holds a {type(state).__name__}")
    return state


def _hash(payload: bytes | memoryview) -> bytes:
    return hashlib.sha256(payload).hexdigest().encode()
