"""The graph and the walk back: P47 and P48, values that change in place, no_grad, and long chains."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from engine_cases import gamma
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lr import Tensor, from_numpy, gradcheck, no_grad, ones, optim, tensor, zeros
from tinygrad_lr.engine.recording import switch

N = 3


class Dual:
    """The naive oracle: a float64 vector with its whole Jacobian, carried forward; no graph to get wrong.

    `shadow` is the Jacobian with every slope replaced by its magnitude plus 1: values within [-1, 1] that are off by a
    few units of rounding move a slope by no more than as many, because no second derivative used here exceeds 2.
    """

    def __init__(self, value, jacobian, shadow=None) -> None:
        self.value, self.jacobian = value, jacobian
        self.shadow = np.abs(jacobian) if shadow is None else shadow

    def elementwise(self, value, *slopes_and_inputs) -> Dual:
        return Dual(
            value,
            sum(slope[:, None] * x.jacobian for slope, x in slopes_and_inputs),
            sum((np.abs(slope) + 1)[:, None] * x.shadow for slope, x in slopes_and_inputs),
        )

    def linear(self, f) -> Dual:
        return Dual(f(self.value), f(self.jacobian), f(self.shadow))


one = np.ones(N)
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: a.elementwise(a.value + b.value, (one, a), (one, b))),
    "sub": (lambda a, b: a - b, lambda a, b: a.elementwise(a.value - b.value, (one, a), (-one, b))),
    "mul": (lambda a, b: a * b, lambda a, b: a.elementwise(a.value * b.value, (b.value, a), (a.value, b))),
    "ratio": (
        lambda a, b: a / (b * b + 1),
        lambda a, b: a.elementwise(
            a.value / (b.value**2 + 1), (1 / (b.value**2 + 1), a), (-2 * a.value * b.value / (b.value**2 + 1) ** 2, b)
        ),
    ),
}
UNARY = {
    "tanh": (lambda a: a.tanh(), lambda a: a.elementwise(np.tanh(a.value), (1 - np.tanh(a.value) ** 2, a))),
    "square": (lambda a: a**2, lambda a: a.elementwise(a.value**2, (2 * a.value, a))),
    "reversed": (lambda a: a[::-1], lambda a: a.linear(lambda x: x[::-1])),
    "repeated": (lambda a: a[np.array([0, 0, 2])], lambda a: a.linear(lambda x: x[[0, 0, 2]])),
    "views": (lambda a: a.reshape(1, N).T.reshape(N), lambda a: a),
    "spread": (lambda a: a.mean() + a * 0, lambda a: a.linear(lambda x: np.stack([x.mean(axis=0)] * N))),
    "clone": (lambda a: a.clone(), lambda a: a),
}

instructions = st.one_of(
    st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)),
    st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 99)),
)
programs = st.lists(instructions, min_size=1, max_size=12)
values = st.lists(st.floats(-1, 1), min_size=3 * N, max_size=3 * N)


def run(program, table, leaves, sizes):
    """Each instruction takes any earlier values: reuse, diamonds and dead ends come by themselves.

    The oracle, which runs first, notes in `sizes` the powers of two that keep values within [-1, 1].
    """
    found = list(leaves)
    for k, (name, *operands) in enumerate(program):
        function = (BINARY.get(name) or UNARY.get(name))[table]
        result = function(*(found[i % len(found)] for i in operands))
        if table:
            sizes.append(2.0 ** -max(0, int(np.ceil(np.log2(np.abs(result.value).max() + 1e-300)))))
        found.append(result.linear(lambda x, k=k: x * sizes[k]) if table else result * sizes[k])
    return found[-1]


@given(programs, values)
def test_p47_reuse_diamonds_and_views_against_a_naive_oracle(program, numbers) -> None:
    arrays = np.array(numbers).reshape(3, N)
    leaves = [tensor(a, requires_grad=True) for a in arrays]
    total = np.eye(3 * N).reshape(3, N, 3 * N)
    sizes: list[float] = []
    expected = run(program, 1, [Dual(a, j) for a, j in zip(arrays, total, strict=True)], sizes)
    out = run(program, 0, leaves, sizes)
    if out.requires_grad:
        out.sum().backward()
    found = np.concatenate([np.zeros(N) if x.grad is None else x.grad for x in leaves])
    # a path has at most 12 instructions, each of at most 8 roundings, and as many additions where paths meet
    bound = 2 * gamma(12 * 10 + 12, "float64") * expected.shadow.sum(axis=0)
    assert (np.abs(found - expected.jacobian.sum(axis=0)) <= bound).all()


def test_p47_the_oracle_would_notice_a_dropped_use() -> None:
    """micrograd #2: a gradient assigned instead of added."""
    x = tensor([1.0, 2.0, 3.0], requires_grad=True, dtype="float64")
    (x * x + x).sum().backward()
    dual = Dual(np.array([1.0, 2.0, 3.0]), np.eye(3))
    square = BINARY["mul"][1](dual, dual)
    whole, dropped = BINARY["add"][1](square, dual).jacobian.sum(axis=0), square.jacobian.sum(axis=0)
    np.testing.assert_array_equal(x.grad, whole)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(x.grad, dropped)


