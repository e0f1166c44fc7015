"""Every change of a kernel's rule or row is found by the formulas, or is listed with the proof that it changes nothing.

The files and their optimizers are those of kernel_rows.py.
"""

import ast
from collections import Counter

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
    """(variant, scalars, state names, arrays, expected) for optimizers, dialects, variants and some steps."""
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
                    theta, g, *state = arrays_of(spec, rng, first=step == 1)
                    after, states = formula.step(theta, g, dict(zip(spec.state_keys(), state, strict=True)), step)
                    expected = [after, *(states[key] for key in spec.state_keys())]
                    key = optimizer.variant(group)
                    scalars = optimizer.scalars(group, step)
                    found.append((key, scalars, tuple(spec.state_keys()), [theta, g, *state], expected))
    return found


def arrays_of(spec, rng, first):
    """Theta, g and the states: drawn numbers, then zeros and signs of each (SPECIAL), and zeros in all of them."""
    pairs = np.array([(a, b) for a in kernel_rows.SPECIAL for b in kernel_rows.SPECIAL]).T
    theta, g = (np.r_[rng.normal(size=SIZE), some] for some in pairs)
    if first:
        states = [np.asarray(value) for value in spec.initial_state(np.zeros(theta.size)).values()]
    else:
        states = [np.r_[_state(key, rng), np.zeros(pairs.shape[1])] for key in spec.state_keys()]
    return theta, g, *states


def _state(key, rng):
    if key == "grad_avg":
        return rng.normal(size=SIZE) * 0.3
    if key in ("momentum_buffer", "exp_avg"):
        return rng.normal(size=SIZE)
    return rng.uniform(0.5, 2.0, size=SIZE)


def survives(table, module_settings):
    """Whether the rules give what the formulas enclose in every setting."""
    for variant, scalars, states, arrays, expected in module_settings:
        try:
            kernel = table[variant]
            with np.errstate(all="ignore"):
                results = kernel.rule(*arrays, *(scalars[name] for name in kernel.scalars))
        except Exception:
            return False
        results = results if isinstance(results, tuple) else (results,)
        if len(results) != len(expected) or kernel.states != states:
            return False
        for enclosure, result in zip(expected, results, strict=True):
            if not enclosure.contains(np.asarray(result)).all():
                return False
        with np.errstate(all="ignore"):
            spoilt = kernel.rule(arrays[0], np.nan * arrays[1], *arrays[2:], *(scalars[n] for n in kernel.scalars))
        if not all(np.isnan(result).all() for result in (spoilt if isinstance(spoilt, tuple) else (spoilt,))):
            return False  # a NaN in the gradient must be seen in everything
        if "square_avg" in kernel.states:  # and one in the moment, in theta
            moments = [np.nan * arrays[2], *arrays[3:]]
            with np.errstate(all="ignore"):
                spoilt = kernel.rule(*arrays[:2], *moments, *(scalars[n] for n in kernel.scalars))
            if not np.isnan(spoilt[0]).all():
                return False
    return True


@pytest.mark.parametrize("module", kernel_rows.of_rules())
def test_every_kernel_is_judged(module):
    lacks = kernel_rows.lacks(module)
    judged = {variant for variant, *_ in settings(module)} if kernel_rows.optimizers_of(module) else set()
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
def rule(param, grad, m, lr, beta, one_minus_beta, zero, one):
    m = beta * m + one_minus_beta * grad
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
    scalars = {"lr": 0.5, "beta": 0.75, "one_minus_beta": 0.25, "zero": 0.0, "one": 1.0}
    judged = [("plain", scalars, ("m",), arrays, expected)]
    assert survives(kernels(ast.parse(SIGN)), judged)
    alive = []
    for mutation in mutations_of("sign", ast.parse(SIGN)):
        try:
            alive += [mutation.after] if survives(kernels(mutation.tree), judged) else []
        except Exception:  # it cannot even be built
            continue
    assert len(alive) == (0 if with_zeros else 3), alive
