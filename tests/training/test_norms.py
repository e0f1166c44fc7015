"""Norms that `fit` measures at the last step of each epoch: right, the same whatever runs, and changing nothing."""

import json
import math

import numpy as np
import pytest
from training_cases import MODES, machine_code_as_python  # noqa: F401

import tinygrad_lr
from tinygrad_lr import backend, cuda, nn, optim
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim import SAM, Lookahead
from tinygrad_lr.training import Callback, Diverged, History, fit

ALIKE = 1e-12  # sums of some thirty squares in float64, in any order: 30 * 2**-53 and less

pytestmark = pytest.mark.usefixtures("machine_code_as_python")


class Lab:
    """A small regression, the same every time: 5 steps an epoch, the last of 4 samples; two groups of parameters."""

    def __init__(self, optimizer="adam", around=None, lr=0.05, dropout=0.0, target=1.0):
        tinygrad_lr.manual_seed(0)
        inputs = tinygrad_lr.randn(40, 4)
        self.loader = DataLoader(TensorDataset(inputs, inputs @ tinygrad_lr.randn(4, 1) * target), 9, True, seed=1)
        self.model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Dropout(dropout), nn.Linear(3, 1))
        groups = [
            {"params": self.model[0].parameters(), "name": "body"},
            {"params": self.model[3].parameters(), "name": "head"},
        ]
        self.optimizer = optim.OPTIMIZERS[optimizer](groups, lr=lr)
        if around is not None:
            self.optimizer = around(self.optimizer)

    def fit(self, epochs=3, **options):
        options = {"norms": True, **options}
        return fit(self.model, nn.MSELoss(), self.optimizer, self.loader, epochs=epochs, **options)

    def bits(self):
        return b"".join(each.tobytes() for each in self.model.state_dict().values())

    def groups(self):
        return [[param.data.astype(np.float64) for param in group["params"]] for group in self.optimizer.param_groups]


def norm(arrays):
    return math.sqrt(math.fsum(float(x) ** 2 for each in arrays for x in each.ravel()))


class Watch(Callback):
    """Computes the norms of every step, from parameters and gradients as they are after it."""

    def __init__(self, lab):
        self.lab, self.before, self.gradients, self.ratios = lab, lab.groups(), [], []

    def on_step(self, training):
        after = self.lab.groups()
        params = [param for group in training.optimizer.param_groups for param in group["params"]]
        self.gradients.append(norm([param.grad.astype(np.float64) for param in params]))
        moves = [
            norm([now - then for now, then in zip(*each, strict=True)]) / norm(each[1])
            for each in zip(after, self.before, strict=True)
        ]
        self.ratios.append(moves)
        self.before = after


@MODES
@pytest.mark.parametrize("max_norm", [None, 0.05])
def test_they_are_those_of_the_last_step_of_each_epoch(compiled, max_norm):
    lab = Lab()
    watch = Watch(lab)
    history = lab.fit(compiled=compiled, max_norm=max_norm, callbacks=[watch])
    epochs, gradients, ratios = history.norms_by_epoch()
    assert epochs.tolist() == [0, 1, 2] and ratios.shape == (3, 2)
    assert np.flatnonzero(np.isfinite(history.gradient_norm)).tolist() == [4, 9, 14]
    assert gradients == pytest.approx(watch.gradients[4::5], rel=ALIKE)
    assert ratios == pytest.approx(np.array(watch.ratios[4::5]), rel=ALIKE)
    assert max_norm is None or gradients.min() > max_norm, "they are those before clipping"


@MODES
@pytest.mark.parametrize("together", [1, 3])
def test_of_so_many_epochs_the_last_one_is_measured(compiled, together):
    every_one, lab = Lab().fit(7, compiled=compiled), Lab()
    history = lab.fit(7, compiled=compiled, norms=3, on_epoch=None if together == 3 else lambda epoch, history: None)
    epochs, gradients, ratios = history.norms_by_epoch()
    assert epochs.tolist() == [2, 5] and history.loss.tobytes() == every_one.loss.tobytes()
    assert gradients.tolist() == every_one.norms_by_epoch()[1][2::3].tolist()
    assert ratios.tolist() == every_one.norms_by_epoch()[2][2::3].tolist()


@MODES
@pytest.mark.parametrize("optimizer", optim.OPTIMIZERS)
def test_measuring_changes_no_bit_of_a_training(optimizer, compiled):
    labs, histories = [Lab(optimizer, dropout=0.25) for _ in range(2)], []
    for lab, norms in zip(labs, (False, True), strict=True):
        tinygrad_lr.manual_seed(2)
        histories.append(lab.fit(compiled=compiled, norms=norms, max_norm=1.0))
    assert labs[0].bits() == labs[1].bits()
    assert histories[0].loss.tobytes() == histories[1].loss.tobytes()
    assert not histories[0].has_norms and np.isfinite(histories[1].norms_by_epoch()[1]).all()


@MODES
@pytest.mark.parametrize("stop", [3, 5, 9])
def test_a_training_that_goes_on_measures_the_same_bits(compiled, stop):
    whole = Lab().fit(compiled=compiled)
    lab = Lab()

    class Stops(Callback):
        def on_step(self, training):
            return tinygrad_lr.training.STOP if training.step == stop else None

    first = lab.fit(compiled=compiled, callbacks=[Stops()])
    history = lab.fit(compiled=compiled, resume=History.from_dict(first.as_dict()))
    assert len(first) == stop and history.to_csv() == whole.to_csv()


