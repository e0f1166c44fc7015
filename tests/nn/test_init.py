"""First values: their distributions against the exact ones, what is filled, and wrong arguments."""

import math
from functools import partial

import numpy as np
import pytest

from tinygrad_lr import Tensor, manual_seed, nn, tensor, zeros
from tinygrad_lr.nn import init

SHAPE = (60, 40)  # outputs, inputs
N = 60 * 40


def normal(x, mean=0.0, std=1.0):
    return np.array([0.5 * math.erfc(-(v - mean) / std / math.sqrt(2)) for v in x])


def uniform(x, a, b):
    return np.clip((np.asarray(x) - a) / (b - a), 0, 1)


def truncated(x, mean, std, a, b):
    low, high = normal([a, b], mean, std)
    return np.clip((normal(x, mean, std) - low) / (high - low), 0, 1)


ROOT2, SLOPE = math.sqrt(2), math.sqrt(2 / (1 + 0.5**2))
FUNCTIONS = {  # a call, the exact share below a number, and bounds
    "uniform_": (init.uniform_, partial(uniform, a=0, b=1), (0, 1)),
    "uniform_ between": (partial(init.uniform_, a=-3, b=2), partial(uniform, a=-3, b=2), (-3, 2)),
    "normal_": (init.normal_, normal, None),
    "normal_ elsewhere": (partial(init.normal_, mean=2, std=0.5), partial(normal, mean=2, std=0.5), None),
    "trunc_normal_": (init.trunc_normal_, partial(truncated, mean=0, std=1, a=-2, b=2), (-2, 2)),
    "trunc_normal_ on one side": (
        partial(init.trunc_normal_, mean=0, std=0.5, a=0.1, b=0.4),
        partial(truncated, mean=0, std=0.5, a=0.1, b=0.4),
        (0.1, 0.4),
    ),
    "xavier_uniform_": (
        partial(init.xavier_uniform_, gain=2),
        partial(uniform, a=-2 * math.sqrt(0.06), b=2 * math.sqrt(0.06)),
        (-2 * math.sqrt(0.06), 2 * math.sqrt(0.06)),
    ),
    "xavier_normal_": (init.xavier_normal_, partial(normal, std=math.sqrt(0.02)), None),
    "kaiming_uniform_": (
        partial(init.kaiming_uniform_, nonlinearity="relu"),
        partial(uniform, a=-ROOT2 * math.sqrt(3 / 40), b=ROOT2 * math.sqrt(3 / 40)),
        (-ROOT2 * math.sqrt(3 / 40), ROOT2 * math.sqrt(3 / 40)),
    ),
    "kaiming_normal_": (
        partial(init.kaiming_normal_, a=0.5, mode="fan_out"),
        partial(normal, std=SLOPE / math.sqrt(60)),
        None,
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_draws_have_the_distribution(name, dtype):
    """Dvoretzky, Kiefer, Wolfowitz (Massart's constant): the greatest gap is larger with probability 1e-9."""
    fill, share, bounds = FUNCTIONS[name]
    weight = nn.Parameter(zeros(*SHAPE, dtype=dtype))
    assert fill(weight) is weight and weight.dtype == dtype and weight.requires_grad
    values = np.sort(weight.numpy().reshape(-1).astype(float))
    gap = np.maximum(np.arange(1, N + 1) / N - share(values), share(values) - np.arange(N) / N).max()
    assert gap <= math.sqrt(math.log(2e9) / (2 * N)) and len(set(values.tolist())) > 0.9 * N
    if bounds:
        assert bounds[0] <= values[0] and values[-1] <= bounds[1]


def test_a_wrong_distribution_is_seen():
    values = np.sort(init.normal_(zeros(*SHAPE), std=1.2).numpy().reshape(-1).astype(float))
    assert np.abs(np.arange(N) / N - normal(values)).max() > math.sqrt(math.log(2e9) / (2 * N)) / 2
    values = np.sort(init.uniform_(zeros(*SHAPE)).numpy().reshape(-1).astype(float))
    assert np.abs(np.arange(N) / N - normal(values)).max() > math.sqrt(math.log(2e9) / (2 * N))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_seed_gives_the_same_values(name):
    found = []
    for seed in (1, 1, 2):
        manual_seed(seed)
        found.append(FUNCTIONS[name][0](zeros(4, 3)).tolist())
    assert found[0] == found[1] != found[2]


def test_what_is_no_draw():
    assert init.constant_(zeros(2), 0.5).tolist() == [0.5, 0.5]
    assert init.ones_(zeros(2)).tolist() == [1, 1] and init.zeros_(tensor([3.0])).tolist() == [0]
    assert init.eye_(zeros(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 3, 2), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal(shape, dtype):
    """Householder's QR is orthonormal within 10 roundings for each entry of a row (Higham, section 19.3)."""
    weight = init.orthogonal_(zeros(*shape, dtype=dtype), gain=2).numpy().reshape(shape[0], -1).astype(float)
    small = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    bound = 4 * 10 * max(weight.shape) * np.finfo(dtype).eps
    assert np.abs(small - 4 * np.eye(len(small))).max() <= bound


def test_orthogonal_is_uniform():
    """Of a rotation drawn uniformly each entry's sign is a coin's; QR alone gives the first a fixed one."""
    signs = [init.orthogonal_(zeros(2, 2)).numpy()[0, 0] > 0 for _ in range(400)]
    assert abs(np.mean(signs) - 0.5) <= math.sqrt(math.log(2e9) / 800)


def test_sparse():
    weight = init.sparse_(zeros(10, 7), 0.25, std=2.0).numpy()
    assert ((weight == 0).sum(axis=0) == 3).all()
    assert not init.sparse_(zeros(4, 2), 1.0).numpy().any() and init.sparse_(zeros(4, 2), 0.0).numpy().all()


def test_gains_are_those_of_torch():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    for name in (*init.GAINS, "leaky_relu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    for slope in (0.0, 0.3, -2.0):
        assert init.calculate_gain("leaky_relu", slope) == torch.nn.init.calculate_gain("leaky_relu", slope)
    assert {name for name in init.__all__ if not hasattr(torch.nn.init, name)} == set()


def test_parameters_of_a_model_are_filled_in_place_and_train_on():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    weight, memory = model[0].weight, model[0].weight.data
    model.apply(lambda module: isinstance(module, nn.Linear) and init.kaiming_normal_(module.weight))
    assert model[0].weight is weight and weight.data is memory and memory.any()
    before = weight.numpy().copy()
    model(np.ones((2, 3), "f4")).sum().backward()
    assert weight.grad is not None and (weight.numpy() == before).all()


def test_a_layer_draws_its_parameters_anew_as_when_it_was_made():
    manual_seed(3)
    layer = nn.Linear(5, 2)
    weight, values = layer.weight, [each.tolist() for each in layer.parameters()]
    layer.reset_parameters()
    assert layer.weight is weight and weight.tolist() != values[0] and layer.bias.tolist() != values[1]
    manual_seed(3)
    layer.reset_parameters()
    assert [each.tolist() for each in layer.parameters()] == values
    without = nn.Linear(5, 2, bias=False).double()
    without.reset_parameters()
    assert without.weight.dtype == "float64" and without.bias is None


T = partial(zeros, 2, 3)
WRONG = [
    ("an array", lambda: init.zeros_(np.zeros(2)), TypeError, "expected a Tensor or a Parameter to fill, got ndarray"),
    ("a layer", lambda: init.zeros_(nn.Linear(2, 1)), TypeError, "of a layer give its weight"),
    ("None, as of a layer without bias", lambda: init.zeros_(None), TypeError, "got NoneType"),
    ("whole numbers", lambda: init.normal_(tensor([1, 2])), TypeError, "expected a Tensor of floats, got int64"),
    ("booleans", lambda: init.ones_(tensor([True])), TypeError, "expected a Tensor of floats, got bool"),
    ("bounds the wrong way", lambda: init.uniform_(T(), 1, 0), ValueError, "b must be at least a, got a=1 and b=0"),
    ("a bound of NaN", lambda: init.uniform_(T(), math.nan, 0), ValueError, "a must be a finite number"),
    ("a bound of infinity", lambda: init.uniform_(T(), 0, math.inf), ValueError, "b must be a finite number"),
    ("a bound beyond float32", lambda: init.uniform_(T(), 0, 1e300), ValueError, "float32 cannot hold such values"),
    ("a bound of text", lambda: init.uniform_(T(), "0"), TypeError, "a must be a real number"),
    ("a negative deviation", lambda: init.normal_(T(), 0, -1), ValueError, "std must be at least 0, got -1"),
    ("a deviation beyond float32", lambda: init.normal_(T(), 0, 1e300), ValueError, "float32 cannot hold such"),
    ("a mean of None", lambda: init.normal_(T(), None), TypeError, "mean must be a real number"),
    ("a deviation of a list", lambda: init.normal_(T(), 0, [1]), TypeError, "std must be a real number"),
    ("a constant of NaN", lambda: init.constant_(T(), math.nan), ValueError, "val must be a finite number"),
    ("a constant beyond float32", lambda: init.constant_(T(), 1e39), ValueError, "float32 cannot hold such values"),
    ("a constant of True", lambda: init.constant_(T(), True), TypeError, "val must be a real number"),
    ("cut the wrong way", lambda: init.trunc_normal_(T(), a=2, b=-2), ValueError, "b must be at least a"),
    ("cut beyond all draws", lambda: init.trunc_normal_(T(), a=50, b=60), ValueError, "hardly a draw .* move"),
    ("cut to a point", lambda: init.trunc_normal_(T(), a=1, b=1), ValueError, "hardly a draw"),
    ("eye_ of a vector", lambda: init.eye_(zeros(3)), ValueError, r"eye_ needs two axes, got shape \(3,\)"),
    ("eye_ of three axes", lambda: init.eye_(zeros(3, 2, 1)), ValueError, "eye_ needs two axes, got shape"),
    *[
        (f"{make.__name__} of a bias", lambda make=make: make(zeros(3)), ValueError, "needs two axes or more, got")
        for make in (init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_)
    ],
    ("orthogonal_ of a bias", lambda: init.orthogonal_(zeros(3)), ValueError, "for a bias write nn.init.zeros_"),
    ("a gain of text", lambda: init.xavier_uniform_(T(), "relu"), TypeError, "gain must be a real number, got 'relu'"),
    ("a gain of NaN", lambda: init.orthogonal_(T(), math.nan), ValueError, "gain must be a finite number"),
    ("another mode", lambda: init.kaiming_normal_(T(), mode="fan"), ValueError, "mode must be 'fan_in' or 'fan_out'"),
    ("a mode of a number", lambda: init.kaiming_uniform_(T(), mode=3), ValueError, "mode must be 'fan_in' or"),
    ("another nonlinearity", lambda: init.calculate_gain("gelu"), ValueError, "nonlinearity must be one of linear"),
    ("a nonlinearity of a Module", lambda: init.calculate_gain(nn.ReLU()), ValueError, "nonlinearity must be one of"),
    ("a slope of text", lambda: init.calculate_gain("leaky_relu", "x"), TypeError, "param must be a real number"),
    ("a slope of True", lambda: init.kaiming_normal_(T(), a=True), TypeError, "a must be a real number"),
    ("a sparsity above 1", lambda: init.sparse_(T(), 1.5), ValueError, "sparsity must be from 0 to 1"),
    ("sparse_ of a vector", lambda: init.sparse_(zeros(3), 0.5), ValueError, "sparse_ needs two axes"),
]


@pytest.mark.parametrize(("call", "error", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_argument_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_nothing_is_changed_by_what_is_refused():
    weight = Tensor([[1.0, 2.0], [3.0, 4.0]])
    for call in (partial(init.trunc_normal_, a=50, b=60), partial(init.constant_, val=1e39), init.sparse_):
        with pytest.raises((ValueError, TypeError)):
            call(weight)
    assert weight.tolist() == [[1.0, 2.0], [3.0, 4.0]]
