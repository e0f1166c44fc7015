"""Tests of tinygrad_lr/lab/translation/syntax.py."""

import inspect
from pathlib import Path

import pytest

from tinygrad_lr.kernels.updates import adam
from tinygrad_lr.lab.translation.syntax import NotTranslatable, source_of


def test_lines_are_those_of_the_file():
    found = source_of(adam.rule)
    line = Path(found.file).read_text().splitlines()[found.tree.body[0].lineno - 1]
    assert found.file == inspect.getsourcefile(adam)
    assert line.strip() == "grad = sign * grad + weight_decay * param"


def test_a_refusal_names_file_and_line():
    found = source_of(adam.descended)
    with pytest.raises(NotTranslatable, match=rf"adam.py, line {found.tree.lineno}, in descended: why not: m$"):
        found.refuse(found.tree.args.args[1], "why not")


def test_a_copy_with_another_name_has_the_text_of_its_code():
    loop = adam.KERNELS["plain"].cpu
    found = source_of(loop)
    assert found.tree.name == "cpu2" and found.names["rule"] is adam.rule


def test_what_was_never_written_down_is_refused():
    made = {}
    exec("def made(x):\n    return x", made)
    with pytest.raises(NotTranslatable, match="the text of 'made' cannot be found"):
        source_of(made["made"])


@pytest.mark.parametrize("given", [lambda x: x, len])
def test_what_def_did_not_make_is_refused(given):
    with pytest.raises(NotTranslatable, match="only what `def` makes|is no function of Python"):
        source_of(given)
