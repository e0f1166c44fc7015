"""Specifications: printed lines are the formulas, formulas are torch's under torch's dialect, rows are whole."""

import inspect

import numpy as np
import pytest
from optimizer_cases import sequence

from tinygrad_lr import optim
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.bounds.oracle import Oracle
from tinygrad_lr.verify.formulas import FAMILIES, FORMULAS
from tinygrad_lr.verify.language.latex import line_as_latex
from tinygrad_lr.verify.language.notation import evaluate, parse
from tinygrad_lr.verify.properties import PROPERTIES, Case, PropertyViolation, check_all
from tinygrad_lr.verify.properties.liveness import CHOICES, EPS_PLACEMENTS, LIVENESS
from tinygrad_lr.verify.search.examples import pad_shape
from tinygrad_lr.verify.specification import Specification, spec

OPTIONS = {
    "momentum": (0.0, 0.9),
    "dampening": (0.0, 0.3),
    "nesterov": (False, True),
    "maximize": (False, True),
    "weight_decay": (0.0, 0.1),
    "centered": (False, True),
    "amsgrad": (False, True),
    "lr_decay": (0.0, 0.1),
    "decoupled_weight_decay": (False, True),
    "lr_placement": ("inside", "outside"),
    "dampen_first_step": (False, True),
    "amsgrad_form": ("paper", "torch", "optax"),
    "mu_form": ("paper", "torch", "constant"),
    "bias_correction": (False, True),
    "decay_form": ("proximal", "decoupled"),
    "decay_placement": ("inside", "outside"),
    "trust_form": ("paper", "optax"),
    "backtracking": (False, True),
    "initial_accumulator_value": (0.0, 0.3),
    "eps_root": (0.0, 1e-3),
    "t0": (-1.0, 3.0),
    "lambd": (0.0, 0.2),
    "floor_form": ("added", "clamped"),
    "relative_step": (True, False),
    "l1": (0.0, 0.3),
    "l2": (0.0, 0.3),
    "l2_form": ("paper", "doubled"),
    "min_norm": (0.0, 3.0),
    "correction_form": ("rate", "moment"),
    "first_form": ("zero", "same"),
    "momentum_form": ("average", "sum", "corrected"),
    "adjust_lr_fn": ("original", "columns", "match_rms_adamw"),
    "eps_in_rate": (False, True),
}

ROWS = [(name, dialect) for name in FORMULAS for dialect in FAMILIES[name].dialects]


def variants(name, count):
    """Every dialect, and settings drawn from all options."""
    yield from (spec(name, dialect=dialect) for dialect in FAMILIES[name].dialects)
    rng = np.random.default_rng(len(name))
    family = FAMILIES[name]
    options = {key: values for key, values in OPTIONS.items() if key in family.defaults}
    own = {key: (family.settings()[key], other) for key, (_, other) in family.matters.items() if other is not None}
    options |= {key: values for key, values in {**own, **family.choices}.items() if key not in ("lr", "eps")}
    if "eps_placement" in family.defaults and "eps_placement" not in family.choices:
        options["eps_placement"] = EPS_PLACEMENTS.get(name, ("inside", "outside"))
    for _ in range(count):
        chosen = {key: values[rng.integers(len(values))] for key, values in options.items()}
        yield spec(name, lr=0.1, **({"eps": 1e-2} if "eps" in FAMILIES[name].defaults else {}), **chosen)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_printed_lines_are_the_formula(name, searches):
    follow_lines(name, count=searches.choose(40, 8))


