"""Honest optimizers are not called wrong: evaluation orders, settings at the ends of what is allowed, long runs.

And beside each what is wrong, so that none of it passes by looking away.
"""

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.bounds.enclosure import correction_error, one_minus_power
from tinygrad_lr.verify.checks.optimizers import DEEP_EXAMPLES, EXAMPLES
from tinygrad_lr.verify.guard import guarded
from tinygrad_lr.verify.properties import PROPERTIES, Case, PropertyViolation, check_all
from tinygrad_lr.verify.search.examples import LONG, cases, long_case, sequence, steps_for
from tinygrad_lr.verify.specification import spec


def optimizer(update, *state, **defaults):
    """A maker of a rule `update(p, g, s, t, **hyperparameters)` on NumPy arrays; each parameter counts its steps."""

    class Rule:
        def __init__(self, params, **hyperparameters):
            self.params, self.settings = params, {**defaults, **hyperparameters}
            self.states = [{name: np.zeros_like(p) for name in state} for p in params]
            self.steps = [0] * len(params)

        def step(self, grads):
            for i, (p, g) in enumerate(zip(self.params, grads, strict=True)):
                if g is not None:
                    self.steps[i] += 1
                    with np.errstate(all="ignore"):
                        update(p, g, self.states[i], self.steps[i], **self.settings)

    def make(params, **hyperparameters):
        return Rule(params, **hyperparameters)

    make.takes = frozenset(defaults)
    return make


ADAM = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}


def moments(s, g, betas):
    b1, b2 = betas
    s["m"][...], s["v"][...] = b1 * s["m"] + (1 - b1) * g, b2 * s["v"] + (1 - b2) * g * g


def adam_lerp(p, g, s, t, lr, betas, eps):
    b1, b2 = betas
    s["m"] += (1 - b1) * (g - s["m"])
    s["v"] += (1 - b2) * (g * g - s["v"])
    p -= lr * (s["m"] / (1 - b1**t)) / (np.sqrt(s["v"] / (1 - b2**t)) + eps)


def hat_lerp(p, g, s, t, lr, betas, eps):
    b1, b2 = betas
    s["m"] += (g - s["m"]) * (1 - b1)
    s["v"] += (g * g - s["v"]) * (1 - b2)
    p -= (s["m"] * (lr * np.sqrt(1 - b2**t) / (1 - b1**t))) / (np.sqrt(s["v"]) + eps)


def rmsprop_lerp(p, g, s, t, lr, alpha, eps):
    s["v"] += (1 - alpha) * (g * g - s["v"])
    p -= lr * (g / np.sqrt(s["v"] + eps))


def adadelta_of_one_root(p, g, s, t, lr, rho, eps):
    s["m"][...] = rho * s["m"] + (1 - rho) * g * g
    d = g * np.sqrt((s["v"] + eps) / (s["m"] + eps))
    s["v"][...] = rho * s["v"] + (1 - rho) * d * d
    p -= lr * d


def running_product(p, g, s, t, lr, betas, eps):
    s["p1"], s["p2"] = s.get("p1", 1.0) * betas[0], s.get("p2", 1.0) * betas[1]
    moments(s, g, betas)
    p -= lr * (s["m"] / (1 - s["p1"])) / (np.sqrt(s["v"] / (1 - s["p2"])) + eps)


def decay_in_the_direction(p, g, s, t, lr, betas, eps, weight_decay):
    moments(s, g, betas)
    direction = (s["m"] / (1 - betas[0] ** t)) / (np.sqrt(s["v"] / (1 - betas[1] ** t)) + eps)
    p -= lr * (direction + weight_decay * p)


@pytest.mark.parametrize("seed", range(4))
def test_a_decay_that_is_added_to_the_direction_is_decoupled_as_any(seed):
    """As in tinygrad: the sum is rounded before the rate multiplies it."""
    make = optimizer(decay_in_the_direction, "m", "v", **ADAM, weight_decay=0.01)
    rng = np.random.default_rng(seed)
    claim = spec("adamw", dialect="torch")
    params = [rng.normal(0, 0.05, 20_000).astype(np.float32)]
    case = Case(claim, params, [[rng.normal(0, 1, 20_000).astype(np.float32)] for _ in range(2)])
    PROPERTIES["P32"](guarded(make, claim, {}), case)


ORDERS = {
    "adam": (optimizer(adam_lerp, "m", "v", **ADAM), spec("adam", dialect="torch")),
    "adam hat": (optimizer(hat_lerp, "m", "v", **ADAM), spec("adam", dialect="keras", eps=1e-8)),
    "rmsprop": (optimizer(rmsprop_lerp, "v", lr=0.01, alpha=0.99, eps=1e-8), spec("rmsprop")),
    "adadelta": (optimizer(adadelta_of_one_root, "m", "v", lr=1.0, rho=0.95, eps=1e-6), spec("adadelta")),
}


