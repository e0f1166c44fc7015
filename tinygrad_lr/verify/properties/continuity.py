"""P5 to P10 and P33: many parameters, groups, missing gradients, saving and loading, counting.

The update of a parameter must not depend on other parameters, nor on whether a run was interrupted.
Next: scaling.py.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..protocol import (
    LAYOUT,
    Broken,
    Case,
    Maker,
    NotApplicable,
    copy_arrays,
    copy_gradients,
    register,
    require_method,
    same_bits,
    same_values,
    shows_state,
    state_of,
    trajectory,
)


def arrays_in(value: Any) -> Iterator[np.ndarray]:
    """Every array in nested dicts, lists and tuples."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from arrays_in(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from arrays_in(entry)


def _same_state(expected: dict[str, Any], actual: dict[str, Any], what: str) -> None:
    same_values(sorted(expected) == sorted(actual), True, f"{what}: names {sorted(expected)} and {sorted(actual)}")
    for key, value in expected.items():
        same_bits(value, actual[key], f"{what}: {key}")


def _settings_of(subject: Any) -> Any:
    """The hyperparameters that a state shows; None where it shows none."""
    state = subject.get_state() if callable(getattr(subject, "get_state", None)) else None
    return state.get("param_groups") if isinstance(state, Mapping) else None


@register("P5", "Adding a parameter (of another dtype, empty, without a gradient) changes no other parameter's bits.")
def company(make: Maker, case: Case) -> str:
    theta, history = case.params[0], [grads[0] for grads in case.gradients]
    knows_missing, mixes = getattr(make, "missing_gradients", True), getattr(make, "mixes_dtypes", True)
    alone = trajectory(case.make(make, params=[theta]), [[g] for g in history])[-1][0]
    other_dtype: Any = theta.dtype if not mixes else np.float64 if theta.dtype == np.float32 else np.float32
    others = [np.ones(3, other_dtype), np.ones((2, 0), theta.dtype), np.ones(2, theta.dtype), np.ones(5, theta.dtype)]
    beside: list[Any] = [
        np.full(3, 0.5, other_dtype),
        np.ones((2, 0), theta.dtype),
        None if knows_missing else np.zeros(2, theta.dtype),
        np.ones(5, theta.dtype),
    ]
    params = [*others[:3], theta, others[3], others[1]]
    gradients = [[*beside[:3], g, beside[3], beside[1]] for g in history]
    same_bits(alone, trajectory(case.make(make, params=params), gradients)[-1][3], "a parameter among others")
    if knows_missing:  # the same company without a gradient of its own at every other step
        gradients = [[*beside[:3], g, beside[3] if t % 2 else None, beside[1]] for t, g in enumerate(history)]
        same_bits(
            alone, trajectory(case.make(make, params=params), gradients)[-1][3], "a parameter among irregular others"
        )
    without = {
        "without a gradient, which it does not know": knows_missing,
        "of another dtype, with which all are computed in another precision": mixes,
    }
    lacks = " or ".join(text for text, examined in without.items() if not examined)
    return f"not examined: company {lacks}" if lacks else ""


@register("P6", "One group is the same as two groups with equal hyperparameters, bit for bit.")
def groups(make: Maker, case: Case) -> None:
    together = trajectory(case.make(make), case.gradients)[-1]
    subject = case.make(make, params=case.params[:1])
    if len(case.params) > 1:
        require_method(subject, "add_group")(case.params[1:], **case.spec.hyperparameters)
    apart = trajectory(subject, case.gradients)[-1]
    for i, (a, b) in enumerate(zip(together, apart, strict=True)):
        same_bits(a, b, f"parameter {i} in a group of its own")


@register("P7", "A step modifies neither the gradients nor the hyperparameters.")
def inputs_untouched(make: Maker, case: Case) -> str:
    subject = case.make(make)
    settings = copy.deepcopy(_settings_of(subject))
    for t, grads in enumerate(case.gradients, start=1):
        handed = copy_gradients(grads)
        subject.step(handed)
        for i, (before, after) in enumerate(zip(grads, handed, strict=True)):
            if before is not None and after is not None:
                same_bits(before, after, f"the caller's gradient {i} after step {t}")
    if settings is None:
        return "not examined: hyperparameters, as no get_state() shows 'param_groups'"
    if repr(settings) != repr(after := _settings_of(subject)):
        raise Broken("hyperparameters after the steps", settings, after)
    return ""