def follow_lines(name, count):
    """Some steps by the printed lines and by the formula."""
    rng = np.random.default_rng(1)
    shape = (5,) if len(FAMILIES[name].example_shape or ()) < 2 else (3, 2)
    start, gradients = rng.normal(size=shape), rng.normal(size=(9, *shape)) * 10.0 ** rng.integers(-2, 2, size=shape)
    for specification in variants(name, count):
        theta, state = start, specification.initial_state(start)
        history = specification.worked_steps(start, gradients)
        for t, (g, values) in enumerate(zip(gradients, history, strict=True), start=1):
            with np.errstate(all="ignore"):
                theta, state = specification.step(theta, g, state, t)
            assert set(state) == set(specification.state_keys(start))
            what = f"{specification.hyperparameters}, step {t}: {specification.lines()}"
            np.testing.assert_allclose(values["theta"], theta, rtol=1e-9, atol=1e-12, err_msg=what)
            for key, value in state.items():
                symbol = FAMILIES[name].symbols[key]
                if symbol not in values:
                    stays = symbol.endswith("_0") or np.array_equal(value, specification.initial_state(start)[key])
                    assert stays, "every state but one that stays is written by a line"
                    continue
                printed = values[symbol]
                np.testing.assert_allclose(printed, value, rtol=1e-9, atol=1e-12, err_msg=f"{key}: {what}")


@pytest.mark.parametrize("name", FORMULAS)
def test_rows_are_whole(name):
    family = FAMILIES[name]
    assert family.name == name and family.formula is FORMULAS[name]
    assert family.source and inspect.getdoc(family.formula).startswith(family.title[:4]) or name in ("sgd", "asgd")
    for dialect, changes in family.dialects.items():
        assert set(changes) <= set(family.defaults) and "lr" in changes, dialect
        specification = spec(name, dialect=dialect)
        assert specification.dialect == dialect and set(specification.hyperparameters) == set(family.defaults)
        assert all("\\" in line or len(line) < 30 for line in specification.latex())
    assert set(family.remarks) <= set(family.dialects) and set(family.exempt) <= set(PROPERTIES)
    for option in family.defaults:
        assert option in {**LIVENESS, **family.matters, **family.choices}, f"P17 must know what to change {option} to"
        if isinstance(family.defaults[option], str):
            assert option in {**CHOICES, **family.choices} or option == "eps_placement", option


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_dialects_are_those_of_the_package(name):
    """Declared twice and independently: the checks must work without the kernels."""
    for dialect, settings in optim.OPTIMIZERS[name].dialects.items():
        assert spec(name, dialect=dialect).hyperparameters == settings, dialect
    assert set(FAMILIES[name].dialects) - set(optim.OPTIMIZERS[name].dialects) <= {"paper"}


def test_the_papers_adamw_multiplies_the_decay_by_no_rate():
    """Loshchilov & Hutter, Algorithm 2: theta - eta_t (alpha m^ / (sqrt(v^) + eps) + lambda theta), with eta_t = 1."""
    paper = spec("adamw", dialect="paper", lr=0.5, weight_decay=0.25)
    assert paper.lines()[0] == "theta <- (1 - lambda) theta" and paper.latex()[0].count("lambda") == 1
    theta, _ = paper.step(2.0, 0.0, paper.initial_state(0.0), 1)
    assert theta == 2.0 * (1 - 0.25)
    for dialect in ("article", "torch", "optax", "keras"):
        other = spec("adamw", dialect=dialect, lr=0.5, weight_decay=0.25)
        assert other.lines()[0] == "theta <- (1 - lr lambda) theta"
        assert other.step(2.0, 0.0, other.initial_state(0.0), 1)[0] == 2.0 * (1 - 0.125)
        assert "as the paper does not" in other.family.remarks[dialect]
    torch_decay = spec("adamw", dialect="torch")
    assert spec("adamw", dialect="paper")["weight_decay"] == torch_decay["lr"] * torch_decay["weight_decay"]
    case = Case(paper, [np.array([1.0, -2.0])], [[np.array([0.5, 1.0])], [np.array([0.1, -1.0])]])
    PROPERTIES["P32"](adapters.naive("adamw"), case)
    with pytest.raises(PropertyViolation, match="P32 is broken"):
        PROPERTIES["P32"](
            lambda params, **h: adapters.naive("adamw")(params, **{**h, "decoupled_weight_decay": True}), case
        )


def test_the_papers_adagrad_has_its_delta_outside_the_root():
    """Duchi, Hazan & Singer, Figure 1: delta I + diag(s), s the root of the sum of squares."""
    assert spec("adagrad", dialect="paper").lines()[-1] == "theta <- theta - lr g / (sqrt(s) + eps)"
    assert spec("adagrad").lines()[-1] == "theta <- theta - lr g / sqrt(s + eps)"


