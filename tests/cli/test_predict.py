"""`inspect` and `predict`: what is said of a table, and a line for each of its rows, whatever is missing in it."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_cases import folder_of_its_own, run, train  # noqa: F401

from tinygrad_lr.training.tables.trained import load_run

CLASSES = "id,dose,colour,grade\n" + "".join(
    f"p{i},{i % 7},{['red', 'blue'][i % 2]},{'ABC'[i % 3]}\n" for i in range(60)
)


@pytest.fixture
def classes():
    """A run that tells classes."""
    Path("classes.csv").write_text(CLASSES)
    assert run("train", "classes.csv", "--target", "grade", "--epochs", 1, "--out", "classes") == 0


def written(name):
    return Path(name).read_text(encoding="utf-8").splitlines()


# --- inspect ----------------------------------------------------------------------------------------------------------

TABLE = (
    "id;age;sex;paid;since;zip;always;gone;ill\n"
    "7;30;f;1.234,50 €;31.12.2020;00501;5;;yes\n"
    "8;;m;7,25 €;1.1.2021;10001;5;NA;no\n"
    "9;50;f;8 €;3.2.2021;00501;5;;yes\n"
)


def test_inspect_says_what_each_column_becomes(capsys):
    Path("people.csv").write_text(TABLE, encoding="utf-8")
    assert run("inspect", "people.csv", "--target", "ill") == 0
    assert capsys.readouterr().out.splitlines() == [
        "people.csv: 3 rows, 9 columns -> 12 inputs",
        "id      number, mean 8",
        "age     number, mean 40, 1 missing -> mean + indicator",
        "sex     category, 2 kinds (f, m)",
        "paid    number, mean 416.6, decimal comma, thousands point, in €",
        "since   date -> 4 numbers: days, year, month, weekday; 2020-12-31 to 2021-02-03, d.m.y",
        "zip     category, 2 kinds (00501, 10001), codes with leading zeros",
        "always  left out: always 5 in all training rows",
        "gone    left out: no values",
        "ill     target: 2 classes: no 1, yes 2",
    ]
    assert run("inspect", "people.csv", "--ignore", "id,paid", "--categorical", "age") == 0
    said = capsys.readouterr().out
    assert "age     category, 2 kinds (30, 50), 1 missing -> a kind of its own" in said
    assert said.splitlines()[-1] == "--target COLUMN also says what would be predicted" and "id " not in said


def test_inspect_trains_nothing_and_writes_nothing(capsys):
    before = sorted(Path().iterdir())
    assert run("inspect", "table.csv") == 0
    assert "effect" in capsys.readouterr().out and sorted(Path().iterdir()) == before
    for arguments, message in [
        (["table.csv", "--target", "efect"], "no column 'efect'; did you mean 'effect'"),
        (["table.csv", "--task", "regression"], "--task belongs to --target"),
        (["absent.csv"], "absent.csv: No such file"),
        (["table.csv", "--target", "colour", "--task", "regression"], "'red' is not a number"),
    ]:
        assert run("inspect", *arguments) == 2
        assert message in capsys.readouterr().err


def test_many_columns_share_lines(capsys):
    names = [f"x{i}" for i in range(600)]
    rows = [",".join([*(str(i * j % 7) for i in range(600)), str(j)]) for j in range(5)]
    Path("wide.csv").write_text("\n".join([",".join([*names, "y"]), *rows]))
    assert run("inspect", "wide.csv", "--target", "y") == 0
    assert len(capsys.readouterr().out.splitlines()) < 110
    names = [f"x{i}" for i in range(400)]  # of which no neighbours are alike
    kinds = [["1.5", "2.5", "4", "3"], ["yes", "no", "yes", "no"], ["red", "blue", "red", "green"], ["7", "", "8", "9"]]
    rows = [",".join([*(kinds[i % 4][j] for i in range(400)), str(j)]) for j in range(4)]
    Path("wide.csv").write_text("\n".join([",".join([*names, "y"]), *rows]))
    assert run("inspect", "wide.csv", "--target", "y") == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 6 and "x0, x4 and 98 more  100 columns: number, means 2.75 to 2.75" in said
    assert "x3, x7 and 98 more  100 columns: number, means 8 to 8, 100 missing -> indicators" in said


def test_what_train_says_first_is_what_inspect_says(capsys):
    assert run("inspect", "table.csv", "--target", "effect") == 0
    told = capsys.readouterr().out.splitlines()[1:]
    train("--out", "run", "--held-out", 0)
    assert [line for line in capsys.readouterr().out.splitlines() if line in told] == told


# --- predict ----------------------------------------------------------------------------------------------------------


def test_one_line_for_each_row_whatever_is_missing(capsys):
    train("--out", "run")
    capsys.readouterr()
    Path("later.csv").write_text("colour,effect,dose\nred,,3\n,,\npink,?,4\nblue,7,NA\n")
    assert run("predict", "run", "later.csv") == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 5 and all(np.isfinite(float(line)) for line in said.out.splitlines()[1:])
    counted = "1 cell of unseen categories (colour: 'pink' 1); 3 missing values (dose 2, colour 1)"
    assert said.err == f"tinygrad-lr: 4 predictions: {counted}\n"
    assert run("predict", "run", "later.csv", "--quiet") == 0 and capsys.readouterr() == (said.out, "")
    assert run("predict", "run", "later.csv", "--quiet", "--out", "quiet.csv") == 0
    assert capsys.readouterr() == ("", "") and len(written("quiet.csv")) == 5
    assert run("predict", "run", "later.csv", "--out", "found.csv") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "4 predictions in found.csv" and lines[-1] == f"Imputed or unknown: {counted}" and not said.err
    assert lines[1].startswith("R2 of the 1 rows that have one: undefined")
    for cells, message in [("pink,4", "line 2, column 'colour': category 'pink'"), ("red,", "'dose': missing value")]:
        Path("strict.csv").write_text(f"colour,dose\n{cells}\n")
        assert run("predict", "run", "strict.csv", "--strict", "--out", "never.csv") == 2
        assert message in capsys.readouterr().err and not Path("never.csv").exists()


def test_a_target_that_cannot_be_read_spoils_no_predictions(classes, capsys):
    Path("later.csv").write_text(CLASSES.replace(",A\n", ",Z\n"))
    assert run("predict", "classes", "later.csv", "--out", "found.csv") == 0
    said = capsys.readouterr()
    assert len(written("found.csv")) == 61 and "class 'Z' was not in the training table" in said.err


def test_columns_beside_and_probabilities(classes, capsys):
    assert run("predict", "classes", "classes.csv", "--keep", "id,dose", "--probabilities", "--out", "found.csv") == 0
    header, *lines = written("found.csv")
    assert header == "id,dose,predicted_grade,probability_A,probability_B,probability_C"
    assert [line.split(",")[:2] for line in lines] == [line.split(",")[:2] for line in CLASSES.splitlines()[1:]]
    shares = np.array([line.split(",")[3:] for line in lines], float)
    assert np.allclose(shares.sum(axis=1), 1) and shares.shape == (60, 3)
    assert [line.split(",")[2] for line in lines] == ["ABC"[place] for place in shares.argmax(axis=1)]
    loaded = load_run("classes")
    assert (shares == loaded.predict_proba("classes.csv")).all(), "every digit is written"
    assert [line.split(",")[2] for line in lines] == loaded.predict("classes.csv").tolist()
    for arguments, message in [
        (["classes", "classes.csv", "--keep", "ids"], "no column 'ids'; did you mean 'id'"),
        (["classes", "classes.csv", "--keep", "id,,"], "one of them is empty"),
        (["classes", "classes.csv", "--keep", "id,dose,id"], "--keep: a column is there twice, got id,dose,id"),
    ]:
        assert run("predict", *arguments) == 2
        assert message in capsys.readouterr().err


def test_probabilities_of_numbers_are_refused(capsys):
    train("--out", "run")
    capsys.readouterr()
    assert run("predict", "run", "table.csv", "--probabilities") == 2
    assert "--probabilities: effect is a number, and the model has no classes" in capsys.readouterr().err


def test_json_lines(classes, capsys):
    Path("later.csv").write_text('id,dose,colour\n"a ""b""; c",1,red\n,2.5,\nü,NA,blue\n', encoding="utf-8")
    assert run("predict", "classes", "later.csv", "--keep", "id,dose,colour", "--out", "found.jsonl") == 0
    rows = [json.loads(line) for line in written("found.jsonl")]
    assert [[row[name] for name in ("id", "dose", "colour")] for row in rows] == [
        ['a "b"; c', 1, "red"],
        [None, 2.5, None],
        ["ü", None, "blue"],
    ]
    assert all(row["predicted_grade"] in "ABC" for row in rows)
    capsys.readouterr()
    assert run("predict", "classes", "later.csv", "--format", "jsonl", "--keep", "id") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["id"] == 'a "b"; c'
    assert run("predict", "classes", "later.csv", "--format", "csv", "--out", "as.jsonl") == 0
    assert written("as.jsonl")[0] == "predicted_grade"
    assert run("predict", "classes", "later.csv", "--out", "found.json") == 2
    assert "name it .jsonl or .csv, or say --format jsonl" in capsys.readouterr().err


def test_a_kept_column_that_is_called_like_a_prediction_stays_beside_it(classes):
    Path("later.csv").write_text("predicted_grade,dose,colour\nold,1,red\n")
    assert run("predict", "classes", "later.csv", "--keep", "predicted_grade", "--out", "found.csv") == 0
    assert written("found.csv")[0] == "table_predicted_grade,predicted_grade"


def test_another_file_may_be_written_otherwise(capsys):
    """The training table's decimal mark decides where a later table does not; its delimiter is found anew."""
    rows = "".join(f"{i},{i % 10}5;{2 * i},5\n" for i in range(30))
    Path("german.csv").write_text(f"x;y\n{rows}")
    assert run("train", "german.csv", "--target", "y", "--epochs", 1, "--out", "german") == 0
    capsys.readouterr()
    found = []
    for text, delimiter in [
        ("1,234", ";"),
        ("1.234", ";"),
        ("1234", ";"),
        ("1.50", ","),
        ("1,5", "tab"),
        ("1.5", None),
    ]:
        Path("later.csv").write_text(f"x\n{text}\n")
        assert run("predict", "german", "later.csv", *(["--delimiter", delimiter] if delimiter else [])) == 0
        found.append(float(capsys.readouterr().out.split()[1]))
    comma, point, plain, *halves = found
    assert point == plain, "a point before three digits is a thousands mark"
    assert halves == [halves[0]] * 3 and comma < halves[0] < plain, "a point before one or two is a decimal mark"


