"""`python -m tinygrad_lr` is `tinygrad-lr`. See cli.py."""

import sys

from .cli import program

sys.exit(program())
