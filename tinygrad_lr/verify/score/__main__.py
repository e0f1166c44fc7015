"""`python -m tinygrad_lr.verify.score` prints the kit's own score."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
