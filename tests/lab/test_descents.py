"""What programs descend on: the page's surfaces, and least squares with batches."""

import numpy as np
import pytest

from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.lab import least_squares, rows_of, surface_of
from tinygrad_lr.lab.surfaces import SURFACES


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_has_the_values_of_its_row_with_its_defaults(name):
    row, found = SURFACES[name], surface_of(name)
    given = [each.default for each in row.arguments]
    assert found.value(0.3, -0.7) == row.value(0.3, -0.7, *given)
    assert found.gradient(0.3, -0.7, 5) == row.gradient(0.3, -0.7, *given) == found.gradient(0.3, -0.7)
    assert found.minimum == row.minimum


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: surface_of("hill"), "a surface is one of parabola, quadratic, .*, got 'hill'"),
        (lambda: surface_of("quadratic", curvature=2), "quadratic has condition, got 'curvature'"),
        (lambda: surface_of("beale", condition=2), "beale has no arguments, got 'condition'"),
        (lambda: surface_of("quadratic", condition=0.5), "condition must be at least 1"),
        (lambda: least_squares(rows_of(), batch=-1), "batch must be a whole number of at least 0"),
        (lambda: least_squares(rows_of(), seed=-1), "seed must be a whole number of at least 0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_gradient_is_that_of_all_rows_or_of_a_batch_of_a_data_loader():
    rows = rows_of()
    samples = np.arange(len(rows.targets), dtype=np.float32)[:, None]
    loader = DataLoader(TensorDataset(samples), batch_size=50, shuffle=True, seed=4)
    batched, whole = least_squares(rows, batch=50, seed=4), least_squares(rows)
    step = 0
    for epoch in (0, 1):
        for chosen in np.split(loader.order(epoch), range(50, len(samples), 50)):
            residual = rows.inputs[chosen] @ [0.3, -0.2] - rows.targets[chosen]
            expected = 2 * residual @ rows.inputs[chosen] / len(chosen)
            assert batched.gradient(0.3, -0.2, step) == pytest.approx(expected, rel=1e-12)
            step += 1
    every = 2 * (rows.inputs @ [0.3, -0.2] - rows.targets) @ rows.inputs / len(rows.targets)
    assert whole.gradient(0.3, -0.2, 7) == pytest.approx(every, rel=1e-12)
    assert batched.value(0.3, -0.2) == whole.value(0.3, -0.2)