def test_the_papers_adan_starts_from_the_first_gradients():
    """m_0 = g_0, v_0 = 0, v_1 = g_1 - g_0, n_0 = g_0^2 (arXiv:2208.06677, Algorithm 1)."""
    adan = spec("adan", dialect="paper")
    b1, b2, b3 = adan["betas"]
    state, (g0, g1, g2) = adan.initial_state(0.0), (1.0, 3.0, 2.0)
    _, state = adan.step(0.0, g0, state, 1)
    assert (state["exp_avg"], state["exp_avg_diff"], state["exp_avg_sq"]) == (g0, 0.0, g0**2)
    _, state = adan.step(0.0, g1, state, 2)
    assert state["exp_avg_diff"] == g1 - g0 and state["exp_avg"] == b1 * g0 + (1 - b1) * g1
    assert state["exp_avg_sq"] == b3 * g0**2 + (1 - b3) * (g1 + b2 * (g1 - g0)) ** 2
    _, state = adan.step(0.0, g2, state, 3)
    assert state["exp_avg_diff"] == b2 * (g1 - g0) + (1 - b2) * (g2 - g1)


def test_where_the_authors_code_is_another_rule_than_the_paper():
    """By hand: the place of SophiaG's batch size, the weights of Schedule-Free descent, AdaNorm's epsilon."""
    sophia, g = spec("sophiag", batch_size=4.0, rho=0.5, eps=0.1, lr=0.1, weight_decay=0.0, betas=(0.0, 0.5)), 3.0
    theta, state = sophia.step(0.0, g, sophia.initial_state(0.0), 1)
    assert (theta, state["hessian"]) == (-0.1 * (3 / 9.0), 0.5 * 4 * 9)
    theta, state = sophia.having(floor_form="added").step(0.0, g, sophia.initial_state(0.0), 1)
    assert (theta, state["hessian"]) == (-0.1 * (3 / (0.5 * 4 * 4.5 + 0.1)), 4.5)
    paper = spec("sophiag")
    assert (paper["rho"], paper["weight_decay"], spec("sophiag", dialect="authors")["batch_size"]) == (0.05, 0.2, 5120)

    for dialect, sums in (("paper", (4.0, 5.0)), ("authors", (4.0, 8.0)), ("optax", (4.0, 8.0))):
        for name in ("schedule_free_sgd", "schedule_free_adamw"):
            if (name, dialect) == ("schedule_free_adamw", "paper"):
                continue  # whose rate is corrected
            first = spec(name, dialect=dialect, lr=2.0)
            theta, state = first.step(1.0, 0.5, first.initial_state(1.0), 1)
            _, after = first.having(lr=1.0).step(theta, 0.5, state, 2)
            assert (state["weight_sum"], after["weight_sum"]) == sums, (name, dialect)

    pid = spec("pid", dialect="authors", lr=1.0, momentum=0.5, integral=0.0, derivative=1.0)
    first, state = pid.step(0.0, 2.0, pid.initial_state(0.0), 1)
    assert (first, pid.step(first, 2.0, state, 2)[0]) == (-2.0, -2.0 - (2.0 + 0.5 * 2.0)), (
        "it forgets the first gradient"
    )
    pid = pid.having(keeps_first=True)
    _, state = pid.step(0.0, 2.0, pid.initial_state(0.0), 1)
    assert pid.step(first, 2.0, state, 2)[0] == -4.0

    theta, g = np.array([[3.0, 4.0]]), np.array([[0.0, 1.0]])  # the cosine is 4 / 5, or 4 / (5 max(1, eps))
    for form, cosine in (("added", 4 / (5 + 1.5) / (1 + 1.5)), ("clamped", 4 / 5 / 1.5)):
        for delta, projects in ((cosine * 1.01 * np.sqrt(2), True), (cosine * 0.99 * np.sqrt(2), False)):
            sgdp = spec("sgdp", lr=1.0, momentum=0.0, eps=1.5, delta=delta, cosine_form=form)
            after, _ = sgdp.step(theta, g, sgdp.initial_state(theta), 1)
            assert (not np.allclose(after, theta - g)) == projects, (form, delta)

    norm = spec("adamnorm", dialect="authors", eps=0.5, betas=(0.0, 0.5), gamma=0.0, lr=1.0)
    _, state = norm.step(0.0, 2.0, norm.initial_state(0.0), 1)
    assert state["exp_avg_sq"] == 0.5 * 4 + 0.5
    assert norm.step(0.0, 2.0, state, 2)[1]["exp_avg_sq"] == 0.5 * 2.5 + 0.5 * 4 + 0.5


