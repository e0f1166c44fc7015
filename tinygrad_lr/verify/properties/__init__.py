"""The properties of optimizers in one table: `PROPERTIES["P13"](make, case)` checks one.

Each has a stable id and a statement in one sentence. A failure raises `PropertyViolation`, with the id, the statement,
the expected and actual values, and the error over the bound.

P1 to P34 of optimizers stand in one_step.py, structural.py, liveness.py, continuity.py, scaling.py, identities.py and
equivalents.py. clipping.py, schedules.py and gradients.py have the others, and registry.py all of P1 to P49.

Example:
    >>> import numpy as np
    >>> from tinygrad_lr.verify import adapters
    >>> from tinygrad_lr.verify.specification import Specification
    >>> case = Case(Specification("sgd", {"lr": 0.1}), [np.ones(3)], [[np.array([1.0, 2.0, 3.0])]])
    >>> PROPERTIES["P14"](adapters.naive("sgd"), case)
    >>> PROPERTIES["P25"](adapters.naive("sgd"), case)
    Traceback (most recent call last):
        ...
    tinygrad_lr.verify.protocol.NotApplicable: P25 speaks about adagrad, not about sgd
"""

from __future__ import annotations

from ..protocol import PROPERTIES, Case, Maker, NotApplicable, Property, PropertyViolation, Subject, number_of
from . import circumstances, continuity, equivalents, identities, liveness, one_step, scaling, structural

__all__ = [
    "PROPERTIES",
    "Case",
    "Maker",
    "NotApplicable",
    "Property",
    "PropertyViolation",
    "Subject",
    "check_all",
    "number_of",
]

# Importing these files has registered what they check.
_registered = (one_step, circumstances, structural, liveness, continuity, scaling, identities, equivalents)
_by_number = sorted(PROPERTIES.items(), key=lambda entry: number_of(entry[0]))
PROPERTIES.clear()
PROPERTIES.update(_by_number)


def check_all(make: Maker, case: Case, own_cases: bool = True) -> dict[str, str]:
    """Run every property on one case: id -> "passed", "failed: message" or "not applicable: reason".

    Args:
        own_cases: whether properties that make their own cases are run, too. One case of a claim suffices for them.

    Example:
        >>> import numpy as np
        >>> from tinygrad_lr.verify import adapters
        >>> from tinygrad_lr.verify.specification import Specification
        >>> case = Case(Specification("sgd", {"lr": 0.1}), [np.ones(3)], [[np.array([1.0, 2.0, 3.0])]])
        >>> check_all(adapters.naive("sgd"), case)["P13"]
        'passed'
    """
    outcomes = {}
    for property_id, check in PROPERTIES.items():
        if not own_cases and (check.once or check.cases):
            continue
        try:
            check(make, case)
            outcomes[property_id] = "passed"
        except NotApplicable as reason:
            outcomes[property_id] = f"not applicable: {reason}"
        except PropertyViolation as violation:
            outcomes[property_id] = f"failed: {violation}"
    return outcomes
