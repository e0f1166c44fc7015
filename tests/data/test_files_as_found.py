"""Files as people have them: how each is read and what is said of it; and bad ones, each with the error it gives."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import os
import re
import sys
import threading
import zipfile

import numpy as np
import pytest

from tinygrad_lr.data import csv_files, excel, sources, tables
from tinygrad_lr.data.cells import as_numbers, read_cells
from tinygrad_lr.data.columns import TableError
from tinygrad_lr.data.recognition import Conventions
from tinygrad_lr.data.tables import as_table, read_table


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def workbook(*rows, sheet="Data", others=(), hidden=()):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl, of the extra `tables`, is not installed")
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    for name in others:
        book.create_sheet(name).append(["x"])
    for name in hidden:
        book[name].sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


# --- files that are read ------------------------------------------------------------------------------------------

AB = {"a": ["1", "3"], "b": ["2", "4"]}
# name: content, options, columns as cells, a part of each note
FOUND = {
    "pandas with its index": (",a,b\n0,1,2\n1,3,4\n", {}, AB, ["column 1 has no name: it holds row names"]),
    "pandas with its index, read and written again": (
        "Unnamed: 0,a,b\n0,1,2\n1,3,4\n", {}, AB, ["column 1 is called 'Unnamed: 0'"],
    ),
    "R's write.csv": ('"","a","b"\n"1",1,2\n"2",3,4\n', {}, AB, ["row names"]),
    "R's write.table": ('"a" "b"\n"1" 1 2\n"2" 3 4\n', {}, AB, ["one field more than the header"]),
    "R's write.table with texts": (
        '"a" "b"\n"1" 1 "x y"\n"2" NA "z"\n', {}, {"a": ["1", "NA"], "b": ["x y", "z"]}, ["one field more"],
    ),
    "R's write.csv2": ('"";"a";"b"\n"1";1,5;2\n"2";3;4\n', {}, {"a": ["1,5", "3"], "b": ["2", "4"]}, ["row names"]),
    "aligned columns": ("   a   b\n   1   2  \n  3 \t 4\n", {}, AB, []),
    "blanks": ("a b\n1 2\n3 4\n", {}, AB, []),
    "tabs": ("a\tb\n1\t2\n3\t4\n", {}, AB, []),
    "an empty field between tabs": ("a\tb\n\t2\n3\t\n", {}, {"a": ["", "3"], "b": ["2", ""]}, []),
    "bars": ("a|b\n1|2\n3|4\n", {}, AB, []),
    "semicolons and decimal commas": ("a;b\n1,5;2\n2,5;4\n", {}, {"a": ["1,5", "2,5"], "b": ["2", "4"]}, []),
    "only decimal commas": ("a;b\n1,5;2,5\n3,5;4,5\n", {}, {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}, []),
    "more commas in fields than semicolons between them": (
        'a;b\n"x, y, z";1\n"p, q, r";2\n', {}, {"a": ["x, y, z", "p, q, r"], "b": ["1", "2"]}, [],
    ),
    "more delimiters in a name than between names": (
        '"a;x;y;z",b\n1,2\n3,4\n', {}, {"a;x;y;z": ["1", "3"], "b": ["2", "4"]}, [],
    ),
    "semicolons and decimal commas without a header": (
        "1,5;2\n3,5;4\n", {"header": False}, {"column_1": ["1,5", "3,5"], "column_2": ["2", "4"]}, [],
    ),
    "names with blanks": ("first name,b\n1,2\n3,4\n", {}, {"first name": ["1", "3"], "b": ["2", "4"]}, []),
    "Excel's sep=": ("sep=;\r\na;b\r\n1;2\r\n3;4\r\n", {}, AB, []),
    "Excel's sep= for a tab": ("sep=\t\na\tb\n1\t2\n3\t4\n", {}, AB, []),
    "line ends of old Macs": ("a,b\r1,2\r3,4\r", {}, AB, []),
    "line ends of Windows": ("a,b\r\n1,2\r\n3,4\r\n", {}, AB, []),
    "mixed line ends": ("a,b\r\n1,2\n3,4\r", {}, AB, []),
    "blank lines": ("\n\na,b\n\n1,2\n   \n3,4\n\n", {}, AB, []),
    "delimiters at the ends of all lines": ("a,b,\n1,2,\n3,4,\n", {}, AB, ["left out (3)"]),
    "delimiters at the ends of the rows": ("a,b\n1,2,\n3,4,\n", {}, AB, ["at the ends of the rows are passed over"]),
    "a delimiter at the end of the header": ("a,b,\n1,2\n3,4\n", {}, AB, ["at the end of the header are passed over"]),
    "a spreadsheet's empty columns and rows": (
        "a,b,,\n1,2,,\n3,4,,\n,,,\n,,,\n", {}, AB, ["2 empty rows at the end", "left out (3, 4)"],
    ),
    "scikit-learn's files": (
        "3,2,no,yes\n1,2,0\n3,4,1\n5,6,0\n", {},
        {"column_1": ["1", "3", "5"], "column_2": ["2", "4", "6"], "target": ["no", "yes", "no"]},
        ["counts 3 rows and 2 inputs and names the classes no, yes"],
    ),
    "scikit-learn's files with as many classes": (
        "1,4,p,q,r\n1,2,3,4,2\n", {}, {"column_1": ["1"], "column_4": ["4"], "target": ["r"]}, ["counts 1 rows"],
    ),
    "no header": ("1,2\n3,4\n", {"header": False}, {"column_1": ["1", "3"], "column_2": ["2", "4"]}, []),
    "a delimiter by its name": ("a;b\n1;2\n3;4\n", {"delimiter": "semicolon"}, AB, []),
    "codes with leading zeros": ("zip,n\n00501,0\n10001,0.5\n", {}, {"zip": ["00501", "10001"], "n": ["0", "0.5"]}, []),
    "UTF-8 with its mark": ("\ufeffa,b\n1,2\n3,4\n", {}, AB, []),
    "UTF-8 with its mark, named": ("\ufeffa,b\n1,2\n3,4\n", {"encoding": "utf-8"}, AB, []),
    "UTF-16": ("a,b\n1,2\n3,4\n".encode("utf-16"), {}, AB, []),
    "UTF-16, the other way round": (b"\xfe\xff" + "a,b\n1,2\n3,4\n".encode("utf-16-be"), {}, AB, []),
    "UTF-32": ("a,b\n1,2\n3,4\n".encode("utf-32"), {}, AB, []),
    "UTF-16 without its mark, named": ("a,b\n1,2\n3,4\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, AB, []),
    "Windows' letters": ("größe\n1\n2\n".encode("cp1252"), {"encoding": "cp1252"}, {"größe": ["1", "2"]}, []),
    "Cyrillic": ("рост,b\n1,2\n".encode("cp1251"), {"encoding": "cp1251"}, {"рост": ["1"], "b": ["2"]}, []),
    "gzip": (gzip.compress(b"a,b\n1,2\n3,4\n"), {}, AB, []),
    "bzip2": (bz2.compress(b"a,b\n1,2\n3,4\n"), {}, AB, []),
    "xz": (lzma.compress(b"a,b\n1,2\n3,4\n"), {}, AB, []),
    "zip": (zipped(**{"t.csv": "a,b\n1,2\n3,4\n", "__MACOSX/t": "x", "folder/": ""}), {}, AB, []),
    "a blank line in one column": ('a\n1\n\n""\n', {}, {"a": ["1", ""]}, []),
    "a missing column": ("a,b\n,1\nNA,2\n", {}, {"a": ["", "NA"], "b": ["1", "2"]}, []),
    "whole numbers beyond float64": ("a\n9007199254740993\n", {}, {"a": ["9007199254740992"]}, ["beyond 2**53"]),
    "a comment in a name": ("#a,b\n1,2\n", {}, {"#a": ["1"], "b": ["2"]}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_files_as_found(write, name):
    content, options, columns, notes = FOUND[name]
    table = read_table(write(content), **options)
    for column, cells in columns.items():
        assert table.column(column).cells() == cells
    assert len(table.names) == len(columns) or "column_4" in columns
    assert len(table.notes) == len(notes) and all(part in note for part, note in zip(notes, table.notes, strict=True))


def test_lines_of_rows(write):
    table = read_table(write('sep=,\n\na,b\n1,"x\ny"\n\n2,z\n3,w\n'))
    assert [table.lines[row] for row in range(3)] == [4, 7, 8]
    assert [table.take(np.array([2, 0])).lines[row] for row in range(2)] == [8, 4]


def test_a_decimal_comma_makes_points_thousands_marks(write):
    path = write("a;b\n1.234;5\n2.500;6\n")
    assert read_table(path).numbers("a").tolist() == [1.234, 2.5]
    table = read_table(path, decimal=",")
    assert table.column("a").distinct == ["1.234", "2.500"] and table.numbers("b").tolist() == [5, 6]


def test_a_very_long_field_is_read_and_one_without_end_is_not(write, monkeypatch):
    limit = csv.field_size_limit()
    table = read_table(write('a,b\n1,"' + "x\n" * 70_000 + f'y"\n2,{"z" * 10**6}\n'))
    assert [len(table.column("b").cell(row)) for row in range(2)] == [140_001, 10**6]
    monkeypatch.setattr(csv_files, "LONGEST", 10**5)
    with pytest.raises(TableError, match="line 2: field larger than field limit .*no second one"):
        read_table(write('a,b\n1,"' + "x\n" * 70_000 + '"\n'))
    assert csv.field_size_limit() == limit, "a program's own limit stays"
    with pytest.raises(TableError) as caught:
        read_cells(read_table(write("a,y\n" + "9" * 10**4 + ",1\n2,3\n")), ["a", "y"])
    assert len(str(caught.value)) < 300 and "(10,000 characters) is not finite" in str(caught.value)


def test_encodings_that_are_said_and_marks_that_are_not_theirs(write):
    text = "大きさ,y\n赤い,1\n青い,2\n"
    marked = codecs.BOM_UTF8 + text.encode("cp932")
    assert read_table(write(marked), encoding="cp932").names == ["大きさ", "y"]
    with pytest.raises(TableError, match="most likely (shift_jis|cp932), in which it reads '大きさ,y'"):
        read_table(write(marked))
    with pytest.raises(TableError, match="not cp932 .*most likely utf-8, in which it reads"):
        read_table(write(text + "赤,3\n"), encoding="cp932")
    table = read_table(write(text), encoding="latin-1")
    assert table.notes == [
        "read as iso8859-1, as was said, but the bytes are UTF-8: where letters look wrong, leave the encoding out"
    ]
    assert read_table(write("größe,y\n1,2\n".encode("latin-1")), encoding="latin-1").notes == []


POINTS = {  # what stands between fields, cells of the columns a and b -> the first number of a, or None: refused
    "thousands between semicolons, alone": (";", ["1.234", "5.678"], ["1", "2"], None),
    "round thousands": (";", ["45.000", "52.500", "38.250"], ["1", "2", "3"], None),
    "whole thousands": (";", ["45.000", "52.000"], ["1", "2"], None),
    "one that decides among many": (";", [*(f"1.{i:03}" for i in range(60)), "1.23"], ["1"] * 61, None),
    "between tabs": ("\t", ["1.234", "5.678"], ["1", "2"], None),
    "beside a decimal comma": (";", ["1.234", "5.678"], ["0,5", "2"], 1234),
    "beside a decimal point": (";", ["1.234", "5.678"], ["0.5", "2"], 1.234),
    "beside two decimals": (";", ["1.234", "5.678"], ["2.75", "2"], 1.234),
    "thousands that show it": (";", ["1.230", "45", "1.234", "2.345"], ["1", "2", "3", "4"], 1230),
    "a zero before the point": (";", ["1.234", "0.678"], ["1", "2"], 1.234),
    "four decimals": (";", ["1.2345", "5.678"], ["1", "2"], 1.2345),
    "fewer decimals": (";", ["12.50", "5.678"], ["1", "2"], 12.5),
    "whole numbers": (";", ["12", "5"], ["1", "2"], 12),
    "between commas": (",", ["1.234", "5.678"], ["1", "2"], 1.234),
    "between blanks": (" ", ["1.234", "5.678"], ["1", "2"], 1.234),
    "between bars": ("|", ["1.234", "5.678"], ["1", "2"], 1.234),
}


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("by", ["csv", "pyarrow"])
def test_a_point_that_may_stand_between_thousands_is_decided_or_refused(name, by, write, monkeypatch):
    mark, cells, beside, first = POINTS[name]
    if by == "pyarrow":
        pytest.importorskip("pyarrow", reason="reads large files")
        if name == "whole thousands":
            return  # pyarrow's numbers do not show that there were points
        monkeypatch.setattr(tables, "LARGE", 0)
    path = write(f"a{mark}b\n" + "".join(f"{a}{mark}{b}\n" for a, b in zip(cells, beside, strict=True)))
    if first is not None:
        found, _ = read_cells(read_table(path), ["a", "b"])
        assert found["a"].values[0] == first
        assert as_numbers(read_table(path), "a")[0] == first, "other columns decide, though they are not asked for"
        return
    with pytest.raises(TableError, match=r"line .*, column 'a': .* can mean .*--decimal \. or --decimal ,"):
        read_cells(read_table(path), ["a", "b"])
    for decimal, factor in ((".", 1), (",", 1000)):
        if len(cells) < 61:
            found = read_cells(read_table(path, decimal=decimal), ["a"], Conventions(decimal))[0]["a"]
            assert np.allclose(found.values, np.array(cells, float) * factor, rtol=1e-15)


@pytest.mark.parametrize("texts", [["1.234", "5.678"], ["1,234", "5,678"]])
def test_numbers_that_a_spreadsheet_has_as_texts_are_decided_as_those_of_a_csv_file(texts, write):
    def first(*more, **options):
        path = write(workbook(["a", *more[:1]], *([text, *more[1:]] for text in texts)), "table.xlsx")
        table = read_table(path, **options)
        return read_cells(table, table.names, Conventions(options.get("decimal")))[0]["a"].values[0]

    with pytest.raises(TableError, match=r"row 2, column 'a': '1.234' can mean 1234 or 1.234; name the decimal mark"):
        first()
    point = texts[0] == "1.234"
    assert first(decimal=".") == (1.234 if point else 1234) == first("b", 0.5)
    assert first(decimal=",") == (1234 if point else 1.234) == first("b", "0,5")


def test_options_of_an_earlier_reading(write):
    earlier = read_table(write("1;-\n3;4\n"), delimiter=";", header=False, na_values=["-"])
    assert earlier.read_as == {"delimiter": ";", "header": False, "na_values": ["-"]}
    again = read_table(write("5;6\n-;7\n"), defaults=earlier.read_as)
    assert again.missing_in("column_1").tolist() == [False, True]
    assert read_table(write("a,b\n1,2\n"), ",", header=True, defaults=earlier.read_as).names == ["a", "b"]
    book = write(workbook(["a", "b"], [1, 2]), "table.xlsx")  # which has no delimiter
    assert read_table(book, header=True, defaults=earlier.read_as).names == ["a", "b"]
    for wrong in ({"delimiter": 3}, {"header": "no"}, {"unknown": 1}, {"na_values": "x"}, {"encoding": []}):
        with pytest.raises(ValueError):
            read_table(book, defaults=wrong)


def test_excel(write):
    import datetime

    day = datetime.datetime(2024, 5, 1)
    rows = [
        [None],
        [None, "a", "when", "who", "yes", "odd"],
        [0, 1.5, day, "x", True, "n/a"],
        [1, None, None, "y", False, 2],
    ]
    path = write(workbook(*rows, others=["Notes", "Old"], hidden=["Old"]), "table.xlsx")
    table = read_table(path)
    assert table.names == ["a", "when", "who", "yes", "odd"] and len(table.notes) == 2
    assert "'Data' is read; there are also 'Notes', 'Old'" in table.notes[0] and "row names" in table.notes[1]
    kinds = [type(column).__name__ for column in table.columns.values()]
    assert kinds == ["Numbers", "Dates", "Texts", "Booleans", "Numbers"]
    with pytest.raises(TableError, match="sheet 'Data', row 4, column 'a': missing value"):
        table.numbers("a")
    assert read_table(write(workbook([1, 2], [3, 4]), "t.xlsx"), header=False).names == ["column_1", "column_2"]
    assert as_table(str(path)).sha256 == table.sha256


# --- files that are refused ---------------------------------------------------------------------------------------

PICKLE = b"\x80\x04\x95\x00\x00"
BOMB = gzip.compress(b"a,b\n" + b"1,2\n" * 250_000)
# name: content, options, a part of the message
REFUSED = {
    "nothing": ("", {}, "the file is empty; its first line must name the columns"),
    "blank lines alone": ("\n \n\n", {}, "the file is empty"),
    "a byte-order mark alone": ("\ufeff", {}, "the file is empty"),
    "a header alone": ("a,b\n", {}, "a header and no rows"),
    "a header with row names alone": (",a,b\n", {}, "a header and no rows"),
    "sep= alone": ("sep=;\n", {}, "the file is empty"),
    "numbers as a header": ("1,2\n3,4\n", {}, "line 1: .*got numbers: 1, 2; .*--no-header"),
    "numbers with decimal commas as a header": ("1,5;2\n3,5;4\n", {}, "got numbers: 1,5, 2"),
    "two names alike": ("a,b,a\n1,2,3\n", {}, "line 1: columns 1 and 3 are both named 'a'; rename one"),
    "two names alike but for blanks": ("a,b, a \n1,2,3\n", {}, "both named 'a'"),
    "two names alike in a header without rows": ("a,a\n", {}, "both named 'a'"),
    "a name that is missing": ("a,,b\n1,2,3\n", {}, "line 2: column 2 has no name, but '2' stands in it"),
    "a name that is missing, its value late": ("a,b,\n1,2,\n3,4,x\n", {}, "line 3: column 3 has no name, but 'x'"),
    "names that are all missing": (",,\n1,2,3\n", {}, "line 1: no column has a name"),
    "a title": (
        "Sales of 2024\n\na,b,c\n1,2,3\n", {}, r"line 3: 3 fields .* header has 1 \(line 1: 'Sales.*Remove a title",
    ),
    "a title with one field less": ("Sales,2024\na,b,c\n1,2,3\n", {}, r"\(line 1: 'Sales'\); .*Remove a title"),
    "a comment above the header": ("# made by x\na,b\n1,2\n", {}, "Remove a title or comments above"),
    "a comment among the rows": ("a,b\n1,2\n# x\n3,4\n", {}, "line 3: 1 field .*; remove comments .*: '# x'"),
    "a comment at the end": ("a,b\n1,2\n#end\n", {}, "line 3: .*remove comments"),
    "a row too long": ("a,b\n1,2\n1,2,3\n", {}, "line 3: 3 fields where the header has 2, .* in quotes: '1,2,3'"),
    "a row too short": ("a,b\n1,2\n\n1\n", {}, "line 4: 1 field where the header has 2, .*write an empty field"),
    "some rows with a delimiter at the end": ("a,b\n1,2\n1,2,\n", {}, "line 3: 3 fields"),
    "row names in some rows": ("a,b\nx,1,2\n1,2\n", {}, "line 2: 3 fields where the header has 2"),
    "a thousands mark that is the delimiter": ("a,b\n1,234,5\n6,7\n", {}, "line 2: 3 fields"),
    "aligned columns with a gap": ("a b c\n1 2 3\n4   6\n", {}, "line 3: 2 fields .*separated by blanks"),
    "a second table below": ("a,b\n1,2\n\nc,d,e\n3,4,5\n", {}, "line 4: 3 fields"),
    "a delimiter that is not there": ("a,b\n1,2\n3,4,5\n", {"delimiter": ";"}, None),
    "a quotation that does not end": ('a,b\n1,"2\n3,4\n', {}, 'line 2: unexpected end of data; a field begins with "'),
    "a header whose quotation does not end": ('a,"b\n1,2\n', {}, "line 1: unexpected end"),
    "text after a quotation": ('a,b\n1,"2"x\n', {}, "line 2: ',' expected after '\"'; .*written twice"),
    "a quotation escaped by a backslash": ('a,b\n1,"say \\"x\\""\n', {}, "line 2: .*written twice"),
    "Latin-1": (
        "größe,x\n1,2\n".encode("latin-1"), {}, "line 1: not UTF-8 .*0xf6.* cp1252, .*'größe,x'.*--encoding",
    ),
    "Latin-1 in a late line": ("a,x\n" + "1,2\n" * 20_000 + "é,1\n", {"encoding": "ascii"}, "line 20002: not .*0xc3"),
    "Windows' quotes": ("a,b\n1,\x93x\x94\n".encode("latin-1"), {}, "line 2: not UTF-8 .*cp1252.*“x”"),
    "Cyrillic": ("рост,вес,пол\nмуж,жен,нет\n".encode("cp1251"), {}, "most likely cp1251, .*'рост,вес,пол'"),
    "Japanese": ("身長,体重\n男性,女性\n".encode("shift_jis"), {}, "most likely .*(shift_jis|gb18030)"),
    "UTF-16 without its mark": ("a,b\n1,2\n".encode("utf-16-le"), {}, "most likely utf-16-le; .*--encoding"),
    "UTF-16 without its mark, the other way": ("a,b\n1,2\n".encode("utf-16-be"), {}, "most likely utf-16-be"),
    "half of a UTF-16 letter": ("a,b\n1,2\n".encode("utf-16")[:-1], {}, "not utf-16"),
    "UTF-8 named UTF-16": ("a,b\n1,2\n3", {"encoding": "utf-16"}, "not utf-16"),
    "a NUL byte": ("a,b\n1,2\n3,\0\n", {}, "line 3: a NUL byte"),
    "an unknown encoding": ("a\n1\n", {"encoding": "klingon"}, "no encoding of texts is called 'klingon'; usual ones"),
    "an encoding that is none of texts": ("a\n1\n", {"encoding": "zlib"}, "no encoding of texts is called 'zlib'"),
    "an empty encoding": ("a\n1\n", {"encoding": ""}, "no encoding of texts is called ''"),
    "two delimiters": ("a\n1\n", {"delimiter": ", "}, "a delimiter is one character"),
    "an unknown word for a delimiter": ("a\n1\n", {"delimiter": "dash"}, "Words for it: tab, space"),
    "no delimiter": ("a\n1\n", {"delimiter": ""}, "a delimiter is one character"),
    "a quotation mark as delimiter": ("a\n1\n", {"delimiter": '"'}, "no quotation mark"),
    "an unknown decimal mark": ("a\n1\n", {"decimal": "'"}, "decimal must be '.' or ','"),
    "a sheet of a text file": ("a\n1\n", {"sheet": "x"}, "sheet is no option of a text file"),
    "gzip cut off": (gzip.compress(b"a,b\n1,2\n" * 100)[:-9], {}, "the gzip file is damaged or cut off"),
    "gzip damaged": (b"\x1f\x8b\x08\0\0\0\0\0\0\0" + b"x" * 50, {}, "the gzip file is damaged"),
    "gzip with a wrong sum": (gzip.compress(b"a\n1\n")[:-8] + bytes(8), {}, "the gzip file is damaged .*CRC"),
    "bzip2 cut off": (bz2.compress(b"a,b\n1,2\n" * 100)[:-9], {}, "the bzip2 file is damaged or cut off"),
    "xz cut off": (lzma.compress(b"a,b\n1,2\n" * 100)[:-9], {}, "the xz file is damaged or cut off"),
    "xz damaged": (b"\xfd7zXZ\x00" + b"x" * 50, {}, "the xz file is damaged"),
    "a bomb": (BOMB, {}, "decompressed, it has more than .* bytes, 200 times its size"),
    "gzip in gzip": (gzip.compress(gzip.compress(b"a\n1\n")), {}, "compressed twice"),
    "nothing in gzip": (gzip.compress(b""), {}, "the file is empty"),
    "zip with two tables": (zipped(**{"a.csv": "a\n1\n", "b.csv": "b\n2\n"}), {}, "holds a.csv, b.csv; unpack it"),
    "zip with nothing": (zipped(), {}, "archive"),
    "zip cut off": (zipped(**{"a.csv": "a\n1\n" * 99})[:-30], {}, "the archive is damaged or cut off"),
    "arrays of NumPy": (zipped(**{"a.npy": "x"}), {}, "holds NumPy arrays"),
    "an OpenDocument sheet": (zipped(mimetype="x", **{"content.xml": "x"}), {}, "OpenDocument file, which is not read"),
    "a web page": ("<!DOCTYPE html><html></html>", {}, "is a web page or XML, no table"),
    "XML": ('<?xml version="1.0"?><a/>', {}, "is a web page or XML"),
    "JSON records": ('[{"a": 1}]', {}, "is JSON; in Python, give json.load's list of dicts"),
    "a JSON object": ('{"a": [1]}', {}, "is JSON"),
    "JSON lines": ('{"a": 1}\n{"a": 2}\n', {}, "is JSON"),
    "a JSON list of lists": ("[[1, 2], [3, 4]]", {}, "is JSON"),
    "an old Excel file": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), {}, r"before 2007 \(.xls\)"),
    "a PDF": (b"%PDF-1.7\n", {}, "is a PDF"),
    "SQLite": (b"SQLite format 3\0" + bytes(90), {}, "SQLite database; write the table to CSV: sqlite3"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", {}, "an HDF5 file"),
    "an array": (b"\x93NUMPY\x01\0", {}, "numpy.load"),
    "a pickle": (PICKLE, {}, "pickle, which is not opened since it could run any code"),
    "R's data": (gzip.compress(b"RDX3\nX\n"), {}, r"R's save\(\); write the table with write.csv"),
    "R's object": (gzip.compress(b"X\n\x00\x00\x00\x03\0\0"), {}, r"R's saveRDS\(\)"),
    "Stata": (b"<stata_dta><header>", {}, "a Stata file; .*read_stata"),
    "SPSS": (b"$FL2@(#) SPSS", {}, "an SPSS file"),
    "Zstandard": (b"\x28\xb5\x2f\xfd1234", {}, "zstd -d"),
    "7z": (b"7z\xbc\xaf\x27\x1c", {}, "7z archive; unpack it"),
    "RAR": (b"Rar!\x1a\x07", {}, "RAR archive"),
    "a picture": (b"\x89PNG\r\n\x1a\n", {}, "is a picture"),
    "a program": (b"\x7fELF\x02", {}, "is a program"),
    "Feather of version 1": (b"FEA1\0\0\0\0", {}, "Feather file of version 1"),
    "Avro": (b"Obj\x01\0", {}, "an Avro file"),
    "ORC": (b"ORC\0\0", {}, "an ORC file"),
    "Parquet damaged": (b"PAR1" + bytes(50), {}, "a Parquet file that is damaged"),
    "Feather damaged": (b"ARROW1\0\0" + bytes(50), {}, "a Feather file that is damaged"),
    "a delimiter of a Parquet file": (b"PAR1" + bytes(50), {"delimiter": ","}, "delimiter is no option of a Parquet"),
    "scikit-learn's file cut off": ("3,2,no,yes\n1,2,0\n3,4,1\n", {}, "line 1 counts 3 rows, and there are 2"),
    "na_values that is a text": ("a\n1\n", {"na_values": "-"}, "na_values must be a list of texts"),
    "a sheet that is a number": ("a\n1\n", {"sheet": 1}, "sheet must be the name of a sheet"),
    "header that is no bool": ("a\n1\n", {"header": "no"}, "header must be True or False"),
    "an encoding that is no text": ("a\n1\n", {"encoding": 8}, "encoding must be a text"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_is_named(write, name, monkeypatch):
    if name == "a bomb":
        monkeypatch.setattr(sources, "ALWAYS", 10_000)
    content, options, message = REFUSED[name]
    path = write(content)
    if message is None:
        with pytest.raises(TableError) as caught:
            read_table(path, **options).numbers("a,b")
    else:
        with pytest.raises((TableError, ValueError, TypeError), match=f"(?s){message}") as caught:
            read_table(path, **options)
    named = isinstance(caught.value, TableError)
    assert not named or str(path) in str(caught.value)
    assert len(str(caught.value)) < 600 + len(str(path))


EXCEL = {
    "an empty sheet": ([], {}, "the sheet is empty"),
    "a header alone": ([["a", "b"]], {}, "a header and no rows"),
    "numbers as a header": ([[1, 2], [3, 4]], {}, "row names|got numbers: 1, 2"),
    "two names alike": ([["a", "a"], [1, 2]], {}, "both named 'a'"),
    "a name that is missing": ([["a", None, "b"], [1, 2, 3]], {}, "'2' stands in it; write its name in row 1, remove"),
    "a cell beyond the header": ([["a"], [1, "x"]], {}, "row 2: column 2 has no name, but 'x'"),
    "no such sheet": ([["a"], [1]], {"sheet": "Sheet9"}, "no sheet 'Sheet9'; there are 'Data'"),
    "a delimiter": ([["a"], [1]], {"delimiter": ","}, "delimiter is no option of an Excel file"),
    "an encoding": ([["a"], [1]], {"encoding": "utf-8"}, "encoding is no option of an Excel file"),
    "a formula that was never computed": ([["a", "b"], [1, "=A2*2"]], {}, "row 2, column 2: the value of the formula"),
    "True among texts": ([["a"], [True], ["x"]], {}, "row 3, column 'a': values of different kinds|row 2, column 'a'"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCEL)
def test_an_excel_file_that_cannot_be_read_is_named(write, name):
    rows, options, message = EXCEL[name]
    with pytest.raises(ValueError, match=message):
        read_table(write(workbook(*rows), "table.xlsx"), **options)


def test_a_damaged_excel_file(write, monkeypatch):
    book = workbook(["a"], [1])
    with pytest.raises(TableError, match="damaged"):
        read_table(write(book[:-40], "table.xlsx"))
    with pytest.raises(TableError, match="the Excel file is damaged or of a kind that openpyxl does not read"):
        read_table(write(zipped(**{"[Content_Types].xml": "x"}), "table.xlsx"))
    monkeypatch.setattr(excel, "ALWAYS", 10_000)
    with pytest.raises(TableError, match="200 times its size"):
        read_table(write(zipped(**{"[Content_Types].xml": " " * 1_000_000}), "table.xlsx"))


def test_what_a_missing_extra_says(write, monkeypatch):
    for module in ("pyarrow", "pyarrow.csv", "openpyxl", "narwhals", "narwhals.stable.v2"):
        monkeypatch.setitem(sys.modules, module, None)
    install = re.escape("pip install 'tinygrad_lr[tables]'")
    for content in (b"PAR1" + bytes(50), b"ARROW1\0\0" + bytes(50), zipped(**{"[Content_Types].xml": "x"})):
        with pytest.raises(ImportError, match=install):
            read_table(write(content))
    pandas = pytest.importorskip("pandas", reason="pandas, one of the peers, is not installed")
    with pytest.raises(ImportError, match=install):
        as_table(pandas.DataFrame({"a": [1]}))


def test_standard_input(monkeypatch, tmp_path):
    class Standard:
        buffer = io.BytesIO(b"a,b\n1,x\n2,7\n")
        closed = False

    monkeypatch.setattr(sys, "stdin", Standard)
    table = read_table("-")
    assert table.source == "standard input" and table.column("a").values.tolist() == [1, 2] and table.sha256
    with pytest.raises(
        TableError, match="standard input, line 3, column 'b': '7'|standard input, line 2, column 'b': 'x'"
    ):
        table.numbers("b")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\n1\n"))
    assert read_table("-").names == ["a"]
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(TableError, match="standard input is closed"):
        read_table("-")
    if os.path.exists("/dev/zero"):
        with open("/dev/zero") as endless:
            monkeypatch.setattr(sys, "stdin", endless)
            with pytest.raises(TableError, match="is a device, which may have no end"):
                read_table("-")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    def give():
        with open(tmp_path / "pipe", "wb") as file:
            file.write(gzip.compress(b"a,b\n1,2\n"))

    giver = threading.Thread(target=give)
    giver.start()
    table = read_table(tmp_path / "pipe")
    giver.join()
    assert table.names == ["a", "b"] and len(table) == 1
