"""P17: dead hyperparameters and dead optimizers are found, what is alive is not accused, and the rest is said."""

import inspect

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify import adapters, spec
from tinygrad_lr.verify.formulas import FAMILIES

ONLY = {"properties": ["P17"], "max_examples": 0}


def examined(make, claim=None, **settings):
    """The finding of P17."""
    return verify.check_optimizer(make, claim, **ONLY, **settings)["P17"]


class Momentum:
    """SGD as torch has it, whose `nesterov` is advertised and does nothing."""

    def __init__(self, params, lr=1e-3, momentum=0.0, nesterov=False):
        self.params, self.lr, self.momentum = params, lr, momentum
        self.buffers = [np.zeros_like(p) for p in params]

    def step(self, grads):
        for p, g, b in zip(self.params, grads, self.buffers, strict=True):
            if g is not None:
                b[...] = self.momentum * b + g
                p -= p.dtype.type(self.lr) * b


class Named:
    """Hyperparameters that no formula has; `foo` does nothing."""

    def __init__(self, params, learning_rate=0.1, beta1=0.9, pair=(1.0, 2.0), doubled=False, mode="a", foo=3):
        if pair[0] < 0.9:
            raise ValueError("pair begins with 0.9 or more")
        self.params, self.rate, self.beta1 = params, learning_rate * pair[0] * (1 + doubled), beta1
        self.buffers = [np.zeros_like(p) for p in params]

    def step(self, grads):
        for p, g, b in zip(self.params, grads, self.buffers, strict=True):
            if g is not None:
                b[...] = p.dtype.type(self.beta1) * b + g
                p -= p.dtype.type(self.rate) * b


class Still:
    """It does nothing at all."""

    def __init__(self, params):
        self.params = params

    def step(self, grads):
        pass


def test_an_optimizer_that_does_nothing_is_not_all_right():
    report = verify.check_optimizer(Still, max_examples=1)
    assert not report.ok and [each.property_id for each in report.failures] == ["P17"]
    assert report["P17"].where == "the gradients" and report["P17"].expected == "another result for g, -g and 0"


def test_without_hyperparameters_the_gradient_is_examined_and_the_rest_is_said():
    finding = examined(Momentum)
    assert finding.outcome == "passed" and finding.reason.startswith("not examined: hyperparameters; pass")


@pytest.mark.parametrize(
    ("claim", "settings"),
    [
        (spec("sgd", dialect="torch", momentum=0.9), {}),
        (None, {"hyperparameters": {"lr": 0.1, "momentum": 0.9, "nesterov": False}}),
    ],
)
def test_a_dead_nesterov_is_found_though_make_lacks_other_names(claim, settings):
    finding = examined(Momentum, claim, **settings)
    assert finding.outcome == "failed" and finding.where == "hyperparameter nesterov", str(finding)
    assert finding.expected == "another result for False and True"


def test_the_example_of_a_dead_hyperparameter_reproduces():
    example = examined(Momentum, spec("sgd", dialect="torch", momentum=0.9)).example
    known = set(inspect.signature(Momentum).parameters)
    assert set(example["hyperparameters"]) < known, "only what make() takes is printed"
    ends = []
    for settings in (example["hyperparameters"], example["compared_with"]):
        subject = Momentum(
            [np.array(p) for p in example["params"]], **{key: value for key, value in settings.items() if key in known}
        )
        for grads in example["gradients"]:
            subject.step([np.array(g) for g in grads])
        ends.append(subject.params[0].tolist())
    assert ends[0] == ends[1] != example["params"][0]


def test_names_that_no_formula_has_are_changed_by_their_kind():
    alive = {"learning_rate": 0.1, "beta1": 0.9, "doubled": False, "mode": "a"}
    finding = examined(Named, hyperparameters=alive)
    assert finding.outcome == "passed" and finding.reason == "not examined: mode (no other value is known)"
    finding = examined(Named, hyperparameters={**alive, "foo": 3})
    assert finding.where == "hyperparameter foo" and finding.expected == "another result for 3 and 9"
    finding = examined(Named, hyperparameters={"learning_rate": np.float32(0.1), "pair": np.array([1.0, 2.0])})
    assert finding.outcome == "passed" and finding.reason == "not examined: pair (no other value is known)"
    finding = examined(Named, hyperparameters={"pair": (1.0, 2.0)})
    assert "pair (it refuses pair = (0.75, 1.25): ValueError: pair begins with 0.9 or more)" in finding.reason


