"""Reductions, choices, joins and products beside torch, values and gradients; and NumPy's functions of Tensors."""

import numpy as np
import pytest

from tinygrad_lr import functional, gradcheck, nn, optim, tensor
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import fit

A = np.array([[1.5, -2.0, 0.5], [3.0, 3.0, -1.0]], np.float32)
B = np.array([[0.5, 2.0, -1.5], [-3.0, 0.25, 1.0]], np.float32)
ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 4.0, 0.0]], np.float32)
EDGES = np.array([[np.inf, 1.0, -0.0], [np.nan, 2.0, 0.0], [-np.inf, -np.inf, 1e30]], np.float32)
SAME = np.array([[2.0, 2.0], [2.0, 2.0]], np.float32)
EMPTY = np.zeros((0, 3), np.float32)
ONE = np.float32(1.5)

# A name, and the same call of ours and of torch's: `f` has the functions, `t` is the first Tensor, `u` the second.
CALLS = {
    "max": (lambda f, t, u: t.max(), [A, SAME, EDGES, ONE]),
    "max of an axis": (lambda f, t, u: t.amax(dim=1), [A, SAME]),
    "min": (lambda f, t, u: t.min(), [A, SAME, EDGES, ONE]),
    "min of an axis": (lambda f, t, u: t.amin(dim=(0, 1), keepdim=True), [A, SAME]),
    "prod": (lambda f, t, u: t.prod(), [A, ZEROS, EMPTY, ONE]),
    "prod of an axis": (lambda f, t, u: t.prod(dim=0), [A, ZEROS, EMPTY]),
    "cumsum": (lambda f, t, u: t.cumsum(dim=-1), [A, EDGES, EMPTY, ONE]),
    "cumsum of rows": (lambda f, t, u: t.cumsum(dim=0), [A]),
    "var": (lambda f, t, u: t.var(), [A, SAME, EDGES]),
    "var of an axis": (lambda f, t, u: t.var(dim=1, correction=0, keepdim=True), [A, SAME, ONE.reshape(1, 1)]),
    "var of one": (lambda f, t, u: t.var(dim=0), [ONE.reshape(1, 1)]),
    "std": (lambda f, t, u: t.std(), [A, SAME, EDGES]),
    "std of an axis": (lambda f, t, u: t.std(dim=0, correction=2), [A]),
    "norm": (lambda f, t, u: t.norm(), [A, ZEROS, EDGES, EMPTY, 0 * A, ONE]),
    "norm of an axis": (lambda f, t, u: t.norm(dim=1, keepdim=True), [A, ZEROS, 0 * A]),
    "norm 1": (lambda f, t, u: t.norm(1), [A, ZEROS]),
    "norm of the largest": (lambda f, t, u: t.norm(np.inf), [A, B]),
    **{
        f"{name} of a number's axis {dim}": (lambda f, t, u, name=name, dim=dim: getattr(t, name)(dim=dim), [ONE])
        for name in ("sum", "mean", "amax", "amin", "prod", "norm")
        for dim in (0, -1)
    },
    "var of a number's axis": (lambda f, t, u: t.var(dim=(-1,), correction=0, keepdim=True), [ONE]),
    "max of a number's axes": (lambda f, t, u: t.amax(dim=(0,), keepdim=True), [ONE]),
    "clip": (lambda f, t, u: t.clip(-1.0, 1.5), [A, EDGES, EMPTY, ONE]),
    "clip by Tensors": (lambda f, t, u: t.clamp(u, u + 1), [A]),
    "clip from below": (lambda f, t, u: t.clamp(min=0.5), [A, EDGES]),
    "clip the wrong way": (lambda f, t, u: t.clip(2.0, 1.0), [A]),
    "where": (lambda f, t, u: f.where(t > u, t, u), [A, EDGES[:2]]),
    "where of a number": (lambda f, t, u: f.where(t > 0, t, 0.0).sqrt(), [A]),
    "where of two": (lambda f, t, u: t.where(t > 1, u[0]), [A]),
    "cat": (lambda f, t, u: f.cat([t, u, t], dim=1), [A, EDGES[:2]]),
    "cat of rows": (lambda f, t, u: f.concatenate((t, u)), [A, EMPTY]),
    "stack": (lambda f, t, u: f.stack([t[0], u[0]], dim=-1), [A]),
    "squeeze": (lambda f, t, u: t[:1].squeeze() * u[:1].squeeze(0).squeeze(0), [A]),
    "unsqueeze": (lambda f, t, u: t.unsqueeze(0) * u.unsqueeze(-1).squeeze(-1), [A]),
    "flatten": (lambda f, t, u: t.flatten() * u.unsqueeze(2).flatten(1, 2).flatten(0), [A]),
    "flatten of one": (lambda f, t, u: t.flatten(), [ONE, EMPTY]),
    "outer": (lambda f, t, u: t[0].outer(u[1]), [A]),
    "dot": (lambda f, t, u: t[0].dot(u[1]), [A]),
    "einsum": (lambda f, t, u: f.einsum("ij,kj->ik", t, u), [A]),
    "einsum implicit": (lambda f, t, u: f.einsum("ij,kj", t, u), [A]),
    "einsum of three": (lambda f, t, u: f.einsum("ij,ij,kj->k", t, u, t), [A]),
    "einsum of one": (lambda f, t, u: f.einsum("ij->j", t), [A, EMPTY]),
    "einsum transposes": (lambda f, t, u: f.einsum("ij->ji", t) * 2, [A]),
    "einsum diagonal": (lambda f, t, u: f.einsum("ii->i", t[:, :2]) + f.einsum("ii", u[:, 1:]), [A]),
    "einsum diagonals": (lambda f, t, u: f.einsum("ii,ii->i", t[:, :2], u[:, 1:]), [A]),
    "einsum ellipsis": (lambda f, t, u: f.einsum("...j,kj->...k", t, u), [A]),
    "einsum ellipses": (lambda f, t, u: f.einsum("i...,...->i...", t, u[0]), [A]),
    "einsum sums one axis": (lambda f, t, u: f.einsum("ij,k->k", t, u[0]), [A]),
    "einsum broadcasts": (lambda f, t, u: f.einsum("ij,ij->ij", t[:, :1], u), [A]),
}
CASES = [(name, i) for name, (_, inputs) in CALLS.items() for i in range(len(inputs))]


