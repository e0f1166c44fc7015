"""`verify.formula`: a formula of one's own, in plain Python, that every check and document takes as `spec=`.

    @verify.formula(state={"m": 0.0})
    def my_rule(theta, g, state, t, *, lr, beta=0.9):
        m = beta * state["m"] + (1 - beta) * g
        return theta - lr * m, {"m": m}

    verify.check_optimizer(MyOptimizer, my_rule)

The function is tried at once on numbers, arrays, intervals and mpmath's numbers, so that an error in it is its own and
not the checked optimizer's. Next: formulas/scalar.py, language/translated.py.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lr.booleans import true_or_false

from .bounds.enclosure import enclosed
from .bounds.oracle import Oracle
from .formulas import FAMILIES, Family, Number, State
from .formulas.family import SYMBOLS, Settings
from .formulas.scalar import FormulaError, Rule
from .language.notation import parse
from .language.translated import CannotSay, lines_of, source_of
from .specification import Specification, of_family

RATE = 0.01  # of a formula whose lr has no default: what it is does not matter, but it must be something
STEPS = 4
SHAPES = ((), (3,), (3, 2))
Lines = Sequence[str] | Callable[..., Sequence[str]] | None


def formula(
    function: Callable[..., Any] | None = None,
    *,
    state: Mapping[str, float] | Callable[..., State] | None = None,
    name: str | None = None,
    title: str | None = None,
    source: str = "",
    dialects: Mapping[str, Mapping[str, Any]] | None = None,
    lines: Lines = None,
    symbols: Mapping[str, str] | None = None,
    elementwise: bool | None = None,
    coupled: bool = False,
    dimensions: int | None = None,
    roundings: float | None = None,
    exempt: Mapping[str, str] | None = None,
    choices: Mapping[str, Sequence[Any]] | None = None,
    matters: Mapping[str, tuple[Mapping[str, Any], Any]] | None = None,
) -> Any:
    """A formula of one's own as a specification, for `spec=` of every check; also a decorator.

    Args:
        function: `theta, state = function(theta, g, state, t, *, lr, ...)`: one step of one parameter from its
            gradient, a dict of states and the step number, which counts from 1. Hyperparameters are those of the
            signature; lr alone may lack a default (0.01 is taken then). It is written in + - * / **, abs, max, min,
            `if`, and verify.sqrt, cbrt, exp, log, tanh, maximum, minimum, sign, where, norm, total, mean, rms, matmul,
            transpose; NumPy's functions of these names do as well.
        state: what each state holds before the first step, {"m": 0.0}; or a function of theta, and of hyperparameters
            by name if it takes them, that returns it. None: the rule has no state.
        name: by default the function's. A name of `verify.formulas.FAMILIES` is made another one by its module's.
        title, source: how people call it and where it was published, for what is printed.
        dialects: dialect -> the hyperparameters that it has otherwise than the signature. The first is the default.
        lines: the formula as it is printed, in the language of `verify.language.notation`, or a function of the
            settings that returns it. None: derived from the function's source where that can be said, else its source.
        symbols: the states' symbols in `lines`; by default their names.
        elementwise: whether each element is updated by itself. None: found out.
        coupled: whether all parameters together determine a step, so that it is examined on one.
        dimensions: how many a parameter must have at least. None: found out.
        roundings: how many roundings each operation may cost in an implementation (sums may be computed in another
            way). None: 1 for an elementwise rule, else 3.
        exempt: properties that it is not to be asked for, with the reason. One that the formula itself lacks on the
            same example is left out without being named here.
        choices: for an option that is a word, the words that there are; P17 tries them.
        matters: for a hyperparameter, what else must be set for it to matter, and another value; P17 tries them.

    Returns:
        A `Specification` (without a function: a decorator that returns it). `.having(lr=0.1)` changes hyperparameters
        and `verify.spec(it, dialect="mine")` takes another dialect.

    Raises:
        FormulaError: the function is no formula: it has other arguments, returns other things, or does what an interval
            cannot; the message says what to write instead.
        TypeError: `elementwise` or `coupled` is no bool.

    Example:
        >>> def signum(theta, g, state, t, *, lr, beta=0.9):
        ...     m = beta * state["m"] + (1 - beta) * g
        ...     step = lr if m > 0 else -lr if m < 0 else 0.0
        ...     return theta - step, {"m": m}
        >>> mine = formula(signum, state={"m": 0.0})
        >>> theta, state = mine.having(lr=0.5).step(np.array([1.0, 2.0]), np.array([3.0, -3.0]), {"m": np.zeros(2)}, 1)
        >>> theta.tolist(), mine.hyperparameters
        ([0.5, 2.5], {'lr': 0.01, 'beta': 0.9})
    """
    coupled = true_or_false("coupled", coupled)
    elementwise = None if elementwise is None else true_or_false("elementwise", elementwise)
    if function is None:
        return lambda given: formula(
            given,
            state=state,
            name=name,
            title=title,
            source=source,
            dialects=dialects,
            lines=lines,
            symbols=symbols,
            elementwise=elementwise,
            coupled=coupled,
            dimensions=dimensions,
            roundings=roundings,
            exempt=exempt,
            choices=choices,
            matters=matters,
        )
    if not callable(function):
        raise FormulaError(f"expected a function theta, state = f(theta, g, state, t, *, lr, ...), got {function!r}")
    rule = Rule(function)
    start, initial = _starts(state, rule)
    called = name or _name_of(function)
    family = Family(
        name=called,
        title=title or called,
        source=source or f"a formula of one's own, {_place(function)}",
        formula=rule,
        state=lambda settings: dict(start),
        initial=initial,
        lines=lambda settings: [],
        symbols={},
        dialects=_dialects(rule, dialects),
        exempt=dict(exempt or {}),
        coupled=coupled,
        choices={key: tuple(values) for key, values in (choices or {}).items()},
        matters={key: (dict(context), other) for key, (context, other) in (matters or {}).items()},
        own=True,
    )
    found = _tried(family, rule, elementwise, dimensions, roundings)
    written = _with_lines(found, function, lines, symbols)
    return of_family(written, written.settings(), next(iter(written.dialects)) if dialects else None)


def _name_of(function: Callable[..., Any]) -> str:
    found = re.sub(r"\W+", "_", getattr(function, "__name__", type(function).__name__)).strip("_") or "rule"
    return f"{getattr(function, '__module__', 'own')}.{found}" if found in FAMILIES else found


def _place(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else repr(function)


def _dialects(rule: Rule, given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]]:
    """The dialects, each with a value for what has no default.

    Raises:
        FormulaError: a dialect sets what is no hyperparameter, or something has no value.
    """
    if given is not None and not (given and isinstance(given, Mapping) and all(map(_is_dict, given.values()))):
        raise FormulaError(
            "dialects= gives each dialect's name and a dict of the hyperparameters that it has otherwise, as in "
            f"{{'mine': {{'lr': 0.1}}}}, got {given!r}"
        )
    parameters = {p.name: p.default for p in inspect.signature(rule).parameters.values() if p.kind is p.KEYWORD_ONLY}
    found = {key: dict(changes) for key, changes in (given or {"own": {}}).items()}
    for key, changes in found.items():
        if unknown := sorted(set(changes) - set(parameters)):
            raise FormulaError(
                f"dialect {key!r} of {rule.name} sets {unknown}; its hyperparameters are {[*parameters]}"
            )
        for hyperparameter, default in parameters.items():
            if default is inspect.Parameter.empty and hyperparameter not in changes:
                if hyperparameter != "lr":
                    raise FormulaError(
                        f"{rule.name} needs a value for {hyperparameter}: give it a default in the signature, or a "
                        f"value in dialects={{'mine': {{'{hyperparameter}': ...}}}}"
                    )
                changes["lr"] = RATE
    return found


def _starts(
    state: Mapping[str, float] | Callable[..., State] | None, rule: Rule
) -> tuple[dict[str, float], Callable[[Settings, Number], State] | None]:
    """What the states hold before the first step: numbers, or a function of the settings and theta."""
    if state is None or isinstance(state, Mapping):
        wrong = {key: value for key, value in (state or {}).items() if not _is_start(key, value)}
        if wrong:
            raise FormulaError(
                f"state= gives each state's name and the number that it starts with, got {wrong!r}; for a state of "
                "another shape, or that depends on theta, give a function: state=lambda theta: {'m': theta * 0}"
            )
        rule.keys = tuple(state or ())
        return dict(state or {}), None
    if not callable(state):
        raise FormulaError(f"state= must be a dict such as {{'m': 0.0}}, or a function of theta, got {state!r}")
    parameters = list(inspect.signature(state).parameters.values())
    _expect_starts_with_theta(parameters, rule)
    taken = None if any(p.kind is p.VAR_KEYWORD for p in parameters) else {p.name for p in parameters[1:]}

    def initial(settings: Settings, theta: Number) -> State:
        given = {key: value for key, value in settings.items() if taken is None or key in taken}
        try:
            found = state(theta, **given)
        except Exception as error:
            raise FormulaError(f"state= of {rule.name} raised {type(error).__name__}: {error}") from error
        if not isinstance(found, Mapping):
            raise FormulaError(f"state= must return a dict of the states before the first step, got {found!r}")
        return {key: theta * 0.0 + value if isinstance(value, (int, float)) else value for key, value in found.items()}

    return {}, initial


def _expect_starts_with_theta(parameters: list[inspect.Parameter], rule: Rule) -> None:
    known = [p.name for p in inspect.signature(rule).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = [
        p.name
        for p in parameters[1:]
        if p.name not in known and p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    if parameters and not unknown:
        return
    raise FormulaError(
        f"state= of {rule.name} must be a function of theta, and of those hyperparameters that it needs, by their names"
        + (f"; {rule.name} has {known}, and no {unknown}" if unknown else "; it takes no argument")
    )


def _is_dict(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_start(key: Any, value: Any) -> bool:
    return isinstance(key, str) and isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


# Trying
def _gradients(shape: tuple[int, ...]) -> tuple[Any, list[Any]]:
    rng = np.random.default_rng(7)
    return rng.normal(size=shape), [rng.normal(size=shape) * 10.0 ** rng.integers(-1, 2) for _ in range(STEPS)]


def _run(specification: Specification, theta: Any, gradients: Sequence[Any]) -> Iterator[tuple[Any, State]]:
    """Theta and the state after each step."""
    with np.errstate(all="ignore"):
        state = specification.initial_state(theta if specification.family.initial else theta * 0)
        for t, g in enumerate(gradients, start=1):
            theta, state = specification.step(theta, g, state, t)
            yield theta, state


def _tried(
    family: Family, rule: Rule, elementwise: bool | None, dimensions: int | None, roundings: float | None
) -> Family:
    """The family with what trying it has shown: how many dimensions it needs, and whether it is elementwise."""
    specification = of_family(family, family.settings())
    rule.elementwise = elementwise is not False
    if dimensions is None:
        dimensions = _dimensions(specification, rule)
    shape = SHAPES[max(dimensions, 1)] if dimensions < len(SHAPES) else (2,) * dimensions
    if elementwise is None:
        elementwise = dimensions == 0 and _is_elementwise(specification, shape)
    rule.elementwise = elementwise
    found = replace(
        family,
        elementwise=elementwise,
        dimensions=dimensions,
        example_shape=shape if dimensions > 1 else None,
        roundings=roundings if roundings is not None else 1.0 if elementwise else 3.0,
    )
    for dialect in found.dialects:
        specification = of_family(found, found.settings(dialect))
        if found.initial is None or rule.keys is None:
            rule.keys = tuple(specification.initial_state(np.zeros(shape)))
        _agree_on_all_numbers(specification, shape)
    return found


def _dimensions(specification: Specification, rule: Rule) -> int:
    """The fewest dimensions of a parameter with which the formula runs."""
    problems = []
    for least, shape in enumerate(SHAPES):
        theta, gradients = _gradients(shape)
        try:
            list(_run(specification, np.asarray(theta), list(map(np.asarray, gradients))))
            if least:  # a product of matrices is one of vectors, too, but not on intervals
                bounds = enclosed(specification, np.float64)
                bounds.step(theta, gradients[0], bounds.initial_state(theta), 1)
            return least
        except FormulaError as error:
            problems.append(error)
    of_matrices = isinstance(problems[1].__cause__, (IndexError, ValueError))  # of vectors alone
    raise problems[2 if of_matrices else 1]


def _is_elementwise(specification: Specification, shape: tuple[int, ...]) -> bool:
    theta, gradients = _gradients(shape)
    whole = list(_run(specification, theta, gradients))[-1][0]
    for place in np.ndindex(shape):
        alone = list(_run(specification, np.asarray(theta[place]), [np.asarray(g[place]) for g in gradients]))[-1][0]
        if not np.allclose(alone, whole[place], rtol=1e-9, atol=1e-12, equal_nan=True):
            return False
    return True


def _agree_on_all_numbers(specification: Specification, shape: tuple[int, ...]) -> None:
    """Raise a FormulaError where intervals or mpmath's numbers give something else than arrays."""
    name = specification.name
    theta, gradients = _gradients(shape)
    for dtype in (np.float32, np.float64):
        start, steps = theta.astype(dtype), [np.asarray(g.astype(dtype)) for g in gradients]
        bounds, state = enclosed(specification, dtype, specification.family.roundings), None
        state = specification.initial_state(start if specification.family.initial else start * 0)
        for t, g in enumerate(steps, start=1):
            state = {key: np.asarray(value, dtype) for key, value in state.items()}
            with np.errstate(all="ignore"):
                low_and_high, kept = bounds.step(start, g, state, t)
                after, state = specification.step(start, g, state, t)
            for what, enclosure, value in [
                ("theta", low_and_high, after),
                *((f"state[{key!r}]", kept[key], state[key]) for key in state),
            ]:
                if not np.all(enclosure.contains(np.asarray(value, dtype))):
                    raise FormulaError(
                        f"{name} gives {what} = {np.ravel(value)[0]!r} on {np.dtype(dtype)} arrays in step {t}, which "
                        f"is not what it gives on intervals, {enclosure!r}; it must compute the same on both, and the "
                        "same each time: without random numbers, and without what is kept outside the state"
                    )
            start = np.asarray(after, dtype)
    if importlib.util.find_spec("mpmath") is not None:
        precise = Oracle(specification)
        exact, _ = precise.free_run(theta, gradients)
        found = list(_run(specification, theta, gradients))[-1][0]
        if not np.allclose(precise.nearest(exact), found, rtol=1e-6, atol=1e-9, equal_nan=True):
            raise FormulaError(f"{name} gives {found!r} on arrays and {precise.nearest(exact)!r} on mpmath's numbers")


