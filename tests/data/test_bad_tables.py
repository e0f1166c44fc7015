"""Bad tables and choices for `TableEncoder`: one table, and each row is a clear error that names the place.

A row is a name, what is done, the exception, and a part of its message.
"""

import copy
import json
import re

import numpy as np
import pytest

from tinygrad_lr.data.cells import as_numbers
from tinygrad_lr.data.columns import Booleans, Dates, Numbers, Table
from tinygrad_lr.data.encoding import TableEncoder, TableError, usable_rows

ROWS: list[tuple] = []


def row(name, call, message, exception=TableError):
    ROWS.append(pytest.param(call, exception, message, id=name))


def csv(text):
    """The table of a text, columns parted by bars, as a CSV file with commas in its cells would give it."""
    header, *rows = [line.split("|") for line in text.split("\n")]
    return Table(dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)), source="t.csv", typed=False)


def fit(name, text, message, target="y", rows=None, exception=TableError, **choices):
    row(name, lambda: TableEncoder.fit(csv(text), target, rows, **choices), message, exception)


# --- columns of inputs ------------------------------------------------------------------------------------------------

for name, cells, what in [
    ("a word", ["1", "2", "ten"], "4, column 'a': 'ten' is not a number, but 2 other cells of the column are; correct"),
    ("how to count it as missing", ["1", "2", "."], r"'.' as missing \(--na-values\), or declare the column categoric"),
    ("an underscore", ["1_0", "2", "3"], "2, column 'a': '1_0' is not a number"),
    ("a limit", ["<5", "6", "7"], "2, column 'a': '<5' is not a number"),
    ("two decimal marks", ["1,5", "2.5", "3"], "3, column 'a': '2.5' has a decimal point, and '1,5' a decimal comma"),
    ("two currencies", ["$1", "€2", "$3"], "3, column 'a': '€2' is in €"),
    ("percent and shares", ["1%", "0.5", "3%"], "3, column 'a': '0.5' has no unit, and '1%' is in %"),
    ("two thousands marks", ["1 234,5", "1'234,5", "3"], "column 'a': '1 234,5' has a thousands space"),
    ("what has two meanings", ["1,234", "5,678", "3"], "'1,234' can mean 1234 or 1.234; name the decimal mark"),
    ("how to name the mark", ["1,234", "5,678", "3"], r"\(--decimal \. or --decimal ,\)"),
    ("dates of two meanings", ["1/2/2020", "3/4/2020", ""], "can mean 2020-02-01 or 2020-01-02; say which comes first"),
    ("how to name the order", ["1/2/2020", "3/4/2020", ""], r"\(--dates d/m/y or --dates m/d/y\)"),
    ("no such day", ["2020-02-30", "2020-01-01", ""], "2, column 'a': '2020-02-30' has the form of a date"),
    ("dates in two forms", ["2020-01-01", "1.2.2020", ""], "are dates that are written differently"),
    ("a word among dates", ["2020-01-01", "later", ""], "3, column 'a': 'later' is not a date, but 1 other cell"),
    ("a zone by name", ["2020-01-01 12:00 CET", "", ""], "the offset of the time zone CET is not known"),
    ("a zone in one", ["2020-01-01 12:00Z", "2020-01-01 12:00", ""], "3, column 'a': '2020-01-01 12:00' has no time"),
    ("an unclear century", ["1.1.45", "1.1.46", ""], "the century is unclear; write years with four digits"),
    ("infinite", ["1e999", "2", "3"], "2, column 'a': '1e999' is not finite; leave out the row"),
    ("infinite in words", ["1", "-inf", "3"], "3, column 'a': '-inf' is not finite"),
    ("infinite after a comma", ["1,5", "9e999", "3"], "3, column 'a': '9e999' is not finite"),
]:
    fit(name, "a|y\n" + "\n".join(f"{cell}|{i}" for i, cell in enumerate(cells)), f"t.csv, line .*{what}")

fit("missing, refused", "a|y\n1|1\n|2", "t.csv, line 3, column 'a': missing value, an empty cell", missing="error")
fit("missing mark, refused", "a|y\n1|1\nNA|2\nNA|3", r"'NA' \(2 in this column\); .*keep 'NA'", missing="error")
fit("missing target, refused", "a|y\n1|1\n2|", "t.csv, line 3, column 'y': missing value", missing="error")
fit(
    "a point beside commas",
    "a|b|y\n1.234|0,5|1\n5.678|7|2",
    r"line 2, column 'a': '1.234' has a point, and column 'b' h",
)
fit("a named mark", "a|b|y\n0.5|0,5|1\n0.7|7|2", "'0,5' is not a number with a decimal point", decimal=".")
fit("a named order", "a|y\n12/31/2020|1\n1/1/2020|2", "there is no such day", dates="d/m/y")
fit("columns against one another", "a|b|c|y\n1,5|1.55 %|1,234|1\n2,5|2.5 %|5,678|2", "'1,234' can mean 1234 or 1.234")