OFF = {"weight_decay": 0.0}
SAME = {  # a rule in settings in which it is another: what the papers say of their own
    "QHM with nu = 0 is gradient descent": (("qhm", {"nu": 0.0}), ("sgd", {})),
    "QHAdam with nu = 1 is Adam": (("qhadam", {"nus": (1.0, 1.0)}), ("adam", {"betas": (0.995, 0.999)})),
    "AggMo of one momentum is it": (("aggmo", {"betas": (0.9,)}), ("sgd", {"momentum": 0.9})),
    "AdaMod that remembers nothing is Adam": (("adamod", {"betas": (0.9, 0.999, 0.0)}), ("adam", {})),
    "MARS without a difference is Adam": (("mars", {"gamma": 0.0, "betas": (0.9, 0.999)}), ("adam", {})),
    "AdaNorm that remembers nothing is Adam": (("adamnorm", {"gamma": 0.0}), ("adam", {})),
    "LaProp without momentum is Adam": (
        ("laprop", {"betas": (0.0, 0.999), "eps": 1e-8}),
        ("adam", {"betas": (0.0, 0.999)}),
    ),
    "LaProp's two corrections are one": (("laprop", {"correction_form": "rate"}), ("laprop", {})),
    "Ranger whose slow weights wait is RAdam": (
        ("ranger", {"update_period": 99, "centralise": False}),
        ("radam", {"betas": (0.95, 0.999), "eps": 1e-5, "eps_placement": "hat", "threshold": 5.0}),
    ),
    "Lookahead that follows all the way is its inner rule": (("lookahead", {"alpha": 1.0}), ("sgd", {"momentum": 0.9})),
    "SGDP of a vector is momentum": (("sgdp", {}), ("sgd", {"momentum": 0.9})),
    "AdamP of a vector is Adam": (("adamp", {}), ("adam", {})),
    "SophiaG that is clipped everywhere is signum": (
        ("sophiag", {"rho": 0.0, "eps": 1e-30, "betas": (0.9, 0.99)}),
        ("signsgd", {"momentum": 0.9}),
    ),
    "CAME of a vector without momentum is clipped RMSprop": (
        ("came", {"betas": (0.0, 0.99, 0.0), "clip_threshold": 1e9}),
        ("rmsprop", {"alpha": 0.99, "eps": 0.0}),
    ),
    "LAMB that does not adapt is Adam": (("lamb", {"always_adapt": False, "eps": 1e-8}), ("adam", {})),
    "LARS clipped to 1 is momentum": (
        ("lars", {"trust_clip": True, "trust_coefficient": 1e9, "lr_placement": "outside"}),
        ("sgd", {"momentum": 0.9}),
    ),
}


@pytest.mark.parametrize("which", SAME)
def test_a_rule_in_which_a_part_is_off_is_the_simpler_rule(which):
    rng = np.random.default_rng(5)
    theta, gradients = rng.normal(size=4), 0.1 * rng.normal(size=(7, 4))
    ends = []
    for name, changes in SAME[which]:
        outside = {"eps_placement": "outside"} if name in ("adam", "rmsprop") else {}
        outside |= {"lr_placement": "outside"} if name == "sgd" else {}
        decay = OFF if "weight_decay" in FAMILIES[name].defaults else {}
        rule = spec(name, **{"lr": 0.1, **decay, **outside, **changes})
        at, state = theta, rule.initial_state(theta if rule.family.initial else 0 * theta)
        for t, g in enumerate(gradients, start=1):
            at, state = rule.step(at, g, state, t)
        ends.append(at)
    np.testing.assert_allclose(*ends, rtol=1e-7, atol=1e-9)
    assert np.abs(ends[0] - theta).max() > 1e-3


