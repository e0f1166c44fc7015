"""Activations: each beside torch's, as machine code, and with wrong arguments."""

import copy
import math
import pickle

import numpy as np
import pytest

from tinygrad_lr import Tensor, compile_step, gradcheck, manual_seed, nn, optim, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.nn import activations
from tinygrad_lr.training import fit

# Every Module of the file, with arguments that change what it computes.
ARGUMENTS = {
    "ReLU": [{}],
    "LeakyReLU": [{}, {"negative_slope": 0.3}, {"negative_slope": 0.0}, {"negative_slope": -0.5}],
    "ELU": [{}, {"alpha": 0.3}, {"alpha": -1.5}],
    "GELU": [{}, {"approximate": "tanh"}],
    "SiLU": [{}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 3.0}],
    "LogSigmoid": [{}],
    "Softmax": [{"dim": 1}, {"dim": -2}],
    "LogSoftmax": [{"dim": 0}, {"dim": -1}],
    "Sigmoid": [{}],
    "Tanh": [{}],
    "Identity": [{}, {"anything": 3}],
}
CASES = [(name, arguments) for name, each in ARGUMENTS.items() for arguments in each]
X = np.random.default_rng(0).uniform(-4, 4, (5, 3))


def test_every_activation_stands_in_the_table():
    assert sorted(ARGUMENTS) == sorted(activations.__all__)


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_values_gradients_and_repr_are_those_of_torch(name, arguments):
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    ours, theirs = getattr(nn, name)(**arguments), getattr(torch.nn, name)(**arguments)
    assert repr(ours) == repr(theirs) and ours.state_dict() == {}
    for dtype, roundings in (("float32", 16), ("float64", 16)):
        x, like = tensor(X, dtype=dtype, requires_grad=True), torch.tensor(X.astype(dtype), requires_grad=True)
        weights = np.linspace(-1, 1, X.size).reshape(X.shape).astype(dtype)
        out, expected = ours(x), theirs(like)
        (out * weights).sum().backward()
        (expected * torch.tensor(weights)).sum().backward()
        bound = roundings * np.finfo(dtype).eps * (1 + np.abs(X))
        assert out.dtype == dtype and (np.abs(out.detach().numpy() - expected.detach().numpy()) <= bound).all()
        assert (np.abs(x.grad - like.grad.numpy()) <= bound).all()


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_gradients_are_those_of_differences(name, arguments):
    assert gradcheck(getattr(nn, name)(**arguments), X)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_module_takes_arrays_and_is_copied(name):
    module = getattr(nn, name)(**ARGUMENTS[name][-1])
    expected = module(tensor(X)).tolist()
    for each in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert isinstance(each(X), Tensor) and each(X).tolist() == expected


def trained(model, compiled):
    manual_seed(0)
    inputs = Tensor(X.astype("f4"))
    model = nn.Sequential(nn.Linear(3, 4), model, nn.Linear(4, 1))
    loader = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdims=True)), 2, shuffle=True, seed=1)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    return fit(model, nn.MSELoss(), optimizer, loader, epochs=3, compiled=compiled, progress=False).loss


def test_every_activation_trains_as_machine_code():
    """In one model, which takes less time to compile than one for each."""
    every = nn.Sequential(*[getattr(nn, name)(**arguments) for name, arguments in CASES])
    eager, compiled = trained(every, False), trained(every, True)
    assert eager[-1] < eager[0] and np.allclose(eager, compiled, rtol=1e-4)


def test_a_changed_argument_is_compiled_anew():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.LeakyReLU(0.5))
    model[0].weight.data = [[-1.0]]
    step = compile_step(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0))
    assert step([[1.0]], [[0.0]]) == 0.25
    model[1].negative_slope = 2.0
    assert step([[1.0]], [[0.0]]) == 4.0


WRONG = [
    ("a slope of text", lambda: nn.LeakyReLU("x"), TypeError, "negative_slope must be a real number, got 'x'"),
    ("a slope of NaN", lambda: nn.LeakyReLU(math.nan), ValueError, "negative_slope must be a finite number"),
    ("an infinite slope", lambda: nn.LeakyReLU(math.inf), ValueError, "negative_slope must be a finite number"),
    ("a slope that is True", lambda: nn.LeakyReLU(True), TypeError, "negative_slope must be a real number, got True"),
    ("a slope beyond float64", lambda: nn.LeakyReLU(10**400), ValueError, "negative_slope must be a finite number"),
    ("no alpha", lambda: nn.ELU(None), TypeError, "alpha must be a real number, got None"),
    ("alpha of NaN", lambda: nn.ELU(math.nan), ValueError, "alpha must be a finite number"),
    ("a complex alpha", lambda: nn.functional.elu(tensor(X), 1j), TypeError, "alpha must be a real number"),
    ("a list as slope", lambda: nn.functional.leaky_relu(tensor(X), [1]), TypeError, "negative_slope must be a real"),
    ("Softplus with beta 0", lambda: nn.Softplus(beta=0), ValueError, "beta must not be 0"),
    ("Softplus with beta NaN", lambda: nn.Softplus(beta=math.nan), ValueError, "beta must be a finite number"),
    ("Softplus up to a text", lambda: nn.Softplus(threshold="x"), TypeError, "threshold must be a real number"),
    ("Softmax without axis", lambda: nn.Softmax(), TypeError, r"Softmax needs the axis .* write Softmax\(dim=1\)"),
    ("LogSoftmax without axis", lambda: nn.LogSoftmax(), TypeError, "LogSoftmax needs the axis of the classes"),
    ("Softmax along half an axis", lambda: nn.Softmax(0.5), TypeError, "dim must be a whole number"),
    ("Softmax along a text", lambda: nn.Softmax("rows"), TypeError, "dim must be a whole number"),
    ("Softmax along True", lambda: nn.Softmax(True), TypeError, "dim must be a whole number"),
    ("Softmax along an axis too far", lambda: nn.Softmax(2)(X), ValueError, "axis 2"),
    ("Softmax along no axis of a list", lambda: nn.Softmax([1]), TypeError, "dim must be a whole number"),
    ("another GELU", lambda: nn.GELU("erf"), ValueError, "approximate must be one of none, tanh, got 'erf'"),
    ("GELU of True", lambda: nn.GELU(True), ValueError, "approximate must be one of none, tanh, got True"),
    ("gelu of a number", lambda: nn.functional.gelu(tensor(X), 1), ValueError, "approximate must be one of none, tanh"),
    ("a text", lambda: nn.SiLU()("x"), TypeError, "str"),
    ("None", lambda: nn.GELU()(None), TypeError, "NoneType"),
    *[
        (
            f"{name} in place",
            lambda make=make: make(inplace=True),
            NotImplementedError,
            f"{name}: inplace must be False",
        )
        for name, make in (("ReLU", nn.ReLU), ("LeakyReLU", nn.LeakyReLU), ("ELU", nn.ELU), ("SiLU", nn.SiLU))
    ],
    *[
        (f"{make.__name__} in place", lambda make=make: make(tensor(X), inplace=True), NotImplementedError, "inplace")
        for make in (nn.functional.relu, nn.functional.leaky_relu, nn.functional.elu, nn.functional.silu)
    ],
]


@pytest.mark.parametrize(("call", "error", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_argument_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