# --- choices ----------------------------------------------------------------------------------------------------------

GOOD = "a|b|y\n1|red|1.5\n2|blue|2.5\n3|red|4"
fit("an unknown target", GOOD, "t.csv: no column 'yy'; did you mean 'y'", target="yy")
fit("another case", GOOD, "did you mean 'y'", target="Y")
fit("nothing near", GOOD, "no column 'zzz'; it has a, b, y", target="zzz")
fit("no target", GOOD, "targets must be the name of a column, or several; got none", target=[], exception=ValueError)
fit("a target twice", GOOD, "the target 'y' is named twice", target=["y", "y"])
fit("an unknown one of two", GOOD, "no column 'x'", target=["y", "x"])
fit("an ignored target", GOOD, "the target 'y' cannot be ignored", ignore=["y"])
fit("a categorical target", GOOD, "the target 'y' cannot be declared categorical; name a task", categorical=["y"])
fit("an unknown categorical column", GOOD, "no column 'c'", categorical=["c"])
fit("an unknown ignored column", GOOD, "no column 'c'", ignore=["c"])
fit("an unknown numeric column", GOOD, "no column 'c'", numeric=["c"])
fit("both", GOOD, "column 'a' cannot be both categorical and numeric", categorical=["a"], numeric=["a"])
fit(
    "a text for a list",
    GOOD,
    "categorical columns must be a list of names, got the text 'a'",
    exception=TypeError,
    categorical="a",
)
fit("a task", GOOD, "task must be 'regression' or .*, got 'ranking'", exception=ValueError, task="ranking")
fit("missing", GOOD, "missing must be 'impute' or 'error', got 'drop'", exception=ValueError, missing="drop")
fit("missing None", GOOD, "missing must be 'impute' or 'error', got None", exception=ValueError, missing=None)
fit("a decimal mark", GOOD, "decimal must be '.' or ',', got ';'", exception=ValueError, decimal=";")
fit("dates", GOOD, "dates must be 'd/m/y' or 'm/d/y', got 'iso'", exception=ValueError, dates="iso")
fit("a task that is a number", GOOD, "task must be", exception=ValueError, task=3)

# --- nothing to learn from --------------------------------------------------------------------------------------------

IDS = "\n".join(f"p{i}|{i}" for i in range(40))
fit("only the target", "y\n1\n2", "no column besides the target 'y'; nothing to predict it from")
fit("all ignored", GOOD, "no column besides the target 'y'", ignore=["a", "b"])
fit("identifiers only", f"a|y\n{IDS}", r"no column can be an input \(a left out: as many kinds as rows\)")
fit("constants only", "a|y\n5|1\n5|2", r"no column can be an input \(a left out: always 5 in all training rows\)")
fit("constant in training", "a|y\n5|1\n5|2\n6|3", "no column can be an input", rows=np.array([0, 1]))
fit("no values", "a|y\n|1\nNA|2", r"no column can be an input \(a left out: no values\)")
fit("no values in training", "a|y\n|1\n|2\n3|3", "no values in the training rows", rows=np.array([0, 1]))
fit("no target at all", "a|y\n1|\n2|NA", "t.csv: no row has a value of the target 'y'")
fit("no target in training", "a|y\n1|\n2|3", "no training row has a value of the target y", rows=np.array([0]))
fit("no row has both", "a|y|z\n1|1|\n2||2", "no row has a value of the target 'y' and 'z'", target=["y", "z"])

# --- targets ----------------------------------------------------------------------------------------------------------

