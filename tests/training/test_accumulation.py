"""fit(accumulate=k): a step of several batches is the step of one large batch, within the derived bound; bit for bit
where no sum rounds. What counts steps counts them so, and a training goes on at any of them."""

import numpy as np
import pytest
from training_cases import Crash

import tinygrad_lr
from tinygrad_lr import nn, optim, schedules
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import Checkpoint, fit, loops

U = 2.0**-24


class Lab:
    """A linear model of 45 samples: batches of 4 by threes make 3 steps of 12 and one of 9, whose last batch has 1."""

    def __init__(self, size=4, samples=45, whole=False, lr=0.05, name="adam"):
        rng = np.random.default_rng(2)
        x, y = rng.normal(size=(samples, 3)), rng.normal(size=(samples, 1))
        if whole:
            x, y = np.round(2 * x), np.round(2 * y)
        self.data = TensorDataset(x.astype(np.float32), y.astype(np.float32))
        self.loader = DataLoader(self.data, size, shuffle=True, seed=1)
        self.model = nn.Linear(3, 1)
        self.model.weight.data, self.model.bias.data = [[1.0, -2.0, 0.0]], [1.0]
        self.optimizer = optim.OPTIMIZERS[name](self.model.parameters(), lr=lr)
        self.gradients = []
        self.optimizer.register_step_pre_hook(
            lambda *_: self.gradients.append([(p.data.copy(), p.grad.copy()) for p in self.model.parameters()])
        )

    def fit(self, accumulate=1, epochs=2, loss=None, **options):
        loss = loss or nn.MSELoss()
        return fit(self.model, loss, self.optimizer, self.loader, epochs=epochs, accumulate=accumulate, **options)

    def bits(self):
        arrays = [p.data for p in self.model.parameters()]
        arrays += [v for s in self.optimizer.state_dict()["state"].values() for v in s.values()]
        return b"".join(np.asarray(array).tobytes() for array in arrays)


def gamma(k):
    return k * U / (1 - k * U)


def exact_and_bound(batch, weight, bias):
    """The gradient of a mean of squares in float64, and how far one computed in float32 may be off it.

    A residual is a sum of d + 2 numbers, whatever its order: it is off by gamma_(d+2) times the sum of their sizes. The
    gradient is a sum of N products of a residual and an input, and each is multiplied by 2, by 1 / n and by the share
    n / N, which are rounded: N + 8 roundings.
    """
    x, y = (np.asarray(each, np.float64) for each in batch)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    theta = np.concatenate([weight[0], bias]).astype(np.float64)
    residual = x @ theta - y[:, 0]
    off = gamma(x.shape[1] + 1) * (np.abs(x) @ np.abs(theta) + np.abs(y[:, 0]))
    count = len(x)
    terms = (off + gamma(count + 8) * (np.abs(residual) + off))[:, None] * np.abs(x)
    return 2 / count * (residual @ x), 2 / count * terms.sum(axis=0)


def within(lab, large):
    """Every gradient that an accumulating run stepped with is that of the large batch at the same parameters."""
    rows = [[each.numpy() for each in batch] for epoch in range(2) for batch in epoch_of(large, epoch)]
    assert len(rows) == len(lab.gradients)
    for batch, ((weight, of_weight), (bias, of_bias)) in zip(rows, lab.gradients, strict=True):
        expected, bound = exact_and_bound(batch, weight, bias)
        found = np.concatenate([of_weight[0], of_bias])
        assert (np.abs(found - expected) <= bound).all(), (found, expected, bound)


def epoch_of(lab, epoch):
    lab.loader.epoch = epoch
    return list(lab.loader)


def test_a_step_is_that_of_one_large_batch_within_the_derived_bound():
    lab, large = Lab(), Lab(size=12)
    history, other = lab.fit(3), large.fit()
    assert history.samples.tolist() == other.samples.tolist() == [12, 12, 12, 9] * 2
    assert len(history) == 8 and history.epoch.tolist() == [0] * 4 + [1] * 4
    within(lab, Lab(size=12))
    within(large, Lab(size=12))  # both are within the bound, so they are apart by twice the bound at most
    assert history.loss[0] == pytest.approx(other.loss[0], rel=20 * U)


