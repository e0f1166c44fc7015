"""The named properties (tinygrad_lr/verify) for every row of the table of optimizers, under every dialect.

One test id per property and configuration. What does not apply is reported with its reason: properties that speak about
other optimizers make no test; the reasons for which a setting excludes others are listed in optimizer_cases.EXCLUDED;
all others must have something to say about `certain`, while drawn examples may be beside their point.
"""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from optimizer_cases import BACKENDS, ROWS, cases, informative, maker, raised, specification, what_a_setting_excludes

import tinygrad_lr
from tinygrad_lr import optim
from tinygrad_lr.kernels import _run
from tinygrad_lr.kernels._jit import COMPILER_IS_OFF
from tinygrad_lr.verify.guard import guarded
from tinygrad_lr.verify.properties import PROPERTIES, Case
from tinygrad_lr.verify.protocol import NotApplicable

# the simulator's threads do not inherit numpy.errstate, and examples overflow on purpose
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

EXAMPLES = max(2, settings.default.max_examples // 12)
CONFIGURATIONS = [
    pytest.param(property_id, *row.values, id=f"{property_id}-{row.id}")
    for row in ROWS
    for property_id, check in PROPERTIES.items()
    if check.applies(row.values[0]) and property_id not in ("P1", "P18")  # P1: test_optimizers_formulas; P18: below
]
WITH_CASES = [each for each in CONFIGURATIONS if PROPERTIES[each.values[0]].cases]
WITHOUT_CASES = [each for each in CONFIGURATIONS if not PROPERTIES[each.values[0]].cases]


def certain(spec, dtype):
    """An example on which every property can be asked: three gradients, the last with a square that overflows."""
    rows = [1.0, -0.5], [1.0, 0.25], [-0.5, 2.0], [0.5, float(np.finfo(dtype).max) / 4]
    params, *gradients = [[raised(spec, np.array(row, dtype))] for row in rows]
    return Case(spec, params, gradients)


@pytest.mark.sampled(one_in=4, each=("property_id", "name"))
@pytest.mark.parametrize(("property_id", "name", "dialect", "variant"), WITHOUT_CASES)
def test_property(property_id, name, dialect, variant):
    spec, check = specification(name, dialect, variant), PROPERTIES[property_id]
    dtype = informative(spec, np.float64 if len(variant) % 2 else np.float32)
    make = maker(name, dialect, "numba")
    with what_a_setting_excludes(property_id):
        check(make, certain(spec, dtype))

    @settings(max_examples=EXAMPLES)
    @given(case=cases(spec, dtype))
    def examine(case):
        with suppress(NotApplicable):
            check(make, case)

    if not check.once:
        examine()


@pytest.mark.skipif(COMPILER_IS_OFF, reason="Numba's compiler is off: too many elements for loops in Python")
@pytest.mark.sampled(one_in=48, each=("property_id",))
@pytest.mark.parametrize(("property_id", "name", "dialect", "variant"), WITH_CASES)
def test_property_that_brings_its_cases(property_id, name, dialect, variant):
    """The cases ask for other settings, too, which a constructor may refuse."""
    spec = specification(name, dialect, variant)
    make = guarded(maker(name, dialect, "numba"), spec, {})
    with suppress(NotApplicable):
        PROPERTIES[property_id](make, certain(spec, informative(spec, np.float64 if len(variant) % 2 else np.float32)))


@pytest.mark.sampled(one_in=4, each=("name", "backend"))
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "dialect", "variant"), ROWS)
def test_backends_give_the_same_bits(name, dialect, variant, backend):
    """P18. On a real GPU a product and a sum may be fused, so there P1's enclosure is the judge instead."""
    if backend == "cuda" and not tinygrad_lr.cuda.is_simulated():
        pytest.skip("a real GPU contracts products into fused multiply-adds; its steps are judged by P1")
    spec = specification(name, dialect, variant)
    reference = maker(name, dialect, "numpy")

    @settings(max_examples=EXAMPLES if backend != "cuda" else 2)
    @given(case=cases(spec, np.float32))
    def examine(case):
        PROPERTIES["P18"](maker(name, dialect, backend), Case(spec, case.params, case.gradients, reference))

    examine()


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_the_number_of_threads_changes_no_bit(name, backend, monkeypatch):
    """P2 with one to four threads: chunks are made small so that a small array is cut into several."""
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 16)
    monkeypatch.setattr(_run, "BLOCK", 32)
    rng = np.random.default_rng(0)
    spec = specification(name, None, {})
    param, *gradients = [[raised(spec, rng.normal(size=101))] for _ in range(4)]
    case = Case(spec, param, gradients)
    results = set()
    before = tinygrad_lr.get_num_threads()
    try:
        for threads in (1, 2, 3, 4):
            tinygrad_lr.set_num_threads(threads)
            PROPERTIES["P2"](maker(name, None, backend), case)
            subject = case.make(maker(name, None, backend))
            for grads in case.gradients:
                subject.step(grads)
            results.add(subject.params[0].tobytes())
    finally:
        tinygrad_lr.set_num_threads(before)
    assert len(results) == 1
