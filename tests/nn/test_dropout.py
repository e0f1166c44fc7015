"""Dropout: its masks are the same eager, compiled and continued; which elements go, and how many."""

import copy
import math
import pickle

import numpy as np
import pytest

from tinygrad_lr import Tensor, compile_step, manual_seed, nn, no_grad, optim, random, tensor
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.engine.dropout import least_of
from tinygrad_lr.nn.functional import dropout
from tinygrad_lr.training import Checkpoint, evaluate, fit

X = np.random.default_rng(0).normal(size=(22, 3)).astype("f4")
Y = X.sum(1, keepdims=True)


def masks(count, size=64, p=0.5):
    return [(dropout(Tensor(np.ones(size)), p).numpy() != 0).tolist() for _ in range(count)]


# --- one mask ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 1e-3])
def test_each_element_goes_with_probability_p_and_the_others_are_divided(p):
    manual_seed(1)
    n, m = 20_000, 5
    for _ in range(m):
        out = dropout(Tensor(np.ones(n)), p).numpy()
        assert set(out.tolist()) <= {0.0, 1 / (1 - p)}
        # Hoeffding: the share is off by more than this with a probability below 1e-9
        assert abs((out == 0).mean() - p) <= math.sqrt(math.log(2e9) / (2 * n))


def test_neighbours_and_masks_are_independent():
    manual_seed(2)
    kept = np.array(masks(200, 200), float) - 0.5
    n = kept.size
    for one, other in ((kept[:, 1:], kept[:, :-1]), (kept[1:], kept[:-1]), (kept[:, 32:], kept[:, :-32])):
        assert abs((4 * one * other).mean()) <= 6.5 / math.sqrt(one.size), n  # 6.5 deviations of a mean of signs


def test_none_and_all():
    x = tensor([1.0, math.inf, -2.0], requires_grad=True)
    assert dropout(x, 0.0) is x and dropout(x, 0.5, training=False) is x
    out = dropout(x, 1.0)
    out.sum().backward()
    assert out.tolist() == [0, 0, 0] and x.grad.tolist() == [0, 0, 0]
    assert least_of(0.0) == 0 and least_of(1.0) == 2**53 and least_of(5e-324) == 1 and least_of(0.5) == 2**52


def test_the_gradient_goes_through_what_stays():
    x = tensor(np.ones((8, 8)), requires_grad=True)
    out = nn.Dropout(0.75)(x)
    (out * 2.0).sum().backward()
    assert x.grad.tolist() == (2 * out.detach().numpy()).tolist() and {0.0, 8.0} == set(x.grad.reshape(-1).tolist())
    with no_grad():
        assert not nn.Dropout()(x).requires_grad


# --- which masks ------------------------------------------------------------------------------------------------------


def test_manual_seed_governs_the_masks_and_every_call_has_its_own():
    manual_seed(3)
    first = masks(130)
    manual_seed(3)
    assert masks(130) == first and len({tuple(mask) for mask in first}) == 130
    manual_seed(4)
    assert masks(1) != first[:1]


def test_masks_change_no_other_random_numbers():
    manual_seed(5)
    expected = random.rand(3).tolist()
    manual_seed(5)
    masks(2)
    assert random.rand(3).tolist() == expected


def test_layers_and_their_copies_share_no_mask():
    layers = [nn.Dropout(), nn.Dropout()]
    layers += [copy.deepcopy(layers[0]), pickle.loads(pickle.dumps(layers[0]))]
    found = [layer(np.ones(64)).tolist() for layer in layers]
    assert len(set(map(tuple, found))) == 4 and not layers[0].state_dict() and repr(layers[2]) == repr(layers[0])


def test_the_state_is_kept_and_put_back():
    masks(3)
    state = random.get_state()
    expected = masks(100)
    random.set_state(pickle.loads(pickle.dumps(state)))
    assert masks(100) == expected
    del state["masks"]  # of an earlier version
    before = random.get_state()["masks"]
    random.set_state(state)
    assert random.get_state()["masks"] == before


def test_evaluation_draws_none_and_training_goes_on():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    before = random.get_state()["masks"]
    value = evaluate(model, nn.MSELoss(), TensorDataset(Tensor(X), Tensor(np.zeros((22, 2), "f4"))))
    assert value == evaluate(model, nn.MSELoss(), TensorDataset(Tensor(X), Tensor(np.zeros((22, 2), "f4"))))
    assert random.get_state()["masks"] == before and model[1].training
    assert model.eval()[1](X).tolist() == X.tolist()


