"""`python -m jaxzc` is the command `jaxzc`."""

import os
import sys


def main() -> int:
    """Runs the command. XLA's own alarms (of long compilations, of constants) are for those who work on XLA; with `TF_CPP_MIN_LOG_LEVEL=0`
    in the environment they are shown."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when jaxlib is loaded, so before JAX is imported
    from jaxzc.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
