"""The generated file as text: identifiers, the sentences of its head, comments."""

import ast
import re
from types import SimpleNamespace

import numpy as np
import pytest
from compiled_cases import as_plain_python, check, flow, mlp

from tinygrad_lr import nn, optim, tensor
from tinygrad_lr.compiled import Runner, runner
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.kernels import Kernel, compiled
from tinygrad_lr.kernels.updates import adam
from tinygrad_lr.training import fit


class Named(nn.Module):
    """Parameters under any names, all used."""

    def __init__(self, parameters):
        for name, values in parameters.items():
            setattr(self, name, nn.Parameter(values))

    def forward(self, x):
        total = 0.0
        for parameter in vars(self).values():
            if isinstance(parameter, nn.Parameter):
                total = total + (x[:1, :1] @ (parameter.reshape(1, -1))).sum() + parameter.sum()
        return (x.sum(1, keepdims=True) * 0.0) + total


ONE, SIX = np.ones(1, np.float32), np.linspace(-1, 1, 6, dtype=np.float32)
NAMES = {
    "a shape": {"w": SIX.reshape(2, 3), "w_2x3": SIX, "w_1x6": SIX, "w_2x3_2": SIX},
    "letters": {"ﬁ": SIX, "fi": SIX, "é": ONE, "ä": ONE, "e_": ONE},
    "names of ours": {"1": SIX, "0": ONE, "value1": SIX, "batch1": ONE, "class": ONE, "of": ONE, "s0": ONE},
}


def arguments_of(runner):
    """The arrays that the generated function takes, by their names."""
    (function,) = [each for each in ast.parse(runner.source).body if isinstance(each, ast.FunctionDef)]
    names = [each.arg for each in function.args.args]
    assert len(names) == len(set(names)) and all(name.isascii() and name.isidentifier() for name in names)
    return dict(zip(names[-len(runner.program.arrays) :], runner.program.arrays, strict=True))


@compiled
def rule(param, grad, values, moving, row_wise, lr, sign):
    values, moving, row_wise = values + sign * grad, moving - lr * sign * grad, row_wise + values * moving
    return param - lr * (values + moving + row_wise), values, moving, row_wise


KERNELS = {"plain": Kernel(rule, ("values", "moving", "1st-row"))}


class Awkward(optim.SGD):
    """An optimizer whose states have names that a generated file has for something else, or that are no names."""

    def kernel(self, group):
        return KERNELS["plain"]

    @classmethod
    def every_kernel(cls, state_dtype="float32"):
        return list(KERNELS.values())


# Kernels that are more than one loop over elements have names of their own for what they measure.
MEASURING = [cls for cls in optim.OPTIMIZERS.values() if any(type(each) is not Kernel for each in cls.every_kernel())]


@pytest.mark.parametrize("cls", [Awkward, *MEASURING])
def test_names_of_an_update_are_not_those_of_something_else(cls, monkeypatch):
    """Adafactor's sums were taken for those of the norm, by which gradients are clipped."""
    monkeypatch.setattr(runner, "load", lambda text: SimpleNamespace(run=as_plain_python(text)["run"]))
    check(lambda params: cls(params, lr=0.01), max_norm=0.05, model=mlp)


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_names_are_ascii_identifiers_and_each_stands_for_one_view(names):
    model, loss, optimizer, loader = flow(lambda p: optim.Adam(p, lr=0.01), model=lambda: Named(names))
    arrays = arguments_of(Runner(model, loss, optimizer, loader, 1.0))
    for kind, slot in (("parameter_", "_data"), ("gradient_", "_grad_slot")):
        places = {getattr(parameter, slot).ctypes.data for parameter in model.parameters()}
        found = {array.ctypes.data for name, array in arrays.items() if name.startswith(kind)}
        assert places <= found
    views = [(array.ctypes.data, array.shape) for name, array in arrays.items() if name.startswith("parameter_")]
    assert len(views) == len(set(views))


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_no_name_is_taken_for_another(names, monkeypatch):
    monkeypatch.setattr(runner, "load", lambda text: SimpleNamespace(run=as_plain_python(text)["run"]))
    both = [flow(lambda p: optim.Adam(p, lr=0.01), model=lambda: Named(names)) for _ in range(2)]
    losses = [fit(*parts, epochs=2, progress=False, compiled=i > 0).loss for i, parts in enumerate(both)]
    assert np.allclose(*losses, rtol=1e-5)
    for one, other in zip(both[0][0].parameters(), both[1][0].parameters(), strict=True):
        assert np.allclose(one.grad, other.grad, rtol=1e-4)


