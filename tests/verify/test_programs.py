"""Each failure has a program that shows it in the checked optimizer's own API: every one is run, and sees it."""

import importlib.util
import runpy
from dataclasses import replace

import numpy as np
import pytest
from verify_cases import OneCount

from tinygrad_lr import optim, verify
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.adapters.keras import keras_library as import_keras
from tinygrad_lr.verify.adapters.schedules import adapt_schedule, torch_scheduler
from tinygrad_lr.verify.language.python import line_as_python
from tinygrad_lr.verify.protocol import Broken, Case, PropertyViolation
from tinygrad_lr.verify.report import Finding, Report
from tinygrad_lr.verify.search import programs
from tinygrad_lr.verify.search.answers import program_of_a_rate
from tinygrad_lr.verify.search.evidence import plainest
from tinygrad_lr.verify.search.languages import lines_counted
from tinygrad_lr.verify.search.preparing import prepared
from tinygrad_lr.verify.specification import spec

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[peers]'")


class Shrinks(torch.optim.SGD):
    """A true bug of 6 %: everything shrinks at every step, without a gradient too."""

    def step(self):
        super().step()
        for group in self.param_groups:
            for p in group["params"]:
                p.data.mul_(0.94)


class ScalesGradients(torch.optim.Adam):
    """The caller's gradients are changed."""

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.mul_(1.1)
        super().step()


class Forgets(torch.optim.SGD):
    """Loading sets the momentum to zero."""

    def load_state_dict(self, state):
        super().load_state_dict(state)
        for entry in self.state.values():
            entry["momentum_buffer"] = torch.zeros_like(entry["momentum_buffer"])


class Deaf(torch.optim.SGD):
    """Takes nesterov and maximize, and hears neither."""

    def __init__(self, params, lr=0.1, momentum=0.0, nesterov=False, maximize=False):
        super().__init__(params, lr=lr, momentum=momentum)


class Adjusts(torch.optim.SGD):
    """Writes into its own hyperparameters."""

    def step(self):
        super().step()
        for group in self.param_groups:
            group["lr"] *= 0.5


class Short(torch.optim.Adam):
    """Nothing moves beyond 32 elements, and loading halves the step counts."""

    def step(self):
        every = [p for group in self.param_groups for p in group["params"]]
        before = [p.detach().clone() for p in every]
        super().step()
        with torch.no_grad():
            for p, old in zip(every, before, strict=True):
                if p.numel() > 32:
                    p.reshape(-1)[32:] = old.reshape(-1)[32:]

    def load_state_dict(self, state):
        super().load_state_dict(state)
        for entry in self.state.values():
            if "step" in entry:
                entry["step"] = entry["step"] // 2


class Far(torch.optim.Adagrad):
    """Moves three times as far, once it is told to train."""

    def train(self):
        self.factor = 3

    def step(self):
        for group in self.param_groups:
            group["lr"] *= self.factor
        super().step()
        for group in self.param_groups:
            group["lr"] /= self.factor


class Meddled:
    """Plain NumPy: a state that is loaded is not copied."""

    def __init__(self, params, lr=0.1, momentum=0.9):
        self.params, self.lr, self.momentum = params, lr, momentum
        self.b = [np.zeros_like(p) for p in params]

    def step(self, grads):
        for i, (p, g) in enumerate(zip(self.params, grads, strict=True)):
            if g is not None:
                self.b[i] = self.momentum * self.b[i] + g
                p -= self.lr * self.b[i]

    def get_state(self):
        return {"state": {i: {"momentum_buffer": b.copy()} for i, b in enumerate(self.b)}}

    def set_state(self, state):
        for i, entry in state["state"].items():
            self.b[i] = entry["momentum_buffer"]


class Raises(torch.optim.SGD):
    def step(self):
        raise ZeroDivisionError("one over zero")


