"""Optimizers that decide for all parameters together (optim/coupled.py): over groups, dtypes, late and reset ones."""

import numpy as np
import pytest
from optimizer_cases import specification

from tinygrad_lr import optim, tensor
from tinygrad_lr.optim.coupled import CoupledOptimizer

COUPLED = [name for name, cls in optim.OPTIMIZERS.items() if issubclass(cls, CoupledOptimizer)]
every = pytest.mark.parametrize("name", COUPLED)
START, GRADIENTS = [1.0, -2.0, 3.0, 0.5, 4.0], [[0.5, 2.0, -1.0, 0.25, 1.0], [1.0, -0.5, 2.0, 4.0, -0.125]]


def stepped(optimizer, parameters, rows):
    """Give each parameter its part of every row of gradients, and step."""
    for row in rows:
        at = 0
        for p in parameters:
            p.grad = np.array(row[at : at + p.data.size], p.dtype)
            at += p.data.size
        optimizer.step()


def leaves(*sizes, dtypes=("float64",)):
    found, at = [], 0
    for i, size in enumerate(sizes):
        dtype = dtypes[i % len(dtypes)]
        found.append(tensor(START[at : at + size], requires_grad=True, dtype=dtype))
        at += size
    return found


@every
def test_parameters_apart_are_one_vector(name):
    """In one group, in two, and as one parameter: the formula of all elements together, up to the order of sums."""
    whole = leaves(5)
    stepped(optim.OPTIMIZERS[name](whole), whole, GRADIENTS)
    for groups in (1, 2):
        parts = leaves(2, 3)
        given = parts if groups == 1 else [{"params": [p]} for p in parts]
        optimizer = optim.OPTIMIZERS[name](given)
        stepped(optimizer, parts, GRADIENTS)
        found = np.concatenate([p.data for p in parts])
        np.testing.assert_allclose(found, whole[0].data, rtol=1e-13)
        entries = [optimizer.state[p] for p in parts]
        assert all(entries[0][key] == entries[1][key] for key in optimizer.measured_kernel.numbers)


@every
def test_float32_and_float64_decide_together(name):
    parts, whole = leaves(2, 3, dtypes=("float32", "float64")), leaves(5)
    stepped(optim.OPTIMIZERS[name](parts), parts, GRADIENTS)
    stepped(optim.OPTIMIZERS[name](whole), whole, GRADIENTS)
    assert [p.dtype for p in parts] == [np.float32, np.float64]
    np.testing.assert_allclose(np.concatenate([p.data for p in parts]), whole[0].data, rtol=1e-5)


@every
def test_a_late_parameter_and_a_reset_one_take_the_numbers_of_the_others(name):
    first, late = leaves(2, 3)
    optimizer = optim.OPTIMIZERS[name]([{"params": [first]}, {"params": [late]}])
    first.grad = [1.0, 2.0]
    optimizer.step()
    before = {key: float(optimizer.state[first][key]) for key in optimizer.measured_kernel.numbers}
    assert optimizer.state[late] == {} and optimizer.shared_numbers() == before
    late.grad = [1.0, 1.0, 1.0]
    optimizer.step()
    now = [[float(optimizer.state[p][key]) for key in before] for p in (first, late)]
    assert now[0] == now[1] != list(before.values())
    del optimizer.state[first]
    assert optimizer.shared_numbers() == dict(zip(before, now[1], strict=True))
    optimizer.step()
    assert optimizer.state[first]["step"] == 1
    assert all(optimizer.state[first][key] == optimizer.state[late][key] for key in before)


@every
def test_groups_must_agree_on_what_decides(name):
    one, other = leaves(2, 3)
    for key in optim.OPTIMIZERS[name].together:
        value = specification(name, None, {})[key]
        if isinstance(value, str):
            continue  # a word: the same comparison
        changed = tuple(x / 2 for x in value) if isinstance(value, tuple) else value + 0.25
        optimizer = optim.OPTIMIZERS[name]([{"params": [one]}, {"params": [other], key: changed}])
        one.grad, other.grad = [1.0, 1.0], [1.0, 1.0, 1.0]
        with pytest.raises(ValueError, match=f"decides for all groups together: {key} must be the same in all, got "):
            optimizer.step()
        assert one.data.tolist() == START[:2]
