"""`check_optimizer`: every property on any optimizer, as a report. The door of the kit.

A check runs in a thread of its own, so that an optimizer that never answers ends in a finding. The same seed gives the
same verdict. Next: search.py for how examples are found, guard.py for what is refused, outcomes.py, report.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from . import registry
from .check import Maker, Property
from .guard import Asked
from .outcomes import NO_ANSWER, against_expectation, need_hypothesis, timed
from .properties import PROPERTIES
from .report import Finding, Report
from .search import PROTOCOL, Search
from .specification import Specification
from .specification import spec as named_spec

# What says something about any rule, with no formula at hand.
AGNOSTIC = tuple(f"P{n}" for n in range(2, 19))
EXAMPLES, DEEP_EXAMPLES = 10, 20_000
TIMEOUT = 60.0


def check_optimizer(
    make: Maker,
    spec: Specification | str | None = None,
    *,
    expected_failures: Mapping[str, str] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    dtype: Any = "float32",
    seed: int = 0,
    max_examples: int | None = None,
    deep: bool = False,
    timeout: float | None = None,
    properties: Iterable[str] | None = None,
    reference: Maker | None = None,
) -> Report:
    """Check an optimizer against its formula and the properties that every update rule, or this one, must have.

    Args:
        make: `make(params, **hyperparameters)` returns anything with `.step(grads)` and `.params` (lists of arrays; a
            gradient may be None), optionally `.get_state()`/`.set_state(state)`; or a maker from `verify.adapters`.
        spec: a specification (`verify.spec("adam", dialect="torch")`), the name of a formula, or None: then only what
            holds for every rule is asked (P2 to P18).
        expected_failures: property id -> reason. Strict: one that passes is reported.
        hyperparameters: passed to every make(); without a specification also what the checks may vary.
        dtype: "float32" or "float64".
        seed: of the examples; the same seed gives the same verdict.
        max_examples: drawn for each property, besides the fixed ones (10; `deep`: 20,000).
        deep: search for hours.
        timeout: seconds that one property may take (60; `deep`: no limit). What takes longer is reported as hanging.
        properties: ids to check; by default all.
        reference: another backend's make(), which must give the same bits (P18).

    Returns:
        A `Report`; print it, or ask `.ok`. Nothing that the checked optimizer does is raised.

    Raises:
        ImportError: hypothesis is missing (`pip install 'tinygrad_lr[verify]'`).
        TypeError, ValueError: `make` is not callable, an unknown property, specification or dtype.

    Example:
        >>> class Descent:
        ...     def __init__(self, params, lr=0.1):
        ...         self.params, self.lr = params, lr
        ...     def step(self, grads):
        ...         for p, g in zip(self.params, grads):
        ...             if g is not None:
        ...                 p -= p.dtype.type(self.lr) * g
        >>> report = check_optimizer(Descent, "sgd", hyperparameters={"lr": 0.1}, properties=["P1", "P2", "P14"])
        >>> report.ok, [finding.outcome for finding in report.findings]
        (True, ['passed', 'passed', 'passed', 'passed'])
    """
    need_hypothesis()
    if not callable(make):
        raise TypeError(f"make must be callable, make(params, **hyperparameters), got {type(make).__name__}")
    dtype = np.dtype(dtype)
    if dtype not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype must be float32 or float64, got {dtype}")
    claim = claimed(spec, hyperparameters)
    chosen = properties_for(properties, expected_failures, claim)
    count = max_examples if max_examples is not None else DEEP_EXAMPLES if deep else EXAMPLES
    search = Search(make, hyperparameters or {}, claim, dtype, seed, count, reference)
    limit = timeout if timeout is not None else None if deep else TIMEOUT

    findings = [timed(search.protocol, PROTOCOL, limit)]
    stopped = "" if findings[0].outcome == "passed" else "P0 comes first"
    for check in chosen:
        if stopped:
            findings.append(Finding(check.id, check.statement, "not run", stopped))
            continue
        if any(each.property_id == check.after and each.outcome in ("failed", "error") for each in findings):
            findings.append(Finding(check.id, check.statement, "not applicable", f"{check.after} fails already"))
            continue
        findings.append(timed(lambda check=check: search.look(check), check, limit))  # type: ignore[misc]
        if findings[-1].reason.startswith(NO_ANSWER):
            stopped = f"{check.id} got no answer"
    findings = [against_expectation(each, expected_failures or {}) for each in findings]
    return Report(f"{name_of(make)} against {_described(claim)}, {dtype}, seed {seed}", findings)


def claimed(spec: Specification | str | None, hyperparameters: Mapping[str, Any] | None) -> Specification | Asked:
    if spec is None:
        return Asked(hyperparameters or {})
    if isinstance(spec, str):
        spec = named_spec(spec)
    if not isinstance(spec, Specification):
        raise TypeError(
            f"spec must be a Specification such as verify.spec('adam', dialect='torch'), the name of a formula or "
            f"None, got {type(spec).__name__}"
        )
    return spec.having(**{key: value for key, value in (hyperparameters or {}).items() if key in spec.all_names})


def properties_for(
    properties: Iterable[str] | None, expected: Mapping[str, str] | None, claim: Specification | Asked
) -> list[Property]:
    """The properties to check, in their order."""
    ids = list(PROPERTIES) if properties is None else list(properties)
    unknown = sorted({*ids, *(expected or {})} - set(PROPERTIES))
    if unknown:
        raise ValueError(registry.unknown(unknown, PROPERTIES))
    if isinstance(claim, Asked):
        ids = [each for each in ids if each in AGNOSTIC]
    return [check for key, check in PROPERTIES.items() if key in ids]


def _described(claim: Specification | Asked) -> str:
    if isinstance(claim, Asked):
        return "no formula (what holds for every rule)"
    return f"{claim.name}{f' ({claim.dialect})' if claim.dialect else ''}"


def name_of(make: Any) -> str:
    """How the checked thing is called in a report."""
    return str(getattr(make, "title", None) or getattr(make, "__qualname__", None) or type(make).__name__)
