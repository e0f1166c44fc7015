"""Booleans, whole numbers, no elements and a number without axes in every method and function, beside torch.

What torch gives, ours gives, in its dtype; where torch refuses, ours may give floats, or an error in words of its own.
"""

import numpy as np
import pytest

import tinygrad_lr
import tinygrad_lr.nn.functional as ours_functional
from tinygrad_lr import Tensor, tensor
from tinygrad_lr.engine import functions

torch = pytest.importorskip("torch", reason="torch says what is right: `pip install 'tinygrad_lr[peers]'`")

INPUTS = {
    "bool": np.array([[True, False, True], [False, False, True]]),
    "int64": np.array([[3, -2, 0], [1, 1, 5]]),
    "no int64": np.zeros((0, 3), np.int64),
    "no bool": np.zeros((0, 3), bool),
    "no float32": np.zeros((0, 3), np.float32),
    "one int64": np.array(3),
    "one bool": np.array(True),
    "one float32": np.array(1.5, np.float32),
}


def all_of(names, given=None):
    return dict.fromkeys(names.split(), given)


# What a method takes besides its Tensor, where that is something: "same" is another Tensor of these values, "turned"
# its transpose, "mask" where they are not 0. None: not tried here.
GIVEN = {
    **all_of("add sub mul div atan2 remainder floor_divide pow maximum minimum", ("same",)),
    **all_of("eq ne lt le gt ge logical_and logical_or logical_xor isclose equal allclose", ("same",)),
    **all_of("__floordiv__ __mod__ __and__ __truediv__ __sub__", ("same",)),
    **all_of("mean sum prod var std amax amin any all argmax argmin softmax log_softmax logsumexp", (0,)),
    **all_of("max min median cumsum sort argsort unsqueeze flip", (0,)),
    **all_of("transpose swapaxes permute moveaxis movedim", (0, 1)),
    **all_of("matmul mm", ("turned",)),
    **all_of("outer dot mv bmm gather t"),
    **all_of("sigmoid relu tanh long bool float double flatten squeeze __neg__ __invert__", ()),
    "lerp": ("same", 0.5),
    "broadcast_to": ((2, 2, 3),),
    "expand": (2, 2, 3),
    "repeat": (1, 2, 2),
    "repeat_interleave": (2,),
    "chunk": (2,),
    "split": (1,),
    "topk": (1,),
    "roll": (1,),
    "reshape": (-1,),
    "clamp": (0, 1),
    "index_select": (0, "first"),
    "masked_select": ("mask",),
    "masked_fill": ("mask", 1),
    "where": ("mask", "same"),
}
METHODS = sorted({*functions.METHODS, *GIVEN})
FUNCTIONS = {
    **all_of("relu leaky_relu elu gelu silu softplus logsigmoid sigmoid tanh", ()),
    **all_of("softmax log_softmax", (0,)),
    **all_of("mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy_with_logits", ("same",)),
}
MEAN = "the mean of no elements is an error, which names the empty batch; torch gives NaN"
BITS = "operators of conditions are for bool; torch takes the bits of whole numbers"
# Where torch gives something, and ours is meant to differ: the name, the input, and why.
APART = {
    **{
        (name, "no float32"): MEAN
        for name in ("mean", *FUNCTIONS)
        if name == "mean" or name.endswith(("loss", "logits"))
    },
    **{(name, which): BITS for name in ("__and__", "__invert__") for which in ("int64", "no int64", "one int64")},
    **{("chunk", which): "there is one piece of no rows, not two" for which in ("no int64", "no bool", "no float32")},
    ("pow", "int64"): "a whole number to a negative power is an error, as in NumPy; torch rounds it to 0",
    **{("softmax", which): "floats, as of elements; torch keeps the dtype" for which in ("no int64", "no bool")},
}
FOREIGN = ("numpy", "ufunc", "gufunc", "Overflow", "operand")


