"""Adam with its moments in fewer bytes: every step within verify/bounds/storage.py, on both CPU backends.

The kit checks the whole optimizer; the tests after it check the rounding itself, and that moments follow small changes
for thousands of steps. What is kept and refused: test_state_dtype_kept.py. Timed: benchmarks/states.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from optimizer_cases import cases, specification
from state_dtype_cases import FASTEST, every_backend, every_short, long_case, moments, own, stepped

import tinygrad_lr
from tinygrad_lr import nn, optim, tensor, verify
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.kernels import _jit, _run
from tinygrad_lr.kernels.ops import shuffle
from tinygrad_lr.kernels.updates import _bits, adam_bfloat16, adam_int8
from tinygrad_lr.optim import short_moments
from tinygrad_lr.training import fit
from tinygrad_lr.verify.adapters import OwnSubject
from tinygrad_lr.verify.bounds import storage
from tinygrad_lr.verify.properties import PROPERTIES
from tinygrad_lr.verify.properties.one_step import worst_ratio
from tinygrad_lr.verify.protocol import Broken, Case

# examples overflow on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

EXAMPLES = max(2, settings.default.max_examples // 12)
uniform_of = _jit.over_arrays(_bits.uniform)

ROUNDS = "the moments are rounded: storage.py's bound holds instead of the formula's"
EXPECTED = {
    "P21": ROUNDS,
    "P28": ROUNDS,
    "P29": "the state is codes, which test_moments_stay_within_the_bound decodes",
    "P30": ROUNDS,
}
BLOCKS = {"P4": "a block lies in one parameter: cut elsewhere it has another largest element"}


# The kit


@pytest.mark.sampled(one_in=4)
@every_short
@pytest.mark.parametrize(("name", "dialect"), [("adam", "article"), ("adamw", "torch")])
def test_the_kit_finds_nothing_but_the_rounding(state_dtype, name, dialect):
    expected = {**EXPECTED, **(BLOCKS if state_dtype == "int8" else {})}
    make = own(state_dtype, cls=optim.OPTIMIZERS[name], dialect=dialect)
    report = verify.check_optimizer(
        make, verify.spec(name, dialect=dialect), expected_failures=expected, max_examples=0
    )
    assert report.ok, str(report)
    assert [f.outcome for f in report.findings if f.property_id == "P1"] == ["passed"]


VARIANT_ROWS = [
    pytest.param(name, variant, id=f"{name}-{i}")
    for name, cls in optim.OPTIMIZERS.items()
    if len(cls.state_dtypes) > 1
    for i, variant in enumerate(cls.examined)
]


@pytest.mark.sampled(one_in=4, each=("name", "state_dtype", "backend"))
@every_short
@every_backend
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "variant"), VARIANT_ROWS)
def test_each_step_is_the_formula_within_the_derived_bound(name, variant, dtype, backend, state_dtype):
    spec = specification(name, "torch", {**variant, "amsgrad": False})
    make = own(state_dtype, backend, optim.OPTIMIZERS[name], "torch")
    assert worst_ratio(make, long_case(spec, dtype)) <= 1

    @settings(max_examples=EXAMPLES)
    @given(case=cases(spec, dtype))
    def check(case):
        assert worst_ratio(make, case) <= 1

    check()


@every_short
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_backends_give_the_same_bits(state_dtype, backend):
    """P18, on parameters of several blocks too."""
    spec = specification("adamw", "article", {})
    reference = own(state_dtype, "numpy", optim.AdamW)
    make = own(state_dtype, backend, optim.AdamW)
    for dtype in (np.float32, np.float64):
        long = long_case(spec, dtype)
        PROPERTIES["P18"](make, Case(spec, long.params, long.gradients, reference))

    @settings(max_examples=EXAMPLES)
    @given(case=cases(spec, np.float32))
    def examine(case):
        PROPERTIES["P18"](make, Case(spec, case.params, case.gradients, reference))

    if backend == FASTEST:
        examine()


@every_short
@every_backend
def test_the_number_of_threads_changes_no_bit(state_dtype, backend, monkeypatch):
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 100)
    monkeypatch.setattr(adam_int8, "GROUP", 1)
    case = long_case(specification("adam", "article", {}), np.float32)
    results, before = set(), tinygrad_lr.get_num_threads()
    try:
        for threads in (1, 2, 3):
            tinygrad_lr.set_num_threads(threads)
            subject = stepped(state_dtype, case.params, case.gradients, backend)
            kept = subject.get_state()["state"]
            results.add(
                b"".join([p.tobytes() for p in subject.params] + [s["exp_avg"].tobytes() for s in kept.values()])
            )
    finally:
        tinygrad_lr.set_num_threads(before)
    assert len(results) == 1


@pytest.mark.parametrize(("state_dtype", "codes"), [("bfloat16", 2), ("int8", 3)])
@pytest.mark.parametrize("key", ["exp_avg", "exp_avg_sq"])
def test_the_bound_refuses_moments_some_codes_off(state_dtype, codes, key):
    """The tester tested. (Of int8 the first element has the largest code, where a step is narrower than the bound.)"""

    class Off(OwnSubject):
        def get_state(self):
            found = super().get_state()
            for entry in found["state"].values():
                entry[key][0] -= codes
            return found

    spec = specification("adam", "article", {})
    case = Case(spec, [np.zeros(3, np.float32)], [[np.array([3.0, 0.1, -0.01], np.float32)]])
    wrong = lambda params, **h: Off(optim.Adam, params, {**h, "state_dtype": state_dtype}, "cpu", "")  # noqa: E731
    assert worst_ratio(own(state_dtype), case) <= 1
    with pytest.raises(Broken, match=f"{key} after step 1"):
        worst_ratio(wrong, case)


# Rounding


@pytest.mark.parametrize("value", [1.0, 1.001, 0.7, 3.14159e-5, 1e-39, 2.5e38])
def test_bfloat16_rounds_up_as_often_as_it_must(value):
    """Over all draws the mean is the number itself: exactly as many go up as its distance says."""
    x = np.full(2**16, value, np.float32)
    with np.errstate(all="ignore"):
        packed = adam_bfloat16.packed_of(-x, x, np.arange(2**16, dtype=np.uint32))
    lower = int(x.view(np.uint32)[0] >> 16)
    for got in ((packed >> 16) & 0x7FFF, packed & 0xFFFF):
        assert set(got.tolist()) <= {lower, lower + 1}
        assert (got == lower + 1).sum() == int(x.view(np.uint32)[0] & 0xFFFF)
    assert ((packed >> 31) == 1).all()


@pytest.mark.parametrize("fraction", [1.0, 0.9, 0.3, 0.01, 1e-3, 1e-5, 0.0])
def test_int8_rounds_without_bias(fraction):
    """Over all draws the mean is the number, up to float32's rounding of the level and the least code of v."""
    draws = 2**19
    starts = np.array([0, 2])
    value = np.float32(fraction * 5.0)
    _, m_unit, v_unit = adam_int8.kept(*(np.array([5.0, value], np.float32),) * 2, starts, np.uint32(0))
    x, every = np.full(draws, value), np.arange(draws, dtype=np.uint32)
    codes = adam_int8.packed_of(x, x, np.float32(1) / m_unit[0], np.float32(1) / v_unit[0], every)
    m, v = adam_int8.unpacked_of(codes, m_unit[0], v_unit[0])
    for got, unit in ((m, m_unit[0]), (v, v_unit[0])):
        assert len(np.unique(got)) <= 2
        rounding = 8 * 2.0**-24 * (unit + value) + (unit / 32 if got is v and value < unit / 32 else 0)
        assert abs(got.astype(np.float64).mean() - value) <= rounding


