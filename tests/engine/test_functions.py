"""Reductions, choices, joins and products beside torch, values and gradients; and NumPy's functions of Tensors."""

import inspect

import numpy as np
import pytest

import tinygrad_lr
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
    "largest and places": (lambda f, t, u: t.max(1).values * t.max(dim=1, keepdim=True)[1][:, 0], [A, SAME, EDGES]),
    "least and places": (lambda f, t, u: f.min(t, 0)[0] * (f.min(t, dim=0).indices + 1), [A, SAME, EDGES]),
    "largest of a number": (lambda f, t, u: t.max(0)[0] * u.min(dim=-1).values, [ONE]),
    "median": (lambda f, t, u: t.median() * f.median(u), [A, SAME, EDGES, ONE]),
    "median of an axis": (
        lambda f, t, u: t.median(1).values * f.median(u, dim=1, keepdim=True).indices[:, 0],
        [A, EDGES],
    ),
    "prod": (lambda f, t, u: t.prod(), [A, ZEROS, EMPTY, ONE]),
    "prod of an axis": (lambda f, t, u: t.prod(dim=0), [A, ZEROS, EMPTY]),
    "cumsum": (lambda f, t, u: t.cumsum(dim=-1), [A, EDGES, EMPTY, ONE]),
    "cumsum of rows": (lambda f, t, u: t.cumsum(dim=0), [A]),
    "var": (lambda f, t, u: t.var(), [A, SAME, EDGES]),
    "var of an axis": (lambda f, t, u: t.var(dim=1, correction=0, keepdim=True), [A, SAME, ONE.reshape(1, 1)]),
    "var, unbiased or not": (lambda f, t, u: t.var(0, False) + u.var(False) + t.std(0, True), [A, SAME]),
    "var of one": (lambda f, t, u: t.var(dim=0), [ONE.reshape(1, 1)]),
    "std": (lambda f, t, u: t.std(), [A, SAME, EDGES]),
    "std of an axis": (lambda f, t, u: t.std(dim=0, correction=2), [A]),
    "norm": (lambda f, t, u: t.norm(), [A, ZEROS, EDGES, EMPTY, 0 * A, ONE]),
    "norm of an axis": (lambda f, t, u: t.norm(dim=1, keepdim=True), [A, ZEROS, 0 * A]),
    "std of large numbers": (lambda f, t, u: t.std(dim=1) / 1e30, [np.float32(1e30) * A]),
    "norm 1": (lambda f, t, u: t.norm(1), [A, ZEROS]),
    "norm of the largest": (lambda f, t, u: t.norm(np.inf), [A, B]),
    **{
        f"{name} of a number's axis {dim}": (lambda f, t, u, name=name, dim=dim: getattr(t, name)(dim=dim), [ONE])
        for name in ("sum", "mean", "amax", "amin", "prod", "norm")
        for dim in (0, -1)
    },
    "var of a number's axis": (lambda f, t, u: t.var(dim=(-1,), correction=0, keepdim=True), [ONE]),
    "max of a number's axes": (lambda f, t, u: t.amax(dim=(0,), keepdim=True), [ONE]),
    "norm 3": (lambda f, t, u: t.norm(3) * u.norm(p=1.5, dim=1), [A, ZEROS, ONE.reshape(1, 1)]),
    "norm 0.5 and -1": (lambda f, t, u: t.norm(0.5, dim=1, keepdim=True) + u.norm(-1, 0), [A]),
    "norm 0": (lambda f, t, u: t.norm(0, dim=1) * u.norm(0).detach() + t.norm(-np.inf, 1), [A, ZEROS]),
    "normalize": (
        lambda f, t, u: nn_of(f).normalize(t) + nn_of(f).normalize(u, 1.5, dim=0, eps=0.5),
        [A, ZEROS, 0 * A],
    ),
    "erf": (lambda f, t, u: t.erf() * f.erfc(u) + f.erf(u / 10), [A, EMPTY, ONE]),
    "frac": (lambda f, t, u: t.frac() * f.frac(u), [A, ONE]),
    "narrow": (
        lambda f, t, u: t.narrow(1, -2, 2) * f.narrow(u, 1, 0, 2) + t.select(1, -1)[0] * f.select(u, 0, 1)[0],
        [A],
    ),
    "nan_to_num": (lambda f, t, u: t.nan_to_num() / 1e38 * u + f.nan_to_num(t, 2.0, 3.0, neginf=-4.0), [A, EDGES]),
    "var of nothing": (lambda f, t, u: t.var(0) * f.std(u, dim=0), [EMPTY]),
    "cat of nothing and rows": (lambda f, t, u: f.cat([f.tensor([]), t, f.tensor([]), u], 1), [A]),
    "softmax of another dtype": (lambda f, t, u: nn_of(f).softmax(t, dim=1, dtype=f.float64).float(), [A]),
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
    "softmax": (lambda f, t, u: t.softmax(-1) * f.softmax(u, dim=0), [A]),
    "log_softmax": (lambda f, t, u: t.log_softmax(dim=-1), [A, ONE.reshape(1), ONE]),
    "logsumexp": (lambda f, t, u: f.logsumexp(t, 1) * t.logsumexp(dim=(0, 1), keepdim=True)[0, 0], [A]),
    "max of two": (lambda f, t, u: f.max(t, u) + t.min(u), [A]),
    "mm": (lambda f, t, u: f.mm(t, u.t()) + t.mm(f.t(u)), [A]),
    "mv": (lambda f, t, u: t.mv(u[0]) + f.mv(t, u[1]), [A]),
    "bmm": (lambda f, t, u: f.bmm(t.unsqueeze(0), u.mT.unsqueeze(0)), [A]),
    "expand": (lambda f, t, u: t.unsqueeze(1).expand(-1, 4, 3) * u.unsqueeze(0).unsqueeze(2).expand(2, 2, 4, -1), [A]),
    "expand of a number": (lambda f, t, u: t.expand(2, 3) * u.expand(3), [ONE]),
    "expand_as": (lambda f, t, u: t[:1].expand_as(u) + u[:, :1].broadcast_to((2, 3)), [A]),
    "repeat": (lambda f, t, u: t.repeat(2, 3)[:2] * u.repeat(2, 1, 3).sum(0), [A]),
    "repeat_interleave": (lambda f, t, u: t.repeat_interleave(2, dim=1) * f.repeat_interleave(u, 2, 1), [A]),
    "repeat_interleave flat": (lambda f, t, u: t.repeat_interleave(2), [A]),
    "masked_fill": (lambda f, t, u: t.masked_fill(u > 0, 3.0), [A]),
    "masked_select": (lambda f, t, u: f.masked_select(t, u > 0), [A]),
    "gather": (lambda f, t, u: t.gather(1, f.tensor([[2, 0], [1, 1]])) * f.gather(u, 0, f.tensor([[0, 1]])), [A]),
    "index_select": (lambda f, t, u: t.index_select(1, f.tensor([2, 0, 2])), [A]),
    "split": (lambda f, t, u: t.split(2, dim=1)[1] * f.split(u, [1, 2], 1)[0], [A]),
    "chunk": (lambda f, t, u: t.chunk(2, 1)[0] * f.chunk(u, 2, dim=1)[1] * t.chunk(5)[1][:, :1], [A]),
    "unbind": (lambda f, t, u: t.unbind()[1] * f.unbind(u, 0)[0], [A]),
    "flip": (lambda f, t, u: t.flip(0, 1) * f.flip(u, (1,)), [A]),
    "roll": (lambda f, t, u: t.roll(1, 1) * u.roll(-1) * f.roll(t, 4, 0), [A]),
    "tril": (lambda f, t, u: t.tril() * f.triu(u, -1) + u.triu(1), [A]),
    "diag": (lambda f, t, u: f.diag(t[0]) * t.diag()[0] + f.trace(u) * u.diagonal()[1], [A]),
    "lerp": (lambda f, t, u: t.lerp(u, 0.25), [A]),
    "swapaxes": (lambda f, t, u: t.swapaxes(0, 1) * u.swapdims(-1, 0) + u.mT, [A]),
    "movedim": (lambda f, t, u: t.unsqueeze(0).movedim(0, 2) * f.moveaxis(u.unsqueeze(2), 2, -1), [A]),
    "views": (lambda f, t, u: t.view_as(u.reshape(3, 2)) * u.reshape_as(t.view(3, 2)) + t.ravel().view(3, 2), [A]),
    "sort": (lambda f, t, u: t.sort(dim=-1)[0] * f.sort(u, 0, descending=True)[0], [A, ONE]),
    "topk": (lambda f, t, u: t.topk(2)[0] * f.topk(u, 2, largest=False)[0] + t.topk(1, dim=0)[0][:, :2], [A]),
    "round": (lambda f, t, u: t.round() + f.round(u) * t, [A]),
    "named functions": (
        lambda f, t, u: f.exp(t) + f.sin(u) - f.sqrt(f.abs(t) + 1) * f.pow(u, 2) / f.add(f.square(t), 1.0),
        [A],
    ),
    "reductions as functions": (
        lambda f, t, u: f.sum(t, 1) + f.mean(u, dim=1) * f.norm(t) + f.var(u) + f.prod(t, 1) + f.amax(u, 1),
        [A],
    ),
    "einsum broadcasts": (lambda f, t, u: f.einsum("ij,ij->ij", t[:, :1], u), [A]),
}


