"""docs/verify.md: its Python blocks run in order, print what the text blocks say, and its commands exit so."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from tinygrad_lr import cli
from tinygrad_lr.verify.search.languages import lines_counted

DOCUMENT = (Path(__file__).parents[2] / "docs" / "verify.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
NOT_PRINTED = ("@pytest", "pip ", "# ")  # what a reader writes, or --script does, not what a block prints
COMMANDS = [line for kind, text in BLOCKS if kind == "console" for line in text.splitlines()]


def said_in_order(lines, output):
    """The first of the lines that does not follow in the output, whose indentation does not count."""
    rest = iter(line.strip() for line in output.splitlines())
    return next((line for line in lines if not any(line.strip() in found for found in rest)), None)


def test_the_python_blocks_run_and_print_what_is_shown(capsys):
    namespace: dict = {"__name__": "document"}
    checked = 0
    for (kind, text), (after, shown) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if kind == "python":
            exec(compile(text, "docs/verify.md", "exec"), namespace)
            output = capsys.readouterr().out
            if after == "text" and not shown.startswith(NOT_PRINTED):
                assert said_in_order(shown.splitlines(), output) is None, output
                checked += 1
    assert checked == sum(kind == "text" and not text.startswith(NOT_PRINTED) for kind, text in BLOCKS) >= 4
    (mark,) = namespace["test_my_adam"].pytestmark
    assert len({param.id for param in mark.args[1]}) == len(mark.args[1]) > 40


def test_the_program_that_is_shown_shows_what_it_says(capsys):
    pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[peers]'")
    (program,) = [text for kind, text in BLOCKS if kind == "text" and text.startswith("# ")]
    assert lines_counted(program) <= 20
    with pytest.raises(SystemExit) as leaving:
        exec(compile(program, "docs/verify.md", "exec"), {"__name__": "document"})
    assert int(leaving.value.code) == 1 and capsys.readouterr().out == "expected 16777217.0  actual 16777216.0\n"


def test_what_is_not_printed_is_noticed():
    assert said_in_order(["one", "three"], "one\n two\n  three\n") is None
    assert said_in_order(["three", "one"], "one\ntwo\nthree\n") == "one"


@pytest.mark.sampled(one_in=4)
@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exits_as_the_document_says(line, tmp_path, monkeypatch, capsys):
    command, _, comment = line.partition("#")
    status = re.search(r"exit status (\d)", comment)
    assert status, line
    library = next((name for name in ("torch", "optax", "keras") if f" {name}." in command), None)
    if library and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install -e '.[peers]'")
    monkeypatch.chdir(tmp_path)
    own = next(text for kind, text in BLOCKS if kind == "python").split("report =")[0]
    Path("my_adam.py").write_text(own, "utf-8")
    program, *arguments = shlex.split(command)
    assert program == "tinygrad-lr"
    assert cli.main(arguments) == int(status.group(1)), capsys.readouterr().out


def test_the_commands_of_the_workflow_and_of_the_package_are_commands():
    """They are parsed as the program parses them; what they would install is not."""
    lines = [line for kind, text in BLOCKS if kind in ("yaml", "text") for line in text.splitlines()]
    asked = [line.partition("tinygrad-lr ")[2] for line in lines if "tinygrad-lr verify" in line]
    chosen = [cli.parser().parse_args(shlex.split(line)) for line in asked]
    assert len(chosen) == 3 and chosen[2].format == "sarif" and chosen[2].out == "verify.sarif" and chosen[1].script