def test_a_wrong_line_is_seen(monkeypatch):
    wrong = [line.replace("beta2 v", "beta1 v") for line in spec("adam").lines()]
    monkeypatch.setattr(Specification, "lines", lambda self: wrong)
    with pytest.raises(AssertionError, match="step 2"):
        follow_lines("adam", count=40)


def test_unknown_names_are_refused_with_suggestions():
    with pytest.raises(ValueError, match="did you mean 'adam'"):
        spec("adamm")
    with pytest.raises(ValueError, match="has the dialects article, torch, optax, keras, paper, got 'jax'"):
        spec("adam", dialect="jax")
    with pytest.raises(ValueError, match="no hyperparameter"):
        spec("adam", beta=0.9)
    with pytest.raises(KeyError, match="needs a value for 'lr'"):
        Specification("adam")["lr"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("m + g", "expected 'name"),
        ("m <- (g", "expected '\\)'"),
        ("m <- g )", "unexpected"),
        ("m <- $", "cannot read"),
        ("m <- g if t else 2", "expected one of"),
        ("m <- +", "expected a number"),
    ],
)
def test_the_language_of_the_lines_refuses_what_it_cannot_read(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value", "latex"),
    [
        ("y = 2 x^2 / 4 x", 13.5, r"y = \frac{2 \, x^{2}}{4} \, x"),
        ("y = -x + 1", -2.0, "y = -x + 1"),
        ("y = (x if x > 2 else 0)", 3.0, r"y = \begin{cases} x & x > 2 \\ 0 & \text{else} \end{cases}"),
        ("m^ = max(x, 5) - abs(x)", 2.0, r"\hat{m} = \max\left(x, 5\right) - \left|x\right|"),
        ("rho_inf = sqrt(norm(x) + 1)", 2.0, r"\rho_{\infty} = \sqrt{\left\|x\right\| + 1}"),
        ("y = (x - 1)^2 sign(x)", 4.0, r"y = \left(x - 1\right)^{2} \, \mathrm{sign}\left(x\right)"),
    ],
)
def test_lines_are_evaluated_and_set_in_latex(text, value, latex):
    assert evaluate(parse(text).expression, {"x": 3.0}) == value
    assert line_as_latex(text) == latex


@pytest.mark.sampled(one_in=9)
@pytest.mark.parametrize("kind", ["normal", "flip", "late"])
@pytest.mark.parametrize(("name", "dialect"), ROWS)
def test_the_formula_itself_has_every_property_that_applies(name, dialect, kind):
    """No false alarm: each declared variant passes under its own dialect, or says why a property does not apply."""
    specification = spec(name, dialect=dialect)
    rng = np.random.default_rng(3)
    family = FAMILIES[name]
    shapes = [pad_shape(shape, family.dimensions) for shape in ([(2, 4)] if family.coupled else [(3,), (), (2, 4)])]
    params = [
        np.asarray(size * rng.normal(size=shape), np.float32) for shape, size in zip(shapes, (0, 1, 100), strict=False)
    ]
    columns = [sequence(kind, shape, 4, 2.0 ** (3 * i - 2), i, np.float32, 1e-8) for i, shape in enumerate(shapes)]
    case = Case(specification, params, [list(grads) for grads in zip(*columns, strict=True)])
    outcomes = check_all(adapters.naive(name), case, own_cases=False)
    assert {key: text for key, text in outcomes.items() if text.startswith("failed")} == {}
    passed = [key for key, text in outcomes.items() if text == "passed"]
    assert len(passed) + len(family.exempt) >= 16, outcomes


WRONG = {
    "P20": ("yogi", lambda v, g: {"exp_avg_sq": v["exp_avg_sq"] ** 2}),
    "P22": ("lion", lambda v, g: {}),
    "P23": ("adamax", lambda v, g: {"exp_inf": 0.5 * np.abs(g)}),
    "P24": ("adabelief", lambda v, g: {"exp_avg_var": -v["exp_avg_var"]}),
    "P27": ("rprop", lambda v, g: {}),
    "P28": ("adan", lambda v, g: {"exp_avg": 0.9 * v["exp_avg"]}),
    "P29": ("radam", lambda v, g: {"exp_avg": 0.9 * v["exp_avg"]}),
}


