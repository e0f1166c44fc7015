"""Rows of ops that act element by element: one row is all that such an op needs, and every change of one is seen.

A change of a function is seen by the derivative of the forward, by the values declared at kinks, or because the
function of arrays and the function of numbers no longer agree.
"""

import ast
import inspect
import re

import numpy as np
import pytest
from engine_cases import check_product, lacks
from kernel_cases import GAMMA
from kernel_mutation import changes, signatures, with_change

from tinygrad_lr import Tensor, gradcheck, nn, no_grad, optim, tensor
from tinygrad_lr.compiled import lowering
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine import elementwise, methods
from tinygrad_lr.engine.ops import OPS, Inputs, Op
from tinygrad_lr.training import fit

# --- what a row lacks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPS)
def test_no_row_lacks_anything(name):
    assert not lacks(OPS[name]), "\n".join(lacks(OPS[name]))


def double(a):
    return a + a


def of_double(g, out, a):
    return g + g


@pytest.mark.parametrize(
    ("row", "lack"),
    [
        (Op("double", double, (of_double,), ((),), ()), "the row 'double' has no test inputs"),
        (Op("double", double, (), (), (Inputs(((3,),)),)), "the row 'double' has no derivative for input 0"),
        (
            Op("double", double, (of_double,), (), (Inputs(((3,),)),)),
            "the row 'double' says of 0 of 1 derivatives what",
        ),
        (
            Op("double", double, (of_double,), ((),), (Inputs(((3,),)),), rules=(double,)),
            "the row 'double' has 1 rules, and needs 2",
        ),
        (
            Op("abs", np.abs, (lambda g, out, a: g * np.sign(a),), ((0,),), (Inputs(((3,),)),), analytic=False),
            "the row 'abs' has kinks, but no values declared there",
        ),
    ],
)
def test_what_a_row_lacks_is_said_in_a_sentence(row, lack):
    assert [sentence for sentence in lacks(row) if sentence.startswith(lack)] == lacks(row) != []


# --- one row is all that an op needs ----------------------------------------------------------------------------------


@pytest.fixture
def gaussian():
    """exp(-a^2), as a row and nothing else."""
    row = elementwise.elementwise(
        "gaussian",
        lambda a: np.exp(-a * a),
        lambda g, out, a: -g * (a + a) * out,
        reads=((0, -1),),
        doc="exp(-x^2) of each element.",
    )
    methods.add_methods([row])
    yield row
    del OPS["gaussian"], Tensor.gaussian


def test_a_row_is_all_that_an_op_needs(gaussian):
    x = tensor([0.5, -1.0], requires_grad=True)
    assert x.gaussian().tolist() == pytest.approx(np.exp([-0.25, -1.0]), rel=1e-6)
    assert "exp(-x^2)" in Tensor.gaussian.__doc__ and inspect.signature(Tensor.gaussian).parameters.keys() == {"self"}
    assert gradcheck(lambda x: x.gaussian(), [0.5, -1.0]) and not lacks(gaussian)
    assert lowering.form_of(gaussian) and gaussian.cuda_forward is not None
    for case in gaussian.cases:
        check_product(gaussian, case, 0, 7, "float32")
    losses = []
    for compiled in (False, True):
        weight = tensor([[0.3, -0.7]], requires_grad=True)
        loader = DataLoader(TensorDataset(np.ones((4, 2), "f4"), np.ones((4, 2), "f4")), 2)
        optimizer = optim.SGD([weight], lr=0.1)
        history = fit(
            lambda x, weight=weight: (x * weight).gaussian(),
            nn.MSELoss(),
            optimizer,
            loader,
            epochs=2,
            compiled=compiled,
            progress=False,
        )
        losses.append(history.loss)
    assert np.allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize(("name", "formula"), [("log1p", np.log1p), ("expm1", np.expm1)])