# Lines
def _with_lines(
    family: Family, function: Callable[..., Any], lines: Lines, symbols: Mapping[str, str] | None
) -> Family:
    """The family with its printed lines: those given, those derived from the source, or the source."""
    specification = of_family(family, family.settings())
    theta = np.zeros((2,) * max(family.dimensions, 1))
    keys = specification.state_keys(theta)
    named = {key: (symbols or {}).get(key, key) for key in keys}
    given = lines if callable(lines) else (lambda settings: list(lines)) if lines is not None else None  # type: ignore[arg-type]
    if given is not None:
        written = replace(family, lines=lambda settings: list(given(settings)), symbols=named)
        for dialect in written.dialects:
            _hold_to_lines(of_family(written, written.settings(dialect)))
        return written
    own = {key: SYMBOLS.get(key, key) for key in family.defaults}

    def derived(settings: Settings) -> list[str]:
        try:
            return lines_of(function, settings, keys, own)
        except CannotSay:
            return source_of(function)

    written = replace(family, lines=derived, symbols=named)
    try:
        for dialect in written.dialects:
            _hold_to_lines(of_family(written, written.settings(dialect)))
        return written
    except FormulaError:
        return replace(family, lines=lambda settings: source_of(function), symbols=named, in_notation=False)


def _hold_to_lines(specification: Specification) -> None:
    """Raise a FormulaError where the printed lines, evaluated, are not the formula."""
    name, family = specification.name, specification.family
    try:
        for line in specification.lines():
            parse(line)
        theta, gradients = _gradients(SHAPES[max(1, family.dimensions)])
        printed = specification.worked_steps(theta, gradients)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise FormulaError(f"a line of {name} cannot be read: {error}") from error
    for values, (after, state) in zip(printed, _run(specification, theta, gradients), strict=True):
        for symbol, value in [("theta", after), *((family.symbols[key], state[key]) for key in state)]:
            if symbol in values and not np.allclose(values[symbol], value, rtol=1e-9, atol=1e-12, equal_nan=True):
                raise FormulaError(
                    f"the lines of {name} give {symbol} = {values[symbol]!r} in step {values['t']}, and the function "
                    f"gives {value!r}: {'; '.join(specification.lines())}"
                )
        if "theta" not in values:
            raise FormulaError(f"no line of {name} says what theta becomes: {specification.lines()}")
