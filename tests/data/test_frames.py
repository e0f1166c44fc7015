"""as_table: what pandas, polars, pyarrow, NumPy and plain Python hold becomes the same columns, or is refused."""

import datetime
import decimal
import enum
import itertools

import numpy as np
import pytest

from tinygrad_lr.data.cells import as_numbers
from tinygrad_lr.data.columns import Booleans, Dates, Numbers, Table, TableError, Texts
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.data.tables import as_table, read_table

pytest.importorskip("narwhals", reason="narwhals, of the extra `tables`, is not installed")
pyarrow = pytest.importorskip("pyarrow", reason="pyarrow, of the extra `tables`, is not installed")
pandas = pytest.importorskip("pandas", reason="pandas, one of the peers, is not installed")
polars = pytest.importorskip("polars", reason="polars, one of the peers, is not installed")

NAN = float("nan")
DAY, NOON = datetime.date(2024, 5, 1), datetime.datetime(2024, 5, 1, 12, 30)
ROME = datetime.timezone(datetime.timedelta(hours=2))
COLUMNS = {
    "whole": [1, None, 2],
    "number": [1.5, None, -2.0],
    "text": ["red", None, "blue"],
    "flag": [True, None, False],
    "day": [DAY, None, DAY],
    "time": [NOON, None, NOON],
    "zoned": [NOON.replace(tzinfo=ROME), None, NOON.replace(tzinfo=ROME)],
    "clock": [datetime.time(8, 30), None, datetime.time(20, 30, 36)],
    "wait": [datetime.timedelta(seconds=90), None, datetime.timedelta(days=1)],
    "price": [decimal.Decimal("1.10"), None, decimal.Decimal("2")],
    "digits": ["1", "NA", "2"],
}
AS_CELLS = {
    "whole": (Numbers, ["1", "", "2"]),
    "number": (Numbers, ["1.5", "", "-2"]),
    "text": (Texts, ["red", "", "blue"]),
    "flag": (Booleans, ["true", "", "false"]),
    "day": (Dates, ["2024-05-01", "", "2024-05-01"]),
    "time": (Dates, ["2024-05-01 12:30:00", "", "2024-05-01 12:30:00"]),
    "zoned": (Dates, ["2024-05-01 10:30:00 UTC", "", "2024-05-01 10:30:00 UTC"]),
    "clock": (Numbers, ["8.5", "", "20.51"]),
    "wait": (Numbers, ["0.025", "", "24"]),
    "price": (Numbers, ["1.1", "", "2"]),
    "digits": (Numbers, ["1", "NA", "2"]),
}


def of_pandas(columns):
    return pandas.DataFrame(columns)


def nullable(columns):
    return pandas.DataFrame(columns).convert_dtypes()


def with_arrow(columns):
    return pandas.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow")


