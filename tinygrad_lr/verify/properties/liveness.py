"""P17: the gradient, and every hyperparameter that an optimizer advertises, does something.

One run is repeated with other settings. Where there is a formula it runs first: what it does not react to, an optimizer
need not react to. Next: continuity.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..adapters.naive import naive
from ..formulas import Family
from ..guard import ProtocolError, equal_settings
from ..protocol import (
    SOME,
    Array,
    Broken,
    Case,
    Maker,
    NotApplicable,
    accepted_settings,
    register,
    require_method,
    state_of,
)

# What must be set for a hyperparameter to matter, and what to change it to.
LIVENESS: dict[str, tuple[dict[str, Any], Any]] = {
    "lr": ({}, 0.5),
    "momentum": ({"nesterov": False}, 0.7),
    "dampening": ({"momentum": 0.6, "nesterov": False}, 0.3),
    "weight_decay": ({}, 0.2),
    "nesterov": ({"momentum": 0.6, "dampening": 0.0}, True),
    "maximize": ({}, True),
    "lr_placement": ({"momentum": 0.6, "nesterov": False}, None),
    "dampen_first_step": ({"momentum": 0.6, "dampening": 0.5, "nesterov": False}, None),
    "decoupled_weight_decay": ({"weight_decay": 0.2}, None),
    "lr_decay": ({}, 0.5),
    "initial_accumulator_value": ({}, 0.5),
    "eps": ({}, 0.5),
    "eps_placement": ({"eps": 0.5, "amsgrad": False}, None),
    "alpha": ({"lambd": 0.5}, 0.4),
    "centered": ({"eps": 0.1}, True),
    "betas": ({}, (0.4, 0.7)),
    "amsgrad": ({"betas": (0.9, 0.5)}, True),
    "amsgrad_form": ({"amsgrad": True, "betas": (0.9, 0.5)}, None),
    "rho": ({}, 0.4),
    "eps_root": ({}, 0.5),
    "momentum_decay": ({"mu_form": "paper"}, 0.5),
    "mu_form": ({}, None),
    "threshold": ({"threshold": 4.0, "betas": (0.9, 0.9)}, 5.0),
    "bias_correction": ({}, None),
    "decay_form": ({"weight_decay": 2.0}, None),
    "etas": ({}, (0.3, 1.5)),
    "step_sizes": ({}, (0.09, 0.11)),
    "backtracking": ({}, None),
    "decay_placement": ({"weight_decay": 0.2}, None),
    "trust_coefficient": ({}, 0.01),
    "trust_form": ({"weight_decay": 0.2}, None),
    "lambd": ({}, 0.5),
    "t0": ({"t0": 5.0}, -1.0),
    "beta2_decay": ({}, -0.3),
    "epsilons": ({"lr": 0.3}, (0.5, 2.0)),
    "clip_threshold": ({}, 2.0),
    "floor_form": ({"epsilons": (0.5, 1e-3)}, None),
    "relative_step": ({"lr": 2.0}, False),
    "beta": ({}, 0.5),
    "l1": ({}, 0.5),
    "l2": ({}, 0.5),
    "l2_form": ({"l2": 0.5}, None),
    "min_norm": ({}, 5.0),
    "initial_distance": ({}, 1e-3),
    "correction_form": ({}, None),
    "first_form": ({}, None),
    "momentum_form": ({}, None),
    "adjust_lr_fn": ({}, None),
    "ns_coefficients": ({}, (3.0, -4.0, 2.0)),
    "ns_steps": ({}, 4),
    "eps_in_rate": ({"eps": 0.1}, True),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "lr_placement": ("inside", "outside"),
    "dampen_first_step": (True, False),
    "decoupled_weight_decay": (True, False),
    "amsgrad_form": ("paper", "torch", "optax"),
    "mu_form": ("paper", "torch", "constant"),
    "bias_correction": (True, False),
    "decay_form": ("proximal", "decoupled"),
    "backtracking": (True, False),
    "decay_placement": ("inside", "outside"),
    "trust_form": ("paper", "optax"),
    "floor_form": ("added", "clamped"),
    "relative_step": (True, False),
    "l2_form": ("paper", "doubled"),
    "correction_form": ("rate", "moment"),
    "first_form": ("zero", "same"),
    "momentum_form": ("average", "sum", "corrected"),
    "adjust_lr_fn": ("original", "columns", "match_rms_adamw"),
}
THREE = ("inside", "outside", "hat")
EPS_PLACEMENTS = {"adam": THREE, "adamw": THREE, "radam": ("outside", "hat"), "muon": ("outside", "floor")}
ONLY_IN_STATE = {"t0": "ax"}  # says when averaging begins, which the iterates do not feel
# What these names mean is the same in every rule; another may matter under circumstances that only a formula says.
UNDERSTOOD = (
    "lr",
    "betas",
    "momentum",
    "dampening",
    "nesterov",
    "weight_decay",
    "eps",
    "maximize",
    "amsgrad",
    "centered",
)
SHOWS = 2.0**-20  # of the larger number: what float32, in which a library may keep its scalars, still tells apart


@register("P17", "The gradient, and every hyperparameter that is advertised, changes some output.", once=True, of=SOME)
def everything_matters(make: Maker, case: Case) -> str:
    run = Run(case, make)
    examined = _gradients_matter(run, make)
    passed_over: dict[str, list[str]] = {}
    dead: Broken | None = None
    for name in case.spec.all_names:
        try:
            _matters(name, run, make)
            examined = True
        except NotApplicable as reason:
            passed_over.setdefault(str(reason), []).append(name)
        except Broken as broken:
            if run.formula is not None or broken.always:
                raise
            dead = dead or broken
    if dead is not None:
        raise dead
    if not case.spec.all_names:
        return "not examined: hyperparameters; pass hyperparameters={'lr': 0.1, ...}"
    listed = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in passed_over.items())
    if not examined:
        raise NotApplicable(listed)
    return f"not examined: {listed}" if listed else ""


def _gradients_matter(run: Run, make: Maker) -> bool:
    """Whether it was examined that the gradients, their negatives and zeros do not all end alike."""
    settings = {"lr": 0.1} if "lr" in run.spec.all_names else {}
    if run.formula is not None and not differ(run.expected(settings), run.expected(settings, times=-1.0)):
        return False
    try:
        ends = {run.end(make, settings, times=times).tobytes() for times in (1.0, -1.0, 0.0)}
    except NotApplicable:
        return False
    if len(ends) == 1:
        raise Broken(
            "the gradients",
            "another result for g, -g and 0",
            "equal results",
            example=run.example(settings),
            always=True,
        )
    return True


def _matters(name: str, run: Run, make: Maker) -> None:
    """Some other value of the hyperparameter gives another result, where the formula has another result."""
    takes = getattr(make, "takes", None)
    if takes is not None and name not in takes:
        raise NotApplicable("it takes no such argument")
    if name == "lr_placement":
        require_method(make([run.theta], **run.spec.hyperparameters), "set_hyperparameters")
    state = ONLY_IN_STATE.get(name, "")
    nothing = "no other value is known" if run.formula is None else "the formula does not react here"
    found: Exception = NotApplicable(nothing)
    for settings in settings_to_try(name, run.spec, takes):
        apart = [(i, k) for k in range(len(settings)) for i in range(k)]
        if run.formula is not None:
            expected = [run.expected(setting, state) for setting in settings]
            apart = [(i, k) for i, k in apart if differ(expected[i], expected[k])]
        if not apart:
            continue
        try:
            ends = [_end(name, run, make, setting, state) for setting in settings]
        except NotApplicable as reason:
            found = found if isinstance(found, Broken) else reason
            continue
        alike = next((pair for pair in apart if ends[pair[0]] == ends[pair[1]]), None)
        if alike is None:
            return
        first, second = (settings[i] for i in alike)
        values = f"{first.get(name, 'as given')!r} and {second.get(name, 'as given')!r}"
        found = Broken(
            f"hyperparameter {name}",
            f"another result for {values}",
            "equal results",
            example=run.example(first, second),
            always=name in UNDERSTOOD,
        )
        if run.formula is not None:
            break
    raise found


def _end(name: str, run: Run, make: Maker, settings: dict[str, Any], state: str) -> bytes:
    try:
        return run.end(make, settings, state).tobytes()
    except (NotApplicable, ProtocolError):
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        if run.formula is None:
            raise NotApplicable(f"it refuses other values: {what}") from error
        raise Broken(
            f"hyperparameter {name}",
            f"a run with {settings}, as the formula has one",
            f"it raised {what}",
            example=run.example(settings),
        ) from error


def settings_to_try(name: str, spec: Any, takes: Any) -> Iterator[list[dict[str, Any]]]:
    """Groups of settings that should end apart: what is known of the name, then other values of its kind."""
    family = spec.family if spec.name else None
    matters = {**LIVENESS, **(family.matters if family else {})}
    context, changed = matters.get(name, ({}, None))
    known = set(spec.all_names) if spec.name else {*spec.all_names, *(takes or ())}
    if not spec.name and (missing := [key for key, neutral in context.items() if neutral and key not in known]):
        raise NotApplicable(f"it matters together with {', '.join(missing)}, which make() is not known to take")
    context = {key: value for key, value in {"lr": 0.1, **context}.items() if key in known}
    choices = _choices(name, family)
    if choices:
        yield [{**context, name: choice} for choice in choices]
        if "momentum" in known:
            yield [{"momentum": 0.6, **context, name: choice} for choice in choices]
        return
    value = context[name] if name in context else spec[name]
    if name == "betas" and isinstance(value, (tuple, list)):
        changed = (*changed, 0.6)[: len(value)]
    if isinstance(changed, bool):
        value = not changed
    others = [*([changed] if name in matters else []), *_others(value)]
    if family is not None and family.own:
        others += [family.settings(dialect)[name] for dialect in family.dialects]
    for other in others:
        if not equal_settings(other, value):
            yield [{**context, name: value}, {**context, name: other}]
    if family is not None and family.own:
        for around in _contexts(name, spec):
            for other in others:
                if not equal_settings(other, value):
                    yield [{**around, name: value}, {**around, name: other}]


def _choices(name: str, family: Family | None) -> tuple[Any, ...]:
    """The words that an option may be, all of them."""
    if family is not None and name in family.choices:
        return family.choices[name]
    if name == "eps_placement":
        return EPS_PLACEMENTS.get(family.name if family else "", ("inside", "outside"))
    if family is not None and family.own and isinstance(family.settings().get(name), str):
        return tuple(dict.fromkeys(family.settings(dialect)[name] for dialect in family.dialects))
    return CHOICES.get(name, ()) if family is None or not family.own else ()


def _contexts(name: str, spec: Any) -> Iterator[dict[str, Any]]:
    """Other settings, in which a hyperparameter of a rule of one's own may matter: of a dialect, then one changed."""
    for dialect in spec.family.dialects:
        yield {key: value for key, value in spec.family.settings(dialect).items() if key != name}
    for key, value in spec.settings.items():
        if key != name:
            for other in [*_choices(key, spec.family), *_others(value)]:
                yield {key: other}


