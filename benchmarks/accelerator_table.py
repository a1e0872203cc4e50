"""The results of `accelerator.py`: collected as they come, written as JSON, and read as a table in Markdown."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TOLERANCE = 1e-3
"""Relative difference from the CPU's score up to which a score agrees."""


class Results:
    """out: name of the files, without .json and .md. size: of the networks and of the run, for the record.

    about: the device and the networks. peaks: what the device does at best. rows: of jaxzc, one for each set, precision and chunk.
    torch: of PyTorch, by TF32, set and network. reference: the CPU's scores, network by network. steps: seconds of each. omitted: what was
    not measured, and why."""

    def __init__(self, out: Path, size: Mapping[str, Any]):
        self.out, self.size = out, dict(size)
        self.about: dict[str, Any] = {}
        self.peaks: dict[str, float] = {}
        self.rows: list[dict[str, Any]] = []
        self.torch: dict[str, dict[str, Any]] = {}
        self.reference: list[dict[str, Any]] = []
        self.steps: dict[str, float] = {}
        self.omitted: dict[str, str] = {}

    def peak(self, row: Mapping[str, Any]) -> None:
        if "device" in row:
            self.about = dict(row)
        else:
            self.peaks[row["peak"]] = row.get("flops_per_s") or row["bytes_per_s"]

    def rate(self, name: str, precision: str) -> Callable[[Mapping[str, Any]], None]:
        def take(row: Mapping[str, Any]) -> None:
            if "error" in row:
                self.left_out(f"{name}, {precision}, chunk {row['chunk']}", row["error"])
            else:
                self.rows.append({"set": name, "precision": precision, **row})

        return take

    def pytorch(self, tf32: bool, sets: Mapping[str, str]) -> Callable[[Mapping[str, Any]], None]:
        """Takes the answers of `torch_peer.py`: first one that is not counted, then those of each network, of the same proxies in the same
        order."""
        entry = self.torch[f"TF32 {'on' if tf32 else 'off'}"] = {"seconds": {}, "peak_bytes": 0, "sets": {}}
        answers: list[Mapping[str, Any]] = []

        def take(row: Mapping[str, Any]) -> None:
            answers.append(row)
            if len(answers) == 1:
                return
            seconds = entry["seconds"].setdefault(row["proxy"], [])
            seconds.append(row["seconds"])
            entry["peak_bytes"] = max(entry["peak_bytes"], row["peak_bytes"])
            for name, proxies in sets.items():
                times = [entry["seconds"].get(proxy) for proxy in proxies.split(",")]
                if all(times) and len({len(t) for t in times}) == 1:
                    entry["sets"][name] = {"networks": len(times[0]), "seconds": sum(map(sum, times)) / len(times[0])}

        return take

    def left_out(self, what: str, why: str) -> None:
        self.omitted[what] = why

    def agreement(self, row: Mapping[str, Any]) -> dict[str, float]:
        """Proxy -> largest relative difference of a row's scores from the CPU's, over the networks that both have. NaN and infinities agree
        with themselves only; a score that is NaN on one side only differs infinitely."""
        worst: dict[str, float] = {}
        for known in self.reference:
            if known["network"] < len(row["scores"]):
                scores = row["scores"][known["network"]]
                for label in scores.keys() & known["scores"].keys():
                    worst[label] = max(worst.get(label, 0.0), difference(float(scores[label]), float(known["scores"][label])))
        return worst

    def write(self) -> None:
        """Writes both files; whoever reads them meanwhile sees the old or the new ones."""
        agreement = [{"set": r["set"], "precision": r["precision"], "chunk": r["chunk"], **self.agreement(r)} for r in self.rows]
        facts = {"about": self.about, "size": self.size, "peaks": self.peaks, "rows": self.rows, "torch": self.torch}
        facts |= {"reference": self.reference, "agreement": agreement, "steps": self.steps, "omitted": self.omitted}
        for ending, text in ((".json", json.dumps(facts, indent=1)), (".md", self.table() + "\n")):
            part = self.out.with_name(f"{self.out.name}{ending}.part")
            part.write_text(text)
            part.replace(self.out.with_name(f"{self.out.name}{ending}"))

    def table(self) -> str:
        size = ", ".join(f"{name} {value}" for name, value in self.size.items())
        lines = [f"{self.about.get('device', 'unknown device')}, JAX {self.about.get('jax', '?')}; {size}", ""]
        names = {"bfloat16": "bfloat16", "float32": "float32", "tf32": "JAX's default for float32"}
        peaks = [f"{names[name]} {value / 1e12:.3g} TFLOP/s" for name, value in self.peaks.items() if name in names]
        if peaks:
            copy = f"; a copy: {self.peaks['copy'] / 1e9:.3g} GB/s" if "copy" in self.peaks else ""
            lines += [f"Matrix product: {', '.join(peaks)}{copy}", ""]
        lines += [
            "| set | products | chunk | compile, s | architectures/s | TFLOP/s (of the product) | peak, GB | over PyTorch, TF32 off / on | "
            f"worst difference from the CPU (over {TOLERANCE:g}) |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        return "\n".join([*lines, *map(self._row, self.rows), *self._others()])

    def _row(self, row: Mapping[str, Any]) -> str:
        product = self.peaks.get("float32" if row["precision"] == "highest" else "tf32")
        share = f" ({row['flops_per_s'] / product:.1%})" if product else ""
        over = [self._over(row, name) for name in ("TF32 off", "TF32 on")]
        worst = self.agreement(row)
        most = max(worst, key=worst.__getitem__, default=None)
        beyond = sum(value > TOLERANCE for value in worst.values())
        agreed = "" if most is None else f"{worst[most]:.1e} {most} ({beyond} of {len(worst)})"
        cells = (
            row["set"],
            row["precision"],
            row["chunk"],
            f"{row['compile_s']:.1f}",
            f"{row['architectures_per_s']:.3g}",
            f"{row['flops_per_s'] / 1e12:.3g}{share}",
            "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e9:.2f}",
            " / ".join(over),
            agreed,
        )
        return f"| {' | '.join(map(str, cells))} |"

    def _over(self, row: Mapping[str, Any], name: str) -> str:
        theirs = self.torch.get(name, {}).get("sets", {}).get(row["set"])
        return f"{row['architectures_per_s'] * theirs['seconds']:.1f}" if theirs else "-"

    def _others(self) -> list[str]:
        lines = [""]
        for name, entry in self.torch.items():
            sets = ", ".join(f"{each} {facts['seconds']:.3g} s" for each, facts in entry["sets"].items())
            lines.append(f"Eager PyTorch, {name}, seconds a network: {sets}; peak {entry['peak_bytes'] / 1e9:.2f} GB")
        lines.append(f"Networks with scores of the CPU: {len(self.reference)}")
        return lines + [f"Not measured: {what} ({why})" for what, why in self.omitted.items()]


def difference(value: float, expected: float) -> float:
    """|value - expected| / |expected|; 0 for equal values, NaN and infinities among them."""
    if value == expected or (math.isnan(value) and math.isnan(expected)):
        return 0.0
    if not (math.isfinite(value) and math.isfinite(expected)) or expected == 0:
        return math.inf
    return abs(value - expected) / abs(expected)
