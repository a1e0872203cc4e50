"""Images to train on and images to test on, from the sources of `jaxzc.data`."""

from typing import NamedTuple

from jaxzc.data import load
from jaxzc.data.loading import size
from jaxzc.types import Batch, JaxzcError


class Images(NamedTuple):
    """Training and test images, the number of classes, and digests of both for the record."""

    train: Batch
    test: Batch
    classes: int
    digests: tuple[str, str]


def split(spec: str, *, test: str | None = None, images: int | None = None, fraction: float = 0.2, seed: int = 0) -> Images:
    """Draws `images` images (default: all) of `spec`; `fraction` of them are held out for testing, unless `test` names images of their own.

    Raises `JaxzcError`: what `load` refuses, a source whose size is unknown without `images`, a fraction outside (0, 1), test images of
    another shape or number of classes.
    """
    if not 0 < fraction < 1:
        raise JaxzcError(f"the fraction held out for testing is {fraction}: expected a number between 0 and 1")
    drawn = load(spec, batch_size=images or size(spec), batches=1, seed=seed)
    (everything,) = drawn.batches
    if test is not None:
        held = load(test, batch_size=size(test), batches=1, shape=everything.inputs.shape[1:], classes=drawn.classes)
        return Images(everything, held.batches[0], drawn.classes, (drawn.digest, held.digest))
    count = len(everything.targets)
    held_out = round(fraction * count)
    if not 0 < held_out < count:
        raise JaxzcError(f"{fraction} of {count} images leaves nothing to train or to test on: draw more images")
    train, tested = (Batch(everything.inputs[part], everything.targets[part]) for part in (slice(held_out, None), slice(held_out)))
    return Images(train, tested, drawn.classes, (drawn.digest, drawn.digest))
