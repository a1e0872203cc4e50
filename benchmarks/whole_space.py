"""Scores of all 15,625 cells of NAS-Bench-201 from scores of some: a cell that was not scored has those of one that is the same network.

    jaxzc merge whole --out scored.parquet
    python benchmarks/whole_space.py scored.parquet --out whole.parquet --left rest.txt

Prints how many networks have scores, and a digest of the table: SHA-256 of the strings and, column by column, the scores as float64. --left
writes a cell of every network that has none, to be scored with `jaxzc score nasbench201 --archs rest.txt`. --without leaves out every cell
that is one of the networks of another score table: what an aggregate was chosen on.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

import jaxzc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", nargs="+", help="tables of one seed; where two have a cell, the first one's")
    parser.add_argument("--out", required=True)
    parser.add_argument("--without", help="table of scores whose networks are left out")
    parser.add_argument("--left", help="file of cells to score, one of each network that has no scores")
    arguments = parser.parse_args()
    space = jaxzc.space("nasbench201", classes=10, inputs=(32, 32, 3))
    tables = [jaxzc.tables.read_scores(path) for path in arguments.scores]
    names = [name for name in tables[0].columns if name not in ("arch", "seed", "scored", "error")]
    strings = np.concatenate([table.columns["arch"] for table in tables])
    members = np.concatenate([table.columns.get("scored", table.columns["arch"]) for table in tables])
    columns = {name: np.concatenate([np.asarray(table.columns[name], np.float64) for table in tables]) for name in names}
    (seed,) = set(np.concatenate([table.columns["seed"] for table in tables]).tolist())

    done = ~np.isnan(list(columns.values())).all(0)  # rows of a job that is not finished
    strings, members, columns = strings[done], members[done], {name: column[done] for name, column in columns.items()}
    own: dict[str, int] = {}
    of_network: dict[bytes, int] = {}
    scored = space.same_network(np.stack([space.parse(text) for text in strings]))  # type: ignore[attr-defined]
    for row, (text, network) in enumerate(zip(strings, scored, strict=True)):
        own.setdefault(text, row)
        of_network.setdefault(network.tobytes(), row)
    archs = space.enumerate()
    every = [space.to_string(arch) for arch in archs]
    networks = space.same_network(archs)  # type: ignore[attr-defined]
    rows = [own.get(text, of_network.get(network.tobytes(), -1)) for text, network in zip(every, networks, strict=True)]
    scored = np.asarray(rows) >= 0
    if arguments.without:
        others = space.same_network(np.stack([space.parse(text) for text in jaxzc.tables.read_scores(arguments.without).columns["arch"]]))  # type: ignore[attr-defined]
        scored &= ~np.isin([network.tobytes() for network in networks], [network.tobytes() for network in others])
    if arguments.left:
        left: dict[bytes, str] = {}
        for text, network, row in zip(every, networks, rows, strict=True):
            if row < 0:
                left.setdefault(network.tobytes(), text)  # the first, as --all --isomorphs once has it
        Path(arguments.left).write_text("".join(f"{text}\n" for text in left.values()))
    chosen = np.asarray(rows)[scored]
    whole = {"arch": np.asarray(every, object)[scored], "seed": np.full(scored.sum(), seed), "scored": members[chosen]}
    whole |= {name: column[chosen] for name, column in columns.items()}
    jaxzc.tables.write_scores(arguments.out, whole, {**tables[0].metadata, "networks": len(of_network)}, overwrite=True)
    digest = hashlib.sha256("\n".join(whole["arch"]).encode())
    for name in names:
        digest.update(name.encode() + whole[name].tobytes())
    print(f"{len(of_network):,} of {len(np.unique(networks, axis=0)):,} networks, {scored.sum():,} of {len(archs):,} cells")
    print(f"{len(names)} columns, digest {digest.hexdigest()}")


if __name__ == "__main__":
    main()
