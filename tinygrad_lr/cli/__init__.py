"""The command `tinygrad-lr`. arguments.py says what it accepts, commands.py what each command does.

What a training of a table is stands in training/tables/. Here are its printing (printing.py) and its picture
(plotting.py); warmup.py compiles ahead, info.py tells what is installed, timings.py measures the first steps.
"""

from .arguments import main, parser, program

__all__ = ["main", "parser", "program"]
