"""Curves of a training as TensorBoard events, written by tensorboardX. Those of a search: `jaxzc.search.curves`."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from jaxzc.training.fit import Epoch
from jaxzc.types import JaxzcError


@contextlib.contextmanager
def events(directory: str | os.PathLike[str]) -> Iterator[Any]:
    """tensorboardX's writer of a directory (`add_scalar(name, value, step)`). Raises `JaxzcError` where tensorboardX is not installed."""
    try:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise JaxzcError(
            "TensorBoard events are written by tensorboardX, which is not installed: pip install 'jaxzc[tensorboard]'"
        ) from error
    with SummaryWriter(os.fspath(directory)) as writer:
        yield writer


@contextlib.contextmanager
def curves(directory: str | os.PathLike[str]) -> Iterator[Callable[[int, Epoch], None]]:
    """What `jaxzc.train(on_epoch=...)` is to tell of every epoch: `loss`, and `accuracy/train` and `accuracy/test` in per cent.

    >>> with curves("runs/first") as told:
    ...     jaxzc.train(space, arch, on_epoch=told)

    Raises `JaxzcError` where tensorboardX is not installed.
    """
    with events(directory) as writer:

        def tell(number: int, epoch: Epoch) -> None:
            for name, value in (("loss", epoch.loss), ("accuracy/train", epoch.train), ("accuracy/test", epoch.test)):
                writer.add_scalar(name, value, number)

        yield tell
