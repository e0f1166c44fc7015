"""fit(skip_nonfinite=True): steps whose gradients are not finite change nothing; the history says which they were."""

import numpy as np
import pytest
from training_cases import Crash

from tinygrad_lr import nn, optim, tensor
from tinygrad_lr.compiled import CannotCompile
from tinygrad_lr.training import Checkpoint, Diverged, fit

BAD = 0.0  # the square root has no derivative there: the loss is finite and the gradient is not


class Model(nn.Module):
    def __init__(self):
        self.weight = nn.Parameter([2.0])

    def forward(self, x):
        return (x * self.weight).sqrt()


def batches(values):
    return [(tensor([value]), tensor([1.0])) for value in values]


def train(values, wrap=lambda o: o, epochs=3, **options):
    model = Model()
    optimizer = wrap(optim.Adam(model.parameters(), lr=0.1))
    history = fit(model, nn.MSELoss(), optimizer, batches(values), epochs=epochs, **options)
    return history, model.weight.data.tobytes(), optimizer


@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: optim.Lookahead(o, k=2), lambda o: optim.SAM(o)])
def test_a_training_with_skipped_steps_is_one_without_their_batches(wrap, max_norm):
    options = {"max_norm": max_norm, "skip_nonfinite": True}
    history, values, optimizer = train([1.0, BAD, 0.5, BAD], wrap, **options)
    expected, others, _ = train([1.0, 0.5], wrap, **options)
    assert values == others and history.skipped == [1, 3, 5, 7, 9, 11] and expected.skipped == []
    assert history.loss[[0, 2, 4]].tolist() == expected.loss[:3].tolist() and len(history) == 12
    assert optimizer.state_dict()["state"][0]["step"] == 6


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_without_being_asked_it_diverges_as_before():
    with pytest.raises(Diverged):
        train([1.0, BAD])
    with pytest.raises(Diverged, match="became nan"):  # the loss itself: the root of a negative number
        train([1.0, -1.0], skip_nonfinite=True)


def test_a_training_that_goes_on_knows_its_skipped_steps(tmp_path):
    class Kill:
        def on_step(self, training):
            if training.step == 4:
                raise Crash

    expected, values, _ = train([1.0, BAD, 0.5], skip_nonfinite=True)
    with pytest.raises(Crash):
        checkpoint = Checkpoint(tmp_path, every_steps=1)
        train([1.0, BAD, 0.5], skip_nonfinite=True, checkpoint=checkpoint, callbacks=[Kill()])
    model, checkpoint = Model(), Checkpoint(tmp_path)
    optimizer, loader = optim.Adam(model.parameters(), lr=0.1), batches([1.0, BAD, 0.5])
    resume = checkpoint.restore(model, optimizer, loader)
    assert resume.skipped == [1] and resume.copy().skipped == [1]
    options = {"epochs": 3, "resume": resume, "checkpoint": checkpoint, "skip_nonfinite": True}
    history = fit(model, nn.MSELoss(), optimizer, loader, **options)
    assert history.skipped == expected.skipped == [1, 4, 7] and model.weight.data.tobytes() == values


def test_mistakes_are_named():
    with pytest.raises(CannotCompile, match="looks at the gradients before each update"):
        train([1.0], skip_nonfinite=True, compiled=True)
    with pytest.raises(TypeError, match="skip_nonfinite must be True or False"):
        train([1.0], skip_nonfinite=1)

    class Foreign:
        param_groups = [{"lr": 0.1}]

        def step(self): ...

        def zero_grad(self): ...

    with pytest.raises(TypeError, match="skip_nonfinite needs an optimizer of tinygrad_lr, .* look at them there, or"):
        fit(Model(), nn.MSELoss(), Foreign(), batches([1.0]), epochs=1, skip_nonfinite=True)
    assert np.isfinite(train([1.0], skip_nonfinite=True)[0].loss).all()
