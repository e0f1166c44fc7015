"""Checkpoint: a training goes on with the bits of one that was never stopped; damaged and foreign files are named."""

import os
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from training_cases import Crash, machine_code_as_python  # noqa: F401 (a fixture)

import tinygrad_lr
from tinygrad_lr import nn, optim, schedules
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.files import FolderLock, save_arrays
from tinygrad_lr.training import Checkpoint, Diverged, fit, snapshot
from tinygrad_lr.training import checkpoint as checkpoint_file
from tinygrad_lr.training.history import History

pytestmark = pytest.mark.usefixtures("machine_code_as_python")

SCHEDULE = schedules.warmup(5).then(schedules.cosine(19)).clip(min=0.01)


class Training:
    """Six epochs of four steps, the same every time, whatever was drawn before."""

    def __init__(self, folder, optimizer="adam", groups=1, seed=None, noise=False, **options):
        tinygrad_lr.manual_seed(0)
        inputs, target = tinygrad_lr.randn(38, 4), tinygrad_lr.randn(38, 1)
        self.loader = DataLoader(TensorDataset(inputs, target), batch_size=10, shuffle=True, seed=seed)
        self.model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
        params = self.model.parameters()
        if groups == 2:
            params = [{"params": self.model[0].parameters(), "lr": 0.5}, {"params": self.model[2].parameters()}]
        self.optimizer = optim.OPTIMIZERS[optimizer](params, lr=0.05, **options)
        self.held_out = (tinygrad_lr.randn(7, 4), tinygrad_lr.randn(7, 1))
        self.checkpoint = Checkpoint(folder, every_steps=3) if folder else None
        tinygrad_lr.manual_seed(3)
        self.noise = noise

    def loss(self, prediction, target):
        if self.noise:
            target = target + tinygrad_lr.randn(*target.shape)
        return nn.MSELoss()(prediction, target)

    def fit(self, stop_after=None, epochs=6, **options):
        if options.pop("held", True):
            options["held_out"] = self.held_out
        history = self.checkpoint and self.checkpoint.restore(self.model, self.optimizer, self.loader)
        if stop_after is not None:
            look = self.checkpoint.look

            def crashing_look(**arguments):
                look(**arguments)
                if len(self.checkpoint._training[3]) >= stop_after:
                    raise Crash

            self.checkpoint.look = crashing_look
        options = {"schedule": SCHEDULE, "epochs": epochs, "progress": False, **options}
        loss = self.loss if self.noise else nn.MSELoss()
        return fit(self.model, loss, self.optimizer, self.loader, resume=history, checkpoint=self.checkpoint, **options)

    def bits(self):
        state = self.optimizer.state_dict()
        arrays = [np.asarray(v) for _, s in sorted(state["state"].items()) for v in s.values()]
        arrays += self.model.state_dict().values()
        rates = [group["lr"] for group in state["param_groups"]]
        return b"".join(each.tobytes() for each in arrays), rates, tinygrad_lr.random.get_state(), self.loader.epoch


CONFIGURATIONS = [
    (name, number, mode, seed, groups)
    for name, kind in optim.OPTIMIZERS.items()
    for number in range(len(kind.examined) + len(kind.state_dtypes) - 1)
    for mode in ("eager", "compiled")
    for seed in (None, 1)
    for groups in (1, 2)
]


def options_of(name, number):
    """The settings in which tests examine an optimizer, and then its short states."""
    kind = optim.OPTIMIZERS[name]
    more = [{"state_dtype": each} for each in kind.state_dtypes[1:]]
    return {**[*kind.examined, *more][number]}


@pytest.mark.sampled(one_in=25, each=["name"])
@pytest.mark.parametrize("name, number, mode, seed, groups", CONFIGURATIONS)
def test_a_training_goes_on_bit_for_bit(tmp_path, name, number, mode, seed, groups):
    """It crashes twice, in the middle of epochs and at their ends."""
    options = {"optimizer": name, "groups": groups, "seed": seed, **options_of(name, number)}
    whole = Training(None, **options)
    expected = whole.fit(compiled=mode == "compiled")
    bits = whole.bits()
    for stop_after in (5, 12):
        with pytest.raises(Crash):
            Training(tmp_path, **options).fit(stop_after, compiled=mode == "compiled")
    last = Training(tmp_path, **options)
    history = last.fit(compiled=mode == "compiled")
    assert history.to_csv() == expected.to_csv() and last.bits() == bits
    assert sorted(os.listdir(tmp_path)) == ["checkpoint-21.npz", "checkpoint-24.npz"]


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("stop_after", [1, 4, 6, 8])
def test_wherever_it_stops(tmp_path, mode, seed, held, stop_after):
    whole = Training(None, seed=seed)
    expected = whole.fit(compiled=mode == "compiled", held=held)
    bits = whole.bits()
    with pytest.raises(Crash):
        Training(tmp_path, seed=seed).fit(stop_after, compiled=mode == "compiled", held=held)
    last = Training(tmp_path, seed=seed)
    assert last.fit(compiled=mode == "compiled", held=held).to_csv() == expected.to_csv()
    assert last.bits() == bits