def test_a_diamond_is_visited_once(monkeypatch) -> None:
    from tinygrad_lr.engine import elementwise

    calls = []
    row = elementwise.tanh
    original = row.vjps
    monkeypatch.setattr(row, "vjps", (lambda g, out, a: calls.append(1) or original[0](g, out, a),))
    monkeypatch.setattr(row, "plans", {})
    x = tensor(0.5, requires_grad=True)
    top = x.tanh()
    y = top
    for _ in range(20):  # 2^20 paths
        y = y + y
    y.backward()
    assert calls == [1]
    np.testing.assert_allclose(x.grad, 2.0**20 * (1 - np.tanh(0.5) ** 2), rtol=1e-6)


def test_a_chain_of_ten_thousand_ops() -> None:
    x = tensor(1.0, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0 + 0.0
    y.backward()
    assert x.grad == 1
    del y
    gc.collect()


def test_one_weight_used_ten_thousand_times_stays_linear() -> None:
    w = tensor(1.0, requires_grad=True)
    y = w
    for _ in range(10_000):
        y = y * w
    y.backward()
    assert w.grad == 10_001


def test_graphs_never_walked_are_forgotten_with_their_views() -> None:
    w = tensor([1.0, 2.0], requires_grad=True)
    for _ in range(100):
        part = w[:1]
        node = weakref.ref((part * part)._node)
        assert node() is None
    assert list(w._views) == [id(part)]


# --- P48: accumulation and freed graphs -------------------------------------------------------------------------------


def test_p48_leaves_accumulate_and_interior_gradients_do_not_persist() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.sum().backward()
    assert y.grad is None and y.is_leaf is False
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad, [5.0, 7.0])
    x.zero_grad()
    assert x.grad is None


@given(st.integers(1, 4))
def test_p48_a_retained_graph_adds_the_same_gradient_again(times: int) -> None:
    x = tensor([0.5, -1.0], requires_grad=True)
    y = (x.tanh() * x).sum()
    y.backward(retain_graph=True)
    once = x.grad.copy()
    for _ in range(times):
        y.backward(retain_graph=True)
    np.testing.assert_allclose(x.grad, (times + 1) * once, rtol=1e-6)
    y.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier backward.*retain_graph=True"):
        y.backward()


def test_p48_a_freed_graph_raises_through_a_part_and_writes_nothing() -> None:
    x, z = tensor(2.0, requires_grad=True), tensor(3.0, requires_grad=True)
    shared = x * x
    (shared * 1).backward()
    x.zero_grad()
    with pytest.raises(RuntimeError, match="mul: the graph was freed"):
        (shared * z).backward()
    assert x.grad is None and z.grad is None


