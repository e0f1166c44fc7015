"""dialect="torch" against torch 2.13: 200 steps of given gradients, state_dicts, and the article's whole flow.

The bound is derived, not tuned. The formula is run on enclosures (tinygrad_lr/verify/bounds/enclosed.py) along the same
gradients from the same start: every operation widens by its rounding, and widths are carried on, so both results must
lie inside whatever either rounds. torch evaluates some expressions in another order than the kernels:

- lerp, m + (1 - beta)(g - m) for beta m + (1 - beta) g: an enclosure of a moving average holds both;
- sqrt(v) / sqrt(1 - beta2^t) for sqrt(v / (1 - beta2^t)): 3 roundings instead of 2;
- lr / (1 - beta1^t) on the host, addcmul and addcdiv with or without a fused multiply-add: no more roundings.

So each operation is given one and a half roundings where the formula has one. Centred RMSprop is the one declared
difference: torch has NaN where the variance rounds below zero and we clamp. Random gradients never lead there; a test
of its own does. For the article's flow the gradients, too, are computed on enclosures, with sums bounded in any order.
"""

import numpy as np
import pytest

from tinygrad_lr import Tensor, nn, optim, schedules
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.bounds.enclosure import Enclosure, enclosed
from tinygrad_lr.verify.protocol import gamma

torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
from torch_cases import RUNS, TORCH, default_dtype  # noqa: E402 (it needs torch)

SHAPES, STEPS, LEAST = [(3, 4), (5,), ()], 200, 40
# With short averages or a weight decay, widths come back through the gradient and grow with each step, until an
# element has no bound.
WIDENING = {"asgd", "nadam", "radam"}


def example(dtype, steps=STEPS):
    rng = np.random.default_rng(7)
    params = [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]
    scales = [10.0 ** rng.uniform(-3, 2, size=shape) for shape in SHAPES]
    gradients = [[np.asarray(s * rng.normal(size=s.shape), dtype) for s in scales] for _ in range(steps)]
    return params, gradients


def build(name, variant, params):
    """Both optimizers over two groups, the second with a learning rate of its own."""
    theirs = [torch.tensor(p, requires_grad=True) for p in params]
    ours = [Tensor(p.copy(), dtype=p.dtype, requires_grad=True) for p in params]
    their_groups = [{"params": theirs[:1]}, {"params": theirs[1:], "lr": 0.003}]
    our_groups = [{"params": ours[:1]}, {"params": ours[1:], "lr": 0.003}]
    their_optimizer = TORCH[name](their_groups, **variant)
    our_optimizer = optim.OPTIMIZERS[name](our_groups, dialect="torch", **variant)
    return theirs, their_optimizer, ours, our_optimizer


def follow(tensors, optimizer, gradients, convert):
    for grads in gradients:
        for tensor, g in zip(tensors, grads, strict=True):
            tensor.grad = convert(g)
        optimizer.step()


def specification(name, variant, i):
    cls = optim.OPTIMIZERS[name]
    changes = {cls.torch_names.get(key, key): value for key, value in variant.items()}
    return adapters.specification(name, cls, "torch", **(changes if i == 0 else {**changes, "lr": 0.003}))


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


def pieces(enclosure, cuts):
    """An enclosure of parameters end to end, cut into one for each."""
    ends = zip(np.split(enclosure.low, cuts), np.split(enclosure.high, cuts), strict=True)
    return [Enclosure(low, high, enclosure.dtype, enclosure.roundings) for low, high in ends]


def inside(enclosure, value, what):
    value = np.asarray(value).ravel()
    enclosure = Enclosure(enclosure.low.ravel(), enclosure.high.ravel(), enclosure.dtype)
    assert not enclosure.no_claim.any(), what
    ratio = enclosure.ratio(value)
    assert enclosure.contains(value).all(), f"{what}: error over bound {ratio.max():.3g}"


def enclosures(name, variant, params, gradients, dtype):
    """Where each parameter and its states end; elementwise, those of a group are computed end to end."""
    found = []
    elementwise = specification(name, variant, 0).family.elementwise
    for rate_of, members in ((0, [0]), (1, [1, 2])) if elementwise else ((0, [0]), (1, [1]), (1, [2])):
        formula = enclosed(specification(name, variant, rate_of), dtype, roundings=1.5)
        if not elementwise:
            found.append(formula.free_run(params[members[0]], [grads[members[0]] for grads in gradients]))
            continue
        history = [flat([grads[i] for i in members]) for grads in gradients]
        theta, state = formula.free_run(flat([params[i] for i in members]), history)
        cuts = np.cumsum([params[i].size for i in members])[:-1]
        for one, *states in zip(pieces(theta, cuts), *(pieces(value, cuts) for value in state.values()), strict=True):
            found.append((one, dict(zip(state, states, strict=True))))
    return found