@register("P8", "A saved state shares memory with nothing, and neither does a loaded one.")
def no_aliases(make: Maker, case: Case) -> None:
    subject = case.make(make)
    get, _ = require_method(subject, "get_state"), require_method(subject, "set_state")
    first, rest = case.gradients[:1], case.gradients[1:] or case.gradients
    trajectory(subject, first)
    saved = get()
    if not any(array.size for array in arrays_in(saved)):
        raise NotApplicable("get_state() holds no array that could be shared")
    told = "saved = a.get_state() after the first gradients"
    for array in arrays_in(saved):
        for i, param in enumerate(subject.params):
            if np.shares_memory(array, param):
                raise Broken(told, "arrays of its own", f"an array shared with parameter {i}")
    kept = copy.deepcopy(saved)
    trajectory(subject, rest)
    for before, after in zip(arrays_in(kept), arrays_in(saved), strict=True):
        same_bits(before, after, f"{told}, and then a steps on: an array in saved")
    loaded = case.make(make)
    loaded.set_state(saved)
    trajectory(loaded, rest)
    for before, after in zip(arrays_in(kept), arrays_in(saved), strict=True):
        same_bits(before, after, f"{told}; b.set_state(saved), and b steps: an array in saved")
    meddled, untouched, saved = case.make(make), case.make(make), copy.deepcopy(kept)
    meddled.set_state(saved)
    untouched.set_state(kept)
    for array in arrays_in(saved):
        array[...] = 77
    for i, (a, b) in enumerate(zip(trajectory(untouched, rest)[-1], trajectory(meddled, rest)[-1], strict=True)):
        same_bits(a, b, f"{told}; b.set_state(saved), every array in saved set to 77, and b steps: parameter {i}")


@register("P9", "Saved at any step and loaded elsewhere, a run continues as if uninterrupted; step counts survive.")
def resume(make: Maker, case: Case) -> str:
    uninterrupted = case.make(make)
    require_method(uninterrupted, "set_state")
    expected = trajectory(uninterrupted, case.gradients)
    shows = shows_state(uninterrupted)
    for cut in range(len(case.gradients) + 1):
        original = case.make(make)
        trajectory(original, case.gradients[:cut])
        saved, params = require_method(original, "get_state")(), copy_arrays(original.params)
        trajectory(original, case.gradients[:1] * 2)  # the original goes on and must not disturb what was saved
        continued = case.make(make, params=params)
        continued.set_state(saved)
        final = trajectory(continued, case.gradients[cut:])[-1]
        for i, (a, b) in enumerate(zip(expected[-1], final, strict=True)):
            same_bits(a, b, f"parameter {i} after resuming at step {cut}")
            if shows:
                what = f"state {i} after resuming at step {cut}"
                _same_state(state_of(uninterrupted, i), state_of(continued, i), what)
    if not shows:
        return f"not examined: states and large step counts, as get_state() is not in {LAYOUT}"
    whole = next((grads for grads in case.gradients if all(g is not None for g in grads)), None)
    if whole is not None:
        _large_counts(make, case, uninterrupted.get_state(), whole)
    return ""


def _large_counts(make: Maker, case: Case, saved: Any, whole: Any) -> None:
    """The step after a large one is counted."""
    for step in (255, 256, 2**24, 2**24 + 1):
        for entry in saved["state"].values():
            if "step" in entry:
                entry["step"] = step if np.ndim(entry["step"]) == 0 else np.full_like(entry["step"], step)
        continued = case.make(make)
        continued.set_state(saved)
        continued.step(copy_gradients(whole))
        for i, entry in saved["state"].items():
            if "step" in entry:
                same_values(step + 1, int(state_of(continued, i)["step"]), f"the step after {step}")


@register("P10", "A missing gradient leaves theta, state and step; a parameter that starts late starts at step 1.")
def missing_gradient(make: Maker, case: Case) -> None:
    theta, history = case.params[0], [grads[0] for grads in case.gradients if grads[0] is not None]
    other: Any = np.ones((2,) * max(theta.ndim, 1), theta.dtype)
    subject = case.make(make, params=[other, theta])
    for late in (None, None):
        subject.step([other.copy(), late])
    same_bits(theta, subject.params[1], "a parameter without a gradient so far")
    shows = shows_state(subject)
    steps_so_far = state_of(subject, 1).get("step", 0) if shows else 0
    same_values(0, int(steps_so_far), "the step count of a parameter without a gradient so far")
    fresh = case.make(make, params=[theta])
    for t, g in enumerate(history, start=1):
        subject.step([other.copy() if t % 2 else None, g.copy()])
        fresh.step([g.copy()])
        same_bits(fresh.params[0], subject.params[1], f"step {t} of a parameter that started late")
        before = [a.copy() for a in subject.params]
        state = copy.deepcopy(state_of(subject, 1)) if shows else {}
        subject.step([None, None])
        for i, array in enumerate(before):
            same_bits(array, subject.params[i], f"parameter {i} in a step without gradients")
        if state:
            _same_state(state, state_of(subject, 1), "state in a step without gradients")


@register("P33", "The step count of a parameter is the number of its updates.")
def counters(make: Maker, case: Case) -> None:
    subject = case.make(make)
    require_method(subject, "get_state")
    counts = [0] * len(case.params)
    for grads in case.gradients:
        subject.step(copy_gradients(grads))
        for i, g in enumerate(grads):
            counts[i] += g is not None
            state = state_of(subject, i)
            if counts[i] and "step" not in state:
                raise NotApplicable("the state shows no step count")
            same_values(counts[i], int(state.get("step", 0)), f"the step count of parameter {i}")
