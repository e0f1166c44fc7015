"""Encoding: what each column of a table becomes, and back; what is recognised is said, and a fault names its cell."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr.data.columns import Dates, Numbers, Table, Texts
from tinygrad_lr.data.encoding import Standardiser, TableEncoder, TableError, usable_rows
from tinygrad_lr.data.tables import read_table

TABLE = "dose,colour,code,constant,effect\n1,red,7,5,10\n3,blue,8,5,20\n8,green,7,5,90\n5,red,7,5,40\n"


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def csv(text):
    """The table of a text, columns parted by bars."""
    header, *rows = [line.split("|") for line in text.strip("\n").split("\n")]
    return Table(dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)))


def again(encoder):
    """The encoder that was written as JSON and read again."""
    return TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))


def line(encoder, name):
    """What is said of a column."""
    return next(each for each in encoder.describe() if each.startswith(f"{name} ")).removeprefix(name).strip()


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_encoding(write):
    table = read_table(write(TABLE))
    rows = np.array([0, 1])
    encoder = TableEncoder.fit(table, "effect", rows, categorical=["code"])
    assert encoder.feature_names == ["dose", "colour=blue", "colour=red", "code=7", "code=8"]
    # The mean 2 and deviation 1 of the doses are those of the first two rows. No training row is green.
    assert encoder.features(table).tolist() == [[-1, 0, 1, 1, 0], [1, 1, 0, 0, 1], [6, 0, 0, 1, 0], [3, 0, 1, 1, 0]]
    assert encoder.unvarying == ["constant"] and encoder.unseen == {"colour": ["green"]}
    assert line(encoder, "colour") == "category, 2 kinds (blue, red), 1 more only outside the training rows"
    assert line(encoder, "constant") == "left out: always 5 in all training rows"
    assert encoder.features(table).dtype == np.float32 and encoder.features(table, np.float64).dtype == np.float64
    assert encoder.targets(table).tolist() == [[-1], [1], [15], [5]]
    assert encoder.target_in_units(encoder.targets(table))[:, 0].tolist() == [10, 20, 90, 40]
    mean, deviation = encoder.feature_scale
    assert mean.tolist() == [2, 0, 0, 0, 0] and deviation.tolist() == [1, 1, 1, 1, 1]


def test_held_out_rows_do_not_touch_the_encoding(write):
    lines = TABLE.splitlines()
    changed = "\n".join([*lines[:3], "800,green,7,6,9000", lines[4]]) + "\n"
    fitted = [TableEncoder.fit(read_table(write(text)), "effect", np.array([0, 1, 3])) for text in (TABLE, changed)]
    assert fitted[0].to_json() == fitted[1].to_json()
    everything = TableEncoder.fit(read_table(write(changed)), "effect")
    assert everything.to_json() != fitted[0].to_json(), "the comparison above must be able to fail"


def test_missing_values():
    table = csv("age|sex|ok|y\n30|f|yes|1.5\n|m|no|2\n50||NA|3\n40|f|yes|4.5\nNA|m|no|5\n60|f|yes|")
    encoder = TableEncoder.fit(table, "y", np.arange(4))
    names = ["age", "age missing", "sex=f", "sex=m", "sex missing", "ok", "ok missing"]
    assert encoder.feature_names == names
    found = dict(zip(names, encoder.features(table).T.tolist(), strict=True))
    assert found["age missing"] == [0, 1, 0, 0, 1, 0] and found["age"][1] == found["age"][4] == 0 == found["age"][3]
    assert [found["sex=f"], found["sex=m"], found["sex missing"]] == [
        [1, 0, 0, 1, 0, 1],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 0],
    ]
    assert found["ok"] == [1, 0, np.float32(2 / 3), 1, 0, 1] and found["ok missing"] == [0, 0, 1, 0, 0, 0]
    assert line(encoder, "age") == "number, mean 40, 2 missing -> mean + indicator"
    assert line(encoder, "sex") == "category, 2 kinds (f, m), 1 missing -> a kind of its own"
    assert line(encoder, "y").endswith("1 row without a target left out")
    assert encoder.usable_rows(table).tolist() == [0, 1, 2, 3, 4] == usable_rows(table, ["y"]).tolist()
    assert np.isnan(encoder.targets(table)[5, 0])
    with pytest.raises(TableError, match="line 3, column 'age': missing value, an empty cell"):
        TableEncoder.fit(table, "y", missing="error")


def test_missing_values_that_the_training_rows_did_not_have():
    table = csv("a|b|d|y\n1|red|2024-01-01|1\n3|blue|2024-01-03|2.5\n5|red|2024-01-08|3")
    encoder = TableEncoder.fit(table, "y")
    inputs, report = encoder.encode(csv("d|b|a\n||\n2024-01-03|green|3\n2024-01-03|green|?"))
    assert inputs[0].tolist() == [0] * len(encoder.feature_names)
    assert report.imputed == {"a": 2, "b": 1, "d": 1} and report.unseen == {"b": {"green": 2}}
    said = "2 cells of unseen categories (b: 'green' 2); 4 missing values (a 2, b 1, d 1)"
    assert str(report) == said and str(encoder.encode(table)[1]) == ""
    strict = [
        ("a|b|d\n1|green|2024-01-01", "line 2, column 'b': category 'green' was not in the training rows"),
        ("a|b|d\n1|red|2024-01-01\n|red|2024-01-01", "line 3, column 'a': missing value"),
        ("a|b|d\n1||2024-01-01", "line 2, column 'b': missing value"),
    ]
    for text, message in strict:
        with pytest.raises(TableError, match=message):
            encoder.features(csv(text), strict=True)
    known = TableEncoder.fit(csv("a|y\n1|1\n|2\n3|3.5"), "y")
    assert known.features(csv("a\n\n2"), strict=True).tolist() == [[0, 1], [0, 0]], "the training rows had missing ones"
    refusing = TableEncoder.fit(table, "y", missing="error")
    with pytest.raises(TableError, match="line 3, column 'a': missing value"):
        again(refusing).features(csv("a|b|d\n1|red|2024-01-01\n|red|2024-01-01"))


def test_what_counts_as_missing(write):
    path = write("a,y\nNone,2.5\nNA,3\n-,4\n")
    encoder = TableEncoder.fit(read_table(path, keep_na=True), "y")
    assert encoder.feature_names == ["a=-", "a=NA", "a=None"]
    encoder = TableEncoder.fit(read_table(path, keep_na=True, na_values=["-"]), "y")
    assert encoder.feature_names == ["a=NA", "a=None", "a missing"]
    with pytest.raises(TableError, match="an empty cell; fill it in, leave out the row, or ignore the column$"):
        TableEncoder.fit(read_table(write("a,y\nNA,1\n,2\n"), keep_na=True), "y", missing="error")


LEFT_OUT = {  # column of twelve rows -> what is said of it
    "texts": ([f"p{i}" for i in range(12)], "as many kinds as rows"),
    "some missing": ([f"p{i}" for i in range(11)] + [""], "as many kinds as values"),
    "no values": ([""] * 11 + ["NA"], "no values"),
    "constant": (["5"] * 12, "always 5 in all training rows"),
    "constant text": (["red"] * 12, "always 'red' in all training rows"),
    "constant date": (["2024-01-01"] * 12, "always 2024-01-01 in all training rows"),
    "constant time": (["2024-01-01 08:30"] * 12, "always 2024-01-01T08:30:00 in all training rows"),
    "customer_id": ([str(7 * i % 13 + 1000) for i in range(12)], "as many kinds as rows"),
    "PassengerId": ([str(i) for i in range(12)], "as many kinds as rows"),
    "Lfd. Nr.": ([str(i + 1) for i in range(12)], "as many kinds as rows"),
    "index": ([str(i) for i in range(12)], "as many kinds as rows"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_columns_that_say_nothing_are_left_out(name):
    cells, why = LEFT_OUT[name]
    x = [str(i % 5) for i in range(12)]
    encoder = TableEncoder.fit(Table({name: cells, "x": x, "y": [f"{i}.5" for i in range(12)]}), "y")
    assert encoder.feature_names == ["x"] and line(encoder, name) == f"left out: {why}"
    later = Table({"x": ["3"]})
    assert again(encoder).features(later).shape == (1, 1), "a column that is left out may be absent later"


def test_columns_that_are_not_left_out():
    x = [str(i) for i in range(12)]
    for name in ("x", "year", "dose", "humid", "grid", "time", "casino", "monkey"):
        assert TableEncoder.fit(Table({name: x, "y": x[::-1]}), "y").feature_names == [name], "numbers that count"
    both = TableEncoder.fit(Table({"id": x, "y": x[::-1]}), "y", numeric=["id"])
    assert both.feature_names == ["id"]
    named = [f"p{i}" for i in range(12)]
    assert len(TableEncoder.fit(Table({"name": named, "y": x}), "y", categorical=["name"]).feature_names) == 12
    few = Table({"name": named[:9], "y": x[:9]})
    assert len(TableEncoder.fit(few, "y").feature_names) == 9, "nine rows are too few to tell"


def test_names_in_more_than_half_of_the_rows_are_left_out():
    names = [f"p{i // 2 * 2 if i < 10 else i}" for i in range(40)]
    encoder = TableEncoder.fit(Table({"name": names, "x": list(range(40)), "y": list(range(40))}), "y")
    assert line(encoder, "name") == "left out: 35 kinds in 40 rows"


def test_codes_of_which_some_are_numbers_are_texts():
    tickets = [*map(str, range(30)), *(f"A/5 {i}" for i in range(15))]
    table = Table({"ticket": tickets, "x": list(range(45)), "y": list(range(45))})
    assert (
        line(TableEncoder.fit(table, "y"), "ticket")
        == "left out: as many kinds as rows, 30 of 45 kinds look like numbers"
    )


def test_of_very_many_categories_the_rare_ones_share_an_input():
    cells = [f"k{i % 150:03}" for i in range(1000)] + ["k149"] * 9
    table = Table({"k": cells, "y": [str(i) for i in range(1009)]})
    encoder = TableEncoder.fit(table, "y")
    names = encoder.feature_names
    assert len(names) == 101 and names[-1] == "k other" and "k=k149" in names and "k=k099" not in names
    assert line(encoder, "k") == "category, 150 kinds, of which the 50 rarest share an input"
    inputs, report = again(encoder).encode(Table({"k": ["k149", "k120", "new"]}))
    assert inputs.sum(axis=1).tolist() == [1, 1, 0] and inputs[1, -1] == 1 and report.unseen == {"k": {"new": 1}}
    assert len(TableEncoder.fit(table, "y", categorical=["k"]).feature_names) == 150


def test_feature_names_never_collide():
    table = csv("a=b|a|a missing|y\nc|b=c|1|1\nd|e|2|2.5\nc||3|3")
    names = TableEncoder.fit(table, "y").feature_names
    assert names == ["a=b=c", "a=b=d", "a=b=c (2)", "a=e", "a missing", "a missing (2)"]


def test_numbers_declared_categorical_are_one_however_written(write):
    encoder = TableEncoder.fit(read_table(write("code,y\n7,1\n8,2.5\n10,3\n")), "y", categorical=["code"])
    assert encoder.feature_names == ["code=7", "code=8", "code=10"]
    for text in ("code\n7.0\n", "code\n7\n", "code\n7.00\nx\n"):
        assert again(encoder).features(read_table(write(text)))[0].tolist() == [1, 0, 0]
    frame = Table({"code": Texts.of(["7", "8"], categorical=True), "y": Numbers([1.5, 2])})
    assert TableEncoder.fit(frame, "y").feature_names == ["code=7", "code=8"]
    zips = TableEncoder.fit(read_table(write("zip,y\n00501,1\n10001,2.5\n00501,3\n")), "y")
    assert zips.feature_names == ["zip=00501", "zip=10001"]
    assert line(zips, "zip") == "category, 2 kinds (00501, 10001), codes with leading zeros"
    assert zips.features(read_table(write("zip\n10001\n"))).tolist() == [[0, 1]]


def test_dates_become_numbers():
    cells = ["2024-05-01", "2024-05-02", "2024-06-03", ""]
    table = Table({"day": cells, "y": ["1.5", "2", "3", "4"]})
    encoder = TableEncoder.fit(table, "y")
    assert encoder.feature_names == ["day days", "day month", "day weekday", "day missing"]
    said = "date -> 3 numbers: days, month, weekday; 2024-05-01 to 2024-06-03, 1 missing -> mean + indicator"
    assert line(encoder, "day") == said
    mean, deviation = encoder.feature_scale
    written = encoder.features(table, np.float64)[:3] * deviation + mean
    assert np.allclose(written, [[0, 5, 2, 0], [1, 5, 3, 0], [33, 6, 0, 0]], rtol=0, atol=1e-12)
    for form in (["1.5.2024", "2.5.2024", "3.6.2024"], ["May 1, 2024", "May 2, 2024", "Jun 3, 2024"]):
        assert (again(encoder).features(Table({"day": form})) == encoder.features(table)[:3]).all()
    typed = Table({"day": Dates(np.array(["2024-05-01", "NaT"], "datetime64[us]"))})
    assert (encoder.features(typed) == encoder.features(table)[[0, 3]]).all()


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        (["2024-05-01", "2024-05-03"], ["days", "weekday"]),
        (["1970-01-01", "1982-01-01"], ["days", "year"]),
        (["2020-01", "2021-03"], ["days", "year", "month"]),
        (["2020Q1", "2020Q4"], ["days", "month"]),
        (["2024-05-01 06:00", "2024-05-01 18:00"], ["days", "hour"]),
        (["2024-05-01 23:30+02:00", "2024-05-01 23:30-02:00"], ["days", "weekday", "hour"]),
    ],
)
def test_parts_of_dates_are_inputs_where_they_vary(cells, parts):
    encoder = TableEncoder.fit(Table({"d": cells, "y": ["1", "2.5"]}), "y")
    assert encoder.feature_names == [f"d {part}" for part in parts]


def test_time_zones_must_be_as_in_training():
    zoned = Table({"d": ["2024-05-01 12:00Z", "2024-05-02 13:00Z"], "y": ["1", "2.5"]})
    local = Table({"d": ["2024-05-01 12:00", "2024-05-02 13:00"], "y": ["1", "2.5"]})
    with pytest.raises(TableError, match="line 2, column 'd': '2024-05-01 12:00' has no time zone"):
        TableEncoder.fit(zoned, "y").features(local)
    with pytest.raises(TableError, match="'2024-05-01 12:00Z' has a time zone, and the training table had none"):
        again(TableEncoder.fit(local, "y")).features(zoned)


def test_booleans_in_any_words():
    encoder = again(TableEncoder.fit(csv("a|y\nyes|1\nno|2.5\nyes|3"), "y"))
    for cells in (["true", "false"], ["T", "F"], ["1", "0"], ["ja", "nein"], [True, False], ["Yes", "NO"], ["y", "n"]):
        assert encoder.features(Table({"a": cells})).tolist() == [[1], [0]]
    for cells, message in [(["maybe"], "'maybe' is neither true nor false"), (["2"], "'2' is neither true nor false")]:
        with pytest.raises(TableError, match=f"line 2, column 'a': {message}"):
            encoder.features(Table({"a": cells}))
    numbers = TableEncoder.fit(csv("a|y\n1|1\n0|2.5\n1|3"), "y")
    assert (numbers.features(Table({"a": ["yes", "no"]})) == numbers.features(Table({"a": ["1", "0"]}))).all()


def test_what_a_table_shows_decides_what_a_column_leaves_open():
    table = csv("x|thousand|when|other|y\n0,5|1.234 €|3/4/2020|13/4/2020|1\n7|5.678 €|5/4/2020|1/4/2020|2,5")
    encoder = TableEncoder.fit(table, "y")
    assert "thousands point, in €, as in column x" in line(encoder, "thousand")
    assert "d/m/y, as in column other" in line(encoder, "when")
    made = again(encoder).features(csv("x|thousand|when|other\n1,234|1.234 €|3/4/2020|1/4/2020"))
    assert made[0, 1] == -1, "1234 is below the mean of both numbers, by one deviation"
    assert np.isclose(made[0, 0] * encoder.feature_scale[1][0] + encoder.feature_scale[0][0], 1.234)
    american = csv("x|thousand|y\n0.5|1,234|1\n7|5,678|2.5")
    assert TableEncoder.fit(american, "y").feature_scale[0].tolist() == [3.75, 3456]
    alone = csv("thousand|when|y\n1,234|3/4/2020|1\n5,678|5/4/2020|2")
    for choices, mean in [({"decimal": "."}, 3456), ({"decimal": ","}, 3.456)]:
        assert TableEncoder.fit(alone, "y", dates="m/d/y", **choices).feature_scale[0][0] == mean
    month = {"d/m/y": "2020-04-03 to 2020-04-05", "m/d/y": "2020-03-04 to 2020-05-04"}
    for dates, said in month.items():
        assert said in line(TableEncoder.fit(alone, "y", decimal=".", dates=dates), "when")


def test_an_encoder_survives_json(write):
    table = read_table(write(TABLE))
    encoder = TableEncoder.fit(table, "effect", np.array([0, 1]), ignore=["code"])
    read = again(encoder)
    assert np.array_equal(read.features(table, np.float64), encoder.features(table, np.float64))
    assert read.feature_names == encoder.feature_names and read.target == "effect"
    assert read.to_json() == encoder.to_json() and read.describe() == encoder.describe()


def test_columns_are_found_by_name_and_the_target_may_be_absent(write):
    encoder = TableEncoder.fit(read_table(write(TABLE)), "effect", ignore=["code", "constant"])
    other = read_table(write("colour,extra,dose\nblue,x,3\n"))
    assert np.array_equal(encoder.features(other), encoder.features(read_table(write(TABLE)))[1:2])


# --- targets ----------------------------------------------------------------------------------------------------------

TARGETS = {  # cells -> task, classes
    "texts": (["good", "bad", "good", "worse"], "multiclass", ("bad", "good", "worse")),
    "two texts": (["good", "bad", "good"], "binary", ("bad", "good")),
    "yes and no": (["yes", "no", "yes"], "binary", ("no", "yes")),
    "T and F": (["T", "F", "T"], "binary", ("F", "T")),
    "two spellings": (["Yes", "no", "yes", "yes"], "binary", ("no", "yes")),
    "true and false": ([True, False, True], "binary", (False, True)),
    "0 and 1": (["0", "1", "1"], "binary", (0, 1)),
    "codes": (["01", "02", "01"], "binary", ("01", "02")),
    "0 to 2, often": (["0", "1", "2"] * 10, "multiclass", (0, 1, 2)),
    "1 to 3, often": (["1", "2", "3"] * 10, "multiclass", (1, 2, 3)),
    "1 and 2, often": (["1", "2"] * 10, "binary", (1, 2)),
    "0 to 2, seldom": (["0", "1", "2"], "regression", ()),
    "counts": (["0"] * 70 + ["1"] * 20 + ["2"] * 8 + ["3"] * 2, "regression", ()),
    "grades": (["3", "4", "5", "6", "7"] * 10, "regression", ()),
    "eleven": ([str(i) for i in range(11)] * 10, "regression", ()),
    "halves": (["0.5", "1"] * 10, "regression", ()),
    "decimal comma": (["0,5", "1"] * 10, "regression", ()),
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_task_follows_from_the_target(name):
    cells, task, classes = TARGETS[name]
    table = Table({"x": list(range(len(cells))), "y": cells})
    for encoder in (made := TableEncoder.fit(table, "y"), again(made)):
        assert (encoder.task, encoder.classes) == (task, classes)
        assert [type(each) for each in encoder.classes] == [type(each) for each in classes]
        targets = encoder.targets(table)
        if task == "regression":
            assert targets.shape == (len(cells), 1) and encoder.outputs == 1
            back = encoder.target_in_units(targets)[:, 0]
            assert np.allclose(back, [float(str(cell).replace(",", ".")) for cell in cells], rtol=1e-6, atol=1e-6)
            continue
        assert (targets.shape, targets.dtype) == (
            ((len(cells), 1), np.float32) if task == "binary" else ((len(cells),), np.int64)
        )
        assert encoder.outputs == (1 if task == "binary" else len(classes))
        certain = targets if task == "binary" else np.eye(len(classes))[targets]
        assert [str(each).lower() for each in encoder.classes_of(certain)] == [str(cell).lower() for cell in cells]


def test_a_task_can_be_named():
    table = Table({"x": list(range(30)), "y": ["3", "4", "7"] * 10, "b": ["0", "1", "1"] * 10})
    made = TableEncoder.fit(table, "y", task="classification")
    assert made.task == "multiclass" and made.classes == (3, 4, 7)
    assert "3 whole numbers; --task classification takes them as classes" in line(TableEncoder.fit(table, "y"), "y")
    said = line(TableEncoder.fit(table, "b"), "b")
    assert said == "target: 2 classes: 0 10, 1 20 (few whole numbers; --task regression takes them as numbers)"
    assert TableEncoder.fit(table, "b", task="regression").task == "regression"
    assert TableEncoder.fit(table, "b", task="multiclass").outputs == 2
    booleans = Table({"x": list(range(3)), "y": [True, False, True]})
    assert TableEncoder.fit(booleans, "y", task="regression").target_scale.mean.tolist() == [2 / 3]
    mixed = Table({"x": list(range(4)), "y": ["1", "2", "a", "a"]})
    assert TableEncoder.fit(mixed, "y", task="classification").classes == ("1", "2", "a")


def test_several_targets():
    table = csv("x|y1|y2|s\n1|10|1,5|a\n2|20||b\n3|30|2,5|a")
    encoder = TableEncoder.fit(table, ["y1", "y2"])
    assert encoder.target == "y1, y2" and encoder.outputs == 2 and encoder.task == "regression"
    targets = encoder.targets(table)
    assert targets.tolist()[0] == [-1, -1] and targets.tolist()[2] == [1, 1] and np.isnan(targets[1]).tolist() == [0, 1]
    assert encoder.target_in_units(targets[[0, 2]]).tolist() == [[10, 1.5], [30, 2.5]]
    said = "target: regression, y1: mean 20, deviation 10; y2: mean 2, deviation 0.5, decimal comma"
    assert encoder.describe()[-1] == f"y1, y2  {said}; 1 row without a target left out"
    assert np.array_equal(again(encoder).targets(table), targets, equal_nan=True)


def test_classes_of_a_later_table():
    table = csv("x|y\n1|good\n2|bad\n3|ugly\n4|\n5|bad")
    encoder = TableEncoder.fit(table, "y")
    assert encoder.targets(table).tolist() == [1, 0, 2, -1, 0]
    assert encoder.targets(csv("y\nugly\n\ngood")).tolist() == [2, -1, 1]
    assert encoder.targets(csv("y\n\nNA")).tolist() == [-1, -1]
    with pytest.raises(TableError, match="line 3, column 'y': class 'fair' was not in the training table, which had"):
        encoder.targets(csv("y\ngood\nfair"))
    with pytest.raises(TableError, match="no column 'y'"):
        encoder.targets(csv("x\n1"))
    rare = TableEncoder.fit(csv("x|y\n1|a\n2|b\n3|c\n4|a"), "y", np.array([0, 1, 3]))
    assert rare.classes == ("a", "b", "c"), "a class that only other rows have is one too"


# --- runs of version 1 ------------------------------------------------------------------------------------------------

VERSION_1 = {
    "target": "effect",
    "columns": {"dose": None, "colour": ["blue", "red"], "year": None, "site": ["A"]},
    "unseen": {"colour": ["green"]},
    "inputs_mean": [2.0, 2023.0],
    "inputs_deviation": [1.0, 1.0],
    "inputs_constant": [False, True],
    "target_mean": [15.0],
    "target_deviation": [5.0],
    "target_constant": [False],
}


def test_an_encoding_of_version_1_is_read():
    table = csv("dose|colour|year|site|effect\n1|red|2023|A|10\n3|green|1950|B|20\n|pink|1|C|")
    for encoder in (made := TableEncoder.from_json(VERSION_1), again(made)):
        assert encoder.feature_names == ["dose", "colour=blue", "colour=red", "year", "site=A"]
        assert encoder.features(table).tolist() == [[-1, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
        assert encoder.task == "regression" and encoder.target == "effect" and encoder.outputs == 1
        assert encoder.targets(table)[:2].tolist() == [[-1], [1]] and encoder.target_in_units(np.ones((1, 1))) == 20
        assert encoder.unvarying == ["year", "site"] and encoder.unseen == {"colour": ["green"]}
    older = {name: value for name, value in VERSION_1.items() if not name.endswith("constant") and name != "unseen"}
    assert TableEncoder.from_json(older).features(table)[0].tolist() == [-1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    "damage",
    [
        {"columns": 3},
        {"columns": {"a": None, "b": None}},
        {"columns": {"effect": None, "dose": None}},
        {"columns": {}},
        {"columns": {"dose": None, "colour": ["red", "red"], "year": None}},
        {"columns": {"dose": None, "colour": [], "year": None}},
        {"columns": {"dose": None, "colour": [1], "year": None}},
        {"unseen": {"colour": ["red"]}},
        {"unseen": {"dose": ["red"]}},
        {"inputs_mean": [1.0]},
        {"inputs_mean": [1.0, "x"]},
        {"inputs_mean": [1.0, 10**400]},
        {"inputs_constant": [0, 1]},
        {"target_mean": "x"},
        {"target_deviation": [0.0]},
        {"target": ""},
        {"inputs_deviation": [[1.0]], "inputs_mean": [[1.0]]},
    ],
)
def test_a_damaged_encoding_of_version_1_is_refused(damage):
    with pytest.raises(ValueError):
        TableEncoder.from_json({**VERSION_1, **damage})


# --- properties over random tables ------------------------------------------------------------------------------------

NUMBER = st.one_of(st.integers(-1000, 1000).map(str), st.floats(-1e6, 1e6).map(lambda x: f"{x:.3f}"))
CELLS = {
    "number": NUMBER,
    "German": st.decimals(-1000, 1000, places=2).map(lambda x: f"{x}".replace(".", ",")),
    "category": st.sampled_from(["red", "blue", "a=b", "Ünïcode", "missing", "other"]),
    "boolean": st.sampled_from(["yes", "no"]),
    "date": st.dates().map(lambda day: f"{day:%Y-%m-%d}" if day.year >= 1000 else "2020-01-01"),
    "code": st.sampled_from(["00501", "10001", "90210"]),
}


@st.composite
def tables(draw, least=2):
    """A random table: columns of all kinds, some cells missing, and a target of numbers or of classes."""
    count = draw(st.integers(least, 14))
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=5))
    columns = {
        f"{kind} {place}": draw(
            st.lists(st.one_of(CELLS[kind], CELLS[kind], st.just("")), min_size=count, max_size=count)
        )
        for place, kind in enumerate(kinds)
    }
    target = draw(st.sampled_from([NUMBER, st.sampled_from(["good", "bad"])]))
    return {**columns, "y": draw(st.lists(st.one_of(target, target, st.just("NA")), min_size=count, max_size=count))}


def fitted(columns, **choices):
    """The encoder of a random table, or None where it says why there can be none."""
    try:
        return TableEncoder.fit(Table(columns), "y", **choices)
    except TableError:
        return None


@given(tables(), st.sampled_from(["impute", "error"]))
def test_json_gives_the_same_bits(columns, missing):
    encoder = fitted(columns, missing=missing)
    if encoder is None:
        return
    table, read = Table(columns), again(encoder)
    assert read.to_json() == encoder.to_json() and read.describe() == encoder.describe()
    assert read.feature_names == encoder.feature_names and len(set(read.feature_names)) == len(read.feature_names)
    for ours, theirs in [
        (encoder.features(table), read.features(table)),
        (encoder.targets(table), read.targets(table)),
    ]:
        assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()
    assert encoder.features(table).flags.c_contiguous and np.isfinite(encoder.features(table)).all()
    mean, deviation = encoder.feature_scale
    assert mean.shape == deviation.shape == (len(encoder.feature_names),)


@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(columns, random):
    encoder = fitted(columns)
    order = random.sample(range(len(columns["y"])), len(columns["y"]))
    moved = {name: [cells[row] for row in order] for name, cells in columns.items()}
    other = fitted(moved)
    assert (encoder is None) == (other is None)
    if encoder is None or other is None:
        return
    assert other.to_json() == encoder.to_json()
    assert (other.features(Table(moved)) == encoder.features(Table(columns))[order]).all()
    turned = dict(reversed(columns.items()))
    assert (encoder.features(Table(turned)) == encoder.features(Table(columns))).all()


@given(tables(least=4), st.data())
def test_rows_are_encoded_alike_alone_and_together(columns, data):
    """Nothing of a row depends on the rows beside it, once the encoder is made."""
    encoder = fitted(columns)
    if encoder is None:
        return
    whole = encoder.features(Table(columns))
    row = data.draw(st.integers(0, len(whole) - 1))
    alone = {name: [cells[row]] for name, cells in columns.items() if name != "y"}
    assert (encoder.features(Table(alone)) == whole[[row]]).all()


@given(tables())
def test_typed_columns_are_encoded_as_texts_are(columns):
    encoder = fitted(columns)
    if encoder is None:
        return
    typed = {}
    for name, cells in columns.items():
        kind = name.split(" ")[0]
        if kind in ("number", "German"):
            typed[name] = [None if not cell else float(cell.replace(",", ".")) for cell in cells]
        elif kind == "boolean" and {"yes", "no"} <= set(cells):
            typed[name] = [None if not cell else cell == "yes" for cell in cells]
        elif kind == "date":
            typed[name] = Dates(np.array([cell or "NaT" for cell in cells], "datetime64[us]"))
        elif name != "y":
            typed[name] = cells
    assert np.array_equal(encoder.features(Table(typed)), encoder.features(Table(columns)))


# --- standardising ----------------------------------------------------------------------------------------------------


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
