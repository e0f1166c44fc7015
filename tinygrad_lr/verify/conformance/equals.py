"""Which dialects of a formula an optimizer computes, in what precision, and what it is where it computes none.

Next: optimizers.py, worst.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from operator import attrgetter
from typing import Any

import numpy as np

from tinygrad_lr import optim

from .. import adapters
from ..adapters.keras import keras_library
from ..adapters.translation import PeerMaker
from ..checks.optimizers import check_optimizer
from ..formulas import FAMILIES
from ..guard import DIALECT_OPTIONS
from ..properties import PROPERTIES
from ..protocol import Case, NotApplicable, PropertyViolation
from ..report import Report
from ..search.examples import KINDS
from ..search.search import Search
from ..specification import Specification, spec
from .optimizers import LibraryOptimizer


@dataclass(frozen=True)
class Entry:
    """The findings about one optimizer."""

    optimizer: LibraryOptimizer
    equals: tuple[str, ...]
    """The dialects whose formula it computes."""
    report: Report
    """All properties in float32, against the first of `equals`, or against the library's own dialect."""
    remark: str = ""
    """In what precision it computes these formulas, or what it is instead."""


def maker(row: LibraryOptimizer) -> PeerMaker:
    """The maker of a row."""
    if row.library == "tinygrad_lr":
        made = adapters.own(getattr(optim, row.name), dialect=row.dialect)
        names = frozenset(FAMILIES[row.formula].defaults) - set(DIALECT_OPTIONS)  # the dialect is what is examined
        return PeerMaker(
            lambda params, settings: made(params, **settings),
            f"tinygrad_lr.optim.{row.name}",
            {name: name for name in names},
            names,
            {},
            missing_gradients=True,
        )
    module = {"torch": "torch.optim", "optax": "optax", "keras": "keras.optimizers"}[row.library]
    if row.library == "keras":
        keras_library()
    peer: PeerMaker = getattr(adapters, row.library)(attrgetter(row.name)(import_module(module)), **row.fixed)
    peer.dimensions = row.dimensions
    return peer


# Hyperparameters that are numbers to choose, and no part of a dialect's form.
NUMBERS = (
    "lr",
    "betas",
    "eps",
    "weight_decay",
    "alpha",
    "rho",
    "momentum",
    "lr_decay",
    "initial_accumulator_value",
    "etas",
    "step_sizes",
    "lambd",
    "t0",
    "momentum_decay",
    "dampening",
    "trust_coefficient",
    "beta2_decay",
    "epsilons",
    "clip_threshold",
    "beta",
    "l1",
    "l2",
    "min_norm",
    "initial_distance",
    "ns_coefficients",
    "ns_steps",
)


def dialects(row: LibraryOptimizer) -> dict[str, Specification]:
    """The dialects of a row's formula with the numbers of the library's own, which comes first."""
    found: dict[str, Specification] = {}
    order = sorted(FAMILIES[row.formula].dialects, key=lambda name: name != row.dialect)
    for name in order:
        claim = spec(row.formula, dialect=name, **row.settings)
        shared = spec(row.formula, dialect=order[0], **row.settings)
        values = {key: shared[key] for key in shared.all_names if key in NUMBERS}
        found[name] = claim.having(**values)
    return found


# (the parameters' dtype, the dtype of the host's numbers), the first in which a formula is computed counts
PRECISIONS = {
    ("float64", "float64"): "",
    ("float64", "float32"): "with its scalars in float32",
    ("float32", "float64"): "in float32 alone",
    ("float32", "float32"): "in float32 alone, its scalars too",
}


def examine(row: LibraryOptimizer, examples: int = 10) -> Entry:
    """Which formula an optimizer computes, and which properties it breaks."""
    make = maker(row)
    if not row.formula:
        return Entry(row, (), check_optimizer(make, hyperparameters={"lr": 0.125}, max_examples=examples))
    claims = dialects(row)
    equal, remark = computed_dialects(make, claims)
    report = check_optimizer(make, claims[equal[0] if equal else next(iter(claims))], max_examples=examples)
    return Entry(row, tuple(equal), report, remark if equal else explain_difference(make, claims, report))


