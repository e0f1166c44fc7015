"""Examples that provoke rounding: sequences of gradients of many kinds, drawn by hypothesis as a few small numbers.

A case is drawn as sizes, kinds (sequences.py), exponents and a seed, from which NumPy makes the arrays. Half of the
parameters start at zero or no larger than a step, where an error is not hidden by theta's own rounding.
hypothesis is imported when cases are drawn (extra `verify`). Next: checks/optimizers.py.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

from ..protocol import Case, Claim
from ..sequences import KINDS as KINDS
from ..sequences import known_number, pad_shape
from ..sequences import sequence as sequence
from ..specification import Specification

SHAPES = ((3,), (1,), (), (8,), (0,), (2, 4), (17,), (9,))


def case_of(
    spec: Claim,
    dtype: DTypeLike,
    parameters: list[tuple[tuple[int, ...], str, int]],
    steps: int,
    complete: bool = False,
) -> Case:
    """The case that is made from (shape, kind, seed) of each parameter; `complete`: no gradient is missing."""
    eps, lr = known_number(spec, "eps", 1e-8), known_number(spec, "lr", 1e-3)
    params, columns = [], []
    for shape, kind, seed in parameters:
        rng = np.random.default_rng(seed)
        size, scale = rng.choice((0.0, lr, 1.0, 100.0)), 2.0 ** rng.integers(-12, 13)
        params.append(np.asarray(size * rng.normal(size=shape), dtype))
        column: list[Any] = sequence(kind, shape, steps, scale, seed, dtype, eps)
        missing = rng.integers(2, size=steps) if rng.integers(4) == 0 and not complete else np.zeros(steps)
        columns.append([None if gone else g for gone, g in zip(missing, column, strict=True)])
    return Case(cast(Specification, spec), params, [list(grads) for grads in zip(*columns, strict=True)])


SHORT, LONG, DEEP = 5, 300, 1000


def steps_for(count: int) -> int:
    """The most steps that drawn cases have: a few, and many too where a search draws for hours."""
    return SHORT if count < DEEP else LONG


def cases(
    spec: Claim,
    dtype: DTypeLike,
    kinds: tuple[str, ...] = KINDS,
    steps: int = SHORT,
    least: int = 0,
    coupled: bool = False,
) -> Any:
    """A hypothesis strategy: one to three parameters (some empty), a few steps, some gradients missing.

    Args:
        steps: how many there are at most; where that is more than a few, one case in two has a few.
        least: how many dimensions a parameter must have.
        coupled: parameters determine a step together: there is one, and always a gradient.
    """
    from hypothesis import strategies as st

    shapes = [pad_shape(shape, least) for shape in SHAPES if not (coupled and 0 in shape)]
    one = st.tuples(st.sampled_from(shapes), st.sampled_from(kinds), st.integers(0, 2**16))
    many = st.integers(1, steps) if steps <= SHORT else st.one_of(st.integers(1, SHORT), st.integers(1, steps))
    drawn = st.tuples(st.lists(one, min_size=1, max_size=1 if coupled else 3), many)
    return drawn.map(lambda it: case_of(spec, dtype, it[0], it[1], coupled))


def fixed_cases(spec: Claim, dtype: DTypeLike, seed: int, least: int = 0, coupled: bool = False) -> list[Case]:
    """One case of every kind, the same for the same seed. They are tried before any is drawn."""
    found = []
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, number])
        shapes = [pad_shape(shape, least) for shape in ([(2, 4)] if coupled else [(3,), (2, 4), ()])]
        params = [np.asarray(rng.normal(size=shape), dtype) for shape in shapes]
        eps = known_number(spec, "eps", 1e-3)
        columns = [sequence(kind, s, 6, 1.0, 17 * number + seed, dtype, eps) for s in shapes]
        gradients = [list(grads) for grads in zip(*columns, strict=True)]
        if not coupled:
            gradients[2][1] = None
        found.append(Case(cast(Specification, spec), params, gradients))
    return found


def long_case(spec: Claim, dtype: DTypeLike, seed: int, least: int = 0) -> Case:
    """Some 300 steps of a small parameter, past the 256 that a step count in eight bits of mantissa can tell apart."""
    shape = pad_shape((2,), least)
    rng = np.random.default_rng([seed, LONG])
    gradients = sequence("normal", shape, LONG, 1.0, LONG + seed, dtype, known_number(spec, "eps", 1e-3))
    return Case(cast(Specification, spec), [np.asarray(rng.normal(size=shape), dtype)], [[g] for g in gradients])
