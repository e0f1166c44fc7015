"""Options and tables that cannot be used: one error that says what was expected and what came, at both doors."""

import itertools
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from cli_cases import run

from tinygrad_lr.cli.arguments import parser
from tinygrad_lr.cli.chosen import options_of
from tinygrad_lr.data.tables import read_table
from tinygrad_lr.training import load_run, train_table
from tinygrad_lr.training.tables.options import Options
from tinygrad_lr.training.tables.speaking import spoken
from tinygrad_lr.training.tables.training import command_of, prepare

LINES = ["x,z,g,t,w,n,k,one,y"]
for row in range(30):
    LINES.append(
        f"{row}.5,{row % 7},g{row % 4},2024-01-{1 + row % 28:02},{row % 3},{-row},{'ab'[row % 2]},1,{2 * row}.25"
    )
TABLE = "\n".join(LINES) + "\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with tables; nothing may be made in it."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE)
    Path("holes.csv").write_text(TABLE.replace("3.5,3,g3,2024-01-04,0,", "3.5,3,,,,", 1))
    Path("few.csv").write_text("\n".join(LINES[:2]) + "\n")
    Path("no_target.csv").write_text("x,z\n1,2\n")
    Path("words.csv").write_text(TABLE.replace("2024-01-04", "Thursday"))
    return tmp_path


