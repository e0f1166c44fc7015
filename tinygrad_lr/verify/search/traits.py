"""What kind of rule an optimizer computes, where no formula says so: elementwise or not, its parameters coupled or not.

Some properties are true of some rules only (`Property.of`). The traits are said (arguments of `check_optimizer`,
attributes of a maker), follow from a formula's row, or are found out: a gradient is changed in one element, or in one
parameter, and what moves besides shows what depends on it. Next: search.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..protocol import ELEMENTWISE, EVERY, INDEPENDENT, Case, Claim, Maker, Property, trajectory
from ..specification import Specification

STEPS = 6


class Traits:
    """What is known of a rule; None: unknown.

    Args:
        claim: a formula, whose row says it, or none.
        make: its attributes `elementwise` and `coupled` come before the formula's.
        elementwise, coupled: what the caller says comes first.
    """

    def __init__(self, claim: Claim, make: Maker, elementwise: bool | None = None, coupled: bool | None = None) -> None:
        family = claim.family if isinstance(claim, Specification) else None
        said = {"elementwise": elementwise, "coupled": coupled}
        for name, value in said.items():
            if value is None:
                said[name] = getattr(make, name, None)
            if said[name] is None and family is not None:
                said[name] = bool(getattr(family, name))
        self.elementwise, self.coupled = said["elementwise"], said["coupled"]
        self._exempt = family.exempt if family else {}

    def reason_against(self, check: Property) -> str:
        """Why a property says nothing of such a rule; empty where it does, or where the trait is unknown."""
        if reason := self._exempt.get(check.id):
            return reason
        if check.of == ELEMENTWISE and self.elementwise is False:
            return "the elements of a parameter determine a step together (elementwise=False)"
        if check.of == INDEPENDENT and check.id != "P10" and self.coupled:  # part of P10 is true of all
            return "all parameters determine a step together (coupled=True)"
        return ""

    def must_have(self, check: Property, make: Maker, case: Case) -> bool:
        """Whether such a rule must have a property that it lacks on a case; finds out what is unknown."""
        if check.of == ELEMENTWISE:
            return elements_are_apart(make, case) if self.elementwise is None else self.elementwise
        if check.id == "P10":  # a rule may count the steps of all parameters together (schedule-free descent)
            return self.coupled is False
        if check.of == INDEPENDENT:
            return parameters_are_apart(make, case) if self.coupled is None else not self.coupled
        return check.of == EVERY


WHOSE = {
    ELEMENTWISE: "it is true where each element is updated by itself, and here the elements of a parameter determine a "
    "step together; elementwise=False says that this is meant, elementwise=True that it is not",
    INDEPENDENT: "it is true where each parameter is updated by itself, and here a step depends on the others; "
    "coupled=True says that this is meant, coupled=False that it is not",
}
LATE = (
    "it is true where each parameter counts its own steps; coupled=False says that this is meant, coupled=True that "
    "all parameters determine a step together"
)
OF_SOME = "it is true of many rules and not of all; spec= says which rule this is"


def elements_are_apart(make: Maker, case: Case) -> bool:
    """Whether no element of a parameter feels the gradient and the value of another one.

    Example:
        >>> from tinygrad_lr.verify.adapters import naive
        >>> from tinygrad_lr.verify.specification import spec
        >>> cases = {name: Case(spec(name, lr=0.1), [np.ones(3)], [[np.ones(3)]]) for name in ("lamb", "adam")}
        >>> {name: elements_are_apart(naive(name), case) for name, case in cases.items()}
        {'lamb': False, 'adam': True}
    """
    for param in case.params:
        if param.size > 1:
            theta, gradients = _numbers(param.shape, param.dtype, 1)[0], _numbers(param.shape, param.dtype, STEPS)
            first = np.zeros(param.shape, bool)
            first.flat[0] = True
            changed = [np.where(first, -3 * g, g) for g in gradients]
            ends = [
                trajectory(case.make(make, params=[start]), [[g] for g in rows])[-1][0][~first]
                for start, rows in ((theta, gradients), (np.where(first, 2 * theta, theta), changed))
            ]
            if not _alike(*ends):
                return False
    return True


def parameters_are_apart(make: Maker, case: Case) -> bool:
    """Whether no parameter feels the gradient and the value of another one, as these change and as they stay."""
    shape = case.params[0].shape or (1,)
    dtype = case.params[0].dtype
    theta, gradients = _numbers(shape, dtype, 2), _numbers(shape, dtype, 2 * STEPS)
    changing = list(zip(gradients[:STEPS], gradients[STEPS:], strict=True))
    for pairs in (changing, changing[:1] * 2 * STEPS):  # an estimate of the distance grows along one gradient
        ends = []
        for factor in (dtype.type(1), dtype.type(-3)):
            subject = case.make(make, params=[np.asarray(factor * theta[0]), theta[1]])
            ends.append(trajectory(subject, [[np.asarray(factor * a), b] for a, b in pairs])[-1][1])
        if not _alike(*ends):
            return False
    return True


def _numbers(shape: tuple[int, ...], dtype: Any, count: int) -> list[Any]:
    rng = np.random.default_rng(count)
    return [np.asarray(rng.normal(size=shape), dtype) for _ in range(count)]


def _alike(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))