def test_backward_of_a_leaf_and_of_several_elements() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    x.backward(np.array([1.0, 5.0]))
    np.testing.assert_array_equal(x.grad, [1.0, 5.0])
    (x * 2).backward(tensor([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [3.0, 25.0])


def test_a_gradient_is_never_shared_between_leaves() -> None:
    a, b = ones(2, requires_grad=True), ones(2, requires_grad=True)
    given_gradient = np.ones(2, np.float32)
    (a + b).backward(given_gradient)
    a.grad[0] = 7
    assert b.grad[0] == 1 and given_gradient[0] == 1


def test_gradients_go_to_the_home_an_optimizer_gave() -> None:
    slot = np.zeros(2, np.float32)
    x = tensor([1.0, 2.0], requires_grad=True)
    x._grad_slot = slot
    (x * x).sum().backward()
    assert x.grad is slot and slot.tolist() == [2.0, 4.0]
    x.grad = [5.0, 6.0]
    assert x.grad is slot and slot.tolist() == [5.0, 6.0]


# --- values changed in place ------------------------------------------------------------------------------------------


def by_data(x):
    x.data[0] = 9


def by_numpy(x):
    x.numpy()[0] = 9


def by_array(x):
    np.asarray(x.detach())[0] = 9


def by_assigning_data(x):
    x.data = np.full(x.shape, 9.0)


def by_iadd(x):
    with no_grad():
        x += 1


def by_setitem(x):
    with no_grad():
        x[0] = 9


def by_detached(x):
    part = x.detach()
    part += 1


def by_view(x):
    with no_grad():
        part = x.reshape(-1)[:1]
        part *= 5


def by_array_of_a_view(x):
    x.detach()[:1].numpy()[0] = 9


WAYS = [by_data, by_numpy, by_array, by_assigning_data, by_iadd, by_setitem, by_detached, by_view, by_array_of_a_view]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("early", [False, True], ids=["exposed late", "exposed before"])
def test_changing_an_input_the_graph_needs_raises(way, early) -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    if early:
        x.numpy()
    y = (x * x).sum()
    way(x)
    with pytest.raises(RuntimeError, match=r"backward through mul: input 0, of shape \(2,\), was changed .*clone"):
        y.backward()
    assert x.grad is None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("early", [False, True], ids=["exposed late", "exposed before"])
def test_changing_an_output_the_graph_needs_raises(way, early) -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    if early:
        y.numpy()
    z = y.sum()
    way(y)
    with pytest.raises(RuntimeError, match="backward through exp: its output"):
        z.backward()


@pytest.mark.parametrize("way", WAYS)
def test_changing_what_a_view_shows_raises(way) -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    y = (x[:1] * x.T[:1]).sum()
    way(x)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


@pytest.mark.parametrize("way", WAYS)
def test_changing_what_the_graph_does_not_need_is_allowed(way) -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    y = (x + 1).sum() + (x * tensor([3.0, 4.0])).sum()  # neither reads x
    way(x)
    y.backward()
    np.testing.assert_array_equal(x.grad, [4.0, 5.0])


def raw_increment(c):
    c.numpy()[...] += 1


def detached_increment(c):
    part = c.detach()[:1]
    part += 1


def assigned_increment(c):
    c.data = c.tolist()[0] + np.ones(2)


def item_increment(c):
    c[0] = c[0] + 1


INCREMENTS = [raw_increment, by_iadd, detached_increment, assigned_increment, item_increment]
steps = st.one_of(
    st.tuples(st.just("times"), st.integers(0, 99), st.integers(0, 1)),
    st.tuples(st.just("plus"), st.integers(0, 99), st.integers(0, 1)),
    st.tuples(st.just("join"), st.integers(0, 99), st.integers(0, 99)),
    st.tuples(st.sampled_from(INCREMENTS), st.integers(0, 1)),
)


@given(st.lists(steps, min_size=2, max_size=10))
def test_p47_changes_in_place_against_a_naive_oracle(program) -> None:
    """A change raises exactly if the gradient needs the old values; else the gradient is that of the values then used.

    All numbers are small and whole, so that both sides are exact.
    """
    x = tensor([1.0, 2.0], requires_grad=True, dtype="float64")
    constants = [tensor([2.0, 3.0], dtype="float64"), tensor([-1.0, 1.0], dtype="float64")]
    changes = [0, 0]
    # for each value: the Tensor, its slope with respect to x, and the constants its gradient needs, as they were
    found = [(x, np.ones(2), frozenset())]
    for name, *operands in program:
        if callable(name):
            name(constants[operands[0]])
            changes[operands[0]] += 1
            continue
        value, slope, needs = found[operands[0] % len(found)]
        if name == "join":
            other, other_slope, other_needs = found[operands[1] % len(found)]
            found.append((value + other, slope + other_slope, needs | other_needs))
        elif name == "plus":
            found.append((value + constants[operands[1]], slope, needs))
        else:
            which = operands[1]
            factor = np.array(constants[which].tolist())
            found.append((value * constants[which], slope * factor, needs | {(which, changes[which])}))
    out, slope, needs = found[-1]
    if any(changes[which] != then for which, then in needs):
        with pytest.raises(RuntimeError, match="mul: input 1.* changed in place"):
            out.sum().backward()
        assert x.grad is None
    else:
        out.sum().backward()
        np.testing.assert_array_equal(x.grad, slope)


def test_changing_before_use_and_reading_without_changing_is_allowed() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    for way in WAYS:
        way(x)
    x.data = [1.0, 2.0]
    y = (x * x).sum()
    x.numpy(), x.data, np.asarray(x.detach())
    y.backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


def test_a_change_between_two_graphs_is_allowed() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    for number in (3.0, 5.0):
        x.zero_grad()
        (x * x).sum().backward()
        x.numpy()[0] = number
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward()
    assert x.grad.tolist() == [3.0 * 2 + 2 * 10.0, 3 * 4.0]


def test_handing_out_an_array_that_no_graph_needs_copies_nothing() -> None:
    x, y = tensor([1.0, 2.0]), tensor([1.0, 2.0], requires_grad=True)
    assert x.data is not None and x._seen is None
    (y * x).sum().backward()
    assert x._seen.content == x.data.tobytes()


def test_an_array_shared_with_numpy_is_watched() -> None:
    array = np.array([1.0, 2.0])
    w = tensor([1.0, 1.0], requires_grad=True, dtype="float64")
    for constant in (array, from_numpy(array)):
        y = (w * constant).sum()
        array[0] += 1
        with pytest.raises(RuntimeError, match="mul: input 1"):
            y.backward()
    assert from_numpy(array).data.base is array or from_numpy(array).data is array


def test_a_change_elsewhere_in_a_handed_out_array_is_allowed() -> None:
    """A batch is a view of a large array; the gradient needs that part alone."""
    x, w = tensor([1.0, 2.0, 3.0]), tensor([1.0, 1.0], requires_grad=True)
    for _ in range(2):  # exposed late, and before
        w.zero_grad()
        y = (w * x[:2]).sum()
        x.numpy()[2] += 1
        y.backward()
        assert w.grad.tolist() == [1.0, 2.0]
    y = (w * x[:2]).sum()
    x.numpy()[1] += 1
    with pytest.raises(RuntimeError, match="mul: input 1"):
        y.backward()


def test_a_change_is_noticed_after_an_optimizer_has_moved_the_values() -> None:
    w = tensor([1.0, 2.0], requires_grad=True)
    before = w.numpy()
    y = (w * w).sum()
    optim.SGD([w], lr=0.1)
    before[0] = 9
    with pytest.raises(RuntimeError, match="mul: input 0"):
        y.backward()


def test_a_copy_by_index_is_no_view() -> None:
    x = tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    picked = x[:, [0, 2]]
    y = (picked * picked).sum()
    by_iadd(x)
    y.backward()
    assert x.grad.sum() == 2 * picked.data.sum()


def test_changed_index_arrays_do_not_matter() -> None:
    where = np.array([0, 1])
    x = tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x[where].sum()
    where[:] = 2
    y.backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0, 0.0])


