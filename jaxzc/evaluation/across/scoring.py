"""What makes a benchmark's score file: the fields of a scoring job, as a description's table [benchmark.scoring] has them.

[benchmark.scoring]
space = "transnas101_micro"
sample = 300                             # of the architectures of `archs`, drawn by the first seed; default: all of them
proxies = "zico,naswot,layers"           # params and flops are always scored
data = "npz:cifar10_sample.npz"          # a file beside the description or in the directory of tables; or `normal`, `digits`
batch_size = 16
options = { channels = 8 }               # of the space
xla_flags = "--xla_backend_optimization_level=0"   # what XLA_FLAGS must hold, for scores of another compilation are rounded otherwise

Further fields: archs (default: those of the benchmark's table), batches, seeds, init, norm, isomorphs. `jaxzc.jobs.described` runs it.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from jaxzc.types import JaxzcError
from jaxzc.types.names import hint


@dataclass(frozen=True)
class Scoring:
    """The fields of the same name of `jaxzc.ScoreRequest`, and: archs: a file of architectures; "": the table of accuracies. sample: so
    many random ones of these; None: all. xla_flags: what the environment's XLA_FLAGS must hold when the scores are made."""

    space: str
    archs: str = ""
    sample: int | None = None
    proxies: str = "founding"
    data: str = "digits"
    batch_size: int = 64
    batches: int = 2
    seeds: Sequence[int] = (0,)
    init: str = "torch"
    norm: str = "batch"
    isomorphs: str = "each"
    options: Mapping[str, Any] = field(default_factory=dict)
    xla_flags: str = ""

    def check_flags(self, where: str, flags: str) -> None:
        """Raises `JaxzcError` unless `flags`, which XLA_FLAGS holds, has all of `xla_flags`. where: the benchmark, for messages."""
        if lacking := [flag for flag in self.xla_flags.split() if flag not in flags.split()]:
            raise JaxzcError(
                f"{where}: its scores are made with XLA_FLAGS={shlex.quote(self.xla_flags)}, of which the environment lacks "
                f"{' '.join(lacking)}: export it before the command, or take xla_flags out of its scoring"
            )

    def command(self, table: str, scores: str) -> str:
        """What `jaxzc score` is told to make the same scores. table, scores: the files as the description names them."""
        words = ["jaxzc", "score", self.space, "--archs", self.archs or table]
        words += [] if self.sample is None else ["--sample", str(self.sample)]
        for name, value in self.options.items():
            words += ["--set", f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"]
        words += ["--data", self.data, "--batch-size", str(self.batch_size), "--proxies", self.proxies]
        for name, default in (("batches", 2), ("init", "torch"), ("norm", "batch"), ("isomorphs", "each")):
            words += [f"--{name}", str(getattr(self, name))] if getattr(self, name) != default else []
        words += ["--seed", ",".join(map(str, self.seeds))] if list(self.seeds) != [0] else []
        flags = f"XLA_FLAGS={shlex.quote(self.xla_flags)} " if self.xla_flags else ""
        return flags + shlex.join([*words, "--out", scores])


def read_scoring(where: str, entry: Any) -> Scoring:
    """The scoring that a table of a description has. where: the benchmark, for messages.

    Raises `JaxzcError` for what is no table, and an entry that is unknown, missing or of the wrong kind.
    """
    if not isinstance(entry, Mapping):
        raise JaxzcError(f"{where}: scoring = {entry!r}: expected a table, [benchmark.scoring] with space = ...")
    known = {each.name: each for each in fields(Scoring)}
    for name, value in entry.items():
        if name not in known:
            raise JaxzcError(f"{where}, scoring: unknown entry {name!r}: {hint(name, known)}choose of {', '.join(known)}")
        expected, right = "a text", isinstance(value, str)
        if name in ("sample", "batch_size", "batches"):
            expected, right = "a whole number above 0", _whole(value) and value > 0
        elif name == "seeds":
            expected = "a list of whole numbers"
            right = isinstance(value, list) and len(value) > 0 and all(map(_whole, value))
        elif name == "options":
            expected, right = "a table of the space's options", isinstance(value, Mapping)
        if not right:
            raise JaxzcError(f"{where}, scoring: {name} = {value!r}: expected {expected}")
    if not entry.get("space"):
        raise JaxzcError(f'{where}, scoring: space is missing: add space = "nasbench201", or another')
    return Scoring(**entry)


def source_in(data: str, directories: Sequence[Path]) -> str:
    """The images' source with the path of its file, where one of the directories has it: `npz:cifar10_sample.npz` -> `npz:DIR/...`."""
    kind, colon, rest = data.partition(":")
    if not colon:
        kind, rest = "", data
    file, at, size = rest.partition("@")
    for directory in directories:
        if (directory / file).is_file():
            return f"{kind}{colon}{directory / file}{at}{size}"
    return data


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