def _others(value: Any) -> list[Any]:
    """Other values of the same kind.

    Example:
        >>> _others(True), _others(3), _others(0.1), _others((0.5, 1)), _others("a")
        ([False], [4, 9], [0.05, 0.5, 0.2], [(0.25, 0.5), (0.5, 0.75)], [])
    """
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, np.integer)):
        return [value + 1, 2 * value + 3]
    if isinstance(value, (float, np.floating)):
        return [value / 2, 0.5, 2 * value]
    if isinstance(value, (tuple, list)) and all(isinstance(v, (int, float)) for v in value):
        return [type(value)(v / 2 for v in value), type(value)(v / 2 + 0.25 for v in value)]
    return []


class Run:
    """One parameter and nine gradients (RAdam waits for six steps), in float64."""

    def __init__(self, case: Case, make: Maker) -> None:
        dimensions = min((p.ndim for p in case.params if p.size), default=1)
        rows = np.array([[3.0, 1.0, -0.5], [0.1, -1.0, 0.2], [0.2, 0.5, -0.1]])
        self.theta = _raised(np.array([0.5, -1.0, 2.0]), dimensions)
        self.gradients = [_raised(row, dimensions) for scale in (1.0, 0.7, -1.3) for row in np.round(scale * rows, 2)]
        self.spec, self.make = case.spec, make
        self.formula = naive(case.spec) if case.spec.name else None
        subject = make([self.theta], **self.spec.hyperparameters)
        self.changes_rate = "lr" in self.spec.all_names and callable(getattr(subject, "set_hyperparameters", None))

    def end(self, make: Maker, settings: dict[str, Any], state: str = "", times: float = 1.0) -> Array:
        """The parameter, or one of its states, after all gradients."""
        subject = make([self.theta], **{**self.spec.hyperparameters, **settings})
        for t, g in enumerate(self.gradients):
            if t == 4 and self.changes_rate:
                subject.set_hyperparameters(lr=0.25)  # where lr stands shows only when it changes
            subject.step([g * times])
        if not state:
            return np.array(subject.params[0])
        if state not in (found := state_of(subject, 0)):
            raise NotApplicable(f"it shows in the state {state!r} alone, which there is not")
        return np.asarray(found[state])

    def expected(self, settings: dict[str, Any], state: str = "", times: float = 1.0) -> Array | None:
        """Where the formula arrives; None where it has no such settings."""
        assert self.formula is not None
        try:
            return self.end(self.formula, settings, state, times)
        except Exception:  # an epsilon of another kind, say
            return None

    def example(self, first: dict[str, Any], second: dict[str, Any] | None = None) -> dict[str, Any]:
        """What to run to see that settings give one result."""
        settings = accepted_settings(self.make, {**self.spec.hyperparameters, **first})
        other = {} if second is None else {"compared_with": second}
        later = {"from_step_5_on": {"lr": 0.25}} if self.changes_rate else {}
        return {
            "hyperparameters": settings,
            **other,
            **later,
            "dtypes": ["float64"],
            "params": [self.theta.tolist()],
            "gradients": [[g.tolist()] for g in self.gradients],
        }


def _raised(array: Array, dimensions: int) -> Array:
    """The array with further dimensions of two, where a parameter must have them (Muon)."""
    for _ in range(dimensions - 1):
        array = np.round(np.multiply.outer(array, [1.0, -0.7]), 3)
    return array


def differ(a: Array | None, b: Array | None) -> bool:
    """Whether two ends of the formula lie so far apart that any precision shows it.

    Example:
        >>> differ(np.ones(2), np.ones(2) + 1e-9), differ(np.ones(2), np.array([1.0, 1.1]))
        (False, True)
    """
    if a is None or b is None:
        return False
    with np.errstate(all="ignore"):
        apart = np.nan_to_num(np.abs(a - b), nan=0.0) > SHOWS * np.nan_to_num(np.maximum(np.abs(a), np.abs(b)))
    return bool(np.any(apart | (np.isnan(a) != np.isnan(b))))
