"""`jaxzc train-benchmark`: train the embedded benchmark's networks, and write the table of their accuracies."""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxzc import tables
from jaxzc._compile.platforms import here
from jaxzc.cli.arguments import Subcommands
from jaxzc.cli.arguments.numbers import is_number, positive
from jaxzc.cli.arguments.outputs import check_table
from jaxzc.cli.terminal import progress
from jaxzc.embedded import digits
from jaxzc.training.scanned import Accuracies, ProgramTrainer, table_columns
from jaxzc.types import JaxzcError, Space

Runs = dict[tuple[str, int], Accuracies]

HELP = "train the embedded benchmark anew: NAS-Bench-201 networks on scikit-learn's digits"
EPILOG = """Every finished network is kept at once in FILE's journal, FILE.partIofP.jsonl. Run the same command again to go on after an
interruption. The table is written as soon as all networks that it needs are in the journals beside FILE.

The networks are too small for several threads. On a busy machine one thread for each process is more than twice as fast:
  export NPROC=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false

examples:
  jaxzc train-benchmark --out benchmark.parquet
  jaxzc train-benchmark --out benchmark.parquet --part 0/2 & jaxzc train-benchmark --out benchmark.parquet --part 1/2
"""


def add(commands: Subcommands) -> None:
    command = commands.add_parser(
        "train-benchmark", help=HELP, description=HELP, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument(
        "--out", required=True, metavar="FILE", help="Parquet or CSV file to write: arch, accuracies in percent, params, flops"
    )
    group = command.add_mutually_exclusive_group()
    group.add_argument("--architectures", type=positive, default=500, metavar="N", help="how many to draw (default: %(default)s)")
    group.add_argument("--archs", metavar="FILE", help="train these: text, one string a line, or CSV/Parquet with a column 'arch'")
    command.add_argument("--seeds", type=positive, default=3, metavar="K", help="networks per architecture (default: %(default)s)")
    command.add_argument("--part", type=_part, default=(0, 1), metavar="I/P", help="train only every P-th network, from the I-th, I < P")
    command.add_argument("--steps", type=positive, default=digits.SETTINGS.steps, metavar="N", help="of training (default: %(default)s)")
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists; the journals are used still")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=run)


def _part(text: str) -> tuple[int, int]:
    """An argparse type: `I/P` with 0 <= I < P."""
    part, _, parts = text.partition("/")
    if not (is_number(part) and is_number(parts) and int(part) < int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/P with I from 0 to P-1, for example 0/2")
    return int(part), int(parts)


def run(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    check_table(out, arguments.overwrite)
    space = digits.space()
    archs = tables.read_archs(arguments.archs, space).archs if arguments.archs else digits.architectures(space, arguments.architectures)
    settings = replace(digits.SETTINGS, steps=arguments.steps)
    facts = _facts(space, settings)
    part, parts = arguments.part
    journal = out.with_name(f"{out.name}.part{part}of{parts}.jsonl")
    # Seed by seed, so that an interruption leaves a whole table of fewer seeds.
    wanted = [(arch, seed) for seed in range(arguments.seeds) for arch in archs]
    done = _read_journals(out, facts)
    missing = [(arch, seed) for arch, seed in wanted[part::parts] if (space.to_string(arch), seed) not in done]
    if missing:
        trainer = ProgramTrainer(space, digits.training_data(), settings)
        for line in progress(_train(trainer, missing), len(missing), arguments.quiet):
            _append(journal, facts, line)
    done = _read_journals(out, facts)
    left = sum((space.to_string(arch), seed) not in done for arch, seed in wanted)
    if left:
        print(f"{journal}: this part is complete; {left} of {len(wanted)} networks of the other parts are still to be trained for {out}")
        return
    from jaxzc.evaluation import noise_ceiling

    columns = table_columns(space, archs, done, arguments.seeds)
    metadata = {
        **facts,
        "about": "small networks that jaxzc really trained on small images; the cells are those of NAS-Bench-201, the accuracies are not",
        "architectures": len(archs),
        "seeds": arguments.seeds,
        "noise_ceiling": noise_ceiling(columns),
        "command": _command(arguments),
        "platform": here(),
    }
    tables.write_scores(out, columns, metadata, overwrite=True)  # another part may have written the same a moment ago
    print(_summary(out, columns, metadata))


def _facts(space: Space, settings: Any) -> dict[str, Any]:
    """All that the accuracies depend on besides genes and seed, as JSON: runs of one table must agree in it."""
    return {
        "space": repr(space),
        "task": digits.facts(),
        "settings": asdict(settings),
        "versions": {n: version(n) for n in digits.VERSIONS},
    }


def _train(trainer: ProgramTrainer, missing: list[tuple[np.ndarray, int]]) -> Iterator[dict[str, Any]]:
    for arch, seed in missing:
        started = time.perf_counter()
        accuracies = trainer.one(arch, seed)
        seconds = round(time.perf_counter() - started, 3)
        yield {"arch": trainer.space.to_string(arch), "seed": seed, "accuracies": accuracies, "seconds": seconds}


def _append(journal: Path, facts: dict[str, Any], line: dict[str, Any]) -> None:
    lines = ([] if journal.exists() else [facts]) + [line]
    with open(journal, "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(item) + "\n" for item in lines))


def _read_journals(out: Path, facts: dict[str, Any]) -> Runs:
    """The runs of all journals of `out`; raises `JaxzcError` where one was made with other settings, or is damaged."""
    runs: Runs = {}
    for path in sorted(out.parent.glob(f"{out.name}.part*of*.jsonl")):
        try:
            head, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            finished = {(line["arch"], line["seed"]): dict(line["accuracies"]) for line in lines}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JaxzcError(f"the journal {path} is damaged ({error}): delete its last line, or the file") from error
        if head != facts:
            raise JaxzcError(f"the journal {path} comes from other settings or versions: delete it, or choose another --out")
        runs |= finished
    return runs


def _command(arguments: argparse.Namespace) -> str:
    which = f"--archs {arguments.archs}" if arguments.archs else f"--architectures {arguments.architectures}"
    return f"jaxzc train-benchmark {which} --seeds {arguments.seeds} --steps {arguments.steps} --out FILE"


def _summary(out: Path, columns: dict[str, Any], metadata: dict[str, Any]) -> str:
    test, ceiling = columns["test_accuracy"], metadata["noise_ceiling"]["seed_to_seed"]
    return (
        f"{out}: {metadata['architectures']} architectures, {metadata['seeds']} seeds each; test accuracy from {test.min():.1f} % "
        f"to {test.max():.1f} %, median {np.median(test):.1f} %; Spearman of two seeds {ceiling:.3f}"
    )