def test_in_place_operators_follow_torch_on_leaves() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="in-place add would change values whose gradient is .*no_grad"):
        x += 1
    with pytest.raises(RuntimeError, match=r"t\[...\] = value would change"):
        x[0] = 1
    with no_grad():
        memory = x._data
        x += 1
        x -= 0.5
        x *= 2
        x /= 4
        x **= 2
        x[1] = 5
    assert x._data is memory
    np.testing.assert_array_equal(x.data, [0.5625, 5.0])
    constant = zeros(2)
    with pytest.raises(RuntimeError, match="no_grad"):
        constant[0] = x[0]


def test_total_plus_equals_loss_works() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    for total in (0.0, zeros()):
        x.zero_grad()
        for _ in range(3):
            total += (x * x).sum()
        total.backward()
        np.testing.assert_array_equal(x.grad, [6.0, 12.0])


# --- no_grad, detach --------------------------------------------------------------------------------------------------


def test_no_grad_as_block_decorator_nested_and_per_thread() -> None:
    x = tensor(2.0, requires_grad=True)

    @no_grad()
    def twice(depth: int) -> bool:
        return (x * x).requires_grad if depth == 0 else twice(depth - 1)

    assert twice(3) is False
    assert (x * x).requires_grad
    block = no_grad()
    with block:
        with block:
            assert not switch.recording
        assert not switch.recording
        seen = []
        thread = threading.Thread(target=lambda: seen.append((x * x).requires_grad))
        thread.start()
        thread.join()
        assert seen == [True]
    assert switch.recording
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert switch.recording