def test_numbers_drawn_by_the_loss_go_on_too(tmp_path):
    whole = Training(None, noise=True)
    expected = whole.fit()
    bits = whole.bits()
    with pytest.raises(Crash):
        Training(tmp_path, noise=True).fit(6)
    last = Training(tmp_path, noise=True)
    assert last.fit().to_csv() == expected.to_csv() and last.bits() == bits


@pytest.mark.parametrize("forgotten", ["optimizer_state", "order", "generator", "model"])
def test_the_comparison_of_bits_can_fail(tmp_path, forgotten):
    whole = Training(None)
    whole.fit()
    bits = whole.bits()
    with pytest.raises(Crash):
        Training(tmp_path).fit(6)
    (path,) = tmp_path.glob("checkpoint-6.npz")
    found, fresh = snapshot.read(path), Training(None)
    start = snapshot.taken(fresh.model, fresh.optimizer, fresh.loader, fit_nothing(fresh))
    snapshot.write(path, {**found, forgotten: start[forgotten]})
    last = Training(tmp_path)
    last.fit()
    assert last.bits() != bits


def fit_nothing(training):
    return History()


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_ctrl_c_leaves_a_checkpoint_of_its_step(tmp_path, mode):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        whole, stopped = Training(None), Training(tmp_path)
        expected = whole.fit(compiled=mode == "compiled")
        bits = whole.bits()
        stopped = Training(tmp_path)
        look = stopped.checkpoint.look

        def ctrl_c(**arguments):
            look(**arguments)
            if len(stopped.checkpoint._training[3]) == 10:
                os.kill(os.getpid(), signal.SIGINT)

        stopped.checkpoint.every_steps = 5
        stopped.checkpoint.look = ctrl_c
        history = stopped.fit(compiled=mode == "compiled")
    finally:
        signal.signal(signal.SIGINT, before)
    assert history.interrupted and 10 <= len(history) < 24
    last = Training(tmp_path)
    assert last.fit(compiled=mode == "compiled").to_csv() == expected.to_csv() and last.bits() == bits


