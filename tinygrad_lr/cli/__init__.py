"""The command `tinygrad-lr`. arguments.py says what it accepts, commands.py what each command does.

preparing.py builds what a training asks for, tabular.py the model of a table, runs.py keeps a run's folder with its
picture (plotting.py) and its origin (provenance.py); warmup.py compiles ahead, timings.py measures the first steps.
"""

from .arguments import main, parser, program

__all__ = ["main", "parser", "program"]