# name -> (options, what the message says); the table is table.csv and the target y, where they do not say otherwise.
BAD = {
    "no target": ({"target": None}, "--target is missing: which column of .*It has x, z, g, t, w, n, k, one, y"),
    "target unknown": ({"target": "yy"}, "no column 'yy'; did you mean 'y'"),
    "target twice": ({"target": ["y", "y"]}, "--target: a column is there twice, got y,y"),
    "targets of texts": ({"target": ["y", "k"]}, "is not a number|are numbers"),
    "target constant class": ({"target": "one", "task": "classification"}, "one class only"),
    "target as many classes as rows": ({"target": "n", "task": "multiclass"}, "as many classes as rows"),
    "binary of four": ({"target": "g", "task": "binary"}, "has 4 classes, and a binary task has 2"),
    "regression of texts": ({"target": "k", "task": "regression"}, "is not a number"),
    "task": ({"task": "ranking"}, r"invalid choice: 'ranking' \(choose from 'regression', 'classification'"),
    "task number": ({"task": 3}, "invalid choice: '?3"),
    "loss": ({"loss": "hinge"}, r"invalid choice: 'hinge' \(choose from 'mse', 'l1', 'huber'"),
    "loss of classes": ({"loss": "cross_entropy"}, "'cross_entropy', which belongs to binary"),
    "loss of numbers": ({"target": "k", "loss": "mse"}, "'mse', which belongs to regression"),
    "weights unknown": ({"weights": "ww"}, "no column 'ww'; did you mean 'w'"),
    "weights negative": ({"weights": "n"}, "column 'n': '-1' is negative; a weight \\(--weights\\) is a finite number"),
    "weights texts": ({"weights": "k"}, "column 'k': 'a' is not a number"),
    "weights dates": ({"weights": "t"}, "line 2, column 't': '2024-01-01' is not a number"),
    "weights missing": ({"table": "holes.csv", "weights": "w"}, "line 5, column 'w': is missing|line 5, column 'w'"),
    "weights target": ({"weights": "y"}, "--weights y: the target cannot be weights"),
    "weights empty": ({"weights": ""}, "expected a text that is not empty"),
    "class weights of numbers": ({"class_weights": "balanced"}, "--class-weights belongs to classification"),
    "class weights and regression": (
        {"class_weights": "balanced", "task": "regression"},
        "--class-weights belongs to classification, not to --task regression",
    ),
    "class weights unknown class": (
        {"target": "k", "class_weights": {"c": 2.0}},
        "--class-weights: no class is called 'c'; .*'a', 'b'",
    ),
    "class weights negative": ({"target": "k", "class_weights": {"a": -2.0}}, "at least 0, got"),
    "class weights zero": ({"target": "k", "class_weights": {"a": 0.0, "b": 0.0}}, "class_weights are all 0"),
    "split by unknown": ({"split_by": "gg"}, "no column 'gg'; did you mean 'g'"),
    "split by one group": ({"split_by": "one"}, "--split-by: all rows have one value"),
    "split by target": ({"split_by": "y"}, "--split-by y: the target cannot be groups"),
    "split by missing": (
        {"table": "holes.csv", "split_by": "g"},
        r"column 'g': missing \(1 in this column\), and --split-by",
    ),
    "split by and time": ({"split_by": "g", "time": "t"}, "--split-by and --time contradict each other"),
    "time unknown": ({"time": "tt"}, "no column 'tt'; did you mean 't'"),
    "time of words": ({"table": "words.csv", "time": "t"}, "Thursday"),
    "time of texts": ({"time": "k"}, "is neither a number nor a date"),
    "time constant": ({"time": "one"}, "--time: all rows have one time"),
    "time missing": ({"table": "holes.csv", "time": "t"}, "column 't': missing .* --time says which row comes later"),
    "folds 1": ({"folds": 1}, "expected a whole number of at least 2, got"),
    "folds 31": ({"folds": 31}, "--folds 31 needs at least as many rows, got 30"),
    "folds of groups": (
        {"folds": 5, "split_by": "g"},
        "--folds 5 needs at least as many different values of --split-by",
    ),
    "folds in time": ({"folds": 29, "time": "t"}, "--folds 29 needs at least 30 different times, got 28"),
    "folds text": ({"folds": "many"}, "expected a whole number, got 'many'"),
    "held out 1": ({"held_out": 1.0}, "at least 0 and below 1, got"),
    "held out negative": ({"held_out": -0.5}, "expected a finite number of at least 0 and below 1"),
    "held out of one row": (
        {"table": "few.csv"},
        "few.csv: one row has a value of the target.*alone with --held-out 0",
    ),
    "test absent": ({"test": "absent.csv"}, "absent.csv"),
    "test without the target": ({"test": "no_target.csv"}, "no column 'y'"),
    "test and held out": ({"test": "table.csv", "held_out": 0.2}, "--held-out and --test contradict each other"),
    "test empty": ({"test": " "}, "expected a text that is not empty"),
    "steps 0": ({"steps": 0}, "expected a whole number of at least 1, got"),
    "steps half": ({"steps": 1.5}, "expected a whole number, got"),
    "steps and epochs": (
        {"steps": 5, "epochs": 2},
        "--epochs and --steps contradict each other; leave one of them out",
    ),
    "steps too many": ({"steps": 2**53 + 1}, "expected a whole number of at most 9007199254740992"),
    "epochs too many": ({"epochs": 2**53, "batch_size": 3}, "epochs of 7 steps are more than"),
    "patience 0": ({"patience": 0, "hidden": [2]}, "expected a whole number of at least 1, got"),
    "patience without validation": ({"patience": 3, "hidden": [2], "validation": 0.0}, "--patience needs validation"),
    "patience, linear": ({"patience": 3, "validation": 0.0}, "and --validation 0 leaves none; leave one of them out"),
    "average and patience": (
        {"average": True, "patience": 3, "hidden": [2]},
        "--average takes the mean .* --patience may",
    ),
    "validation 1": ({"validation": 1.0}, "below 1, got"),
    "validation nan": ({"validation": float("nan")}, "expected a finite number"),
    "batch size": ({"batch_size": 0}, "expected a whole number of at least 1"),
    "lr": ({"lr": -0.1}, "expected a finite number of at least 0"),
    "lr infinite": ({"lr": float("inf")}, "expected a finite number"),
    "hidden 0": ({"hidden": [4, 0]}, "expected a whole number of at least 1"),
    "optimizer": ({"optimizer": "adm"}, "invalid choice: 'adm'"),
    "schedule": ({"schedule": "step"}, "invalid choice: 'step'"),
    "dialect": ({"dialect": "jax"}, "adam has the dialects article, torch, optax, keras; got 'jax'"),
    "power of cosine": ({"power": 2.0}, "--power belongs to --schedule polynomial, not to cosine"),
    "warm-up": ({"epochs": 3, "warmup_epochs": 4}, "cannot be longer than the training"),
    "max norm": ({"max_norm": 0.0}, "--max-norm must be above 0"),
    "momentum of adam": ({"momentum": 0.5}, "--momentum is no option of adam"),
    "device": ({"device": "tpu"}, "invalid choice: 'tpu'"),
    "missing": ({"missing": "guess"}, "invalid choice: 'guess'"),
    "missing refused": ({"table": "holes.csv", "missing": "error"}, "missing value"),
    "ignore unknown": ({"ignore": ["q"]}, "no column 'q'"),
    "ignore the target": ({"ignore": ["y"]}, "y"),
    "nothing left": ({"ignore": ["x", "z", "g", "t", "w", "n", "k", "one"]}, "nothing to predict it from"),
    "seed": ({"seed": -1}, "expected a whole number of at least 0"),
    "delimiter": ({"delimiter": "ab"}, "a delimiter is one character"),
    "encoding": ({"encoding": "utf-99"}, "utf-99"),
    "decimal": ({"decimal": ";"}, "invalid choice: ';'"),
    "table absent": ({"table": "absent.csv"}, "absent.csv"),
}


