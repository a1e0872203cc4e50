"""All cells of NAS-Bench-201 as vectors."""

import numpy as np
from jaxzc_spaces.nasbench201.encoding import CHOICES

from jaxzc.spacekit.vectors import enumerate_vectors

SPACE = enumerate_vectors(CHOICES)
TABLE = "nb201.csv.gz"  # of `reference_tables`


def genes(digits):
    """One architecture, int32 `[1, 6]`, of its six digits."""
    return np.array([[int(digit) for digit in digits]], np.int32)
