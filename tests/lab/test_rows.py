"""The rows that the page descends on: what is taken of a table, and what is refused as `train` refuses it."""

import io

import numpy as np
import pytest

from tinygrad_lr.data.tables import Table, TableError
from tinygrad_lr.lab import rows
from tinygrad_lr.lab.rows import MOST_ROWS, rows_of
from tinygrad_lr.training import train_table


def table(**columns):
    return Table({name: [str(value) for value in values] for name, values in columns.items()})


def three(count=6):
    return {"a": range(count), "b": [n * n % 7 for n in range(count)], "y": [3 * n + n % 2 for n in range(count)]}


def test_columns_have_mean_0_and_deviation_1_up_to_the_decimals_that_are_kept():
    found = rows_of()
    columns = np.column_stack([found.inputs, found.targets])
    assert np.abs(columns.mean(axis=0)).max() < 10**-rows.DECIMALS
    assert np.abs(columns.std(axis=0) - 1).max() < 10**-rows.DECIMALS


def test_the_minimum_has_no_gradient():
    found = rows_of()
    residual = found.inputs @ np.array(found.minimum) - found.targets
    assert np.abs(found.inputs.T @ residual / len(residual)).max() < 1e-14


def test_the_first_two_columns_of_numbers_that_vary_are_the_features():
    found = rows_of(table(name=list("uvwxyz"), same=[1] * 6, **three()), "y")
    assert (found.features, found.target) == (("a", "b"), "y")


def test_features_can_be_named_in_any_order():
    assert rows_of(table(**three()), "y", ["b", "a"]).features == ("b", "a")


def test_rows_without_one_of_the_three_values_are_left_out():
    columns = three(8)
    given = table(**{**columns, "a": ["NA", *columns["a"][1:]], "y": [*list(columns["y"])[:-1], ""]})
    found = rows_of(given, "y")
    assert (found.usable, len(found.targets)) == (6, 6)


def test_of_many_rows_the_first_are_taken():
    count = MOST_ROWS + 7
    columns = three(count)
    found = rows_of(table(**columns), "y")
    fewer = rows_of(table(**{name: list(values)[:MOST_ROWS] for name, values in columns.items()}), "y")
    assert (found.usable, len(found.targets)) == (count, MOST_ROWS)
    assert found.inputs.tobytes() == fewer.inputs.tobytes() and found.minimum == fewer.minimum


def test_the_call_gives_the_same_rows(tmp_path):
    path = tmp_path / 'it\'s "one".csv'
    path.write_text("a;b;y\n1,5;2;3\n2,5;1;4\n0;7;1\n")
    found = rows_of(path, "y", features=["b", "a"], decimal=",")
    again = eval(found.call, {"rows_of": rows_of})
    assert found.inputs.tobytes() == again.inputs.tobytes() and found.call == again.call
    assert rows_of(table(**three()), "y").call == "rows_of(table, target='y')"


def test_standard_input_is_no_file_that_could_be_read_again(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b,y\n1,5,2\n2,5,4\n0,7,1\n")))
    found = rows_of("-", "y")
    assert (found.call, found.name) == ("rows_of(table, target='y')", "standard input")


def test_a_file_is_called_by_its_name(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,y\n1,5,2\n2,5,4\n0,7,1\n")
    assert (rows_of(path, "y").name, rows_of().name) == ("table.csv", "diabetes.csv")


@pytest.mark.parametrize(
    ("columns", "given", "message"),
    [
        ({"y": list("qrstuv")}, {"target": "y"}, "'q' is not a number"),
        ({"a": [1] * 6}, {"target": "y"}, "fewer than two columns of numbers that vary (a left out: always 1"),
        ({"a": [1] * 6}, {"target": "y", "features": ["a", "b"]}, "'a' is always 1"),
        ({"y": [4] * 6}, {"target": "y"}, "'y' is always 4"),
        ({"a": list("qrstuv")}, {"target": "y"}, "fewer than two columns of numbers"),
        ({"a": list("qrstuv")}, {"target": "y", "features": ["a", "b"]}, "'q' is not a number"),
        ({"a": ["1/2/2020", *["13/2/2020"] * 5]}, {"target": "y", "features": ["a", "b"]}, "is not a number"),
        ({}, {"target": "z"}, "no column 'z'"),
        ({}, {"target": "y", "features": ["a", "z"]}, "no column 'z'"),
        ({}, {"target": "y", "features": ["a"]}, "two features, got 1"),
        ({}, {"target": "y", "features": ["a", "a"]}, "two features, got 'a' twice"),
        ({}, {"target": "y", "features": ["a", "y"]}, "'y' is the target and cannot be a feature, too"),
        ({"b": range(0, 12, 2)}, {"target": "y"}, "the table: 'a' and 'b' are multiples of each other"),
        ({"a": [0, 1, *["NA"] * 4]}, {"target": "y"}, "the table: only 2 rows have values of 'a', 'b', 'y'"),
        ({}, {}, "which column of"),
        ({"a": ["NA", 1, "NA", 2, "NA", 3], "b": [1, "NA", 2, "NA", 3, "NA"]}, {"target": "y"}, "no row has values of"),
    ],
)
def test_what_cannot_be_shown_is_refused(columns, given, message):
    with pytest.raises(ValueError, match="^") as refused:
        rows_of(table(**{**three(), **columns}), **given)
    assert message in str(refused.value)


def test_one_text_of_features_is_a_mistake():
    with pytest.raises(TypeError, match="a list of two names, got the text 'ab'"):
        rows_of(table(**three()), "y", "ab")


def test_a_target_needs_a_table():
    with pytest.raises(ValueError, match="a target belongs to a table"):
        rows_of(target="bmi")


@pytest.mark.parametrize("columns", [{"y": ["q", *"rstuv"]}, {"a": ["1,5", *["2.5"] * 5]}])
def test_mistakes_in_cells_are_told_as_train_tells_them(columns):
    given = table(**{**three(), **columns})
    said = []
    for act in (lambda: rows_of(given, "y", ["a", "b"]), lambda: train_table(given, target="y", task="regression")):
        with pytest.raises(TableError) as refused:
            act()
        said.append(str(refused.value).split(";")[0])
    assert said[0] == said[1]
