"""Tables of accuracies as `benchmarks/leaderboard.toml` names them, and what its networks are scored on, of the files of a directory.

    python benchmarks/leaderboard_tables.py DIR --out tables
    jaxzc leaderboard benchmarks/leaderboard.toml --tables tables --out board

DIR holds nb101.npz, nb201.csv.gz, tnb101_micro.csv.gz, tnb101_macro.csv.gz, darts500_cifar10.csv.gz, autoformer_3003.csv.gz,
vitbench101.csv.gz, flexibert500.csv.gz, accel_mnasnet.csv.gz, nasbench_nlp_345.csv.gz, and cifar10_sample.npz (images uint8
[n, 32, 32, 3], labels). The tables hold accuracies that others published, some without a licence that lets them be shipped: they stay
where they are made.
Architectures are written as the spaces write them; one that occurs twice has the mean of its accuracies. Of NAS-Bench-101's cells that
have an accuracy 300 are drawn.
`cifar16.npz` are the same images at 16x16, means of 2x2 pixels; `zipf.txt` 20,000 words of a vocabulary of 200, drawn independently, the
k-th with a probability that falls as 1/k: no language, only the frequencies of one.
"""

import argparse
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxzc_spaces.nasbench101.encoding import Cells, genes

import jaxzc
from jaxzc.tables import read_columns, write_scores

AS_THEY_ARE = ("nb201.csv.gz", "tnb101_micro.csv.gz", "tnb101_macro.csv.gz", "cifar10_sample.npz")
"""Tables that have a column `arch` and one for each metric, and the images."""
CELLS = 300
"""Of NAS-Bench-101."""