def nn_of(f):
    return f.nn.functional


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
        found, expected = call(tinygrad_lr, *ours), call(torch, *theirs)
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


# The same without gradients: whole numbers, booleans, numbers of Python.
PLAIN = {
    "argmax": (lambda f, t, u: f.argmax(t, dim=1), [A]),
    "argmin": (lambda f, t, u: t.argmin(0, True), [A]),
    "argsort": (lambda f, t, u: t.argsort(dim=1), [A, SAME]),
    "argsort falling": (lambda f, t, u: t.argsort(0, descending=True), [A]),
    "places of sort": (lambda f, t, u: t.sort(-1)[1] + f.argsort(t, descending=True), [A, ONE]),
    "places of topk": (lambda f, t, u: t.topk(2, dim=1)[1], [B]),
    **{
        name: (lambda f, t, u, name=name: getattr(t, name)(u) & getattr(f, name)(u, t[:1]), [A, EDGES[:2]])
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
    },
    **{name: (lambda f, t, u, name=name: getattr(f, name)(t), [EDGES]) for name in ("isnan", "isinf", "isfinite")},
    "any": (lambda f, t, u: t.any(), [A, 0 * A, EMPTY, ONE]),
    "any of an axis": (lambda f, t, u: f.any(t, dim=1, keepdim=True), [ZEROS, EDGES]),
    "all": (lambda f, t, u: t.all(dim=0), [ZEROS, EMPTY]),
    "count_nonzero": (lambda f, t, u: t.count_nonzero(dim=1) + f.count_nonzero(t), [ZEROS]),
    "nonzero": (lambda f, t, u: t.nonzero(), [ZEROS]),
    "nonzero as a tuple": (lambda f, t, u: f.stack(t.nonzero(as_tuple=True)) + f.stack(f.where(t != 0)), [ZEROS]),
    "where of a number": (lambda f, t, u: f.where(t > 0)[0], [ONE]),
    "unique": (lambda f, t, u: f.unique(t), [ZEROS, EDGES, SAME, EMPTY]),
    "unique with places": (lambda f, t, u: t.unique(return_inverse=True, return_counts=True)[1], [ZEROS, A]),
    "unique with counts": (lambda f, t, u: t.unique(return_counts=True)[1], [ZEROS]),
    "unique rows": (lambda f, t, u: t.unique(dim=0, return_inverse=True)[1] + t.unique(dim=0)[0, 0], [SAME, A]),
    "arange to an end": (lambda f, t, u: f.arange(end=3) + f.arange(start=1, end=4), [A]),
    "logical": (lambda f, t, u: t.logical_and(u).logical_or(f.logical_not(t)).logical_xor(u > 0), [ZEROS]),
    "operators of conditions": (lambda f, t, u: ~(t > 0) & (u > 0) | (t == u) ^ (t > 2), [A]),
    "isclose": (lambda f, t, u: t.isclose(t + 1e-6) & ~f.isclose(t, u, equal_nan=True), [A, EDGES[:2]]),
    "allclose": (lambda f, t, u: f.tensor([t.allclose(t + 1e-6), t.allclose(u), f.allclose(t, t * 1.01, 0.1)]), [A]),
    "equal": (lambda f, t, u: f.tensor([t.equal(t), f.equal(t, u), t.equal(t[:1])]), [A]),
    "is_floating_point": (lambda f, t, u: f.tensor([t.is_floating_point(), t.long().is_floating_point()]), [A]),
    "one_hot": (lambda f, t, u: f.nn.functional.one_hot(t.argmax(1)) + f.nn.functional.one_hot(u.argmin(1), 3), [A]),
    "arange": (lambda f, t, u: f.arange(5) + f.arange(2, 7) + f.arange(9, -1, -2), [A]),
    "arange of floats": (lambda f, t, u: f.arange(1.0, 2.5, 0.5) + f.arange(3, dtype=f.float32), [A]),
    "linspace": (lambda f, t, u: f.linspace(-1, 3, 9), [A]),
    "full": (lambda f, t, u: f.full((2, 3), 1.5) + f.full((2, 3), 2) + f.full_like(t, 3), [A]),
    "eye": (lambda f, t, u: f.eye(3)[:2] + f.eye(2, 3), [A]),
    "like": (
        lambda f, t, u: f.zeros_like(t) + f.ones_like(t, dtype=f.int64) + 0 * f.empty_like(f.ones_like(t)).isnan(),
        [A],
    ),
    "as_tensor": (lambda f, t, u: f.as_tensor([[1, 2]]) + f.as_tensor(t, dtype=f.float64)[:, :2], [A]),
    "numbers": (lambda f, t, u: f.tensor([f.pi, f.e, f.inf, -f.inf, f.nan]), [A]),
    "dtypes": (lambda f, t, u: f.ones(2, dtype=f.bool) * f.ones(2, dtype=f.long) * f.ones(2, dtype=f.double), [A]),
}


