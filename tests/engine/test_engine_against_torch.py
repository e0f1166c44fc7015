"""Tensors beside torch's: methods, changes in place, shared memory, gradients. Each program runs with both.

A program yields what it sees: numbers, shapes, or the class of an error.
"""

import numpy as np
import pytest

import tinygrad_lr
from tinygrad_lr import Tensor, tensor
from tinygrad_lr.engine import absent


def torch():
    return pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")


def error(call):
    try:
        call()
    except Exception as raised:
        return type(raised).__name__
    return "nothing was raised"


def dtype(t):
    return str(t.dtype).split(".")[-1]


def methods(lib):
    t = lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    yield t.dim(), t.numel(), t.nelement(), tuple(t.size()), t.size(1), t.size(dim=-1), t.ndim
    yield t.view(3, 2).tolist(), t.view(-1).tolist(), t.view((2, 3)).tolist(), t.reshape([6]).tolist()
    yield t.t().tolist(), t.T.tolist(), t[0].t().tolist(), t.permute(1, 0).tolist(), t.transpose(0, 1).tolist()
    yield t.contiguous() is t, t.cpu() is t, t.float() is t, t.clone().tolist()
    yield dtype(t.double()), dtype(t.long()), dtype(t.type_as(t.double())), dtype(t.double().float())
    yield dtype(t.to(t.double())), dtype(t.to("cpu", t.double().dtype)), dtype(t.to(dtype=t.long().dtype))
    yield t.add(1).tolist(), t.add(t, alpha=2).tolist(), t.sub(t, alpha=3).tolist(), t.mul(2).tolist()
    yield t.div(2).tolist(), t.pow(2).tolist(), t.matmul(t.t()).tolist(), t.neg().tolist()
    yield t.sum(0).tolist(), t.sum(dim=1, keepdim=True).tolist(), t.mean(1).tolist(), t.detach().tolist()


def in_place(lib):
    t = lib.tensor([1.0, 2.0, 4.0])
    for change in (
        lambda: t.add_(1),
        lambda: t.add_(t, alpha=2),
        lambda: t.sub_(0.5),
        lambda: t.mul_(2),
        lambda: t.div_(4),
        lambda: t.copy_(lib.tensor([7.0, 8.0, 9.0])),
        lambda: t.copy_(lib.tensor([3.0])),
        lambda: t.fill_(5),
        lambda: t.zero_(),
    ):
        yield change() is t, t.tolist()
    whole = lib.tensor([1, 2])
    yield whole.copy_(lib.tensor([3.5, -1.5])).tolist(), whole.fill_(2).tolist()
    yield error(lambda: t.copy_(lib.tensor([1.0, 2.0]))) in ("RuntimeError", "ValueError")


def on_leaves(lib):
    """A leaf that requires gradients does not change while operations are recorded."""
    for change in (
        lambda w: w.add_(1),
        lambda w: w.mul_(w),
        lambda w: w.zero_(),
        lambda w: w.copy_(lib.tensor([9.0, 9.0])),
        lambda w: w.__iadd__(1),
        lambda w: w.__imul__(2),
        lambda w: w.__setitem__(0, 5.0),
        lambda w: w.__setitem__(slice(None), lib.tensor([8.0, 7.0])),
    ):
        w = lib.tensor([1.0, 2.0], requires_grad=True)
        yield error(lambda change=change, w=w: change(w)), w.tolist()
        with lib.no_grad():
            change(w)
        yield w.tolist(), w.requires_grad, w.is_leaf, w.grad


def descent(lib):
    w = lib.tensor([3.0, -2.0], requires_grad=True)
    for _ in range(3):
        (w * w).sum().backward()
        with lib.no_grad():
            w.add_(w.grad, alpha=-0.25)
            w -= w.grad * 0.125
        w.grad = None
        yield w.tolist()


def shared_memory(lib):
    w = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    d = w.detach()
    d[0] = 10.0
    d += 1
    yield w.tolist(), d.requires_grad, d.is_leaf
    w.data[1] = 20.0
    yield d.tolist(), w.tolist()
    w.data -= 1
    yield d.tolist(), w.tolist()
    view = d[1:]
    view[0] = -5.0
    yield w.tolist(), view.tolist()
    copy = w.detach().clone()
    copy[0] = 99.0
    yield w.tolist()
    array = d.numpy()
    array[2] = 77.0
    yield w.tolist(), d.tolist()
    yield d.view(3, 1)[2, 0].item()
    mask = d > 10
    d[mask] = 0.0
    yield d.tolist(), mask.tolist()
    d[[0, 2]] = lib.tensor([1.5, 2.5])
    yield w.tolist()


