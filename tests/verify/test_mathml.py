"""Tests of tinygrad_lr/verify/language/mathml.py."""

import xml.etree.ElementTree as xml

import pytest

from tinygrad_lr.verify.formulas import FAMILIES
from tinygrad_lr.verify.language.latex import LETTERS
from tinygrad_lr.verify.language.mathml import CODES, line_as_mathml
from tinygrad_lr.verify.language.notation import FUNCTIONS, names_in, parse
from tinygrad_lr.verify.specification import spec

CORE = {"math", "mrow", "mi", "mn", "mo", "mtext", "mfrac", "msqrt", "mroot", "msup", "msub", "mover", "mtable"}
CORE |= {"mtr", "mtd"}
TWO = ("mfrac", "mroot", "msup", "msub", "mover")  # elements that have two children


def lines():
    """Every line of every formula in every dialect, with and without weight decay."""
    for name, family in FAMILIES.items():
        for dialect in family.dialects if family.in_notation else ():
            chosen = spec(name, dialect=dialect)
            for each in (chosen, chosen.having(weight_decay=0.1)) if "weight_decay" in chosen.all_names else (chosen,):
                yield from each.lines()


EVERY = sorted(set(lines()))


def test_there_are_lines():
    assert len(EVERY) > 150 and any(" if " in line for line in EVERY)


@pytest.mark.parametrize("line", EVERY)
def test_every_line_is_well_formed_and_has_its_names(line):
    found = xml.fromstring(line_as_mathml(line))
    assert {each.tag for each in found.iter()} <= CORE
    assert all(len(each) == 2 for each in found.iter() if each.tag in TWO)
    named = [each.get("data-name") for each in found.iter() if each.get("data-name")]
    assert set(named) == {parse(line).name, *names_in(line)}
    drawn = "".join(found.itertext())
    assert not any(word in drawn for word in LETTERS if len(word) > 3), "a Greek letter is drawn as a word"
    assert not set(named) & FUNCTIONS.keys()


def test_letters_are_those_of_latex():
    assert CODES.keys() == LETTERS.keys()


@pytest.mark.parametrize(
    ("line", "drawn"),
    [
        ("theta <- theta - lr m^ / (sqrt(v^) + eps)", "θ←θ−η⁢m^v^+ε"),
        ("x = max(1, abs(g))", "x=max(1,|g|)"),
        ("x = a if a >= b else cbrt(b)", "x={aa≥bb3else"),
        ("x = (1 - beta2^(t - 1)) y", "x=(1−β2t−1)⁢y"),
        ("D <- D_max if s < 0 else -D", "D←Dmaxs<0−Delse"),
    ],
)
def test_what_is_drawn(line, drawn):
    found = "".join(xml.fromstring(line_as_mathml(line)).itertext())
    assert found.replace("{", "") == drawn.replace("{", "")
