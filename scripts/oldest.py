"""Tests with the oldest dependencies that pyproject.toml allows: `python scripts/oldest.py VENV [PYTEST ARGUMENTS]`.

VENV is a directory for a virtual environment of this Python's, which is made where it is missing. Without arguments for pytest all fast
tests are run.
"""

import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEPRECATED = ("ignore:jax.core:DeprecationWarning", "ignore::pyparsing.warnings.PyparsingDeprecationWarning")
"""Flax 0.12.6 imports names that JAX 0.10 deprecates, and Matplotlib 3.10 calls names that pyparsing does."""


def oldest(dependency: str) -> str:
    """`NAME>=VERSION` as `NAME==VERSION`."""
    name, found, version = dependency.partition(">=")
    if not found:
        raise SystemExit(f"{dependency!r} in pyproject.toml has no oldest version: write it as NAME>=VERSION")
    return f"{name}=={version}"


def main(folder: Path, arguments: list[str]) -> int:
    if not folder.exists():
        venv.create(folder, with_pip=True)
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    constraints = folder / "oldest.txt"
    constraints.write_text("\n".join(map(oldest, dependencies)))
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-compile", "-e", ".[dev]", "-c", constraints], cwd=ROOT, check=True)
    filters = [part for one in DEPRECATED for part in ("-W", one)]
    return subprocess.run([python, "-m", "pytest", *filters, *arguments], cwd=ROOT).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    raise SystemExit(main(Path(sys.argv[1]).absolute(), sys.argv[2:]))
