"""pyarrow's reading of large CSV files: the same tables, and the same errors, as csv_files.py makes of them."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lr.data import arrow, csv_files, tables
from tinygrad_lr.data.columns import MISSING, Numbers, TableError, Texts

pytest.importorskip("pyarrow", reason="pyarrow, of the extra `tables`, is not installed")

OPTIONS = {"delimiter": None, "encoding": None, "header": None, "decimal": None, "missing": MISSING}
PLAIN = st.sampled_from(
    ["1", "2.5", "-3e-05", "0", "0.25", "1e300", "5e-324", "1.", ".5", "123456789012345678901", "-0"]
)
ODD = st.sampled_from(
    [
        "",
        "NA",
        "nan",
        "NaN",
        "nAn",
        "007",
        "-05",
        "+5",
        "+05",
        "1e999",
        "-inf",
        "x",
        "é",
        "1_0",
        " 7",
        "8 ",
        " 09",
        "1,5",
    ]
    + [
        "2020-01-05",
        "08:30",
        "?",
        "0x10",
        "1e",
        "--1",
        "１",
        '"q"',
        '"a,b"',
        '"1"',
        '"05"',
        '""',
        '"say ""hi"""',
        "0e5",
    ]
    + ["00", "true", "1 2", "1;5", "Infinity", '"x', 'y"', '"a\nb"', '"p" q', ' "r"', "\t7"]
)


def written(rows, end, last):
    return ("a,b,c" + end + end.join(",".join(row) for row in rows) + (end if last else "")).encode()


def cells(table):
    """All that a table says: kinds, numbers to the bit, texts, lines, notes."""
    found = {name: (type(c).__name__, c.cells()) for name, c in table.columns.items()}
    values = [c.values.tobytes() for c in table.columns.values() if isinstance(c, Numbers)]
    coded = [(c.codes.tolist(), c.distinct) for c in table.columns.values() if isinstance(c, Texts)]
    return found, values, coded, [table.lines[row] for row in range(len(table))], table.notes


def outcome(read, path):
    try:
        table = read(tables.Source(path), **OPTIONS)
    except TableError as error:
        return str(error)
    return None if table is None else cells(table)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("large") / "table.csv"


@settings(max_examples=120)
@given(st.data())
def test_both_readers_make_the_same_of_a_file(path, data):
    kinds = [data.draw(st.sampled_from([PLAIN, ODD, st.one_of(PLAIN, PLAIN, PLAIN, ODD)])) for _ in range(3)]
    rows = data.draw(st.lists(st.tuples(*kinds), min_size=1, max_size=12))
    content = written(rows, data.draw(st.sampled_from(["\n", "\r\n"])), data.draw(st.booleans()))
    path.write_bytes(content)
    kept = arrow.FIRST, arrow.BLOCK
    arrow.FIRST, arrow.BLOCK = data.draw(st.sampled_from([(8, 16), (30, 8), (1000, 1000)]))
    try:
        fast = outcome(arrow.read_large_csv, path)
    finally:
        arrow.FIRST, arrow.BLOCK = kept
    slow = outcome(csv_files.read_csv, path)
    assert fast is None or fast == slow


REGULAR = {
    "numbers": [("1", "2.5", "x"), ("0.1", "-3", "y")] * 20,
    "a late text": [("1", "2", "x")] * 30 + [("one", "2", "x")],
    "a late code": [("1", "2", "x")] * 30 + [("01", "2", "x")],
    "missing values": [("1", "", "x"), ("NA", "2", ""), ("nan", "3", "NA")] * 20,
    "an infinity": [("1", "2", "x")] * 30 + [("1e999", "-inf", "x")],
    "small exponents": [("1e-05", "2020-01-05", "08:30")] * 30,
    "quoted": [('"1"', '"a,b"', '"say ""hi"""')] * 30,
    "nothing at first": [("", "NA", "")] * 30 + [("1", "x", "2")],
    "other scripts": [("１", "é", "1")] * 30,
}


@pytest.mark.parametrize("name", REGULAR)
def test_what_pyarrow_reads_itself(path, name, monkeypatch):
    """In the test above, None would hide a reader that gives up on everything."""
    monkeypatch.setattr(arrow, "FIRST", 64)
    monkeypatch.setattr(arrow, "BLOCK", 64)
    path.write_bytes(written(REGULAR[name], "\n", True))
    fast = outcome(arrow.read_large_csv, path)
    assert fast is not None and fast == outcome(csv_files.read_csv, path)


@given(st.lists(st.floats(), min_size=20, max_size=40))
def test_numbers_are_rounded_as_float_does(path, numbers):
    texts = [repr(number) for number in numbers if np.isfinite(number)] + [
        "1",
        "9007199254740993",
        "0.1" + "0" * 30 + "1",
    ]
    path.write_bytes(("a,b\n" + "".join(f"{text},1\n" for text in texts)).encode())
    table = arrow.read_large_csv(tables.Source(path), **OPTIONS)
    assert table.column("a").values.tolist() == list(map(float, texts))


def test_large_files_are_read_by_pyarrow_and_that_is_said(path, monkeypatch):
    path.write_bytes(b",a,b\n" + b"0,1,x\n" * 2000)
    small = tables.read_table(path)
    monkeypatch.setattr(tables, "LARGE", 1000)
    large = tables.read_table(path)
    assert cells(large)[:-1] == cells(small)[:-1] and large.sha256 == small.sha256 != ""
    assert large.notes == [*small.notes, "read by pyarrow, as files of 0 MiB and more are"]
    monkeypatch.setattr(arrow, "is_available", lambda: False)
    assert "pip install 'tinygrad_lr[tables]'" in tables.read_table(path).notes[-1]


def test_files_on_the_disk_are_read_piece_by_piece(path, monkeypatch):
    """And again where a column turns out to be a text; the bytes that were hashed are those that were read."""
    from tinygrad_lr.data import sources

    path.write_bytes(b"a,b\n" + b"1,2\n" * 3000 + b"one,2\n")
    whole = tables.read_table(path)
    monkeypatch.setattr(tables, "LARGE", 1000)
    monkeypatch.setattr(sources, "STREAMED_FROM", 1000)
    monkeypatch.setattr(arrow, "FIRST", 100)
    monkeypatch.setattr(arrow, "BLOCK", 1000)
    assert tables.Source(path).is_streamed
    streamed = tables.read_table(path)
    assert cells(streamed)[:-1] == cells(whole)[:-1] and streamed.sha256 == whole.sha256
    assert streamed.column("a").distinct == ["1", "one"]
    changing = tables.Source(path)
    with changing.open() as file:
        file.read()
        assert file.read() == b""
    path.write_bytes(path.read_bytes() + b"3,4\n")
    with pytest.raises(TableError, match="changed while it was read"), changing.open() as file:
        while file.read(1000):
            pass
    assert os.path.getsize(path) > 1000
