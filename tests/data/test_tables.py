"""Tables: what is read, how it is encoded, and that every fault is named with file, line and column."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr.data import datasets
from tinygrad_lr.data.encoding import Standardiser, TableEncoder
from tinygrad_lr.data.tables import Table, TableError, read_table, split_rows


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return write


GOOD = {
    "plain": "a,b\n1,2\n3,4\n",
    "no last line end": "a,b\n1,2\n3,4",
    "windows": "a,b\r\n1,2\r\n3,4\r\n",
    "byte-order mark": "\ufeffa,b\n1,2\n3,4\n",
    "semicolons": "a;b\n1;2\n3;4\n",
    "tabs": "a\tb\n1\t2\n3\t4\n",
    "bars": "a|b\n1|2\n3|4\n",
    "quoted": '"a","b"\n"1","2"\n3,"4"\n',
    "spaces": " a , b \n 1 , 2 \n3, 4\n",
    "blank lines": "a,b\n\n1,2\n\n\n3,4\n\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_reading(write, name):
    table = read_table(write(GOOD[name]))
    assert table.names == ["a", "b"] and len(table) == 2
    assert table.numbers("a").tolist() == [1.0, 3.0] and table.numbers("b").tolist() == [2.0, 4.0]


def test_fields_may_hold_delimiters_quotes_and_line_ends(write):
    table = read_table(write('name,note,x\n"Doe, J.","say ""hi""\nthere",1\nRoe,,oops\n'))
    assert table.column("name").cells() == ["Doe, J.", "Roe"]
    assert table.column("note").cell(0) == 'say "hi"\nthere'
    with pytest.raises(TableError, match="line 4, column 'x': 'oops' is not a number"):
        table.numbers("x")


def test_a_delimiter_can_be_given(write):
    table = read_table(write("a,1 b\n1,5 2\n"), delimiter=" ")
    assert table.names == ["a,1", "b"]


def test_the_diabetes_data():
    table = datasets.diabetes_table()
    inputs, target = datasets.diabetes(np.float64)
    assert inputs.shape == (442, 10) and target.shape == (442, 1)
    assert inputs[0].tolist() == [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87] and target[0] == 151
    assert np.array_equal(table.numbers("bmi"), inputs[:, 2])


UNREADABLE = {
    "empty file": ("", "the file is empty"),
    "no rows": ("a,b\n", "a header and no rows"),
    "ragged": ("a,b\n1,2\n1,2,3\n", "line 3: 3 fields where the header has 2"),
    "short row": ("a,b\n1,2\n\n1\n", "line 4: 1 fields"),
    "empty name": ("a,,c\n1,2,3\n", "column 2 has no name"),
    "duplicate name": ("a,b,a\n1,2,3\n", "columns 1 and 3 are both named 'a'"),
    "no header": ("1,2\n3,4\n", "the first line must name the columns, got numbers: 1, 2"),
    "latin-1": ("größe,x\n1,2\n".encode("latin-1"), "not UTF-8"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), "not UTF-8"),
    "open quotation": ('a,b\n1,"2\n3,4\n', "line 2: unexpected end of data"),
    "text after quotation": ('a,b\n1,"2"x\n', "line 2: ',' expected after '\"'"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_table_is_named(write, name):
    text, message = UNREADABLE[name]
    path = write(text)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(OSError):
        read_table(tmp_path)
    with pytest.raises(ValueError, match="a delimiter is one character, .*; got '::'"):
        read_table(tmp_path / "absent.csv", delimiter="::")
    with pytest.raises(ValueError, match="one length"):
        Table({"a": ["1"], "b": []})


UNUSABLE = {
    "unknown target": ("a,target\n1,2\n", "targt", {}, "no column 'targt'; did you mean 'target'"),
    "other case": ("a,TARGET\n1,2\n", "target", {}, "did you mean 'TARGET'"),
    "nothing near": ("a,target\n1,2\n", "zzz", {}, "no column 'zzz'; It has: a, target"),
    "only the target": ("y\n1\n2\n", "y", {}, "no column besides the target 'y'"),
    "missing": ("a,y\n1,2\n,3\n", "y", {}, "line 3, column 'a': missing value, an empty cell"),
    "missing NA": ("a,y\nNA,2\nNA,3\n", "y", {}, r"line 2, column 'a': missing value, 'NA' \(2 in this column\)"),
    "missing target": ("a,y\n1,2\n1,?\n", "y", {}, "line 3, column 'y': missing value"),
    "missing None": ("a,y\nred,2\nNone,3\n", "y", {}, "missing value, 'None'; .* or keep 'None' as a text"),
    "missing <NA>": ("a,y\nred,2\n<NA>,3\n", "y", {}, "line 3, column 'a': missing value, '<NA>'"),
    "missing category": ("a,y\nred,2\n,3\n", "y", {}, "line 3, column 'a': missing value"),
    "infinite": ("a,y\n1,2\n1e999,3\n", "y", {}, "line 3, column 'a': '1e999' is not finite"),
    "infinite target": ("a,y\n1,2\n1,-inf\n", "y", {}, "line 3, column 'y': '-inf' is not finite"),
    "mixture": ("a,y\n1,2\n2,3\nten,3\n", "y", {}, "line 4, column 'a': 'ten' is not a number, but 2 other cells"),
    "underscore": ("a,y\n1,2\n1_0,3\n", "y", {}, "line 3, column 'a': '1_0' is not a number"),
    "decimal comma": ("a;y\n1,5;2\n2,5;3\n", "y", {}, "line 2, column 'a': '1,5' is not a number; write decimals"),
    "decimal comma in target": ("a;y\n1;2,5\n", "y", {}, "line 2, column 'y': '2,5' is not a number; write decimals"),
    "text target": ("a,y\n1,good\n2,bad\n", "y", {}, "line 2, column 'y': 'good' is not a number"),
    "identifiers": ("a,y\n" + "".join(f"p{i},{i}\n" for i in range(40)), "y", {}, "40 different texts in 40 rows"),
    "unknown category column": ("a,y\n1,2\n", "y", {"categorical": ["b"]}, "no column 'b'"),
    "unknown ignored column": ("a,y\n1,2\n", "y", {"ignore": ["b"]}, "no column 'b'"),
    "ignored target": ("a,y\n1,2\n", "y", {"ignore": ["y"]}, "the target 'y' must be numeric and cannot be ignored"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_table_is_named(write, name):
    text, target, options, message = UNUSABLE[name]
    with pytest.raises(ValueError, match=message):
        TableEncoder.fit(read_table(write(text)), target, **options)


TABLE = "dose,colour,code,constant,effect\n1,red,7,5,10\n3,blue,8,5,20\n8,green,7,5,90\n5,red,7,5,40\n"


def test_encoding(write):
    table = read_table(write(TABLE))
    rows = np.array([0, 1])
    encoder = TableEncoder.fit(table, "effect", rows, categorical=["code"])
    assert encoder.feature_names == ["dose", "colour=blue", "colour=red", "code=7", "code=8", "constant"]
    # The mean 2 and deviation 1 of the doses are those of the first two rows; 5 never varies and becomes 0. No training
    # row is green.
    assert encoder.features(table).tolist() == [
        [-1, 0, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [6, 0, 0, 1, 0, 0],
        [3, 0, 1, 1, 0, 0],
    ]
    assert encoder.unvarying == ["constant"] and encoder.unseen == {"colour": ["green"]}
    assert encoder.features(table).dtype == np.float32 and encoder.features(table, np.float64).dtype == np.float64
    assert encoder.targets(table).tolist() == [[-1], [1], [15], [5]]
    assert encoder.target_in_units(encoder.targets(table))[:, 0].tolist() == [10, 20, 90, 40]


def test_what_counts_as_missing(write):
    path = write("a,y\nNone,2\nNA,3\n-,4\n")
    assert TableEncoder.fit(read_table(path, keep_na=True), "y").columns == {"a": ["-", "NA", "None"]}
    with pytest.raises(TableError, match="line 4, column 'a': missing value, '-'"):
        TableEncoder.fit(read_table(path, keep_na=True, na_values=["-"]), "y")
    with pytest.raises(TableError, match="an empty cell; fill it in, leave out the row, or ignore the column$"):
        TableEncoder.fit(read_table(write("a,y\nNA,1\n,2\n"), keep_na=True), "y")


def test_held_out_rows_do_not_touch_the_encoding(write):
    lines = TABLE.splitlines()
    changed = "\n".join([*lines[:3], "800,green,7,6,9000", lines[4]]) + "\n"
    fitted = [TableEncoder.fit(read_table(write(text)), "effect", np.array([0, 1, 3])) for text in (TABLE, changed)]
    assert fitted[0].to_json() == fitted[1].to_json()
    everything = TableEncoder.fit(read_table(write(changed)), "effect")
    assert everything.to_json() != fitted[0].to_json(), "the comparison above must be able to fail"


def test_what_never_varied_in_training_moves_nothing(write):
    table = read_table(write("year,colour,dose,effect\n2023,red,1,7\n2023,red,2,7\n2024,blue,3,9\n"))
    encoder = TableEncoder.fit(table, "effect", np.array([0, 1]))
    later = read_table(write("dose,year,colour\n1,1950,blue\n2,2123,red\n"))
    for made in (encoder, TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))):
        assert made.features(later)[:, :2].tolist() == [[0, 0], [0, 0]]
        assert made.features(table)[2, :2].tolist() == [0, 0]
        assert made.target_in_units(np.array([[-3.0], [5.0]])).tolist() == [[7], [7]]
        assert made.unvarying == ["year", "colour"] and made.unseen == {"colour": ["blue"]}
    with pytest.raises(TableError, match="category 'green' was not in the training table, which had 'red', 'blue'"):
        encoder.features(read_table(write("year,colour,dose\n2023,green,1\n")))


def test_an_encoder_survives_json(write):
    table = read_table(write(TABLE))
    encoder = TableEncoder.fit(table, "effect", np.array([0, 1]), ignore=["code"])
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert np.array_equal(again.features(table, np.float64), encoder.features(table, np.float64))
    assert again.feature_names == encoder.feature_names and again.target == "effect"


def test_columns_are_found_by_name_and_the_target_may_be_absent(write):
    encoder = TableEncoder.fit(read_table(write(TABLE)), "effect", ignore=["code", "constant"])
    other = read_table(write("colour,extra,dose\nblue,x,3\n"))
    assert np.array_equal(encoder.features(other), encoder.features(read_table(write(TABLE)))[1:2])


def test_a_table_to_predict_that_does_not_fit_is_named(write):
    encoder = TableEncoder.fit(read_table(write(TABLE)), "effect", ignore=["code", "constant"])
    for text, message in [
        ("dose,colour\n1,purple\n", "line 2, column 'colour': category 'purple' was not in the training table"),
        ("dose\n1\n", "no column 'colour'"),
        ("dose,colour\n,red\n", "line 2, column 'dose': missing value"),
        ("dose,colour\nmuch,red\n", "line 2, column 'dose': 'much' is not a number"),
        ("dose,colour\n1,\n", "line 2, column 'colour': missing value"),
    ]:
        with pytest.raises(TableError, match=message):
            encoder.features(read_table(write(text)))


@pytest.mark.parametrize(
    "damage",
    [
        {"columns": 3},
        {"columns": {"a": None, "b": None}},
        {"inputs_mean": [1.0, 2.0]},
        {"target_mean": "x"},
        {"target_deviation": [0.0]},
        {"inputs_deviation": [[1.0]], "inputs_mean": [[1.0]]},
    ],
)
def test_a_damaged_encoding_is_refused(damage):
    good = TableEncoder.fit(Table({"a": ["1", "2"], "y": ["1", "3"]}), "y").to_json()
    TableEncoder.from_json(good)
    with pytest.raises(ValueError):
        TableEncoder.from_json({**good, **damage})
    with pytest.raises(ValueError, match="needs the name of its target"):
        TableEncoder.from_json({})


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=20))
def test_standardising_and_back(rows):
    values = np.array(rows)
    standardiser = Standardiser.fit(values)
    standard = standardiser(values)
    constant = (values == values[0]).all(axis=0)
    assert not standard[:, constant].any()
    assert np.allclose(standardiser.inverse(standard), values, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1.0, 1.5e308])
def test_standardising_in_extreme_units(unit):
    standard = Standardiser.fit(np.array([[unit], [unit / 2]]))(np.array([[unit], [unit / 2]]))
    assert np.allclose(standard, [[1], [-1]])


def test_standardising_refuses():
    for values, message in [(np.zeros(3), "shape"), (np.zeros((0, 3)), "at least one row"), ([[np.nan]], "finite")]:
        with pytest.raises(ValueError, match=message):
            Standardiser.fit(values)
    with pytest.raises(ValueError, match="deviations finite and positive"):
        Standardiser(np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="one shape"):
        Standardiser(np.zeros(2), np.ones(3))


@given(st.integers(2, 200), st.floats(0, 1, exclude_max=True), st.integers(0, 2**32))
def test_a_split_divides(rows, fraction, seed):
    training, held_out = split_rows(rows, fraction, seed)
    assert sorted([*training, *held_out]) == list(range(rows))
    assert len(training) >= 1 and (len(held_out) >= 1) == (fraction > 0)
    again = split_rows(rows, fraction, seed)
    assert np.array_equal(training, again[0]) and np.array_equal(held_out, again[1])


def test_a_split_depends_on_the_seed_and_refuses_nonsense():
    assert not np.array_equal(split_rows(100, 0.3, 0)[1], split_rows(100, 0.3, 1)[1])
    for fraction in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="must lie in"):
            split_rows(10, fraction, 0)
    with pytest.raises(ValueError, match="cannot be divided"):
        split_rows(1, 0.3, 0)