@pytest.mark.filterwarnings("ignore:.* encountered in .*:RuntimeWarning", "ignore:.*(std|var).*degrees of freedom")
@pytest.mark.parametrize(("name", "number"), CASES)
def test_calls_give_what_torch_gives(name, number):
    torch = pytest.importorskip("torch")
    call, inputs = CALLS[name]
    first = inputs[number]
    second = B if first.shape == B.shape else np.ones_like(first)
    ours = [tensor(x, requires_grad=True) for x in (first, second)]
    theirs = [torch.tensor(x, requires_grad=True) for x in (first, second)]
    with np.errstate(all="ignore"):
        found, expected = call(functional, *ours), call(torch, *theirs)
        g = np.random.default_rng(0).uniform(0.5, 2, found.shape).astype("f4")
        found.backward(g)
    expected.backward(torch.tensor(g))
    assert found.shape == tuple(expected.shape) and found.dtype == np.float32
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    for mine, his in zip(ours, theirs, strict=True):
        if his.grad is None:
            assert mine.grad is None
        else:
            np.testing.assert_allclose(mine.grad, his.grad.numpy(), rtol=1e-4, atol=1e-5)


X = np.random.default_rng(1).uniform(0.5, 2, (2, 3))
NUMPY = {
    "sum": lambda x: np.sum(x, axis=0),
    "max": lambda x: np.max(x, 1, keepdims=True),
    "amin": lambda x: np.amin(x),
    "prod": lambda x: np.prod(x, axis=(0, 1)),
    "var": lambda x: np.var(x),
    "var with ddof": lambda x: np.var(x, axis=0, ddof=1),
    "std": lambda x: np.std(x, 1),
    "cumsum": lambda x: np.cumsum(x),
    "clip": lambda x: np.clip(x, 0.75, 1.5),
    "clip from below": lambda x: np.clip(x, a_min=1, a_max=None),
    "where": lambda x: np.where(np.eye(2, 3) > 0, x, 0.0),
    "where of numbers": lambda x: np.where(np.eye(2, 3), 0.0, x),
    "concatenate": lambda x: np.concatenate([np.ones((1, 3)), x, x * 2]),
    "concatenate flat": lambda x: np.concatenate((x, x), axis=None),
    "stack": lambda x: np.stack([x, x * x], axis=1),
    "vstack": lambda x: np.vstack([x, x[0]]),
    "hstack": lambda x: np.hstack([x, np.ones((2, 1))]),
    "hstack of rows": lambda x: np.hstack([x[0], 2.0]),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, np.ones((4, 3))),
    "dot": lambda x: np.dot(x, np.arange(3.0)),
    "dot of matrices": lambda x: np.dot(np.arange(6.0).reshape(3, 2), x),
    "dot of a number": lambda x: np.dot(x, 2.0),
    "dot of many axes": lambda x: np.dot(x, np.arange(24.0).reshape(2, 3, 4)),
    "outer": lambda x: np.outer(np.arange(2.0), x),
    "norm": lambda x: np.linalg.norm(x),
    "norm of rows": lambda x: np.linalg.norm(x, axis=1, keepdims=True),
    "norm 1": lambda x: np.linalg.norm(x[0], 1),
    "transpose": lambda x: np.transpose(x),
    "transpose to": lambda x: np.transpose(x[None], (1, 2, 0)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x[None], 0, -1),
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "ravel": lambda x: np.ravel(x),
    "squeeze": lambda x: np.squeeze(x[:1], axis=0),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "copy": lambda x: np.copy(x),
    "sin": lambda x: np.sin(x),
    "arctan2": lambda x: np.arctan2(1.0, x),
    "remainder": lambda x: np.remainder(x, 0.7),
    "minimum": lambda x: np.minimum(x, 1.0),
}


