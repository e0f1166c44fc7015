"""Reading of large CSV files by blocks, with both parsers: the same tables, and the same errors, as csv_files.py's."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lr.data import arrow, blocks, csv_files, plain_cells, tables
from tinygrad_lr.data.columns import Numbers, TableError, Texts
from tinygrad_lr.data.csv_files import TextOptions

OPTIONS = TextOptions()
PARSERS = {"pyarrow": arrow.ArrowParser, "numpy": plain_cells.PlainParser}


@pytest.fixture(params=PARSERS)
def parser(request):
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra `tables`, is not installed")
    return PARSERS[request.param]


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


def written(rows, end, last, delimiter=","):
    return (end.join(delimiter.join(row) for row in [("a", "b", "c"), *rows]) + (end if last else "")).encode()


def cells(table):
    """All that a table says: kinds, numbers to the bit, texts, lines, notes."""
    found = {name: (type(c).__name__, c.cells()) for name, c in table.columns.items()}
    values = [c.values.tobytes() for c in table.columns.values() if isinstance(c, Numbers)]
    coded = [(c.codes.tolist(), c.distinct) for c in table.columns.values() if isinstance(c, Texts)]
    return found, values, coded, [table.lines[row] for row in range(len(table))], table.notes


def outcome(read, path, options=OPTIONS):
    try:
        table = read(tables.Source(path), options)
    except TableError as error:
        return str(error)
    return None if table is None else cells(table)


def by_blocks(parser, first, size):
    """A reader with blocks of these sizes."""

    def read(source, options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "FIRST", first)
            patch.setattr(parser, "size", size)
            return blocks.read_large_csv(source, options, parser)

    return read


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("large") / "table.csv"


SIZES = st.sampled_from([(8, 16), (30, 8), (1000, 1000)])


@settings(max_examples=120)
@given(st.data())
def test_all_readers_make_the_same_of_a_file(path, data):
    kinds = [data.draw(st.sampled_from([PLAIN, ODD, st.one_of(PLAIN, PLAIN, PLAIN, ODD)])) for _ in range(3)]
    rows = data.draw(st.lists(st.tuples(*kinds), min_size=1, max_size=12))
    delimiter = data.draw(st.sampled_from([",", ",", ";", "\t", "|"]))
    content = written(rows, data.draw(st.sampled_from(["\n", "\r\n"])), data.draw(st.booleans()), delimiter)
    if data.draw(st.booleans()):
        content = damaged(content, data.draw)
    path.write_bytes(content)
    options = TextOptions(
        delimiter=delimiter,
        header=data.draw(st.sampled_from([None, None, False])),
        decimal=data.draw(st.sampled_from([None, None, ",", "."])),
    )
    slow = outcome(csv_files.read_csv, path, options)
    for parser in PARSERS.values() if arrow.is_available() else [plain_cells.PlainParser]:
        fast = outcome(by_blocks(parser, *data.draw(SIZES)), path, options)
        assert fast is None or fast == slow


FOUND = [
    b"a,b\n1,1\n\n1,1\n",
    b"a,b\n1,1\n\n",
    b"a,b\r\n1,1\r\n\r\n1,1",
    b"a,b\n1,1\n ,\n",
    b"a;b\n1.000;5\n2.000;5\n",
    b"a;b\n" + b"1;5\n" * 30 + b"1.000;5\n",
    b"\xef\xbb\xbfa,b\n1,1\n",
    b"a,b\n1,1\n\xef\xbb\xbf1,1\n",
    b",a,b\n\xff,1,1\n",
    b",".join(b"c%d" % place for place in range(1001)) + b"\n" + b"1," * 1000 + b"1\n",
]


@pytest.mark.parametrize("content", FOUND)
def test_files_that_readers_once_took_differently(path, content, parser):
    path.write_bytes(content)
    for sizes in ((1, 4), (16, 8), (1000, 1000)):
        fast = outcome(by_blocks(parser, *sizes), path)
        assert fast is None or fast == outcome(csv_files.read_csv, path)


DAMAGE = [
    b"\0",
    b"\r",
    b"\n",
    b"\n\n",
    b'"',
    b"\xff",
    b"\xef\xbb\xbf",
    b",",
    b" ",
    b"\r\n",
    b"\xe2\x88\x92",
    b"\x1c",
    b"0",
]


def damaged(content, draw):
    """The bytes with others among them, or a byte-order mark in front."""
    place = draw(st.one_of(st.just(0), st.just(len(content)), st.integers(0, len(content))))
    return content[:place] + draw(st.sampled_from(DAMAGE)) + content[place:]


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
def test_what_is_read_by_blocks(path, name, parser):
    """In the test above, None would hide a reader that gives up on everything."""
    path.write_bytes(written(REGULAR[name], "\n", True))
    fast = outcome(by_blocks(parser, 64, 64), path)
    assert fast is not None and fast == outcome(csv_files.read_csv, path)


def test_numbers_are_rounded_as_float_does(path, parser):
    @given(st.lists(st.one_of(st.floats(), st.floats(-1e6, 1e6).map(lambda x: round(x, 9))), min_size=20, max_size=40))
    def check(numbers):
        texts = [repr(number) for number in numbers if np.isfinite(number)]
        texts += ["1", "9007199254740993", "0.1" + "0" * 30 + "1", "999999999999999.", "0.999999999999999", "-0"]
        path.write_bytes(("a,b\n" + "".join(f"{text},1\n" for text in texts)).encode())
        table = by_blocks(parser, 16, 4096)(tables.Source(path), OPTIONS)
        assert table.column("a").values.tobytes() == np.array(list(map(float, texts))).tobytes()

    check()


def test_large_files_are_read_by_pyarrow_and_that_is_said(path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow, of the extra `tables`, is not installed")
    path.write_bytes(b",a,b\n" + b"0,1,x\n" * 2000)
    small = tables.read_table(path)
    monkeypatch.setattr(tables, "LARGE", 1000)
    large = tables.read_table(path)
    assert cells(large)[:-1] == cells(small)[:-1] and large.sha256 == small.sha256 != ""
    assert large.notes == [*small.notes, "read by pyarrow, as files of 0 MiB and more are"]
    monkeypatch.setattr(arrow, "is_available", lambda: False)
    assert "pip install 'tinygrad_lr[tables]'" in tables.read_table(path).notes[-1]


def test_files_on_the_disk_are_read_piece_by_piece(path, parser, monkeypatch):
    """And again where a column turns out to be a text; the bytes that were hashed are those that were read."""
    from tinygrad_lr.data import sources

    path.write_bytes(b"a,b\n" + b"1,2\n" * 3000 + b"one,2\n")
    whole = tables.read_table(path)
    monkeypatch.setattr(tables, "LARGE", 1000)
    monkeypatch.setattr(sources, "STREAMED_FROM", 1000)
    monkeypatch.setattr(arrow, "is_available", lambda: parser is arrow.ArrowParser)
    monkeypatch.setattr(blocks, "FIRST", 100)
    monkeypatch.setattr(parser, "size", 1000)
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