# --- training ---------------------------------------------------------------------------------------------------------


def made(dropouts=2, seeded=True):
    manual_seed(0)
    layers = [nn.Linear(3, 8), *[nn.Dropout(0.25 * (i + 1)) for i in range(dropouts)], nn.Linear(8, 1)]
    model = nn.Sequential(*layers)
    loader = DataLoader(TensorDataset(Tensor(X), Tensor(Y)), 5, shuffle=True, seed=1 if seeded else None)
    return model, optim.Adam(model.parameters(), lr=0.01), loader


def outcome(training, history):
    return history.loss.tolist(), [each.tolist() for each in training[0].state_dict().values()], random.get_state()


def trained(seeded=True, compiled=False, **more):
    training = made(seeded=seeded)
    model, optimizer, loader = training
    return outcome(training, fit(model, nn.MSELoss(), optimizer, loader, epochs=4, compiled=compiled, **more))


@pytest.mark.parametrize("seeded", [True, False])
@pytest.mark.parametrize("held_out", [None, (X, Y)])
def test_compiled_training_draws_the_masks_of_eager_training(seeded, held_out):
    """Other masks would give other losses: an element in four, or two, is of another sign or 0."""
    (eager, _, state), (compiled, _, after) = (
        trained(seeded, how, held_out=held_out, progress=False) for how in (False, True)
    )
    assert np.allclose(eager, compiled, rtol=1e-4) and state == after and state["masks"]["count"] == 2 * 5 * 4
    manual_seed(0)
    assert not np.allclose(eager, fitted_with_other_masks(), rtol=1e-2)


def fitted_with_other_masks():
    model, optimizer, loader = made()
    masks(1)
    return fit(model, nn.MSELoss(), optimizer, loader, epochs=4, progress=False).loss


@pytest.mark.parametrize("compiled", [False, True])
def test_a_training_that_goes_on_from_a_checkpoint_has_the_same_bits(compiled, tmp_path):
    whole = trained(seeded=False, compiled=compiled)
    for steps in (7, 10):  # in the middle of an epoch, and at its end

        def stop(training, steps=steps):
            from tinygrad_lr.training import STOP

            return STOP if training.step == steps else None

        class Stop:
            def on_step(self, training, stop=stop):
                return stop(training)

        folder, options = tmp_path / f"{compiled}{steps}", {"compiled": compiled, "progress": False}
        model, optimizer, loader = made(seeded=False)
        checkpoint = Checkpoint(folder, every_steps=1)
        fit(model, nn.MSELoss(), optimizer, loader, epochs=4, checkpoint=checkpoint, callbacks=[Stop()], **options)
        training = model, optimizer, loader = made(seeded=False)
        manual_seed(99)  # another process
        checkpoint = Checkpoint(folder)
        history = checkpoint.restore(*training)
        assert len(history) == steps
        history = fit(
            model, nn.MSELoss(), optimizer, loader, epochs=4, resume=history, checkpoint=checkpoint, **options
        )
        assert outcome(training, history) == whole


def test_a_compiled_step_draws_masks_anew_and_as_the_eager_one():
    losses = []
    for compiled in (False, True):
        model, optimizer, _ = made()
        loss = nn.MSELoss()
        step = compile_step(model, loss, optimizer)
        found = []
        for _ in range(6):
            if compiled:
                found.append(step(X, Y))
                continue
            optimizer.zero_grad()
            value = loss(model(X), Y)
            value.backward()
            optimizer.step()
            found.append(value.item())
        losses.append(found)
    assert np.allclose(*losses, rtol=1e-4) and len(set(losses[0])) == 6


def test_what_the_loss_does_not_depend_on_draws_its_mask_too():
    class Model(nn.Module):
        def __init__(self):
            self.linear, self.drop = nn.Linear(3, 1), nn.Dropout()

        def forward(self, x):
            self.drop(x)
            with no_grad():
                self.drop(x)
            return self.linear(self.drop(x))

    states = []
    for compiled in (False, True):
        manual_seed(0)
        model = Model()
        loader = DataLoader(TensorDataset(Tensor(X), Tensor(Y)), 5, seed=0)
        history = fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), loader, epochs=2, compiled=compiled)
        states.append((random.get_state(), history.loss))
    assert states[0][0] == states[1][0] and np.allclose(states[0][1], states[1][1], rtol=1e-4)
    assert states[0][0]["masks"]["count"] == 3 * 5 * 2