NO_EFFECT = {  # options of which one would have no effect
    "numeric of texts": ({"numeric": ["k"]}, "line 2, column 'k': 'a' is not a number, and only numbers can be kept"),
    "numeric of dates": ({"numeric": ["t"]}, "'2024-01-01' is not a number"),
    "groups without a division": ({"split_by": "g", "held_out": 0}, "with --held-out 0 none are"),
    "time without a division": ({"time": "t", "held_out": 0}, "with --held-out 0 none are"),
    "a sheet of a text file": ({"sheet": "one"}, "sheet is no option of a text file"),
    "plateau of a cosine": ({"stable_epochs": 2}, "--stable-epochs belongs to --schedule wsd"),
}
BAD.update(NO_EFFECT)


def words_of(options):
    """The command of these options."""
    table = options.get("table", "table.csv")
    words = ["train", table]
    for name, value in {"target": "y", **options}.items():
        if name == "table" or value is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
            continue
        if isinstance(value, dict):
            value = ",".join(f"{key}={weight}" for key, weight in value.items())
        words.append(f"{flag}={','.join(map(str, value)) if isinstance(value, list) else value}")
    return words


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_one_clear_error_at_both_doors(name, place, capsys):
    options, message = BAD[name]
    before = sorted(path.name for path in place.iterdir())
    python = {name: value for name, value in options.items() if name != "table"}
    with pytest.raises((ValueError, OSError)) as caught:
        train_table(options.get("table", "table.csv"), python.pop("target", "y"), **python)
    assert re.search(spoken(message), str(caught.value)), caught.value
    assert "--" not in str(caught.value), "Python's names"
    assert run(*words_of(options)) == 2
    said = capsys.readouterr().err.splitlines()
    assert re.search(message, said[-1]), said[-1]
    assert sorted(path.name for path in place.iterdir()) == before, "nothing is made"


