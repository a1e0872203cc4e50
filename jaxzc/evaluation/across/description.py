"""Which benchmarks a leaderboard has: a TOML file, read with care.

title = "Leaderboard"
introduction = "Markdown that stands at the head of the page"     # optional, and so are the next three
notes = "Markdown that stands at its end"
proxies = ["zico", "naswot"]                                      # default: all that were scored
aggregates = ["trio", "mine=log_rank(zico,naswot)"]

[[benchmark]]
name = "NAS-Bench-201, CIFAR-10"
scores = "nasbench201.parquet"                                    # beside this file
table = "nb201.csv.gz"                                            # beside this file, in the directory `tables`, or "embedded"
metric = "c10_test"
block = "NAS-Bench-201"                                           # optional: default one block for each score file
distinct = true                                                   # optional: of architectures that are one network, the scored one
command = "jaxzc score nasbench201 ..."                           # optional: what makes the scores
note = "a plain sentence"                                         # optional
[benchmark.scoring]                                               # optional: makes the scores where the file is missing
space = "nasbench201"                                             # the fields of `jaxzc.evaluation.across.scoring`
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from jaxzc import embedded
from jaxzc.evaluation.across.scoring import Scoring, read_scoring, source_in
from jaxzc.types import JaxzcError
from jaxzc.types.names import hint


@dataclass(frozen=True)
class Benchmark:
    """name: as tables and figures call it. scores: a file that a scoring wrote. table: a file of accuracies with a column `arch`, or
    "embedded". metric: its column, higher is better. block: benchmarks of one block count together as one; None: one block for each score
    file. distinct: of architectures that are one network and share its scores, only the one that was scored itself (column `scored`) is
    judged. command: what makes the scores. note: a sentence that readers should know. scoring: what makes the scores where the file is
    missing (`jaxzc.jobs.described`); its files have paths."""

    name: str
    scores: str | Path
    table: str | Path
    metric: str
    block: str | None = None
    distinct: bool = False
    command: str = ""
    note: str = ""
    scoring: Scoring | None = None


@dataclass(frozen=True)
class Description:
    """What a file describes. proxies: the columns that are judged, None: all. aggregates: as `jaxzc evaluate --aggregate` takes them,
    judged on every benchmark that has their proxies. title, introduction, notes: of the page, the last two Markdown."""

    benchmarks: Sequence[Benchmark]
    title: str = "Leaderboard"
    introduction: str = ""
    notes: str = ""
    proxies: Sequence[str] | None = None
    aggregates: Sequence[str] = ()


def read_description(path: str | os.PathLike[str], tables: str | os.PathLike[str] | None = None) -> Description:
    """Reads a description; the files that it names lie beside it, and accuracies in the directory `tables` where they are there.

    Raises `JaxzcError`: a file that is missing or no TOML, an entry that is unknown, missing or of the wrong kind, two benchmarks of one
    name, a table that is not there, a score file that is not there and that no benchmark says how to make.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise JaxzcError(f"there is no file {path}: check the path") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise JaxzcError(f"{path} cannot be read as TOML ({error}): see `jaxzc leaderboard --help` for its form") from error
    entries = content.pop("benchmark", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, Mapping) for entry in entries):
        raise JaxzcError(f"{path} describes no benchmark: add a table [[benchmark]] with name, scores, table and metric")
    _check(f"{path}", Description, content, lists=("proxies", "aggregates"))
    directories = [*([] if tables is None else [Path(tables)]), path.parent]
    scored = {entry.get("scores") for entry in entries if "scoring" in entry}
    benchmarks = []
    for number, entry in enumerate(entries, start=1):
        where = f"{path}, benchmark {entry.get('name', number)!r}"
        _check(where, Benchmark, entry)
        benchmark = Benchmark(**entry)
        scores, table = path.parent / benchmark.scores, benchmark.table
        if not scores.is_file() and benchmark.scores not in scored:
            cure = f"make it with `{benchmark.command}`" if benchmark.command else "score them first"
            raise JaxzcError(f"{where}: there is no score file {scores}: {cure}")
        if table != embedded.NAME:
            table = _table(where, str(table), directories)
        files: dict[str, Any] = {"scores": scores, "table": table}
        if "scoring" in entry:
            scoring = read_scoring(where, entry["scoring"])
            files["command"] = benchmark.command or scoring.command(str(benchmark.table), str(benchmark.scores))
            archs = _table(where, scoring.archs, directories) if scoring.archs else table
            files["scoring"] = replace(scoring, archs=str(archs), data=source_in(scoring.data, directories))
        benchmarks.append(replace(benchmark, **files))
    names = [benchmark.name for benchmark in benchmarks]
    if twice := [name for name in names if names.count(name) > 1]:
        raise JaxzcError(f"{path} has two benchmarks called {twice[0]!r}: give each a name of its own")
    return Description(benchmarks, **content)


def _table(where: str, name: str, directories: Sequence[Path]) -> Path:
    candidates = [directory / name for directory in directories]
    for path in candidates:
        if path.is_file():
            return path
    looked = " nor ".join(map(str, candidates))
    raise JaxzcError(f"{where}: there is no table of accuracies {looked}: give its directory (--tables), or import it (`jaxzc import`)")


def _check(where: str, kind: type[Any], entry: Mapping[str, Any], lists: Sequence[str] = ()) -> None:
    """Raises `JaxzcError` for an entry that the class has not, that is missing, or of the wrong kind."""
    known = [each.name for each in fields(kind) if each.name != "benchmarks"]
    for name, value in entry.items():
        if name not in known:
            raise JaxzcError(f"{where}: unknown entry {name!r}: {hint(name, known)}choose of {', '.join(known)}")
        expected, right = "a text", isinstance(value, str)
        if name == "scoring":
            continue
        if name in lists:
            expected, right = "a list of texts", isinstance(value, list) and all(isinstance(item, str) for item in value)
        elif name == "distinct":
            expected, right = "true or false", isinstance(value, bool)
        if not right:
            raise JaxzcError(f"{where}: {name} = {value!r}: expected {expected}")
    for each in fields(kind):
        if each.name in known and each.default is MISSING and not entry.get(each.name):
            raise JaxzcError(f"{where}: {each.name} is missing: add {each.name} = ...")