MOMENTUM = {"dialect": "torch", "lr": 0.1, "momentum": 0.9}
far = adapters.torch(Far, prepare=lambda optimizer: optimizer.train())
# What is checked, against what, and the properties whose failures have programs.
TABLE = {
    "a wrong step": (Shrinks, spec("sgd", dialect="torch", lr=0.1), ("P1", "P11", "P15")),
    "changed gradients": (ScalesGradients, spec("adam", dialect="torch"), ("P7", "P27")),
    "a state that is shared": (torch.optim.Adam, spec("adam", dialect="torch"), ("P8",)),
    "a state that is forgotten": (Forgets, spec("sgd", **MOMENTUM), ("P9",)),
    "arguments that are not heard": (Deaf, spec("sgd", nesterov=True, **MOMENTUM), ("P13", "P17")),
    "changed hyperparameters": (Adjusts, spec("sgd", dialect="torch", lr=0.1), ("P7",)),
    "a size, and a count that was set": (Short, spec("adam", dialect="torch"), ("P1.sizes", "P9.count")),
    "steps that are added up, and prepare=": (far, spec("adagrad", dialect="torch"), ("P1", "P22", "P25")),
    "a state that is loaded and not copied": (Meddled, spec("sgd", **MOMENTUM), ("P8",)),
    "plain NumPy": (OneCount, spec("adam", dialect="torch"), ("P10",)),
    "an error": (Raises, spec("sgd", dialect="torch", lr=0.1), ("P0",)),
    "ours": (adapters.own(optim.SGD), spec("signsgd", lr=0.1), ("P1",)),
}


def peer(library, name):
    """A maker of a library's SGD, which is not the sign of the gradient."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install -e '.[peers]'")
    adapter = getattr(adapters, library)
    return adapter(import_keras().optimizers.SGD if library == "keras" else __import__("optax").sgd)


def status_of(path):
    """The exit status of a program, which ends by `raise SystemExit` or by an error of the optimizer."""
    try:
        runpy.run_path(str(path))
    except SystemExit as leaving:
        return int(leaving.code)
    except Exception as error:
        assert f"# raises {type(error).__name__}" in path.read_text(), error
        return 1
    return 0


def see_all(report, properties, tmp_path, capsys):
    """Run every program, and require that it is short, sees its difference and says both sides."""
    for property_id in properties:
        finding = report[property_id]
        assert finding.program, (property_id, finding.outcome, finding.no_program)
    for path in report.write_scripts(tmp_path):
        capsys.readouterr()
        text = path.read_text()
        assert lines_counted(text) <= programs.LINES == 20 and max(map(len, text.splitlines())) <= 300, text
        assert status_of(path) == 1, text
        said = capsys.readouterr().out
        assert ("expected" in said and "actual" in said) or "first" in said or "# raises" in text
        assert "tinygrad_lr.verify" not in text


@pytest.mark.sampled(one_in=2)
@pytest.mark.parametrize("name", TABLE)
def test_every_program_sees_the_difference(name, tmp_path, capsys):
    make, claim, properties = TABLE[name]
    asked = [each for each in properties if each != "P0"] or ["P2"]
    report = verify.check_optimizer(make, claim, properties=asked, max_examples=0)
    see_all(report, properties, tmp_path, capsys)
    assert len(report.write_scripts(tmp_path)) == len([each for each in report.failures if each.program])


@pytest.mark.filterwarnings("ignore")  # keras's own
@pytest.mark.sampled(one_in=2)
@pytest.mark.parametrize("library", ["optax", "keras"])
def test_other_libraries_have_programs_too(library, tmp_path, capsys):
    report = verify.check_optimizer(peer(library, "sgd"), spec("signsgd", lr=0.1), properties=["P1"], max_examples=0)
    see_all(report, ["P1"], tmp_path, capsys)


class Lapse(torch.optim.lr_scheduler.StepLR):
    """The rate of one step is another."""

    def get_lr(self):
        return [rate * (1.01 if self.last_epoch == 7 else 1) for rate in super().get_lr()]


def jumps(step):
    return 1 - step / 100 if step != 50 else 0.7


def built(total_steps, **more):
    return lambda step: 1 - step / (total_steps + 1)


def falls(step):
    return 1 - step / 10


def of_each(grads, max_norm):
    """Each gradient by its own norm, and none kept."""
    return [g / np.linalg.norm(g) * max_norm for g in grads]


@pytest.mark.parametrize(
    ("check", "property_id"),
    [
        (lambda: verify.check_schedule(jumps, "polynomial", total_steps=100), "P35"),
        (lambda: verify.check_schedule(build=built, spec="polynomial", total_steps=10), "P35"),
        (lambda: verify.check_schedule(falls, total_steps=12), "P37"),
        (lambda: verify.check_clipping(of_each), "P26.identity"),
        (lambda: verify.check_clipping(of_each), "P26.global"),
        (lambda: verify.check_clipping(of_each, dtype="float64"), "P26.zero"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_schedules_and_clippings_have_programs_too(check, property_id, tmp_path, capsys):
    see_all(check(), [property_id], tmp_path, capsys)


def test_the_formula_stands_in_the_program_and_the_numbers_are_those_of_the_report():
    report = verify.check_optimizer(Deaf, spec("sgd", nesterov=True, **MOMENTUM), properties=["P1"], max_examples=0)
    program = report["P1"].script()
    assert "b = mu * b + g" in program and "theta = theta - lr * (g + mu * b)" in program
    assert "import torch" in program and "tinygrad_lr" not in program.replace("Found by tinygrad_lr", "")


class DecaysAfter(torch.optim.AdamW):
    """The decay is of the theta that was updated."""

    def step(self):
        decays = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            group["weight_decay"] = 0.0
        super().step()
        for group, decay in zip(self.param_groups, decays, strict=True):
            group["weight_decay"] = decay
            for p in group["params"]:
                if p.grad is not None:
                    p.data.mul_(1 - group["lr"] * decay)


def test_a_known_bug_of_steps_is_no_hint_where_memory_is_shared():
    claim = spec("adamw", dialect="torch", lr=0.1, weight_decay=0.5)
    report = verify.check_optimizer(DecaysAfter, claim, properties=["P1", "P8"], max_examples=0)
    assert "decays the updated theta" in report["P1"].nearest_bug, report["P1"]
    assert report["P8"].outcome == "failed" and report["P8"].nearest_bug is None, report["P8"]


def test_an_example_with_every_gradient_is_exchanged_for_another_with_all_of_its_own():
    """What lacks a gradient may fail for another reason, which is P10's; what fails with all may be plainer."""
    start = [np.zeros(1, np.float32)]
    plain = Case(spec("sgd", lr=0.1), start, [[np.ones(1)], [np.ones(1)]])
    lacks = Case(spec("sgd", lr=0.1), start, [[np.ones(1)], [None]])

    def found(of_lacking, of_filled):
        def problem_of(case):
            actual = of_lacking if case is lacks else 1.1 if case is plain else of_filled
            return actual and PropertyViolation("P1", "It is so.", Broken("theta after step 2", 1.0, actual))

        case, problem = plainest(problem_of, plain, problem_of(plain), [lacks])
        lacking, _ = plainest(problem_of, lacks, problem_of(lacks), [plain])
        return case is plain, problem.broken.actual, lacking is lacks

    assert found(3.0, None) == (True, 1.1, True)
    assert found(3.0, 2.0) == (False, 2.0, True)


