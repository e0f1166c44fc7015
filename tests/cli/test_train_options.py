"""Each option of `tinygrad-lr train` on the command line: what it changes, and that the run can be repeated."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from cli_cases import described, folder_of_its_own, machine_code_as_python, run  # noqa: F401

from tinygrad_lr import load_run
from tinygrad_lr.cli import plotting
from tinygrad_lr.cli.arguments import parser
from tinygrad_lr.cli.chosen import options_of
from tinygrad_lr.training.tables.options import Options, as_flag, known_options
from tinygrad_lr.training.tables.provenance import command_line

KINDS = ["low", "middle", "high"]


@pytest.fixture(autouse=True)
def patients(monkeypatch):
    """patients.csv, with all kinds of columns, and no pictures."""
    monkeypatch.setattr(plotting, "is_available", lambda: False)
    rng = np.random.default_rng(0)
    lines = ["patient,day,age,sex,dose,pressure,pulse,risk,ill,times"]
    for row in range(90):
        age, dose = rng.integers(20, 80), rng.normal()
        pressure = 100 + 0.5 * age + 3 * dose + rng.normal()
        kind = KINDS[int(np.clip((age - 20) // 20, 0, 2))]
        lines.append(
            f"p{row % 15},2024-0{1 + row // 30}-{1 + row % 28:02},{age},{'fm'[row % 2]},{dose:.4f},{pressure:.3f},"
            f"{60 + 2 * dose:.3f},{kind},{'yes' if dose > 0 else 'no'},{row % 3}"
        )
    Path("patients.csv").write_text("\n".join(lines) + "\n")
    first, *rest = lines
    Path("later.csv").write_text("\n".join([first, *rest[:30]]) + "\n")


def trained(*options, target="pressure", ignore="patient,day,pulse,risk,ill,times", out="run"):
    """The run.json of a training, which is then repeated by the command in it."""
    ignored = ",".join(name for name in ignore.split(",") if name not in target.split(",") and name not in str(options))
    words = ["train", "patients.csv", "--target", target, "--ignore", ignored, *options]
    assert run(*words, "--out", out) == 0
    about = described(out)
    assert run(*about["command"][1:], "--out", f"{out} again") == 0
    for name in about["files"]:
        if name.endswith((".npz", ".csv")):
            assert Path(out, name).read_bytes() == Path(f"{out} again", name).read_bytes(), name
    return about


OPTIONS = {
    "task": (["--task=multiclass"], {"target": "times"}, lambda about: about["task"] == "multiclass"),
    "loss l1": (["--loss=l1"], {}, lambda about: about["loss"].startswith("L1Loss")),
    "loss huber": (["--loss=huber"], {}, lambda about: about["loss"].startswith("HuberLoss")),
    "several targets": (
        [],
        {"target": "pressure,pulse"},
        lambda about: set(about["metrics"]["targets"]) == {"pressure", "pulse"},
    ),
    "weights": (["--weights=times"], {}, lambda about: about["loss"].startswith("WeightedLoss")),
    "class weights": (["--class-weights=balanced"], {"target": "ill"}, lambda about: "auc" in about["metrics"]),
    "class weights by name": (
        ["--class-weights=low=2,high=3"],
        {"target": "risk"},
        lambda about: "Weighted" in about["loss"],
    ),
    "test": (["--test=later.csv"], {}, lambda about: about["metrics"]["rows"] == 30 and not about["split"]["held_out"]),
    "folds": (["--folds=3"], {}, lambda about: len(about["metrics"]["folds"]["r2"]["values"]) == 3),
    "folds and held-out": (["--folds=2", "--held-out=0.2"], {}, lambda about: len(about["split"]["held_out"]) == 18),
    "split by": (["--split-by=patient"], {}, lambda about: len({row % 15 for row in about["split"]["held_out"]}) < 15),
    "time": (["--time=day"], {}, lambda about: min(about["split"]["held_out"]) > max(about["split"]["training"]) - 30),
    "folds in time": (["--time=day", "--folds=2"], {}, lambda about: "folds" in about["metrics"]),
    "steps": (["--steps=11"], {}, lambda about: about["metrics"]["steps"] == 12 == about["epochs"] * 2),
    "hidden": (["--hidden=3", "--steps=40"], {}, lambda about: about["model"]["layers"] == [4, 3, 1]),
    "hidden and validation": (
        ["--hidden=3", "--steps=40", "--validation=0.2"],
        {},
        lambda about: about["model"]["parameters"] == "best.npz",
    ),
    "validation": (["--validation=0.5"], {}, lambda about: len(about["split"]["validation"]) == round(63 / 2)),
    "no validation": (["--hidden=3", "--validation=0"], {}, lambda about: about["model"]["parameters"] == "model.npz"),
    "patience": (
        ["--hidden=3", "--patience=1", "--lr=0.8", "--epochs=60"],
        {},
        lambda about: about["metrics"]["epochs"] < 60,
    ),
    "average": (["--hidden=3", "--average"], {}, lambda about: about["model"]["parameters"] == "average.npz"),
    "weight decay": (["--weight-decay=0.5"], {}, lambda about: about["optimizer"]["weight_decay"] == 0.5),
    "numbers as numbers": (["--task=regression"], {"target": "times"}, lambda about: "r2" in about["metrics"]),
    "missing": (["--missing=error"], {}, lambda about: about["encoder"]["missing"] == "error"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_does_what_it_says_and_the_run_can_be_repeated(name):
    options, more, holds = OPTIONS[name]
    short = [] if any(each.startswith(("--steps", "--epochs")) for each in options) else ["--epochs=4"]
    about = trained(*options, *short, **more)
    assert holds(about), about["metrics"]
    assert about["status"] == "finished" and set(about["files"]) == set(os.listdir("run"))
    found = load_run("run")
    assert len(found.predict("patients.csv")) == 90 and found.metrics == about["metrics"]


def test_every_option_is_an_argument_and_is_in_the_command_that_repeats_a_run():
    words = parser().parse_args(["train", "t.csv"])
    for name in known_options():
        assert hasattr(words, name), name
    options = Options.of({
        "target": ["a", "b"], "class_weights": {"x": 2.0}, "hidden": [3, 4], "average": True, "compiled": False,
        "schedule": "polynomial", "power": 2, "folds": 3, "split_by": "g", "no_header": True, "na_values": ["-"],
        "delimiter": ";", "numeric": ["c"], "epochs": 3, "weights": "w",
    })  # fmt: skip
    words = command_line(options, None)
    again = Options.of(options_of(parser().parse_args(words[1:])))
    assert again == options
    assert "--eager" in words and "--average" in words and "--class-weights=x=2.0" in words
    assert as_flag("split_by") == "--split-by"


def test_columns_that_are_named_one_by_one_are_all_taken():
    words = [
        "train",
        "t.csv",
        "--ignore=a",
        "--ignore",
        "b,c",
        "--target=y",
        "--target=z",
        "--na-values=-",
        "--na-values=x",
    ]
    found = options_of(parser().parse_args(words))
    assert (found["ignore"], found["target"], found["na_values"]) == (["a", "b", "c"], ["y", "z"], ["-", "x"])
    assert parser().parse_args(["predict", "r", "t.csv", "--keep=a", "--keep=b"]).keep == ["a", "b"]
    assert options_of(parser().parse_args(["train", "t.csv"]))["ignore"] == []


def test_weights_of_classes_that_hold_a_comma(capsys):
    words = parser().parse_args(["train", "t.csv", '--class-weights="a,b=2",c=1'])
    assert options_of(words)["class_weights"] == {"a,b": 2, "c": 1}
    with pytest.raises(SystemExit):
        parser().parse_args(["train", "t.csv", "--class-weights=a,b=2"])
    assert "one whose class holds a comma stands in quotes, as in '\"a,b=2\",c=1'" in capsys.readouterr().err


def test_json_is_one_object_and_nothing_else(capsys):
    words = ["train", "patients.csv", "--target=ill", "--ignore=patient,day", "--epochs=3"]
    assert run(*words, "--json") == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert said.err == "" and said.out.count("\n") == 1
    assert found["status"] == "finished" and found["metrics"] == described(found["folder"])["metrics"]
    assert found["files"] == described(found["folder"])["files"] and found["targets"] == ["ill"]
    assert run(*words, "--quiet") == 0
    said = capsys.readouterr()
    assert said.out == "" == said.err
    assert run(*words, "--quiet", "--json") == 2
    assert "--json and --quiet contradict each other" in capsys.readouterr().err


def test_the_lines_are_few_and_tell_where_the_model_stands(capsys):
    words = ["train", "patients.csv", "--ignore=patient,day,pulse,ill,times,pressure", "--target=risk", "--steps=600"]
    assert run(*words) == 0
    out = capsys.readouterr().out
    epochs = [text for text in out.splitlines() if text.startswith("Epoch ")]
    assert "300 epochs at most, a line for every 10 of them:" in out and 20 <= len(epochs) <= 50
    assert epochs[-1].startswith("Epoch 300,") and ", Mean Loss: " in epochs[0] and ", Held-out Loss: " in epochs[0]
    assert "Held-out accuracy: " in out and "(logistic regression: " in out and "; base rate: " in out
    assert run(*words[:-1], "--epochs=1") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("accuracy lies ") and "below logistic regression: try --steps 4000" in last


def test_a_table_of_its_own_that_changed_is_refused_when_a_run_goes_on(monkeypatch, capsys):
    from tinygrad_lr.training.tables import training

    words = ["train", "patients.csv", "--target=pressure", "--test=later.csv", "--epochs=4", "--ignore=patient,day"]
    real = training._measured

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training, "_measured", full)
    assert run(*words, "--out=run") == 2
    monkeypatch.setattr(training, "_measured", real)
    before = Path("later.csv").read_text()
    Path("later.csv").write_text(before.replace("yes", "no", 1))
    capsys.readouterr()
    assert run("train", "--resume=run") == 2
    assert "later.csv is not the table that it was measured on; its SHA-256" in capsys.readouterr().err
    Path("later.csv").write_text(before)
    assert run("train", "--resume=run") == 0 and described("run")["metrics"]["measured_on"] == "test"
