"""Networks as outlines: names and shapes of their weights, without memory for the values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def build_outlines() -> Iterator[None]:
    """Let networks that are built in the block take no memory, whatever their size.

    Their weights are on PyTorch's meta device: they have shapes and types, and no values.
    """
    with torch.device("meta"), _SkipInit():
        yield


class _SkipInit(TorchFunctionMode):
    """Leave initial values out.

    On the meta device PyTorch would first import its compiler to draw none: 2.5 s and 150 MB.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == torch.nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        if function is torch.Tensor.normal_:
            return args[0]
        return function(*args, **kwargs)
