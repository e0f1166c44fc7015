"""Compiled training against eager training: the same batches, and losses, gradients, parameters and optimizer state.

What "the same" means, and the derived bounds, stand in compiled_cases.py and step_enclosure.py.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from cli_cases import machine_code_as_python  # noqa: F401
from compiled_cases import OPS, Formula, apply, as_plain_python, check, flow, mlp, same_bits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optimizer_cases import having
from searches import examples
from step_enclosure import enclosed_step

from tinygrad_lr import backend, functional, manual_seed, nn, optim, random, schedules, tensor
from tinygrad_lr.cli import main, parser
from tinygrad_lr.cli.chosen import options_of
from tinygrad_lr.compiled import compile_step, lowering, runner, updates
from tinygrad_lr.compiled.tracing import trace
from tinygrad_lr.compiled.updates import moving_table
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.kernels import _jit
from tinygrad_lr.optim.coupled import CoupledOptimizer
from tinygrad_lr.training import Diverged, evaluate, fit
from tinygrad_lr.training.history import History
from tinygrad_lr.training.tables.arrays import is_compiled
from tinygrad_lr.training.tables.options import Options


@pytest.fixture
def calls_only(monkeypatch):
    """The generated file as plain Python calls of the compiled kernels: compiling dozens of files takes minutes. The
    tests without this fixture compile the file as well."""
    monkeypatch.setattr(runner, "load", lambda text: SimpleNamespace(run=as_plain_python(text)["run"]))


DIALECTS = [(name, dialect) for name, kind in optim.OPTIMIZERS.items() for dialect in kind.dialects]


@pytest.mark.parametrize(("name", "dialect"), DIALECTS)
def test_every_optimizer_and_dialect_agrees(calls_only, name, dialect):
    check(lambda params: optim.OPTIMIZERS[name](params, lr=0.05, dialect=dialect))


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
    check(make, epochs=3, schedule=schedule, dtype="float64")


def two_groups(params, **options):
    """The first parameter with a rate of its own, the others in a second group."""
    first, *others = params
    return optim.Adam([{"params": [first], "lr": 0.1}, {"params": others, "name": "others"}], lr=0.01, **options)


def test_groups_with_rates_of_their_own():
    check(two_groups, schedule=schedules.polynomial(6))


SCHEDULES = {"none": None, "cosine": schedules.cosine(9), "warm-up": schedules.warmup(2).then(schedules.polynomial(7))}
OPTIMIZERS = [*DIALECTS, ("two groups", "")]


@pytest.mark.filterwarnings("ignore:.*have learning rate 0")  # a schedule of 9 steps may end within the epochs
@settings(max_examples=examples(25, 3), suppress_health_check=[*HealthCheck])
@given(
    names=st.lists(st.sampled_from(OPS), min_size=1, max_size=3),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5)),
    dtype=st.sampled_from(["float32", "float64"]),
    optimizer=st.sampled_from(OPTIMIZERS),
    schedule=st.sampled_from([*SCHEDULES]),
    max_norm=st.sampled_from([None, 0.01, 1e3]),
    seed=st.integers(0, 3),
)
def test_any_flow_agrees(calls_only, names, sizes, dtype, optimizer, schedule, max_norm, seed):
    samples, batch, features = sizes

    def formula(a, scale):
        for name in names:
            a = apply(name, a, scale).tanh()  # stays small
        return a.sum(1)

    def make(params):
        name, dialect = optimizer
        return two_groups(params) if not dialect else optim.OPTIMIZERS[name](params, lr=1e-3, dialect=dialect)

    check(
        make,
        schedule=SCHEDULES[schedule],
        max_norm=max_norm,
        samples=samples,
        batch=batch,
        dtype=dtype,
        seed=seed,
        features=features,
        model=lambda: Formula(formula, features),
    )


@pytest.mark.sampled(one_in=3)
@pytest.mark.parametrize("name", OPS)
def test_each_op_agrees(calls_only, name):
    for dtype in ("float32", "float64"):
        check(
            lambda p: optim.SGD(p, lr=1e-2),
            epochs=1,
            dtype=dtype,
            model=lambda: Formula(lambda a, scale: apply(name, a, scale).sum(1)),
        )


def test_networks_agree():
    check(lambda p: optim.Adam(p, lr=0.01), model=mlp, batch=3)


def test_losses_agree(calls_only):
    check(lambda p: optim.Adam(p, lr=0.01), model=mlp, loss=nn.MSELoss("sum"))
    check(lambda p: optim.SGD(p, lr=0.01), loss=lambda a, b: nn.MSELoss("none")(a, b).mean())
    check(lambda p: optim.SGD(p, lr=0.01), loss=lambda a, b: functional.mse_loss(a, b).sqrt(), outputs=2)


WIDE = {
    "features": 40,
    "samples": 24,
    "batch": 24,
    "epochs": 1,
    "model": lambda: nn.Sequential(nn.Linear(40, 36), nn.ReLU(), nn.Linear(36, 1)),
}


def test_large_products_agree_with_blas_and_without(calls_only, monkeypatch):
    if lowering.has_blas():
        source = check(lambda p: optim.Adam(p, lr=0.01), **WIDE)
        assert "matmul.nt_blas" in source and "matmul.tn_blas" in source
        few_rows = {
            "features": 70,
            "samples": 10,
            "batch": 5,
            "epochs": 1,
            "model": lambda: nn.Sequential(nn.Linear(70, 100), nn.Tanh(), nn.Linear(100, 2)),
        }
        assert "moves.turn" in check(lambda p: optim.Adam(p, lr=0.01), outputs=2, **few_rows)
    monkeypatch.setattr(lowering, "has_blas", lambda: False)
    with pytest.warns(RuntimeWarning, match="pip install scipy"):
        source = check(lambda p: optim.Adam(p, lr=0.01), **WIDE)
    assert "_blas" not in source


def test_clipping_agrees(calls_only):
    for max_norm in (0.05, 1e6):
        check(lambda p: optim.Adam(p, lr=0.01), max_norm=max_norm, model=mlp)


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_the_norm_of_huge_and_tiny_gradients_is_that_of_the_eager_step(calls_only, scale):
    """Squares of such gradients overflow or vanish in float64."""
    check(two_groups, dtype="float64", max_norm=scale / 100, loss=lambda a, b: (abs(a - b) * scale).sum())


@pytest.mark.parametrize("compiled", [False, True])
def test_a_gradient_that_is_not_finite_stops_before_its_step(calls_only, compiled):
    def loss(prediction, target):
        return ((prediction - target).sum() * 0.0).sqrt()  # 0, and its gradient is infinite

    model, _, optimizer, loader = flow(lambda p: optim.SGD(p, lr=0.1))
    before = model.state_dict()
    with np.errstate(all="ignore"), pytest.raises(Diverged, match="step 0 .*gradient of .*weight") as caught:
        fit(model, loss, optimizer, loader, epochs=2, progress=False, compiled=compiled, max_norm=1.0)
    assert len(caught.value.history) == 0 and optimizer.state_dict()["state"] == {}
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())


def test_max_norm_is_checked():
    model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=0.1))
    for compiled in (False, True):
        with pytest.raises(ValueError, match="above 0"):
            fit(model, loss, optimizer, loader, epochs=1, compiled=compiled, max_norm=0.0)
    foreign = SimpleNamespace(param_groups=[{"lr": 0.1}], step=print, zero_grad=print)
    with pytest.raises(TypeError, match="needs an optimizer of tinygrad_lr"):
        fit(model, loss, foreign, loader, epochs=1, max_norm=1.0)


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.filterwarnings("ignore:every learning rate is 0")
def test_the_order_of_batches_is_that_of_eager_training(seed, drop_last):
    """Losses of whole numbers are exact: a batch of other samples would show. At rate 0 they are no others."""
    found = []
    for compiled in (False, True):
        manual_seed(3)
        y = np.arange(10.0, dtype=np.float32)[:, None]
        loader = DataLoader(TensorDataset(y * 0, y), 4, shuffle=True, seed=seed, drop_last=drop_last)
        model = nn.Linear(1, 1)
        model.load_state_dict({"weight": np.zeros((1, 1)), "bias": np.zeros(1)})
        optimizer = optim.SGD(model.parameters(), lr=0.0)
        history = fit(model, nn.MSELoss("sum"), optimizer, loader, epochs=40, progress=False, compiled=compiled)
        found.append((history.loss.tolist(), loader.epoch, random.get_state()))
    assert found[0] == found[1] and len(set(found[0][0])) > 20


def test_after_a_divergence_loader_and_generator_are_as_in_eager_training():
    found = []
    for compiled in (False, True):
        model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=1e9), seed=None)
        fit(*flow(lambda p: optim.SGD(p, lr=1e-3), seed=None), epochs=1, progress=False, compiled=compiled)
        manual_seed(2)
        with pytest.raises(Diverged) as caught:
            fit(model, loss, optimizer, loader, epochs=50, progress=False, compiled=compiled)
        found.append((len(caught.value.history), loader.epoch, random.get_state()))
    assert found[0] == found[1]


def test_a_gradient_or_loss_beyond_rounding_is_seen():
    model, loss, _, loader = flow(lambda p: optim.SGD(p, lr=0.1))
    batch = [each._data for each in loader.dataset.tensors]
    bound, gradients = enclosed_step(trace(model, loss, list(model.parameters()), batch), batch)
    value = loss(model(*loader.dataset.tensors[:-1]), loader.dataset.tensors[-1])
    value.backward()
    wrong = 1 + 64 * np.finfo(np.float32).eps
    assert bound.contains(value.item()) and not bound.contains(value.item() * wrong)
    for param in model.parameters():
        allowed = gradients[id(param)]
        assert allowed.contains(param.grad).all() and not allowed.contains(param.grad * 1.001).any()


def test_a_wrong_kernel_is_seen(calls_only, monkeypatch):
    from tinygrad_lr.kernels.ops import moves

    monkeypatch.setattr(moves, "column_sums", lambda a, out: np.copyto(out, a[:-1].sum(0)))
    with pytest.raises(AssertionError, match="allowed"):
        check(lambda p: optim.SGD(p, lr=0.05))


def test_between_epochs_everything_is_as_in_eager_training():
    model, loss, optimizer, loader = flow(lambda p: optim.Adam(p, lr=0.05))
    seen = []

    def look(epoch, history):
        seen.append((epoch, len(history), optimizer.state_dict()["state"][0]["step"], loader.epoch))
        assert evaluate(model, loss, loader.dataset) == history[-1]["held_out_loss"]

    fit(model, loss, optimizer, loader, epochs=3, progress=False, held_out=loader.dataset, compiled=True, on_epoch=look)
    assert seen == [(0, 3, 3, 1), (1, 6, 6, 2), (2, 9, 9, 3)]


def test_resuming_in_the_middle_equals_one_run_bit_for_bit():
    whole = flow(lambda p: optim.Adam(p, lr=0.05))
    fit(*whole, epochs=4, progress=False, compiled=True)
    parts = flow(lambda p: optim.Adam(p, lr=0.05))
    history = fit(*parts, epochs=2, progress=False, compiled=True)
    fit(*parts, epochs=4, progress=False, compiled=True, resume=history)
    assert all(
        np.array_equal(a.data, b.data) for a, b in zip(whole[0].parameters(), parts[0].parameters(), strict=True)
    )


@pytest.mark.parametrize("max_norm", [None, 0.1])
def test_compile_step_makes_the_steps_of_fit(max_norm):
    one, other = (flow(lambda p: optim.Adam(p, lr=0.05)) for _ in range(2))
    step = compile_step(*one[:3], max_norm=max_norm)
    with pytest.raises(RuntimeError, match="first call"):
        _ = step.source
    losses = [step(*batch) for batch in [*one[3], *one[3]]]
    history = fit(*other, epochs=2, progress=False, compiled=True, max_norm=max_norm)
    assert losses == history.loss.tolist()
    same_bits(*one[::2], *other[::2])
    assert "adam_plain(" in step.source and "# linear" in step.source
    assert ("norm.factor" in step.source) == (max_norm is not None)


def test_a_loss_that_is_not_finite_stops_before_its_step():
    model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=1e30))
    with pytest.raises(Diverged) as caught:
        fit(model, loss, optimizer, loader, epochs=9, progress=False, compiled=True)
    made = len(caught.value.history)
    assert 0 < made < 27 and optimizer.state_dict()["state"][0]["step"] == made


def test_bad_input_is_refused():
    model, loss, optimizer, loader = flow(lambda p: optim.SGD(p, lr=0.1))
    with pytest.raises(TypeError, match="DataLoader"):
        fit(model, loss, optimizer, list(loader), epochs=1, compiled=True)
    with pytest.raises(TypeError, match="optimizer of tinygrad_lr"):
        compile_step(model, loss, object())
    with pytest.raises(TypeError, match="loss must be callable"):
        compile_step(model, 3, optimizer)
    other = optim.SGD([tensor([1.0], requires_grad=True)], lr=0.1)
    with pytest.raises(ValueError, match="depends on no parameter"):
        fit(model, loss, other, loader, epochs=1, compiled=True)


def test_the_command_line_trains_compiled_and_shows_the_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for out, more in (("eager", []), ("machine", ["--compiled"])):
        assert main(["train", "--epochs", "2", "--batch-size", "64", "--out", out, *more]) == 0
    printed = capsys.readouterr().out
    one, other = (History.from_csv(tmp_path / name / "history.csv") for name in ("eager", "machine"))
    assert np.array_equal(one.lr, other.lr) and np.array_equal(one.epoch, other.epoch)
    assert np.isfinite([one.loss, other.loss]).all()
    assert np.array_equal(np.isfinite(one.held_out_loss), np.isfinite(other.held_out_loss))
    assert printed.count("Epoch 2, Learning Rate") == 2
    eager, machine = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("eager", "machine"))
    assert not eager["compiled"] and "--compiled" not in eager["command"]
    assert machine["compiled"] and "--compiled" in machine["command"]
    assert main(["train", "--show-compiled"]) == 0
    text = capsys.readouterr().out
    assert text.startswith('"""Steps of') and "# linear: " in text and not (tmp_path / "diabetes").exists()
    compile(text, "shown", "exec")


