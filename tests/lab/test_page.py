"""The page as text, its data, and the command that writes it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lr import cli, lab
from tinygrad_lr.lab.engine import engine_source
from tinygrad_lr.lab.rows import rows_of
from tinygrad_lr.lab.shortening import shortened
from tinygrad_lr.race.problems import Function


class Data(HTMLParser):
    """The text of the element with the id "data"."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.text = False, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = ("id", "data") in attributes

    def handle_data(self, data):
        if self.inside:
            self.text += data
            self.inside = False


def data_of(text):
    return json.loads(Data(text).text)


def test_the_page_is_small_and_has_the_rows_bit_for_bit():
    text, rows = lab.page(), rows_of()
    assert len(text.encode()) < 500_000
    table = data_of(text)["table"]
    assert np.array(table["columns"]).T.tobytes() == np.column_stack([rows.inputs, rows.targets]).tobytes()
    assert table["of"] == 442


def test_a_page_of_a_large_table_is_small(tmp_path):
    path = tmp_path / "large.csv"
    draw = np.random.default_rng(0).standard_normal((20_000, 3))
    np.savetxt(path, draw, delimiter=",", header="a,b,y", comments="")
    assert len(lab.page(path, "y").encode()) < 500_000


def test_seeds_move_the_start_as_in_a_race():
    moves = data_of(lab.page())["moves"]
    function = Function((0.0, 0.0), None, None, (0.0, 0.0), "", ((0.0, 0.0), (0.0, 0.0)))
    assert [function.start_of(seed).tolist() for seed in range(len(moves))] == moves


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_language_is_the_one_that_was_asked_for(language):
    assert f'<html lang="{language}">' in lab.page(language=language)


def test_another_language_is_refused():
    with pytest.raises(ValueError, match="language must be one of en, zh, got 'fr'"):
        lab.page(language="fr")


def test_the_program_of_the_guide_prints_what_it_says(capsys):
    text = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    exec(compile(program, "docs/lab.md", "exec"), {})
    assert "the smallest is " + capsys.readouterr().out.strip() in program


# --- the script -------------------------------------------------------------------------------------------------------


MINIFY = """
const text = require("fs").readFileSync(process.argv[1], "utf8");
process.stdout.write(require("esbuild").transformSync(text, { minify: true }).code);
"""


def test_a_shortened_script_is_the_same_script(tmp_path):
    web = pytest.importorskip("web")
    web.installed()
    whole = engine_source()
    minified = []
    for text in (whole, shortened(whole)):
        (tmp_path / "script.js").write_text(text, encoding="utf-8")
        done = web.node("-e", MINIFY, tmp_path / "script.js")
        assert done.returncode == 0, done.stdout
        minified.append(done.stdout)
    assert minified[0] == minified[1] and len(shortened(whole)) < 0.9 * len(whole)


@pytest.mark.parametrize(
    ("script", "short"),
    [
        ("a = b / c; d = /x y\\/ [/ ]/g.test(e) // f", "a=b/c;d=/x y\\/ [/ ]/g.test(e)"),
        (
            "\"/* no // comment */\" + 'it\\'s  \"' /* one\n*/ + `a  ${ b }`",
            "\"/* no // comment */\"+'it\\'s  \"'\n+`a  ${ b }`",
        ),
        ("a + ++b - -c\n(d)", "a+ ++b- -c\n(d)"),
        ("a = `b  ${ [`c  ${ {d : 1} }  }`, '`' ] }  ` + e", "a=`b  ${ [`c  ${ {d : 1} }  }`, '`' ] }  `+e"),
        ("return\n  a\nif (b) {\n c\n }\nelse d", "return\na\nif(b){c}\nelse d"),
        ("for (const $a of b) typeof _c in d", "for(const $a of b)typeof _c in d"),
        ("{ a = b; } { c(d); } if (e) { f(); } else ; } { for (;;); }", "{a=b}{c(d)}if(e){f()}else;}{for(;;);}"),
        ('{"a": 1, "b c": 2, d: e ? "f" : "g"}', '{a:1,"b c":2,d:e?"f":"g"}'),
    ],
)
def test_blanks_and_quotes_stay_where_they_mean_something(script, short):
    assert shortened(script) == short


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a;b;c;y\n1,5;2;x;3\n2,5;1;y;4\n0;7;x;1\n")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was asked to open."""
    found = []
    monkeypatch.setattr("webbrowser.open", lambda address: found.append(address) or True)
    return found


def test_the_command_writes_a_page_and_opens_it(folder, opened, capsys):
    assert cli.main(["lab"]) == 0
    assert cli.main(["lab"]) == 0
    assert opened == [(folder / name).as_uri() for name in ("lab.html", "lab-2.html")]
    assert (folder / "lab.html").read_text(encoding="utf-8") == lab.page()
    assert re.match("lab.html: diabetes.csv, 442 rows, [0-9,]+ bytes; it needs nothing else\n", capsys.readouterr().out)


def test_the_command_takes_a_table(folder, opened):
    words = "table.csv --target y --features b,a --decimal , --out page.html --no-open --language zh"
    assert cli.main(["lab", *words.split()]) == 0
    assert opened == []
    text = (folder / "page.html").read_text(encoding="utf-8")
    table = data_of(text)["table"]
    assert (table["name"], table["features"], table["target"], table["of"]) == ("table.csv", ["b", "a"], "y", 3)
    assert table["python"] == "rows_of('table.csv', target='y', features=['b', 'a'], decimal=',')"
    assert '<html lang="zh">' in text


def test_where_no_browser_is_the_file_is_named(folder, monkeypatch, capsys):
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert cli.main(["lab"]) == 0
    assert "no browser could be started; open lab.html in one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("table.csv", "--target is missing: which column of table.csv is to be predicted?"),
        ("table.csv --target c", "table.csv, line 2, column 'c': 'x' is not a number"),
        ("table.csv --target y --features a,c", "column 'c': 'x' is not a number"),
        ("table.csv --target y --features a", "the page shows two features, got 1; name two, as in --features a,b"),
        ("absent.csv --target y", "absent.csv"),
        ("--target y", "a target belongs to a table"),
        ("--decimal ,", "--decimal says how a table is read, and none is named"),
        ("--no-header", "--no-header says how a table is read, and none is named"),
        ("--out no/folder/page.html", "no/folder"),
    ],
)
def test_mistakes_are_one_line(folder, opened, capsys, words, message):
    assert cli.main(["lab", *words.split()]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and said.out == "" and opened == []
    assert not list(folder.glob("*.html"))
