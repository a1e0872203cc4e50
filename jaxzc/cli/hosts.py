"""Which stripe of a job this process scores: told by options, by the environment, or by `jax.distributed`."""

import argparse
import os

import jax

from jaxzc.jobs import Stripe, parse_stripe
from jaxzc.types import JaxzcError

VARIABLE = "JAXZC_STRIPE"
SLURM = ("SLURM_PROCID", "SLURM_NTASKS")
DAYS = 30 * 24 * 3600
"""Seconds that a process which has finished waits for the others: JAX ends all of them where one leaves early."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--stripe",
        metavar="I/N",
        help="score every N-th row from the I-th, I < N, into the directory that all N processes share; 'slurm' takes "
        f"{SLURM[0]}/{SLURM[1]} (default: the environment variable {VARIABLE}, else everything)",
    )
    command.add_argument(
        "--distributed",
        action="store_true",
        help="call jax.distributed.initialize() and score the stripe of this process: for TPU pods, Slurm and Open MPI; elsewhere add "
        "--stripe I/N and set JAX_COORDINATOR_ADDRESS",
    )


def stripe(text: str | None) -> Stripe:
    """The stripe that --stripe names, or else the environment, as far as it is known without asking JAX. Raises `JaxzcError` for a text
    that is no stripe."""
    if text == "slurm":
        lacking = [name for name in SLURM if name not in os.environ]
        if lacking:
            raise JaxzcError(f"--stripe slurm needs the environment variable {lacking[0]}: start it with srun, or give --stripe I/N")
        return parse_stripe("/".join(os.environ[name] for name in SLURM))
    if text is not None:
        return parse_stripe(text)
    return parse_stripe(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else Stripe()


def begin(named: Stripe, *, distributed: bool) -> Stripe:
    """Joins the other processes where that was asked for; returns the stripe of this process, which is `named`
    unless they number themselves. To be called before JAX looks for devices."""
    if not distributed:
        return named
    count, index = (named.count, named.index) if named.count > 1 else (None, None)
    try:
        jax.distributed.initialize(num_processes=count, process_id=index, shutdown_timeout_seconds=DAYS)
    except (ValueError, RuntimeError) as error:
        raise JaxzcError(
            f"jax.distributed could not begin ({error}): without a TPU pod, Slurm or Open MPI give --stripe I/N and JAX_COORDINATOR_ADDRESS"
        ) from error
    return Stripe(jax.process_index(), jax.process_count())