def test_the_noise_is_uniform_over_the_hosts_bits():
    """For any mantissa: the product with an odd number is a bijection of 23 bits, so each draw comes equally often."""
    every = np.arange(2**23, dtype=np.uint32)
    for v in (1.0, 1.5, 0.1, 7e-20):
        drawn = uniform_of(np.full(1, v, np.float32), every, np.uint32(16))
        assert np.bincount(drawn, minlength=2**16).tolist() == [2**7] * 2**16


def test_the_hosts_bits_fill_24_bits_evenly():
    """Of 2^14 steps each of 24 bits is set half the time, within six standard deviations, and few draws repeat."""
    noise = np.array([short_moments.noise_of(step) for step in range(1, 2**14 + 1)])
    words = _jit.over_arrays(shuffle.word)(np.uint64(0), np.arange(2**14, dtype=np.uint64))
    assert noise.tolist() == (words >> np.uint64(40)).tolist()
    assert (noise == np.float32(noise)).all() and noise.max() < 2**24 and len(set(noise)) > 2**14 - 60
    for bit in range(24):
        assert abs((noise.astype(np.int64) >> bit & 1).sum() - 2**13) < 6 * 2**7 / 2


@every_short
def test_moments_stay_within_the_bound(state_dtype):
    """Free-running moments against those of float64: within the sum of code steps always, and within the likely drift,
    which a chance of 1e-12 leaves (of 36,000 comparisons; the draws are the same in every run)."""
    betas, rng = (0.9, 0.99), np.random.default_rng(1)
    scale = 10.0 ** rng.uniform(-2, 0, size=300)
    subject = own(state_dtype)([np.zeros(300, np.float32)], betas=betas)
    exact = {"exp_avg": np.zeros(300), "exp_avg_sq": np.zeros(300)}
    widths = {key: [] for key in exact}
    peak = {key: np.zeros(300) for key in exact}
    for _ in range(60):
        g = (scale * rng.normal(size=300)).astype(np.float32)
        subject.step([g])
        entry = subject.get_state()["state"][0]
        found, steps = subject.storage.decoded(entry, np.float64), subject.storage.steps(entry)
        for (key, power), beta in zip((("exp_avg", 1), ("exp_avg_sq", 2)), betas, strict=True):
            added = (1 - beta) * g.astype(np.float64) ** power
            exact[key] = beta * exact[key] + added
            peak[key] = np.maximum(peak[key], np.abs(added) + np.abs(exact[key]) + np.abs(found[key]))
            widths[key].append(steps[key])
            rounding = 6 * 2.0**-24 * peak[key] / (1 - beta)  # of float32, every step, carried on by beta
            error = np.abs(found[key] - exact[key]) - rounding
            assert (error <= storage.drift(beta, widths[key])).all()
            assert (error <= storage.likely_drift(beta, widths[key], [w**2 / 4 for w in widths[key]], 1e-12)).all()


