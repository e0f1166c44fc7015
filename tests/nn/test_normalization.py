"""LayerNorm: beside torch's, as machine code, at the edges, and with wrong arguments."""

import copy
import math

import numpy as np
import pytest

from tinygrad_lr import Tensor, compile_step, gradcheck, manual_seed, nn, optim, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.nn.functional import layer_norm
from tinygrad_lr.training import fit

X = np.random.default_rng(0).normal(size=(5, 4, 3))
CASES = [
    {"normalized_shape": 3},
    {"normalized_shape": [4, 3], "eps": 1e-3},
    {"normalized_shape": (3,), "bias": False},
    {"normalized_shape": (5, 4, 3), "elementwise_affine": False},
    {"normalized_shape": 3, "eps": 0.0},
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("arguments", CASES, ids=str)
def test_values_gradients_states_and_repr_are_those_of_torch(arguments, dtype):
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    ours, theirs = nn.LayerNorm(**arguments), torch.nn.LayerNorm(**arguments)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    values = {name: np.random.default_rng(1).normal(size=a.shape) for name, a in ours.state_dict().items()}
    ours.to(dtype).load_state_dict(values)
    theirs.to(getattr(torch, dtype)).load_state_dict({name: torch.tensor(a) for name, a in values.items()})
    x, like = tensor(X, dtype=dtype, requires_grad=True), torch.tensor(X.astype(dtype), requires_grad=True)
    weights = np.random.default_rng(2).normal(size=X.shape).astype(dtype)
    out, expected = ours(x), theirs(like)
    (out * weights).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    # sums of 60 numbers of size 3, divided by deviations above 0.05: 64 roundings of 20 times their size
    bound = 64 * 20 * np.finfo(dtype).eps
    assert out.dtype == dtype and np.abs(out.detach().numpy() - expected.detach().numpy()).max() <= bound
    pairs = [(x.grad, like.grad), *[(getattr(ours, n).grad, getattr(theirs, n).grad) for n in values]]
    assert all(np.abs(mine - its.numpy()).max() <= 20 * bound for mine, its in pairs)


@pytest.mark.parametrize("arguments", CASES, ids=str)
def test_gradients_are_those_of_differences(arguments):
    assert gradcheck(nn.LayerNorm(**arguments).double(), X)


def test_mean_and_variance_are_those_that_are_promised():
    rows = layer_norm(Tensor(X * 5 + 3), 3, eps=0.0).numpy()
    assert np.abs(rows.mean(-1)).max() <= 1e-14 and np.abs(rows.var(-1) - 1).max() <= 1e-13


def test_a_large_mean_costs_no_digits():
    x = np.array([[1.0, 2.0, 3.0, 6.0]], "f4")
    np.testing.assert_array_equal(layer_norm(x + 2**20, 4).numpy(), layer_norm(x, 4).numpy())


def test_large_numbers_are_normalized_and_too_large_ones_are_nan():
    assert layer_norm(np.array([[3e38, -3e38]], "f4"), 2).tolist() == [[1.0, -1.0]]
    assert np.isnan(layer_norm(np.array([[1e200, -1e200]]), 2).numpy()).all()


def test_what_is_constant_becomes_the_bias():
    layer = nn.LayerNorm(3)
    layer.bias.data = [1.0, 2.0, 3.0]
    x = tensor(np.full((2, 3), 7.0, "f4"), requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert out.tolist() == [[1, 2, 3]] * 2 and x.grad.tolist() == [[0, 0, 0]] * 2
    assert layer(np.zeros((0, 3), "f4")).shape == (0, 3)


def test_weight_or_bias_alone():
    x = Tensor(X)
    plain = layer_norm(x, 3).numpy()
    assert layer_norm(x, 3, weight=np.array([1.0, 2.0, 3.0])).tolist() == (plain * [1, 2, 3]).tolist()
    assert layer_norm(x, 3, bias=np.array([1.0, 2.0, 3.0])).tolist() == (plain + [1, 2, 3]).tolist()


def test_parameters_are_reset_in_place():
    layer = nn.LayerNorm([2, 3]).double()
    weight = layer.weight
    layer.weight.data, layer.bias.data = np.full((2, 3), 5.0), np.full((2, 3), 5.0)
    layer.reset_parameters()
    assert layer.weight is weight and weight.tolist() == [[1.0] * 3] * 2 and layer.bias.tolist() == [[0.0] * 3] * 2
    nn.LayerNorm(2, elementwise_affine=False).reset_parameters()
    assert copy.deepcopy(layer).state_dict().keys() == {"weight", "bias"}


def trained(compiled):
    manual_seed(0)
    layers = [
        nn.Linear(3, 6),
        nn.LayerNorm(6),
        nn.GELU(),
        nn.LayerNorm(6, bias=False),
        nn.Dropout(0.2),
        nn.Linear(6, 1),
    ]
    model, inputs = nn.Sequential(*layers), X.reshape(20, 3).astype("f4")
    loader = DataLoader(TensorDataset(Tensor(inputs), Tensor(inputs.sum(1, keepdims=True))), 6, shuffle=True, seed=1)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    held = inputs, inputs.sum(1, keepdims=True)
    history = fit(model, nn.MSELoss(), optimizer, loader, epochs=5, compiled=compiled, held_out=held, progress=False)
    return history.loss, [each.copy() for each in model.state_dict().values()]


def test_it_trains_as_machine_code():
    (eager, values), (compiled, found) = trained(False), trained(True)
    assert eager[-1] < eager[0] and np.allclose(eager, compiled, rtol=1e-4)
    assert all(np.allclose(one, other, rtol=1e-3, atol=1e-4) for one, other in zip(values, found, strict=True))


def test_a_compiled_step_of_three_axes_and_another_eps():
    losses = []
    for compiled in (False, True):
        model = nn.LayerNorm([4, 3])
        optimizer, loss = optim.SGD(model.parameters(), lr=0.1), nn.MSELoss()
        step = compile_step(model, loss, optimizer)
        found = []
        for eps in (1e-5, 0.5):
            model.eps = eps
            if compiled:
                found.append(step(X, X * 2))
            else:
                optimizer.zero_grad()
                value = loss(model(X), X * 2)
                value.backward()
                optimizer.step()
                found.append(value.item())
        losses.append(found)
    assert np.allclose(*losses, rtol=1e-5) and losses[0][0] != losses[0][1]


WRONG = [
    ("no lengths", lambda: nn.LayerNorm([]), ValueError, r"normalized_shape must have at least one length, got \[\]"),
    (
        "a length of 0",
        lambda: nn.LayerNorm(0),
        ValueError,
        "normalized_shape must be a whole number of at least 1|from 1",
    ),
    ("half a length", lambda: nn.LayerNorm(2.5), TypeError, "normalized_shape must be a whole number"),
    ("lengths of text", lambda: nn.LayerNorm("43"), TypeError, "normalized_shape must be a whole number"),
    ("a length of None", lambda: nn.LayerNorm([3, None]), TypeError, "normalized_shape must be a whole number"),
    ("a length of True", lambda: nn.LayerNorm(True), TypeError, "normalized_shape must be a whole number"),
    ("eps below 0", lambda: nn.LayerNorm(3, -1e-5), ValueError, "eps must be at least 0"),
    ("eps of NaN", lambda: nn.LayerNorm(3, math.nan), ValueError, "eps must be a finite number"),
    ("eps of text", lambda: nn.LayerNorm(3, "small"), TypeError, "eps must be a real number"),
    ("affine as a number", lambda: nn.LayerNorm(3, elementwise_affine=1), TypeError, "elementwise_affine"),
    ("bias as a text", lambda: nn.LayerNorm(3, bias="no"), TypeError, "bias"),
    (
        "another length",
        lambda: nn.LayerNorm(4)(X),
        ValueError,
        r"whose last axes have the lengths \(4,\), got \(5, 4, 3\)",
    ),
    ("too few axes", lambda: nn.LayerNorm([4, 3])(np.ones(3)), ValueError, r"the lengths \(4, 3\), got \(3,\)"),
    ("a number", lambda: nn.LayerNorm(1)(3.0), ValueError, r"the lengths \(1,\), got \(\)"),
    ("whole numbers", lambda: layer_norm(tensor([1, 2]), 2), TypeError, "layer_norm needs floats, got int64"),
    (
        "another weight",
        lambda: layer_norm(X, 3, np.ones(4)),
        ValueError,
        r"expected a weight of shape \(3,\), got \(4,\)",
    ),
    ("another bias", lambda: layer_norm(X, 3, None, 1.0), ValueError, r"expected a bias of shape \(3,\), got \(\)"),
    ("a text", lambda: nn.LayerNorm(3)("x"), TypeError, "str"),
]


@pytest.mark.parametrize(("call", "error", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_argument_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
