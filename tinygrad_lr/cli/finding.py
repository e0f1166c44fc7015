"""`tinygrad-lr lr-find TABLE`: the range test of the training that `train` would do, drawn in the terminal.

The test is `training.lr_range_test`; nothing is trained and nothing left, but for a picture with `--out`.
"""

from __future__ import annotations

import signal
from argparse import Namespace

from tinygrad_lr.training.curves import HOW_TO_GET_IT, is_available
from tinygrad_lr.training.range_test import FEWEST, lr_range_test
from tinygrad_lr.training.tables.training import prepare

from .chosen import options_of, table_of
from .printing import note, patient_output, say
from .schedules import picture_format, write_picture

__all__ = ["lr_find"]


def lr_find(arguments: Namespace) -> int:
    """Run the range test that the arguments name, and return the exit code: 130 after Ctrl-C, else 0."""
    if not 0 < arguments.start < arguments.end:
        raise ValueError(f"--from must be above 0 and below --to, got {arguments.start:g} and {arguments.end:g}")
    if arguments.points < FEWEST:
        raise ValueError(f"--points must be at least {FEWEST}, got {arguments.points}")
    picture = "" if arguments.out is None else picture_format(arguments.out)
    if picture and not is_available():
        raise ModuleNotFoundError(f"--out needs matplotlib: {HOW_TO_GET_IT}")
    with patient_output():
        made = prepare(table_of(arguments), options_of(arguments))
        plan = made.plan
        found = lr_range_test(
            plan.model,
            plan.loss,
            plan.optimizer,
            plan.loader,
            start=arguments.start,
            end=arguments.end,
            steps=arguments.points,
            rise="linear" if arguments.linear else "exponential",
            max_norm=made.options.max_norm,
        )
        drawn = len(found.rates) > 1
        for line in found.as_lines() if drawn else ():
            say(line)
        say(f"{made.data.name}: {made.options.optimizer}, batches of {plan.loader.batch_size}; {found.ended}")
        if found.suggestion is not None:
            say(f"Suggested learning rate: {found.suggestion:.3g} (--lr {found.suggestion:.2g})")
        say(f"Rule: {found.rule}")
        if picture and drawn:
            write_picture(found.plot(), f"{made.data.name}: {made.options.optimizer}", arguments.out, picture)
        elif picture:
            note(f"warning: no {arguments.out}: a curve has at least two steps")
    return 128 + signal.SIGINT if found.interrupted else 0
