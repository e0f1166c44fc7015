"""The data of reports: every number is one of the history, and what could not be measured is said."""

import numpy as np
import pytest
from browser import data_of

import tinygrad_lr
from tinygrad_lr import nn, optim
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import History, Reported, fit, html_report
from tinygrad_lr.training.report import MOST


@pytest.fixture
def history():
    """A real training of three epochs of five steps and two groups."""
    tinygrad_lr.manual_seed(0)
    inputs = tinygrad_lr.randn(45, 3)
    loader = DataLoader(TensorDataset(inputs, inputs.sum(1).reshape(45, 1)), 9)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    groups = [{"params": layer.parameters(), "name": name} for layer, name in zip(model, "ab", strict=True)]
    groups[1]["lr"] = 0.5
    optimizer = optim.Adam(groups, lr=0.05)
    held_out = (tinygrad_lr.randn(7, 3), tinygrad_lr.randn(7, 1))
    return fit(model, nn.MSELoss(), optimizer, loader, epochs=3, held_out=held_out, norms=True)


def test_the_numbers_of_the_page_are_those_of_the_history(history):
    (run,) = data_of(html_report([Reported("a", history)]))["runs"]
    assert run["each"] == {
        "at": [epoch + place / 5 for epoch in range(3) for place in range(5)],
        "loss": history.loss.tolist(),
        "lr": history.lr.T.tolist(),
    }
    assert run["epoch"] == {"number": [0, 1, 2], "loss": history.epoch_means()[1].tolist()}
    assert run["heldOut"] == {"number": [0, 1, 2], "loss": history.held_out_by_epoch()[1].tolist()}
    _, gradients, ratios = history.norms_by_epoch()
    assert run["measured"] == {
        "every": 1,
        "number": [0, 1, 2],
        "gradientNorm": gradients.tolist(),
        "updateRatio": ratios.T.tolist(),
    }
    about = {name: run[name] for name in ("name", "groups", "steps", "epochs", "stepsInEpoch", "diverged")}
    assert about == {"name": "a", "groups": ["a", "b"], "steps": 15, "epochs": 3, "stepsInEpoch": 5, "diverged": None}


def test_what_was_not_measured_is_null():
    history = History()
    history.append(0, (0.1,), 2.5)
    (run,) = data_of(html_report([Reported("a", history)]))["runs"]
    assert run["measured"] is None and run["heldOut"] == {"number": [], "loss": []}


def test_a_training_without_a_step_has_a_page():
    (run,) = data_of(html_report([Reported("a", History(norms=True))]))["runs"]
    assert run["steps"] == run["epochs"] == 0 and run["measured"]["number"] == []


def test_one_that_diverged_says_at_which_step_and_numbers_that_are_none_are_null(history):
    history.set_held_out(float("inf"))
    history.set_norms(float("nan"), [0.5, float("inf")])
    (run,) = data_of(html_report([Reported("a", history, "diverged", "the loss became inf")]))["runs"]
    assert run["diverged"] == {"epoch": 3, "step": 15, "at": 3.0, "why": "the loss became inf"}
    assert run["heldOut"]["loss"][-1] is None and run["measured"]["gradientNorm"][-1] is None
    assert [column[-1] for column in run["measured"]["updateRatio"]] == [0.5, None]


def test_an_epoch_that_was_not_completed_counts_as_one():
    history = History()
    for _ in range(3):
        history.append(0, (0.1,), 1.0)
    (run,) = data_of(html_report([Reported("a", history, "diverged", steps_in_epoch=4)]))["runs"]
    assert run["stepsInEpoch"] == 4 and run["diverged"]["epoch"] == 0 and run["diverged"]["at"] == 0.75
    assert run["each"]["at"] == [0.0, 0.25, 0.5]


def test_of_an_epoch_that_was_not_completed_there_is_no_mean():
    history = History()
    for step in range(6):
        history.append(step // 4, (0.1,), 1.0)
    found = data_of(html_report([Reported("a", history, status) for status in ("finished", "diverged", "interrupted")]))
    assert [each["epoch"]["number"] for each in found["runs"]] == [[0, 1], [0], [0]]
    assert [(each["begun"], each["epochs"]) for each in found["runs"]] == [(2, 2), (2, 1), (2, 1)]
    (first,) = data_of(html_report([Reported("a", history, "diverged", steps_in_epoch=7)]))["runs"]
    assert first["epoch"] == {"number": [0], "loss": [1.0]}, "an epoch that another followed was completed"


def test_of_many_steps_those_with_extreme_losses_are_kept_and_all_are_of_the_run():
    history = History()
    losses = np.random.default_rng(0).normal(size=50_000) ** 2
    epochs = np.repeat(np.arange(10_000), 5)
    history.extend(epochs, np.ones(50_000, np.int64), np.linspace(0, 1, 50_000)[:, None], losses)
    page = html_report([Reported("a", history)])
    (run,) = data_of(page)["runs"]
    each = run["each"]
    steps = np.round(np.array(each["at"]) * 5).astype(int)
    assert MOST * 0.9 < len(steps) <= MOST and np.array_equal(losses[steps], each["loss"])
    assert np.array_equal(history.lr[steps, 0], each["lr"][0])
    assert {0, 49_999, losses.argmax(), losses.argmin()} <= set(steps.tolist())
    assert len(run["epoch"]["number"]) <= MOST and run["steps"] == 50_000 and run["epochs"] == 10_000
    assert len(page) < 500_000


def test_several_have_a_row_for_what_any_of_them_says(history):
    one = Reported("a", history, settings={"lr": "0.1", "betas": "0.9"}, results={"R2": "0.5"}, lines=["said"])
    other = Reported("b", history, settings={"lr": "0.2"}, results={"R2": "0.6", "AUC": "0.7"})
    there = data_of(html_report([one, other], loss_name="squared error", language="zh"))
    assert [each["loss"] for each in there["runs"]] == ["squared error"] * 2
    assert there["settings"] == [["lr", ["0.1", "0.2"]], ["betas", ["0.9", ""]]]
    assert there["results"] == [["R2", ["0.5", "0.6"]], ["AUC", ["", "0.7"]]]
    assert there["summary"] == [] and there["language"] == "zh"
    assert data_of(html_report([one]))["summary"] == ["said"]


def test_what_is_no_training_is_refused(history):
    with pytest.raises(ValueError, match="a report needs at least one training"):
        html_report([])
    with pytest.raises(ValueError, match="status of a training must be one of finished, .*, got 'x'"):
        html_report([Reported("a", history, "x")])
    with pytest.raises(ValueError, match="watched of a training must be one of held_out, validation, got 'x'"):
        html_report([Reported("a", history, watched="x")])
