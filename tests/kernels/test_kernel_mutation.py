"""Every change of a kernel's rule or row is found by the formulas, or is listed with the proof that it changes nothing.

The files and their optimizers are those of kernel_rows.py.
"""

import ast
from collections import Counter
from typing import NamedTuple

import kernel_rows
import numpy as np
import pytest
from kernel_mutation import kernels, mutations, mutations_of, parsed

from tinygrad_lr import zeros
from tinygrad_lr.verify.adapters import specification
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.properties.one_step import roundings_of

# Mutations that change no value, and the proof. The name is that of the function and what is swapped in it.
COMMUTES = "eps_in and the second moment are only added to each other, and a sum commutes bit for bit"
EQUIVALENT = {
    "rmsprop.rule: scaled(grad, eps_in, square, eps_out)": COMMUTES,
    "rmsprop.momentum_rule: scaled(grad, eps_in, square, eps_out)": COMMUTES,
    "rmsprop.centered_rule: scaled(grad, eps_in, variance(square, average, floor), eps_out)": COMMUTES,
    "rmsprop.centered_momentum_rule: scaled(grad, eps_in, variance(square, average, floor), eps_out)": COMMUTES,
}
EQUIVALENT |= {
    "adamax.rule: choose(grad <= zero, zero - grad, grad)": "the size of 0 is 0 either way",
    "cocob.rule: choose(grad <= zero, zero - grad, grad)": "the size of 0 is 0 either way",
    "adabelief.rule: away = m - grad": "only its square is used",
    "adopt.rule: choose(d >= bound": "a number on the bound is the bound",
    "adopt.rule: choose(d <= zero - bound": "a number on the bound is the bound",
    "ftrl.rule: choose(z >= l1": "a number on the bound is the bound",
    "ftrl.rule: choose(z <= zero - l1": "a number on the bound is the bound",
    "sophiah.rule: choose(d >= one": "a number on the bound is the bound",
    "sophiah.rule: choose(d <= zero - one": "a number on the bound is the bound",
    "rprop.along_the_sign: x / size": "x is 0 or NaN there, and a size is above 0",
    "rprop.adapted: one - agreement": "the agreement is 0 or NaN there",
    "rprop.adapted: choose(size >= largest": "a number on the bound is the bound",
    "yogi.rule: choose(v >= square": "rounding may make any sign of their difference, and the bound holds all three",
    "yogi.rule: choose(v <= square": "rounding may make any sign of their difference, and the bound holds all three",
    "yogi.rule: choose(v == square, v, v + square)": "NaN, as the difference is",
    "yogi.rule: choose(v == square, v, square - v)": "NaN, as the difference is",
    "madgrad.cbrt: small = x <= ONE": "1 may be scaled or not",
    "madgrad.near: bits = np.float32(choose(": "a float32 already; Numba reads the bits of a cast only",
    "madgrad.near_64: bits = np.float64(choose(": "a float64 already; Numba reads the bits of a cast only",
    **dict.fromkeys(
        [f"madgrad.module: {constant + unit}" for constant in (0x54A21D40, 0x553EF0FF) for unit in (1, -1)],
        "where the iteration begins differs by less than rounding does",
    ),
}
# Coupled decay in every kernel, which `examined` has in some.
DECAY = {"weight_decay": 0.3, "decoupled_weight_decay": False}
SIZE = 12


def variants(cls):
    """The settings in which an optimizer's kernels are judged: those of its class, and each with coupled decay too."""
    with_decay = set(DECAY) <= set(cls.hyperparameters)
    return [*cls.examined, *({**settings, **DECAY} for settings in cls.examined if with_decay)]


def proven(mutation):
    """Whether a mutation is listed as changing nothing."""
    where = f"{mutation.module}.{mutation.function}: "
    return any(name.startswith(where) and name[len(where) :] in mutation.after for name in EQUIVALENT)