def rounded_to_nearest(state_dtype, monkeypatch):
    kernels = {"bfloat16": adam_bfloat16, "int8": adam_int8}[state_dtype]
    half = np.uint32(2**15 if state_dtype == "bfloat16" else 2**18)
    nearest = lambda v, noise, dropped: half  # noqa: E731
    if state_dtype == "int8":
        monkeypatch.setattr(kernels, "uniform_of", nearest)
    else:
        rule = _jit.uncompiled(kernels.rule, sqrt=np.sqrt, choose=np.where, uniform=nearest)
        monkeypatch.setattr(_run, "_array_rule", lambda _: rule)


@every_short
def test_small_changes_are_not_lost(state_dtype, monkeypatch):
    """A second moment decays by 0.1 % a step and must arrive; rounded to nearest it stands still.

    The first element keeps its size, and with it int8's unit; the others have other mantissas, and so other draws.
    """
    steps, beta, spread = 3000, 0.999, np.linspace(1.9, 1, 64).astype(np.float32)
    g = np.where(np.arange(64) == 0, np.float32(1), np.float32(0.1)) * spread
    exact, widths, variances = 1.0, [], []
    for _ in range(steps):  # of an element whose gradient fell from 1 to 0.1
        change = abs((1 - beta) * (0.01 - exact))
        exact -= change
        # a step is at most a 16th of v and the unit (4 / 63487), or a 128th of v; twice v, for v may be off
        widths.append((2 * exact + 1e-4) / 16 if state_dtype == "int8" else 2 * exact / 128)
        variances.append(2 * change * widths[-1])
    bound = storage.likely_drift(beta, widths, variances, 1e-9)

    def off():
        subject = own(state_dtype, "numpy")([np.zeros(64, np.float32)], betas=(0.9, beta))
        entry = {"step": 1, "exp_avg": np.zeros(64, np.float32), "exp_avg_sq": spread**2}
        subject.set_state({**subject.get_state(), "state": {0: entry}})
        for _ in range(steps):
            subject.step([g])
        return np.abs(moments(subject)["exp_avg_sq"] / spread.astype(np.float64) ** 2 - exact)[1:]

    assert off().max() <= bound
    rounded_to_nearest(state_dtype, monkeypatch)
    assert off().min() > bound


@every_short
def test_compiled_training_stores_the_same_moments(state_dtype):
    """One step, eager and compiled: gradients differ in their last bits, so moments by a code step at most."""
    x = np.random.default_rng(0).standard_normal((8, 300)).astype(np.float32)
    data = TensorDataset(tensor(x), tensor(x[:, :1]))
    found = []
    for compiled in (False, True):
        tinygrad_lr.manual_seed(0)
        model = nn.Linear(300, 1)
        optimizer = optim.Adam(model.parameters(), state_dtype=state_dtype)
        fit(model, nn.MSELoss(), optimizer, DataLoader(data, batch_size=8), epochs=1, progress=False, compiled=compiled)
        found.append((model.weight.data.copy(), optimizer.state_dict()["state"][0]))
    (theta, eager), (other, compiled_entry) = found
    reader = storage.reads(state_dtype)
    a, b, widths = reader.decoded(eager, float), reader.decoded(compiled_entry, float), reader.steps(eager)
    assert eager["step"] == compiled_entry["step"] == 1
    for key in a:
        assert (np.abs(a[key] - b[key]) <= 1.01 * np.maximum(widths[key], reader.steps(compiled_entry)[key])).all()
    np.testing.assert_allclose(theta, other, atol=1e-6)  # a step is 1e-3: of the right sign everywhere