CHILD = """
import os, signal, sys
from tinygrad_lr import nn, optim, randn
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import Checkpoint, fit
model = nn.Linear(2, 1)
loader = DataLoader(TensorDataset(randn(4, 2), randn(4, 1)), batch_size=1)
def on_epoch(epoch, history):
    if epoch == 3:
        os.kill(os.getpid(), signal.{name})
checkpoint = Checkpoint(sys.argv[1])
sgd = optim.SGD(model.parameters(), lr=0.1)
fit(model, nn.MSELoss(), sgd, loader, epochs=100, on_epoch=on_epoch, checkpoint=checkpoint)
print("went on")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_writes_a_checkpoint_and_takes_its_course(tmp_path, name):
    reset = f"import signal; signal.signal(signal.{name}, signal.SIG_DFL)\n"
    command = [sys.executable, "-c", reset + CHILD.format(name=name), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, timeout=600, check=False)
    assert done.returncode == -getattr(signal, name) and done.stdout == b"", done.stderr
    assert "checkpoint-16.npz" in os.listdir(tmp_path)


def test_rows_appear_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_file, "CSV_EVERY", 0.0)
    training, seen = Training(tmp_path), []
    training.checkpoint.history_csv = True

    def look(epoch, history):
        text = (tmp_path / "history.csv").read_text()
        assert text.endswith("\n") and history.to_csv().startswith(text)
        seen.append(text.count("\n"))

    history = training.fit(on_epoch=look)
    assert seen == sorted(set(seen)) and seen[0] >= 3
    assert (tmp_path / "history.csv").read_text() == history.to_csv() and training.checkpoint.csv_is_whole


def test_rows_written_after_the_checkpoint_are_not_there_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_file, "CSV_EVERY", 0.0)
    first = Training(tmp_path)
    first.checkpoint.history_csv = True
    with pytest.raises(Crash):
        first.fit(7)
    with open(tmp_path / "history.csv", "a") as file:
        file.write("8,2,0.0")  # a torn line
    last = Training(tmp_path)
    last.checkpoint.history_csv = True
    assert last.fit().to_csv() == (tmp_path / "history.csv").read_text()


# --- damage -------------------------------------------------------------------------------------------------------


def stopped(folder, after=7):
    with pytest.raises(Crash):
        Training(folder).fit(after)
    return sorted(folder.glob("checkpoint-*.npz"))


TEARS = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "all but a byte": lambda content: content[:-1],
    "a flipped bit": lambda content: content[:900] + bytes([content[900] ^ 1]) + content[901:],
    "zeros": lambda content: bytes(len(content)),
    "zeros at the end": lambda content: content[:512] + bytes(len(content) - 512),
    "another file": lambda content: b"PK\x03\x04 not ours",
}


@pytest.mark.parametrize("name", TEARS)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, name):
    whole = Training(None)
    expected = whole.fit()
    older, newer = stopped(tmp_path)
    newer.write_bytes(TEARS[name](newer.read_bytes()))
    last = Training(tmp_path)
    with pytest.warns(RuntimeWarning, match=rf"{newer.name} is damaged .*going on from {older.name} instead"):
        history = last.fit()
    assert history.to_csv() == expected.to_csv()
    assert f"{newer.name}.damaged" in os.listdir(tmp_path), "it is put aside, not removed"


def test_every_flipped_byte_is_seen(tmp_path, searches):
    """Or it changes nothing that is read, as in the date of a zip's member."""
    _, newer = stopped(tmp_path)
    content = newer.read_bytes()
    expected = snapshot.packed(snapshot.read(newer))
    places = range(0, len(content), 1 if searches.deep else 97)
    seen = 0
    for place in places:
        newer.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            found = snapshot.packed(snapshot.read(newer))
        except snapshot.Unreadable:
            seen += 1
        else:
            assert all(np.array_equal(found[key], value) for key, value in expected.items())
    assert seen > len(places) / 2


def test_damage_to_both_is_an_error_that_names_them(tmp_path):
    for path in stopped(tmp_path):
        path.write_bytes(path.read_bytes()[:100])
    last = Training(tmp_path)
    before = last.bits()
    with pytest.raises(ValueError, match=r"every checkpoint in .* is damaged .*checkpoint-6.npz.*checkpoint-3.npz"):
        last.fit()
    assert last.bits() == before


def test_no_code_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    np.savez(tmp_path / "checkpoint-9.npz", document=np.array([Evil()], object))
    with pytest.raises(ValueError, match="damaged"):
        Training(tmp_path).fit()
    assert not (tmp_path / "evil").exists()


# --- what does not fit ----------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_named_and_changes_nothing(tmp_path):
    stopped(tmp_path)
    other_loader = Training(tmp_path)
    other_loader.loader = DataLoader(other_loader.loader.dataset, batch_size=9, shuffle=True)
    other_dtype = Training(tmp_path)
    other_dtype.model.to("float64")
    wider = Training(tmp_path)
    wider.model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    wider.optimizer = optim.Adam(wider.model.parameters())
    for other, message in [
        (Training(tmp_path, "sgd"), "of another optimizer: its class was Adam and is SGD"),
        (Training(tmp_path, dialect="torch"), "its dialect was article and is torch"),
        (Training(tmp_path, groups=2), "its groups was 1 and is 2"),
        (Training(tmp_path, seed=4), "of another loader: its seed was None and is 4"),
        (other_loader, "its batches was 4 and is 5"),
        (other_dtype, r"0.weight is float64 \(3, 4\), and in the checkpoint float32"),
        (wider, r"does not fit the checkpoint: 0.weight is float32 \(5, 4\), and in the checkpoint float32 \(3, 4\)"),
    ]:
        before = other.model.state_dict()
        with pytest.raises(ValueError, match=message):
            other.checkpoint.restore(other.model, other.optimizer, other.loader)
        assert all(np.array_equal(value, before[name]) for name, value in other.model.state_dict().items())
        assert not other.optimizer.state_dict()["state"]