def test_detach_stops_gradients_and_shares_memory() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    y = (x.detach() * x).sum()
    y.backward()
    np.testing.assert_array_equal(x.grad, [1.0, 2.0])
    assert x.detach()._data is x._data and not x.detach().requires_grad


def test_a_graph_without_backward_is_freed_by_reference_counts_alone() -> None:
    gc.disable()
    try:
        x = tensor([1.0, 2.0], requires_grad=True)
        y = x.exp().tanh() * x
        gone = weakref.ref(y._node)
        del y
        assert gone() is None
    finally:
        gc.enable()


def test_copies_and_pickles_of_leaves() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.name = "w"
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.requires_grad and other.name == "w" and not np.shares_memory(other._data, x._data)
        np.testing.assert_array_equal(other.grad, x.grad)
    with pytest.raises(RuntimeError, match="only leaves"):
        copy.deepcopy(x * 2)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_gradcheck_accepts_a_small_network(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def network(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        h = (x @ w + b).tanh()
        return ((h * h).sum(axis=1, keepdims=True) / (1 + h.exp())).sigmoid().log().mean(axis=0)

    assert gradcheck(network, rng.normal(size=(3, 2)), rng.normal(size=(2, 4)), rng.normal(size=4))


def test_gradcheck_works_close_to_the_edge_of_a_domain() -> None:
    assert gradcheck(lambda x: x.log() + x.sqrt(), [1e-3, 0.02, 5.0])


def test_gradcheck_leaves_inputs_and_gradients_alone() -> None:
    x = tensor([0.5, 2.0], requires_grad=True, dtype="float64")
    x.grad = [3.0, 4.0]
    slot = x._grad_slot = np.zeros(2)
    before = x.data.copy()
    assert gradcheck(lambda t: (t * t).sum(), x)
    assert x.data.tobytes() == before.tobytes() and x.grad.tolist() == [3.0, 4.0] and x._grad_slot is slot