PYTHON_ONLY = {
    "unknown option": ({"learning_rate": 1}, TypeError, "no option is called 'learning_rate'"),
    "near option": ({"weigths": "w"}, TypeError, "did you mean 'weights'"),
    "epochs true": ({"epochs": True}, ValueError, "epochs: expected a whole number, got True"),
    "epochs text": ({"epochs": "3"}, ValueError, "epochs: expected a whole number, got '3'"),
    "lr text": ({"lr": "fast"}, ValueError, "lr: expected a number, got 'fast'"),
    "lr true": ({"lr": True}, ValueError, "lr: expected a number, got True"),
    "hidden text": ({"hidden": "32"}, ValueError, "hidden: expected a list of whole numbers of at least 1, got '32'"),
    "hidden None in it": ({"hidden": [None]}, ValueError, "hidden: expected a whole number, got None"),
    "average 1": ({"average": 1}, ValueError, "average: expected True or False, got 1"),
    "compiled text": ({"compiled": "yes"}, ValueError, "compiled: expected True or False, got 'yes'"),
    "ignore True": ({"ignore": True}, ValueError, "ignore: expected a name or a list of names, got True"),
    "ignore a number": ({"ignore": 3}, ValueError, "no column '3'; it has x, z, g"),
    "ignore half": ({"ignore": [0.5]}, ValueError, "ignore: expected the name of a column of the table, got 0.5"),
    "target values": ({"target": np.array([0.5, 1])}, ValueError, "target: expected the name of a column of the table"),
    "weights of rows": ({"weights": np.ones(30)}, ValueError, "weights: expected the name of a column of the table"),
    "target a number": ({"target": 1.5}, ValueError, "target: expected a name or a list of names, got 1.5"),
    "target bytes": ({"target": b"y"}, ValueError, "target: expected a name or a list of names, got b'y'"),
    "target a dict": ({"target": {"y": 1}}, ValueError, "target: expected a name or a list of names"),
    "weights True": ({"weights": True}, ValueError, "weights: expected the name of a column of the table, got True"),
    "na_values a number": ({"na_values": [7]}, ValueError, "na_values: expected a text that is not empty"),
    "test a number": ({"test": 3}, TypeError, "a table must be a frame of pandas"),
    "test a list": ({"test": [1, 2]}, TypeError, "a list must hold dicts"),
    "test without the target": ({"test": {"x": [1.0], "z": [2]}}, ValueError, "the test table: no column 'y'"),
    "force without a folder": ({"force": True}, ValueError, "force=True replaces the run in the folder of out="),
    "class weights a list": ({"class_weights": [1, 2]}, ValueError, "expected 'balanced' or a dict"),
    "class weights empty": ({"class_weights": {}}, ValueError, "expected 'balanced' or a dict"),
    "a huge number": ({"lr": 10**400}, ValueError, "lr: expected a finite number"),
    "an object": ({"seed": object()}, ValueError, "seed: expected a whole number, got <object"),
}


@pytest.mark.parametrize("name", PYTHON_ONLY)
def test_what_only_python_can_get_wrong(name, place):
    options, kind, message = PYTHON_ONLY[name]
    with pytest.raises(kind, match=message):
        train_table("table.csv", **{"target": "y", **options})


ROLES = ("target", "ignore", "categorical", "numeric", "weights", "split_by", "time")
# Every pair of options that can name a column naming the same one: what the message says, or why there is none.
SAME_COLUMN = {
    ("target", "ignore"): "the target cannot be ignored",
    ("target", "categorical"): "the target is what --task says",
    ("target", "numeric"): "the target is what --task says",
    ("target", "weights"): "the target cannot be weights",
    ("target", "split_by"): "the target cannot be groups",
    ("target", "time"): None,  # the measured rows have the largest targets
    ("ignore", "categorical"): "a column that is ignored is no input",
    ("ignore", "numeric"): "a column that is ignored is no input",
    ("ignore", "weights"): None,  # no input, as was asked
    ("ignore", "split_by"): None,
    ("ignore", "time"): None,
    ("categorical", "numeric"): "a column is either categories or numbers",
    ("categorical", "weights"): "weights are no input",
    ("categorical", "split_by"): "groups are no input",
    ("categorical", "time"): None,  # the time is an input too
    ("numeric", "weights"): "weights are no input",
    ("numeric", "split_by"): "groups are no input",
    ("numeric", "time"): None,
    ("weights", "split_by"): None,  # both count
    ("weights", "time"): None,
    ("split_by", "time"): "contradict each other",
}