CLASSES = "a|y\n1|good\n2|bad\n3|good\n4|bad"
fit(
    "as many classes as rows", f"a|y\n{IDS}".replace("a|y", "y|a"), "target 'y' has as many classes as rows", target="y"
)
fit("three of three", "a|y\n1|u\n2|v\n3|w", "target 'y' has as many classes as rows")
fit(
    "numbers as classes",
    "a|y\n1|1\n2|2\n3|3",
    r"or predict it as a number \(--task regression\)",
    task="classification",
)
ALMOST = "\n".join(f"{i}|p{max(i, 1)}" for i in range(40))
fit("almost as many", f"a|y\n{ALMOST}", "target 'y' has 39 classes in 40 rows")
fit("one class", "a|y\n1|good\n2|good", "target 'y' has one class only, 'good', in all 2 rows")
fit("one class of numbers", "a|y\n1|1\n2|1", "has one class only, 1, in all 2 rows", task="classification")
fit("one class in training", CLASSES, "one class only, 'good', in the 2 training rows", rows=np.array([0, 2]))
fit("three are not binary", "a|y\n1|u\n2|v\n3|w\n4|u", "has 3 classes, and a binary task has 2", task="binary")
fit("texts are no numbers", CLASSES, "line 2, column 'y': 'good' is not a number; leave out --task", task="regression")
fit(
    "several with texts",
    "a|y|z\n1|1|b\n2|2|c\n3|3|b",
    "column 'z': 'b' is not a number; several targets",
    target=["y", "z"],
)
fit(
    "several classes",
    "a|y|z\n1|1|2\n2|2|3",
    "classification has one target, got y, z",
    target=["y", "z"],
    task="classification",
)
fit("dates", "a|y\n1|2020-01-01\n2|2020-01-02", "'2020-01-01' is a date, and a target is a number or a class")
fit("a mixture", "a|y\n1|1\n2|2\n3|ten", r"'ten' is not a number.*take the texts as classes \(--task classification\)")
fit("an infinite target", "a|y\n1|2\n2|-inf", "line 3, column 'y': '-inf' is not finite")
fit("a target of two meanings", "a|y\n1|1,234\n2|5,678", "column 'y': '1,234' can mean 1234 or 1.234")
row(
    "date classes",
    lambda: TableEncoder.fit(
        Table({"a": [1.0, 2], "y": Dates(["2020-01-01", "2020-01-02"])}), "y", task="classification"
    ),
    "target 'y' has dates, which are no classes",
)
row("usable rows", lambda: usable_rows(csv("y\n\n"), "y"), "no row has a value of the target 'y'")
row("texts as numbers", lambda: as_numbers(csv("a\nred"), "a"), "line 2, column 'a': 'red' is neither a number nor a d")

# --- later tables -----------------------------------------------------------------------------------------------------

FITTED = TableEncoder.fit(
    csv("n|c|b|d|p|e|y\n1|red|yes|2020-01-01|5%|€ 1|1\n2|blue|no|2020-02-03|7%|€ 2|2.5\n4|red|no|2020-03-01|8%|€ 4|4"),
    "y",
)
LATER = {"n": "3", "c": "red", "b": "yes", "d": "2020-01-05", "p": "6%", "e": "€ 3"}
for name, column, cells, what in [
    ("much", "n", ["much", "1"], "line 2, column 'n': 'much' is not a number"),
    ("only words", "n", ["much", "little"], "line 2, column 'n': 'much' is not a number, as the cells of the training"),
    (
        "a date for a number",
        "n",
        ["2020-01-01"],
        "'2020-01-01' is not a number, as the cells of the training table are",
    ),
    ("two meanings", "n", ["1,234"], "'1,234' can mean 1234 or 1.234"),
    (
        "percent for a number",
        "n",
        ["5%"],
        "'5%' has another unit than the training table, which was written without a u",
    ),
    ("infinite later", "n", ["inf"], "line 2, column 'n': 'inf' is not finite"),
    ("infinite beside a word", "n", ["1", "1e999", ""], "line 3, column 'n': '1e999' is not finite"),
    ("maybe", "b", ["maybe"], "line 2, column 'b': 'maybe' is neither true nor false.*write yes or no"),
    ("two for true", "b", ["yes", "2"], "line 3, column 'b': '2' is neither true nor false"),
    (
        "a number for a date",
        "d",
        ["5"],
        "line 2, column 'd': '5' is not a date, as the cells of the training table are",
    ),
    ("no day", "d", ["2020-02-30"], "there is no such day"),
    ("a share for percent", "p", ["0.06"], "'0.06' has another unit than the training table, which was written in %"),
    ("dollars for euros", "e", [r"$3"], r"'\$3' has another unit than the training table, which was written in €"),
]:
    row(name, lambda column=column, cells=cells: FITTED.features(later(column, cells)), what)
row("a column that is absent", lambda: FITTED.features(csv("n|b\n1|yes")), "t.csv: no column 'c'")
row("dates for booleans", lambda: FITTED.features(later("b", Dates(["2020-01-01"]))), "neither true nor false")
row("booleans for dates", lambda: FITTED.features(later("d", Booleans([True]))), "'true' is not a date")
row(
    "an unseen category, strict",
    lambda: FITTED.features(later("c", ["red", "pink"]), strict=True),
    "line 3, column 'c': category 'pink' was not in the training rows, which had 'blue', 'red'",
)
row(
    "a missing number, strict", lambda: FITTED.features(later("n", ["1", ""]), strict=True), "column 'n': missing value"
)
row("a missing category, strict", lambda: FITTED.features(later("c", ["NA"]), strict=True), "column 'c': missing value")
row("a target that is absent", lambda: FITTED.targets(csv("n\n1")), "no column 'y'")
row("a later target in words", lambda: FITTED.targets(csv("y\nmuch")), "'much' is not a number")
row(
    "a new class", lambda: TableEncoder.fit(csv(CLASSES), "y").targets(csv("y\nfair")), "class 'fair' was not in the tr"
)
row("no target learnt", lambda: TableEncoder.fit(csv(GOOD), None).targets(csv(GOOD)), "without a target", ValueError)


