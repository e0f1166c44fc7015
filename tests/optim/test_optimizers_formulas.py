"""Every optimizer x dialect x dtype x backend: each step, from the state it was in, lies in the formula's enclosure.

Teacher-forced: the enclosure starts from the optimizer's own parameters and state before the step, so errors neither
amplify nor hide. `hypothesis.target` drives error over bound; `pytest -s` prints the largest seen per optimizer, dtype
and backend, without subnormals, whose rounding is at its bound easily. A drawn example is a whole case
(see optimizer_cases.py).
"""

import inspect
import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st
from optimizer_cases import (
    BACKENDS,
    KINDS,
    ROWS,
    cases,
    first,
    having,
    informative,
    maker,
    raised,
    richest,
    specification,
)

from tinygrad_lr import optim
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.formulas import FORMULAS, hyperparameter_names
from tinygrad_lr.verify.properties import Case
from tinygrad_lr.verify.properties.one_step import expect_enclosed, worst_ratio
from tinygrad_lr.verify.protocol import Broken, ordinary

# the simulator's threads do not inherit numpy.errstate, and examples overflow on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

DTYPES = [np.float32, np.float64]
EXAMPLES = max(2, settings.default.max_examples // 12)
worst: dict[tuple[str, str, str], float] = defaultdict(float)


@pytest.fixture(scope="module", autouse=True)
def published_worst_cases():
    yield
    for key, ratio in sorted(worst.items()):
        print(f"\nworst error over bound: {' '.join(key)}: {ratio:.3f}", end="")


@pytest.mark.sampled(one_in=4, each=("name", "dtype", "backend"))
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "dialect", "variant"), ROWS)
def test_each_step_is_the_formula_within_the_derived_bound(name, dialect, variant, dtype, backend):
    spec, make = specification(name, dialect, variant), maker(name, dialect, backend)

    @settings(max_examples=EXAMPLES if backend != "cuda" else 2)
    @given(case=cases(spec, dtype))
    def check(case):
        ratio = worst_ratio(make, case)
        assert ratio <= 1
        target(ratio)
        if all(ordinary(g).all() for grads in case.gradients for g in grads if g is not None):
            key = (name, np.dtype(dtype).name, backend)
            worst[key] = max(worst[key], ratio)

    check()


# Units that more operations than Adam's make wider: a quotient of roots that is squared, a square of a difference, a
# second average, two steps added, an average of three points. The formula's sums of 100 squares are in float32.
WIDER = {"adadelta": 36, "adabelief": 28, "ademamix": 28, "optimistic_adam": 28, "schedule_free_adamw": 28}
WIDER |= {"lamb": 300, "lars": 300, "dog": 300, "dowg": 600, "adafactor": 1200}
WIDER |= {"muon": 24 * 45**5}  # an iteration widens by its steepest slope, a + 3 |b| s^2 + 5 c s^4 at s = 1.2


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_bounds_are_informative_on_ordinary_gradients(name):
    """Without this, an enclosure of everything would pass: on ordinary numbers it is a few units wide, with a claim."""
    spec = specification(name, None, {})
    dtype = np.dtype(informative(spec, np.float32))
    rng = np.random.default_rng(0)
    g = raised(spec, rng.normal(size=100).astype(dtype))
    theta, unit = np.zeros_like(g), np.finfo(dtype).eps / 2
    formula = enclosed(spec, dtype)
    after, state = formula.step(theta, g, formula.initial_state(theta), 1)
    for enclosure in (after, *state.values()):
        assert not enclosure.no_claim.any()
        assert ((enclosure.high - enclosure.low) <= WIDER.get(name, 24) * unit * np.abs(enclosure.middle)).all()


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_choices_of_different_dialects_together_are_the_formula(name):
    dialects = optim.OPTIMIZERS[name].dialects.values()
    choices = {
        key: [False, True] if isinstance(value, bool) else sorted({each[key] for each in dialects})
        for key, value in specification(name, None, {}).hyperparameters.items()
        if isinstance(value, (bool, str))
    }
    rng = np.random.default_rng(0)
    shape = (2, 3) if specification(name, None, {}).family.dimensions == 2 else (6,)
    params, *gradients = [[rng.normal(size=shape).astype(np.float32)] for _ in range(5)]
    for chosen in itertools.product(*choices.values()):
        spec = specification(
            name, None, {**richest(name), **having(name, eps=0.1), **dict(zip(choices, chosen, strict=True))}
        )
        assert worst_ratio(maker(name), Case(spec, params, gradients)) <= 1, spec


def test_the_worst_ratio_is_reported_and_a_wrong_step_is_refused():
    spec = specification("sgd", "article", {})
    case = Case(spec, [np.zeros(3, np.float32)], [[np.full(3, 0.3, np.float32)]])
    assert 0 < worst_ratio(maker("sgd"), case) <= 1
    wrong = specification("sgd", "article", {"lr": spec["lr"] * (1 + 1e-4)})
    with pytest.raises(Broken, match="theta after step 1 of parameter 0"):
        worst_ratio(lambda params, **_: maker("sgd")(params, **wrong.hyperparameters), case)
    empty = enclosed(spec, np.float32).lift(np.zeros(0, np.float32))
    assert expect_enclosed(empty, np.zeros(0, np.float32), "nothing") == 0


# Of a constructor's arguments, those that are no hyperparameters.
BESIDES = ("params", "dialect", "state_dtype", "adamw", "torch_options")


def test_formulas_and_optimizers_have_the_same_rows_and_hyperparameters():
    assert set(optim.OPTIMIZERS) <= set(FORMULAS)
    for name, cls in optim.OPTIMIZERS.items():
        arguments = [p for p in inspect.signature(cls).parameters if p not in BESIDES]
        assert sorted(arguments) == sorted(hyperparameter_names(name)), name
        for dialect, defaults in cls.dialects.items():
            assert set(defaults) == set(hyperparameter_names(name)), (name, dialect)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_the_formulas_defaults_are_the_first_dialect(name):
    parameters = inspect.signature(FORMULAS[name]).parameters
    for key, value in optim.OPTIMIZERS[name].dialects[first(name)].items():
        if key != "lr":
            assert parameters[key].default == value, (name, key)


def test_a_formula_that_does_not_exist_is_refused():
    with pytest.raises(KeyError):
        hyperparameter_names("adamaxx")


@settings(max_examples=EXAMPLES)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_drawn_cases_are_what_they_promise(kind, data):
    case = data.draw(cases(specification("adam", "article", {}), np.float32, (kind,)))
    for grads in case.gradients:
        for g, theta in zip(grads, case.params, strict=True):
            assert g is None or (g.shape == theta.shape and g.dtype == theta.dtype == np.float32)
            assert g is None or np.isfinite(g).all()
