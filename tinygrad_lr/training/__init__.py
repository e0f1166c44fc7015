"""Training: `fit` trains a model, `evaluate` measures it, `Checkpoint` keeps it on disk; `train_table` takes a table.

Read fitting.py first, then loops.py (the steps of an epoch) and rates.py (the rates of all steps). history.py keeps
what happened; progress.py shows it on the terminal. callbacks.py says what is called after steps and epochs; those
that come with the package are in stopping.py, averaging.py, csv_log.py and tensorboard.py. checkpoint.py says when a
snapshot (snapshot.py) of a training is written, from which it can go on. range_test.py looks for a learning rate.
report.py makes a page of trainings.
tables/ goes from a table to a trained model.
A name is imported at its first use (PEP 562), so that the command line can read the options of a training at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .averaging import ModelAveraging as ModelAveraging
    from .averaging import WeightAveraging as WeightAveraging
    from .callbacks import STOP as STOP
    from .callbacks import Callback as Callback
    from .callbacks import Stop as Stop
    from .callbacks import Training as Training
    from .checkpoint import Checkpoint as Checkpoint
    from .csv_log import CSVLog as CSVLog
    from .fitting import Diverged as Diverged
    from .fitting import evaluate as evaluate
    from .fitting import fit as fit
    from .fitting import line as line
    from .history import History as History
    from .range_test import RangeTest as RangeTest
    from .range_test import lr_range_test as lr_range_test
    from .report import Reported as Reported
    from .report import html_report as html_report
    from .stopping import BestParameters as BestParameters
    from .stopping import EarlyStopping as EarlyStopping
    from .tables.comparing import compare_runs as compare_runs
    from .tables.trained import TrainedTable as TrainedTable
    from .tables.trained import load_run as load_run
    from .tables.training import train_table as train_table
    from .tensorboard import TensorBoard as TensorBoard

_PLACES = {
    "BestParameters": ".stopping",
    "CSVLog": ".csv_log",
    "Callback": ".callbacks",
    "Checkpoint": ".checkpoint",
    "Diverged": ".fitting",
    "EarlyStopping": ".stopping",
    "History": ".history",
    "ModelAveraging": ".averaging",
    "RangeTest": ".range_test",
    "Reported": ".report",
    "STOP": ".callbacks",
    "Stop": ".callbacks",
    "TensorBoard": ".tensorboard",
    "Training": ".callbacks",
    "TrainedTable": ".tables.trained",
    "WeightAveraging": ".averaging",
    "compare_runs": ".tables.comparing",
    "evaluate": ".fitting",
    "fit": ".fitting",
    "html_report": ".report",
    "line": ".fitting",
    "load_run": ".tables.trained",
    "lr_range_test": ".range_test",
    "train_table": ".tables.training",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(_PLACES)}")
    value = getattr(import_module(_PLACES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*globals(), *_PLACES])
