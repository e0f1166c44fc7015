"""Adam with its moments in fewer bytes: every step within the derived bound (verify/storage.py), on both CPU backends.

The kit checks the whole optimizer; the tests after it check the rounding itself, that moments follow small changes for
thousands of steps, and what is saved, refused and lost. Nothing here is timed: benchmarks/states.py is.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from optimizer_cases import VARIANTS, cases, specification

import tinygrad_lr
from tinygrad_lr import Tensor, cuda, nn, optim, tensor, verify
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.kernels import _bits, _jit, _run, adam_bfloat16, adam_int8
from tinygrad_lr.optim import state_dtypes
from tinygrad_lr.training import fit
from tinygrad_lr.verify import adapters, storage
from tinygrad_lr.verify.adapters import Own
from tinygrad_lr.verify.check import Broken, Case
from tinygrad_lr.verify.properties import PROPERTIES
from tinygrad_lr.verify.structural import worst_ratio

# examples overflow on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

SHORT = ["bfloat16", "int8"]
every_short = pytest.mark.parametrize("state_dtype", SHORT)
# Uncompiled, a block of 256 is as many turns of Python: there the loops are held to NumPy's bits in one test alone.
FASTEST = "numpy" if _jit.COMPILER_IS_OFF else "numba"
every_backend = pytest.mark.parametrize("backend", ["numpy"] if _jit.COMPILER_IS_OFF else ["numba", "numpy"])
EXAMPLES = max(2, settings.default.max_examples // 12)
uniform_of = _jit.over_arrays(_bits.uniform)

ROUNDS = "the moments are rounded: storage.py's bound holds instead of the formula's"
EXPECTED = {
    "P17": "amsgrad is refused",
    "P21": ROUNDS,
    "P28": ROUNDS,
    "P29": "the state is codes, which test_moments_stay_within_the_bound decodes",
}
BLOCKS = {"P4": "a block lies in one parameter: cut elsewhere it has another largest element"}


def own(state_dtype, backend=FASTEST, cls=optim.Adam, dialect="article"):
    return adapters.own(cls, dialect=dialect, backend=backend, state_dtype=state_dtype)


def stepped(state_dtype, params, gradients, backend=FASTEST, **hyperparameters):
    """The subject after these gradients (a list for each step, or one array for a single parameter)."""
    subject = own(state_dtype, backend)(params, **hyperparameters)
    for grads in gradients:
        subject.step(grads if isinstance(grads, list) else [grads])
    return subject


def moments(subject, i=0):
    return subject.storage.decoded(subject.get_state()["state"][i], np.float64)


def long_case(spec, dtype, seed=0, sizes=(600, 256, 5), steps=3):
    """Parameters of several blocks, the last ones short."""
    rng = np.random.default_rng(seed)
    params = [rng.normal(size=n).astype(dtype) for n in sizes]
    scales = [10.0 ** rng.uniform(-3, 3, size=n) for n in sizes]
    gradients = [[(s * rng.normal(size=s.size)).astype(dtype) for s in scales] for _ in range(steps)]
    gradients[1][1] = None
    return Case(spec, params, gradients)


# The kit


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
    pytest.param(name, v, id=f"{name}-{i}") for name in ("adam", "adamw") for i, v in enumerate(VARIANTS[name])
]


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

    class Off(Own):
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
    noise = np.array([state_dtypes.noise_of(step) for step in range(1, 2**14 + 1)])
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


# What is kept


@pytest.mark.parametrize(("state_dtype", "most"), [("bfloat16", 4.0), ("int8", 2.1)])
def test_bytes_of_state(state_dtype, most):
    subject = stepped(state_dtype, [np.ones(3000, np.float32)], [np.ones(3000, np.float32)], "numpy")
    kept = subject.optimizer._segments[0][0].states.values()
    saved = [x for key, x in subject.get_state()["state"][0].items() if key != "step"]
    assert sum(x.nbytes for x in kept) == sum(x.nbytes for x in saved) <= most * 3000


@every_short
def test_a_state_survives_the_way_through_a_dict(state_dtype):
    """Bit for bit as codes; as float32 moments to the nearest code, which is the same one."""
    case = long_case(specification("adam", "article", {}), np.float32)
    columns = [[None if g is None else g.reshape(-1, 1) for g in grads] for grads in case.gradients]
    original = stepped(state_dtype, [p.reshape(-1, 1) for p in case.params], columns)
    saved = original.get_state()
    assert saved["state"][0]["exp_avg"].shape == (600, 1)
    other = own(state_dtype)([p.reshape(-1, 1) for p in case.params])
    other.set_state(saved)
    again = other.get_state()
    for i, entry in saved["state"].items():
        for key, value in entry.items():
            np.testing.assert_array_equal(again["state"][i][key], value)
    floats = optim.decoded_state(saved)
    expected = [original.storage.decoded(saved["state"][i], np.float32) for i in saved["state"]]
    for i, wanted in enumerate(expected):
        assert set(floats["state"][i]) == {"step", "exp_avg", "exp_avg_sq"}
        for key, value in wanted.items():
            np.testing.assert_array_equal(floats["state"][i][key], value)
    other.set_state(floats)
    for i in saved["state"]:
        for key in ("exp_avg", "exp_avg_sq"):
            np.testing.assert_array_equal(other.get_state()["state"][i][key], saved["state"][i][key])


@every_short
def test_states_pass_between_dtypes(state_dtype):
    """From float32's Adam (or torch's) into codes, and back into float32's: each moment within half a code step."""
    rng = np.random.default_rng(3)
    theta, gradients = rng.normal(size=300), [rng.normal(size=300).astype(np.float32) for _ in range(3)]
    plain = adapters.own(optim.Adam)([theta.astype(np.float32)])
    for g in gradients:
        plain.step([g])
    short = own(state_dtype)([theta.astype(np.float32)])
    short.set_state(plain.get_state())
    exact, entry = plain.get_state()["state"][0], short.get_state()["state"][0]
    found, widths = moments(short), short.storage.steps(entry)
    for key, value in found.items():  # rounding is far below a code step: 8 u (unit + |w|), and that is below 32 steps
        assert (np.abs(value - exact[key]) <= (0.5 + 256 * 2.0**-24) * widths[key]).all()
    plain.set_state(optim.decoded_state(short.get_state()))
    np.testing.assert_array_equal(plain.get_state()["state"][0]["exp_avg"], found["exp_avg"].astype(np.float32))
    with pytest.raises(ValueError, match="decoded_state"):
        plain.set_state(short.get_state())
    with pytest.raises(ValueError, match="decoded_state"):
        own("int8" if state_dtype == "bfloat16" else "bfloat16")([theta.astype(np.float32)]).set_state(
            short.get_state()
        )