class Forgetful(torch.optim.SGD):
    """The buffer of momentum is halved after the step, where the parameter is 0 as well."""

    def step(self):
        super().step()
        for entry in self.state.values():
            entry["momentum_buffer"].mul_(0.0)


def test_a_program_reads_what_the_finding_speaks_of(tmp_path, capsys):
    """A state that is wrong and 0 is not shown by a parameter that is 0."""
    report = verify.check_optimizer(Forgetful, spec("sgd", **MOMENTUM), properties=["P1", "P29"], max_examples=0)
    states = [each for each in report.failures if each.where.startswith("momentum_buffer")]
    assert states and all('["momentum_buffer"]' in each.script() for each in states), str(report)
    see_all(report, [each.property_id for each in states], tmp_path, capsys)


def test_a_scheduler_of_a_library_is_stepped_as_in_a_training(tmp_path, capsys):
    finding = Finding(
        "P35", "It is so.", "failed", where="step 7", expected="a value in [0.0499, 0.0501]", actual="0.0505"
    )
    adapted = adapt_schedule(Lapse, "step", {"step_size": 5, "gamma": 0.5}, 0.1)
    program = program_of_a_rate(replace(finding, example={"step": 7}), adapted, None, {}, ["f = gamma^floor(s / S)"])
    assert "for _ in range(7):\n    optimizer.step()\n    scheduler.step()" in program.text, program
    see_all(Report("x", [replace(finding, program=program.text)]), ["P35"], tmp_path, capsys)
    other = program_of_a_rate(replace(finding, example={"step": 7, "gamma": 0.1}), adapted, None, {})
    assert "gamma=0.1" in other.text, "what P35.built builds it with"
    mine = torch_scheduler(lambda optimizer: Lapse(optimizer, 5))
    assert (
        "a function of yours builds" in program_of_a_rate(replace(finding, example={"step": 7}), mine, None, {}).why_not
    )
    assert "no one step" in program_of_a_rate(finding, adapted, None, {}).why_not