@pytest.mark.sampled(one_in=4)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ORDERS)
def test_an_order_of_evaluation_that_loses_range_is_the_formula_and_is_told_so(name, dtype):
    """g^2 overflows in v + (1 - b) (g^2 - v), or a quotient of squares underflows: P1.range, and nothing else."""
    make, claim = ORDERS[name]
    report = verify.check_optimizer(make, claim, dtype=dtype, max_examples=0)
    assert [each.property_id for each in report.failures] == ["P1.range"], str(report)
    assert report["P1"].outcome == "passed" and report["P1.range"].nearest_bug is None
    gradients = np.array([np.max(np.abs(g)) for grads in report["P1.range"].example["gradients"] for g in grads])
    limits = np.finfo(dtype)
    assert gradients.max() > limits.max**0.5 * 2.0**-20 or (gradients < limits.tiny**0.5 * 2.0**20).any()


def test_a_running_product_of_betas_is_as_good_as_a_power_on_a_long_run():
    make = optimizer(running_product, "m", "v", **ADAM)
    report = verify.check_optimizer(make, spec("adam", dialect="torch"), dtype="float64", max_examples=0)
    assert report.ok, str(report)


def adam_of(change):
    """torch's Adam whose step count is another, and whose parameter is spoilt where that is NaN."""

    def update(p, g, s, t, lr, betas, eps):
        t = change(t)
        moments(s, g, betas)
        p -= lr * (s["m"] / (1 - betas[0] ** t)) / (np.sqrt(s["v"] / (1 - betas[1] ** t)) + eps)

    return optimizer(update, "m", "v", **ADAM)


LATE = {
    "NaN from step 10 on": lambda t: t if t < 10 else np.nan,
    "the step stops at 9": lambda t: min(t, 9),
    "the step sticks at 256, in bfloat16": lambda t: min(t, 256),
}


@pytest.mark.sampled(one_in=3)
@pytest.mark.parametrize("name", LATE)
def test_what_goes_wrong_late_is_found(name):
    report = verify.check_optimizer(
        adam_of(LATE[name]), spec("adam", dialect="torch"), max_examples=0, properties=["P1"]
    )
    assert report["P1"].outcome == "failed", str(report)
    found = len(report["P1"].example["gradients"])
    assert found == 10 or (name == "the step sticks at 256, in bfloat16" and found > 256)


def test_what_goes_wrong_late_is_found_without_a_formula_where_it_is_nan():
    asked = {"hyperparameters": ADAM, "max_examples": 0, "properties": ["P2", "P12"]}
    assert verify.check_optimizer(adam_of(LATE["NaN from step 10 on"]), **asked)["P12"].outcome == "failed"
    assert verify.check_optimizer(adam_of(lambda t: t), **asked).ok


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_deep_searches_draw_long_runs_and_others_short_ones():
    assert steps_for(EXAMPLES) < 10 and steps_for(DEEP_EXAMPLES) == LONG > 256
    assert len(long_case(spec("adam"), np.float32, 0).gradients) == LONG
    lengths = {len(cases(spec("adam"), np.float32, steps=LONG).example().gradients) for _ in range(30)}
    assert max(lengths) > 12 > min(lengths)


def accused(make, claim, dtype, kinds=("normal", "constant", "geometric", "zero", "late")):
    """The properties that fail on some examples, and those that pass on some."""
    failed, passed = {}, set()
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng(number)
        params = [np.asarray(rng.normal(size=shape), dtype) for shape in ((3,), (2, 4))]
        columns = [sequence(kind, p.shape, 6, 1.0, number + i, dtype, 1e-3) for i, p in enumerate(params)]
        outcomes = check_all(
            make, Case(claim, params, [list(grads) for grads in zip(*columns, strict=True)]), own_cases=False
        )
        failed |= {key: text for key, text in outcomes.items() if text.startswith("failed")}
        passed |= {key for key, text in outcomes.items() if text == "passed"}
    return failed, passed


NEAR_ONE = [
    ("adam", {"betas": (0.9, 0.9995)}),
    ("adam", {"betas": (0.9, 0.9999)}),
    ("adam", {"betas": (0.999, 0.99999)}),
    ("adam", {"betas": (0.9, 0.99999), "amsgrad": True, "amsgrad_form": "optax"}),
    ("adamax", {"betas": (0.9999, 0.99999)}),
    ("rmsprop", {"alpha": 0.9999}),
    ("rmsprop", {"alpha": 0.99999}),
    ("adan", {"betas": (0.9999, 0.9999, 0.99999), "bias_correction": True}),
]


@pytest.mark.sampled(one_in=4, each=("name",))
@pytest.mark.parametrize(("name", "settings"), NEAR_ONE)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_betas_near_one_lose_digits_on_the_host_and_are_not_accused(name, settings, dtype):
    """1 - beta^t cancels: what that may cost is in the bounds of P21, P23 and P28."""
    placed = {"eps_placement": "outside"} if name == "adam" else {}
    failed, passed = accused(adapters.naive(name), spec(name, **{"lr": 0.01, **placed, **settings}), dtype)
    assert not failed and {"P1", "P28"} <= passed, failed


