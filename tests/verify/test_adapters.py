"""Adapters: what they translate, what they refuse, and what the checks find in torch, optax and keras."""

import copy
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.adapters.translation import PeerMaker, imported, takes, translated
from tinygrad_lr.verify.protocol import Case, NotApplicable
from tinygrad_lr.verify.states import located

if "keras" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "numpy")


def peer(name):
    return pytest.importorskip(name, reason=f"{name} is not installed here (extra `peers`)")


def places(make, claim):
    """The names of the arrays in which the formula's states were found."""
    params = [np.ones(3, np.float32), np.ones((2, 4), np.float32)]
    found = located(make, Case(claim, params, []))
    return {key: str(place) for key, place in found.places.items()}


def one_step(make, grads, **hyperparameters):
    subject = make([np.array([1.0, 2.0], np.float32), np.array(3.0, np.float32)], **hyperparameters)
    subject.step(grads)
    return subject


GRADS = [np.array([1.0, -1.0], np.float32), np.array(0.5, np.float32)]


def test_torch():
    torch = peer("torch")
    make = adapters.torch(torch.optim.SGD)
    subject = one_step(make, GRADS, lr=0.5, weight_decay=0.0, lr_placement="outside", decoupled_weight_decay=False)
    assert [p.tolist() for p in subject.params] == [[0.5, 2.5], 2.75]
    subject.step([None, GRADS[1]])
    assert [p.tolist() for p in subject.params] == [[0.5, 2.5], 2.5]
    subject.set_hyperparameters(lr=1.0)
    subject.add_group([np.zeros(1, np.float32)], lr=2.0, lr_placement="outside")
    subject.step([None, GRADS[1], np.ones(1, np.float32)])
    assert [p.tolist() for p in subject.params] == [[0.5, 2.5], 2.0, [-2.0]]
    assert make.title == "torch.optim.SGD" and "momentum" in make.takes and "betas" not in make.takes
    with pytest.raises(TypeError, match=r"expected a class such as torch\.optim\.Adam"):
        adapters.torch(torch.nn.Linear)
    subject = one_step(adapters.torch(torch.optim.Adam), GRADS, lr=0.1)
    saved = subject.get_state()
    assert saved["state"][0]["step"] == 1 and saved["state"][0]["exp_avg"].shape == (2,)
    other = adapters.torch(torch.optim.Adam)([np.zeros(2, np.float32), np.zeros((), np.float32)], lr=0.1)
    other.set_state(saved)
    assert other.get_state()["state"][1]["exp_avg_sq"] == saved["state"][1]["exp_avg_sq"]


def test_torchs_states_keep_their_types():
    torch = peer("torch")

    class Keeps(torch.optim.Optimizer):
        """A state of every kind."""

        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr, "k": 0, "buffer": [None, None]})

        def step(self):
            for group in self.param_groups:
                group["k"] += 1
                for p in group["params"]:
                    self.state[p] = {
                        "step": group["k"],
                        "count": torch.tensor(2.0**24),
                        "wide": torch.ones(2, dtype=torch.float64),
                        "short": torch.tensor([1.5, 2.5], dtype=torch.bfloat16),
                        "lists": [{"m": (torch.ones(2), 2.5, None)}, 7],
                    }

    subject = adapters.torch(Keeps)([np.ones(2, np.float32)], lr=0.5)
    subject.step([np.ones(2, np.float32)])
    before = copy.deepcopy(subject.optimizer.state_dict())
    saved = copy.deepcopy(subject.get_state())
    entry = saved["state"][0]
    assert type(entry["step"]) is int and entry["count"].dtype == np.float32 and entry["count"].shape == ()
    assert entry["wide"].dtype == np.float64 and entry["short"].numbers().tolist() == [1.5, 2.5]
    subject.set_state(saved)
    after = subject.optimizer.state_dict()
    cast = {"wide": torch.ones(2), "short": torch.tensor([1.5, 2.5])}  # torch loads into the parameter's dtype
    before["state"][0] |= cast
    assert repr(before) == repr(after)


