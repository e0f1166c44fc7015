"""What candidates are made of: a formula as an optimizer with groups, in parts that a family overrides.

`claims()` are the formulas that candidates claim to compute, each in one dialect. `takes` says which settings a user's
class of it would take. Next: scenes.py.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..adapters.naive import Naive
from ..formulas import FAMILIES as FORMULAS
from ..protocol import Array, Maker
from ..specification import Specification, spec
from .candidates import PATIENCE, Candidate, Formulas
from .scenes import Scene, differs, scenes_of

# Booleans that say how a rule is written, and not what it is asked for.
FORMS = ("bias_correction", "relative_step", "eps_in_rate", "dampen_first_step", "backtracking")


class Subject(Naive):
    """A formula as an optimizer, whose later groups take what is not said of them from the first."""

    def __init__(self, name: str, params: list[Array], hyperparameters: dict[str, Any]) -> None:
        self.defaults = dict(hyperparameters)
        super().__init__(name, params, hyperparameters)

    def add_group(self, params: list[Array], **hyperparameters: Any) -> None:
        super().add_group(params, **{**self.defaults, **hyperparameters})

    def settings_of(self, number: int) -> dict[str, Any]:
        """The hyperparameters with which a group is updated."""
        return {key: value for key, value in self.groups[number].items() if key != "params"}

    def update_all(self, grads: Any) -> None:
        with np.errstate(all="ignore"):
            for number, group in enumerate(self.groups):
                given = self.settings_of(number)
                for i in group["params"]:
                    if grads[i] is not None:
                        self.update(i, grads[i], given)

    def group_of(self, i: int) -> int:
        """The number of a parameter's group."""
        return next(number for number, group in enumerate(self.groups) if i in group["params"])


def claims(names: Formulas = ()) -> Iterator[Specification]:
    """Every formula with the defaults of torch's dialect, or of its first one."""
    for name in names or FORMULAS:
        yield spec(name, dialect="torch" if "torch" in FORMULAS[name].dialects else None)


def takes(claim: Specification) -> tuple[str, ...]:
    """The settings that a user's class of this formula takes: no forms and no dialect options.

    Example:
        >>> takes(spec("sgd", dialect="torch"))
        ('lr', 'momentum', 'dampening', 'weight_decay', 'nesterov', 'maximize')
    """
    return tuple(
        name
        for name, value in claim.settings.items()
        if name not in FORMS and name != "decoupled_weight_decay" and not isinstance(value, str)
    )


def maker(claim: Specification, kind: Callable[..., Any] = Subject, **attributes: Any) -> Maker:
    """A maker of a kind of `Subject` that claims to be this formula, and takes what a user's class would."""
    given = dict(claim.settings)

    def make(params: list[Array], **hyperparameters: Any) -> Any:
        return kind(claim.name, params, {**given, **hyperparameters})

    make.title = getattr(kind, "__name__", "subject")  # type: ignore[attr-defined]
    make.takes = takes(claim)  # type: ignore[attr-defined]
    for name, value in attributes.items():
        setattr(make, name, value)
    return make


def check(make: Maker, claim: Specification, **options: Any) -> Any:
    """The kit, as a user calls it, but that a slow machine is no hang."""
    from ..checks.optimizers import check_optimizer

    return check_optimizer(make, claim, timeout=PATIENCE, **options)


def optimizer(
    family: str,
    kind: str,
    place: str,
    claim: Specification,
    subject: Callable[..., Any],
    scenes: tuple[Scene, ...] | None = None,
    tolerance: float = 1e-7,
    **options: Any,
) -> Candidate:
    """A candidate that is a kind of `Subject`.

    Args:
        subject: the kind.
        scenes: the runs in which a wrong one differs from the formula; None: those of every setting.
        tolerance: how far, relative to the largest number, a right one may be away.
        options: of `check_optimizer`.
    """
    make = maker(claim, subject)
    chosen = (lambda: scenes) if scenes is not None else (lambda: scenes_of(claim, takes(claim)))
    return Candidate(
        family,
        kind,
        place,
        partial(check, make, claim, **options),
        lambda: any(differs(maker(claim), make, scene, tolerance) for scene in chosen()),
    )
