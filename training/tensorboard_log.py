"""TensorBoard files: what goes wrong while they are written is raised where it can be told."""

import shutil
import threading
from types import TracebackType

from torch import Tensor, nn
from torch.utils.tensorboard.writer import SummaryWriter

from training.files import explain_write_errors
from training.projector import Embedding
from training.runs import RunFolder

EMBEDDING = "features"


class TensorBoardLog:
    """Write a run's TensorBoard files, as a context manager.

    Events are written by a thread of TensorBoard's own, so a full disk raises ProjectError at the
    next call; after `flush` all that came before is in the file.
    """

    def __init__(self, folder: RunFolder, first_step: int) -> None:
        self._path = folder.tensorboard
        self._hook = threading.excepthook
        self._writer = self._open(first_step)

    def __enter__(self) -> "TensorBoardLog":
        threading.excepthook = self._handle_thread_error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with explain_write_errors(self._path):
                self._writer.close()
        except Exception:
            if error is None:  # else that came first, and this most likely of it
                raise
        finally:
            threading.excepthook = self._hook

    def restart(self, first_step: int) -> None:
        """Begin a new file that takes back what was logged of ``first_step`` and later."""
        with explain_write_errors(self._path):
            self._writer.close()
        self._writer = self._open(first_step)

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Log one number."""
        with explain_write_errors(self._path):
            self._writer.add_scalar(tag, value, step)

    def add_image(self, tag: str, image: Tensor, step: int) -> None:
        """Log one image, uint8 (C, H, W)."""
        with explain_write_errors(self._path):
            self._writer.add_image(tag, image, step)

    def add_histograms(self, name: str, network: nn.Module, step: int) -> None:
        """Log the distribution of each weight of a network, and of its last gradient."""
        with explain_write_errors(self._path):
            for key, weight in network.named_parameters():
                part = key.replace(".", "/")
                self._writer.add_histogram(f"{name}/weights/{part}", weight.detach().float(), step)
                if weight.grad is not None:
                    gradient = weight.grad.float()
                    self._writer.add_histogram(f"{name}/gradients/{part}", gradient, step)

    def add_embedding(self, embedding: Embedding, step: int) -> None:
        """Log points with pictures for the embedding projector, instead of those of the step."""
        with explain_write_errors(self._path):
            # Else PyTorch prints a warning and writes file by file over what is there.
            shutil.rmtree(self._path / f"{step:05d}" / EMBEDDING, ignore_errors=True)
            self._writer.add_embedding(
                embedding.features,
                metadata=embedding.kinds,
                label_img=embedding.pictures,
                global_step=step,
                tag=EMBEDDING,
            )

    def flush(self) -> None:
        """Wait until all is in the file."""
        with explain_write_errors(self._path):
            self._writer.flush()

    def _open(self, first_step: int) -> SummaryWriter:
        # What an earlier run logged from this step on was not saved, and is not shown.
        with explain_write_errors(self._path):
            return SummaryWriter(str(self._path), purge_step=first_step)

    def _handle_thread_error(self, args: threading.ExceptHookArgs) -> None:
        """Print no traceback of the writing thread's OSError: the next call raises it again."""
        is_ours = type(args.thread).__module__.startswith("tensorboard.")
        if not (is_ours and issubclass(args.exc_type, OSError)):
            self._hook(args)
