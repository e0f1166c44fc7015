"""Tables: what is read, and that every fault is named with file, line and column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr.data import datasets
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
    "short row": ("a,b\n1,2\n\n1\n", "line 4: 1 field where"),
    "empty name": ("a,,c\n1,2,3\n", "column 2 has no name"),
    "duplicate name": ("a,b,a\n1,2,3\n", "columns 1 and 3 are both named 'a'"),
    "no header": ("1,2\n3,4\n", "the first line must name the columns, got numbers: 1, 2"),
    "latin-1": ("größe,x\n1,2\n".encode("latin-1"), "not UTF-8"),
    "utf-16 without its mark": ("a,b\n1,2\n".encode("utf-16-le"), "not UTF-8, most likely utf-16-le"),
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