@pytest.mark.parametrize("name", NUMPY)
def test_functions_of_numpy_give_tensors_with_gradients(name):
    call = NUMPY[name]
    x = tensor(X, requires_grad=True)
    found = call(x)
    np.testing.assert_allclose(found.numpy(), call(X), rtol=1e-14)
    assert found.shape == np.shape(call(X)) and found.requires_grad
    assert gradcheck(call, X)


def test_where_of_numpy_keeps_the_graph():
    w = tensor([3.0, -1.0, 1.0], requires_grad=True)
    y = np.where(w.data > 0, w, 0.0)
    (y * w).sum().backward()
    assert w.grad.tolist() == [6.0, 0.0, 2.0]


def test_places_of_extremes_and_their_errors():
    x = tensor([[1.0, 5.0], [7.0, 2.0]], requires_grad=True)
    assert x.argmax().item() == 2 and x.argmin(dim=1).tolist() == [0, 1] and np.argmax(x) == 2
    assert x.argmax(0, keepdims=True).shape == (1, 2) and x.argmax().dtype == np.int64


EMPTIED = tensor(EMPTY)
MISTAKES = {
    "max of nothing": (lambda: EMPTIED.max(), ValueError, r"max: .*no identity.*\(0, 3\)"),
    "where of numbers": (lambda: functional.where(tensor([1.0]), 1.0, 0.0), TypeError, "where: .*must be bool.*!= 0"),
    "cat of nothing": (lambda: functional.cat([]), ValueError, "at least one Tensor"),
    "cat of other shapes": (lambda: functional.cat([tensor(A), tensor(ONE)]), ValueError, "concatenate: .*dimension"),
    "stack of other shapes": (lambda: functional.stack([tensor(A), tensor(ONE)]), ValueError, "stack: the shapes must"),
    "stack of nothing": (lambda: functional.stack([]), ValueError, "at least one Tensor"),
    "axis and dim": (lambda: functional.cat([tensor(A)], 0, dim=1), TypeError, "axis=0 and dim=1 are one argument"),
    "norm 3": (lambda: tensor(A).norm(3), ValueError, "p is 1, 2, 'fro' or infinity, got 3"),
    "squeeze of no axis": (lambda: tensor(A).squeeze(2), ValueError, "no axis 2: expected -2 to 1"),
    "unsqueeze without": (lambda: tensor(A).unsqueeze(), TypeError, "needs the place"),
    "flatten backwards": (lambda: tensor(A).flatten(1, 0), ValueError, "start_dim=1 comes after end_dim=0"),
    "squeeze of NumPy": (lambda: np.squeeze(tensor(A), axis=0), ValueError, "another length than 1"),
    "einsum operands": (lambda: functional.einsum("ij,jk", tensor(A)), ValueError, "2 operands, got 1"),
    "einsum axes": (lambda: functional.einsum("ijk->i", tensor(A)), ValueError, "operand 0 other axes than its shape"),
    "einsum marks": (lambda: functional.einsum("i1->i", tensor(A)), ValueError, "operand 0 other axes"),
    "einsum lengths": (lambda: functional.einsum("ij,jk->ik", tensor(A), tensor(A)), ValueError, "einsum: "),
    "einsum of none": (lambda: functional.einsum("->"), ValueError, "at least one Tensor"),
    "einsum lists": (lambda: functional.einsum([0, 1], tensor(A)), TypeError, "as a text"),
    "axis of a float": (lambda: tensor(A).flatten(0.5), TypeError, "an axis is a whole number, got 0.5"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name):
    attempt, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=f"(?s){words}"):
        attempt()


