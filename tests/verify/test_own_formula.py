"""verify.formula: a rule in plain Python is a formula on every type of number, and its errors say what to write."""

import math

import numpy as np
import pytest
from verify_cases import DESCENT

from tinygrad_lr import cli, verify
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.bounds.enclosure import Enclosure, enclosed
from tinygrad_lr.verify.documents.explain import explain
from tinygrad_lr.verify.formulas import FormulaError
from tinygrad_lr.verify.formulas.decisions import MOST, Truth, Undecided, branches
from tinygrad_lr.verify.properties import PROPERTIES, Case
from tinygrad_lr.verify.properties.one_step import formula_ratio
from tinygrad_lr.verify.protocol import Broken


def clipped(theta, g, state, t, *, lr, beta=0.9, limit=1.0):
    m = beta * state["m"] + (1 - beta) * g
    step = max(-limit, min(limit, m / (1 - beta**t)))
    return theta - lr * step, {"m": m}


def adam(theta, g, state, t, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False):
    b1, b2 = betas
    if weight_decay:
        theta = (1 - lr * weight_decay) * theta
    m = b1 * state["exp_avg"] + (1 - b1) * g
    v = b2 * state["exp_avg_sq"] + (1 - b2) * g**2
    w = np.maximum(state["w"], v) if amsgrad else v
    return theta - lr * (m / (1 - b1**t)) / (np.sqrt(w / (1 - b2**t)) + eps), {"exp_avg": m, "exp_avg_sq": v, "w": w}


def in_place(theta, g, state, t, *, lr, momentum=0.9):
    state["m"] *= momentum
    state["m"] += g
    if state["m"] * g > 0:
        theta -= lr * state["m"]
    else:
        theta -= lr * g / 2
    return theta, state


def whole(theta, g, state, t, *, lr, weight_decay=0.1):
    r = g + weight_decay * theta
    return theta - lr * verify.norm(theta) / (verify.norm(r) + 1e-3) * r, {}


def factored(theta, g, state, t, *, lr):
    size = verify.mean(g * g, -1)
    return theta - lr * g / verify.sqrt(size + 1e-8), {"rows": size}


def from_start(theta, g, state, t, *, lr, share=0.5):
    return share * theta + (1 - share) * state["start"] - lr * g, {"start": state["start"]}


def now_and_then(theta, g, state, t, *, lr, every=2, limit=None, rounds=2):
    h = state["h"]
    if t % every == 0:
        h = 0.5 * h + 0.5 * abs(g)
    for _ in range(rounds):
        h = 0.9 * h
    step = g / (h + 1)
    if limit is not None:
        step = verify.where(abs(step) > limit, limit * verify.sign(step), step)
    return theta - lr * step, {"h": h}


ADAM = dict.fromkeys(("exp_avg", "exp_avg_sq", "w"), 0.0)
RULES = {
    "clipped": (clipped, {"state": {"m": 0.0}}),
    "adam": (adam, {"state": ADAM, "dialects": {"plain": {}, "amsgrad": {"amsgrad": True, "lr": 0.1}}}),
    "in place": (in_place, {"state": {"m": 0.0}}),
    "whole": (whole, {}),
    "factored": (factored, {"state": lambda theta: {"rows": verify.mean(theta * 0, -1)}}),
    "now and then": (now_and_then, {"state": {"h": 0.0}, "dialects": {"free": {}, "held": {"limit": 0.3}}}),
    "from its start": (from_start, {"state": lambda theta: {"start": theta}}),
}


@pytest.mark.parametrize("which", RULES)
def test_every_kind_of_rule_passes_as_its_own_optimizer(which):
    """What the rule itself does not do (P11, P12, P15, ...) is not asked of the optimizer."""
    function, declared = RULES[which]
    mine = verify.formula(function, **declared)
    rng = np.random.default_rng(0)
    case = Case(mine, [rng.normal(size=(3, 2))], [[rng.normal(size=(3, 2))] for _ in range(4)])
    for each in ("P1", "P14", "P17"):
        PROPERTIES[each](adapters.naive(mine), case)
    if lacks := {"whole": "P4", "adam": "P31"}.get(which):
        report = verify.check_optimizer(adapters.naive(mine), mine, max_examples=0, properties=[lacks])
        why = "determine a step together" if which == "whole" else "the formula itself does not have"
        assert not report.failures and why in report[lacks].reason