def longest(name, variant, dtype, steps):
    """Parameters, gradients and where they lead: of as many steps as every element has a bound for, by halves."""
    while True:
        params, gradients = example(dtype, steps)
        found = enclosures(name, variant, params, gradients, dtype)
        no_claim = any(each.no_claim.any() for theta, state in found for each in (theta, *state.values()))
        if name not in WIDENING or steps <= LEAST or not no_claim:
            return params, gradients, found
        steps //= 2


@pytest.mark.sampled(one_in=3, each=("name", "dtype"))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "variant"), RUNS)
def test_two_hundred_steps_and_the_state_agree_within_the_derived_bound(name, variant, dtype, searches):
    params, gradients, found = longest(name, variant, dtype, searches.choose(STEPS, LEAST))
    theirs, their_optimizer, ours, our_optimizer = build(name, variant, params)
    with default_dtype(np.dtype(dtype).name):
        follow(theirs, their_optimizer, gradients, torch.tensor)
    follow(ours, our_optimizer, gradients, np.array)
    their_state, our_state = their_optimizer.state_dict(), our_optimizer.state_dict()
    for mine, his in zip(our_state["param_groups"], their_state["param_groups"], strict=True):
        assert mine["params"] == his["params"]
        here = optim.OPTIMIZERS[name].torch_names
        assert all(mine[here.get(key, key)] == his[key] for key in variant) and mine["lr"] == his["lr"]
    for i, (theta, state) in enumerate(found):
        inside(theta, theirs[i].detach().numpy(), f"torch's parameter {i}")
        inside(theta, ours[i].data, f"our parameter {i}")
        mine, his = our_state["state"][i], their_state["state"].get(i, {})
        assert mine["step"] == len(gradients) and int(his.get("step", len(gradients))) == len(gradients)
        assert set(mine) - {"step"} == {key for key, value in his.items() if value is not None} - {"step"}
        for key, enclosure in state.items():
            inside(enclosure, his[key].numpy(), f"torch's {key} of parameter {i}")
            inside(enclosure, mine[key], f"our {key} of parameter {i}")


