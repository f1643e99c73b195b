"""`python -m hsimul3r` is the command line."""

import sys

from hsimul3r.cli import main

sys.exit(main())