def elements(lib):
    w = lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    index = lib.tensor([1, 1, 0])
    for take in (
        lambda: w[0],
        lambda: w[-1, 1:],
        lambda: w[:, ::2],
        lambda: w[w > 2],
        lambda: w[index],
        lambda: w[index, lib.tensor([0, 0, 2])],
        lambda: w[..., None],
        lambda: w[0, 0],
        lambda: w[[0, 1], [2, 2]],
    ):
        w.grad = None
        part = take()
        part.sum().backward()
        yield tuple(part.shape), part.tolist(), w.grad.tolist()
    yield error(lambda: w[5]), error(lambda: w[0, 0, 0])


def gradients(lib):
    w = lib.tensor([2.0, 3.0], requires_grad=True)
    yield error(lambda: (w * w).backward()) in ("RuntimeError", "ValueError"), w.grad
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    yield w.grad.tolist()
    loss.backward()
    yield w.grad.tolist()
    yield error(loss.backward), w.grad.tolist()
    (w * 3).sum().backward()
    yield w.grad.tolist()
    (w * w).backward(lib.tensor([1.0, 10.0]))
    yield w.grad.tolist()
    y = w * 2
    yield y.requires_grad, y.is_leaf, w.is_leaf, y.detach().requires_grad
    yield error(lambda: setattr(y, "requires_grad", False)), error(lambda: lib.tensor([1.0]).sum().backward())
    leaf = lib.tensor([1.0])
    yield leaf.requires_grad_() is leaf, leaf.requires_grad, leaf.requires_grad_(False).requires_grad
    yield error(lambda: lib.tensor([1]).requires_grad_()) in ("RuntimeError", "TypeError")
    used = lib.tensor([1.0, 2.0], requires_grad=True)
    squared = used * used
    with lib.no_grad():
        used.add_(1)
    yield error(squared.sum().backward), used.grad
    w.grad = None
    (w + w * w).sum().backward()
    w.grad.fill(0.0) if lib is tinygrad_lr else w.grad.zero_()
    yield w.grad.tolist()


PROGRAMS = [methods, in_place, on_leaves, descent, shared_memory, elements, gradients]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_gives_what_it_gives_with_torch(program):
    theirs = list(program(torch()))
    for i, (ours, other) in enumerate(zip(program(tinygrad_lr), theirs, strict=True)):
        assert ours == other, f"what the program yields at place {i}"
    assert len(theirs) >= 3


# --- what is not here -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", absent.ABSENT)
def test_a_name_that_is_missing_says_what_to_write(name):
    t = tensor([1.0])
    assert not hasattr(t, name), "it is there: take it out of the table"
    with pytest.raises(AttributeError, match=f"'Tensor' object has no attribute '{name}'; ") as caught:
        getattr(t, name)
    assert absent.ABSENT[name] in str(caught.value)


def test_the_table_names_what_torch_and_numpy_have():
    known = set(dir(torch().Tensor)) | set(dir(np.ndarray))
    assert set(absent.ABSENT) <= known


def test_other_names_that_are_missing():
    t = tensor([1.0], requires_grad=True)
    with pytest.raises(AttributeError, match=r"'sigmoid_'; in place there are t \+= x .* t\.data = values"):
        t.sigmoid_()
    for name in ("shpae", "_x_", "__thing__"):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'$") as caught:
            getattr(t, name)
        assert caught.value.name == name and caught.value.obj is t


def test_missing_names_are_not_listed_and_cost_nothing():
    """A `__getattr__` would make each attribute of each Tensor slower."""
    assert not set(absent.ABSENT) & set(dir(tensor([1.0]))) and "relu" in dir(tensor([1.0]))
    assert not any("__getattr__" in vars(kind) for kind in tinygrad_lr.Tensor.__mro__)


MISTAKES = {
    "neither device nor dtype": (lambda t: t.to(), TypeError, "a device, a dtype or both"),
    "two dtypes": (lambda t: t.to("float32", "float64"), TypeError, "a device, a dtype or both"),
    "a device twice": (lambda t: t.to("cpu", device="cpu"), TypeError, "a device, a dtype or both"),
    "a dtype that is none": (lambda t: t.to(dtype="float8"), TypeError, "got 'float8'"),
    "a device that is none": (lambda t: t.to(device="tpu"), ValueError, "got 'tpu'"),
    "t of three axes": (lambda t: t.reshape(1, 1, 1).t(), ValueError, r"at most two axes, got shape \(1, 1, 1\)"),
    "text in place": (lambda t: t.add_("x"), TypeError, "got str"),
    "another shape in place": (lambda t: t.add_(tensor([1.0, 2.0])), TypeError, "write t = t"),
    "floats into whole numbers": (lambda t: t.long().add_(0.5), TypeError, "in-place add into int64"),
    "a computed Tensor in place": (
        lambda t: (t.requires_grad_() * 2).add_(1),
        RuntimeError,
        "gradient is being recorded; do it inside `with no_grad",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name):
    attempt, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=words):
        attempt(Tensor([1.0]))