# --- compiled training ------------------------------------------------------------------------------------------------


def trained(formula, compiled):
    weight = tensor([[0.5, -0.25, 1.0]], requires_grad=True)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("f4")
    loader = DataLoader(TensorDataset(x, x[:, :1].copy()), 4)
    optimizer = optim.SGD([weight], lr=0.05)
    history = fit(
        lambda x: formula(x * weight).reshape(-1, 1),
        nn.MSELoss(),
        optimizer,
        loader,
        epochs=2,
        progress=False,
        compiled=compiled,
    )
    return history.loss, weight.data.copy()


@pytest.mark.sampled(one_in=3)
@pytest.mark.parametrize(
    "formula",
    [
        lambda y: y.max(dim=1) + y.min(1) * 0.5,
        lambda y: y.var(dim=1) + y.std(1, correction=0),
        lambda y: y.norm(dim=1),
        lambda y: y.cumsum(dim=1)[:, 1],
        lambda y: y.clip(-0.5, 0.5).flatten(1).mean(1),
        lambda y: functional.cat([y, y.sin()], dim=1).sum(1),
        lambda y: functional.stack([y[:, 0], y[:, 1]]).sum(0),
        lambda y: np.where(np.array([True, False, True]), y, y * 2).sum(1),
        lambda y: y.unsqueeze(0).squeeze(0).sum(1) % 2.0,
    ],
)
def test_compiled_training_agrees(formula):
    (eager, one), (machine, other) = trained(formula, False), trained(formula, True)
    np.testing.assert_allclose(eager, machine, rtol=1e-4)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("formula", "name"), [(lambda y: y.prod(dim=1), "prod"), (lambda y: functional.einsum("ij->i", y), "einsum")]
)
def test_what_is_not_compiled_is_named(formula, name):
    trained(formula, False)
    with pytest.raises(CannotCompile, match=f"the op '{name}' has no compiled form"):
        trained(formula, True)
