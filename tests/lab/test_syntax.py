"""Tests of tinygrad_lr/lab/translation/syntax.py."""

import ast
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


def test_a_lambda_is_found_in_the_midst_of_a_statement():
    table = dict(
        first=lambda x: x + 1,
        second=lambda x: [
            x - 1  # alone these lines are no statement
        ],
    )
    found = source_of(table["second"])
    line = Path(found.file).read_text().splitlines()[found.tree.body[0].lineno - 1]
    assert ast.unparse(found.tree.body[0]) == "return [x - 1]" and line == "        second=lambda x: ["
    assert ast.unparse(source_of(table["first"]).tree.body[0]) == "return x + 1"


def test_of_two_lambdas_in_a_line_none_can_be_told():
    one, _ = (lambda x: x, lambda x: -x)
    with pytest.raises(NotTranslatable, match=r"test_syntax.py, line \d+: has 2 lambdas"):
        source_of(one)


class Called:
    """No function of Python has its text."""

    def __call__(self):
        return None


@pytest.mark.parametrize("given", [Called(), len])
def test_what_is_no_function_is_refused(given):
    with pytest.raises(NotTranslatable, match="is no function of Python"):
        source_of(given)


async def waits(x):
    return x


def test_what_waits_for_others_is_refused():
    with pytest.raises(NotTranslatable, match="only what `def` or a lambda makes"):
        source_of(waits)