def test_what_a_later_table_leaves_open_is_decided_by_an_option_its_columns_or_the_training_table(capsys):
    plain = "x,d,y\n" + "".join(f"{i}.25,{1 + i % 28}/{1 + i % 12}/2024,{2 * i}\n" for i in range(30))
    Path("plain.csv").write_text(plain)
    assert run("train", "plain.csv", "--target", "y", "--epochs", 1, "--out", "plain") == 0
    capsys.readouterr()
    found = {}
    for name, text, options in [
        ("plain", "x,d\n8.61,3/4/2024\n", []),
        ("as in training", 'x,d\n"$8.610",3/4/2024\n'.replace("$", ""), []),
        ("as in its other columns", "x;d;z\n8,61;3/4/2024;0,5\n", []),
        ("comma", "x;d\n8,610;3/4/2024\n", ["--decimal", ","]),
        ("thousands", "x;d\n8610;3/4/2024\n", []),
        ("point", "x;d\n8.610;3/4/2024\n", ["--decimal", ","]),
        ("as in a column that is no input", "x;d;z\n8,610;3/4/2024;0,5\n", []),
        ("month first", "x;d\n8.61;4/3/2024\n", ["--dates", "m/d/y"]),
        ("a mark", "x,d\n?!,3/4/2024\n8.61,3/4/2024\n", ["--na-values", "?!"]),
    ]:
        Path("later.csv").write_text(text)
        assert run("predict", "plain", "later.csv", *options) == 0, capsys.readouterr().err
        found[name] = float(capsys.readouterr().out.split()[-1])
    assert found.pop("thousands") == found.pop("point") != found["plain"]
    assert set(found.values()) == {found["plain"]}, found
    Path("later.csv").write_text("x,d,y\n8.61,3/4/2024,1\nten,3/4/2024,2\n")
    assert run("predict", "plain", "later.csv") == 2
    assert capsys.readouterr().err.strip().endswith("correct it or count 'ten' as missing (--na-values)")
    loaded, rows = load_run("plain"), {"x": ["8,610"], "d": ["3/4/2024"]}
    assert loaded.predict(rows, decimal=",")[0] == found["plain"] != loaded.predict(rows)[0]
    with pytest.raises(ValueError, match="decimal must be"):
        loaded.predict(rows, decimal=";")