@pytest.mark.parametrize("name", PLAIN)
def test_calls_without_gradients_give_what_torch_gives(name):
    torch = pytest.importorskip("torch")
    call, inputs = PLAIN[name]
    for first in inputs:
        second = B if first.shape == B.shape else np.ones_like(first)
        found, expected = (call(lib, lib.tensor(first), lib.tensor(second)) for lib in (tinygrad_lr, torch))
        assert found.shape == tuple(expected.shape) and str(found.dtype) == str(expected.dtype).removeprefix("torch.")
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)


def test_norms_of_large_and_small_numbers():
    """In torch the squares of some overflow or vanish."""
    large = tensor(np.float32(1e30) * A, requires_grad=True)
    np.testing.assert_allclose(large.norm(dim=1).numpy(), 1e30 * np.linalg.norm(A, axis=1), rtol=1e-6)
    large.norm().backward()
    np.testing.assert_allclose(large.grad, A / np.linalg.norm(A), rtol=1e-6)
    small = tensor(np.float32(1e-30) * A, requires_grad=True)
    assert small.norm().item() == pytest.approx(1e-30 * np.linalg.norm(A), rel=1e-6)
    assert small.std().item() == pytest.approx(1e-30 * A.std(ddof=1), rel=1e-6)
    small.norm().backward()
    np.testing.assert_allclose(small.grad, A / np.linalg.norm(A), rtol=1e-6)