def test_names_of_torchs_classes_and_what_is_said_of_them():
    torch = peer("torch")

    class Theirs(torch.optim.Adam):
        """Other names, and arguments that go on to the base."""

        def __init__(self, params, learning_rate=1e-3, beta1=0.9, beta2=0.999, mode="slow", **more):
            super().__init__(params, lr=learning_rate, betas=(beta1, beta2), **more)
            self.mode = mode

        def start(self):
            self.mode = "fast"

        def step(self, closure):
            assert self.mode == "fast" and closure() is not None
            super().step()

    make = adapters.torch(Theirs, prepare=lambda optimizer: optimizer.start(), foreach=False)
    assert {"lr", "betas", "eps", "amsgrad", "mode"} <= make.takes and "foreach" not in make.takes
    assert make.title == f"{__name__}.Theirs" and make.language == "torch" and make.inherited["P8"]
    told = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "foreach": False}
    assert make.arguments({"lr": 0.1, "betas": (0.8, 0.9), "eps_placement": "outside"}) == told
    subject = make([np.ones(2, np.float32)], lr=0.5)
    subject.step([np.ones(2, np.float32)])
    assert np.allclose(subject.params[0], 0.5)
    with pytest.raises(NotApplicable, match="groups have no learning_rate, which could be changed"):
        subject.set_hyperparameters(lr=0.25)
    reverse = adapters.torch(Theirs, names={"betas": lambda b: {"beta1": 1 - b[0], "beta2": 1 - b[1]}}, without=["eps"])
    assert reverse.arguments({"betas": (0.25, 0.5), "eps": 0}) == {"beta1": 0.75, "beta2": 0.5}
    assert "eps" not in reverse.takes and reverse.without == ("eps",)
    with pytest.raises(ValueError, match="calls lr learning_rat; it has the arguments .*did you mean 'learning_rate'"):
        adapters.torch(Theirs, names={"lr": "learning_rat"})
    with pytest.raises(TypeError, match="without must be a tuple"):
        adapters.torch(Theirs, without="eps")
    with pytest.raises(TypeError, match=r"names\['lr'\] must be the library's argument"):
        adapters.torch(Theirs, names={"lr": 3})
    with pytest.raises(TypeError, match="prepare must be callable"):
        adapters.torch(Theirs, prepare="start")
    with pytest.raises(ValueError, match="adapted already: say names="):
        verify.check_optimizer(make, "adam", names={"lr": "learning_rate"})


def test_optax():
    optax = peer("optax")
    make = adapters.optax(optax.adam)
    subject = one_step(make, GRADS, lr=0.1, betas=(0.9, 0.99), weight_decay=0.0, maximize=False)
    assert np.allclose(subject.params[0], [0.9, 2.1], atol=1e-5) and subject.params[1].dtype == np.float32
    with pytest.raises(NotApplicable, match="optax knows no missing gradients"):
        subject.step([None, GRADS[1]])
    with pytest.raises(NotApplicable, match=r"optax\.adam has no weight_decay"):
        one_step(make, GRADS, lr=0.1, weight_decay=0.1)
    wide = make([np.ones(2)], lr=0.1)
    wide.step([np.ones(2)])
    assert wide.params[0].dtype == np.float64
    assert places(make, verify.spec("adam", dialect="optax")) == {"exp_avg": "0.mu", "exp_avg_sq": "0.nu"}
    wide.set_state(wide.get_state())
    assert wide.get_state()[0].mu[0].dtype == np.float64 and wide.get_state()[0].count == 1
    with pytest.raises(TypeError, match=r"such as optax\.adam"):
        adapters.optax(3)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # keras 3.15 on NumPy 2
def test_keras():
    keras = peer("keras")
    make = adapters.keras(keras.optimizers.SGD)
    subject = one_step(make, GRADS, lr=0.5, weight_decay=0.0, maximize=False)
    assert [p.tolist() for p in subject.params] == [[0.5, 2.5], 2.75]
    with pytest.raises(NotApplicable, match="missing gradients"):
        subject.step([None, GRADS[1]])
    momentum = adapters.keras(keras.optimizers.SGD)
    assert set(places(momentum, verify.spec("sgd", dialect="keras", momentum=0.9, lr=0.1))) == {"momentum_buffer"}
    other = make([np.zeros(2, np.float32), np.zeros((), np.float32)], lr=0.5)
    other.set_state(subject.get_state())
    assert other.get_state()["variables"].keys() == subject.get_state()["variables"].keys()
    with pytest.raises(TypeError, match=r"such as keras\.optimizers\.Adam"):
        adapters.keras(keras.Variable)


def test_a_plain_function():
    def step(params, grads, state, lr=0.1):
        for p, g in zip(params, grads, strict=True):
            if g is not None:
                p -= p.dtype.type(lr) * g
        return params, state + 1

    make = adapters.function(step, init=lambda params: 0)
    report = verify.check_optimizer(make, "sgd", hyperparameters={"lr": 0.1}, max_examples=1)
    assert report.ok and "step against sgd" in report.subject, str(report)
    wrong = adapters.function(lambda params, grads, state: params)
    report = verify.check_optimizer(wrong, "sgd", hyperparameters={"lr": 0.1})
    assert "step must return (params, state), got list" in report["P0"].reason
    with pytest.raises(TypeError, match="expected step"):
        adapters.function(3)