MAKERS = {
    "pandas": of_pandas,
    "pandas, nullable": nullable,
    "pandas with pyarrow": with_arrow,
    "polars": polars.DataFrame,
    "pyarrow": pyarrow.table,
    "a dict of lists": dict,
    "a list of dicts": lambda columns: [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ],
    "a dict of arrays of objects": lambda columns: {name: np.array(cells, object) for name, cells in columns.items()},
    "a dict of series": lambda columns: {name: pandas.Series(cells) for name, cells in columns.items()},
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", COLUMNS)
def test_every_library_says_the_same(maker, name):
    table = as_table(MAKERS[maker]({name: COLUMNS[name], "row": [1, 2, 3]}))
    kind, cells = AS_CELLS[name]
    column = table.column(name)
    assert type(column) is kind and [cell or "" for cell in column.cells()] == cells
    assert table.missing_in(name).tolist() == [False, True, False]
    if kind is Dates:
        assert (column.zone is not None) == (name == "zoned")


def test_a_frame_is_read_as_the_file_of_it(tmp_path):
    frame = pandas.DataFrame({"a": [1.5, NAN, 3], "b": ["x", "NA", None], "c": [1, 2, 3]})
    frame.to_csv(tmp_path / "table.csv")
    frame.to_parquet(tmp_path / "table.parquet")
    frame.to_feather(tmp_path / "table.feather")
    frame.to_excel(tmp_path / "table.xlsx")
    read = as_table(frame)
    for name in ("table.csv", "table.parquet", "table.feather", "table.xlsx"):
        table = read_table(tmp_path / name)
        assert table.names == read.names and table.sha256
        for column in table.names:
            assert type(table.column(column)) is type(read.column(column))
            assert table.missing_in(column).tolist() == read.missing_in(column).tolist()
        assert table.numbers("c").tolist() == [1, 2, 3]
    assert as_table(tmp_path / "table.csv").sha256 == read_table(tmp_path / "table.csv").sha256


def test_times_of_day_are_the_hours_that_a_file_has(tmp_path):
    times = [datetime.time(8, 30), datetime.time(20, 30, 36), datetime.time(0, 0, 1)]
    frame = pandas.DataFrame({"at": times, "row": [1, 2, 3]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame.to_parquet(tmp_path / "table.parquet")
    frame.to_excel(tmp_path / "table.xlsx", index=False)
    of_file = as_numbers(read_table(tmp_path / "table.csv"), "at").tolist()
    assert of_file[:2] == [8.5, 20.51]
    waits = np.array([each.hour * 3600 + each.minute * 60 + each.second for each in times], "timedelta64[s]")
    for table in (
        as_table(frame),
        as_table(polars.DataFrame({"at": times})),
        as_table({"at": times}),
        read_table(tmp_path / "table.parquet"),
        read_table(tmp_path / "table.xlsx"),
    ):
        assert as_numbers(table, "at").tolist() == of_file
    # a time is the sum of three parts, a duration one division: half a unit for each operation
    np.testing.assert_allclose(as_numbers(as_table({"at": waits}), "at"), of_file, rtol=4 * 2**-53)


@pytest.mark.parametrize("zone", ["America/New_York", "Etc/GMT+5", "Asia/Kolkata", "UTC"])
def test_every_zone_of_pandas_is_read(zone):
    frame = pandas.DataFrame({"at": pandas.to_datetime(["2024-05-01 12:30", None]).tz_localize(zone), "row": [1, 2]})
    for made in (frame, frame.convert_dtypes(dtype_backend="pyarrow"), polars.from_pandas(frame)):
        column = as_table(made).column("at")
        assert column.zone == zone
        assert column.values[0] == frame["at"].dt.tz_convert(None).to_numpy()[0] and np.isnat(column.values[1])
    assert frame["at"].dt.tz is not None, "the user's frame is as it was"


def test_categories_stay_categories():
    for made in (
        pandas.DataFrame({"c": pandas.Categorical(["b", None, "a", "b"])}),
        polars.DataFrame({"c": polars.Series(["b", None, "a", "b"], dtype=polars.Categorical)}),
        pyarrow.table({"c": pyarrow.array(["b", None, "a", "b"]).dictionary_encode()}),
    ):
        column = as_table(made).column("c")
        assert column.categorical and column.distinct == ["b", "", "a"] and column.codes.tolist() == [0, 1, 2, 0]
    numbers = as_table(pandas.DataFrame({"c": pandas.Categorical([3, 1, 3])})).column("c")
    assert numbers.categorical and numbers.cells() == ["3", "1", "3"]


def test_an_index_is_left_out_and_said_where_it_has_a_name():
    frame = pandas.DataFrame({"a": [1, 2]}, index=["x", "y"])
    assert as_table(frame).names == ["a"] and as_table(frame).notes == []
    assert "the index 'who' is left out" in as_table(frame.rename_axis("who")).notes[0]
    assert as_table(pandas.DataFrame(np.eye(2))).names == ["0", "1"]


def test_arrays():
    table = as_table(np.array([[1.0, NAN], [3.0, np.inf]]))
    assert table.names == ["column_1", "column_2"] and table.column("column_2").cells() == ["", "inf"]
    records = np.array([(1, "x", True), (2, "y", False)], [("n", "i4"), ("t", "U3"), ("b", "?")])
    table = as_table(records)
    assert [type(table.column(name)) for name in "ntb"] == [Numbers, Texts, Booleans]
    masked = as_table({"a": np.ma.masked_array([1, 2], [False, True]), "b": np.array(["2024-01-01", "NaT"], "M8[D]")})
    assert masked.missing_in("a").tolist() == masked.missing_in("b").tolist() == [False, True]
    assert as_table(np.array([["a", 1], ["b", 2]], object)).column("column_2").values.tolist() == [1, 2]
    table = as_table({"a": [1]})
    assert as_table(table) is table and len(table) == 1


@pytest.mark.parametrize("name", ["periods", "quarters", "intervals", "bins", "sparse"])
def test_kinds_of_pandas_alone_are_what_a_csv_file_of_them_is(name, tmp_path):
    cells = {
        "periods": pandas.period_range("2024-01", periods=3, freq="M"),
        "quarters": pandas.PeriodIndex(["2023Q4", "NaT", "2024Q2"], freq="Q"),
        "intervals": pandas.arrays.IntervalArray.from_tuples([(0, 1), (1, 2), None]),
        "bins": pandas.cut([0.5, 7, NAN], 2),
        "sparse": pandas.arrays.SparseArray([0, 3, 0]),
    }[name]
    frame = pandas.DataFrame({"a": cells, "y": [1.0, 2.0, 4.0]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    encoders = [TableEncoder.fit(table, "y") for table in (as_table(frame), read_table(tmp_path / "a.csv"))]
    tables = [as_table(frame), read_table(tmp_path / "a.csv")]
    for encoder in encoders:
        first, second = (encoder.features(table) for table in tables)
        assert (first == second).all() and first.shape[1] >= 1


def test_masked_durations_are_missing():
    hour = np.timedelta64(1, "h")
    table = as_table({"a": np.ma.masked_array([hour, 2 * hour], [False, True])})
    assert table.missing_in("a").tolist() == [False, True]


def test_what_is_said_of_large_whole_numbers():
    for data in ({"id": [2**53 + 1, 1]}, polars.DataFrame({"id": [2**60, 1]}), np.array([[2**60], [1]])):
        assert "beyond 2**53, which are rounded" in as_table(data).notes[0]
    apart = np.uint64(2**63) + np.arange(40, dtype=np.uint64)
    encoder = TableEncoder.fit(as_table({"id": apart, "x": np.arange(40.0), "y": np.arange(40.0)}), "y")
    said = "id  left out: always about 9.22337e+18 (rounded, beyond 2**53) in all training rows"
    assert encoder.describe()[0] == said, "they vary"
    assert as_table({"x": [1e300, 0.5]}).notes == [] == as_table({"id": [2**53 - 1, 1]}).notes


def test_rows_of_a_frame_are_named_by_their_numbers():
    with pytest.raises(
        TableError, match=r"^the table, row 1 \(counted from 0\), column 'a': missing value, an empty cell"
    ):
        as_table(polars.DataFrame({"a": [1, None]})).numbers("a")
    with pytest.raises(TableError, match="^houses, row 0"):
        as_table({"a": ["x"]}, source="houses").numbers("a")


class Colour(enum.Enum):
    RED = 1


class Ragged:
    def to_frame(self):
        return None


REFUSED = {
    "a number": (3, "must be a frame of pandas"),
    "None": (None, "must be a frame of pandas"),
    "a generator": ((row for row in []), "make a list of it first"),
    "a set": ({1, 2}, "make a list of it first"),
    "a series": (pandas.Series([1]), "to_frame"),
    "a series of polars": (polars.Series([1]), "to_frame"),
    "a lazy frame": (polars.LazyFrame({"a": [1]}), "collect"),
    "an empty list": ([], "has no columns"),
    "an empty dict": ({}, "has no columns"),
    "no rows": ({"a": []}, "1 columns and no rows"),
    "a frame without rows": (pandas.DataFrame({"a": []}), "no rows"),
    "a frame without columns": (pandas.DataFrame(index=[1, 2]), "no columns"),
    "a list of lists": ([[1, 2]], "row 0 is list"),
    "a list of numbers": ([1, 2], "a list must hold dicts"),
    "a list with one other": ([{"a": 1}, 3], "row 1 is int"),
    "different lengths": ({"a": [1], "b": [1, 2]}, "different lengths: a 1, b 2"),
    "a scalar for a column": ({"a": 1}, "column 'a' must be a list of its cells, got int"),
    "a text for a column": ({"a": "red"}, "must be a list of its cells, got str"),
    "a matrix for a column": ({"a": np.eye(2)}, r"must have one axis, got shape \(2, 2\)"),
    "one axis": (np.zeros(3), "reshape"),
    "three axes": (np.zeros((2, 2, 2)), "two axes"),
    "no axis": (np.array(3.0), "two axes"),
    "records of two axes": (np.zeros((2, 2), [("a", "f8")]), "records must have one axis"),
    "complex": (np.zeros((2, 2), complex), "real and its imaginary"),
    "bytes": (np.array([[b"x"]]), "decode bytes"),
    "void": (np.zeros((2, 1), "V3"), "dtype"),
    "complex cells": ({"a": [1, 2j]}, r"row 1 \(counted from 0\), column 'a': a cell holds one number"),
    "bytes as cells": ({"a": [b"x"]}, "column 'a'.*got bytes"),
    "lists as cells": ({"a": [[1], [2]]}, "got list"),
    "dicts as cells": ({"a": [{}]}, "got dict"),
    "an enum": ({"a": [Colour.RED]}, "got Colour"),
    "a huge number": ({"a": [1, 10**400]}, "row 1.*beyond float64"),
    "bools and numbers": ({"a": [True, 2]}, r"True \(row 0\) and 2 \(row 1\)|2 \(row 1\) and True \(row 0\)"),
    "bools and texts": ({"a": [True, "x"]}, "different kinds"),
    "dates and numbers": ({"a": [DAY, "x", datetime.time(1)]}, "different kinds"),
    "with and without a zone": ({"a": [NOON, NOON.replace(tzinfo=ROME)]}, "with and without a time zone"),
    "a list column of polars": (
        polars.DataFrame({"a": [[1], [2]]}),
        "column 'a' has the type List.*a cell holds one value",
    ),
    "a struct column": (polars.DataFrame({"a": [{"x": 1}]}), "column 'a' has the type Struct"),
    "an array column": (
        pyarrow.table({"a": pyarrow.array([[1.0]], pyarrow.list_(pyarrow.float64(), 1))}),
        "column 'a'",
    ),
    "a binary column": (polars.DataFrame({"a": [b"x"]}), "column 'a' has the type Binary; decode bytes"),
    "complex in pandas": (pandas.DataFrame({"a": [1j]}), "column 'a'"),
    "lists in pandas": (pandas.DataFrame({"a": [[1], [2]]}), "got list"),
    "the same name twice": (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "columns 0 and 1 are both named 'a'"),
    "the same name but for blanks": ({"a": [1], "a ": [2]}, "both named 'a'"),
    "a name and its number": ({"1": [1], 1: [2]}, "both named '1'"),
    "names of two levels": (pandas.DataFrame([[1, 2]], columns=[["a", "a"], ["b", "c"]]), r"\('a', 'b'\), a tuple"),
    "a name that is None": ({None: [1]}, "the name of column 0 is None"),
    "a name that is a float": ({1.5: [1]}, "the name of column 0 is 1.5, a float"),
    "an empty name": ({"": [1]}, "column 0 has no name"),
    "a name that is a date": ([{DAY: 1}], "a date"),
    "an object that is only called frame": (Ragged(), "several columns"),
    "a range of numbers": (itertools.count(), "make a list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_table_is_named(name):
    data, message = REFUSED[name]
    with pytest.raises((TypeError, TableError), match=message):
        as_table(data)


def test_a_table_made_of_lists():
    table = Table({"a": [1, None], "b": ["x", "7"], "c": [True, False], "d": [DAY, None]})
    assert [type(column) for column in table.columns.values()] == [Numbers, Texts, Booleans, Dates]
