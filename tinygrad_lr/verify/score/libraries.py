"""Right in torch: its optimizers in each of their forms, as a user hands them to the kit. Next: schedules.py.

What they inherit from torch.optim.Optimizer is left out where the kit can tell it apart.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator
from typing import Any

from ..specification import spec
from .candidates import PATIENCE, Candidate, Formulas, family

# torch's class -> the formula
CLASSES = {
    "SGD": "sgd",
    "Adam": "adam",
    "AdamW": "adamw",
    "RMSprop": "rmsprop",
    "Adagrad": "adagrad",
    "Adadelta": "adadelta",
    "Adamax": "adamax",
    "NAdam": "nadam",
    "RAdam": "radam",
}
FORMS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a loop": ({"foreach": False}, tuple(CLASSES)),
    "foreach": ({"foreach": True}, tuple(CLASSES)),
    "fused": ({"fused": True}, ("SGD", "Adam", "AdamW", "Adagrad")),
}


def checked(name: str, arguments: dict[str, Any]) -> Any:
    """The kit's report on one of torch's optimizers."""
    import torch

    from ..adapters import torch as adapted
    from ..checks.optimizers import check_optimizer

    leaves_out: dict[str, Any] = (
        {"ignore": {"inherited"}} if "ignore" in inspect.signature(check_optimizer).parameters else {}
    )
    claim = spec(CLASSES[name], dialect="torch")
    return check_optimizer(adapted(getattr(torch.optim, name), **arguments), claim, timeout=PATIENCE, **leaves_out)


@family("torch", "torch's own optimizers as a loop, foreach and fused.", right=True)
def libraries(formulas: Formulas = ()) -> Iterator[Candidate]:
    if importlib.util.find_spec("torch") is None:
        return
    for form, (arguments, names) in FORMS.items():
        for name in (n for n in names if not formulas or CLASSES[n] in formulas):
            yield Candidate("torch", form, name, lambda name=name, arguments=arguments: checked(name, arguments))
