"""CSVLog, TensorBoard and WeightAveraging: what they write and keep, and that a killed training goes on exactly."""

import errno

import numpy as np
import pytest
from training_cases import MODES, Crash, machine_code_as_python  # noqa: F401 (a fixture)

import tinygrad_lr
from tinygrad_lr import nn, optim
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn
from tinygrad_lr.training import (
    Checkpoint,
    CSVLog,
    History,
    ModelAveraging,
    TensorBoard,
    WeightAveraging,
    evaluate,
    fit,
)

pytestmark = pytest.mark.usefixtures("machine_code_as_python")


class Lab:
    """Eight epochs of four steps."""

    def __init__(self, groups=1):
        tinygrad_lr.manual_seed(3)
        data = TensorDataset(tinygrad_lr.randn(16, 3), tinygrad_lr.randn(16, 1))
        self.loader = DataLoader(data, batch_size=4, shuffle=True, seed=1)
        self.model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
        params = [{"params": self.model[0].parameters(), "name": "base"}, {"params": self.model[2].parameters()}]
        self.optimizer = optim.Adam(params if groups == 2 else self.model.parameters(), lr=0.03)
        self.held_out = (tinygrad_lr.randn(9, 3), tinygrad_lr.randn(9, 1))

    def fit(self, callbacks=(), epochs=8, **options):
        options = {"held_out": self.held_out, "progress": False, **options}
        return fit(
            self.model, nn.MSELoss(), self.optimizer, self.loader, epochs=epochs, callbacks=list(callbacks), **options
        )

    def values(self):
        return np.concatenate([each.ravel() for each in self.model.state_dict().values()])


class Kill:
    """Ends a training after a step, as a crash does."""

    def __init__(self, step):
        self.step = step

    def on_step(self, training):
        if training.step == self.step:
            raise Crash


# --- CSV --------------------------------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("held", [True, False])
def test_the_csv_file_grows_and_ends_as_the_history(tmp_path, monkeypatch, compiled, held):
    monkeypatch.setattr("tinygrad_lr.training.csv_log.CSV_EVERY", 0.0)
    monkeypatch.setattr("tinygrad_lr.training.callbacks.PROGRESS_EVERY", 0.0)
    path, lengths = tmp_path / "history.csv", []

    class Look:
        def on_progress(self, training):
            lengths.append(len(History.from_csv(path)) - training.step)

    lab = Lab(groups=2)
    options = {} if held else {"held_out": None}
    history = lab.fit([CSVLog(path), Look()], compiled=compiled, **options)
    assert path.read_text() == history.to_csv() and len(lengths) > 1 and set(lengths) == {0}


def test_a_killed_training_goes_on_in_its_csv_file(tmp_path):
    path = tmp_path / "history.csv"
    expected = Lab().fit()
    with pytest.raises(Crash):
        Lab().fit([CSVLog(path), Kill(18), Checkpoint(tmp_path / "kept", every_steps=5)])
    assert len(History.from_csv(path)) == 18
    path.write_text(path.read_text() + "18,4,")  # half a row
    lab, checkpoint = Lab(), Checkpoint(tmp_path / "kept")
    resumed = checkpoint.restore(lab.model, lab.optimizer, lab.loader)
    assert len(resumed) == 15
    lab.fit([CSVLog(path), checkpoint], resume=resumed)
    assert path.read_text() == expected.to_csv()


def test_a_file_that_is_no_history_is_left_alone(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(FileExistsError, match="is there and is no history; nothing of it was changed"):
        Lab().fit([CSVLog(path)])
    assert path.read_text() == "a,b\n1,2\n"
    (tmp_path / "empty.csv").touch()
    Lab().fit([CSVLog(tmp_path / "empty.csv")], epochs=1)
    with pytest.raises(OSError):
        Lab().fit([CSVLog(tmp_path / "no" / "folder.csv")])
    with pytest.raises(OSError):
        Lab().fit([CSVLog(tmp_path)])
    with pytest.raises(TypeError):
        CSVLog(3)


def test_a_disk_that_fails_is_one_warning(tmp_path):
    class Full:
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self): ...

    class Break:
        def on_epoch(self, training):
            if training.epoch == 1:
                log._file.close()
                log._file = Full()
                log.due = 0.0

    said = []
    log = CSVLog(tmp_path / "history.csv", warn=said.append)
    history = Lab().fit([Break(), log])
    assert len(history) == 32 and not log.is_whole
    assert said == [f"{tmp_path / 'history.csv'} could not be written (No space left on device); the training goes on"]


# --- TensorBoard ------------------------------------------------------------------------------------------------------