def test_a_training_that_diverges_has_drawn_the_masks_of_the_step_that_failed():
    counts = []
    for compiled in (False, True):
        model, optimizer, _ = made()
        target = np.r_[Y[:12], [[math.inf]], Y[13:]].astype("f4")
        loader = DataLoader(TensorDataset(Tensor(X), Tensor(target)), 5)
        with pytest.raises(RuntimeError, match="step 2"):
            fit(model, nn.MSELoss(), optimizer, loader, epochs=3, compiled=compiled, progress=False)
        counts.append(random.get_state()["masks"]["count"])
    assert counts == [6, 6]


def test_a_class_that_there_is_not_draws_no_more_masks_than_eager():
    counts = []
    for compiled in (False, True):
        manual_seed(0)
        model = nn.Sequential(nn.Dropout(), nn.Linear(3, 2))
        loader = DataLoader(TensorDataset(Tensor(X), Tensor(np.r_[np.zeros(12), 5, np.zeros(9)].astype("i8"))), 5)
        with pytest.raises(IndexError, match="the target 5"):
            fit(
                model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), loader, epochs=1, compiled=compiled
            )
        counts.append(random.get_state()["masks"]["count"])
    assert counts == [3, 3]


def test_another_probability_is_compiled_anew():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1, bias=False))
    model[1].weight.data = np.ones((1, 3))
    step = compile_step(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0))
    first = step(np.ones((1, 3), "f4"), [[0.0]])
    assert math.sqrt(first) in (0, 2, 4, 6)
    model[0].p = 1.0
    assert step(np.ones((1, 3), "f4"), [[0.0]]) == 0
    model.eval()
    assert step(np.ones((1, 3), "f4"), [[0.0]]) == 9


def test_a_short_batch_with_another_number_of_masks_is_refused():
    class Model(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(3, 1)

        def forward(self, x):
            return self.linear(x if len(x) < 5 else dropout(x))

    model = Model()
    loader = DataLoader(TensorDataset(Tensor(X), Tensor(Y)), 5)
    with pytest.raises(CannotCompile, match="the short last batch draws another number of dropout masks"):
        fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), loader, epochs=1, compiled=True)


# --- wrong arguments --------------------------------------------------------------------------------------------------

WRONG = [
    ("p above 1", lambda: nn.Dropout(1.5), ValueError, "p must be from 0 to 1, got 1.5"),
    ("p below 0", lambda: nn.Dropout(-0.1), ValueError, "p must be from 0 to 1, got -0.1"),
    ("p NaN", lambda: nn.Dropout(math.nan), ValueError, "p must be a finite number"),
    ("p beyond float64", lambda: nn.Dropout(10**400), ValueError, "p must be a finite number"),
    ("p a text", lambda: nn.Dropout("0.5"), TypeError, "p must be a real number, got '0.5'"),
    ("p True", lambda: nn.Dropout(True), TypeError, "p must be a real number, got True"),
    ("p None", lambda: nn.Dropout(None), TypeError, "p must be a real number"),
    ("in place", lambda: nn.Dropout(0.5, inplace=True), NotImplementedError, "inplace must be False"),
    ("a function's p", lambda: dropout(np.ones(2), 2), ValueError, "p must be from 0 to 1, got 2"),
    ("a function in place", lambda: dropout(np.ones(2), 0.5, True, True), NotImplementedError, "inplace must be False"),
    ("training as a number", lambda: dropout(np.ones(2), 0.5, 1), TypeError, "training"),
    ("training as a text", lambda: dropout(np.ones(2), 0.5, "no"), TypeError, "training"),
    ("whole numbers", lambda: dropout(tensor([1, 2])), TypeError, "dropout: expected floats, got int64"),
    ("a text", lambda: dropout("x"), TypeError, "str"),
    ("p set to 2 later", lambda: later(2), ValueError, "p must be from 0 to 1, got 2"),
    ("p set to None later", lambda: later(None), TypeError, "p must be a real number"),
    ("a state of texts", lambda: random.set_state(state(count="x")), TypeError, "count must be a whole number"),
    ("a negative count", lambda: random.set_state(state(count=-1)), ValueError, "count must be a whole number"),
]


def later(p):
    layer = nn.Dropout()
    layer.p = p
    layer(np.ones(2))


def state(**masks):
    before = random.get_state()
    return {**before, "masks": {**before["masks"], **masks}}


@pytest.mark.parametrize(("call", "error", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_argument_is_named_and_changes_nothing(call, error, message):
    before = random.get_state()["masks"]
    with pytest.raises(error, match=message):
        call()
    if "whole numbers" not in message and "floats" not in message:
        assert random.get_state()["masks"] == before