def test_what_matters_only_together_with_what_is_not_known_is_said():
    finding = examined(
        adapters.function(
            lambda params, grads, state, nesterov=False: (
                [p if g is None else p - g for p, g in zip(params, grads, strict=True)],
                state,
            )
        ),
        hyperparameters={"nesterov": False},
    )
    assert (
        finding.reason
        == "not examined: nesterov (it matters together with momentum, which make() is not known to take)"
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adam", {"weight_decay": 0.2}),
        ("adagrad", {"lr_decay": 0.5}),
        ("ftrl", {"l1": 0.5}),
        ("prodigy", {"initial_distance": 1e-3}),
        ("adam", {"betas": (0.0, 0.0)}),
        ("radam", {"betas": (0.9, 0.5)}),
        ("signsgd", {"momentum": 0.9, "weight_decay": 0.1}),
        ("rprop", {"step_sizes": (1e-3, 0.1)}),
        ("sgd", {"lr": 0.0}),
    ],
)
def test_the_formula_is_not_accused(name, settings):
    finding = examined(adapters.naive(name), spec(name, **settings))
    assert finding.outcome == "passed", str(finding)


def test_a_value_that_is_the_one_tried_is_not_accused_without_a_formula():
    assert examined(Momentum, hyperparameters={"lr": 0.5, "momentum": 0.7}).outcome == "passed"


def test_what_the_formula_does_not_react_to_is_said():
    finding = examined(adapters.naive("radam"), spec("radam", betas=(0.9, 0.5)))
    assert finding.reason == "not examined: eps, eps_placement (the formula does not react here)"


# What does nothing in a formula's own default setting, so that P17 says it was not examined.
WITHOUT_DECAY = "trust_coefficient, eps, trust_clip"  # there is no trust ratio
SMALL_DISTANCE = "weight_decay, eps_distance"  # the first estimates are so small that neither is felt
NEVER_PROJECTED = "delta, wd_ratio, cosine_form"  # of parameters of one dimension
IDLE = {
    ("lars", "timm"): WITHOUT_DECAY,
    ("lars", "torch_optimizer"): WITHOUT_DECAY,
    **{("soap", dialect): "basis_dtype" for dialect in ("paper", "authors")},
    **{("prodigy", dialect): SMALL_DISTANCE for dialect in ("paper", "authors", "optax")},
    **{("dog", dialect): "eps, weight_decay" for dialect in ("paper", "optax")},
    **{("mars", dialect): "first_form" for dialect in ("paper", "timm", "pytorch_optimizer")},
    ("dadapt_sgd", "paper"): "lr, weight_decay, growth_rate",
    ("dadapt_adagrad", "paper"): "momentum, eps, weight_decay, growth_rate, initial_accumulator_value",
    **{("dadapt_adam", dialect): "growth_rate, weighting" for dialect in ("paper", "authors")},
    ("ranger", "paper"): "centralise",
    **{("sgdp", dialect): "delta, wd_ratio, eps, cosine_form" for dialect in ("paper", "authors")},
    **{("adamp", dialect): NEVER_PROJECTED for dialect in ("paper", "authors")},
}


@pytest.mark.sampled(one_in=4, each=("name",))
@pytest.mark.parametrize(("name", "dialect"), [(name, each) for name, of in FAMILIES.items() for each in of.dialects])
def test_every_hyperparameter_of_a_formula_does_something_in_every_dialect(name, dialect):
    finding = examined(adapters.naive(name), spec(name, dialect=dialect))
    idle = IDLE.get((name, dialect))
    assert finding.outcome == "passed"
    assert finding.reason == (f"not examined: {idle} (the formula does not react here)" if idle else "")


class Forgetful(adapters.Naive):
    """Without weight decay, whatever is asked; or it refuses to have any."""

    refuses = False

    def update(self, i, g, hyperparameters):
        if self.refuses and hyperparameters["weight_decay"] == 0.2:
            raise ValueError("no decay here")
        super().update(i, g, {**hyperparameters, "weight_decay": 0.0})


def test_what_the_formula_reacts_to_must_not_be_dead_or_raise():
    finding = examined(adapters.naive("adam", Forgetful), spec("adam"))
    assert finding.where == "hyperparameter weight_decay" and finding.outcome == "failed"
    refusing = type("Refusing", (Forgetful,), {"refuses": True})
    finding = examined(adapters.naive("adam", refusing), spec("adam"))
    assert finding.outcome == "failed" and finding.actual == "it raised ValueError: no decay here"


def test_torchs_and_optaxs_are_examined_in_what_they_take():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    finding = examined(adapters.torch(torch.optim.Adam), spec("adam", dialect="torch"))
    assert finding.outcome == "passed"
    assert finding.reason == "not examined: eps_placement, amsgrad_form (it takes no such argument)"
    optax = pytest.importorskip("optax", reason="optax is not installed here (extra `peers`)")
    finding = examined(adapters.optax(optax.adam), spec("adam", dialect="optax"))
    assert finding.outcome == "passed" and "weight_decay, amsgrad" in finding.reason


def test_it_is_asked_once():
    built = []

    def make(params, lr=0.1):
        built.append(lr)
        return Momentum(params, lr)

    make.title = "counted"
    assert examined(make, hyperparameters={"lr": 0.1}).outcome == "passed"
    assert len(built) < 10, "not once for every example"