def test_equal_weights_are_refused_by_the_bound(monkeypatch):
    """The mean of the batches' means: the sample of the short batch would count four times."""
    monkeypatch.setattr(loops, "_samples", lambda target: 1)
    lab = Lab()
    lab.fit(3)
    with pytest.raises(AssertionError):
        within(lab, Lab(size=12))


def test_where_no_sum_rounds_it_is_bit_for_bit():
    runs = []
    for size, accumulate in ((16, 1), (8, 2), (4, 4), (2, 8)):
        lab = Lab(size, samples=32, whole=True, lr=2.0**-4, name="sgd")
        history = lab.fit(accumulate, epochs=1)
        runs.append((lab.bits(), history.loss.tolist(), history.samples.tolist()))
    assert runs[1:] == runs[:1] * 3 and runs[0][2] == [16, 16]


def test_a_loss_that_is_a_sum_is_added_as_it_is():
    lab, large = Lab(whole=True, lr=2.0**-8, name="sgd"), Lab(12, whole=True, lr=2.0**-8, name="sgd")
    a, b = (each.fit(k, epochs=1, loss=nn.MSELoss(reduction="sum")) for each, k in ((lab, 3), (large, 1)))
    assert a.loss[0] == b.loss[0] and lab.gradients[0][0][1].tobytes() == large.gradients[0][0][1].tobytes()


def test_schedules_callbacks_and_clipping_count_steps():
    seen = []

    class Look:
        def on_step(self, training):
            seen.append((training.step, training.epoch, training.steps_in_epoch, training.accumulate))

    lab = Lab(name="sgd", lr=1.0)
    factor = schedules.polynomial(8)
    history = lab.fit(3, schedule=factor, callbacks=[Look()], max_norm=1e-3)
    assert history.lr[:, 0].tolist() == [factor(step) for step in range(8)]
    assert seen == [(step, step // 4, 4, 3) for step in range(1, 9)]
    before = np.concatenate([lab.gradients[0][0][0][0], lab.gradients[0][1][0]])
    after = np.concatenate([lab.gradients[1][0][0][0], lab.gradients[1][1][0]])
    assert np.linalg.norm((after - before).astype(float)) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("cut", [1, 3, 4, 6])
def test_a_killed_training_goes_on_bit_for_bit(tmp_path, cut):
    class Kill:
        def on_step(self, training):
            if training.step == cut:
                raise Crash

    whole = Lab()
    expected = whole.fit(3)
    tinygrad_lr.manual_seed(0)
    lab = Lab()
    with pytest.raises(Crash):
        lab.fit(3, callbacks=[Kill()], checkpoint=Checkpoint(tmp_path, every_steps=1))
    again, checkpoint = Lab(), Checkpoint(tmp_path)
    resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
    assert (0 if resumed is None else len(resumed)) == cut - 1
    if cut > 1:
        with pytest.raises(ValueError, match="ran with accumulate=3, and fit was called with accumulate=1"):
            again.fit(1, resume=resumed, checkpoint=checkpoint)
    history = again.fit(3, resume=resumed, checkpoint=checkpoint)
    assert history.to_csv() == expected.to_csv() and again.bits() == whole.bits()


def test_more_batches_than_an_epoch_has_are_one_step():
    lab = Lab()
    assert lab.fit(100).samples.tolist() == [45, 45]
    within_one = Lab(45)
    within_one.fit()
    assert np.allclose(lab.gradients[0][0][1], within_one.gradients[0][0][1], rtol=1e-5)


def test_mistakes_are_named():
    for wrong, kind in ((0, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(kind, match="accumulate must be"):
            Lab().fit(wrong)
    with pytest.raises(CannotCompile, match="a batch_size 3 times as large, which makes the same steps"):
        Lab().fit(3, compiled=True)

    class Short(list):
        def __len__(self):
            return super().__len__() + 1

    lab = Lab()
    lab.loader = Short(epoch_of(lab, 0))
    with pytest.raises(ValueError, match="the loader announced 13 batches and gave fewer"):
        lab.fit(13)

    class Grow:
        def on_step(self, training):
            batches.append(batches[0])
            batches.append(batches[0])

    lab = Lab()
    lab.loader = batches = epoch_of(lab, 0)
    with pytest.raises(ValueError, match="has 5 steps of 3 batches in an epoch and had 4 when"):
        lab.fit(3, callbacks=[Grow()])