def test_log1p_and_expm1_are_exact_near_zero(name, formula):
    x = tensor([1e-6, -1e-6, 0.5], requires_grad=True)
    out = getattr(x, name)()
    assert out.tolist() == formula(np.float32([1e-6, -1e-6, 0.5])).tolist()
    out.sum().backward()
    exact = {"log1p": lambda a: 1 / (1 + a), "expm1": np.exp}[name](np.array([1e-6, -1e-6, 0.5]))
    assert np.allclose(x.grad, exact, rtol=4e-7)
    with no_grad():
        assert getattr(tensor([2.0]), name)().requires_grad is False


def test_a_method_that_tensor_defines_itself_stays():
    own = Tensor.exp
    methods.add_methods([OPS["exp"], Op("exp", np.exp, (None,), ((),), (), doc="another")])
    assert Tensor.exp is own


# --- every change of a row is seen ------------------------------------------------------------------------------------

SPECIAL = np.array([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 1000.0, -1000.0, np.inf, -np.inf, np.nan, 0.25])
A, B = (np.tile(some, 2) for some in (np.repeat(SPECIAL, len(SPECIAL)), np.tile(SPECIAL, len(SPECIAL))))
G = np.random.default_rng(0).normal(size=A.size)
G[A.size // 2 :] = np.inf

# Changes of no value: the proof, the row or function, and the change. The last two are regular expressions.
COMMUTES = "the factors of a product commute, up to one rounding"
EQUIVALENT = [
    (COMMUTES, "exp|exp2|_pow_vjp_exponent(_of_numbers)?", r".*\bg\b.*\bout\b.* -> .*\bout\b.*\bg\b.*"),
    (COMMUTES, "div", "g, out, a, b -> out, g, a, b"),
    ("out > 0 where a > 0", "relu", "g, out, a -> g, a, out"),
    ("zeros of either sign are equal", "relu", "zero > a -> zero >= a"),
    ("zeros of either sign are equal", "maximum", "a >= b -> a > b|a, b -> b, a"),
    ("zeros of either sign are equal", "minimum|at_least|at_most", "a >= b -> a > b|a <= b -> a < b|a, b -> b, a"),
    ("where the length is 0 the quotient is not used", "root", r"out \+ out \+ \(out == 0\) -> out \+ out - .*"),
    ("where the size is 0 the quotient is 0 anyway", "_atan2_vjp_y", r".* -> .*\(size - \(size == 0\)\)"),
    ("the larger of two has no order", "relu", r"np\.maximum\(a, .*\) -> np\.maximum\(np.*, a\)"),
    (
        "the lesser of two has no order",
        "_sigmoid|_softplus|_binary_cross_entropy(_vjp)?",
        r".*minimum\(a, -a\).* -> .*minimum\(-a, a\).*",
    ),
    ("the larger of two has no order", "_softplus", r".* -> .*maximum\(0, a\).*"),
    ("the larger of two has no order", "_huber|_smooth_l1", r".* -> .*maximum\(-a, a\).*"),
    (
        "at a = 0, small = e^0 = 1, which is one",
        "_sigmoid(_of_number)?|_softplus_(below_)?vjp_of_numbers?|_silu(_vjp)?_of_number",
        ".*a >= (0|zero).* -> .*a > (0|zero).*",
    ),
    ("at a = 0 what stands beside a is not used", "_binary_cross_entropy(_of_numbers)?", ".*a >= .* -> .*a > .*"),
    ("at a = 0 the rest is 1/2", "_binary_cross_entropy_vjp(_of_numbers)?", ".*a >= .* -> .*a > .*"),
    ("zeros of either sign are equal", "_softplus_(below_)?of_numbers?", ".*a > zero.* -> .*a >= zero.*"),
    (
        "where the two are equal, either is the other",
        "_(within|huber.*|smooth_l1.*)|huber|smooth_l1",
        ".* -> .*[<>]=.*",
    ),
    ("the larger of two has no order", "_log_of_share", r".* -> return np\.maximum\(-hundred, .*"),
    ("the larger of two has no order", "binary_cross_entropy", r".* -> np\.maximum\(least_share, .*"),
    ("where the two are equal, either is the other", "binary_cross_entropy", r".* -> .* >= least_share"),
    ("no number is that near to e^-100", "_shares_loss(_vjp_target)?_of_numbers", r".* -> .*zero <= a <= exp_of.*"),
    ("at a = 0 both are zero", "leaky_relu", "a > (0|zero) -> a >= (0|zero)"),
    ("at a = 0 both are zero", "elu", "a > (0|zero) -> a >= (0|zero)"),
    ("the lesser of two has no order", "elu", r"np\.minimum\(a, 0\) -> np\.minimum\(0, a\)"),
    ("what is beyond 0 is not used", "elu", "0 -> 1"),
    ("a * a is the power 2 of a", "_pow", r".* -> return np\.power\(a, b\)"),
    (
        "a * a is the power 2 of a, which no other exponent gets",
        "_pow",
        r".*b\.dtype == a.* -> .*(b\.dtype !=|ndim == -1).*",
    ),
    ("one number is an array of no axes", "_pow_vjp_base", r"if b\.ndim == 0: -> if (False|b\.ndim == -1):"),
    ("g (a + a) is g (2 a^1)", "_pow_vjp_base", "if b == 2: -> if False:"),
    ("where b = 0 the power is not used", "_pow_vjp_base", r".*\(b == 0, one, b\).* -> .*\(b == 1, one, b\).*"),
    ("the module's `one` takes the array's dtype too", "_pow_vjp_base", r"one = .* -> pass"),
]


TREE = ast.parse(inspect.getsource(elementwise))


def name_of(node):
    """The name of the row or the function that a statement of engine/elementwise.py makes; or nothing."""
    call = getattr(node, "value", None)
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "elementwise":
        return ast.literal_eval(call.args[0])
    return node.name if isinstance(node, ast.FunctionDef) and node.name != "elementwise" else ""


def made_by(nodes, names):
    """The rows that statements make; they are not put into the table."""
    made = []

    def row(name, forward, *vjps, reads, rules=(), domain=(elementwise.INTERVAL,) * 2, **more):
        cases = elementwise.UNARY if len(vjps) == 1 else elementwise.BINARY
        more = {key: more[key] for key in ("kinks", "analytic", "distance", "keeps") if key in more}
        made.append(Op(name, forward, vjps, reads, cases, domain, rules=rules or (forward, *vjps), **more))

    names["elementwise"] = row
    exec(compile(ast.fix_missing_locations(ast.Module(nodes, [])), "<rows>", "exec"), names)
    return made


def same(found, expected):
    """Equal, or within the roundings of functions of a library; a zero equals one of the other sign."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    with np.errstate(all="ignore"):
        near = np.abs(found - expected) <= GAMMA * np.abs(expected)
    return bool(((found == expected) | np.isnan(found) & np.isnan(expected) | near & np.isfinite(expected)).all())


def judged(op, names):
    """Whether a row's functions fit together."""
    try:
        with np.errstate(all="ignore"):
            for case in op.cases:
                for i in range(len(op.vjps)):
                    check_product(op, case, i, 7, "float64")
            for kink in op.kinks:
                out = op.run(kink.inputs, ())[1]
                for vjp, declared in zip(op.vjps, kink.gradients, strict=True):
                    if declared is not None and not same(
                        unbroadcast_sum(vjp(np.ones_like(out), out, *kink.inputs), declared), declared
                    ):
                        return False
            if len(op.vjps) == 1:
                return agree(op, names, SPECIAL)
            numbers = (np.array(number) for number in (0.0, 1.0, 2.0, 3.0))
            return agree(op, names, A, B) and all(agree(op, names, SPECIAL, number) for number in numbers)
    except Exception:
        return False


def agree(op, names, *inputs):
    """Whether the functions of arrays and those of numbers give the same."""
    value, kept = op.run(inputs, ())
    g = G[: value.size]
    first = lambda *arrays: op.run(arrays, ())[0]  # noqa: E731
    for which, (rule, function) in enumerate(zip(op.rules, (first, *op.vjps), strict=True)):
        arrays = inputs if which == 0 else (g, value, *inputs)
        if rule is function or isinstance(
            rule, np.ufunc
        ):  # NumPy's power of two numbers is another than that of arrays
            found = rule(*arrays)
        else:
            names |= {"zero": np.float64(0), "one": np.float64(1)}
            found = [rule(*numbers) for numbers in zip(*np.broadcast_arrays(*arrays), strict=True)]
            names |= {"zero": 0, "one": 1}
        if not same(found, function(*(arrays if which == 0 else (g, kept, *inputs)))):
            return False
    return True


def unbroadcast_sum(gradient, declared):
    return gradient if np.ndim(gradient) == np.ndim(declared) else np.sum(gradient)


def mutations(node):
    """Every change of the functions of a statement."""
    parts = [node] if isinstance(node, ast.FunctionDef) else [*node.value.args, *_of_rules(node)]
    for function in (each for part in parts for each in ast.walk(part)):
        if isinstance(function, (ast.FunctionDef, ast.Lambda)):
            for changed in signatures(function):
                yield with_change("elementwise", name_of(node), TREE, node, function.args, changed)
            for statement in function.body if isinstance(function, ast.FunctionDef) else [function.body]:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    continue  # a docstring
                for old in ast.walk(statement):
                    for new in changes(old):
                        yield with_change("elementwise", name_of(node), TREE, node, old, new)


def _of_rules(node):
    return [keyword.value for keyword in node.value.keywords if keyword.arg == "rules"]


def survives(mutation):
    """Whether all rows that a change touches still fit together."""
    names = dict(vars(elementwise))
    is_row = not isinstance(mutation.node, ast.FunctionDef)
    functions = [node for node in mutation.tree.body if isinstance(node, ast.FunctionDef) and name_of(node)]
    rows = [node for node in mutation.tree.body if name_of(node) and node not in functions]
    if is_row:
        rows = [mutation.node]
    else:
        rows = [node for node in rows if re.search(rf"\b{mutation.function}\b", ast.unparse(node))]
    try:
        made = made_by([*functions, *rows], names)
    except Exception:  # it cannot even be built
        return False
    assert made, f"no row uses {mutation.function}"
    return all(judged(op, names) for op in made)


@pytest.mark.parametrize("name", [name_of(node) for node in TREE.body if name_of(node)])
def test_every_change_of_a_row_is_seen(name, searches):
    (node,) = (node for node in TREE.body if name_of(node) == name)
    rows = [each for each in TREE.body if name_of(each) and not isinstance(each, ast.FunctionDef)]
    touched = [node] if node in rows else [each for each in rows if name in ast.unparse(each)]
    names = dict(vars(elementwise))
    functions = [each for each in TREE.body if isinstance(each, ast.FunctionDef) and name_of(each)]
    assert all(judged(op, names) for op in made_by([*functions, *touched], names)), "the row itself must pass"
    mutants = [mutation for mutation in mutations(node) if mutation.before != mutation.after]
    chosen = searches.sample("mutants of rows", mutants, 12)
    killed, used, survivors = 0, set(), []
    for mutation in chosen:
        if not survives(mutation):
            killed += 1
        elif proofs := proven(mutation):
            used |= proofs
        else:
            survivors.append(str(mutation))
    print(name, killed)
    assert not survivors, "\n".join(survivors)
    listed = {i for i, (_, where, _) in enumerate(EQUIVALENT) if re.fullmatch(where, name)}
    gone = listed.difference(*map(proven, mutants))
    seen = {i for i in listed - used if all_tried(i, chosen, mutants)}
    unused = [EQUIVALENT[i] for i in gone | seen if len(re.findall("[|?]", EQUIVALENT[i][1])) == 0]
    assert not unused, "a proof about a change that is seen, or that is gone"


def all_tried(i, chosen, mutants):
    """Whether all changes that a proof is about were tried."""
    return {id(each) for each in mutants if i in proven(each)} <= {id(each) for each in chosen}


def proven(mutation):
    """The places in EQUIVALENT that hold for a mutation."""
    change = f"{mutation.before} -> {mutation.after}"
    return {
        i
        for i, (_, where, changed) in enumerate(EQUIVALENT)
        if re.fullmatch(where, mutation.function) and re.fullmatch(changed, change)
    }