def squared(theta, g, state, t, *, lr):
    left = state["left"] + g @ g.T
    return theta - lr * np.dot(left, g) / (1 + g.sum() * g.mean()), {"left": left}


def test_a_rule_of_matrices_is_taken_for_one_though_numpy_multiplies_vectors_too():
    mine = verify.formula(squared, state=lambda theta: {"left": theta @ theta.T * 0})
    assert (mine.family.dimensions, mine.family.elementwise) == (2, False)
    g = np.array([[1.0, -2.0], [3.0, 0.5], [0.25, 2.0]])
    case = Case(mine, [np.ones((3, 2))], [[g], [-2 * g], [g * g]])
    make = adapters.naive(mine)
    assert 0 < formula_ratio(make, case) <= 1
    with pytest.raises(Broken, match="theta after step 1"):
        formula_ratio(lambda params, **settings: make(params, **{**settings, "lr": 0.011}), case)


def test_what_is_found_out():
    made = {which: verify.formula(function, **declared).family for which, (function, declared) in RULES.items()}
    assert [which for which, family in made.items() if not family.elementwise] == ["whole", "factored"]
    assert [family.dimensions for family in made.values()] == [0, 0, 0, 0, 1, 0, 0]
    source = ["in place", "factored", "now and then"]
    assert [which for which, family in made.items() if not family.in_notation] == source
    assert made["adam"].name == f"{__name__}.adam", "no property of Adam's is asked of it by its name"
    assert made["clipped"].defaults["limit"] == 1.0 and made["clipped"].settings()["lr"] == 0.01


def test_a_wrong_optimizer_is_found_against_ones_own_formula_and_each_hyperparameter_matters():
    mine = verify.formula(clipped, state={"m": 0.0})

    def wrong(theta, g, state, t, *, lr, beta=0.9, limit=1.0):
        return clipped(theta, max(-limit, min(limit, g)), state, t, lr=lr, beta=beta, limit=limit)

    def deaf(theta, g, state, t, *, lr, beta=0.9, limit=1.0):
        return clipped(theta, g, state, t, lr=lr, beta=beta)

    for function, caught in ((wrong, "P1"), (deaf, "P17")):
        other = adapters.naive(verify.formula(function, state={"m": 0.0}))
        report = verify.check_optimizer(other, mine.having(lr=0.1), properties=[caught], max_examples=0)
        assert [each.property_id for each in report.failures] == [caught], str(report)
    assert report["P17"].where == "hyperparameter limit"


def test_an_if_is_followed_both_ways_where_rounding_may_decide_it():
    mine = verify.formula(in_place, state={"m": 0.0}).having(lr=0.5)
    formula = enclosed(mine, np.float32)
    m = Enclosure([1.0, -1e-9, -2.0], [1.0, 1e-9, -2.0], np.float32)
    theta, _ = formula.step(np.zeros(3, np.float32), np.full(3, 1e-9, np.float32), {"m": m}, 2)
    assert theta.contains(np.float32([-0.45, -2.5e-10, -2.5e-10])).all() and theta.contains(
        [-0.45, -9e-10, 0]
    ).tolist() == [True, True, False]
    condition = Truth([True, True], [False, True])
    ways = branches(lambda: 1 if condition and not ~condition else 2)
    assert sorted((found, where.tolist()) for where, found in ways) == [(1, [True, True]), *[(2, [False, True])] * 2]
    unsure = Truth([True], [True])
    with pytest.raises(Undecided, match=f"more than {MOST}"):
        branches(lambda: [bool(unsure) for _ in range(9)])
    with pytest.raises(Undecided):
        bool(unsure)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_comparisons_powers_and_numpys_functions_of_intervals_hold_those_of_numbers(dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2, 500)) * 10.0 ** rng.integers(-3, 3, size=(2, 500))).astype(dtype)
    x, y = Enclosure.exact(a, dtype), Enclosure.exact(b, dtype)
    for power in (2, 3, 4, 7, -1, -2):
        assert (x**power).contains(a**power).all(), power
    for call in (np.abs, np.square, np.sign, np.cbrt, np.tanh, np.exp, np.negative):
        small = np.clip(a, -20, 20)
        positive = call is np.cbrt
        given = np.abs(small) if positive else small
        assert call(Enclosure.exact(given, dtype)).contains(call(given)).all(), call
    assert np.sqrt(abs(x)).contains(np.sqrt(np.abs(a))).all() and verify.log(abs(x)).contains(np.log(np.abs(a))).all()
    for call in (np.maximum, np.minimum, np.add, np.subtract, np.multiply, np.divide):
        assert call(x, y).contains(call(a, b)).all() and call(a, y).contains(call(a, b)).all(), call
    for truth, holds in (
        ((x > y), a > b),
        ((x <= y), a <= b),
        ((x == x), a == a),
        ((x != y), a != b),
        ((x > 0), a > 0),
    ):
        assert (truth.may_hold == holds).all() and (truth.may_fail == ~holds).all()
    chosen = verify.where((x > 0) & (y < 1), x, 0.0)
    assert chosen.contains(np.where((a > 0) & (b < 1), a, 0)).all() and not chosen.contains(np.full(500, 7.0)).any()
    assert verify.where(x > 0, 1.0, -1.0).low.tolist() == np.where(a > 0, 1.0, -1.0).tolist()
    assert np.where(a > 0, x, y).contains(np.where(a > 0, a, b)).all()
    assert np.sum(x).contains(a.sum()) and np.linalg.norm(x).contains(np.linalg.norm(a))


