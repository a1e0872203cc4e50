"""Ground truth from the official files of the NAS benchmarks: each module turns one kind into a table of a few MB.

Every `read_*` takes paths and gives a `Table`: columns `[architectures]` for `jaxzc.tables.write_scores`, to be read back by
`jaxzc.tables.read_truth`. Files are read as streams and a run is forgotten once it is counted, so that memory grows with the number of
architectures (a few hundred bytes each) and not with runs, epochs or bytes; where a format forbids that, its module says so.
Nothing in a file is ever executed (see `jaxzc.tables.importers.pickles`).

Accuracies are in the unit of the benchmark (per cent, or fractions in NAS-Bench-101); a missing value is NaN.
"""

from jaxzc.tables.importers.foreign import Foreign, read_foreign
from jaxzc.tables.importers.means import Table
from jaxzc.tables.importers.nasbench101 import read_nasbench101
from jaxzc.tables.importers.naslib import read_naslib, read_naslib_scores
from jaxzc.tables.importers.nats_bench import read_nats_bench
from jaxzc.tables.importers.nds import read_nds
from jaxzc.tables.importers.transnasbench101 import read_transnasbench101

__all__ = [
    "Foreign",
    "Table",
    "read_foreign",
    "read_nasbench101",
    "read_naslib",
    "read_naslib_scores",
    "read_nats_bench",
    "read_nds",
    "read_transnasbench101",
]
