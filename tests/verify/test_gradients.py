"""check_gradients: P0, P44 to P49 and P2, on functions of Tensors and of arrays; each finds a wrong gradient."""

import numpy as np
import pytest

from tinygrad_lr import GradcheckError, Tensor, verify
from tinygrad_lr.engine.gradcheck import first_mismatch
from tinygrad_lr.verify.mutants import GRADIENT_MUTANTS
from tinygrad_lr.verify.properties import gradients as properties
from tinygrad_lr.verify.search.diagnose import nearest_wrong_gradient


def test_a_tensor_function():
    report = verify.check_gradients(lambda x, y: (x * y).tanh().sum(), [1.0, 2.0], [0.3, -0.2])
    ids = ["P0", "P44", "P45", "P46", "P47", "P48", "P49", "P2"]
    assert report.ok and [each.property_id for each in report.findings] == ids


def test_a_numpy_function():
    report = verify.check_gradients(
        lambda x, w: float(x @ w), [1.0, 2.0], [3.0, 4.0], gradient=lambda x, w: (w.copy(), x.copy())
    )
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("gradient", "property_id"),
    [
        (lambda x: 2.01 * x, "P44"),
        (lambda x: (2 * x).astype(np.float32), "P46"),
        (lambda x: [2 * x, 2 * x], "P46"),
        (lambda x: 2 * x * (1 + 1e-3 * np.random.default_rng().normal()), "P2"),
    ],
)
def test_a_wrong_gradient_is_found(gradient, property_id):
    report = verify.check_gradients(lambda x: float((x * x).sum()), [1.0, 2.0], gradient=gradient)
    assert report[property_id].outcome in ("failed", "error"), str(report)
    assert not report.ok


def test_bad_usage():
    with pytest.raises(TypeError, match="must be callable"):
        verify.check_gradients(3, 1.0)
    with pytest.raises(ValueError, match="needs inputs"):
        verify.check_gradients(lambda: 0)


def test_the_graphs_properties_hold_and_a_kink_is_declared():
    report = verify.check_gradients(lambda x, y: (x * y + x.tanh()).sum(), [1.0, -2.0], [[0.5, 3.0], [1.0, 2.0]])
    outcomes = {each.property_id: each.outcome for each in report.findings}
    assert outcomes == {key: "passed" for key in ("P0", "P44", "P45", "P46", "P47", "P48", "P2")} | {
        "P49": "not applicable"
    }
    kink = verify.check_gradients(lambda x: x.relu().sum(), [0.0, 1.0], declared=[[0.5, 1.0]])
    assert kink["P49"].outcome == "failed" and kink["P44"].outcome == "not applicable"
    arrays = verify.check_gradients(lambda x: float((x**2).sum()), [1.0], gradient=lambda x: 2 * x)
    assert arrays.ok and arrays["P47"].outcome == "not applicable"


class Wrong(Tensor):
    """A result whose backward is wrong in the way that `how` says."""

    def __init__(self, x, how, factor=1.0):
        super().__init__(x.numpy() ** 2)
        self.source, self.how, self.factor, self.times = x, how, factor, 0

    def __add__(self, other):
        if self.how == "P47":
            return self  # forgets that it was used twice
        return Wrong(self.source, self.how, self.factor + other.factor)

    def __mul__(self, factor):
        return Wrong(self.source, self.how, self.factor * factor)

    def reshape(self, shape):
        return self

    def backward(self, v, retain_graph=False):
        if self.times and self.how != "freed":
            raise RuntimeError("freed")
        self.times += not retain_graph
        g = self.factor * 2 * self.source.numpy() * v
        if self.how == "P45":
            g = g * np.abs(v)
        old = self.source.grad
        self.source.grad = g if old is None or self.how == "overwrites" else old + g


@pytest.mark.parametrize(
    ("how", "property_id"), [("P45", "P45"), ("P47", "P47"), ("overwrites", "P48"), ("freed", "P48")]
)
def test_a_wrong_graph_is_found(how, property_id):
    report = verify.check_gradients(lambda x: Wrong(x, how), [1.0, 2.0])
    assert report[property_id].outcome == "failed", str(report)


USES = {
    "twice": lambda x: x * 2.0,
    "through a view": lambda x: x.reshape((-1,)) * 1.0,
    "an input cut from its view": lambda x: x.reshape((-1,)).reshape(x.shape),
}


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
@pytest.mark.parametrize("use", USES)
def test_ours_keep_their_bits_through_diamonds_and_views(use, shape):
    x = np.random.default_rng(0).normal(size=shape)
    report = verify.check_gradients(lambda t: (USES[use](t) * t.reshape(USES[use](t).shape)).tanh(), x)
    assert report.ok and report["P47"].outcome == "passed", str(report)


def test_views_that_lose_a_gradient_are_found(monkeypatch):
    lost = {"a view of it": lambda x: x.detach().requires_grad_()}
    monkeypatch.setattr(properties, "DISGUISES", lost)
    finding = verify.check_gradients(lambda x: (x * x).sum(), [1.0, 2.0])["P47"]
    assert finding.outcome == "failed" and "where each input is a view of it" in finding.reason


@pytest.mark.parametrize("fn", [lambda a, b: a.maximum(b).sum(), lambda a, b: a.maximum(b).tanh()])
def test_ties_share_out_what_they_have_together(fn):
    a, b = [1.0, 2.0], [1.0, 0.5]
    honest = verify.check_gradients(fn, a, b)
    assert honest.ok, str(honest)
    gradients = [[0.5, 1.0], [0.5, 0.0]]
    assert verify.check_gradients(lambda a, b: a.maximum(b).sum(), a, b, declared=gradients).ok


