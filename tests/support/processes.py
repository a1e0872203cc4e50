"""What a Python process of its own needs, so that it imports this checkout."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """This process's variables, with both packages first on Python's path, and `more` in place of others."""
    paths = [str(ROOT), str(ROOT / "spaces"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}
