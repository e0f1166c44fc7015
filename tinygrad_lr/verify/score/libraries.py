"""Right in torch: its optimizers in each of their forms, as a user hands them to the kit. Next: schedules.py.

What they inherit from torch.optim.Optimizer is left out where the kit can tell it apart.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

from ..formulas import FAMILIES
from ..specification import spec
from .candidates import PATIENCE, Candidate, Formulas, family

FORMS: dict[str, dict[str, Any]] = {
    "a loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
NOT_RIGHT = {"ASGD": "a changed rate acts one step late"}
# What others of its classes truly lack (docs/audit.md).
LACKS = {
    "fused": ("P1.layouts", "P4"),  # it reads strided gradients in the order of memory
    "Adagrad": ("P1.changes",),  # a group's own initial_accumulator_value is not used
    "NAdam": ("P1.dtypes", "P9.whole"),  # a product of momenta is float32 where the parameters are float64
}


def classes() -> dict[str, str]:
    """torch's right classes that have forms and a formula, and the names of the formulas."""
    import torch

    found = {
        name: name.lower() for name, cls in vars(torch.optim).items() if inspect.isclass(cls) and name not in NOT_RIGHT
    }
    return {
        name: formula
        for name, formula in found.items()
        if formula in FAMILIES and "torch" in FAMILIES[formula].dialects and "foreach" in arguments_of(name)
    }


def arguments_of(name: str) -> set[str]:
    """The names of the arguments of one of torch's optimizers."""
    import torch

    return set(inspect.signature(getattr(torch.optim, name)).parameters)


def checked(name: str, arguments: dict[str, Any]) -> Any:
    """The kit's report on one of torch's optimizers."""
    import torch

    from ..adapters import torch as adapted
    from ..checks.optimizers import check_optimizer

    leaves_out: dict[str, Any] = (
        {"ignore": {"inherited"}} if "ignore" in inspect.signature(check_optimizer).parameters else {}
    )
    claim = spec(name.lower(), dialect="torch")
    return check_optimizer(adapted(getattr(torch.optim, name), **arguments), claim, timeout=PATIENCE, **leaves_out)


@family("torch", "torch's own optimizers as a loop, foreach and fused.", right=True)
def libraries(formulas: Formulas = ()) -> Iterator[Candidate]:
    if importlib.util.find_spec("torch") is None:
        return
    for form, arguments in FORMS.items():
        for name, formula in classes().items():
            if (not formulas or formula in formulas) and set(arguments) <= arguments_of(name):
                lacks = (*LACKS.get(form, ()), *LACKS.get(name, ()))
                check = partial(checked, name, arguments)
                yield Candidate("torch", form, name, check, lacks=lacks)