@every_short
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(state_dtype):
    theta, g = np.ones(300, np.float32), np.ones(300, np.float32)
    subject = stepped(state_dtype, [theta], [g])
    good = subject.get_state()

    def loading(**changes):
        entry = {key: value for key, value in {**good["state"][0], **changes}.items() if value is not None}
        subject.set_state({**good, "state": {0: entry}})

    with pytest.raises(ValueError, match="lacks exp_avg_sq"):
        loading(exp_avg_sq=None)
    with pytest.raises(ValueError, match="shape"):
        loading(exp_avg=good["state"][0]["exp_avg"][:7])
    with pytest.raises(ValueError, match="whole number"):
        loading(step=-1)
    with pytest.raises(ValueError, match="negative"):
        loading(exp_avg=g, exp_avg_sq=-g)
    if state_dtype == "int8":
        with pytest.raises(ValueError, match=r"shape \(2,\)"):
            loading(exp_avg_unit=np.ones(3, np.float32))
        with pytest.raises(ValueError, match=r"shape \(2,\)"):
            loading(exp_avg_unit=None)
    assert subject.get_state()["state"][0]["exp_avg"].tobytes() == good["state"][0]["exp_avg"].tobytes()


def test_float32_is_what_it_was():
    """None and "float32" are the same, in the parameter's dtype."""
    g = np.linspace(-1, 1, 9)
    found = [stepped(kept, [g], [g, g]) for kept in (None, "float32")]
    assert found[0].params[0].tobytes() == found[1].params[0].tobytes()
    assert found[0].get_state()["state"][0]["exp_avg"].dtype == np.float64
    assert found[0].storage is found[1].storage is None


