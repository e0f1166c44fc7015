"""fit with batches of NumPy arrays: the same steps as with Tensors."""

import numpy as np
import pytest

from tinygrad_lr import manual_seed, nn, ones, optim, tensor
from tinygrad_lr.training import fit


def trained(loader):
    manual_seed(0)
    model = nn.Linear(3, 1)
    history = fit(
        lambda x: model((x * 2.0).tanh()), nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), loader, epochs=3
    )
    return history.loss, model.weight.data


def test_batches_of_arrays_are_batches_of_tensors():
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(4, 3)).astype("f4"), rng.normal(size=(4, 1)).astype("f4")) for _ in range(2)]
    losses, weight = trained(batches)
    expected, expected_weight = trained([(tensor(x), tensor(y)) for x, y in batches])
    assert losses.tobytes() == expected.tobytes() and weight.tobytes() == expected_weight.tobytes()
    assert len(losses) == 6


def test_what_is_no_array_of_a_tensors_dtype_is_left_alone():
    seen = []

    def model(names, x):
        seen.append(names)
        return x

    weight = tensor(1.0, requires_grad=True)
    names = np.array(["a", "b"])
    loader = [(names, np.ones(2, "f4"), 3.0)]
    fit(lambda *x: model(*x) * weight, nn.MSELoss(), optim.SGD([weight], lr=0.1), loader, epochs=1)
    assert len(seen) == 1 and seen[0] is names


@pytest.mark.parametrize(
    "batch",
    [
        {1.0, 2.0},
        frozenset({1.0, 2.0}),
        {"x": ones(2, 3), "y": ones(2, 1)},
        np.ones((2, 3), "f4"),  # its rows would be an input and the target
        ones(2, 3),
        "xy",
    ],
    ids=lambda batch: type(batch).__name__,
)
def test_a_batch_without_order_or_of_rows_is_refused(batch):
    with pytest.raises(TypeError, match="a batch is a tuple or list of inputs whose last entry is the target, got "):
        trained([batch])