def to_numpy(value):
    """torch's state_dict with its tensors as NumPy arrays."""
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().copy()
    if isinstance(value, dict):
        return {key: to_numpy(entry) for key, entry in value.items()}
    return [to_numpy(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("name", "variant"), RUNS)
def test_torchs_state_dict_loads_and_the_run_goes_on(name, variant):
    dtype = np.float32
    params, gradients = example(dtype, 12)
    theirs, their_optimizer, _, _ = build(name, variant, params)
    follow(theirs, their_optimizer, gradients[:8], torch.tensor)
    midway = [p.detach().numpy().copy() for p in theirs]
    saved = to_numpy(their_optimizer.state_dict())
    _, _, ours, our_optimizer = build(name, variant, midway)
    our_optimizer.load_state_dict(saved)
    follow(ours, our_optimizer, gradients[8:], np.array)
    follow(theirs, their_optimizer, gradients[8:], torch.tensor)
    for i, start in enumerate(midway):
        formula = enclosed(specification(name, variant, i), dtype, roundings=1.5)
        theta = formula.lift(start)
        state = {key: saved["state"][i][key] for key in formula.spec.state_keys(start)}
        for t, grads in enumerate(gradients[8:], start=9):
            theta, state = formula.step(theta, grads[i], state, t)
        inside(theta, theirs[i].detach().numpy(), f"torch's parameter {i}")
        inside(theta, ours[i].data, f"our parameter {i}")


def test_the_bound_tells_torchs_dialect_from_the_others():
    """The known differences are larger than the bound, so agreement above means something."""
    params, gradients = example(np.float32, 20)
    for name, variant, change in (
        ("adam", {"eps": 1e-3}, {"eps_placement": "inside"}),
        ("adam", {"amsgrad": True, "betas": (0.9, 0.5)}, {"amsgrad_form": "optax"}),
        ("sgd", {"lr": 0.05, "momentum": 0.9, "dampening": 0.5}, {"dampen_first_step": True}),
        ("rmsprop", {"eps": 1e-3}, {"eps_placement": "inside"}),
        ("adagrad", {"eps": 1e-3}, {"eps_placement": "inside"}),
        ("adamw", {}, {"decoupled_weight_decay": False}),
    ):
        theirs, their_optimizer, _, _ = build(name, variant, params)
        follow(theirs, their_optimizer, gradients, torch.tensor)
        spec = specification(name, variant, 0).having(**change)
        theta, _ = enclosed(spec, np.float32, roundings=1.5).free_run(params[0], [grads[0] for grads in gradients])
        assert not theta.contains(theirs[0].detach().numpy()).all(), (name, change)


def test_centred_rmsprop_stays_finite_where_torch_gives_nan():
    """A constant gradient: s - a^2 is zero up to rounding, and torch takes the root of what may be below zero."""
    start = np.linspace(0.1, 1.0, 50, dtype=np.float32)
    variant = {"lr": 0.01, "alpha": 0.9, "centered": True}
    theirs, ours = torch.tensor(start, requires_grad=True), Tensor(start.copy(), requires_grad=True)
    g = np.linspace(0.3, 0.9, 50, dtype=np.float32)
    follow([theirs], torch.optim.RMSprop([theirs], **variant), [[g]] * 200, torch.tensor)
    follow([ours], optim.RMSprop([ours], dialect="torch", **variant), [[g]] * 200, np.array)
    assert np.isnan(theirs.detach().numpy()).any()
    assert np.isfinite(ours.data).all()


# The article's flow
def total(terms, axis):
    """The sum of enclosures along an axis, rounded in any order: gamma_n times the sum of magnitudes."""
    n = terms.low.shape[axis]
    slack = 1.001 * gamma(n, terms.dtype) * np.maximum(np.abs(terms.low), np.abs(terms.high)).sum(axis)
    return Enclosure(terms.low.sum(axis) - slack, terms.high.sum(axis) + slack, terms.dtype, terms.roundings)


def part(enclosure, index):
    return Enclosure(enclosure.low[index], enclosure.high[index], enclosure.dtype, enclosure.roundings)


def enclosed_gradients(weight, bias, x, y):
    """Linear(10, 1) and the mean squared error: d/dw = 2/n sum (w x + b - y) x, d/db = 2/n sum (w x + b - y)."""
    predicted = total(x * weight, 1) + bias
    residual = (predicted - y) * (2.0 / len(y.low))
    column = part(residual, (slice(None), None))
    return part(total(column * x, 0), None), part(total(residual, 0), None)


EPOCHS, WARMUP, BATCH, LR = 10, 5, 10, 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_articles_flow_from_the_same_weights_and_order(dtype):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(100, 10)).astype(dtype), rng.normal(size=(100, 1)).astype(dtype)
    orders = [rng.permutation(100).reshape(-1, BATCH) for _ in range(EPOCHS)]
    weight, bias = rng.uniform(-0.3, 0.3, size=(1, 10)).astype(dtype), rng.uniform(-0.3, 0.3, size=1).astype(dtype)

    their_model = torch.nn.Linear(10, 1).to(torch.float32 if dtype == np.float32 else torch.float64)
    our_model = nn.Linear(10, 1)
    if dtype == np.float64:
        our_model = our_model.to("float64")
    their_model.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    our_model.load_state_dict({"weight": weight, "bias": bias})
    theirs = torch.optim.Adam(their_model.parameters(), lr=LR)
    ours = optim.Adam(our_model.parameters(), lr=LR, dialect="torch")
    spec = adapters.specification("adam", optim.Adam, "torch", lr=LR)
    formula = enclosed(spec, dtype, roundings=1.5)
    w, b = formula.lift(weight), formula.lift(bias)
    states, t = (formula.initial_state(weight), formula.initial_state(bias)), 0
    their_loss, our_loss = torch.nn.MSELoss(), nn.MSELoss()
    for epoch, order in enumerate(orders):
        for batch, rows in enumerate(order):
            t += 1
            rate = schedules.decay_lr_poly(LR, epoch, batch, EPOCHS, len(order), WARMUP)
            for group in (*theirs.param_groups, *ours.param_groups):
                group["lr"] = rate
            theirs.zero_grad()
            their_loss(their_model(torch.tensor(x[rows])), torch.tensor(y[rows])).backward()
            theirs.step()
            ours.zero_grad()
            our_loss(our_model(Tensor(x[rows], dtype=dtype)), Tensor(y[rows], dtype=dtype)).backward()
            ours.step()
            gradients = enclosed_gradients(w, b, formula.lift(x[rows]), formula.lift(y[rows, 0]))
            formula = enclosed(spec.having(lr=rate), dtype, roundings=1.5)
            (w, state_w), (b, state_b) = (
                formula.step(theta, g, state, t) for theta, g, state in zip((w, b), gradients, states, strict=True)
            )
            states = state_w, state_b
    for name, enclosure in (("weight", w), ("bias", b)):
        inside(enclosure, getattr(their_model, name).detach().numpy(), f"torch's {name}")
        inside(enclosure, getattr(our_model, name).data, f"our {name}")
    # the bound itself is small beside what was learnt, so the comparison says something
    learnt = float(np.abs(our_model.weight.data - weight).max())
    assert float((w.high - w.low).max()) < learnt * (0.01 if dtype == np.float32 else 1e-10)
