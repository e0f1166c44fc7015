"""Checks that prove an optimizer against its paper: ours, torch's, optax's, keras's, your own. No kernels here.

    from tinygrad_lr import optim, verify

    print(verify.check_optimizer(optim.Adam, verify.spec("adam")))

Read formulas/ (the papers' update rules), bounds/ (what correct arithmetic may give), protocol.py and properties/
(the properties, by name), checks/ (the public checks), adapters/ (what can be checked). docs/verify.md is the guide.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import adapters, formulas, mutants, properties
    from .brought import formula
    from .checks.clipping import check_clipping
    from .checks.gradients import check_gradients
    from .checks.optimizers import check_optimizer
    from .checks.schedulers import check_scheduler
    from .checks.schedules import check_schedule
    from .checks.suite import parametrize_optimizer_checks
    from .documents.elements import ElementStep, explain_step
    from .formulas.numbers import (
        cbrt,
        exp,
        log,
        matmul,
        maximum,
        mean,
        minimum,
        norm,
        rms,
        sign,
        sqrt,
        tanh,
        total,
        transpose,
        where,
    )
    from .report import Finding, Report
    from .specification import Specification, spec

# What a formula of one's own is written with.
_NUMBERS = (
    *("cbrt", "exp", "log", "matmul", "maximum", "mean", "minimum", "norm"),
    *("rms", "sign", "sqrt", "tanh", "total", "transpose", "where"),
)
# Each is imported at its first use.
_MODULE_OF = {
    **dict.fromkeys(_NUMBERS, ".formulas.numbers"),
    "ElementStep": ".documents.elements",
    "Finding": ".report",
    "Report": ".report",
    "Specification": ".specification",
    "check_clipping": ".checks.clipping",
    "check_gradients": ".checks.gradients",
    "check_optimizer": ".checks.optimizers",
    "check_schedule": ".checks.schedules",
    "check_scheduler": ".checks.schedulers",
    "explain_step": ".documents.elements",
    "formula": ".brought",
    "parametrize_optimizer_checks": ".checks.suite",
    "spec": ".specification",
}

__all__ = [
    "ElementStep",
    "Finding",
    "Report",
    "Specification",
    "adapters",
    "cbrt",
    "check_clipping",
    "check_gradients",
    "check_optimizer",
    "check_schedule",
    "check_scheduler",
    "exp",
    "explain_step",
    "formula",
    "formulas",
    "log",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "mutants",
    "norm",
    "parametrize_optimizer_checks",
    "properties",
    "rms",
    "sign",
    "spec",
    "sqrt",
    "tanh",
    "total",
    "transpose",
    "where",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name], __name__), name)
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