WRONG = {
    "returns theta alone": (lambda theta, g, state, t, *, lr: theta - lr * g, {}, "must return theta and the state"),
    "returns nothing": (lambda theta, g, state, t, *, lr: None, {}, "returned None"),
    "another state": (
        lambda theta, g, state, t, *, lr: (theta, {"n": g}),
        {"state": {"m": 0.0}},
        r"\['m'\], got \['n'\]",
    ),
    "an undeclared state": (lambda theta, g, state, t, *, lr: (theta - state["m"], {}), {}, "declare 'm' there"),
    "math.sqrt": (
        lambda theta, g, state, t, *, lr: (theta - lr * math.sqrt(abs(g)), {}),
        {},
        "write verify.sqrt for math.sqrt",
    ),
    "numpy.arctan": (lambda theta, g, state, t, *, lr: (theta - np.arctan(g), {}), {}, "numpy.arctan of an interval"),
    "float": (lambda theta, g, state, t, *, lr: (theta - lr * float(g), {}), {}, "an interval is no single float"),
    "an array": (lambda theta, g, state, t, *, lr: (theta - np.asarray(g), {}), {}, "an interval is no array"),
    "no step count": (lambda theta, g, state, *, lr: (theta, {}), {}, "the step from 1"),
    "anything by name": (lambda theta, g, state, t, **h: (theta, {}), {}, "every hyperparameter by its name"),
    "no default": (lambda theta, g, state, t, *, lr, q: (theta, {}), {}, "needs a value for q"),
    "no such hyperparameter": (
        lambda theta, g, state, t, *, lr: (theta - lr * beta * g, {}),  # noqa: F821
        {},
        r"an argument after the \*, with a default, as in .*beta=0.9",
    ),
    "another order": (lambda g, theta, state, t, *, lr: (theta - lr * g, {}), {}, "in this order; got"),
    "a method of arrays": (
        lambda theta, g, state, t, *, lr: (theta - g.clip(-1, 1), {}),
        {},
        "an interval has no clip",
    ),
    "a question about all": (
        lambda theta, g, state, t, *, lr: (theta - (g if np.any(g > 1) else lr * g), {}),
        {},
        r"numpy.any of a comparison of intervals: .*verify.where",
    ),
    "random numbers": (
        lambda theta, g, state, t, *, lr: (theta - lr * np.random.default_rng().normal() * g, {}),
        {},
        "without random numbers",
    ),
    "a matrix as the state of a number": (
        lambda theta, g, state, t, *, lr: (theta, {"l": state["l"] + g @ g.T}),
        {"state": {"l": 0.0}},
        "unless state= is a function",
    ),
    "an array as state": (
        lambda theta, g, state, t, *, lr: (theta, {}),
        {"state": {"m": np.zeros(3)}},
        "give a function: state=lambda theta",
    ),
    "a state of nothing": (
        lambda theta, g, state, t, *, lr: (theta, {}),
        {"state": lambda: {"m": 0.0}},
        "takes no argument",
    ),
    "a state of what is no hyperparameter": (
        lambda theta, g, state, t, *, lr, d0=1.0: (theta, {}),
        {"state": lambda theta, d_0: {}},
        r"has \['lr', 'd0'\], and no \['d_0'\]",
    ),
    "a list of dialects": (lambda theta, g, state, t, *, lr: (theta, {}), {"dialects": ["a"]}, "dialects= gives each"),
    "a dialect that is no dict": (
        lambda theta, g, state, t, *, lr: (theta, {}),
        {"dialects": {"a": 0.1}},
        "dialects= gives each",
    ),
    "a bug": (lambda theta, g, state, t, *, lr: (theta - missing, {}), {}, "raised NameError in line"),  # noqa: F821
    "another line": (
        lambda theta, g, state, t, *, lr: (theta - lr * g, {}),
        {"lines": ["theta <- theta + lr g"]},
        "give theta = .* in step 1",
    ),
    "no line": (lambda theta, g, state, t, *, lr: (theta - lr * g, {}), {"lines": ["theta - g"]}, "cannot be read"),
    "a list as state": (lambda theta, g, state, t, *, lr: (theta, {}), {"state": ["m"]}, "must be a dict such as"),
    "a start that is no number": (
        lambda theta, g, state, t, *, lr: (theta, {}),
        {"state": {"m": "0"}},
        "the number that",
    ),
    "a dialect's unknown": (
        lambda theta, g, state, t, *, lr: (theta, {}),
        {"dialects": {"a": {"b": 1}}},
        r"sets \['b'\]",
    ),
    "no function": (3, {}, "expected a function"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_formula_is_refused_with_what_to_write(what):
    function, declared, message = WRONG[what]
    with pytest.raises(FormulaError, match=message):
        verify.formula(function, **declared)


def test_a_formula_that_breaks_later_is_not_the_optimizers_error():
    def breaks(theta, g, state, t, *, lr):
        return (theta - lr * g if t < 6 else undefined), {}  # noqa: F821

    mine = verify.formula(breaks)
    report = verify.check_optimizer(adapters.naive("sgd"), mine, properties=["P1"], max_examples=0)
    assert "the formula is wrong, and not the optimizer" in report["P1"].reason
    with pytest.raises(TypeError, match=r"make a formula of it with verify.formula\(clipped, state"):
        verify.check_optimizer(adapters.naive("sgd"), clipped)


FILE = (
    DESCENT
    + """
from tinygrad_lr import verify

@verify.formula(dialects={"mine": {"lr": 0.1}, "half": {"lr": 0.1, "share": 0.5}})
def descent(theta, g, state, t, *, lr, share=1.0):
    return theta - share * lr * g, {}

def bare(theta, g, state, t, *, lr):
    return theta - lr * g, {}
"""
)


def test_the_command_line_takes_a_files_formula(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FILE, "utf-8")
    from tinygrad_lr.verify.command import formula_of

    assert formula_of("mine.py:descent").name == "descent" and formula_of("mine.py:bare").name == "bare"
    assert formula_of("adam") == "adam"
    with pytest.raises(ValueError, match=r"to be made by verify.formula"):
        formula_of("mine.py:np.pi")
    monkeypatch.setattr("tinygrad_lr.verify.command.run_isolated", in_this_process)
    command = ["verify", "mine.py:Descent", "--spec", "mine.py:descent", "--properties", "P1"]
    assert cli.main(command) == 0 and cli.main([*command, "--dialect", "half"]) == 1
    assert "against descent (half)" in capsys.readouterr().out
    assert cli.main(["explain", "mine.py:descent", "--dialect", "half"]) == 0
    assert "theta <- theta - share lr g" in capsys.readouterr().out


def in_this_process(child, argument, target, limit):
    from argparse import Namespace
    from ast import literal_eval

    from tinygrad_lr.verify.command import check

    return check(Namespace(**literal_eval(argument)))


def test_it_is_explained_and_a_suite_takes_it():
    mine = verify.formula(adam, state=ADAM, title="Mine")
    text = explain(mine)
    assert "Mine" in text and "v <- beta2 exp_avg_sq" not in text and "First steps" in text
    assert "state[" in explain(verify.formula(in_place, state={"m": 0.0}))
    mark = verify.parametrize_optimizer_checks([(adapters.naive(mine), mine)])
    check = next(param.values[0] for param in mark.args[1] if param.id.endswith("-P14"))
    assert check.finding().outcome == "passed"
