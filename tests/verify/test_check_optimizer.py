"""check_optimizer: honest optimizers pass, each kind of wrong one is a finding that teaches, and nothing crashes it."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from verify_cases import OneCount

from tinygrad_lr import optim, verify
from tinygrad_lr.kernels import _jit, _run
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.guard import AGNOSTIC
from tinygrad_lr.verify.properties import PROPERTIES
from tinygrad_lr.verify.report import Finding, Report


class Descent:
    """The least protocol: no state, no groups."""

    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(self.lr) * g


def descent(change):
    """Descent whose step is another."""

    class Changed(Descent):
        def step(self, grads):
            change(self, grads)

    return Changed


@pytest.mark.sampled(one_in=8)
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_our_optimizers_pass(name):
    dtype = "float64" if name in ("sgd", "rmsprop") else "float32"
    backend = "numpy" if _jit.COMPILER_IS_OFF else "numba"  # the same rules, over arrays: loops in Python take minutes
    make = adapters.own(optim.OPTIMIZERS[name], backend=backend)
    more = {"timeout": 300.0} if name == "muon" else {}  # 14 s alone, and a machine may have much else to do
    report = verify.check_optimizer(make, name, dtype=dtype, max_examples=1, **more)
    assert report.ok, str(report)
    assert sum(each.outcome == "passed" for each in report.findings) >= 15


@pytest.mark.sampled(one_in=40)
@pytest.mark.parametrize("name", list(verify.formulas.FAMILIES))
def test_every_formula_passes_as_its_own_optimizer(name):
    dtype = verify.formulas.FAMILIES[name].narrow_in[0]
    report = verify.check_optimizer(adapters.naive(name), name, dtype=dtype, max_examples=0)
    assert report.ok, str(report)
    assert report["P1"].outcome == "passed"


def test_the_least_protocol_and_no_specification():
    report = verify.check_optimizer(Descent, hyperparameters={"lr": 0.1})
    assert report.ok, str(report)
    assert [each.property_id for each in report.findings] == ["P0", *AGNOSTIC]
    assert report["P2"].outcome == report["P16"].outcome == "passed"
    assert report["P9"].reason == "the subject has no set_state()"
    assert report["P13"].outcome == "not applicable" and "maximize" in report["P13"].reason


def test_a_failure_teaches():
    def step_at_double_rate_after_the_first(self, grads):
        self.t = getattr(self, "t", 0) + 1
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(self.lr if self.t == 1 else 2 * self.lr) * g

    report = verify.check_optimizer(descent(step_at_double_rate_after_the_first), "sgd", hyperparameters={"lr": 0.5})
    finding = report["P1"]
    assert not report.ok and finding.outcome == "failed" and finding.ratio > 100
    example = finding.example
    assert example["hyperparameters"] == {"lr": 0.5}
    assert len(example["params"]) == 1 and len(example["gradients"]) == 2, "shrunk to one parameter and two steps"
    assert np.size(example["params"][0]) == 1 and example["params"] in ([0.0], [[0.0]])
    text = str(report)
    for part in (
        "1. A step is not the formula's.   [P1, the formula]",
        "expected  ",
        "actual    ",
        "times what rounding allows",
        "formula   theta <- theta - lr g",
        "with      lr=0.5",
        "NOT right",
    ):
        assert part in text
    assert "np.float" not in text


def test_a_shared_step_count_is_found_by_its_smallest_example():
    report = verify.check_optimizer(OneCount, verify.spec("adam", dialect="torch"))
    assert {each.property_id for each in report.failures} == {"P10"}
    assert report["P10"].example["gradients"] == [[1.0]] and "where P10 fails" in report["P1"].reason


BAD = {
    "no step": (lambda params, **_: object(), "P0", "error", "has no method step"),
    "no params": (
        lambda params, **_: type("Stepper", (), {"step": lambda self, grads: None})(),
        "P0",
        "error",
        "has no list `params`",
    ),
    "params that are no arrays": (
        lambda params, **_: type("P", (), {"step": lambda s, g: 0, "params": 3})(),
        "P0",
        "error",
        "params",
    ),
    "make that raises": (lambda params, **_: 1 / 0, "P0", "error", "it raised ZeroDivisionError"),
    "step that raises": (descent(lambda self, grads: [][0]), "P0", "error", "it raised IndexError"),
    "step that exits": (descent(lambda self, grads: sys.exit(3)), "P0", "error", "it raised SystemExit"),
    "replaced": (
        descent(lambda self, grads: self.params.__setitem__(0, self.params[0] * 2)),
        "P0",
        "error",
        "was replaced by another array",
    ),
    "reshaped": (
        descent(lambda self, grads: setattr(self, "params", [p.ravel() for p in self.params])),
        "P0",
        "error",
        "must keep their number, shapes and dtypes",
    ),
    "widened": (
        descent(lambda self, grads: setattr(self, "params", [p.astype(float) for p in self.params])),
        "P0",
        "error",
        "float64",
    ),
    "one more": (descent(lambda self, grads: self.params.append(np.ones(1))), "P0", "error", "shapes and dtypes"),
    "random": (
        descent(
            lambda self, grads: [
                p.__isub__(np.random.default_rng().normal(size=p.shape).astype(p.dtype)) for p in self.params
            ]
        ),
        "P2",
        "failed",
        "",
    ),
    "spoils gradients": (descent(lambda self, grads: [g.fill(0) for g in grads if g is not None]), "P7", "failed", ""),
    "cannot do without a gradient": (
        descent(
            lambda self, grads: [p.__isub__(p.dtype.type(self.lr) * g) for p, g in zip(self.params, grads, strict=True)]
        ),
        "P10",
        "error",
        "TypeError",
    ),
    "never negative": (
        descent(
            lambda self, grads: [p.__isub__(abs(g)) for p, g in zip(self.params, grads, strict=True) if g is not None]
        ),
        "P14",
        "failed",
        "",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_subject_is_a_finding(kind):
    make, property_id, outcome, message = BAD[kind]
    report = verify.check_optimizer(make, "sgd", hyperparameters={"lr": 0.1}, max_examples=2)
    finding = report[property_id]
    assert not report.ok and finding.outcome == outcome and message in finding.reason, str(report)
    if property_id == "P0":
        assert all(each.outcome == "not run" and each.reason == "P0 comes first" for each in report.findings[1:])
    json.dumps(report.as_dict(), allow_nan=False)


def test_an_optimizer_that_hangs_is_a_finding():
    def slow(self, grads):
        while len(self.params) == 3:  # the fixed examples have three parameters
            time.sleep(0.01)

    report = verify.check_optimizer(descent(slow), "sgd", hyperparameters={"lr": 0.1}, timeout=0.3)
    assert report["P0"].outcome == "error" and report["P0"].reason.startswith("no answer within 0.3 s")
    assert report["P34"].outcome == "not run"

    def later(self, grads):
        Descent.step(self, grads)
        while len(self.params) == 1:  # P3 and most others keep all three
            time.sleep(0.01)

    report = verify.check_optimizer(descent(later), "sgd", hyperparameters={"lr": 0.1}, timeout=1.0)
    stopped = [each for each in report.findings if each.reason.startswith("no answer")]
    assert len(stopped) == 1 and report.findings[-1].reason == f"{stopped[0].property_id} got no answer"


def test_the_same_seed_gives_the_same_verdict():
    make = descent(
        lambda self, grads: [p.__isub__(abs(g)) for p, g in zip(self.params, grads, strict=True) if g is not None]
    )
    first, second = (
        verify.check_optimizer(make, "sgd", hyperparameters={"lr": 0.1}, seed=5, max_examples=3) for _ in range(2)
    )
    assert first.as_dict() == second.as_dict()


def test_expected_failures_are_strict():
    wrong = descent(
        lambda self, grads: [p.__isub__(abs(g)) for p, g in zip(self.params, grads, strict=True) if g is not None]
    )
    settings = {"hyperparameters": {"lr": 0.1}, "max_examples": 1, "properties": ["P2", "P14"]}
    report = verify.check_optimizer(wrong, expected_failures={"P14": "takes |g|"}, **settings)
    assert report.ok and report["P14"].outcome == "expected failure" and report["P14"].reason == "takes |g|"
    report = verify.check_optimizer(Descent, expected_failures={"P14": "takes |g|"}, **settings)
    assert not report.ok and report["P14"].outcome == "unexpectedly passed"
    assert "it was expected to fail: takes |g|" in str(report)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((3,), TypeError, "make must be callable"),
        ((Descent, "adamm"), ValueError, "adam"),
        ((Descent, 3), TypeError, "spec must be a Specification"),
    ],
)
def test_bad_usage_is_an_error(arguments, kind, message):
    with pytest.raises(kind, match=message):
        verify.check_optimizer(*arguments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "float16"}, "float32 or float64"),
        ({"properties": ["P99"]}, "no property is called P99"),
        ({"expected_failures": {"P0x": "?"}}, "no property is called P0x"),
    ],
)
def test_bad_settings_are_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        verify.check_optimizer(Descent, "sgd", **settings)


def test_a_report_without_a_pass_is_not_right():
    finding = Finding("P1", "statement", "not applicable", "why")
    assert not Report("x", [finding]).ok
    with pytest.raises(KeyError, match="this report has P1"):
        Report("x", [finding])["P2"]


def test_one_test_for_each_property_and_configuration():
    mark = verify.parametrize_optimizer_checks(
        [(Descent, "sgd"), {"make": Descent, "spec": "sgd", "expected_failures": {"P2": "because"}}, Descent]
    )
    params = mark.args[1]
    ids = [param.id for param in params]
    assert len(set(ids)) == len(ids) == 2 * len(PROPERTIES) + len(AGNOSTIC)
    assert ids[0] == "sgd-float32-P1" and "sgd-float32-2-P1" in ids and "Descent-float32-P2" in ids
    checks = {param.id: param for param in params}
    checks["sgd-float32-P2"].values[0]()
    with pytest.raises(pytest.skip.Exception, match="P8: the subject has no"):
        checks["sgd-float32-P8"].values[0]()
    (expected,) = checks["sgd-float32-2-P2"].marks
    assert expected.name == "xfail"
    assert expected.kwargs == {"strict": True, "raises": AssertionError, "reason": "because"}
    wrong = verify.parametrize_optimizer_checks([(descent(lambda self, grads: None), "sgd")])
    with pytest.raises(AssertionError, match="P1  failed: One step"):
        wrong.args[1][0].values[0]()
    with pytest.raises(TypeError, match="a configuration is"):
        verify.parametrize_optimizer_checks(["adam"])
    with pytest.raises(TypeError, match="needs 'make'"):
        verify.parametrize_optimizer_checks([{"spec": "adam"}])


class InOneQuotient(Descent):
    """torch's Adam with the bias corrections in the rate and under the root: other roundings, the same formula."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, lr)
        self.betas, self.eps, self.steps = betas, eps, [0] * len(params)
        self.m, self.v = ([np.zeros_like(p) for p in params] for _ in range(2))

    def step(self, grads):
        (b1, b2), eps = self.betas, self.eps
        for i, (p, g, m, v) in enumerate(zip(self.params, grads, self.m, self.v, strict=True)):
            if g is not None:
                self.steps[i] += 1
                m[...] = b1 * m + (1 - b1) * g
                v[...] = b2 * v + (1 - b2) * g * g
                rate = self.lr / (1 - b1 ** self.steps[i])
                p -= rate * m / (np.sqrt(v) / (1 - b2 ** self.steps[i]) ** 0.5 + eps)


