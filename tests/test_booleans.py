"""true_or_false: what counts as a bool, and that every argument of the public API that is one refuses the rest."""

import inspect
from functools import cache, partial

import numpy as np
import pytest

import tinygrad_lr
from tinygrad_lr import backend, data, nn, ones, optim, random, schedules, tensor, training, verify
from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.data.tables import read_table
from tinygrad_lr.verify.documents.explain import explain

NO_BOOLS = [0, 1, "no", "False", "", None, 1.0, [], [True], np.array(True), np.int64(1), object()]


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_bools_of_python_and_numpy(value):
    assert true_or_false("shuffle", value) is bool(value)


@pytest.mark.parametrize("value", NO_BOOLS, ids=lambda value: type(value).__name__)
def test_everything_else_is_a_type_error(value):
    with pytest.raises(TypeError, match="^shuffle must be True or False, got "):
        true_or_false("shuffle", value)


# --- every argument of the public API -----------------------------------------------------------------------------

DATASET = TensorDataset(ones(4, 2), ones(4, 1))


def weights():
    return tensor([1.0, 2.0], requires_grad=True)


def fit(**given):
    model = nn.Linear(2, 1)
    loader = DataLoader(DATASET)
    return training.fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), loader, epochs=1, **given)


def of_a_module(name, *args, **given):
    return getattr(nn.Linear(2, 1), name)(*args, **given)


def made_by(kind, **given):
    return kind([weights()], **given)


def of_a_tensor(name, *first, **given):
    return getattr(weights(), name)(*first, **given)


def function_of_a_tensor(name, *first, **given):
    return getattr(tinygrad_lr, name)(weights(), *first, **given)


@cache
def trained():
    table = {"a": [1.0, 2.0, 3.0, 4.0], "b": ["x", "y", "x", "y"]}
    return training.train_table(table, target="b", epochs=1, held_out=0, progress=False)


def of_a_run(name, **given):
    return getattr(trained(), name)({"a": [1.0]}, **given)


def hooked(when, **given):
    return getattr(optim.SGD([weights()], lr=0.1), f"register_{when}")(print, **given)


def of_sam(name, **given):
    w = weights()
    w.grad = [1.0, 1.0]
    optimizer = optim.SAM(optim.SGD([w], lr=0.1))
    if name == "second_step":
        optimizer.first_step()
    return getattr(optimizer, name)(**given)


def clipped(name, *first, **given):
    w = weights()
    w.grad = [1.0, 1.0]
    return getattr(optim, name)([w.grad] if name == "get_total_norm" else [w], *first, **given)


# Tensor methods, which are functions too, and the arguments that a call needs first.
REDUCTIONS = (
    "sum",
    "max",
    "min",
    "prod",
    "var",
    "std",
    "norm",
    "argmax",
    "argmin",
    "mean",
    "amax",
    "amin",
    "all",
    "any",
)
OF_TENSORS = {
    **{name: (0,) for name in (*REDUCTIONS, "logsumexp")},
    **{name: (weights(),) for name in ("isclose", "allclose")},
    **{name: () for name in ("sort", "argsort", "unique", "nonzero")},
    "topk": (1,),
    "median": (0,),
}
# A function or class whose first arguments a call needs; `name` is one of them where it is not called as it stands.
CALLS = {
    "Tensor": lambda **given: tinygrad_lr.Tensor([1.0], **given),
    "Tensor.backward": lambda **given: weights().sum().backward(**given),
    "Tensor.requires_grad_": lambda **given: weights().requires_grad_(**given),
    **{f"Tensor.{name}": partial(of_a_tensor, name, *first) for name, first in OF_TENSORS.items()},
    **{name: partial(function_of_a_tensor, name, *first) for name, first in OF_TENSORS.items()},
    **{name: partial(function_of_a_tensor, name) for name in ("relu", "elu", "silu", "leaky_relu")},
    **{
        f"{name}_like": partial(function_of_a_tensor, f"{name}_like")
        for name in ("empty", "ones", "zeros", "rand", "randn")
    },
    "full_like": partial(function_of_a_tensor, "full_like", 1.0),
    "arange": lambda **given: tinygrad_lr.arange(2, **given),
    "empty": lambda **given: tinygrad_lr.empty(2, **given),
    "eye": lambda **given: tinygrad_lr.eye(2, **given),
    "full": lambda **given: tinygrad_lr.full((2,), 1.0, **given),
    "linspace": lambda **given: tinygrad_lr.linspace(0, 1, 2, **given),
    "tensor": lambda **given: tensor([1.0], **given),
    "zeros": lambda **given: tinygrad_lr.zeros(2, **given),
    "ones": lambda **given: ones(2, **given),
    "rand": lambda **given: tinygrad_lr.rand(2, **given),
    "randn": lambda **given: tinygrad_lr.randn(2, **given),
    "made": lambda **given: random.made(np.ones(2), **given, device="cpu"),
    "Parameter": lambda **given: nn.Parameter([1.0], **given),
    "Linear": lambda **given: nn.Linear(2, 1, **given),
    "LayerNorm": lambda **given: nn.LayerNorm(2, **given),
    **{name: getattr(nn, name) for name in ("Dropout", "ELU", "LeakyReLU", "ReLU", "SiLU")},
    **{f"Module.{name}": partial(of_a_module, name) for name in dir(nn.Module) if not name.startswith("_")},
    "Module.register_buffer": partial(of_a_module, "register_buffer", "mean", None),
    "Module.load_state_dict": partial(of_a_module, "load_state_dict", {}),
    "set_grad_enabled": lambda **given: tinygrad_lr.set_grad_enabled(**given),
    "DataLoader": lambda **given: DataLoader(DATASET, 2, **given),
    "Optimizer.step": lambda **given: optim.SGD([weights()], lr=0.1).step(**given),
    "Optimizer.zero_grad": lambda **given: optim.SGD([weights()], lr=0.1).zero_grad(**given),
    **{
        f"Optimizer.register_{when}": partial(hooked, when)
        for when in (
            "state_dict_pre_hook",
            "state_dict_post_hook",
            "load_state_dict_pre_hook",
            "load_state_dict_post_hook",
        )
    },
    "Around.zero_grad": lambda **given: optim.Lookahead(optim.SGD([weights()], lr=0.1)).zero_grad(**given),
    **{f"SAM.{name}": partial(of_sam, name) for name in ("first_step", "second_step")},
    **{
        name: partial(clipped, name, *first)
        for name, first in (
            ("clip_grad_norm_", (1.0,)),
            ("clip_grad_value_", (1.0,)),
            ("clip_grads_with_norm_", (1.0, 1.0)),
            ("get_total_norm", ()),
        )
    },
    "ModelAveraging": lambda **given: training.ModelAveraging(optim.swa_utils.AveragedModel(nn.Linear(2, 1)), **given),
    "exponential_decay": lambda **given: schedules.exponential_decay(0.5, 2, **given),
    "inverse_time_decay": lambda **given: schedules.inverse_time_decay(0.5, 2, **given),
    "one_cycle": lambda **given: schedules.one_cycle(10, **given),
    "fit": fit,
    "History": lambda **given: training.History(**given),
    "BestParameters": training.BestParameters,
    "EarlyStopping": training.EarlyStopping,
    "train_table": lambda **given: training.train_table(
        {"a": [1.0, 2.0, 3.0, 4.0], "b": [2.0, 4.0, 6.0, 8.0]}, target="b", epochs=1, **given
    ),
    "TrainedTable.save": lambda **given: trained().save("nowhere", **given),
    **{f"TrainedTable.{name}": partial(of_a_run, name) for name in ("predict", "predict_proba", "predictions")},
    "Checkpoint": lambda **given: training.Checkpoint("nowhere", **given),
    "check_optimizer": lambda **given: verify.check_optimizer(optim.SGD, properties=["P1"], max_examples=1, **given),
    "check_clipping": lambda **given: verify.check_clipping(lambda grads, max_norm: grads, **given),
    "formula": lambda **given: verify.formula(lambda theta, g, state, t, *, lr: (theta - lr * g, state), **given),
    "Report.render": lambda **given: verify.Report("a rule").render(**given),
    **{kind.__name__: partial(made_by, kind) for kind in (*optim.OPTIMIZERS.values(), optim.AdamW)},
}
# No calls of a user: a schedule's row in its table, what a step returns, and what fit calls.
FIXED = {"Row", "StepReport", "Checkpoint.begin", "Checkpoint.look", "Checkpoint.end"}


