"""Pickles read without trust: containers, text and numbers (NumPy's, too), and nothing else.

A pickle is a program; `pickle.load`, `torch.load` and the benchmarks' own packages run it as it stands. Here a file can name nothing
but `ALLOWED`; anything else is refused by its name before it is looked up, and no module is imported on a file's request. NumPy's own
constructors are not among them: a data type whose pickled state is forged can pass bytes off as Python objects. What stands for them here
makes a Python number of 1 to 8 bytes. All of them are without attributes, which a pickle could otherwise set.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxzc.types import JaxzcError

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""First of the pickles in a file that `torch.save` wrote before PyTorch 1.6, or with its old format."""

NUMBERS = {kind + str(size) for kind, sizes in (("f", (2, 4, 8)), ("i", (1, 2, 4, 8)), ("u", (1, 2, 4, 8)), ("b", (1,))) for size in sizes}


class _Refused(pickle.UnpicklingError):
    """The pickle asks for something that is not data."""


class _Number:
    """In the place of `numpy.dtype`: kind and size, and the byte order that its state gives."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        if code not in NUMBERS:
            raise _Refused(f"numpy.dtype({code!r})")
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise _Refused("a numpy.dtype with fields")
        self.order = order


class _MakeNumber:
    __slots__ = ()

    def __call__(self, code: str, align: bool = False, copy: bool = False) -> _Number:
        return _Number(code)


class _MakeScalar:
    __slots__ = ()

    def __call__(self, number: Any, data: Any) -> bool | int | float:  # a file may say anything
        if not isinstance(number, _Number):
            raise _Refused("a NumPy scalar without its type")
        return np.frombuffer(data, np.dtype(number.order + number.code), count=1)[0].item()


class _MakeBytes:
    """How protocol 2 writes bytes; `codecs.encode` itself would import the codec that the file names."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise _Refused(f"the codec {encoding!r}")
        return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _MakeBytes(),
    ("numpy", "dtype"): _MakeNumber(),
    ("numpy.core.multiarray", "scalar"): _MakeScalar(),
    ("numpy._core.multiarray", "scalar"): _MakeScalar(),  # its name since NumPy 2
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("torch storage (the weights of a network)")


def load(file: IO[bytes], name: str, advice: str) -> Any:
    """The next object of an open pickle file.

    name, advice: for messages, what the file is called and what to do where it cannot be used.
    Raises `JaxzcError`: a damaged or truncated pickle, or one that names anything but `ALLOWED`, which is then neither imported nor called.
    """
    try:
        return _Unpickler(file).load()
    except _Refused as error:
        allowed = "numbers, text, lists and dictionaries"
        raise JaxzcError(f"{name} was not read, because its pickle asks for {error} and may hold only {allowed}: {advice}") from error
    except Exception as error:  # bytes that are no pickle can fail anywhere in the reader, as its documentation warns
        raise JaxzcError(f"{name} is damaged or no pickle ({type(error).__name__}: {error}): {advice}") from error


def load_torch(path: Path, advice: str) -> Any:
    """The object in a file that `torch.save` wrote, in either of its formats (zip with `data.pkl`, or pickles one after the other); PyTorch
    is not needed. Tensors are refused.

    Raises `JaxzcError`: as `load`, or a missing file.
    """
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                file.seek(0)
                return _load_old_torch(file, path, advice)
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
            if len(names) != 1:
                raise JaxzcError(f"{path} is a zip file without the one data.pkl of torch.save: {advice}")
            with archive.open(names[0]) as member:
                return load(member, str(path), advice)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: encrypted, or compressed in an unknown way
        raise JaxzcError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): {advice}") from error


def _load_old_torch(file: IO[bytes], path: Path, advice: str) -> Any:
    if load(file, str(path), advice) != TORCH_MAGIC:
        raise JaxzcError(f"{path} is a pickle, but torch.save did not write it: {advice}")
    load(file, str(path), advice)  # version of the format
    load(file, str(path), advice)  # sizes of integers on the writer's machine
    return load(file, str(path), advice)
