"""The kit that proves an optimizer against its paper: ours, torch's, optax's, keras's, your own. No kernels here.

    from tinygrad_lr import verify

    print(verify.check_optimizer(MyAdam, verify.spec("adam", dialect="torch")))

Read formulas/ (the papers' update rules), bounds/ (what correct arithmetic may give), protocol.py and properties/
(the properties, by name), checks/ (the public checks), adapters/ (what can be checked). docs/verify.md is the guide.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Finding": "report",
    "Report": "report",
    "Specification": "specification",
    "check_clipping": "checks.clipping",
    "check_gradients": "checks.gradients",
    "check_optimizer": "checks.optimizers",
    "check_schedule": "checks.schedules",
    "check_scheduler": "checks.schedulers",
    "parametrize_optimizer_checks": "checks.suite",
    "spec": "specification",
}
_MODULES = ("adapters", "mutants", "formulas", "properties")

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