REFUSED = {
    "one_hot": (lambda t: functional.one_hot(t), TypeError, "one_hot needs classes as int64, got float32"),
    "one_hot beyond": (lambda t: functional.one_hot(tensor([0, 3]), 3), ValueError, "from 0 to 2, got 0 to 3"),
    "one_hot below": (lambda t: functional.one_hot(tensor([-1, 3])), ValueError, "from 0 to 3, got -1 to 3"),
    "one_hot of nothing": (lambda t: functional.one_hot(tensor([]).long()), ValueError, "needs num_classes"),
    "expand": (lambda t: t.expand(2, 4), ValueError, r"shape \(2, 3\) cannot be repeated to \(2, 4\)"),
    "expand to fewer": (lambda t: t.expand(3), ValueError, "cannot be repeated"),
    "repeat": (lambda t: t.repeat(2), ValueError, "repeat needs a count for each axis"),
    "repeat below 0": (lambda t: t.repeat(2, -1), ValueError, "a count of repeat must be a whole number of at least 0"),
    "gather": (lambda t: t.gather(1, tensor([0])), ValueError, "gather needs int64 places with as many axes"),
    "gather by floats": (lambda t: t.gather(1, t), ValueError, "gather needs int64 places"),
    "gather beyond": (lambda t: t.gather(1, tensor([[5]])), IndexError, "index: index 5 is out of bounds"),
    "split": (lambda t: t.split([1, 1], 1), ValueError, r"lengths \[1, 1\] must add up to 3, that of axis 1"),
    "split of 0": (lambda t: t.split(0), ValueError, "the size of split must be a whole number of at least 1"),
    "chunk": (lambda t: t.chunk(0), ValueError, "chunks must be a whole number of at least 1"),
    "topk": (lambda t: t.topk(4), ValueError, "k must be a whole number of at most 3"),
    "topk of half": (lambda t: t.topk(1.5), TypeError, "k must be a whole number"),
    "masked_fill": (lambda t: t.masked_fill(t, 0.0), TypeError, "the condition must be bool"),
    "tril": (lambda t: t[0].tril(), ValueError, "tril needs at least two axes"),
    "diagonal": (lambda t: t[None].diagonal(), ValueError, "diagonal is for matrices"),
    "equal": (lambda t: t.equal(1.0), TypeError, "equal compares with a Tensor, got float"),
    "eq": (lambda t: t.eq("x"), TypeError, "expected a Tensor, a NumPy array or a real number"),
    "bits": (lambda t: ~t, TypeError, "~ is for bool, got"),
    "bits of two": (lambda t: (t > 0) & t, TypeError, "& is for bool, got"),
    "logical_and": (lambda t: t.logical_and(t[:, :2]), ValueError, "logical_and: expected shapes that broadcast"),
    "any": (lambda t: t.any(5), ValueError, "there is no axis 5: expected -2 to 1"),
    "flip": (lambda t: t.flip(2), ValueError, "there is no axis 2"),
    "roll": (lambda t: t.roll(0.5), TypeError, "shifts must be a whole number"),
    "an axis of argsort": (lambda t: t.argsort(2), ValueError, "there is no axis 2"),
    "argsort": (lambda t: t.argsort(descending="yes"), TypeError, "descending must be True or False"),
    "arange backwards": (lambda t: tinygrad_lr.arange(3, 0), ValueError, "step of 1 does not lead from 3 to 0"),
    "arange of step 0": (lambda t: tinygrad_lr.arange(0, 3, 0), ValueError, "step of 0 does not lead"),
    "arange of a text": (lambda t: tinygrad_lr.arange("3"), TypeError, "end must be a real number, got '3'"),
    "arange without end": (lambda t: tinygrad_lr.arange(np.inf), ValueError, "end must be a finite number, got inf"),
    "linspace": (lambda t: tinygrad_lr.linspace(0, 1, 2.5), TypeError, "steps must be a whole number"),
    "linspace to NaN": (lambda t: tinygrad_lr.linspace(0, np.nan, 3), ValueError, "end must be a finite number"),
    "full": (lambda t: tinygrad_lr.full(2, [1.0]), TypeError, "fill_value must be one number, got shape"),
    "full of a text": (lambda t: tinygrad_lr.full(2, "x"), TypeError, "a Tensor holds"),
    "full of a shape": (lambda t: tinygrad_lr.full((2, -1), 1), ValueError, "the length of an axis is at least 0"),
    "full_like": (lambda t: tinygrad_lr.full_like(t, None), TypeError, "fill_value must be a real number, got None"),
    "zeros_like": (lambda t: tinygrad_lr.zeros_like(3j), TypeError, "expected a Tensor, a NumPy array or a number"),
    "eye": (lambda t: tinygrad_lr.eye(-1), ValueError, "n must be a whole number of at least 0"),
    "empty": (lambda t: tinygrad_lr.empty(2.5), TypeError, "a shape is given as whole numbers"),
    "as_tensor": (lambda t: tinygrad_lr.as_tensor("x"), TypeError, "a Tensor holds"),
    "randint": (lambda t: tinygrad_lr.randint(3, 3, (2,)), ValueError, "no whole number from 3 to 3 - 1"),
    "randint without shape": (lambda t: tinygrad_lr.randint(3, 2), TypeError, "the shape as a tuple"),
    "randperm": (lambda t: tinygrad_lr.randperm(-1), ValueError, "n must be a whole number of at least 0"),
    "a function of a text": (lambda t: tinygrad_lr.exp("x"), TypeError, "expected a Tensor, a NumPy array or a number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_of_methods_and_functions_is_a_clear_error(name):
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        call(tensor(A))


def test_random_numbers_of_the_shape_of_a_tensor():
    tinygrad_lr.manual_seed(0)
    like = tinygrad_lr.zeros(200, 3, dtype="float64")
    for made in (tinygrad_lr.rand_like(like), tinygrad_lr.randn_like(like, dtype="float32", requires_grad=True)):
        assert made.shape == like.shape and len(set(made.reshape(-1).tolist())) > 590
    assert (
        tinygrad_lr.rand_like(like).dtype == np.float64
        and tinygrad_lr.randn_like(like, requires_grad=True).requires_grad
    )
    whole = tinygrad_lr.randint(-2, 3, (500,))
    assert whole.dtype == np.int64 and sorted(set(whole.tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(tinygrad_lr.randperm(50).tolist()) == list(range(50)) != tinygrad_lr.randperm(50).tolist()


def test_functions_say_what_they_take():
    assert str(inspect.signature(tinygrad_lr.sum)).startswith("(x, axis: 'Axes' = None")
    assert "e to the power" in tinygrad_lr.exp.__doc__ and tinygrad_lr.exp.__name__ == "exp"
    assert tinygrad_lr.add(1.0, tensor([1.0, 2.0])).tolist() == [2.0, 3.0]


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
    "max of nothing": (lambda: EMPTIED.max(), ValueError, r"max: of no elements.*empty batch.*\(0, 3\)"),
    "where of numbers": (lambda: functional.where(tensor([1.0]), 1.0, 0.0), TypeError, "where: .*must be bool.*!= 0"),
    "cat of nothing": (lambda: functional.cat([]), ValueError, "at least one Tensor"),
    "max of axes": (
        lambda: tensor(A).max((0, 1)),
        TypeError,
        r"takes one axis, got \(0, 1\).*write amax\(dim=\(0, 1\)\)",
    ),
    "max of half an axis": (lambda: tensor(A).max(0.5), TypeError, "an axis is a whole number, got 0.5"),
    "argmin of nothing": (lambda: EMPTIED.min(0), ValueError, "argmin: of no elements.*empty batch"),
    "median of axes": (lambda: tensor(A).median((0, 1)), TypeError, "median takes one axis"),
    "view as a dtype": (lambda: tensor(A).view("float64"), TypeError, r"view takes the lengths.*write .to\(dtype\)"),
    "matmul": (
        lambda: tensor(A) @ tensor(A),
        ValueError,
        r"expected shapes \(..., n, k\) .*got \(2, 3\) float32, \(2, 3\)",
    ),
    "reshape": (lambda: tensor(A).reshape(4, -1), ValueError, r"reshape: expected a shape of as many .*and \(4, -1\)"),
    "permute": (lambda: tensor(A).permute(0, 0), ValueError, r"permute: expected each axis once, .* and \(0, 0\)"),
    "cat of a Tensor": (lambda: functional.cat(tensor(A)), TypeError, "needs a list of Tensors, got Tensor"),
    "cat of other shapes": (
        lambda: functional.cat([tensor(A), tensor(ONE)]),
        ValueError,
        r"concatenate: expected equal lengths .*got \(2, 3\) float32, \(\)",
    ),
    "stack of other shapes": (lambda: functional.stack([tensor(A), tensor(ONE)]), ValueError, "stack: the shapes must"),
    "stack of nothing": (lambda: functional.stack([]), ValueError, "at least one Tensor"),
    "axis and dim": (lambda: functional.cat([tensor(A)], 0, dim=1), TypeError, "axis=0 and dim=1 are one argument"),
    "norm of a matrix": (lambda: tensor(A).norm("nuc"), ValueError, "p is a number or 'fro', got 'nuc'"),
    "norm of True": (lambda: tensor(A).norm(True), ValueError, "p is a number or 'fro', got True"),
    "where of one": (lambda: functional.where(tensor([True]), 1.0), TypeError, "where needs both a and b, or neither"),
    "arange without end": (lambda: tinygrad_lr.arange(start=None), TypeError, "arange needs an end"),
    "narrow beyond": (lambda: tensor(A).narrow(0, 1, 2), ValueError, "length must be a whole number of at most 1"),
    "narrow of a float": (lambda: tensor(A).narrow(0, 0.5, 1), TypeError, "start must be a whole number"),
    "select beyond": (lambda: tensor(A).select(0, 2), IndexError, "index 2 is out of bounds"),
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
        lambda y: y.amax(dim=1) + y.amin(1) * 0.5,
        lambda y: y.max(dim=1).values + y.min(1)[0] * y.sigmoid().max(0, keepdim=True).values.sum(1),
        lambda y: functional.where((y > 0.1) & ~(y >= 0.5) | (y.abs() < 0.05), y, 0.3 * y).sum(1),
        lambda y: (y * (y > 0.0) + y * (abs(y.sin()) < 0.3) + y.isfinite() * y.abs()).sum(1),
        lambda y: y.masked_fill(y != y.amax(1, keepdim=True), 0.5).sum(1) + (y <= 0.2).float().mean(1),
        lambda y: y.var(dim=1) + y.std(1, correction=0),
        lambda y: y.norm(dim=1),
        lambda y: y.cumsum(dim=1)[:, 1],
        lambda y: y.prod(dim=1) + functional.einsum("bi,bi->b", y, y.sin()),
        lambda y: functional.einsum("bi,ij->bj", y, np.eye(3, 2, dtype="f4")).sum(1) + functional.einsum("bi->b", y),
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


def test_what_is_not_compiled_is_named():
    formula = lambda y: functional.einsum("ij,ij,ij->i", y, y, y)  # noqa: E731
    trained(formula, False)
    with pytest.raises(CannotCompile, match="einsum of 3 operands has no compiled form; multiply two at a time"):
        trained(formula, True)