@pytest.mark.parametrize("property_id", WRONG)
def test_the_checks_that_now_speak_about_more_optimizers_find_a_wrong_one(property_id):
    name, change = WRONG[property_id]

    class Wrong(adapters.Naive):
        def formula(self, spec, theta, g, state, t):
            after, state = super().formula(spec, theta, g, state, t)
            state |= change(state, g)
            if property_id in ("P22", "P27"):  # a step twice as long
                return after + (after - theta), state
            if property_id == "P23":
                return theta - spec["lr"] * state["exp_avg"] / (1 - spec["betas"][0] ** t) / state["exp_inf"], state
            return after, state

    gradients = [[np.array([0.5, -2.0, 1.0]) * (1 + t)] for t in range(4)]
    case = Case(spec(name), [np.zeros(3)], gradients)
    PROPERTIES[property_id](adapters.naive(name), case)
    with pytest.raises(PropertyViolation, match=f"{property_id} is broken"):
        PROPERTIES[property_id](adapters.naive(name, Wrong), case)


# torch's optimizers under torch's dialect
TORCH = [
    ("adadelta", "Adadelta", {}),
    ("adadelta", "Adadelta", {"lr": 0.3, "weight_decay": 0.1, "maximize": True}),
    ("adamax", "Adamax", {}),
    ("adamax", "Adamax", {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("nadam", "NAdam", {}),
    ("nadam", "NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "momentum_decay": 0.1}),
    ("radam", "RAdam", {}),
    ("radam", "RAdam", {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "maximize": True}),
    ("rprop", "Rprop", {}),
    ("rprop", "Rprop", {"etas": (0.4, 1.5), "step_sizes": (1e-3, 0.1), "maximize": True}),
    ("asgd", "ASGD", {}),
    ("asgd", "ASGD", {"lambd": 0.1, "t0": 5.0, "weight_decay": 0.1}),
    ("sgd", "SGD", {"momentum": 0.9, "nesterov": True}),
    ("rmsprop", "RMSprop", {"centered": True, "momentum": 0.5}),
]


@pytest.mark.parametrize(("name", "cls", "changes"), TORCH)
def test_torchs_optimizers_lie_inside_the_enclosure_of_torchs_dialect(name, cls, changes):
    """In float64, from torch's own state before each step, each operation given two roundings (lerp, addcdiv)."""
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    rng = np.random.default_rng(2)
    start = rng.normal(size=6)
    theta = torch.tensor(start, requires_grad=True)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam and ASGD keep scalars in the default dtype: float32 is 1e-8 off
    try:
        specification = spec(name, dialect="torch", **changes)
        optimizer = getattr(torch.optim, cls)([theta], **changes)
        formula = enclosed(specification, np.float64, roundings=2.0)
        state = formula.initial_state(start)
        for t in range(1, 31):
            before, g = theta.detach().numpy().copy(), rng.normal(size=6) * 10.0 ** rng.integers(-2, 3)
            theta.grad = torch.tensor(g)
            optimizer.step()
            expected, after = formula.step(before, g, state, t)
            assert not expected.no_claim.any()
            assert expected.contains(theta.detach().numpy()).all(), (t, expected.ratio(theta.detach().numpy()))
            theirs = optimizer.state[theta]
            for key, enclosure in after.items():
                assert enclosure.contains(theirs[key].numpy()).all(), (t, key, enclosure, theirs[key])
            state = {key: theirs[key].numpy().copy() for key in after}
            width = np.max((expected.high - expected.low) / np.maximum(np.abs(expected.middle), 1e-3))
            assert width < 1e-9, "the enclosure says something"
    finally:
        torch.set_default_dtype(default)


@pytest.mark.parametrize(("name", "dialect"), ROWS)
def test_the_oracle_in_fifty_digits_lies_inside_the_enclosure_of_float64(name, dialect):
    """The oracle and the float64 formula from the same state: the bound holds both, and is narrow."""
    specification = spec(name, dialect=dialect)
    oracle, formula = Oracle(specification), enclosed(specification, np.float64)
    rng = np.random.default_rng(4)
    theta = rng.normal(size=(2, 2))
    state = specification.initial_state(theta if FAMILIES[name].initial else np.zeros((2, 2)))
    for t in range(1, 9):
        g = rng.normal(size=(2, 2)) * 10.0 ** rng.integers(-2, 3)
        exact, exact_state = oracle.step(theta, g, state, t)
        enclosure, enclosed_state = formula.step(theta, g, state, t)
        theta, state = specification.step(theta, g, state, t)
        for bound, true, value in [
            (enclosure, exact, theta),
            *((enclosed_state[key], exact_state[key], state[key]) for key in state),
        ]:
            assert bound.contains(oracle.nearest(true)).all() and bound.contains(value).all(), t
            np.testing.assert_allclose(value, oracle.nearest(true), rtol=1e-9, atol=1e-13)
            narrow = 1e-9 if FAMILIES[name].narrow_in[0] == "float32" else 1e-6
            narrow = 0.1 if specification.settings.get("basis_dtype") == "float32" else narrow
            assert np.max((bound.high - bound.low) / np.maximum(np.abs(bound.middle), 1e-2)) < narrow


def test_the_oracle_sees_an_error_of_two_units_in_the_last_place():
    oracle = Oracle(spec("adam", lr=0.1))
    theta, g = np.zeros(1), np.array([0.3])
    exact, _ = oracle.step(theta, g, oracle.spec.initial_state(theta), 1)
    assert abs(float(exact[0] - oracle.lift(oracle.nearest(exact))[0])) <= 2.0**-53 * 0.1
    assert float(exact[0]) != float(exact[0]) * (1 + 2.0**-51)


def wrong_in_optax(reason):
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)


OPTAX = [
    ("adadelta", "adadelta", {"lr": 0.5, "weight_decay": 0.1}, {}),
    ("adamax", "adamax", {"lr": 0.1}, {}),
    ("nadam", "nadam", {"lr": 0.1}, {}),
    ("radam", "radam", {"lr": 0.1}, {}),
    ("lion", "lion", {"lr": 0.1, "weight_decay": 0.1}, {}),
    ("signsgd", "sign_sgd", {"lr": 0.1}, {}),
    ("signsgd", "signum", {"lr": 0.1, "momentum": 0.8}, {"momentum": "beta"}),
    ("adabelief", "adabelief", {"lr": 0.1}, {}),
    ("lamb", "lamb", {"lr": 0.1, "weight_decay": 0.1}, {}),
    ("lars", "lars", {"lr": 0.1, "weight_decay": 0.1}, {}),
    pytest.param("adan", "adan", {"lr": 0.1}, {}, marks=wrong_in_optax("optax issue 1715")),
    pytest.param("rprop", "rprop", {"lr": 0.1}, {}, marks=wrong_in_optax("optax issue 1725")),
    pytest.param("yogi", "yogi", {"lr": 0.1}, {}, marks=wrong_in_optax("m starts at 1e-6")),
]


@pytest.mark.parametrize(("name", "factory", "settings", "names"), OPTAX)
def test_optaxs_optimizers_lie_inside_the_enclosure_of_optaxs_dialect(name, factory, settings, names):
    """Free runs in float64. The three known wrong rules of optax 0.2.8 fall outside, so the bound says something."""
    optax = pytest.importorskip("optax", reason="optax is not installed here (extra `peers`)")
    import jax

    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), rng.normal(size=(10, 5)) * 10.0 ** rng.integers(-1, 2, size=(10, 1))
    with jax.enable_x64(True):
        renamed = {names.get(key, key): value for key, value in settings.items() if key != "lr"}
        transformation = getattr(optax, factory)(settings["lr"], **renamed)
        params = jax.numpy.asarray(start)
        state = transformation.init(params)
        for g in gradients:
            updates, state = transformation.update(jax.numpy.asarray(g), state, params)
            params = optax.apply_updates(params, updates)
        theirs = np.asarray(params)
    assert theirs.dtype == np.float64
    formula = enclosed(spec(name, dialect="optax", **settings), np.float64, roundings=2.0)
    theta, _ = formula.free_run(start, list(gradients))
    assert np.max(theta.high - theta.low) < 1e-9
    assert theta.contains(theirs).all(), theta.ratio(theirs)
