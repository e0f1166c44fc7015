"""The command line: what a run leaves, that it can be repeated bit for bit, and how it can be stopped."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_cases import PROGRAM, TABLE, described, folder_of_its_own, machine_code_as_python, program, run, train  # noqa: F401

from tinygrad_lr import cli, nn, optim
from tinygrad_lr.cli import arguments, plotting
from tinygrad_lr.data import datasets
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.tables import read_table
from tinygrad_lr.schedules.table import for_training
from tinygrad_lr.training.history import History
from tinygrad_lr.training.tables import metrics as how_good
from tinygrad_lr.training.tables import rates, runs
from tinygrad_lr.training.tables.options import Options


def test_with_no_table_the_article_is_trained_on_diabetes(capsys):
    assert run("train", "--epochs=10", "--lr=0.01", "--schedule=polynomial", "--warmup-epochs=5") == 0
    out = capsys.readouterr().out.splitlines()
    expected = [0.0018, 0.0038, 0.0058, 0.0078, 0.0098, 0.0082, 0.0062, 0.0042, 0.0022, 0.0002]
    start = next(place for place, text in enumerate(out) if text.startswith("Epoch 1,"))
    assert out[start - 1] == "309 training rows in batches of 32: 10 steps an epoch, 10 epochs, 100 steps"
    losses = r"Loss Value: \d+\.\d{6}, Mean Loss: \d+\.\d{6}, Held-out Loss: \d+\.\d{6}"
    for epoch, rate in enumerate(expected, 1):
        assert re.fullmatch(rf"Epoch {epoch}, Learning Rate: {rate:.6f}, {losses}", out[start + epoch - 1])
    out = out[start + 10 :]
    assert out[0] == "Linear(10, 1), trained on 309 rows of diabetes.csv in batches of 32; 133 rows held out"
    assert re.fullmatch(r"Held-out R2: 0\.\d{4} \(least squares: 0\.\d{4}; .*\)", out[1])
    assert re.fullmatch(r"Held-out RMSE: \d\d\.\d+ \(\d\d\.\d+\), MAE: \d\d\.\d+ \(\d\d\.\d+\)", out[2])
    assert out[3] == f"In {os.path.join('runs', 'diabetes')}:"
    files = ["model.npz", "history.csv", "coefficients.csv", "report.html", "curves.png", "run.json"]
    assert [text.split()[0] for text in out[4:10]] == files
    assert re.fullmatch(r"R2 lies 0\.\d{4} below least squares: try --steps 4000, or another --lr than 0.01", out[10])
    assert sorted(os.listdir("runs/diabetes")) == sorted(files)
    with open("runs/diabetes/curves.png", "rb") as picture:
        assert picture.read(8) == b"\x89PNG\r\n\x1a\n"


def test_least_squares_is_what_numpy_says(capsys):
    train("--lr", 0.1, "--epochs", 60, "--out", "run")
    metrics = described("run")["metrics"]
    assert metrics["r2_least_squares"] == pytest.approx(1.0, abs=1e-9), "the table is linear"
    assert metrics["r2"] > 0.99
    assert how_good.r_squared(np.array([1.0, 1.0]), np.array([1.0, 2.0])) is None
    assert how_good.r_squared(np.array([0.0, 2.0]), np.array([1.0, 1.0])) == 0


@pytest.mark.sampled(one_in=3)
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--hidden=4,3", "--optimizer=sgd", "--momentum=0.9", "--schedule=cosine", "--batch-size=5", "--seed=7"],
        ["--schedule=wsd", "--epochs=6", "--warmup-epochs=1", "--optimizer=rmsprop", "--dialect=torch", "--force"],
        ["--schedule=constant", "--warmup-epochs=0", "--categorical=dose", "--held-out=0", "--weight-decay=0.1"],
        [
            "--schedule=polynomial",
            "--power=2",
            "--ignore=colour",
            "--optimizer=adamw",
            "--dialect=keras",
            "--delimiter=,",
        ],
        ["--max-norm=0.5", "--optimizer=sgd", "--compiled", "--na-values=-,missing", "--keep-na"],
    ],
)
def test_run_json_suffices_to_repeat_the_run_bit_for_bit(options, tmp_path, monkeypatch):
    train(*options, "--out", "first")
    command = described("first")["command"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command[:2] == ["tinygrad-lr", "train"]
    assert run(*command[1:], "--out", tmp_path / "second") == 0
    for name in ("model.npz", "history.csv"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    first, second = (json.loads((tmp_path / each / "run.json").read_text()) for each in ("first", "second"))
    assert first["command"] == second["command"] and first["data"] == second["data"]


@pytest.mark.parametrize("mode", ["--eager", "--compiled"])
def test_max_norm_clips_every_step(mode):
    """A step of SGD is as long as the rate times the norm, which is clipped to 0.125; torch's factor is a hair less."""
    options = ("--optimizer=sgd", "--schedule=constant", "--warmup-epochs=0", "--lr=0.5", "--batch-size=40", mode)
    train(*options, "--epochs=1", "--max-norm=0.125", "--out", "clipped")
    with pytest.warns(UserWarning, match="every learning rate is 0"):
        train(*options, "--epochs=1", "--lr=0", "--out", "first")
    moved = [runs.read_run("clipped")[1][name] - first for name, first in runs.read_run("first")[1].items()]
    assert np.linalg.norm(np.concatenate([each.ravel() for each in moved])) == pytest.approx(0.0625, rel=1e-4)