def computed_dialects(make: PeerMaker, claims: dict[str, Specification]) -> tuple[list[str], str]:
    """The dialects that an optimizer computes, and in what precision."""
    for (dtype, scalars), remark in PRECISIONS.items():
        equal = [name for name, claim in claims.items() if equals(make, replace(claim, scalars=scalars), dtype)]
        if equal:
            return equal, remark
    return [], ""


def equals(make: PeerMaker, claim: Specification, dtype: str = "float64") -> bool:
    """Whether every step is the formula's, for ordinary gradients, with its settings or what float32 holds of them.

    Only a bound that tells a rate of 1% more apart counts.
    """
    in_float32 = _in_float32(claim)
    for settings in ({"lr": 0.75}, in_float32) if claim.scalars == "float64" else (in_float32,):
        chosen = claim.having(**settings)
        if not any(differing_kinds(make, chosen, dtype)):
            return any(differing_kinds(_longer(chosen, make.dimensions), chosen, dtype))
    return False


def explain_difference(make: PeerMaker, claims: dict[str, Specification], report: Report) -> str:
    """What an optimizer is that computes none of the dialects: the known bug, or the gradients where it goes astray.

    Where bounds say nothing it is what the formula's row remarks.
    """
    own, claim = next(iter(claims.items()))
    finding = report["P1"]
    if finding.nearest_bug:
        return finding.nearest_bug.replace("matches", "behaves as", 1)
    if finding.outcome == "not applicable":
        return "; ".join([finding.reason.partition(";")[0], *filter(None, [claim.family.remarks.get(own)])])
    where = {name: list(differing_kinds(make, each.having(lr=0.75), "float32")) for name, each in claims.items()}
    name, kinds = min(where.items(), key=lambda item: len(item[1]))
    return f"computes {name} but where gradients are: {', '.join(kinds)}" if 2 * len(kinds) < len(KINDS) else ""


def differing_kinds(make: PeerMaker, claim: Specification, dtype: str) -> Iterator[str]:
    """The kinds of gradients, all but those at the ends of the range, on which some step is not the formula's.

    Where nothing can be compared it is all of them.

    Raises:
        Exception: whatever the optimizer raises: then nothing was compared.
    """
    search = Search(make, {}, claim, np.dtype(dtype), 0, 0)
    compared = 0
    for kind, case in _ordinary_cases(search):
        problem = search.problem(PROPERTIES["P1"], case)
        compared += not isinstance(problem, NotApplicable)
        if isinstance(problem, PropertyViolation):
            yield kind
        elif problem is not None and not isinstance(problem, NotApplicable):
            raise problem
    if not compared:
        yield from KINDS


def _ordinary_cases(search: Search) -> Iterator[tuple[str, Case]]:
    cases = zip(KINDS, search.fixed, strict=True)
    return iter([*((kind, case) for kind, case in cases if kind not in ("tiny", "huge")), ("long", search.long)])


def _longer(claim: Specification, dimensions: int) -> PeerMaker:
    """A maker of the formula with a rate of 1% more."""
    honest, names = adapters.naive(claim.name), {name: name for name in claim.all_names}
    longer = PeerMaker(
        lambda params, given: honest(params, **{**given, "lr": 1.01 * given["lr"]}),
        "",
        names,
        frozenset(names),
        {},
        missing_gradients=True,
    )
    longer.dimensions = dimensions
    return longer


def _in_float32(claim: Specification) -> dict[str, Any]:
    """The hyperparameters rounded to float32: keras keeps them so, whatever the parameters' dtype."""
    known = {name: claim[name] for name in NUMBERS if name in claim.all_names}
    return {**{name: _rounded(value) for name, value in known.items()}, "lr": 0.75}


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_rounded, value))
    return float(np.float32(value)) if isinstance(value, float) else value