def called(library, function, array, given):
    def operand(name):
        if not isinstance(name, str):
            return name
        made = library.tensor([0] if name == "first" else array)
        return made.T if name == "turned" else made != 0 if name == "mask" else made

    return function(library.tensor(array), *[operand(each) for each in given])


def outcome(call):
    """What came: dtypes, shapes and values, or the error."""
    try:
        with np.errstate(all="ignore"):
            return plain(call())
    except Exception as error:
        return error


def plain(found):
    if isinstance(found, (list, tuple)):
        return [plain(each) for each in found]
    if isinstance(found, (Tensor, torch.Tensor)):
        return str(found.dtype).removeprefix("torch."), tuple(found.shape), np.asarray(found.detach().numpy())
    return found


def same(found, expected):
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, tuple):
        near = found[:2] == expected[:2] and np.allclose(found[2], expected[2], rtol=1e-5, equal_nan=True)
        return bool(near)
    return found == expected


def compared(name, which, ours, theirs, given):
    """What is wrong about one call, in a sentence; nothing if nothing is."""
    found = outcome(lambda: called(tinygrad_lr, ours, INPUTS[which], given))
    expected = outcome(lambda: called(torch, theirs, INPUTS[which], given))
    if isinstance(found, Exception) and any(word in f"{type(found).__name__} {found}" for word in FOREIGN):
        return f"{name} of {which}: {type(found).__name__}: {found}"
    if isinstance(expected, Exception):
        return ""
    differs = isinstance(found, Exception) or not same(found, expected)
    if differs == ((name, which) in APART):
        return ""
    return f"{name} of {which}: {found!r}, torch: {expected!r}"


@pytest.mark.filterwarnings("ignore:.*(degrees of freedom|deprecated|encountered in):")
def test_every_method_gives_what_torch_gives():
    wrong = [
        compared(name, which, getattr(Tensor, name), getattr(torch.Tensor, name), GIVEN.get(name, ()))
        for name in METHODS
        if name not in GIVEN or GIVEN[name] is not None
        for which in INPUTS
    ]
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.filterwarnings("ignore:.*(degrees of freedom|deprecated|encountered in):")
def test_every_function_gives_what_torch_gives():
    wrong = [
        compared(name, which, getattr(ours_functional, name), getattr(torch.nn.functional, name), given)
        for name, given in FUNCTIONS.items()
        for which in INPUTS
    ]
    assert not any(wrong), "\n".join(filter(None, wrong))


CASES = {
    "softmax": (lambda: tensor([1, 2]).softmax(0), lambda: torch.tensor([1.0, 2.0]).softmax(0)),
    "cross_entropy": (
        lambda: ours_functional.cross_entropy(tensor([[1, 2], [3, 4]]), tensor([0, 1])),
        lambda: torch.nn.functional.cross_entropy(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1])),
    ),
    "round": (lambda: tensor([16777217]).round(), lambda: torch.tensor([16777217]).round()),
    "fill of bool": (
        lambda: tensor([True, False]).masked_fill(tensor([True, True]), 0.5),
        lambda: torch.tensor([True, False]).masked_fill(torch.tensor([True, True]), 0.5),
    ),
    "fill of a float64": (
        lambda: tensor([1.0]).masked_fill(tensor([True]), tensor(2.0, dtype="float64")),
        lambda: torch.tensor([1.0]).masked_fill(torch.tensor([True]), torch.tensor(2.0, dtype=torch.float64)),
    ),
    "long": (lambda: tensor([1.5, -1.5]).int(), lambda: torch.tensor([1.5, -1.5]).long()),
}


@pytest.mark.parametrize("name", CASES)
def test_single_cases(name):
    ours, theirs = CASES[name]
    assert same(plain(ours()), plain(theirs()))


def test_whole_numbers_of_floats_have_no_gradient():
    x = tensor([1.5], requires_grad=True)
    for cast in (x.long(), x.int(), x.bool(), x.to("bool"), x.to("int64"), x.to(tensor([1]))):
        assert cast.requires_grad is False and cast.is_leaf
    ((x.bool() * x).sum() + x.long().sum()).backward()
    assert x.grad.tolist() == [1.0]