def test_other_settings_are_refused(tmp_path):
    stopped(tmp_path)
    for options, message in [
        ({"schedule": None}, "ran with schedule=.*and fit was called with schedule=None"),
        ({"max_norm": 1.0}, "ran with max_norm=None, and fit was called with max_norm=1.0"),
        ({"compiled": True}, "ran with compiled=False, and fit was called with compiled=True"),
    ]:
        with pytest.raises(ValueError, match=message):
            Training(tmp_path).fit(**options)
    assert len(Training(tmp_path).fit(epochs=8)) == 32, "more epochs are no other training"


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_a_decay_branches_off_a_checkpoint_in_the_stable_phase(tmp_path, mode):
    """What WSD is for: the stable phase is trained once, and each decay goes on from it in a folder of its own."""
    compiled = {"compiled": mode == "compiled"}

    def branch(folder, **arguments):
        made = Training(None, "adamw")
        history = Checkpoint(tmp_path / "stable").restore(made.model, made.optimizer, made.loader)
        assert history is None or history.steps_in_epoch == len(made.loader)
        made.checkpoint, made.restored = Checkpoint(tmp_path / folder), history
        arguments = {"progress": False, "resume": history, "checkpoint": made.checkpoint, **compiled, **arguments}
        fit(made.model, nn.MSELoss(), made.optimizer, made.loader, **arguments)
        return made

    steps = len(Training(None, "adamw").loader)
    stable = Training(tmp_path / "stable", "adamw")
    plateau = schedules.warmup(3).then(schedules.constant())
    stable.fit(schedule=plateau, epochs=3, held=False, **compiled)
    for decay, epochs in (("cosine", 5), ("1-sqrt", 6)):
        whole = schedules.warmup_stable_decay(3, 3 * steps - 3, (epochs - 3) * steps, decay)
        straight = Training(None, "adamw")
        straight.fit(schedule=whole, epochs=epochs, held=False, **compiled)
        made = branch(decay, schedule=whole, epochs=epochs)
        assert len(made.restored) == 3 * steps and made.bits() == straight.bits()
    with pytest.raises(ValueError, match="or take another folder"):
        branch("stable", schedule=whole, epochs=5)


def test_a_folder_of_another_training_is_left_alone(tmp_path):
    before = {path.name: path.read_bytes() for path in stopped(tmp_path)}
    other = Training(tmp_path)
    arguments = (other.model, nn.MSELoss(), other.optimizer, other.loader)
    with pytest.raises(ValueError, match=r"holds checkpoint-6.npz of an earlier training; go on from it"):
        fit(*arguments, epochs=1, checkpoint=other.checkpoint)
    other.checkpoint.restore(other.model, other.optimizer, other.loader)
    with pytest.raises(ValueError, match=r"of step 6, and fit begins at step 0; give the history"):
        fit(*arguments, epochs=6, checkpoint=other.checkpoint, schedule=SCHEDULE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_trainings_never_share_a_folder(tmp_path):
    held = FolderLock(tmp_path)
    with pytest.raises(BlockingIOError, match="another process writes there"):
        Training(tmp_path).fit()
    held.release()
    assert len(Training(tmp_path).fit()) == 24
    FolderLock(tmp_path).release()


def test_files_of_other_programs_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".checkpoint-3.npz.tmp").write_text("mine")
    (tmp_path / ".checkpoint-3.npz.0123456789ab.tmp").write_text("of a killed process")
    Training(tmp_path).fit()
    assert sorted(os.listdir(tmp_path)) == [
        ".checkpoint-3.npz.tmp", "checkpoint-21.npz", "checkpoint-24.npz", "notes.txt"
    ]  # fmt: skip


def test_a_full_disk_is_a_warning_and_the_training_goes_on(tmp_path, monkeypatch):
    def full(path, arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "save_arrays", full)
    training = Training(tmp_path)
    with pytest.warns(RuntimeWarning, match="checkpoint-3.npz could not be written .No space left on device.; the tra"):
        assert len(training.fit()) == 24
    monkeypatch.setattr(snapshot, "save_arrays", save_arrays)
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_kept_is_refused_before_training(tmp_path):
    class Foreign:
        param_groups = [{"lr": 0.1}]

        def step(self): ...
        def zero_grad(self): ...

    training = Training(tmp_path)
    with pytest.raises(TypeError, match="keeps the state of an optimizer of tinygrad_lr, got Foreign"):
        fit(training.model, nn.MSELoss(), Foreign(), training.loader, epochs=1, checkpoint=training.checkpoint)
    for value, message in [({"a": threading.Lock()}, r"is <unlocked"), (np.array([None]), "array of object")]:
        with pytest.raises(TypeError, match=message):
            snapshot.packed(value)
    for options in ({"every_seconds": 0}, {"every_seconds": float("nan")}, {"every_steps": 0}):
        with pytest.raises(ValueError):
            Checkpoint(tmp_path, **options)


