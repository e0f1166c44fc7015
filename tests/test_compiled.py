"""Compiled training against eager training: the same batches, losses, parameters and optimizer state."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinygrad_lr import functional, manual_seed, nn, optim, randn, schedules, tensor
from tinygrad_lr.cli import main
from tinygrad_lr.compiled import CannotCompile, compile_step, runner
from tinygrad_lr.compiled.scalars import moving_table
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.history import History
from tinygrad_lr.training import Diverged, fit


def flow(optimizer, *, model=None, loss=None, samples=10, batch=4, dtype="float32", seed=0, features=3, outputs=1):
    """A model, a loss, its optimizer and a loader, always the same for the same arguments."""
    manual_seed(7)
    x, y = randn(samples, features).data.astype(dtype), randn(samples, outputs).data.astype(dtype)
    made = (model or (lambda: nn.Linear(features, outputs)))().to(dtype)
    loader = DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True, seed=seed)
    return made, loss or nn.MSELoss(), optimizer(made.parameters()), loader


def both(optimizer, epochs=2, schedule=None, **options):
    found = []
    for compiled in (False, True):
        model, loss, made, loader = flow(optimizer, **options)
        history = fit(model, loss, made, loader, epochs=epochs, schedule=schedule, progress=False, compiled=compiled)
        found.append((model, made, loader, history))
    return found


@pytest.fixture
def calls_only(monkeypatch):
    """The generated file as plain Python calls of the compiled kernels: compiling dozens of files takes minutes. The
    tests without this fixture compile the file as well."""

    def load(text):
        names = {}
        import_line = "from tinygrad_lr.kernels._shapes import shaped"
        assert import_line in text
        exec(text.replace("@compiled\n", "").replace(import_line, "shaped = lambda array, shape: array"), names)
        return SimpleNamespace(run=names["run"])

    monkeypatch.setattr(runner, "load", load)


def agree(found, steps_factor=400.0):
    """Equal up to the rounding of sums taken in another order: a multiple of eps for each step and length of a sum."""
    (model, optimizer, loader, history), (other_model, other_optimizer, other_loader, other_history) = found
    dtype = next(iter(model.parameters())).dtype
    bound = steps_factor * np.finfo(dtype).eps * len(history)

    def close(a, b):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        np.testing.assert_allclose(b, a, rtol=bound, atol=bound * max(1.0, np.abs(a).max(initial=0.0)))

    close(history.loss, other_history.loss)
    assert np.array_equal(history.lr, other_history.lr) and np.array_equal(history.epoch, other_history.epoch)
    assert loader.epoch == other_loader.epoch
    for name, values in model.state_dict().items():
        close(values, other_model.state_dict()[name])
    states, others = optimizer.state_dict(), other_optimizer.state_dict()
    assert [{**g, "params": 0} for g in states["param_groups"]] == [{**g, "params": 0} for g in others["param_groups"]]
    assert states["state"].keys() == others["state"].keys()
    for i, state in states["state"].items():
        assert state.keys() == others["state"][i].keys() and state["step"] == others["state"][i]["step"]
        for key in state:
            close(state[key], others["state"][i][key])
    for one, other in zip(model.parameters(), other_model.parameters(), strict=True):
        close(one.grad, other.grad)


DIALECTS = [(name, dialect) for name, kind in optim.OPTIMIZERS.items() for dialect in kind.dialects]


@pytest.mark.parametrize(("name", "dialect"), DIALECTS)
def test_every_optimizer_and_dialect_agrees(calls_only, name, dialect):
    agree(both(lambda params: optim.OPTIMIZERS[name](params, lr=0.05, dialect=dialect)))


OPTIONS = [
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.5, dialect="torch"),
    lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5, eps=1e-3),
    lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1),
    *(lambda p, f=f: optim.Adam(p, lr=0.01, amsgrad=True, amsgrad_form=f) for f in ("paper", "torch", "optax")),
    lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1, maximize=True),
]


@pytest.mark.parametrize("make", OPTIONS)
def test_options_short_batch_float64_and_schedule_agree(calls_only, make):
    schedule = schedules.warmup(3).then(schedules.cosine(6))
    agree(both(make, epochs=3, schedule=schedule, dtype="float64"))


def test_groups_with_rates_of_their_own():
    def make(params):
        weight, bias = params
        return optim.Adam([{"params": [weight], "lr": 0.1}, {"params": [bias], "name": "bias"}], lr=0.01)

    agree(both(make, schedule=schedules.polynomial(6)))


class Formula(nn.Module):
    """A model of one formula over a linear layer."""

    def __init__(self, formula):
        self.linear = nn.Linear(3, 4)
        self.scale = nn.Parameter([0.5, -1.0, 1.5, 0.75])
        self.formula = formula

    def forward(self, x):
        return self.formula(self.linear(x), self.scale).reshape(-1, 1)


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid())


UNARY = {
    "neg": lambda a: -a, "exp": lambda a: a.tanh().exp(), "log": lambda a: (a * a + 1.0).log(),
    "sqrt": lambda a: (a * a + 0.5).sqrt(), "abs": abs, "relu": lambda a: a.relu(), "tanh": lambda a: a.tanh(),
    "sigmoid": lambda a: a.sigmoid(), "square": lambda a: a**2, "power": lambda a: (a * a + 0.5) ** 1.5,
    "clone": lambda a: a.clone(), "twice": lambda a: a + a, "detached": lambda a: a * a.detach(),
    "flipped": lambda a: a[:, ::-1], "chosen": lambda a: a[:, np.array([1, 0, 2, 1])], "transposed": lambda a: a.T.T,
    "centred": lambda a: a - a.mean(0), "share": lambda a: a / (1.0 + abs(a).sum(1, keepdims=True)),
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: b - a, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1),
    "pow": lambda a, b: (a * a + 0.5) ** b, "matmul": lambda a, b: a * (a @ b).reshape(-1, 1),
    "outer": lambda a, b: a @ (b.reshape(4, 1) * b),
}  # fmt: skip


@settings(max_examples=25, suppress_health_check=[*HealthCheck])
@given(st.lists(st.sampled_from([*UNARY, *BINARY]), min_size=1, max_size=4), st.sampled_from([1, 3, 5]))
def test_formulas_of_the_ops_agree(calls_only, names, batch):
    def formula(a, scale):
        for name in names:
            a = (UNARY[name](a) if name in UNARY else BINARY[name](a, scale)).tanh()  # stays small
        return a.sum(1)

    agree(both(lambda p: optim.SGD(p, lr=1e-3), epochs=1, samples=6, batch=batch, model=lambda: Formula(formula)), 4e3)


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_each_op_agrees(calls_only, name):
    def formula(a, scale):
        return (UNARY[name](a) if name in UNARY else BINARY[name](a, scale)).sum(1)

    agree(both(lambda p: optim.SGD(p, lr=1e-2), epochs=1, dtype="float64", model=lambda: Formula(formula)))


def test_networks_agree():
    agree(both(lambda p: optim.Adam(p, lr=0.01), model=mlp, batch=3))


def test_losses_agree(calls_only):
    agree(both(lambda p: optim.Adam(p, lr=0.01), model=mlp, loss=nn.MSELoss("sum")))
    agree(both(lambda p: optim.SGD(p, lr=0.01), loss=lambda a, b: nn.MSELoss("none")(a, b).mean()))
    agree(both(lambda p: optim.SGD(p, lr=0.01), loss=lambda a, b: functional.mse_loss(a, b).sqrt(), outputs=2))


def test_between_epochs_everything_is_as_in_eager_training():
    rows = []
    for compiled in (False, True):
        model, loss, optimizer, loader = flow(lambda p: optim.Adam(p, lr=0.05))
        seen = []
        held_out = loader.dataset.tensors
        history = fit(model, loss, optimizer, loader, epochs=3, progress=False, held_out=held_out, compiled=compiled,
                      on_epoch=lambda epoch, h, seen=seen: seen.append((epoch, len(h))))  # fmt: skip
        assert seen == [(0, 3), (1, 6), (2, 9)]
        rows.append(history.held_out_loss)
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5)


def test_resuming_in_the_middle_equals_one_run_bit_for_bit():
    whole = flow(lambda p: optim.Adam(p, lr=0.05))
    fit(*whole, epochs=4, progress=False, compiled=True)
    parts = flow(lambda p: optim.Adam(p, lr=0.05))
    history = fit(*parts, epochs=2, progress=False, compiled=True)
    fit(*parts, epochs=4, progress=False, compiled=True, resume=history)
    assert all(
        np.array_equal(a.data, b.data) for a, b in zip(whole[0].parameters(), parts[0].parameters(), strict=True)
    )


def test_compile_step_makes_the_steps_of_the_eager_lines():
    one, other = (flow(lambda p: optim.Adam(p, lr=0.05)) for _ in range(2))
    step = compile_step(*one[:3])
    with pytest.raises(RuntimeError, match="first call"):
        _ = step.source
    for batch in [*one[3], *one[3]]:
        other[2].zero_grad()
        loss = other[1](other[0](batch[0]), batch[1])
        loss.backward()
        other[2].step()
        assert step(*batch) == pytest.approx(loss.item(), rel=1e-5)
    assert "adam.cpu" in step.source and "# linear" in step.source
    np.testing.assert_allclose(one[0].weight.data, other[0].weight.data, rtol=1e-4)


def test_a_loss_that_is_not_finite_stops_before_its_step():
    model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=1e30))
    with pytest.raises(Diverged) as caught:
        fit(model, loss, optimizer, loader, epochs=9, progress=False, compiled=True)
    made = len(caught.value.history)
    assert 0 < made < 27 and optimizer.state_dict()["state"][0]["step"] == made


class Branches(nn.Linear):
    def forward(self, x):
        return super().forward(x * (x > 0.0))


class Items(nn.Linear):
    def forward(self, x):
        return super().forward(x) * x.sum().item()


class InPlace(nn.Linear):
    def forward(self, x):
        x += 1.0
        return super().forward(x)


@pytest.mark.parametrize(("kind", "message"), [(Branches, "input 1 of mul"), (Items, "mul"), (InPlace, "in-place")])
def test_what_cannot_be_compiled_says_which_op_and_why(kind, message):
    model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=0.1), model=lambda: kind(3, 1))
    before = model.state_dict()
    with pytest.raises(RuntimeError, match=message):  # CannotCompile, or what the engine itself refuses
        fit(model, loss, optimizer, loader, epochs=1, compiled=True)
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())


def test_bad_input_is_refused():
    model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=0.1))
    with pytest.raises(TypeError, match="DataLoader"):
        fit(model, loss, optimizer, list(loader), epochs=1, compiled=True)
    with pytest.raises(TypeError, match="optimizer of tinygrad_lr"):
        compile_step(model, loss, object())
    with pytest.raises(TypeError, match="loss must be callable"):
        compile_step(model, 3, optimizer)
    other = optim.SGD([tensor([1.0], requires_grad=True)], lr=0.1)
    with pytest.raises(CannotCompile, match="depends on no parameter"):
        fit(model, loss, other, loader, epochs=1, compiled=True)


def test_the_command_line_trains_compiled_and_shows_the_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for out, more in (("eager", []), ("machine", ["--compiled"])):
        assert main(["train", "--epochs", "2", "--batch-size", "64", "--out", out, *more]) == 0
    printed = capsys.readouterr().out
    one, other = (History.from_csv(tmp_path / name / "history.csv") for name in ("eager", "machine"))
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-4)
    np.testing.assert_allclose(one.held_out_loss, other.held_out_loss, rtol=1e-4)
    assert printed.count("Epoch 2, Learning Rate") == 2
    described = json.loads((tmp_path / "machine" / "run.json").read_text())
    assert "--compiled" in described["command"] and "--show-compiled" not in described["command"]
    assert main(["train", "--show-compiled"]) == 0
    text = capsys.readouterr().out
    assert text.startswith('"""Steps of') and "# linear: " in text and not (tmp_path / "diabetes").exists()
    compile(text, "shown", "exec")


def test_a_history_that_differs_is_seen():
    found = both(lambda p: optim.SGD(p, lr=0.05))
    found[1][0].weight.data[0, 0] += 1e-2
    with pytest.raises(AssertionError):
        agree(found)


@pytest.mark.parametrize(("name", "dialect"), DIALECTS)
def test_the_scalars_of_many_steps_have_the_bits_of_each_step_alone(name, dialect):
    made = optim.OPTIMIZERS[name]([tensor([1.0], requires_grad=True)], lr=0.1, dialect=dialect, weight_decay=0.01)
    (group,), rates = made.param_groups, np.linspace(0.1, 0.0, 300)
    alone = [list(made.moving({**group, "lr": float(rate)}, i + 1).values()) for i, rate in enumerate(rates)]
    assert np.array_equal(moving_table(made, group, rates, 1), np.array(alone))
