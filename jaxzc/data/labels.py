"""Judges the labels of a source before anything is scored on them."""

import numpy as np

from jaxzc.types import JaxzcError


def check_labels(name: str, labels: np.ndarray, classes: int, *, stated: bool) -> None:
    """Raises `JaxzcError` where whole numbers `[N]` cannot be labels of `classes` classes.

    They cannot where one lies outside of `[0, classes)`, where all are of one class, and, where the number of classes is not stated but
    follows from the largest label, where they begin at 1: then one output of the network would belong to no class.
    """
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        index = int(np.argmax(wrong))
        raise JaxzcError(f"label {labels[index]} at index {index} of {name} is out of range, expected 0 to {classes - 1}: check the file")
    seen = np.unique(labels)
    if len(seen) == 1 and len(labels) > 1:
        raise JaxzcError(
            f"all {len(labels)} labels of {name} are {seen[0]}: proxies of the loss need two classes or more, so give images of several"
        )
    if not stated and classes > 2 and len(seen) == classes - 1 and seen[0] == 1:
        raise JaxzcError(
            f"the labels of {name} go from 1 to {seen[-1]}, and none is 0: labels are numbered from 0, so save labels - 1, or state "
            "the number of classes as the array `classes`"
        )
