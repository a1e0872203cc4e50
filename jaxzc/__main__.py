"""`python -m jaxzc` is the command `jaxzc`."""

import sys

from jaxzc.cli import main

sys.exit(main())
