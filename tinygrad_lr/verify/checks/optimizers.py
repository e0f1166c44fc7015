"""`check_optimizer`: every property on any optimizer, as a report.

Checks run in another thread, so that an optimizer that never answers ends in a finding. The same seed gives the same
verdict. Next: search.py for how examples are found, guard.py for what is refused, outcomes.py, report.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.integers import whole_number

from ..adapters.recognition import adapt, claim_of
from ..adapters.translation import Names
from ..guard import AGNOSTIC, accepted_names
from ..outcomes import TIMEOUT, require_hypothesis, run_checks
from ..properties import PROPERTIES
from ..protocol import Claim, Maker, NoFormula, Property
from ..report import Finding, Report
from ..search.search import PROTOCOL, Search
from ..search.sources import source_of
from ..specification import Specification
from ..specification import spec as named_spec
from . import arguments

EXAMPLES, DEEP_EXAMPLES = 10, 20_000


def check_optimizer(
    make: Maker,
    spec: Specification | str | None = None,
    *,
    expected_failures: Mapping[str, str] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    names: Names | None = None,
    without: Iterable[str] = (),
    state_names: Mapping[str, str | None] | None = None,
    prepare: Callable[[Any], Any] | None = None,
    reference: Maker | None = None,
    reference_exact: bool = True,
    dtype: Any = "float32",
    seed: int = 0,
    max_examples: int | None = None,
    deep: bool = False,
    timeout: float | None = None,
    properties: Iterable[str] | None = None,
    elementwise: bool | None = None,
    coupled: bool | None = None,
    ignore: Collection[str] = (),
) -> Report:
    """Check an optimizer against its formula and the properties that every update rule, or this one, must have.

    Args:
        make: an optimizer class of `tinygrad_lr.optim`, torch or keras, a factory of optax, or
            `make(params, **hyperparameters)`, which returns anything with `.step(grads)` and `.params` (lists of
            arrays; a gradient may be None), optionally `.get_state()`/`.set_state(state)`. `verify.adapters` has more.
        spec: a specification (`verify.spec("adam", dialect="torch")`) or the name of a formula. None: a class of ours
            has its own formula; of all others only what holds for every rule is checked (P2 to P18). A formula of your
            own: `verify.formula`.
        expected_failures: property id -> reason. Strict: one that passes is reported. That the optimizer raises or
            hangs is expected only where the reason names the exception's class, or "hangs".
        hyperparameters: passed to every make(); without a specification also what the checks may vary.
        names: the formula's name of a hyperparameter -> what `make` calls it: an argument, a tuple of arguments (one
            for each member), a function from the value to a dict of arguments, or None where it has no argument.
        without: the formula's names that are not passed; the formula must have 0 or False there.
        state_names: the formula's state -> the name of the array that the optimizer keeps it in, or None where it is
            not to be compared. What is not named is looked for by its values.
        prepare: called with the optimizer that is built, before the first step: `lambda optimizer: optimizer.train()`.
        reference: another optimizer or maker of the same rule, another backend say, which P18 compares with.
        reference_exact: whether it must give the same bits; False: what the bound of `spec` allows, as `make` must.
        dtype: "float32" or "float64".
        seed: of the examples; the same seed gives the same verdict.
        max_examples: drawn for each property, besides the fixed ones (10; `deep`: 20,000).
        deep: search for hours.
        timeout: seconds that one property may take (60; `deep`: no limit). What takes longer is reported as hanging,
            unless it holds the interpreter's lock (a loop in C): then nothing in Python can go on, and what is printed
            a little later names the property and the place. `tinygrad-lr verify` watches from another process.
        properties: ids to check; by default all.
        elementwise: whether each element of a parameter is updated by itself (LAMB, Adafactor: no); coupled: whether
            all parameters determine a step together (Prodigy: yes). None: as `make` has it in attributes of these
            names, as the formula says it, or as it is found out. What is true of other rules only is not applicable,
            or "differs", which is no failure.
        ignore: {"inherited"} leaves failures out of the verdict whose behaviour a library's base class hands down
            unchanged (`Finding.inherited`); they are reported as "ignored".

    Returns:
        A `Report`; print it, or ask `.ok`. Nothing that the checked optimizer does is raised.

    Raises:
        ImportError: hypothesis is missing (`pip install 'tinygrad_lr[verify]'`).
        TypeError, ValueError: an argument is wrong; the message names it.

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
    require_hypothesis()
    reference_exact, deep = true_or_false("reference_exact", reference_exact), true_or_false("deep", deep)
    for name, maker in {"make": make, "reference": reference}.items():
        if not callable(maker) and not (name == "reference" and maker is None):
            raise TypeError(
                f"{name} must be callable: an optimizer class, a factory or {name}(params, **hyperparameters), and not "
                f"what it returns; got {type(maker).__name__}"
            )
    dtype, seed = arguments.precision(dtype), whole_number("seed", seed, 0)
    settings = arguments.named("hyperparameters", hyperparameters)
    expected = arguments.expectations(expected_failures, PROPERTIES)
    claim = resolve_claim(spec, settings, make)
    dialect = claim.dialect if isinstance(claim, Specification) else None
    original = getattr(make, "original", make)
    source = source_of(original)
    make = adapt(make, dialect, names=names, without=without, state_names=state_names, prepare=prepare)
    reference = None if reference is None else adapt(reference, dialect)
    arguments.said_of_the_formula(make, claim)
    takes = accepted_names(make)
    known = {*(settings if takes is None else takes), *(claim.all_names if claim.name else ())}
    if unknown := set(settings) - known:
        raise ValueError(f"make() takes no {', '.join(sorted(unknown))}, which hyperparameters= gives it")
    count = DEEP_EXAMPLES if deep else EXAMPLES
    count = count if max_examples is None else whole_number("max_examples", max_examples, 0)
    limit = arguments.seconds(timeout) if timeout is not None or deep else TIMEOUT
    search = Search(
        make,
        settings,
        claim,
        dtype,
        seed,
        count,
        reference,
        reference_exact,
        elementwise=arguments.trait("elementwise", elementwise),
        coupled=arguments.trait("coupled", coupled),
        ignore=arguments.ignored(ignore),
    )
    search.original = original
    checks = [PROTOCOL, *properties_for(properties, claim)]
    findings = run_checks(checks, lambda check: _finding(search, check), limit, expected)
    subject = f"{arguments.name_of(make)} against {_described(claim)}, {dtype}, seed {seed}"
    return Report(subject, findings, source, claim.name)


