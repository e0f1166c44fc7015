"""`tinygrad-lr race`: runs a race, prints its table and a picture of characters, and with `--out` leaves a folder.

What it does, Python can do too: tinygrad_lr/race/.
"""

from __future__ import annotations

import math
import signal
from argparse import Namespace

from tinygrad_lr.race import Race, leaving, race, save
from tinygrad_lr.race.drawing import HOW_TO_GET_IT, as_lines, is_available
from tinygrad_lr.race.racing import SCHEDULES
from tinygrad_lr.schedules import TextError
from tinygrad_lr.training.progress import STOPPING, Interruption, progress_bar

from .printing import fail, note, patient_output, say
from .schedules import refused

__all__ = ["run_race"]


def run_race(arguments: Namespace) -> int:
    """Run the race that the arguments describe, and return the exit code."""
    if arguments.out is not None:
        leaving.check_free(arguments.out)  # before the runs, not after them
    with Interruption(*STOPPING) as stop, patient_output():
        stop.tolerate(0)
        interrupted = 128 + signal.SIGINT
        try:
            with progress_bar(not arguments.quiet, None, 0, unit="run") as bar:
                found = race(
                    arguments.problem,
                    target=arguments.target,
                    hidden=arguments.hidden,
                    optimizers=arguments.optimizer or None,
                    schedules=arguments.schedule or SCHEDULES,
                    rates=arguments.rates,
                    seeds=arguments.seeds,
                    steps=arguments.steps,
                    within=arguments.within,
                    jobs=arguments.jobs,
                    dask=arguments.dask,
                    on_outcome=lambda outcome: bar.update(),
                )
        except TextError as error:
            return refused(error)
        except KeyboardInterrupt:
            return fail("interrupted before a run was complete", 128 + (stop.received or signal.SIGINT))
        stop.tolerate(math.inf)  # what is there is printed and written whole
        interrupted = 128 + (stop.received or signal.SIGINT)
        if not arguments.quiet:
            for line in printed(found):
                say(line)
        if arguments.out is not None:
            names = save(found, arguments.out)
            if not is_available():
                note(f"warning: no race.png, which needs matplotlib: {HOW_TO_GET_IT}")
            if not arguments.quiet:
                say(f"{', '.join(names)} in {arguments.out}")
        return interrupted if found.interrupted else 0


def printed(found: Race) -> list[str]:
    """All lines of a race for people."""
    return [
        f"{found.problem.name}: {len(found.outcomes):,} runs of {found.steps:,} steps",
        f"loss: {found.problem.measured}",
        "",
        *found.lines(),
        "",
        *as_lines(found),
    ]