def test_a_warning_is_a_line_of_the_command():
    code = "import sys; from tinygrad_lr.cli import program; sys.exit(program())"
    ended = program("train", "table.csv", "--target=effect", "--lr=0", "--epochs=1", code=code)
    assert ended.returncode == 0
    assert ended.stderr.decode() == "tinygrad-lr: warning: every learning rate is 0, so no parameter will move\n"


def test_another_seed_is_another_run():
    train("--out", "first")
    train("--out", "second", "--seed", 1)
    assert Path("first/model.npz").read_bytes() != Path("second/model.npz").read_bytes()


def test_the_history_can_be_read_again():
    train("--out", "run")
    history = History.from_csv("run/history.csv")
    assert history.epoch[-1] == 1 and np.isfinite(history.held_out_loss[-1])
    about = described("run")
    assert len(history) == about["metrics"]["steps"] and about["status"] == "finished"
    with open("run/history.csv") as file:
        assert history.to_csv() == file.read()


def test_predict_gives_the_models_numbers(capfdbinary):
    train("--hidden", "4", "--out", "run")
    capfdbinary.readouterr()
    assert run("predict", "run", "table.csv") == 0
    header, *values = capfdbinary.readouterr().out.decode().splitlines()
    assert header == "predicted_effect"
    about, parameters = runs.read_run("run")
    encoder = TableEncoder.from_json(about["encoder"])
    hidden = np.maximum(encoder.features(read_table("table.csv")) @ parameters["0.weight"].T + parameters["0.bias"], 0)
    expected = encoder.target_in_units(hidden @ parameters["2.weight"].T + parameters["2.bias"])
    assert np.allclose(np.array(values, float), expected[:, 0], rtol=1e-5, atol=1e-4)
    assert run("predict", "run", "table.csv", "--out", "predictions.csv") == 0
    assert Path("predictions.csv").read_text().splitlines() == [header, *values]
    assert re.search(rb"40 predictions in predictions.csv\nR2: -?\d\.\d{4}\n", capfdbinary.readouterr().out)


def test_large_numbers_are_written_whole_and_r2_is_of_what_is_written(capsys):
    Path("times.csv").write_text("a,time\n" + "".join(f"{i},{1700000000 + i}\n" for i in range(1, 61)))
    options = ("--target", "time", "--held-out", 0, "--epochs", 60, "--lr", 0.1, "--schedule", "constant")
    assert run("train", "times.csv", *options, "--out", "run") == 0
    assert run("predict", "run", "times.csv", "--out", "predictions.csv") == 0
    predictions = np.loadtxt("predictions.csv", skiprows=1)
    times = 1700000000.0 + np.arange(1, 61)
    assert len(set(predictions)) == 60 and np.abs(predictions - times).max() < 20
    found = how_good.r_squared(times, predictions)
    assert found == pytest.approx(described("run")["metrics"]["r2"], abs=1e-9)
    assert f"R2: {found:.4f}" in capsys.readouterr().out.splitlines()[-1]


