"""The kit that proves an optimizer against its paper: ours, torch's, optax's, keras's, your own. No kernels here.

    from tinygrad_lr import verify

    print(verify.check_optimizer(MyAdam, verify.spec("adam", dialect="torch")))

Read formulas/ (the papers' update rules), enclosure.py (what correct arithmetic may give), check.py and properties.py
(the properties, by name), kit.py (the checks), adapters (what can be checked). docs/verify.md is the guide.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Finding": "report",
    "Report": "report",
    "Specification": "specification",
    "check_clipping": "kit_clipping",
    "check_gradients": "kit_gradients",
    "check_optimizer": "kit",
    "check_schedule": "kit_schedules",
    "check_scheduler": "kit_schedulers",
    "parametrize_optimizer_checks": "suite",
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