VALUES = {
    "numbers": [1, -(2**127), 0.1, -0.0, float("inf"), float("-inf"), True, None, 5e-324],
    "nan": (float("nan"),),
    "texts": ["", "größe", '"\\\n', "\x00"],
    "nested": {"a": [(1, (2, [])), {}], 3: {"b": ()}, (1, 2): "key"},
    "NumPy": [np.float32(0.1), np.int64(-1), np.bool_(True), np.zeros((0, 3)), np.arange(6).reshape(2, 3).T],
    "lists that look like ours": [["array", 0], ["dict", []], ["float", "nan"]],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_as_they_were(tmp_path, name):
    save_arrays(tmp_path / "values.npz", snapshot.packed(VALUES[name]))
    with np.load(tmp_path / "values.npz") as found:
        again = snapshot.unpacked(dict(found))
    assert repr(again) == repr(VALUES[name])


def test_a_history_comes_back_and_its_counts_take_no_room():
    history = History(["a", "b"])
    for step in range(3000):
        history.append(
            step // 4, (0.1 * step, 0.5), 1.0 / (step + 1), 0.25 if step % 4 == 3 else None, 10 - step % 4 // 3
        )
    found = history.as_dict()
    again = History.from_dict(snapshot.unpacked(snapshot.packed(found)))
    assert again.to_csv() == history.to_csv() and len(found["_epochs"][0]) == 750
    assert History.from_dict(History().as_dict()).to_csv() == History().to_csv()
    document = snapshot.packed(found)["document"].tobytes()
    assert len(document) < 500, "no list of it grows with the epochs"
    with pytest.raises(ValueError, match="differ in length"):
        History.from_dict({**found, "_losses": np.zeros(3)})


def test_parameters_of_a_plain_function_are_kept(tmp_path):
    def made():
        w = tinygrad_lr.tensor([1.0, 2.0], requires_grad=True)
        return w, optim.Adam([w], lr=0.1), Checkpoint(tmp_path, every_steps=2)

    batches = [(tinygrad_lr.ones(3, 2), tinygrad_lr.ones(3))] * 3
    results = []
    for epochs in (2, 4):
        w, optimizer, checkpoint = made()
        model = lambda inputs, w=w: inputs @ w  # noqa: E731
        history = checkpoint.restore(model, optimizer, batches)
        fit(model, nn.MSELoss(), optimizer, batches, epochs=epochs, resume=history, checkpoint=checkpoint)
        results.append(w.data.tolist())
    w, optimizer, _ = made()
    fit(lambda inputs: inputs @ w, nn.MSELoss(), optimizer, batches, epochs=4)
    assert w.data.tolist() == results[1] != results[0]


def test_a_diverged_training_lets_its_folder_go(tmp_path):
    training = Training(tmp_path, "sgd")
    training.optimizer.param_groups[0]["lr"] = 1e18
    with pytest.raises(Diverged):
        training.fit(schedule=None)
    FolderLock(tmp_path).release()


def test_the_clock_decides_when(tmp_path, monkeypatch):
    """Seconds of a clock of the test's own: the first after 1, then after twice the time, at last every 30."""
    now, written = [0.0], []
    monkeypatch.setattr(checkpoint_file, "perf_counter", lambda: now[0])
    monkeypatch.setattr(snapshot, "write", lambda path, values: written.append(now[0]))
    training = Training(None)
    checkpoint = Checkpoint(tmp_path)
    history = fit_nothing(training)
    checkpoint.begin(training.model, training.optimizer, training.loader, history, False, {})
    for _ in range(2400):
        history.append(0, (0.1,), 1.0)
        now[0] += 0.05
        checkpoint.look()
    assert [int(each) for each in written] == [1, 2, 4, 8, 16, 32, 62, 92]
    checkpoint.close()


def test_slow_checkpoints_take_two_hundredths_of_the_time(tmp_path, monkeypatch):
    now, written = [0.0], []

    def slow(path, values):
        written.append(now[0])
        now[0] += 1.0

    monkeypatch.setattr(checkpoint_file, "perf_counter", lambda: now[0])
    monkeypatch.setattr(snapshot, "write", slow)
    training = Training(None)
    checkpoint = Checkpoint(tmp_path, every_seconds=1)
    history = fit_nothing(training)
    checkpoint.begin(training.model, training.optimizer, training.loader, history, False, {})
    for _ in range(10_000):
        history.append(0, (0.1,), 1.0)
        now[0] += 0.05
        checkpoint.look()
    assert len(written) <= now[0] / 50 + 1
    checkpoint.close()


def test_no_warning_where_all_is_well(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Training(tmp_path).fit()
