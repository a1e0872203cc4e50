"""Images to score on: `load` draws normalised batches from a named source, `check_batch` judges the user's own arrays."""

from jaxzc.data.checks import check_batch, check_examples
from jaxzc.data.loading import SPECS, Data, load

__all__ = ["SPECS", "Data", "check_batch", "check_examples", "load"]