def arguments():
    """(function, argument) for each argument of the public API whose type is bool, or bool or None.

    One that takes whole numbers, too, has tests of its own.
    """
    found = set()
    for room in (tinygrad_lr, backend, data, nn, optim, random, schedules, training, verify):
        for thing in (getattr(room, name) for name in dir(room) if not name.startswith("_")):
            methods = inspect.getmembers(thing, inspect.isfunction) if inspect.isclass(thing) else []
            public = [method for name, method in methods if not name.startswith("_")]
            for each in [thing, *public] if callable(thing) else []:
                try:
                    signature = inspect.signature(each)
                except (TypeError, ValueError):
                    continue
                for argument in signature.parameters.values():
                    kinds = str(argument.annotation)
                    if "bool" in kinds and "| int" not in kinds and argument.kind is not argument.VAR_KEYWORD:
                        found.add((each.__qualname__, argument.name))
    return sorted(each for each in found if each[0] not in FIXED)


@pytest.mark.parametrize(("function", "argument"), arguments())
def test_every_boolean_argument_refuses_what_is_none(function, argument):
    call = CALLS[function]  # a new function with such an argument needs its row there
    for value in ("no", 1, [True], np.array(False)):
        with pytest.raises(TypeError, match=r"must be True or False, got "):
            call(**{argument: value})


def test_the_arguments_are_found():
    assert {("DataLoader", "shuffle"), ("Module.train", "mode"), ("fit", "compiled")} < set(arguments())
    assert len(arguments()) >= 40


def test_bools_of_numpy_are_taken():
    assert ones(2, requires_grad=np.True_).requires_grad is True
    assert DataLoader(DATASET, 2, np.False_, drop_last=np.True_).drop_last is True
    assert nn.Linear(2, 1, np.False_).bias is None
    assert nn.Linear(2, 1).train(np.False_).training is False
    assert tensor([[1.0]]).sum(0, np.True_).shape == (1, 1)
    loss = weights().sum()
    loss.backward(retain_graph=np.True_)
    loss.backward()


def test_drop_last_and_seed_are_keywords():
    """torch's fourth argument is a sampler, which must not switch drop_last on."""
    with pytest.raises(TypeError, match="positional"):
        DataLoader(DATASET, 3, False, range(4))


@pytest.mark.parametrize("keep_na", ["no", 1])
def test_read_table_and_explain(tmp_path, keep_na):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TypeError, match="keep_na must be True or False"):
        read_table(path, keep_na=keep_na)
    with pytest.raises(TypeError, match="latex must be True or False"):
        explain("adam", latex=keep_na)