def later(column, cells):
    columns = {name: [cell] * len(cells) for name, cell in LATER.items()}
    return Table({**columns, column: cells}, source="t.csv", typed=False)


# --- what was learnt, from anywhere -----------------------------------------------------------------------------------

LEARNT = json.dumps(FITTED.to_json())


def damage(name, message, *path, value):
    def read():
        learnt = json.loads(LEARNT)
        inner = learnt
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        TableEncoder.from_json(learnt)

    row(f"learnt: {name}", read, message, ValueError)


for name, value in [("a list", []), ("None", None), ("a text", "x"), ("a number", 3)]:
    row(f"learnt: {name}", lambda value=value: TableEncoder.from_json(value), "must be a dict", ValueError)
row("learnt: nothing", lambda: TableEncoder.from_json({}), "'target' of the description .* must be a text", ValueError)
damage("a later format", "'format' of .* must be 2, which this tinygrad_lr reads, got 3", "format", value=3)
damage("no inputs", "'inputs' of .* must be a list of inputs", "inputs", value=[])
damage("an input that is none", "an input must be a dict, got 5", "inputs", 0, value=5)
damage("a kind", "'kind' of the input 'n' must be one of", "inputs", 0, "kind", value="vector")
damage("no name", "'name' of an input must be a text that is not empty", "inputs", 0, "name", value="")
damage("a column twice", "of columns that are there once", "inputs", 0, "name", value="c")
damage("the target as input", "of columns that are there once, and no targets", "inputs", 0, "name", value="y")
damage("a mean", "'mean' of the input 'n' must be a finite number, got 'x'", "inputs", 0, "mean", value="x")
damage("a mean beyond", "'mean' of the input 'n' must be a finite number", "inputs", 0, "mean", value=10**400)
damage("no deviation", "'deviation' .* must be a number above 0, got 0", "inputs", 0, "deviation", value=0)
damage("a category twice", "must be a list of different texts", "inputs", 1, "kinds", value=["red", "red"])
damage("a category seen and unseen", "is there twice", "inputs", 1, "unseen", value=["red"])
damage("a category that is a number", "a list of texts", "inputs", 1, "kinds", value=[1])
damage("a flag", "'indicator' .* must be true or false, got 0", "inputs", 0, "indicator", value=0)
damage("a first day", "'first' of the input 'd' must be a date, got 'May'", "inputs", 3, "first", value="May")
damage("a part of dates", "a mean and a positive deviation", "inputs", 3, "parts", value={"second": [0, 1]})
damage("a part without deviation", "a mean and a positive deviation", "inputs", 3, "parts", value={"days": [0]})
damage("a task", "'task' of the target must be one of", "target", "task", value="ranking")
damage("classes of numbers", "'classes' of the target must be those", "target", "classes", value=["a", "b"])
damage("no names", "'names' of the target must be of columns", "target", "names", value=[])
damage("more names than means", "'names' of the target", "target", "names", value=["y", "z"])
damage("no scale", "deviations finite and positive", "target", "deviation", value=[0.0])
damage("kinds of targets", "'kinds' of the target must be number", "target", "kinds", value=["date"])
damage("a decimal mark", "'decimal' .* must be one of", "decimal", value=";")
damage("dates", "'dates' .* must be one of", "dates", value="y/m/d")
damage("missing", "'missing' .* must be one of 'impute', 'error'", "missing", value="drop")


@pytest.mark.parametrize(("call", "exception", "message"), ROWS)
def test_bad_input_is_one_clear_error(call, exception, message):
    with pytest.raises(exception) as caught:
        call()
    said = str(caught.value)
    assert re.search(message, said), said
    assert type(caught.value) is exception and "\n" not in said and len(said) < 400


def test_there_are_many_rows_and_the_good_ones_are_good():
    assert len(ROWS) >= 100
    for text in (GOOD, CLASSES):
        TableEncoder.fit(csv(text), "y")
    assert FITTED.features(later("n", ["3"])).shape == (1, len(FITTED.feature_names))
    assert TableEncoder.from_json(copy.deepcopy(json.loads(LEARNT))).to_json() == json.loads(LEARNT)
    assert FITTED.features(later("n", Numbers([3.0]))).tolist() == FITTED.features(later("n", ["3"])).tolist()