@pytest.mark.parametrize("by", [0, tensor([1, 0]), tensor([True, False])], ids=["0", "int64", "bool"])
def test_a_whole_number_divided_by_0_is_an_error(by):
    for divide in (lambda t: t // by, lambda t: t % by, lambda t: t.__ifloordiv__(by), lambda t: t.__imod__(by)):
        with pytest.raises(ZeroDivisionError, match=r"a whole number cannot be divided by 0; .* \.float\(\)"):
            divide(tensor([1, 2]))
    with np.errstate(all="ignore"):
        assert (tensor([1, 2]) // 0.0).tolist() == [np.inf, np.inf]


REFUSED = [
    (
        lambda: tensor([1, 2]).masked_fill(tensor([True, False]), 0.5),
        ValueError,
        "of int64 needs a whole number, got 0.5",
    ),
    (lambda: tensor([1, 2]).masked_fill(tensor([True, False]), np.inf), ValueError, "needs a whole number, got inf"),
    (lambda: -tensor([True]), TypeError, r"neg: it is not defined for bool; write ~ .* \.float\(\)"),
    (lambda: tensor([True]) - tensor([True]), TypeError, "sub: it is not defined for bool"),
    (
        lambda: ours_functional.cross_entropy(tensor([[1.0, 2.0]]), tensor([[0.5, 0.5]]), ignore_index=0),
        ValueError,
        "cross_entropy: ignore_index=0 names a class, and the targets are probabilities",
    ),
    (
        lambda: ours_functional.cross_entropy(tensor([[1.0, 2.0]]), tensor([5])),
        IndexError,
        "^cross_entropy: the target 5",
    ),
    (lambda: ours_functional.nll_loss(tensor([[1.0, 2.0]]), tensor([5])), IndexError, "^nll_loss: the target 5"),
    (
        lambda: ours_functional.cross_entropy(tensor([[1.0, 2.0]]), tensor([-100])),
        ValueError,
        "^cross_entropy: the mean over targets",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED, ids=[each[2][:20] for each in REFUSED])
def test_what_is_refused_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


FORMS = {
    "sum": lambda t, wide: t.sum(0, dtype=wide),
    "mean": lambda t, wide: t.mean(-1, keepdim=True, dtype=wide),
    "prod": lambda t, wide: t.prod(dim=0, dtype=wide),
    "cumsum": lambda t, wide: t.cumsum(0, dtype=wide),
    **{f"diagonal({k})": lambda t, wide, k=k: t.diagonal(k) for k in (-1, 0, 2)},
    **{f"diag({k})": lambda t, wide, k=k: t.reshape(-1)[:3].diag(k) for k in (-2, 0, 1)},
    "squeeze": lambda t, wide: t.squeeze(0).squeeze(-1),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_with_arguments_give_what_torch_gives(form):
    for name, array in INPUTS.items():
        try:
            expected = FORMS[form](torch.from_numpy(array.copy()), torch.float64).numpy()
        except (RuntimeError, IndexError):
            continue
        if form == "mean" and not array.size:
            continue  # an error here
        found = FORMS[form](tensor(array), "float64").numpy()
        assert found.dtype == expected.dtype, name
        np.testing.assert_array_equal(found, expected, name)


def test_axes_and_dtypes_that_there_are_not_are_named():
    for call, error, message in [
        (lambda t: t.any(7), ValueError, "there is no axis 7: expected -2 to 1"),
        (lambda t: t.all((0, -3)), ValueError, "there is no axis -3"),
        (lambda t: t.mean(dtype="int64"), TypeError, "mean: dtype must be float32 or float64, got int64"),
        (lambda t: t.diag(0.5), TypeError, "offset must be a whole number"),
    ]:
        with pytest.raises(error, match=message):
            call(tensor(INPUTS["int64"]))