def scalars(folder):
    """What tensorboard's own reader finds: the steps and values of each tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    events = {tag: found.Scalars(tag) for tag in found.Tags()["scalars"]}
    return {tag: ([each.step for each in rows], [each.value for each in rows]) for tag, rows in events.items()}


def expected_scalars(history):
    rates = ["lr"] if len(history.groups) == 1 else [f"lr/{name}" for name in history.groups]
    columns = {"loss": history.loss, **dict(zip(rates, history.lr.T, strict=True))}
    found = {tag: (list(range(len(history))), column.astype(np.float32).tolist()) for tag, column in columns.items()}
    ends = np.flatnonzero(np.isfinite(history.held_out_loss))
    found["held_out_loss"] = ends.tolist(), history.held_out_loss[ends].astype(np.float32).tolist()
    if history.has_norms:
        ratios = ["update_ratio"] if len(history.groups) == 1 else [f"update_ratio/{name}" for name in history.groups]
        columns = zip(["gradient_norm", *ratios], [history.gradient_norm, *history.update_ratio.T], strict=True)
        found |= {tag: (ends.tolist(), column[ends].astype(np.float32).tolist()) for tag, column in columns}
    return found


@pytest.mark.filterwarnings("ignore")  # of tensorboard's imports
@MODES
@pytest.mark.parametrize("groups", [1, 2])
def test_tensorboard_reads_the_events_back(tmp_path, compiled, groups):
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'tinygrad_lr[tensorboard]'")
    history = Lab(groups).fit([TensorBoard(tmp_path / "a" / "b")], compiled=compiled, norms=groups == 2)
    assert scalars(tmp_path / "a" / "b") == expected_scalars(history)


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_forgets_what_a_killed_training_had_written_beyond_its_checkpoint(tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'tinygrad_lr[tensorboard]'")
    with pytest.raises(Crash):
        Lab().fit([TensorBoard(tmp_path / "events"), Kill(18), Checkpoint(tmp_path / "kept", every_steps=5)])
    assert len(scalars(tmp_path / "events")["loss"][0]) == 18
    lab, checkpoint = Lab(), Checkpoint(tmp_path / "kept")
    resumed = checkpoint.restore(lab.model, lab.optimizer, lab.loader)
    history = lab.fit([TensorBoard(tmp_path / "events"), checkpoint], resume=resumed)
    assert scalars(tmp_path / "events") == expected_scalars(history)


def test_without_tensorboard_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"needs tensorboard: pip install 'tinygrad_lr\[tensorboard\]'"):
        TensorBoard(tmp_path)


# --- averages ---------------------------------------------------------------------------------------------------------


class Keep:
    """Keeps the parameters after every epoch."""

    def __init__(self):
        self.found = []

    def on_epoch(self, training):
        self.found.append([each.astype(np.float64) for each in training.model.state_dict().values()])


@MODES
@pytest.mark.parametrize("first, epochs", [(6, 2), (0, 8), (8, 0)])
def test_the_mean_is_that_of_the_last_epochs(compiled, first, epochs):
    keep, average, lab = Keep(), WeightAveraging(first), Lab()
    history = lab.fit([keep, average], compiled=compiled)
    assert average.epochs == epochs and (average.parameters is None) == (epochs == 0)
    for place, values in enumerate((average.parameters or {}).values()):
        mean = sum(each[place] for each in keep.found[first:]) / epochs
        # rounded once to float32; the order of sums in float64 shows only beyond that
        assert np.allclose(values, mean, rtol=2**-23, atol=0)
    assert history.to_csv() == Lab().fit(compiled=compiled).to_csv(), "averaging changes no step"


@pytest.mark.parametrize("step", [10, 24, 25, 28, 30])
@MODES
def test_a_killed_training_has_the_same_mean(tmp_path, compiled, step):
    whole, average = Lab(), WeightAveraging(4)
    whole.fit([average], compiled=compiled)
    with pytest.raises(Crash):
        Lab().fit([WeightAveraging(4), Kill(step), Checkpoint(tmp_path, every_steps=1)], compiled=compiled)
    again, second, checkpoint = Lab(), WeightAveraging(4), Checkpoint(tmp_path)
    resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
    again.fit([second, checkpoint], resume=resumed, compiled=compiled)
    assert second.epochs == average.epochs == 4
    assert all(values.tobytes() == second.parameters[name].tobytes() for name, values in average.parameters.items())


@MODES
@pytest.mark.parametrize("epochs", [5, 6])
def test_a_mean_that_lacks_epochs_is_refused(compiled, epochs):
    lab = Lab()
    history = lab.fit(epochs=epochs, compiled=compiled)
    missing = f"after epoch {epochs}, of which {epochs - 4} belong to the mean, and this WeightAveraging has 0"
    with pytest.raises(ValueError, match=missing):
        lab.fit([WeightAveraging(4)], resume=history, compiled=compiled)
    before = lab.values()
    with pytest.raises(ValueError, match=rf"average the epochs that come: WeightAveraging\({epochs}\)"):
        lab.fit([WeightAveraging()], resume=history, compiled=compiled)
    assert np.array_equal(lab.values(), before), "nothing was trained"
    average = WeightAveraging(epochs)
    lab.fit([average], resume=history, compiled=compiled)
    assert average.epochs == 8 - epochs


def test_the_object_that_was_there_goes_on_and_a_mean_of_other_epochs_is_refused():
    whole, average = Lab(), WeightAveraging(2)
    whole.fit([average])
    lab, again = Lab(), WeightAveraging(2)
    history = lab.fit([again], epochs=5)
    assert again.epochs == 3
    lab.fit([again], resume=history)
    assert all(values.tobytes() == again.parameters[name].tobytes() for name, values in average.parameters.items())
    with pytest.raises(ValueError, match="of which 3 belong to the mean, and this WeightAveraging has 6"):
        lab.fit([again], resume=history)


# --- an averaged model ------------------------------------------------------------------------------------------------


def averaging(lab, every_step=False, first=2, **options):
    function = {"multi_avg_fn": get_ema_multi_avg_fn(0.8)} if every_step else {}
    return ModelAveraging(AveragedModel(lab.model, **function), first_epoch=first, every_step=every_step, **options)


@MODES
def test_an_averaged_model_is_the_mean_and_is_what_is_measured(compiled):
    lab = Lab()
    mean, other = averaging(lab), WeightAveraging(2)
    history = lab.fit([mean, other], compiled=compiled)
    for name, values in other.parameters.items():
        # float32 beside float64: each of six updates rounds by at most 7 u of the largest value
        own = mean.averaged.module.state_dict()[name]
        assert np.abs(own - values).max() <= 7 * 6 * 2.0**-24 * 2 * np.abs(lab.values()).max()
    data = TensorDataset(*lab.held_out)
    plain = Lab()
    expected = plain.fit(compiled=compiled)
    assert history.loss.tobytes() == expected.loss.tobytes(), "averaging changes no step"
    _, losses = history.held_out_by_epoch()
    _, without = expected.held_out_by_epoch()
    assert losses[-1] == evaluate(mean.averaged, nn.MSELoss(), data) != without[-1]
    assert losses[:2].tolist() == without[:2].tolist()
    lab = Lab()
    unmeasured = lab.fit([averaging(lab, measure=False)], compiled=compiled)
    assert unmeasured.to_csv() == expected.to_csv()


@MODES
def test_a_moving_average_is_updated_by_every_step(compiled):
    lab, steps = Lab(), []

    class Each:
        def on_step(self, training):
            steps.append({key: value.copy() for key, value in training.model.state_dict().items()})

    callback = averaging(lab, every_step=True, first=1)
    lab.fit([Each(), callback], compiled=compiled)
    assert callback.averaged.n_averaged.item() == 28
    for name, own in callback.averaged.module.state_dict().items():
        expected = steps[4][name]
        for state in steps[5:]:
            expected = get_ema_avg_fn(0.8)(expected, state[name], 1)
        assert own.tobytes() == expected.tobytes()


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("step", [7, 12, 18, 30])
@MODES
def test_a_killed_training_has_the_same_averaged_model_and_measures(tmp_path, compiled, step, every_step):
    whole = Lab()
    average = averaging(whole, every_step)
    expected = whole.fit([average], compiled=compiled)
    lab = Lab()
    with pytest.raises(Crash):
        callbacks = [averaging(lab, every_step), Kill(step), Checkpoint(tmp_path, every_steps=1)]
        lab.fit(callbacks, compiled=compiled)
    again, checkpoint = Lab(), Checkpoint(tmp_path)
    second = averaging(again, every_step)
    resumed = checkpoint.restore(again.model, again.optimizer, again.loader)
    history = again.fit([second, checkpoint], resume=resumed, compiled=compiled)
    assert history.to_csv() == expected.to_csv()
    own = second.averaged.state_dict()
    assert all(value.tobytes() == own[name].tobytes() for name, value in average.averaged.state_dict().items())


def test_an_average_of_another_training_is_refused():
    lab = Lab()
    history = lab.fit(epochs=4)
    with pytest.raises(ValueError, match=r"to be of 2 epochs, and this one is of 0; .* first_epoch=4"):
        lab.fit([averaging(lab)], resume=history)
    used = averaging(lab, first=4)
    lab.fit([used], resume=history, epochs=6)
    with pytest.raises(ValueError, match="to be of 0 epochs, and this one is of 2; make a new AveragedModel"):
        Lab().fit([used])
    with pytest.raises(TypeError, match=r"must be an AveragedModel\(model\), got Sequential"):
        ModelAveraging(lab.model)


def test_what_is_to_be_measured_must_be_a_model():
    class Wrong:
        def on_measure(self, training):
            return 3

    with pytest.raises(TypeError, match="Wrong.on_measure must return a model to be measured, or None; got 3"):
        Lab().fit([Wrong()])