@pytest.mark.parametrize("pair", list(itertools.combinations(ROLES, 2)), ids="-".join)
def test_two_options_that_name_one_column_both_count_or_are_refused(pair, place):
    options = {"target": "y", pair[0]: "z", pair[1]: "z"}
    expected = SAME_COLUMN[pair]
    if expected is None:
        made = prepare("table.csv", options)
        is_input = "z" in {each.name for each in made.data.encoder.inputs}
        assert is_input == (not {"target", "ignore", "weights", "split_by"} & set(pair))
        return
    with pytest.raises(ValueError, match=spoken(expected)):
        train_table("table.csv", **options)


OF_FILES = {"delimiter": ";", "encoding": "utf-8", "sheet": "one", "no_header": True}


@pytest.mark.parametrize("option", OF_FILES)
def test_options_of_files_are_refused_for_what_is_no_file(option):
    with pytest.raises(ValueError, match=f"{option}=.* says how a file is read, and the table is no file"):
        train_table({"x": [1.0, 2] * 9, "y": [1.5, 2] * 9}, "y", **{option: OF_FILES[option]})


def test_a_table_to_measure_on_may_have_any_form(place):
    pandas = pytest.importorskip("pandas", reason="makes frames")
    path = train_table("table.csv", "y", test="table.csv", epochs=2)
    frame = pandas.read_csv("table.csv")
    for table in (frame, frame.to_dict("list"), frame.to_dict("records"), read_table("table.csv"), Path("table.csv")):
        run = train_table("table.csv", "y", test=table, epochs=2)
        assert run.metrics["r2"] == path.metrics["r2"] and run.metrics["measured_on"] == "test"
    assert path.notes[0] == (
        "The table to measure on is the training table: how good the model is on other rows is not known"
    )
    train_table(frame, "y", test=frame, epochs=2).save("run")
    assert load_run("run").metrics["r2"] == path.metrics["r2"]


def test_columns_may_be_called_by_whole_numbers():
    pandas = pytest.importorskip("pandas", reason="makes frames")
    values = np.random.default_rng(0).normal(size=(40, 4))
    labels = train_table(pandas.DataFrame(values, columns=[10, 1, 2, 3]), 1, ignore=[np.int64(10)], epochs=1)
    assert labels.encoder.target == "1" and [each.name for each in labels.encoder.inputs] == ["2", "3"]
    for target, ignore in ((1, [0]), (-3, -4), ("column_2", ["column_1"])):
        run = train_table(values, target, ignore=ignore, epochs=1)
        assert run.encoder.target == "column_2" and run.encoder.feature_names == ["column_3", "column_4"]
    given = {"target": np.array(["y"]), "ignore": pandas.Index(["x"]), "hidden": np.array([2])}
    chosen = prepare({"x": [1.0, 2] * 9, "z": [2.0, 3, 4] * 6, "y": [1.5, 2] * 9}, given).options
    assert (chosen.target, chosen.ignore, chosen.hidden) == (["y"], ["x"], [2]), "whatever holds names or numbers"
    with pytest.raises(ValueError, match="target: the array has 4 columns, 0 to 3; got 4"):
        train_table(values, 4)


def test_a_table_must_be_given():
    with pytest.raises(TypeError, match="a table is needed: .*; got None"):
        train_table(None, "target")
    with pytest.raises(TypeError, match="'table'"):
        train_table()