def test_torchs_betas_near_one():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    for cls, claim in (
        (torch.optim.Adam, spec("adam", dialect="torch", betas=(0.9, 0.9999))),
        (torch.optim.RMSprop, spec("rmsprop", dialect="torch", alpha=0.9999)),
        (torch.optim.SGD, spec("sgd", dialect="torch", momentum=0.9, dampening=1.0)),
    ):
        report = verify.check_optimizer(
            adapters.torch(cls), claim, dtype="float64", max_examples=0, properties=["P21", "P28", "P29", "P30"]
        )
        assert report.ok, str(report)


def test_the_hosts_error_is_a_bound_and_no_more():
    """The power within four units, or a product of t factors: in fifty digits, and narrow."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(50):
        for beta in (0.5, 0.9, 0.999, 0.9999, 0.99999):
            product = 1.0
            for t in range(1, 301):
                product *= beta
                exact, allowed = 1 - mpmath.mpf(beta) ** t, correction_error(beta, t)
                assert abs(one_minus_power(beta, t) - exact) <= 2.0**-51 * exact
                for found in (1 - beta**t, 1 - product):
                    assert abs(found - exact) <= allowed * exact
                assert allowed <= 2.0**-53 * (4 + 2.1 * max(4, t) * beta**t / float(exact))


def test_an_error_beyond_that_of_the_host_is_found():
    """A correction that is off by a thousand times what the host may lose."""

    class Wrong(adapters.Naive):
        def formula(self, spec, theta, g, state, t):
            new, after = super().formula(spec, theta, g, state, t)
            return theta + (new - theta) * (1 + 1e-7 * (t > 1)), after

    claim = spec("adam", dialect="torch", betas=(0.9, 0.9999), lr=0.01)
    case = Case(claim, [np.zeros(2)], [[np.array([1.0, -2.0])]])
    PROPERTIES["P28"](adapters.naive("adam"), case)
    with pytest.raises(PropertyViolation, match="P28 is broken"):
        PROPERTIES["P28"](adapters.naive("adam", Wrong), case)


ENDS = [
    ("sgd", {"momentum": 0.9, "dampening": 1.0, "dampen_first_step": False, "lr_placement": "outside"}),
    ("sgd", {"momentum": 0.9, "dampening": 1.0, "dampen_first_step": False}),
    ("adam", {"eps": 0.0}),
    ("adam", {"eps": 0.0, "eps_placement": "hat"}),
    ("adamw", {"eps": 0.0}),
    ("adam", {"eps_placement": "hat", "amsgrad": True, "amsgrad_form": "optax", "eps": 0.1}),
    ("adagrad", {"eps": 0.0}),
    ("rmsprop", {"eps": 0.0}),
    ("rmsprop", {"eps": 0.0, "centered": True}),
    ("adamax", {"eps": 0.0}),
    ("radam", {"eps": 0.0}),
    ("nadam", {"eps": 0.0}),
    ("lamb", {"eps": 0.0}),
    ("adabelief", {"eps": 0.0, "eps_root": 0.0}),
    ("yogi", {"eps": 0.0, "initial_accumulator_value": 0.0}),
]


@pytest.mark.sampled(one_in=4)
@pytest.mark.parametrize(("name", "settings"), ENDS)
def test_settings_at_their_ends_are_not_accused(name, settings):
    """Epsilon 0 is 0/0 where no gradient has come yet: in the formula itself, which P11, P12 and P32 must allow."""
    claim = spec(name, **{"lr": 0.1, **settings})
    failed, passed = accused(adapters.naive(name), claim, "float32")
    assert not failed and {"P1", "P11"} <= passed, failed
    assert claim.undefined_at_zero == (settings.get("eps") == 0.0) == ("P12" not in passed)
    assert not spec(name).undefined_at_zero


def test_with_epsilon_0_a_rate_of_0_that_moves_theta_is_still_found():
    class Moves(adapters.Naive):
        def formula(self, spec, theta, g, state, t):
            return super().formula(spec.having(lr=max(spec["lr"], 0.01)), theta, g, state, t)

    report = verify.check_optimizer(
        adapters.naive("adam", Moves), spec("adam", eps=0.0), max_examples=0, properties=["P11"]
    )
    assert report["P11"].outcome == "failed"


class Lingering(adapters.Naive):
    """A first moment that beta1 = 0 does not switch off."""

    def formula(self, spec, theta, g, state, t):
        betas = max(spec["betas"][0], 0.01), spec["betas"][1]
        return super().formula(spec.having(betas=betas), theta, g, state, t)


@pytest.mark.parametrize(("kind", "outcome"), [(adapters.Naive, "passed"), (Lingering, "failed")])
def test_p30_speaks_about_an_adamw_that_cannot_be_told_to_couple_its_decay(kind, outcome):
    def external(params, **settings):
        return adapters.naive("adamw", kind)(
            params, **{**settings, "decoupled_weight_decay": True, "eps_placement": "outside"}
        )

    external.takes = frozenset({"lr", "betas", "eps", "weight_decay"})
    report = verify.check_optimizer(external, spec("adamw", dialect="torch"), max_examples=0, properties=["P30"])
    assert report["P30"].outcome == outcome, str(report)