@every_short
def test_parameters_do_not_share_blocks(state_dtype):
    """Beside parameters a million times larger, and with gradients missing now and then, the bits stay."""
    case = long_case(specification("adam", "article", {}), np.float32, steps=4)
    alone = stepped(state_dtype, [case.params[0]], [grads[0] for grads in case.gradients])
    beside = [[1e6 * g if g is not None else None, case_grads[0], None if t == 2 else np.float32(1e6) * case_grads[2]]
              for t, case_grads in enumerate(case.gradients) for g in case_grads[1:2]]  # fmt: skip
    beside = [[None if g is None else g.astype(np.float32) for g in grads] for grads in beside]
    among = stepped(state_dtype, [case.params[1], case.params[0], case.params[2]], beside)
    assert among.params[1].tobytes() == alone.params[0].tobytes()
    for key, value in alone.get_state()["state"][0].items():
        np.testing.assert_array_equal(among.get_state()["state"][1][key], value)


@every_backend
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_what_is_not_finite_is_seen_and_stays_where_it_is(value, backend):
    """bfloat16 loses the element, as float32 does; int8 its block, and never the next one."""
    g = np.full(600, 0.5, np.float32)
    g[300] = value
    theta, ok = np.ones(600, np.float32), np.full(600, 0.5, np.float32)
    short = stepped("bfloat16", [theta], [g, ok, ok], backend).params[0]
    plain = stepped(None, [theta], [g, ok, ok], backend).params[0]
    np.testing.assert_array_equal(np.isnan(short), np.isnan(plain))
    lost = np.isnan(stepped("int8", [theta], [g, ok, ok], backend).params[0])
    assert not lost[:256].any() and lost[256:512].all() and not lost[512:].any()


def test_a_nan_of_any_pattern_stays_nan():
    """Noise added to the largest pattern would run over into a number."""
    patterns = np.array([0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFC00001], np.uint32)
    for drawn in (0, 2**15, 2**16 - 1):
        with np.errstate(all="ignore"):
            packed = adam_bfloat16.packed_of(patterns.view(np.float32), np.ones(4, np.float32), np.uint32(drawn))
            assert np.isnan(adam_bfloat16.unpacked_of(packed)[0]).all()


# What is refused


def parameter(size=3):
    return Tensor(np.zeros(size, np.float32), requires_grad=True)


def test_unknown_words_are_refused():
    for wrong in ("float16", 8, ["int8"]):
        with pytest.raises(ValueError, match="state_dtype must be None or one of 'float32', 'bfloat16', 'int8'"):
            optim.Adam([parameter()], state_dtype=wrong)


@every_short
def test_amsgrad_is_refused_wherever_it_is_asked_for(state_dtype):
    with pytest.raises(ValueError, match="running maximum"):
        optim.Adam([parameter()], amsgrad=True, state_dtype=state_dtype)
    optimizer = optim.AdamW([parameter()], state_dtype=state_dtype)
    with pytest.raises(ValueError, match="running maximum"):
        optimizer.param_groups[0]["amsgrad"] = True
    with pytest.raises(ValueError, match="running maximum"):
        optimizer.add_param_group({"params": parameter(), "amsgrad": True})
    assert len(optimizer.param_groups) == 1 and not optimizer.param_groups[0]["amsgrad"]


@every_short
def test_a_gpu_is_refused_with_the_remedy(state_dtype):
    with pytest.raises(NotImplementedError, match=r"model\.to\('cpu'\)"):
        state_dtypes.refuse_device(state_dtype, {"cpu", "cuda"})
    if cuda.is_available() or cuda.is_simulated():
        with pytest.raises(NotImplementedError, match="runs on the CPU only"):
            optim.Adam([Tensor(np.zeros(3, np.float32), requires_grad=True, device="cuda")], state_dtype=state_dtype)