def _finding(search: Search, check: Property) -> Finding:
    if check is PROTOCOL:
        return search.protocol()
    if isinstance(search.claim, NoFormula) and check.id not in AGNOSTIC:
        reason = "it speaks about a formula, and there is none; pass spec="
        return Finding(check.id, check.statement, "not applicable", reason)
    return search.examine(check)


def resolve_claim(
    spec: Specification | str | None, hyperparameters: Mapping[str, Any] | None, make: object = None
) -> Claim:
    """What an optimizer is checked against: `spec`, or the formula of one of ours, with these hyperparameters."""
    spec = claim_of(make) if spec is None else spec
    if spec is None:
        return NoFormula(hyperparameters or {})
    if isinstance(spec, str):
        spec = named_spec(spec)
    if callable(spec) and not isinstance(spec, Specification):
        raise TypeError(
            f"spec is a function; make a formula of it with verify.formula({arguments.name_of(spec)}, state=...)"
        )
    if not isinstance(spec, Specification):
        raise TypeError(
            f"spec must be a Specification such as verify.spec('adam', dialect='torch'), the name of a formula or "
            f"None, got {type(spec).__name__}"
        )
    return spec.having(**{key: value for key, value in (hyperparameters or {}).items() if key in spec.all_names})


def properties_for(properties: Iterable[str] | None, claim: Claim) -> list[Property]:
    """The properties to check, in their order: all that say something of the claim, or those that are named."""
    chosen = arguments.ids(properties, PROPERTIES)
    if properties is None and isinstance(claim, NoFormula):
        chosen = list(AGNOSTIC)
    return [check for key, check in PROPERTIES.items() if key in chosen]


def _described(claim: Claim) -> str:
    if isinstance(claim, NoFormula):
        return "no formula (what holds for every rule)"
    return f"{claim.name}{f' ({claim.dialect})' if claim.dialect else ''}"
