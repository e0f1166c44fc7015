"""Every change of a kernel's rule is found by the formulas, or is listed with the proof that it changes nothing."""

from collections import Counter

import numpy as np
import pytest
from kernel_mutation import kernels, mutations, parsed
from optimizer_cases import VARIANTS

from tinygrad_lr import optim, zeros
from tinygrad_lr.verify.adapters import specification
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.properties.one_step import roundings_of

MODULES = {"sgd": ("sgd",), "adagrad": ("adagrad",), "rmsprop": ("rmsprop",), "adam": ("adam", "adamw")}

# Mutations that change no value, and the proof. The name is that of the function and what is swapped in it.
COMMUTES = "eps_in and the second moment are only added to each other, and a sum commutes bit for bit"
EQUIVALENT = {
    "rmsprop.rule: scaled(grad, eps_in, square, eps_out)": COMMUTES,
    "rmsprop.momentum_rule: scaled(grad, eps_in, square, eps_out)": COMMUTES,
    "rmsprop.centered_rule: scaled(grad, eps_in, variance(square, average, floor), eps_out)": COMMUTES,
    "rmsprop.centered_momentum_rule: scaled(grad, eps_in, variance(square, average, floor), eps_out)": COMMUTES,
}
# Coupled decay in every kernel, which VARIANTS has in some.
DECAY = {"weight_decay": 0.3, "decoupled_weight_decay": False}
MORE = {
    "sgd": [DECAY, {**DECAY, "momentum": 0.9}, {**DECAY, "momentum": 0.9, "nesterov": True}],
    "adagrad": [DECAY],
    "rmsprop": [{**DECAY, "centered": c, "momentum": m} for c in (False, True) for m in (0.0, 0.5)],
    "adam": [DECAY, {**DECAY, "amsgrad": True}],
    "adamw": [{}],
}


def proven(mutation):
    """Whether a mutation is listed as changing nothing."""
    where = f"{mutation.module}.{mutation.function}: "
    return any(name.startswith(where) and name[len(where) :] in mutation.after for name in EQUIVALENT)


def settings(module):
    """(variant, scalars, formula, arrays, expected) for every optimizer of a file, dialect, variant and some steps."""
    rng = np.random.default_rng(0)
    found = []
    for name in MODULES[module]:
        cls = optim.OPTIMIZERS[name]
        for dialect in cls.dialects:
            for variant in [*VARIANTS[name], *MORE[name]]:
                spec = specification(
                    name,
                    cls,
                    dialect,
                    **{"eps": 0.03, "lr": 0.1, **variant} if "eps" in cls.dialects[dialect] else {"lr": 0.1, **variant},
                )
                optimizer = cls([zeros(1, requires_grad=True)], dialect=dialect, **spec.hyperparameters)
                group = optimizer.param_groups[0]
                formula = enclosed(spec, np.float64, roundings_of(spec))
                for step in (1, 2, 7):
                    theta, g = rng.normal(size=12), rng.normal(size=12)
                    state = {key: _state(key, rng) for key in spec.state_keys()}
                    if step == 1:
                        state = {key: np.asarray(v) for key, v in spec.initial_state(np.zeros(12)).items()}
                    after, states = formula.step(theta, g, state, step)
                    expected = [after, *(states[key] for key in spec.state_keys())]
                    arrays = [theta, g, *state.values()]
                    found.append((optimizer.variant(group), optimizer.scalars(group, step), arrays, expected))
    return found


def _state(key, rng):
    if key == "grad_avg":
        return rng.normal(size=12) * 0.3
    if key in ("momentum_buffer", "exp_avg"):
        return rng.normal(size=12)
    return rng.uniform(0.5, 2.0, size=12)


def survives(table, module_settings):
    """Whether the rules give what the formulas enclose in every setting."""
    for variant, scalars, arrays, expected in module_settings:
        kernel = table[variant]
        try:
            with np.errstate(all="ignore"):
                results = kernel.rule(*arrays, *(scalars[name] for name in kernel.scalars))
        except Exception:
            return False
        results = results if isinstance(results, tuple) else (results,)
        if len(results) != len(expected):
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


@pytest.mark.parametrize("module", MODULES)
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
    assert outcomes["killed"] > 10 and not survivors, "\n".join(survivors)