def test_columns_that_never_varied_and_categories_not_trained_on_are_named(capsys):
    rows = [f"2023,{i},{2 * i},{'ab'[i % 2]}\n" for i in range(20)]
    Path("years.csv").write_text("year,dose,effect,kind\n" + "".join(rows))
    assert run("train", "years.csv", "--target", "effect", "--epochs", 2, "--out", "run") == 0
    assert "These columns never varied in the training rows and have no effect: year\n" in capsys.readouterr().out
    for year in (2023, 2024, 2123):
        Path("later.csv").write_text(f"year,dose,kind\n{year},30,a\n")
        assert run("predict", "run", "later.csv") == 0
    assert len(set(capsys.readouterr().out.split()) - {"predicted_effect"}) == 1
    held_out = described("run")["split"]["held_out"]
    Path("kinds.csv").write_text(
        "dose,effect,kind\n" + "".join(f"{i},{2 * i},{'c' if i == held_out[0] else 'ab'[i % 2]}\n" for i in range(20))
    )
    assert run("train", "kinds.csv", "--target", "effect", "--epochs", 2, "--out", "kinds") == 0
    assert "Only held-out rows have kind = c; the model has no weight for it\n" in capsys.readouterr().out


def test_predictions_reproduce_the_held_out_r2(capsys):
    train("--epochs", 30, "--lr", 0.1, "--out", "run")
    about = described("run")
    assert run("predict", "run", "table.csv", "--out", "predictions.csv") == 0
    predictions = np.loadtxt("predictions.csv", skiprows=1)
    rows = about["split"]["held_out"]
    found = how_good.r_squared(read_table("table.csv").numbers("effect")[rows], predictions[rows])
    assert found == pytest.approx(about["metrics"]["r2"], abs=1e-5)


