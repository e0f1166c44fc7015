"""docs/tables.md: its blocks run in order in one folder, print what the text blocks show, and exit as they say."""

import math
import re
import shlex
from pathlib import Path

from tinygrad_lr import cli

DOCUMENT = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def alike(shown, found):
    """Whether a printed line begins with the shown words; its numbers may differ by a twentieth."""
    words, others = NUMBER.split(shown.strip()), NUMBER.split(found.strip())
    if len(words) > len(others) or words[:-1] != others[: len(words) - 1]:
        return False
    numbers = zip(NUMBER.findall(shown), NUMBER.findall(found), strict=False)
    close = all(math.isclose(float(a), float(b), rel_tol=0.05, abs_tol=0.05) for a, b in numbers)
    return close and others[len(words) - 1].startswith(words[-1])


def first_absent(shown, output):
    """The first of the shown lines that does not follow in the output."""
    rest = iter(output.splitlines())
    return next((line for line in shown.splitlines() if not any(alike(line, found) for found in rest)), None)


def test_the_guide_does_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {"__name__": "document"}
    output, checked, commands = "", 0, 0
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "docs/tables.md", "exec"), namespace)
            output = capsys.readouterr().out
        elif kind == "console":
            output = ""
            for line in text.splitlines():
                command, _, comment = line.partition("#")
                program, *arguments = shlex.split(command)
                status = int(found.group(1)) if (found := re.search(r"exit status (\d)", comment)) else 0
                assert program == "tinygrad-lr"
                assert cli.main(arguments) == status, f"{line}\n{capsys.readouterr()}"
                output += capsys.readouterr().out
                commands += 1
        elif kind == "text":
            assert (absent := first_absent(text, output)) is None, f"{absent}\n-- is not in --\n{output}"
            checked += 1
    assert (checked, commands) == (sum(kind == "text" for kind, _ in BLOCKS), DOCUMENT.count("\ntinygrad-lr "))
    assert checked >= 5 and commands >= 10


def test_what_is_not_printed_is_noticed():
    assert first_absent("R2: 0.90 (yes\nlast", "first\n R2: 0.91 (yes; 3)\nlast 4") is None
    assert first_absent("R2: 0.90", "R2: 0.70") == "R2: 0.90"
    assert first_absent("R2: 0.90", "MAE: 0.90") == "R2: 0.90"
    assert first_absent("b\na", "a\nb") == "a"
    assert first_absent("1 of 2", "1") == "1 of 2"
