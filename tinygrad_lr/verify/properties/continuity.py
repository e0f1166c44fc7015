"""P5 to P10, P9.count and P33: many parameters, groups, missing gradients, saving and loading, counting.

The update of a parameter must not depend on other parameters, nor on whether a run was interrupted.
Next: scaling.py.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ..protocol import (
    INDEPENDENT,
    LAYOUT,
    Broken,
    Case,
    Maker,
    NotApplicable,
    accepted_settings,
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
    names = [sorted(each, key=str) for each in (expected, actual)]
    same_values(set(expected) == set(actual), True, f"{what}: names {names[0]} and {names[1]}")
    for key, value in expected.items():
        same_bits(value, actual[key], f"{what}: {key}")


def _shown_settings(subject: Any, names: set[str]) -> list[dict[str, Any]] | None:
    """Of each group that a state shows the hyperparameters of these names, copied; None where it shows no groups."""
    state = subject.get_state() if callable(getattr(subject, "get_state", None)) else None
    groups = state.get("param_groups") if isinstance(state, Mapping) else None
    if not isinstance(groups, (list, tuple)) or not all(isinstance(group, Mapping) for group in groups):
        return None
    return [{name: copy.deepcopy(value) for name, value in group.items() if name in names} for group in groups]


def _names_of_settings(make: Maker, case: Case) -> set[str]:
    """What the hyperparameters that `make` takes are called in a group, where optimizers keep counters as well."""
    takes, arguments = getattr(make, "takes", None), getattr(make, "arguments", None)
    names = set(case.spec.all_names if takes is None else takes)
    if arguments is not None:  # of a library's class, under the library's names
        with suppress(NotApplicable):
            names |= set(arguments(accepted_settings(make, case.spec.hyperparameters)))
    return names


def equal_values(a: Any, b: Any) -> bool:
    """Whether two values are equal, arrays and nested ones too; NaN equals NaN.

    Example:
        >>> equal_values((np.ones(2), 0.1), (np.ones(2), 0.1)), equal_values(0.1, 0.2)
        (True, False)
    """
    try:
        np.testing.assert_equal(a, b)
    except Exception:
        return False
    return True


def takes_missing(make: Maker, case: Case) -> bool:
    """Whether it steps where a parameter has no gradient; P10 says what is wrong where it does not."""
    if not getattr(make, "missing_gradients", True):
        return False
    theta, g = case.params[0], case.gradients[0][0]
    try:
        case.make(make, params=[theta, theta]).step([np.zeros_like(theta) if g is None else np.array(g), None])
    except Exception:
        return False
    return True


@register(
    "P5",
    "Adding a parameter (of another dtype, empty, without a gradient) changes no other parameter's bits.",
    of=INDEPENDENT,
    rounds=True,
)
def company(make: Maker, case: Case) -> str:
    theta = case.params[0]
    knows_missing, mixes = takes_missing(make, case), getattr(make, "mixes_dtypes", True)
    alone = trajectory(case.make(make, params=[theta]), [[grads[0]] for grads in case.gradients])[-1][0]
    other_dtype: Any = theta.dtype if not mixes else np.float64 if theta.dtype == np.float32 else np.float32
    more = (2,) * (theta.ndim - 1)  # as many dimensions as theta has
    wide, small = np.ones((3, *more), other_dtype), np.ones((2, *more), theta.dtype)
    empty, plain = np.ones((2, 0, *more[1:]), theta.dtype), np.ones((5, *more), theta.dtype)
    kinds = {
        "of another dtype": (wide, wide / 2),
        "that is empty": (empty, empty),
        "without a gradient": (small, None if knows_missing else small * 0),
    }
    before, after, lacks = [], [], []
    for kind, each in kinds.items():
        try:
            case.make(make, params=[each[0], theta])
        except NotApplicable as reason:  # it refuses such a parameter
            lacks.append(f"{kind} ({reason})")
        else:
            before.append(each)
            after += [each] if each[0] is empty else []
    for text, beside in {"others": (plain, plain), "irregular others": (None, plain)}.items():
        if beside[0] is None and not knows_missing:
            continue
        params = [*(p for p, _ in before), theta, plain, *(p for p, _ in after)]
        gradients = [
            [*(g for _, g in before), grads[0], beside[t % 2], *(g for _, g in after)]
            for t, grads in enumerate(case.gradients)
        ]
        found = trajectory(case.make(make, params=params), gradients)[-1][len(before)]
        same_bits(alone, found, f"a parameter among {text}")
    without = {
        "without a gradient, which it does not know": knows_missing,
        "of another dtype, with which all are computed in another precision": mixes,
    }
    lacks += [text for text, examined in without.items() if not examined]
    return f"not examined: company {' or '.join(lacks)}" if lacks else ""


@register(
    "P6", "One group is the same as two groups with equal hyperparameters, bit for bit.", of=INDEPENDENT, rounds=True
)
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
    subject, names = case.make(make), _names_of_settings(make, case)
    settings = _shown_settings(subject, names)
    for t, grads in enumerate(case.gradients, start=1):
        handed = copy_gradients(grads)
        subject.step(handed)
        for i, (before, after) in enumerate(zip(grads, handed, strict=True)):
            if before is not None and after is not None:
                same_bits(before, after, f"the caller's gradient {i} after step {t}")
    if settings is None:
        return "not examined: hyperparameters, as no get_state() shows 'param_groups'"
    for i, (group, now) in enumerate(zip(settings, _shown_settings(subject, names) or [], strict=True)):
        for name, value in group.items():
            if value is None:  # left to the optimizer, which may write down what it chose
                continue
            if not equal_values(value, now.get(name)):
                raise Broken(f"hyperparameter {name} of group {i} after the steps", value, now.get(name))
    return ""


def copied(saved: Any) -> Any:
    """A copy of a saved state that shares nothing with it.

    Raises:
        NotApplicable: it holds what cannot be copied.
    """
    try:
        return copy.deepcopy(saved)
    except Exception as error:
        raise NotApplicable(f"get_state() holds what cannot be copied: {type(error).__name__}: {error}") from error


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
    kept = copied(saved)
    trajectory(subject, rest)
    for before, after in zip(arrays_in(kept), arrays_in(saved), strict=True):
        same_bits(before, after, f"{told}, and then a steps on: an array in saved")
    loaded = case.make(make)
    loaded.set_state(saved)
    trajectory(loaded, rest)
    for before, after in zip(arrays_in(kept), arrays_in(saved), strict=True):
        same_bits(before, after, f"{told}; b.set_state(saved), and b steps: an array in saved")
    meddled, untouched, saved = case.make(make), case.make(make), copied(kept)
    meddled.set_state(saved)
    untouched.set_state(kept)
    for array in arrays_in(saved):
        array[...] = 77
    for i, (a, b) in enumerate(zip(trajectory(untouched, rest)[-1], trajectory(meddled, rest)[-1], strict=True)):
        same_bits(a, b, f"{told}; b.set_state(saved), every array in saved set to 77, and b steps: parameter {i}")


@register("P9", "Saved at any step and loaded elsewhere, a run continues as if uninterrupted.")
def resume(make: Maker, case: Case) -> str:
    uninterrupted = case.make(make)
    require_method(uninterrupted, "set_state")
    expected = trajectory(uninterrupted, case.gradients)
    shows = shows_state(uninterrupted)
    for cut in range(len(case.gradients) + 1):
        original = case.make(make)
        trajectory(original, case.gradients[:cut])
        # a copy, as from a file: whether what is saved shares memory with its owner is P8's
        saved, params = copied(require_method(original, "get_state")()), copy_arrays(original.params)
        continued = case.make(make, params=params)
        continued.set_state(saved)
        final = trajectory(continued, case.gradients[cut:])[-1]
        for i, (a, b) in enumerate(zip(expected[-1], final, strict=True)):
            same_bits(a, b, f"parameter {i} after resuming at step {cut}")
            if shows:
                what = f"state {i} after resuming at step {cut}"
                _same_state(state_of(uninterrupted, i), state_of(continued, i), what)
    return "" if shows else f"not examined: states, as get_state() is not in {LAYOUT}"


@register("P9.count", "A step count that was loaded goes on, past 256 and past 2^24 too.")
def large_counts(make: Maker, case: Case) -> None:
    subject = case.make(make)
    require_method(subject, "set_state")
    if not shows_state(subject):
        raise NotApplicable(f"get_state() is not in {LAYOUT}")
    whole = next((grads for grads in case.gradients if all(g is not None for g in grads)), None)
    if whole is None:
        raise NotApplicable("no step here has all gradients")
    subject.step(copy_gradients(whole))
    if not shows_state(subject):  # which an empty state before the first step may do
        raise NotApplicable(f"get_state() is not in {LAYOUT}")
    saved = copied(subject.get_state())
    counted = _counted(saved)
    if not any(int(entry["step"]) > 0 for entry in counted.values()):
        raise NotApplicable("the state shows no step count")
    for step in (255, 256, 2**24, 2**24 + 1):
        for entry in counted.values():
            entry["step"] = _counting(entry["step"], step)
        continued = case.make(make)
        continued.set_state(copied(saved))
        continued.step(copy_gradients(whole))
        for i in counted:
            same_values(step + 1, int(state_of(continued, i)["step"]), f"the step after {step}")


def _counted(saved: Any) -> dict[int, dict[str, Any]]:
    """The entries of parameters that have a step count; an optimizer may keep others beside them (MADGRAD's `k`)."""
    entries = ((i, entry) for i, entry in saved["state"].items() if isinstance(i, int) and isinstance(entry, dict))
    return {i: entry for i, entry in entries if "step" in entry}


def _counting(before: Any, step: int) -> Any:
    """A step count as the state has it, a number or an array of any type, at a step."""
    return np.full_like(before, step) if isinstance(before, np.ndarray) else type(before)(step)


@register(
    "P10",
    "A missing gradient leaves theta, state and step; a parameter that starts late starts at step 1.",
    of=INDEPENDENT,
    rounds=True,
)
def missing_gradient(make: Maker, case: Case) -> str:
    if not getattr(make, "missing_gradients", True):
        raise NotApplicable("it knows no missing gradients: make.missing_gradients is False")
    theta, history = case.params[0], [grads[0] for grads in case.gradients if grads[0] is not None]
    other: Any = np.ones((2,) * max(theta.ndim, 1), theta.dtype)
    subject = case.make(make, params=[other, theta])
    for late in (None, None):
        subject.step([other.copy(), late])
    same_bits(theta, subject.params[1], "a parameter without a gradient so far", always=True)
    shows = shows_state(subject)
    steps_so_far = state_of(subject, 1).get("step", 0) if shows else 0
    same_values(0, int(steps_so_far), "the step count of a parameter without a gradient so far")
    family = case.spec.family if case.spec.name else None
    together = bool(
        getattr(make, "coupled", None) or (family and family.coupled)
    )  # then what a late one does depends on those before it
    fresh = None if together else case.make(make, params=[theta])
    for t, g in enumerate(history, start=1):
        subject.step([other.copy() if t % 2 else None, g.copy()])
        if fresh is not None:
            fresh.step([g.copy()])
            what = f"step {t} of a parameter that started late, after two steps of another one alone"
            same_bits(fresh.params[0], subject.params[1], what)
        before = [a.copy() for a in subject.params]
        state = copy.deepcopy(state_of(subject, 1)) if shows else {}
        subject.step([None, None])
        for i, array in enumerate(before):
            same_bits(array, subject.params[i], f"parameter {i} in a step without gradients")
        if state:
            _same_state(state, state_of(subject, 1), "state in a step without gradients")
    return "not examined: late parameters, as all parameters determine a step together" if together else ""


@register("P33", "The step count of a parameter is the number of its updates.")
def counters(make: Maker, case: Case) -> None:
    subject = case.make(make)
    require_method(subject, "get_state")
    counts = [0] * len(case.params)
    shown: list[tuple[int, int, int]] = []
    for grads in case.gradients:
        subject.step(copy_gradients(grads))
        for i, g in enumerate(grads):
            counts[i] += g is not None
            state = state_of(subject, i)
            if counts[i] and "step" not in state:
                raise NotApplicable("the state shows no step count")
            shown.append((i, counts[i], int(state.get("step", 0))))
    if any(counts) and not any(step for _, _, step in shown):
        raise NotApplicable("the state's `step` stays 0: it is no count of updates")
    for i, count, step in shown:
        same_values(count, step, f"the step count of parameter {i}")
