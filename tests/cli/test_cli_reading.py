"""How the commands read tables: standard input, encodings, kinds of files; a run reads the next table as its first."""

import gzip
import io
import os
import sys
import types
from pathlib import Path

import pytest
from cli_cases import TABLE, described, folder_of_its_own, run, train  # noqa: F401

from tinygrad_lr.cli import plotting
from tinygrad_lr.data import sources

GERMAN = TABLE.replace("dose", "größe").replace(",", ";").encode("cp1252")
TRAIN = ["train", "--target", "effect", "--epochs", 1, "--out", "run"]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """They take longer than all else here."""
    monkeypatch.setattr(plotting, "is_available", lambda: False)


@pytest.fixture
def standard_input(monkeypatch):
    """A function that gives the next command its standard input."""

    def give(content):
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(content), closed=False))

    return give


def test_a_run_from_standard_input_reads_the_next_table_in_the_same_manner(standard_input, capfd):
    standard_input(GERMAN)
    assert run(*TRAIN, "-", "--encoding", "cp1252", "--delimiter", "semicolon") == 0
    assert "trained on 28 rows of standard input" in capfd.readouterr().out
    told = described("run")
    assert told["data"]["path"] == told["command"][2] == "-" and told["data"]["rows"] == 40
    assert (told["reading"]["encoding"], told["reading"]["delimiter"]) == ("cp1252", ";")
    Path("german.csv").write_bytes(GERMAN)
    assert run("predict", "run", "german.csv", "--out", "a.csv") == 0
    standard_input(gzip.compress(GERMAN))
    assert run("predict", "run", "-", "--out", "b.csv") == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_what_was_left_out_is_said_before_training(capsys):
    rows = TABLE.splitlines()
    Path("pandas.csv").write_text("\n".join([f",{rows[0]}", *(f"{i},{row}" for i, row in enumerate(rows[1:]))]) + "\n")
    assert run(*TRAIN, "pandas.csv") == 0
    said = capsys.readouterr().out
    assert said.index("column 1 has no name: it holds row names, left out") < said.index("Epoch 1")


def test_kinds_of_files(capsys):
    pandas = pytest.importorskip("pandas", reason="pandas, one of the peers, is not installed")
    pytest.importorskip("openpyxl", reason="openpyxl, of the extra `tables`, is not installed")
    frame = pandas.read_csv("table.csv")
    with pandas.ExcelWriter("table.xlsx") as book:
        pandas.DataFrame({"note": ["by hand"]}).to_excel(book, sheet_name="Notes", index=False)
        frame.to_excel(book, sheet_name="Data", index=False)
    frame.to_parquet("table.parquet")
    train("--out", "csv")
    assert run("predict", "csv", "table.csv", "--out", "csv.txt") == 0
    for name, options in {"table.xlsx": ["--sheet", "Data"], "table.parquet": []}.items():
        assert (
            run("train", name, "--target", "effect", "--epochs", 2, "--batch-size", 8, "--out", name[6:], *options) == 0
        )
        assert run("predict", name[6:], name, "--out", name + ".txt") == 0  # in the sheet of the training
        assert Path(name + ".txt").read_bytes() == Path("csv.txt").read_bytes()
        assert run("predict", name[6:], "table.csv", "--out", name + ".csv") == 0  # which has no sheets
        assert Path(name + ".csv").read_bytes() == Path("csv.txt").read_bytes()


REFUSED = {
    "another encoding": (["german.csv"], "german.csv, line 1: not UTF-8 (byte 0xf6), most likely cp1252"),
    "an unknown encoding": (["table.csv", "--encoding", "klingon"], "no encoding of texts is called 'klingon'"),
    "an unknown delimiter": (["table.csv", "--delimiter", "dash"], "a delimiter is one character"),
    "a sheet of a CSV file": (["table.csv", "--sheet", "Data"], "sheet is no option of a text file"),
    "a header that is none": (["table.csv", "--no-header"], "no column 'effect'"),
    "numbers for names": (["numbers.csv"], "line 1: the first line must name the columns, got numbers: 1, 2"),
    "a web page": (["page.html"], "page.html is a web page or XML, no table"),
    "a pickle": (["frame.pkl"], "pickle, which is not opened"),
    "a folder": (["."], "Is a directory" if os.name != "nt" else "denied"),
    "nothing there": (["absent.csv"], "absent.csv"),
    "a row too long": (["long.csv"], "long.csv, line 3: 3 fields where the header has 2"),
    "a bomb": (["bomb.csv.gz"], "200 times its size"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_one_line(name, capsys, monkeypatch):
    monkeypatch.setattr(sources, "ALWAYS", 10_000)  # so that a small bomb is one
    for path, content in {
        "german.csv": GERMAN,
        "numbers.csv": b"1,2\n3,4\n",
        "page.html": b"<!doctype html>",
        "frame.pkl": b"\x80\x04\x95\0\0",
        "long.csv": b"a,effect\n1,2\n1,2,3\n",
        "bomb.csv.gz": gzip.compress(bytes(1_000_000)),
    }.items():
        Path(path).write_bytes(content)
    arguments, message = REFUSED[name]
    assert run(*TRAIN, *arguments) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and not Path("run").exists()