class TestReference:
    def finding(self, reference, make=InOneQuotient, spec=None, **settings):
        spec = spec or verify.spec("adam", dialect="torch")
        return verify.check_optimizer(make, spec, reference=reference, properties=["P18"], max_examples=2, **settings)[
            "P18"
        ]

    def test_a_backend_against_another(self):
        backend = "numpy" if _jit.COMPILER_IS_OFF else "numba"
        ours, other = (adapters.own(optim.Adam, backend=each) for each in (backend, "numpy"))
        assert self.finding(other, ours, "adam").outcome == "passed"
        assert self.finding(None, ours, "adam").reason.endswith("pass reference=")

    def test_other_roundings_are_within_the_bound_and_have_other_bits(self):
        formula = adapters.naive("adam")
        assert self.finding(formula).outcome == "failed"
        assert self.finding(formula, reference_exact=False).outcome == "passed"
        longer = lambda params, **asked: formula(params, **{**asked, "lr": asked["lr"] * 1.01})  # noqa: E731
        assert self.finding(longer, reference_exact=False).outcome == "failed"
        assert self.finding(formula, longer, reference_exact=False).outcome == "failed"

    def test_without_a_formula_there_are_bits_alone(self):
        settings = {"hyperparameters": {"lr": 0.1}, "properties": ["P18"], "max_examples": 1}
        same = verify.check_optimizer(Descent, reference=Descent, **settings)
        assert same["P18"].outcome == "passed", "no state is shown, so the parameters are compared"
        bound = verify.check_optimizer(Descent, reference=Descent, reference_exact=False, **settings)
        assert "without a formula there is no bound" in bound["P18"].reason


