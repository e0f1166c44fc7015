"""Optimizer classes and factories given bare: whose they are, and that checks take them as the command line does."""

import importlib.util
import operator
import os
import sys

import numpy as np
import pytest

from tinygrad_lr import cli, optim, tensor, verify
from tinygrad_lr.verify import adapters, command
from tinygrad_lr.verify.adapters.recognition import library_of
from tinygrad_lr.verify.checks import optimizers

if "keras" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "numpy")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # keras 3.15 on NumPy 2
PROPERTIES = ["P2", "P14"]  # in float32 keras does not keep to P1: docs/conformance.md


class Descent:
    """An optimizer of nobody's."""

    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr

    def step(self, grads):
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(self.lr) * g


class Ascent(Descent):
    """The wrong way."""

    def step(self, grads):
        super().step([None if g is None else -g for g in grads])


class Inherited(optim.SGD):
    """One of ours in a file of one's own."""


def test_a_function_that_returns_an_optimizer_of_torch_is_taken_as_it_is():
    torch = pytest.importorskip("torch")
    adam = torch.optim.Adam

    def of_the_module(params, lr=1e-3):
        return torch.optim.Adam(params, lr=lr)

    def of_a_class(params, lr, betas=(0.9, 0.999)):
        return adam([{"params": list(params)}], lr, betas)

    claim = verify.spec("adam", dialect="torch")
    for make in (of_the_module, of_a_class):
        assert library_of(make) == "torch"
        report = verify.check_optimizer(make, claim, max_examples=0, properties=["P1", "P9", "P10"])
        assert report.ok and report["P1"].outcome == "passed", str(report)

    def of_another_rule(params, lr=1e-3):
        return torch.optim.NAdam(params, lr=lr)

    assert verify.check_optimizer(of_another_rule, claim, max_examples=0)["P1"].outcome == "failed"


def test_a_function_that_returns_a_transformation_of_optax_is_taken_as_it_is():
    optax = pytest.importorskip("optax")

    def descent(lr, momentum=0.9):
        return optax.chain(optax.trace(decay=momentum), optax.scale(-lr))

    def ascent(learning_rate=1e-3):
        return optax.scale(learning_rate)

    def of_something_else(params, lr=0.1):
        return optax.scale(lr)

    assert (library_of(descent), library_of(ascent), library_of(of_something_else)) == ("optax", "optax", "")
    claim = verify.spec("sgd", dialect="optax", momentum=0.9)
    report = verify.check_optimizer(descent, claim, max_examples=0, properties=["P1"])
    assert report["P1"].outcome == "passed", str(report)
    report = verify.check_optimizer(ascent, verify.spec("sgd", dialect="optax"), max_examples=0, properties=["P1"])
    assert report["P1"].outcome == "failed", str(report)


def test_a_maker_that_only_computes_with_torch_is_no_optimizer_of_torchs():
    torch = pytest.importorskip("torch")

    def make(params, lr=0.1):
        assert all(isinstance(p, np.ndarray) or torch.is_tensor(p) for p in params)
        return Descent(params, lr)

    def refusing(params):
        raise ValueError("no parameters")

    assert library_of(make) == ""
    claim = verify.spec("sgd", lr=0.1)
    assert verify.check_optimizer(make, claim, max_examples=0, properties=PROPERTIES).ok
    with pytest.raises(
        TypeError, match="or a function of the parameters that returns such an optimizer; got .*make, whi"
    ):
        adapters.torch(make)
    with pytest.raises(TypeError, match="raised ValueError: no parameters"):
        adapters.torch(refusing)


@pytest.mark.parametrize(
    ("library", "path", "dialect"),
    [
        ("tinygrad_lr", "optim.Adam", None),
        ("torch", "optim.Adam", "torch"),
        ("optax", "adam", "optax"),
        ("keras", "optimizers.Adam", "keras"),
    ],
)
def test_a_class_given_bare_is_recognised_and_checked(library, path, dialect):
    target = operator.attrgetter(path)(pytest.importorskip(library))
    assert library_of(target) == library
    report = verify.check_optimizer(target, verify.spec("adam", dialect=dialect), max_examples=0, properties=PROPERTIES)
    assert report.ok, str(report)
    assert report.subject.startswith(f"{library}.opt") or library == "optax" and report.subject.startswith("optax.adam")


def test_what_is_nobodys_stays_as_it_is():
    make = adapters.naive("sgd")
    for target in (Descent, make, lambda params, lr: Descent(params, lr), adapters.function(lambda p, g, s: (p, s))):
        assert library_of(target) == "" and adapters.adapt(target) is target
    assert library_of(Inherited) == "tinygrad_lr" and adapters.adapt(Inherited).title.endswith("Inherited")
    assert library_of(3) == library_of(np.float64) == library_of(np.sin) == ""


def test_one_of_ours_is_examined_in_the_dialect_of_the_specification():
    for dialect in (None, "torch", "paper"):  # which the class has no defaults of; the specification gives all values
        claim = verify.spec("adam", dialect=dialect)
        assert verify.check_optimizer(optim.Adam, claim, max_examples=0, properties=["P1"]).ok
    assert not verify.check_optimizer(optim.RMSprop, "adam", max_examples=0, properties=["P1"]).ok


def test_a_reference_may_be_a_class_too():
    claim = verify.spec("sgd")
    report = verify.check_optimizer(optim.SGD, claim, reference=Inherited, max_examples=0, properties=["P18"])
    assert report["P18"].outcome == "passed", str(report)
    report = verify.check_optimizer(optim.SGD, claim, reference=Ascent, max_examples=0, properties=["P18"])
    assert report["P18"].outcome == "failed", str(report)


def test_in_a_test_suite():
    configurations = [(Inherited, "sgd"), {"make": optim.SGD, "max_examples": 0}, Inherited]
    params = verify.parametrize_optimizer_checks(configurations).args[1]
    checks = {param.id: param.values[0] for param in params}
    assert "sgd-float32-P1" in checks and f"{__name__}.Inherited-float32-P2" in checks
    checks["sgd-float32-2-P1"]()


def test_one_of_ours_has_its_own_formula_where_none_is_given():
    report = verify.check_optimizer(optim.AdamW, hyperparameters={"lr": 0.1}, max_examples=0, properties=["P1"])
    assert report.ok and "against adamw" in report.subject, str(report)
    assert "no formula" in verify.check_optimizer(Inherited, max_examples=0, properties=["P2"]).subject


def test_the_command_line_recognises_the_same_classes(monkeypatch):
    given = []
    monkeypatch.setattr(optimizers, "check_optimizer", lambda make, *_, **settings: given.append(make))
    for name in ("tinygrad_lr.optim:SGD", f"{__file__}:Descent"):
        command.check(cli.parser().parse_args(["verify", name, "--spec", "sgd"]))
    assert [getattr(make, "title", "none") for make in given] == ["tinygrad_lr.optim.SGD", "none"]
    assert given[1].__name__ == "Descent"


@pytest.mark.parametrize("instance", [Descent([]), optim.SGD([tensor([1.0], requires_grad=True)], lr=0.1)])
def test_an_optimizer_that_is_built_already_is_refused_with_the_remedy(instance):
    with pytest.raises(TypeError, match=r"an optimizer class, a factory or make\(.*not what it returns; got"):
        verify.check_optimizer(instance, "sgd")
    with pytest.raises(TypeError, match="not what it returns, got"):
        adapters.adapt(instance)


def test_dir_lists_what_is_there():
    assert set(verify.__all__) <= set(dir(verify))
    assert all(getattr(verify, name) is not None for name in verify.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'check_everything'"):
        verify.check_everything  # noqa: B018
