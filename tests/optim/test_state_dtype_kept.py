"""Adam with its moments in fewer bytes: what is kept, saved, loaded and lost, and what is refused."""

import numpy as np
import pytest
from optimizer_cases import specification
from state_dtype_cases import every_backend, every_short, long_case, moments, own, stepped

from tinygrad_lr import Tensor, cuda, optim
from tinygrad_lr.kernels.updates import adam_bfloat16
from tinygrad_lr.optim import short_moments
from tinygrad_lr.verify import adapters

# examples overflow on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

# What is kept


@pytest.mark.parametrize(("state_dtype", "most"), [("bfloat16", 4.0), ("int8", 2.1)])
def test_bytes_of_state(state_dtype, most):
    subject = stepped(state_dtype, [np.ones(3000, np.float32)], [np.ones(3000, np.float32)], "numpy")
    kept = subject.optimizer._segments[0][0].states.values()
    saved = [x for key, x in subject.get_state()["state"][0].items() if key != "step"]
    assert sum(x.nbytes for x in kept) == sum(x.nbytes for x in saved) <= most * 3000


@pytest.mark.parametrize(
    ("state_dtype", "size", "saved", "in_memory"),
    [("bfloat16", 1, 4, 4), ("int8", 1, 10, 18), ("int8", 2, 6, 10), ("int8", 25_600, 2.03125, 2.0625)],
)
def test_bytes_of_small_and_large_parameters(state_dtype, size, saved, in_memory):
    """What the docstring says of one element and of many; where blocks begin is kept in memory only."""
    count = 100 if size < 100 else 1
    subject = stepped(state_dtype, [np.ones(size, np.float32)] * count, [[np.ones(size, np.float32)] * count], "numpy")
    segment = subject.optimizer._segments[0][0]
    states = sum(array.nbytes for array in segment.states.values())
    starts = (
        0 if state_dtype == "bfloat16" else segment.buffers(0, count, ("moments", *short_moments.SCALES))[-1].nbytes
    )
    assert states == saved * size * count
    assert states + starts == pytest.approx(in_memory * size * count, abs=8), "and where the last block ends"


def test_repr_shows_how_moments_are_kept():
    for state_dtype in ("bfloat16", "int8"):
        optimizer = optim.AdamW([parameter()], state_dtype=state_dtype)
        assert repr(optimizer).startswith(f"AdamW(dialect='article', state_dtype='{state_dtype}'\n  group 0: ")
    assert repr(optim.Adam([parameter()])).startswith("Adam(dialect='article'\n")


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
    beside = [
        [1e6 * g if g is not None else None, case_grads[0], None if t == 2 else np.float32(1e6) * case_grads[2]]
        for t, case_grads in enumerate(case.gradients)
        for g in case_grads[1:2]
    ]
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
        short_moments.refuse_device(state_dtype, {"cpu", "cuda"})
    if cuda.is_available() or cuda.is_simulated():
        with pytest.raises(NotImplementedError, match="runs on the CPU only"):
            optim.Adam([Tensor(np.zeros(3, np.float32), requires_grad=True, device="cuda")], state_dtype=state_dtype)