def test_names_are_translated_or_refused():
    names = {"lr": "learning_rate", "betas": ("b1", "b2"), "eps": "eps"}

    def factory(learning_rate, b1=0.9, b2=0.99):
        return learning_rate, b1, b2

    taken = takes(factory, names)
    assert taken == {"lr", "betas"}
    assert translated({"lr": 1.0, "betas": (0.1, 0.2), "eps": 0.5}, names, taken, "x") == {
        "learning_rate": 1.0,
        "b1": 0.1,
        "b2": 0.2,
    }
    with pytest.raises(NotApplicable, match="x has no maximize, and it is asked for maximize=True"):
        translated({"maximize": True}, names, taken, "x")
    make = PeerMaker(lambda params, settings: settings, "x", names, taken, {"b2": 0.5}, True)
    assert make([], lr=1.0) == {"learning_rate": 1.0, "b2": 0.5} and repr(make) == "<maker of x>"
    with pytest.raises(ImportError, match="needs no_such_peer, .* pip install no-such-peer"):
        imported("no_such_peer", "no-such-peer")


def test_adapters_import_no_peer():
    code = (
        "import sys; from tinygrad_lr.verify import adapters\n"
        "assert not {'torch', 'optax', 'jax', 'keras', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def failing(report):
    return {each.property_id for each in report.failures}


def test_torchs_adam_equals_the_formula_and_keeps_three_promises_less():
    torch = peer("torch")
    make, spec = adapters.torch(torch.optim.Adam), verify.spec("adam", dialect="torch")
    asked = ["P1", "P2", "P8", "P9", "P9.count", "P10", "P33"]
    report = verify.check_optimizer(make, spec, max_examples=0, properties=asked)
    assert failing(report) == {"P8", "P9.count"}, str(report)
    assert "16777216" in report["P9.count"].actual, "the step is a float32, which cannot count further"
    wrong = verify.check_optimizer(make, verify.spec("adam"), max_examples=0, properties=["P1"])
    assert failing(wrong) == {"P1"}, "epsilon stands outside torch's root, and the article's spec says inside"


def test_the_example_of_torchs_centred_variance_reproduces():
    torch = peer("torch")
    make, spec = adapters.torch(torch.optim.RMSprop), verify.spec("rmsprop", dialect="torch", centered=True)
    finding = verify.check_optimizer(make, spec, max_examples=0, properties=["P24"])["P24"]
    subject = make([np.array(p, np.float32) for p in finding.example["params"]], **finding.example["hyperparameters"])
    for grads in eval(finding.example["gradients"]):
        assert np.isfinite(subject.params[0]).all()
        subject.step([np.array(g, np.float32) for g in grads])
    assert np.isnan(subject.params[0]).all()


def test_optaxs_adam_is_the_formula_in_float64():
    optax = peer("optax")
    report = verify.check_optimizer(
        adapters.optax(optax.adam),
        verify.spec("adam", dialect="optax"),
        dtype="float64",
        max_examples=0,
        properties=["P1", "P2", "P3", "P14", "P28"],
    )
    assert report.ok, str(report)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_kerass_adam_is_told_from_the_paper_by_its_epsilon():
    keras = peer("keras")
    make = adapters.keras(keras.optimizers.Adam)
    report = verify.check_optimizer(
        make, verify.spec("adam", dialect="torch", eps=1e-3), max_examples=0, properties=["P1", "P2"]
    )
    assert failing(report) == {"P1"} and report["P2"].outcome == "passed"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_variable_of_keras_without_a_name_is_saved_and_loaded_by_its_place():
    keras = peer("keras")
    make = adapters.keras(keras.optimizers.Nadam)  # the product of its momenta has no name
    claim = verify.spec("nadam", dialect="keras")
    report = verify.check_optimizer(make, claim, max_examples=0, properties=["P8", "P9"])
    assert not failing(report) and report["P9"].outcome == "passed", str(report)


def test_a_state_dict_that_is_torchs_shares_as_torchs_does_whatever_a_class_loads():
    torch = peer("torch")

    class Loads(torch.optim.SGD):
        def load_state_dict(self, state_dict):
            super().load_state_dict(copy.deepcopy(state_dict))

    class Saves(torch.optim.SGD):
        def state_dict(self):
            return copy.deepcopy(super().state_dict())

    assert adapters.torch(Loads).inherited["P8"] == "torch.optim.Optimizer"
    assert "P8" not in adapters.torch(Saves).inherited