def settings(module):
    """The settings in which a file's kernels are judged: of its optimizers, dialects and variants, in some steps."""
    rng = np.random.default_rng(0)
    found = []
    for name, cls in kernel_rows.optimizers_of(module).items():
        for dialect in cls.dialects:
            for variant in variants(cls):
                chosen = {"eps": 0.03} if "eps" in cls.dialects[dialect] else {}
                spec = specification(name, cls, dialect, **chosen | {"lr": 0.1} | variant)
                optimizer = cls([zeros(1, requires_grad=True)], dialect=dialect, **spec.hyperparameters)
                group = optimizer.param_groups[0]
                formula = enclosed(spec, np.float64, roundings_of(spec))
                for step in (1, 2, 7):
                    theta, g, *state = arrays_of(spec, rng, step == 1, cls.numbers)
                    before = dict(zip(spec.state_keys(), state, strict=True))
                    after, states = formula.step(theta, g, before, step)
                    keys = [key for key in before if key not in cls.numbers]
                    now = optimizer.numbered(group, step, {**numbers_before(optimizer, group, step), **before})
                    for key in states.keys() & cls.numbers.keys():
                        assert states[key].contains(np.asarray(now[key])).all(), (name, key, step)
                    scalars = {**optimizer.constants(now), **optimizer.moving(now, step)}
                    given = [before[key] for key in keys]
                    if step == 1:  # what the states are filled with
                        given = [np.full(theta.shape, optimizer.initial_state(group, key)) for key in keys]
                    found.append(
                        Setting(
                            optimizer.variant(group),
                            scalars,
                            tuple(keys),
                            [theta, g, *given],
                            [after, *(states[key] for key in keys)],
                            lost(spec, theta, g, before, keys, step),
                        )
                    )
    return found


class Setting(NamedTuple):
    """A kernel's key, its scalars, the names of its states, its arrays, what becomes of them, and what is NaN where one
    of the arrays but the first is: a row of masks for each."""

    variant: str
    scalars: dict
    states: tuple
    arrays: list
    expected: list
    lost: list


def numbers_before(optimizer, group, step):
    """The numbers that an optimizer keeps after the steps before."""
    numbers = optimizer.numbers
    for earlier in range(1, step):
        now = optimizer.numbered(group, earlier, numbers)
        numbers = {key: now[key] for key in numbers}
    return numbers


def lost(spec, theta, g, before, keys, step):
    """Where the formula has NaN, if the gradient, or after the first step a state, is NaN."""
    found = []
    for spoilt in ("gradient", *(keys if step > 1 else ())):
        given = {**before, spoilt: np.nan * before[spoilt]} if spoilt in before else before
        with np.errstate(all="ignore"):
            after, states = spec.step(theta, np.nan * g if spoilt == "gradient" else g, given, step)
        found.append([np.isnan(each) & np.ones(theta.shape, bool) for each in (after, *(states[k] for k in keys))])
    return found


def arrays_of(spec, rng, first, numbers):
    """Theta, g and the states: drawn numbers, then every pair of SPECIAL beside zeros, and beside ones."""
    pairs = np.array([(a, b) for a in kernel_rows.SPECIAL for b in kernel_rows.SPECIAL]).T
    theta, g = (np.r_[rng.normal(size=SIZE), some, some] for some in pairs)
    rest = np.repeat([0.0, 1.0], pairs.shape[1])
    if first:
        states = [np.asarray(value) for value in spec.initial_state(theta).values()]
    else:
        states = [
            rng.uniform(0.2, 0.9) if key in numbers else np.r_[_state(key, rng), rest] for key in spec.state_keys()
        ]
    return theta, g, *states


def _state(key, rng):
    if key == "grad_avg":
        return rng.normal(size=SIZE) * 0.3
    if key in ("momentum_buffer", "exp_avg"):
        return rng.normal(size=SIZE)
    return rng.uniform(0.5, 2.0, size=SIZE)


def results_of(kernel, arrays, scalars):
    """What a rule gives for arrays."""
    with np.errstate(all="ignore"):
        found = kernel.rule(*arrays, *(scalars[name] for name in kernel.scalars))
    return found if isinstance(found, tuple) else (found,)


def survives(table, module_settings):
    """Whether the rules give what the formulas enclose in every setting."""
    try:
        return all(survives_setting(table[each.variant], each) for each in module_settings) and helpers_hold(table)
    except Exception:
        return False


def survives_setting(kernel, setting):
    results = results_of(kernel, setting.arrays, setting.scalars)
    if len(results) != len(setting.expected) or kernel.states != setting.states:
        return False
    if not all(e.contains(np.asarray(r)).all() for e, r in zip(setting.expected, results, strict=True)):
        return False
    theta, g, *states = setting.arrays  # clipping multiplies the sign, and so the gradient
    clipped = results_of(
        kernel, [theta, g / -0.5, *states], {**setting.scalars, "sign": -0.5 * setting.scalars["sign"]}
    )
    if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(results, clipped, strict=True)):
        return False
    if "linear" in setting.states:  # FTRL, whose formula divides by lr: at 0 nothing changes, and the inverse is 0
        idle = results_of(kernel, setting.arrays, {**setting.scalars, "inverse": 0.0})
        if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(idle, (theta, *states), strict=True)):
            return False
    for place, masks in enumerate(setting.lost, start=1):
        spoilt = [np.nan * array if i == place else array for i, array in enumerate(setting.arrays)]
        for result, mask in zip(results_of(kernel, spoilt, setting.scalars), masks, strict=True):
            # A NaN must be seen where the formula has it, and that of a gradient nowhere else. In a state that the
            # formula does not read yet there is none.
            if (mask & ~np.isnan(result)).any() or (place == 1 and (np.isnan(result) & ~mask).any()):
                return False
    return True