def nasbench101_cells(path: Path) -> dict[str, Any]:
    """`arch` and `test_acc`, per cent, of 300 cells."""
    held = np.load(path)
    rows = np.flatnonzero(np.isfinite(held["test_acc"]))
    rows = np.sort(np.random.default_rng(0).choice(rows, CELLS, replace=False))
    edges, operations = np.zeros((CELLS, 7, 7), bool), np.full((CELLS, 7), -1, np.int32)
    operations[:, 1:-1] = 0
    for number, row in enumerate(rows):
        n, bits, code = (int(held[name][row]) for name in ("n_vertices", "edge_bits", "op_code"))
        for y in range(n):
            for x in range(y):
                edges[number, x, 6 if y == n - 1 else y] = bits >> (x + y * (y - 1) // 2) & 1
        for place, vertex in enumerate(reversed(range(1, n - 1))):
            operations[number, vertex] = code // 3**place % 3
    space = jaxzc.space("nasbench101")
    archs = genes(Cells(edges, operations))
    return {"arch": [space.to_string(arch) for arch in archs], "test_acc": 100 * held["test_acc"][rows]}


def genotype(operations: str) -> str:
    """`skip_connect,1;...` as the list that DARTS prints."""
    return str([(name, int(state)) for name, state in (pair.split(",") for pair in operations.split(";"))])


def darts(columns: Mapping[str, np.ndarray]) -> list[str]:
    """DARTS's genotypes."""
    concat = "[2, 3, 4, 5]"
    return [
        f"Genotype(normal={genotype(normal)}, normal_concat={concat}, reduce={genotype(reduce)}, reduce_concat={concat})"
        for normal, reduce in zip(columns["normal"], columns["reduce"], strict=True)
    ]


def averaged(
    space: Any, archs: Iterable[str], metrics: Mapping[str, np.ndarray], same: Callable[[Any], Any] | None = None
) -> dict[str, Any]:
    """Columns `arch`, as the space writes it, and each metric, its mean over the rows of one architecture. same: what is equal of
    architectures that are one network."""
    strings: list[str] = []
    first: dict[bytes, int] = {}
    rows: list[int] = []
    for text in archs:
        arch = space.parse(text)
        key = np.asarray(arch if same is None else same(arch)).tobytes()
        if key not in first:
            first[key] = len(strings)
            strings.append(space.to_string(arch))
        rows.append(first[key])
    counts = np.bincount(rows)
    return {"arch": strings} | {name: np.bincount(rows, np.asarray(values, float)) / counts for name, values in metrics.items()}


def vitbench(columns: Mapping[str, np.ndarray], space: str) -> dict[str, Any]:
    """Of the networks that were trained from scratch: each data set's accuracies, `DATASET_base`, and with distillation, `DATASET_kd`; row
    9's of Flowers with distillation, an outlier of the published table, are left as they are."""
    mine = (columns["space"] == space) & np.isfinite(columns["base_acc"].astype(float))
    archs = list(dict.fromkeys(columns["arch"][mine].tolist()))
    table: dict[str, Any] = {"arch": archs}
    for dataset in ("cifar100", "flowers", "chaoyang"):
        for kind in ("base", "kd"):
            rows = mine & (columns["dataset"] == dataset)
            values = dict(zip(columns["arch"][rows], columns[f"{kind}_acc"][rows].astype(float), strict=True))
            table[f"{dataset}_{kind}"] = np.array([values.get(arch, np.nan) for arch in archs])
    return table


def halved(images: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels: uint8 `[n, H / 2, W / 2, C]`."""
    n, height, width, channels = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2, channels).astype(np.float32)
    return np.round(blocks.mean((2, 4))).astype(np.uint8)


def zipf(words: int = 20_000, vocabulary: int = 200) -> str:
    """The made-up text, 20 words a line."""
    chances = 1 / np.arange(1, vocabulary + 1)
    drawn = np.random.default_rng(0).choice(vocabulary, words, p=chances / chances.sum()).reshape(-1, 20)
    return "".join(" ".join(f"w{word}" for word in line) + "\n" for line in drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    files, out = arguments.files, arguments.out
    out.mkdir(parents=True, exist_ok=True)

    def columns(name: str) -> Mapping[str, np.ndarray]:
        return read_columns(files / f"{name}.csv.gz").columns

    def write(name: str, table: Mapping[str, Any]) -> None:
        write_scores(out / f"{name}.parquet", table, {}, overwrite=True)
        print(f"{name}: {len(table['arch'])} networks")

    for name in AS_THEY_ARE:
        shutil.copyfile(files / name, out / name)
    write("nasbench101", nasbench101_cells(files / "nb101.npz"))
    trained = columns("darts500_cifar10")
    write("darts", averaged(jaxzc.space("darts"), darts(trained), {"acc": trained["acc"]}))
    inherited = columns("autoformer_3003")
    for letter, size in (("T", "tiny"), ("S", "small"), ("B", "base")):
        rows = inherited["size"] == letter
        metrics = {"imagenet_top1_inherited": inherited["imagenet_top1_inherited"][rows]}
        write(f"autoformer_{size}", averaged(jaxzc.space("autoformer", size=size), inherited["arch"][rows], metrics))
    for space in ("autoformer", "pit"):
        write(f"vitbench_{space}", vitbench(columns("vitbench101"), space))
    tuned = columns("flexibert500")
    write("flexibert", averaged(jaxzc.space("flexibert"), tuned["encoding"], {"glue": tuned["glue"]}))
    rewards = columns("accel_mnasnet")
    write("mnasnet", averaged(jaxzc.space("mnasnet"), rewards["encoding"], {"top1_percent": rewards["top1_percent"]}))
    recipes, space = columns("nasbench_nlp_345"), jaxzc.space("nasbench_nlp")
    losses = {f"{name}_negative_loss": -recipes[f"{name}_test_loss"].astype(float) for name in ("ptb", "wt2")}
    write("nasbench_nlp", averaged(space, recipes["recipe"], losses, lambda arch: space.canonical(arch[None])))
    sample = np.load(files / "cifar10_sample.npz")
    np.savez(out / "cifar16.npz", images=halved(sample["images"]), labels=sample["labels"], classes=sample["classes"])
    (out / "zipf.txt").write_text(zipf())


if __name__ == "__main__":
    main()