def test_the_command_line_never_falls_back_silently(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tinygrad_lr.compiled.lowering.FORMS", {"linear": lowering.FORMS["linear"]})
    arguments = ["train", "--epochs", "1", "--out", "run"]
    assert main([*arguments, "--compiled"]) == 2
    assert "the op 'mse_loss' has no compiled form" in (message := capsys.readouterr().err)
    assert "--eager" in message and not (tmp_path / "run").exists()
    assert main([*arguments, "--eager"]) == 0


@pytest.mark.parametrize(
    ("flags", "steps", "compiled"),
    [([], 9_999, False), ([], 10_000, True), (["--eager"], 10_000, False), (["--compiled"], 1, True)],
)
def test_long_trainings_are_compiled_unless_told_otherwise(flags, steps, compiled):
    options = Options.of(options_of(parser().parse_args(["train", *flags])))
    assert is_compiled(options, steps) is compiled
    options.device = "cuda"
    if flags == ["--compiled"]:
        with pytest.raises(ValueError, match="--compiled runs on the CPU"):
            is_compiled(options, steps)
    else:
        assert not is_compiled(options, steps)
    with pytest.raises(SystemExit):
        parser().parse_args(["train", "--eager", "--compiled"])


def test_nothing_is_called_compiled_where_nothing_is_compiled(tmp_path, monkeypatch, capsys):
    monkeypatch.undo()  # also where the compiler is off, and other tests do as if it were not
    monkeypatch.chdir(tmp_path)
    options = Options.of({})
    with backend.using("numpy"):
        assert not is_compiled(options, 10_000)
        assert main(["train", "--compiled", "--out", "run"]) == 2
    assert "the NumPy backend compiles nothing; install Numba" in capsys.readouterr().err
    monkeypatch.setattr(_jit, "COMPILER_IS_OFF", True)
    assert not is_compiled(options, 10_000)
    assert main(["train", "--compiled", "--out", "run"]) == 2 and not (tmp_path / "run").exists()
    assert "switched off (NUMBA_DISABLE_JIT); install Numba, and unset" in capsys.readouterr().err


def powers_of(few):
    """The loop over powers, or one that is not loaded and must not be called."""
    from tinygrad_lr.kernels.ops.matmul import powers

    return powers if few == 0 else lambda base, first, out: pytest.fail("Python was to take these powers")


@pytest.mark.parametrize("few", [0, 1000], ids=["by a compiled loop", "by Python"])
@pytest.mark.parametrize(("name", "dialect"), DIALECTS)
def test_the_scalars_of_many_steps_have_the_bits_of_each_step_alone(name, dialect, few, monkeypatch):
    monkeypatch.setattr(updates, "FEW", few)
    monkeypatch.setattr("tinygrad_lr.kernels.ops.matmul.powers", powers_of(few))
    chosen = having(name, weight_decay=0.01)
    made = optim.OPTIMIZERS[name]([tensor([1.0], requires_grad=True)], lr=0.1, dialect=dialect, **chosen)
    (group,), rates = made.param_groups, np.linspace(0.1, 0.0, 300)
    for first in (1, 7000, 8000, 800_000):  # 0.9^t becomes 0 at t = 7073, and 0.999^t at t = 744,761
        alone, numbers = [], made.numbers
        for step, rate in enumerate(rates.tolist(), first):
            now = made.numbered({**group, "lr": rate}, step, numbers)
            numbers = {key: now[key] for key in numbers}
            alone.append(list(made.moving(now, step).values()))
        table, after = moving_table(made, group, rates, first)
        assert np.array_equal(table, np.array(alone)) and (after or [{}])[-1] == numbers


@pytest.mark.parametrize("name", [name for name, cls in optim.OPTIMIZERS.items() if issubclass(cls, CoupledOptimizer)])
@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_groups_decide_together(name, max_norm):
    """Two groups, of which one has another rate and decay, share one distance: in every step, compiled and eager."""

    def optimizer(params):
        weight, bias = params
        return optim.OPTIMIZERS[name]([{"params": [weight]}, {"params": [bias], "lr": 0.5, "weight_decay": 0.1}])

    source = check(optimizer, max_norm=max_norm)
    assert "decided = fold(measured1)" in source