def test_our_threads_are_examined():
    make = adapters.own(optim.Adam)
    assert make.threads.least_size in (0, 3 * _run.SMALLEST_CHUNK + 7)
    before = _run.get_num_threads()
    with make.threads(3):
        assert _run.get_num_threads() == 3
    assert _run.get_num_threads() == before
    assert verify.check_optimizer(make, "adam", properties=["P2"], max_examples=0)["P2"].reason == ""


def test_checking_needs_neither_numba_nor_a_kernel():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from tinygrad_lr import verify\n"
        "from tinygrad_lr.verify import adapters\n"
        "assert verify.check_optimizer(adapters.naive('adam'), 'adam', max_examples=0).ok\n"
        "assert verify.check_schedule(lambda s: 0.5, total_steps=3).ok\n"
        "prefix = 'tinygrad_lr.kernels.'\n"
        "loaded = {m.removeprefix(prefix) for m in sys.modules if m.startswith(prefix)}\n"
        # rules of the engine's ops, as plain Python, and how files are written
        "assert loaded <= {'ops', 'ops.elementwise', 'ops.erf', '_cache', '_private'}, loaded\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_hypothesis_the_remedy_is_named():
    code = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'hypothesis' else find(name, *a)\n"
        "from tinygrad_lr import verify\n"
        "verify.check_optimizer(lambda params: None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "pip install 'tinygrad_lr[verify]'" in done.stderr