def helpers_hold(table):
    """Whether a function that a rule calls, and whose rounding the bounds hide, is as exact as it can be."""
    cbrt = next(iter(table.values())).rule.__globals__.get("cbrt")
    if cbrt is None:
        return True
    rng = np.random.default_rng(0)
    for dtype, units in ((np.float32, 1.7), (np.float64, 1.0)):
        kind = np.finfo(dtype)
        x = (2.0 ** rng.uniform(np.log2(kind.smallest_subnormal), kind.maxexp - 1e-6, 3000)).astype(dtype)
        x = np.r_[x, kind.max, kind.smallest_subnormal, dtype(1)]
        with np.errstate(all="ignore"):
            found, ends = (cbrt(each) for each in (x, dtype([0, np.inf, np.nan])))
        error = np.abs(found.astype(np.longdouble) - np.cbrt(x.astype(np.longdouble)))
        exact = (error <= units * np.spacing(found)).all()
        if not exact or not np.array_equal(ends, [0, np.inf, np.nan], equal_nan=True):
            return False
    return True


@pytest.mark.parametrize("module", kernel_rows.of_rules())
def test_every_kernel_is_judged(module):
    lacks = kernel_rows.lacks(module)
    judged = {each.variant for each in settings(module)} if kernel_rows.optimizers_of(module) else set()
    unused = [key for key in kernel_rows.of_rules()[module] if key not in judged]
    lacks += [f"no setting in the `examined` of its class uses {module}.KERNELS[{key!r}]" for key in unused]
    assert not lacks, "\n".join(lacks)


@pytest.mark.parametrize("module", kernel_rows.of_rules())
def test_every_mutation_is_killed_or_proven_equivalent(module):
    judged = settings(module)
    tree = parsed(module)
    assert survives(kernels(tree), judged), "the rule itself must pass"
    outcomes, survivors = Counter(), []
    for mutation in mutations(module):
        try:
            alive = survives(kernels(mutation.tree), judged)
        except Exception:  # it cannot even be built
            alive = False
        outcomes["survived" if alive else "killed"] += 1
        if alive and not proven(mutation):
            survivors.append(str(mutation))
    print(module, dict(outcomes))
    assert outcomes["killed"] >= 10 and not survivors, "\n".join(survivors)


SIGN = """
@compiled
def rule(param, grad, m, lr, beta, one_minus_beta, zero, one, sign):
    m = beta * m + one_minus_beta * (sign * grad)
    return param - lr * choose(m > zero, one, choose(m < zero, -one, m)), m

KERNELS = {"plain": Kernel(rule, ("m",))}
"""


class Exactly:
    def __init__(self, value):
        self.value = value

    def contains(self, found):
        return (found == self.value) | np.isnan(found)


@pytest.mark.parametrize("with_zeros", [True, False])
def test_changes_of_a_rule_of_signs_are_seen_at_zeros_only(with_zeros):
    kernel = kernels(ast.parse(SIGN))["plain"]
    arrays = [each if with_zeros else each[:SIZE] for each in kernel_rows.special(kernel, np.float64)[0]]
    if not with_zeros:
        arrays = kernel_rows.drawn(kernel, SIZE, np.float64)[0]
        arrays[2] = -arrays[2] * arrays[1]
    theta, g, m = arrays
    new = 0.75 * m + 0.25 * g
    expected = [Exactly(theta - 0.5 * np.sign(new)), Exactly(new)]
    scalars = {"lr": 0.5, "beta": 0.75, "one_minus_beta": 0.25, "zero": 0.0, "one": 1.0, "sign": 1.0}
    judged = [Setting("plain", scalars, ("m",), arrays, expected, [])]
    assert survives(kernels(ast.parse(SIGN)), judged)
    alive = []
    for mutation in mutations_of("sign", ast.parse(SIGN)):
        try:
            alive += [mutation.after] if survives(kernels(mutation.tree), judged) else []
        except Exception:  # it cannot even be built
            continue
    assert len(alive) == (0 if with_zeros else 3), alive
