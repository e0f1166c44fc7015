"""What a watcher is told: every way in which Python reads or changes the values of a Tensor, and ops without a node."""

import copy
import pickle

import numpy as np
import pytest

from tinygrad_lr import Tensor, manual_seed, nn, no_grad, rand, randn, random, tensor
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine.recording import switch


class Notes:
    """Writes down what it is told."""

    def __init__(self):
        self.touches, self.nodes, self.detachments, self.draws = [], [], [], 0

    def touched(self, tensor, how):
        self.touches.append((tensor, how))

    def unrecorded(self, node, out):
        self.nodes.append((node, out))

    def detached(self, out, tensor):
        self.detachments.append((out, tensor))

    def drawing(self):
        self.draws += 1


@pytest.fixture
def notes(monkeypatch):
    watcher = Notes()
    monkeypatch.setattr(switch, "watcher", watcher, raising=False)
    yield watcher
    monkeypatch.undo()


def in_place(t):
    t += 1.0


def assigned(t):
    t[0] = 2.0


def assigned_to(name):
    return lambda t: setattr(tensor([0.0, 0.0]), name, t)


def gradient(t):
    (tensor([1.0, 2.0], requires_grad=True) * 1.0).backward(t)


ACCESSES = {
    "data": lambda t: t.data,
    "data=": lambda t: setattr(t, "data", [1.0, 2.0]),
    "numpy": lambda t: t.numpy(),
    "item": lambda t: t.sum().item(),
    "tolist": lambda t: t.tolist(),
    "array": np.asarray,
    "array of another dtype": lambda t: np.asarray(t, "float64"),
    "branching": lambda t: 1 if (t > 0.0).any() else 0,
    "all": lambda t: t.logical_not().all(),
    "bool": lambda t: bool(t[0]),
    "float": lambda t: float(t[0]),
    "int": lambda t: int(t[0]),
    "contains": lambda t: 3.0 in t,
    "largest": lambda t: max(t),
    "sorted": sorted,
    "Tensor": Tensor,
    "Parameter": nn.Parameter,
    "list of Tensors": lambda t: tensor([t, t]),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": pickle.dumps,
    "in place": in_place,
    "assigned": assigned,
    "an operand in place": lambda t: tensor([1.0, 2.0]).__iadd__(t),
    "an assigned value": lambda t: tensor([1.0, 2.0]).__setitem__(0, t[0]),
    "data of another": assigned_to("data"),
    "grad of another": assigned_to("grad"),
    "a gradient": gradient,
    "grad=": lambda t: setattr(t, "grad", [1.0, 2.0]),
    "batches": lambda t: list(DataLoader(TensorDataset(t))),
}


@pytest.mark.parametrize("name", ACCESSES)
def test_every_access_to_values_is_told(notes, name):
    t = tensor([1.0, 2.0])
    ACCESSES[name](t)
    computed = {id(out) for _, out in notes.nodes}
    assert any(touched is t or id(touched) in computed for touched, _ in notes.touches)
    assert all(isinstance(how, str) and how for _, how in notes.touches)


def test_questions_leave_no_node_and_are_told_as_ops(notes):
    t, other = tensor([1.0, 2.0]), tensor([1.0, 2.0])
    asked = [t == 0.0, t != 0.0, t < 0.0, t <= 0.0, t > 0.0, t >= 0.0, other < t, t.isnan(), ~(t > 0.0), t.argmax()]
    assert [id(out) for _, out in notes.nodes if any(out is each for each in asked)] == [id(each) for each in asked]
    assert not notes.touches and all(node.wanted == () for node, _ in notes.nodes)


def test_whole_numbers_as_an_index_are_told(notes):
    t, chosen = tensor([1.0, 2.0]), tensor([1, 0])
    _ = t[chosen]
    _ = t[chosen, None]
    _ = [5, 6][chosen[0]]
    assert [touched is chosen for touched, _ in notes.touches] == [True, True, False]


def test_parameters_saved_loaded_and_walked_back_are_told(notes):
    layer, other = nn.Linear(2, 1), nn.Linear(2, 1)
    notes.touches.clear()
    layer.state_dict()
    assert [touched for touched, _ in notes.touches] == list(layer.parameters())
    notes.touches.clear()
    layer.load_state_dict(dict(other.named_parameters()))
    touched = {id(each) for each, _ in notes.touches}
    assert touched == {id(each) for each in (*layer.parameters(), *other.parameters())}
    notes.touches.clear()
    layer(tensor([[1.0, 2.0]])).backward()
    assert [how for _, how in notes.touches] == ["backward()"]


def test_ops_that_leave_no_node_are_told_and_those_that_do_are_not(notes):
    w, c = tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 4.0])
    recorded = w * c
    assert recorded._node is not None and not notes.nodes
    with no_grad():
        hidden = w * c
    plain = c.sum()
    assert [id(out) for _, out in notes.nodes] == [id(hidden), id(plain)]
    node = notes.nodes[0][0]
    assert node.op.name == "mul" and node.inputs == (w, c) and node.wanted == () and hidden._node is None
    cut = recorded.detach()
    assert notes.detachments[0][0] is cut and notes.detachments[0][1] is recorded
    assert not notes.touches


def test_asking_for_the_generator_is_told(notes):
    state = random.get_state()
    assert not notes.draws
    for draw in (random.generator, lambda: randn(2), lambda: rand(2), lambda: manual_seed(0), lambda: nn.Linear(1, 1)):
        before = notes.draws
        draw()
        assert notes.draws > before
    before = notes.draws
    random.set_state(state)
    assert notes.draws > before


def test_nothing_is_told_without_a_watcher_nor_by_shapes_and_printing(notes):
    t = tensor([[1.0, 2.0]], requires_grad=True)
    _ = t.shape, t.ndim, t.dtype, t.size(), t.numel(), len(t), t.is_leaf, t.requires_grad, repr(t), f"{t}", hash(t)
    assert not notes.touches
    switch.watcher = None
    t.data[0] = 5.0
    assert not notes.touches and not notes.nodes