@MODES
def test_the_number_of_threads_changes_no_bit(compiled):
    texts = []
    for threads in (1, 2):
        with backend.threads(threads):
            tinygrad_lr.manual_seed(0)
            inputs, target = tinygrad_lr.randn(8, 300), tinygrad_lr.randn(8, 300)
            model = nn.Linear(300, 300)
            optimizer = optim.Adam(model.parameters(), lr=0.01)
            loader = DataLoader(TensorDataset(inputs, target), 4)
            options = {"epochs": 2, "norms": True, "compiled": compiled}
            texts.append(fit(model, nn.MSELoss(), optimizer, loader, **options).to_csv())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("around", [Lookahead, SAM])
def test_of_what_stands_around_an_optimizer_the_whole_step_is_measured(around):
    lab = Lab(around=around)
    watch = Watch(lab)
    history = lab.fit(callbacks=[watch])
    assert history.norms_by_epoch()[2] == pytest.approx(np.array(watch.ratios[4::5]), rel=ALIKE)


def test_of_several_batches_that_make_a_step_the_step_is_measured():
    lab = Lab()
    watch = Watch(lab)
    history = lab.fit(accumulate=2, callbacks=[watch])
    assert len(history) == 9 and history.norms_by_epoch()[1] == pytest.approx(watch.gradients[2::3], rel=ALIKE)


@pytest.mark.skipif(not cuda.is_available(), reason=f"CUDA here is {cuda.state()}")
def test_parameters_on_a_gpu_are_measured_as_on_the_cpu():
    found = []
    for device in ("cpu", "cuda"):
        tinygrad_lr.manual_seed(0)
        inputs, target = (tinygrad_lr.randn(6, size).to(device) for size in (3, 1))
        model = nn.Linear(3, 1).to(device)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        history = fit(model, nn.MSELoss(), optimizer, [(inputs, target)], epochs=2, norms=True)
        found.append(np.column_stack([history.gradient_norm, history.update_ratio]))
    assert found[1] == pytest.approx(found[0], rel=1e-5), "a few sums of float32, and a difference"


@MODES
def test_weights_of_zero_have_no_finite_ratio(compiled):
    lab = Lab("sgd")
    for param in lab.model.parameters():
        param.data = np.zeros_like(param.data)
    loader = DataLoader(lab.loader.dataset, 40)
    history = fit(lab.model, nn.MSELoss(), lab.optimizer, loader, epochs=1, norms=True, compiled=compiled)
    body, head = history.update_ratio[0].tolist()
    assert math.isnan(body) and head == math.inf, "the gradient of the last bias alone is not 0"
    assert json.dumps(history.to_dict()) and History.from_dict(history.as_dict()).to_csv() == history.to_csv()


@MODES
def test_a_step_that_was_not_made_is_not_measured(compiled):
    lab = Lab("sgd", lr=1e6, target=1e6)
    with pytest.raises(Diverged) as caught:
        lab.fit(epochs=30, compiled=compiled)
    history = caught.value.history
    assert len(history.norms_by_epoch()[0]) == len(history) // 5


def test_who_cannot_be_measured_is_told():
    class Foreign:
        param_groups = [{"lr": 0.1}]

        def zero_grad(self): ...

        def step(self): ...

    lab = Lab()
    with pytest.raises(TypeError, match="norms are measured of an optimizer of tinygrad_lr, got Foreign; leave"):
        fit(lab.model, nn.MSELoss(), Foreign(), lab.loader, epochs=1, norms=True)
    with pytest.raises(TypeError, match="norms must be a whole number"):
        lab.fit(norms="yes")


@pytest.mark.parametrize("had", [False, True])
def test_a_training_goes_on_with_the_choice_it_was_begun_with(had):
    lab = Lab()
    history = lab.fit(epochs=1, norms=had)
    with pytest.raises(ValueError, match=rf"the history to resume has {'norms' if had else 'no norms'}; .*norms={had}"):
        lab.fit(resume=history, norms=not had)


# --- in a history ----------------------------------------------------------------------------------------------------


@pytest.fixture
def history():
    found = History(["base", "head"], norms=True)
    for step in range(4):
        found.append(step // 2, (0.1, 0.2), 1.0)
    found.set_norms(3.0, [0.5, math.inf])
    return found


def test_norms_have_columns_of_their_own(history):
    names = ["gradient_norm", "update_ratio_base", "update_ratio_head"]
    assert history.column_names[-4:] == ["held_out_loss", *names]
    assert History(norms=True).column_names[-2:] == ["gradient_norm", "update_ratio"]
    assert [history[-1][name] for name in names] == [3.0, 0.5, math.inf]
    assert [history[name][-1] for name in names] == [3.0, 0.5, math.inf]
    assert all(math.isnan(history[0][name]) and math.isnan(history[name][0]) for name in names)
    assert history.to_dict()["update_ratio_base"] == [None, None, None, 0.5]


def test_norms_come_back_from_csv_from_a_checkpoint_and_from_a_copy(history, tmp_path):
    history.to_csv(tmp_path / "history.csv")
    for again in (History.from_csv(tmp_path / "history.csv"), History.from_dict(history.as_dict()), history.copy()):
        assert again.has_norms and again.to_csv() == history.to_csv()
    copy = history.copy()
    copy.set_norms(1.0, [0.1, 0.1])
    assert history.gradient_norm[-1] == 3.0


def test_a_row_that_lacks_a_norm_is_named(history, tmp_path):
    text = history.to_csv()
    path = tmp_path / "history.csv"
    path.write_text(text.rstrip().rpartition(",")[0] + "\n")
    with pytest.raises(ValueError, match="line 5: not a row of a history: not the row that should come next"):
        History.from_csv(path)
    path.write_text(text.replace("update_ratio_head", "update_ratio_tail"))
    with pytest.raises(ValueError, match="line 1: not a history"):
        History.from_csv(path)