def test_predictions_of_the_training_table_are_those_of_the_model():
    """What is learnt, written, read again and applied to the training table's file is the model on its inputs."""
    train("--out", "run", "--hidden", "4")
    loaded = load_run("run")
    assert run("predict", "run", "table.csv", "--out", "found.csv") == 0
    inputs = loaded.encoder.features(loaded_table := loaded.predictions("table.csv").table)
    from tinygrad_lr.training.tables.models import apply_network

    expected = loaded.encoder.target_in_units(apply_network(loaded.model, inputs))[:, 0]
    assert np.array(written("found.csv")[1:], float).tolist() == expected.tolist() and len(loaded_table) == 40


def test_a_run_of_version_1_still_predicts(capsys):
    """As the first version wrote it: columns and their scales in lists, a constant column an input that is 0."""
    encoder = {
        "target": "effect",
        "columns": {"dose": None, "colour": ["blue", "red"], "year": None},
        "unseen": {"colour": ["green"]},
        "inputs_mean": [2.0, 2020.0],
        "inputs_deviation": [0.5, 1.0],
        "inputs_constant": [False, True],
        "target_mean": [10.0],
        "target_deviation": [4.0],
        "target_constant": [False],
    }
    described = {
        "format": "tinygrad_lr run",
        "format_version": 1,
        "status": "finished",
        "arguments": {"na_values": ["-"], "keep_na": False},
        "encoder": encoder,
        "model": {"layers": [4, 1], "activation": "relu", "device": "cpu"},
    }
    Path("old").mkdir()
    Path("old/run.json").write_text(json.dumps(described))
    np.savez("old/model.npz", weight=np.array([[1, 2, 3, 5]], np.float32), bias=np.array([0.5], np.float32))
    Path("later.csv").write_text("year,dose,colour\n2020,3,red\n1950,2,green\n1,-,blue\n2020,1.5,pink\n")
    assert run("predict", "old", "later.csv") == 0
    said = capsys.readouterr()
    assert said.out.split() == ["predicted_effect", "32.0", "12.0", "20.0", "8.0"]
    assert said.err.endswith("(colour: 'green' 1, 'pink' 1); 1 missing value (dose 1)\n")