def loses_a_moment(learning_rate=0.1):
    """Momentum of optax's kind whose moment is a quarter of the gradients' sum."""
    optax = pytest.importorskip("optax", reason="optax is not installed: pip install -e '.[peers]'")
    trace = optax.trace(decay=0.9)

    def update(grads, state, params=None):
        moved, state = trace.update(grads, state, params)
        updates = [-learning_rate * each for each in moved]
        return updates, state._replace(trace=[each / 4 for each in state.trace])

    return optax.GradientTransformation(trace.init, update)


def test_a_state_of_optax_is_read_where_it_stands():
    pytest.importorskip("optax", reason="optax is not installed: pip install -e '.[peers]'")
    make = adapters.optax(loses_a_moment, state_names={"momentum_buffer": "trace"})
    claim = spec("sgd", dialect="optax", momentum=0.9, lr=0.1)
    finding = verify.check_optimizer(make, claim, properties=["P29"], max_examples=0)["P29"]
    assert finding.outcome == "failed" and "state.trace[0].item()" in finding.script(), finding
    assert "not abs(actual - expected) <=" in finding.script(), "what rounding may change is no difference"


def test_prepare_is_written_down_where_it_calls_methods_alone():
    def both(optimizer):
        optimizer.eval()
        optimizer.weight = 3

    assert prepared(lambda optimizer: optimizer.train(mode=True), "a") == ["a.train(mode=True)"]
    assert prepared(both, "a") == ["a.eval()", "a.weight = 3"]
    assert prepared(lambda optimizer: [g for g in optimizer.param_groups], "a") is None
    assert prepared(jumps, "a") == [f"from {jumps.__module__} import jumps", "jumps(a)"]


def test_a_program_that_cannot_be_written_says_why():
    def local(params, lr=0.1):
        return OneCount(params, lr=lr)

    finding = verify.check_optimizer(local, spec("sgd", lr=0.1), properties=["P1"], max_examples=0)["P1"]
    assert finding.outcome == "failed" and "it is made in a function" in finding.no_program
    with pytest.raises(ValueError, match="there is no program for P1: it cannot be imported by name"):
        finding.script()
    with pytest.raises(ValueError, match="it did not fail"):
        Finding("P2", "Same bits.", "passed").script()
    assert Report("x", [finding]).failures


def test_a_program_that_goes_wrong_is_no_error_of_the_optimizer(monkeypatch):
    def lost(*args, **settings):
        raise KeyError("lost")

    monkeypatch.setattr(programs, "readings", lost)
    finding = verify.check_optimizer(Deaf, spec("sgd", nesterov=True, **MOMENTUM), properties=["P13"], max_examples=0)[
        "P13"
    ]
    assert finding.outcome == "failed" and "could not be written (KeyError" in finding.no_program


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("x = -g / (a b)", "x = -g / (a * b)"),
        ("x = a (g if t > 1 else 0)", "x = a * (g if t > 1 else 0)"),
        ("x = a / b c", "x = a / b * c"),
        ("m <- lambda m + (1 - lambda) g", "m = lambda_ * m + (1 - lambda_) * g"),
        ("x = max(a, abs(g)) if t > 3 else min(a, b)", "x = (max(a, abs(g)) if t > 3 else min(a, b))"),
    ],
)
def test_a_line_of_a_formula_is_python(line, python):
    assert line_as_python(line) == python


def test_a_line_about_matrices_is_no_number():
    with pytest.raises(ValueError, match="matmul is of matrices"):
        line_as_python("x = matmul(a, b)")