def greater(a, b):
    return float(np.maximum(a, b).sum())


def test_a_tie_that_gives_all_to_each_is_found_even_where_it_is_declared():
    def everything_to_each(a, b):
        return (a >= b).astype(float), (b >= a).astype(float)

    declared = [[1.0, 1.0], [1.0, 0.0]]
    inputs = [1.0, 2.0], [1.0, 0.5]
    finding = verify.check_gradients(greater, *inputs, gradient=everything_to_each, declared=declared)["P49"]
    assert finding.outcome == "failed" and "all inputs moved together" in finding.reason
    declared = [[1.0, 1.0], [0.0, 0.0]]
    first = verify.check_gradients(
        greater, *inputs, declared=declared, gradient=lambda a, b: ((a >= b).astype(float), (b > a).astype(float))
    )
    assert first.ok and first["P49"].reason == "", str(first)


def test_a_kink_that_all_inputs_meet_is_said():
    finding = verify.check_gradients(lambda x: x.relu().sum(), [0.0, 1.0], declared=[[0.0, 1.0]])["P49"]
    assert finding.outcome == "passed" and finding.reason.startswith("not examined: ties")


def test_what_cannot_be_differentiated_is_said_once():
    cube = lambda x: float((x**3).sum())  # noqa: E731
    report = verify.check_gradients(cube, [1.0, 2.0])
    assert "for a function of NumPy arrays pass gradient=" in report["P0"].reason
    assert {each.outcome for each in report.findings[1:]} == {"not run"}
    report = verify.check_gradients(lambda x: np.linalg.norm(x.no_such_method()), [1.0])
    assert report["P0"].reason.startswith("fn is given Tensors, for there is no gradient=; it raised AttributeError")
    report = verify.check_gradients(lambda x: x**2, [1.0, 2.0], gradient=lambda x: 2 * x)
    assert "fn must return one number, got array([1., 4.]); sum it" in report["P0"].reason


@pytest.mark.parametrize(
    ("fn", "reason"),
    [
        (lambda x: float(np.random.default_rng().normal()), "asked again"),
        (lambda x: float("nan"), "fn gives nan, which has no derivative"),
        (lambda x: float("inf"), "fn gives inf, which has no derivative"),
        (lambda x: float(np.add(x, 1, out=x).sum()), "fn changes input 0"),
    ],
)
def test_a_function_that_cannot_be_trusted_passes_nothing(fn, reason):
    report = verify.check_gradients(fn, [1.0, 2.0], gradient=lambda x: np.full(2, np.nan))
    assert report["P0"].outcome == "failed" and reason in report["P0"].reason, str(report)


def test_a_gradient_of_nan_passes_nowhere():
    edge = lambda x: float(np.sqrt(x).sum())  # noqa: E731
    with np.errstate(invalid="ignore"):
        report = verify.check_gradients(edge, [0.0], gradient=lambda x: x * np.nan)
    assert report["P44"].outcome == "failed" and "the gradient is [nan]" in report["P44"].reason


@pytest.mark.parametrize("seed", range(5))
def test_differences_that_do_not_settle_prove_nothing(seed):
    noise = np.random.default_rng(seed)
    with pytest.raises(GradcheckError, match="do not settle .* noisy here"):
        first_mismatch(lambda: float(noise.uniform()), np.array([1.0]), np.array([0.0]), 1.0, 8)


@pytest.mark.parametrize("gradient", [None, "a"])
def test_a_gradient_that_is_no_array_is_named(gradient):
    report = verify.check_gradients(lambda x: float((x**3).sum()), [1.0, 2.0], gradient=lambda x: gradient)
    assert "expected float64 (2,), got" in report["P46"].reason


@pytest.mark.parametrize("inputs", ["abc", [1j]])
def test_inputs_that_are_no_numbers(inputs):
    with pytest.raises(TypeError, match="input 0 must be numbers, a list, an array or a Tensor"):
        verify.check_gradients(abs, inputs)


def test_inputs_without_elements():
    with pytest.raises(ValueError, match="needs inputs with elements"):
        verify.check_gradients(abs, [])


@pytest.mark.parametrize("name", GRADIENT_MUTANTS)
def test_a_wrong_gradient_is_killed_and_named(name):
    mutant = GRADIENT_MUTANTS[name]
    finding = verify.check_gradients(mutant.fn, *mutant.inputs, **mutant.options)[mutant.killed_by]
    assert finding.outcome == "failed", str(finding)
    prefix = "on this example also" if mutant.killed_by == "P49" else "matches"  # what is declared says no more
    assert finding.nearest_bug == (f"{prefix}: {mutant.named}" if mutant.killed_by != "P45" else None)


def test_every_property_of_gradients_has_a_mutant_and_right_ones_are_no_known_bug():
    assert {mutant.killed_by for mutant in GRADIENT_MUTANTS.values()} == set(properties.STATEMENTS) - {"P2"}
    x = [np.array([0.0, 2.0]), np.array([1.0])]
    right = [2 * x[0] * x[1], np.array([4.0])]
    assert nearest_wrong_gradient("P44", lambda a, b: float(np.sum(a * a * b)), x, right) is None
    assert nearest_wrong_gradient("P47", lambda a: (a * a).sum(), x[:1], [2 * x[0]]) is None
    assert nearest_wrong_gradient("P44", lambda a, b: float(np.sum(a * a * b)), x, [1.3 * g for g in right]) is None
