"""docs/from_torch.md: each row runs, on the left with torch, on the right with tinygrad_lr, and both give the same."""

import ast
import copy
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lr

DOCUMENT = (Path(__file__).parent.parent / "docs" / "from_torch.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^|]+)` \| (?:`([^|]+)`|the same) \|$", DOCUMENT, re.MULTILINE)
T, X, W = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.5, -1.0, 2.0], [1.5, 0.25, -3.0]], [1.0, -2.0, 0.5]


def test_every_row_is_read():
    lines = [line for line in DOCUMENT.splitlines() if line.startswith("| ") and line != "| in torch | here |"]
    assert len(lines) == len(ROWS) >= 40


def prepared(names, tensor, values):
    """The variables that the document names, with one kind of Tensor."""
    nn, optim = names["nn"], names["optim"]
    names |= {"t": tensor(T), "x": tensor(X), "w": tensor(W, requires_grad=True), "copy": copy, "np": np}
    (names["w"] * tensor(W) * 2).sum().backward()
    names["model"] = model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    model.load_state_dict({name: tensor(value) for name, value in values.items()})
    names["optimizer"] = optim.Adam(model.parameters())
    model(names["x"]).sum().backward()
    return names


def values():
    rng = np.random.default_rng(0)
    shapes = {"0.weight": (2, 3), "0.bias": (2,), "2.weight": (1, 2), "2.bias": (1,)}
    return {name: rng.uniform(0.1, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def ours():
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[1], names)
    return prepared(names, tinygrad_lr.tensor, values())


def theirs(torch):
    names = {"torch": torch, "nn": torch.nn, "optim": torch.optim, "F": torch.nn.functional}
    return prepared(names, torch.tensor, values())


def run(code, names):
    """What the row gives, and what `w` and the model hold afterwards, as plain values."""
    tree = ast.parse(code)
    if isinstance(tree.body[-1], ast.Expr):
        found = eval(code, names)
    else:
        exec(code, names)
        found = None
    model = list(names["model"].parameters())
    return plain(found), plain(names["w"]), plain(names["w"].grad), [tuple(each.shape) for each in model]


def plain(value):
    if isinstance(value, (list, tuple)) and not hasattr(value, "missing_keys"):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):
        return np.round(np.asarray(value.tolist(), float), 5).tolist()
    if isinstance(value, type({}.keys())):
        return list(value)
    if isinstance(value, float):
        return round(value, 5)
    return value if isinstance(value, (bool, int, str)) else None


@pytest.mark.parametrize(("left", "right"), ROWS)
def test_a_row_gives_the_same_in_both(left, right):
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    (gives, *after), (gave, *afterwards) = run(right or left, ours()), run(left, theirs(torch))
    assert after == afterwards
    assert gives == gave or gives is None  # a statement, where torch has a method


@pytest.mark.parametrize(("left", "right"), ROWS)
def test_a_row_runs(left, right):
    run(right or left, ours())


@pytest.mark.parametrize("left", [left for left, right in ROWS if right and "torch." not in left])
def test_what_is_written_otherwise_is_no_silent_other_thing(left):
    with pytest.raises(AttributeError):
        run(left, ours())