def test_ctrl_c_leaves_a_usable_folder():
    arguments = ["train", "--epochs", "1000000", "--out", "run"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert any(text.startswith("Epoch 1, ") for text in process.stdout)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "what was learnt is saved in run" in err and "Traceback" not in err
    others = {"best.npz", "average.npz", *runs.KEPT.values()}
    assert "Held-out R2" in out and sorted(os.listdir("run")) == sorted({*runs.FILES} - others)
    about = described("run")
    assert about["status"] == "interrupted"
    assert "below least squares" not in out or "the training was interrupted after" in out and "try --steps" not in out
    assert len(History.from_csv("run/history.csv")) == about["metrics"]["steps"] >= 10
    assert run("predict", "run", datasets.DIABETES, "--out", "predictions.csv") == 0


def test_ctrl_c_before_training_says_that_nothing_was_saved(monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_lr.training.tables.training.opened", interrupted)
    assert run("train") == 130
    assert "interrupted before there was anything to save" in capsys.readouterr().err


def test_a_diverged_run_keeps_its_history(capsys):
    train_lr = ["train", "table.csv", "--target", "effect", "--optimizer", "sgd", "--lr", "1e18", "--out", "run"]
    assert run(*train_lr, "--warmup-epochs", "0") == 1
    printed = capsys.readouterr()
    assert "the loss became" in printed.err and "smaller learning rate" in printed.err
    tries = printed.out.splitlines()[-1]
    assert re.fullmatch(
        r"R2 lies \S+ below least squares: the training diverged: try a smaller --lr than 1e\+18", tries
    )
    assert not re.search(r"\d{10}", printed.out), "a huge number is not written out"
    assert described("run")["status"] == "diverged"
    assert len(History.from_csv("run/history.csv")) == described("run")["metrics"]["steps"] >= 1


def test_folders_are_never_overwritten_unasked(capsys):
    for number in ("", "-2", "-3"):
        train()
        assert os.path.exists(f"runs/table{number}/run.json")
    before = Path("runs/table/run.json").read_text()
    assert run("train", "table.csv", "--target", "effect", "--out", "runs/table") == 2
    assert "already holds a run; choose another folder, or replace the run with --force" in capsys.readouterr().err
    assert Path("runs/table/run.json").read_text() == before
    Path("runs/table/notes.txt").touch()
    train("--out", "runs/table", "--force", "--seed", 3)
    assert Path("runs/table/run.json").read_text() != before and os.path.exists("runs/table/notes.txt")


def test_a_run_replaced_without_matplotlib_keeps_no_old_picture(monkeypatch, capsys):
    train("--out", "run")
    monkeypatch.setattr(plotting, "is_available", lambda: False)
    train("--out", "run", "--force")
    assert "no curves.png, for want of matplotlib: pip install 'tinygrad_lr[plot]'" in capsys.readouterr().out
    assert sorted(os.listdir("run")) == ["coefficients.csv", "history.csv", "model.npz", "report.html", "run.json"]
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        plotting.draw_curves(History.from_csv("run/history.csv"), "curves.png")
    with pytest.raises(ValueError, match="empty history"):
        plotting.draw_curves(History(), "curves.png")


def test_pictures_of_unusual_histories(tmp_path):
    for name, groups, losses in [("one", ["all"], [3.0]), ("groups", ["vision", "text"], [1e3, 1.0, 1e-3, 0.0])]:
        history = History(groups)
        for loss in losses:
            history.append(0, (0.1,) * len(groups), loss)
        plotting.draw_curves(history, tmp_path / f"{name}.png", name)
        assert (tmp_path / f"{name}.png").stat().st_size > 1000


def test_info_names_everything(capsys):
    assert run("info") == 0
    out = capsys.readouterr().out
    named = ("tinygrad_lr", "python", "numpy", "numba", "llvmlite", "backend", "threads", "CUDA")
    for name in (*named, "cache folder", "kept there"):
        assert re.search(rf"^{name} +\S", out, re.MULTILINE), name


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from tinygrad_lr.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = {'numba', 'numpy', 'matplotlib', 'tqdm'} & set(sys.modules); assert not heavy, heavy"
    )
    for words in (["--help"], ["train", "--help"], ["predict", "--help"], ["--version"]):
        done = program(*words, code=code)
        assert done.returncode == 0 and done.stdout, done.stderr


@pytest.mark.parametrize("command", ["train", "warmup"])
def test_optimizers_on_the_command_line_are_those_of_the_library(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, row in optim.OPTIMIZERS.rows.items():
        assert name in said and (row.summary in said or command == "warmup")
        chosen = arguments.parser().parse_args([command, "--optimizer", name])
        assert name in (vars(chosen).get("optimizer"), vars(chosen).get("only"))
    with pytest.raises(SystemExit):
        cli.main([command, "--optimizer", "adm"])
    assert (
        f"invalid choice: 'adm' (choose from {', '.join(map(repr, optim.OPTIMIZERS))}); did you mean 'adam'?"
        in " ".join(capsys.readouterr().err.split())
    )


def test_a_run_without_a_dialect_takes_the_optimizers_first(tmp_path):
    for name, kind in optim.OPTIMIZERS.items():
        assert Options.of({"optimizer": name}).dialect == next(iter(kind.dialects))


def test_names_on_the_command_line_are_those_of_the_library():
    for name in for_training():
        assert rates.build_schedule(name, 70, 35, 0)(35) == 1.0
    with pytest.raises(ValueError, match="no schedule is called 'step'"):
        rates.build_schedule("step", 70, 35)


def test_a_terminal_that_is_not_utf8():
    with open("größe.csv", "w", encoding="utf-8") as file:
        file.write(TABLE.replace("effect", "größe"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    trained = program("train", "größe.csv", "--target", "größe", "--epochs", 1, "--out", "ö", env=environment)
    assert trained.returncode == 0, trained.stderr
    assert b"gr\\xf6\\xdfe.csv" in trained.stdout
    done = program("predict", "ö", "größe.csv", env=environment)
    assert done.returncode == 0 and done.stdout.decode("utf-8").startswith("predicted_größe")
    assert program("train", "größe.csv", "--target", "grösse", env=environment).returncode == 2


def test_a_reader_that_leaves_early():
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "info"], stdout=write_end, stderr=subprocess.PIPE, timeout=600, check=False
    )
    os.close(write_end)
    assert done.returncode == 1 and done.stderr == b""


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "tinygrad_lr", "--version"], capture_output=True, check=True)
    assert done.stdout.startswith(b"tinygrad_lr ")


def test_a_model_can_be_read_without_this_package():
    train("--out", "run")
    with np.load("run/model.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays.files} == {"weight": (1, 3), "bias": (1,)}
        model = nn.Linear(3, 1)
        model.load_state_dict(dict(arrays))