def test_unseen_categories_are_counted_in_a_warning(place):
    run = train_table("table.csv", "y", epochs=1)
    rows = {name: cells[:2] for name, cells in as_columns(TABLE).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.predict(rows)
    with pytest.warns(UserWarning, match=r"2 cells of unseen categories \(k: 'new' 2\); strict=True refuses") as caught:
        run.predict({**rows, "k": ["new", "new"]})
    assert caught[0].filename == __file__, "the line that called"
    assert run.predictions({**rows, "k": ["new", "a"]}).report.unseen == {"k": {"new": 1}}
    assert repr(run.task) == "Task(regression: mse or l1 or huber or smooth_l1; r2, beside least squares)"
    assert re.fullmatch(r"TrainedTable\(y: regression, finished, measured_on=held out, r2=-?[0-9.]+\)", repr(run))


def as_columns(text):
    header, *rows = [line.split(",") for line in text.splitlines()]
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def test_a_name_that_holds_a_comma_can_be_typed(place, capsys):
    Path("commas.csv").write_text(
        '"e,f",g,"a ""b""",y\n' + "".join(f"{i},{i % 3},{i % 5},{i % 7}\n" for i in range(30))
    )
    for options, inputs in [
        (["--target", "y", "--ignore", '"e,f",g'], ['a "b"']),
        (["--target", '"e,f"', "--ignore", '"a ""b"""'], ["g", "y"]),
        (["--target", "y", "--weights", "e,f", "--ignore", "g"], ['a "b"']),
        (["--target", "y", "--weights", '"e,f"', "--ignore", "g"], ['a "b"']),
    ]:
        command = ["tinygrad-lr", "train", "commas.csv", *options]
        for _ in range(2):  # as typed, and as run.json has it
            given = parser().parse_args(command[1:])
            made = prepare(given.table, options_of(given))
            assert made.data.encoder.feature_names == inputs
            command = command_of(made)
    train_table("commas.csv", "y", epochs=1, out="run")
    capsys.readouterr()
    assert run("predict", "run", "commas.csv", "--keep", '"e,f",y', "--out", "found.csv") == 0
    assert Path("found.csv").read_text().startswith('"e,f",y,predicted_y\n')
    for names, message in [
        ("e,f", """no column 'e'; did you mean 'e,f' (in a list of names: '"e,f"')?"""),
        ('"e,f', "one of them is empty"),
        ('"e,f"x', """write a name that holds a comma in quotes, as in '"e,f",g'"""),
    ]:
        assert run("train", "commas.csv", "--target", "y", "--ignore", names) == 2
        said = capsys.readouterr().err
        assert message in said or "unexpected end" in said, said


@pytest.mark.parametrize("table", [3, None.__class__, object(), [1, 2], {"x": [1], "y": [1, 2]}, "absent.csv", b"x,y"])
def test_what_is_no_table(table, place):
    with pytest.raises((TypeError, ValueError, OSError)):
        train_table(table, "y")


def test_weights_of_the_training_rows_that_are_all_0(place):
    made = prepare("table.csv", {"target": "y"})
    weights = np.ones(30)
    weights[made.data.division.training] = 0
    header, *rows = TABLE.splitlines()
    lines = [f"{header},v", *(f"{row},{weight:g}" for row, weight in zip(rows, weights, strict=True))]
    Path("zeros.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"the weights of the training rows \(weights='v'\) are all 0"):
        train_table("zeros.csv", "y", weights="v")


def test_values_from_numpy_are_values():
    options = Options.of({"epochs": np.int64(3), "lr": np.float32(0.5), "hidden": (np.int32(4),), "held_out": 0})
    assert options.epochs == 3 and options.hidden == [4] and options.lr == 0.5 and options.held_out == 0.0


def test_folders_that_hold_no_run_are_named(place):
    Path("empty").mkdir()
    for folder, message in (("absent", "is not a folder"), ("empty", "holds no run")):
        with pytest.raises(ValueError, match=message):
            load_run(folder)
    train_table("table.csv", "y", epochs=1, out="run")
    with pytest.raises(ValueError, match="already holds a run"):
        train_table("table.csv", "y", epochs=1, out="run")
    train_table("table.csv", "y", epochs=1, out="run", force=True)
    Path("run/model.npz").unlink()
    with pytest.raises(ValueError, match=r"model.npz is not there; the run is incomplete"):
        load_run("run")
