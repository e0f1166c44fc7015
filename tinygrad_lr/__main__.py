"""`python -m tinygrad_lr` is `tinygrad-lr`. See cli/arguments.py."""

import sys

from tinygrad_lr.cli.arguments import program

sys.exit(program())