def test_unnamed_parameters_give_the_same_file_in_every_process():
    def source():
        weights = [tensor(np.ones((1, 3)), requires_grad=True) for _ in range(2)]
        x, y = np.ones((4, 3)), np.ones((4, 1))
        loader = DataLoader(TensorDataset(x, y), 2)
        optimizer = optim.SGD(weights, lr=0.1)
        return Runner(lambda x: x @ weights[0].T + x @ weights[1].T, nn.MSELoss(), optimizer, loader).source

    kept = [np.zeros(n) for n in range(50)]  # other addresses for the second
    assert source() == source() and kept
    assert "parameter_group0_param0" in source() and "gradient_group0_param1" in source()


@pytest.mark.parametrize("name", ['A"""B\\', "new\nline", "Größe", "C\\N{bullet}"])
def test_a_class_may_have_any_name(name):
    kind = type(name, (nn.Linear,), {})
    text = Runner(*flow(lambda p: optim.SGD(p, lr=0.1), model=lambda: kind(3, 1))).source
    docstring = ast.parse(text).body[0]
    assert text.isascii() and isinstance(docstring, ast.Expr) and name in docstring.value.value


@pytest.fixture(scope="module")
def clipped():
    return Runner(*flow(lambda p: optim.Adam(p, lr=0.01), model=mlp), 1.0)


def test_the_head_says_which_memory_is_which(clipped):
    head = " ".join(ast.get_docstring(ast.parse(clipped.source)).split())
    assert "values0 is the memory of all parameter_..., end to end, and gradients0 that of their gradient_..." in head
    arrays = arguments_of(clipped)
    for kind, whole in (("parameter_", "values0"), ("gradient_", "gradients0")):
        parts = {a.ctypes.data: a.size for name, a in arrays.items() if name.startswith(kind) and "value" not in name}
        assert sum(parts.values()) == arrays[whole].size
        assert min(parts) == arrays[whole].ctypes.data
    assert "A name that ends in a shape, such as value1_32x64, is the buffer value1 seen with that shape" in head
    shaped = [name for name in arrays if re.search(r"_\d+x\d+$", name)]
    assert shaped and all(
        arrays[name].shape == tuple(map(int, re.findall(r"\d+(?=x|$)", name)[-2:])) for name in shaped
    )


def test_buffers_are_allocated_before_the_first_step(clipped, monkeypatch):
    monkeypatch.setattr(clipped, "_run", as_plain_python(clipped.source)["run"])
    before = [id(array) for array in clipped.program.arrays]
    clipped.run(np.zeros(2, np.uint64), 0, np.full((4, 1), 0.01))
    assert [id(array) for array in clipped.program.arrays] == before


def test_the_update_names_its_formula_and_its_scalars(clipped):
    comment = re.search(
        r"# the update, by the formula in (\S+)\. Its scalars: ((?:.*\n)(?:\s*# .*\n)*)", clipped.source
    )
    assert comment[1] == "kernels/updates/adam.py"
    scalars = re.sub(r"[#\s]+", " ", comment[2]).strip().split(", ")
    assert scalars == list(adam.KERNELS["plain"].scalars)
    call = re.search(r"adam_plain\(([^)]*\)?[^)]*)\)", clipped.source)[1]
    given = re.sub(r"\s+", " ", call).split("exp_avg_sq0, ")[1]
    sign = re.findall(r"(?:moving0\[i, \d+\]|constants0\[\d+\])(?: \* values0\.dtype\.type\(factor)?", given)
    assert len(sign) == len(scalars) and sign[scalars.index("sign")].endswith("factor")
    assert sum("factor" in each for each in sign) == 1
