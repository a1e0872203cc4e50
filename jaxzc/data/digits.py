"""scikit-learn's 8x8 digits, read from the file that it ships: reading takes a tenth of a second, importing scikit-learn two or more."""

import importlib.util
from pathlib import Path

import numpy as np

from jaxzc.types import JaxzcError

FILE = Path("datasets", "data", "digits.csv.gz")
"""Below scikit-learn's directory: a row for each image, its 64 pixels and its label."""
COUNT = 1797


def read() -> tuple[np.ndarray, np.ndarray]:
    """All images, float64 `[1797, 8, 8, 1]` of whole numbers from 0 to 16, and their labels, int64 `[1797]`: the numbers of
    `sklearn.datasets.load_digits`. Raises `JaxzcError` where scikit-learn is not installed or has no such file."""
    spec = importlib.util.find_spec("sklearn")  # finds the package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise JaxzcError("the digits ship with scikit-learn, which is not installed: pip install scikit-learn")
    path = Path(spec.submodule_search_locations[0]) / FILE
    if not path.is_file():
        raise JaxzcError(f"there is no file {path}, expected scikit-learn's digits: install scikit-learn anew, or choose other data")
    rows = np.loadtxt(path, delimiter=",")  # numpy opens a name that ends in .gz by itself
    if rows.shape != (COUNT, 65):
        raise JaxzcError(f"{path} holds {list(rows.shape)} numbers, expected [{COUNT}, 65]: install scikit-learn anew")
    return rows[:, :-1].reshape(-1, 8, 8, 1), rows[:, -1].astype(np.int64)
