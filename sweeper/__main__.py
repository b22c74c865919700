"""`python -m sweeper`: the `sweeper` command."""

import sys

from .commands import main

sys.exit(main())
