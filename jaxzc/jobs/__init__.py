"""Jobs: scores of many architectures, kept in a directory as they come, so that nothing that ends a process loses more than seconds.

A job's directory, local or of an object store, holds its settings (`jaxzc.jobs.manifest`), parts (`jaxzc.jobs.parts`), leases
(`jaxzc._durable.lease`) and heartbeats (`jaxzc.jobs.recorder`). Several processes score stripes of one job and need nothing of each other.
"""

from jaxzc._durable.lease import leases_of
from jaxzc._durable.store import Store, store
from jaxzc.jobs.manifest import Request
from jaxzc.jobs.merging import Merged, merge
from jaxzc.jobs.runner import Outcome, Work, run
from jaxzc.jobs.work import Stripe, parse_stripe, representatives, units

__all__ = [
    "Merged",
    "Outcome",
    "Request",
    "Store",
    "Stripe",
    "Work",
    "leases_of",
    "merge",
    "parse_stripe",
    "representatives",
    "run",
    "store",
    "units",
]
