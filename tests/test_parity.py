"""What other projects' tests expect (tests/cases/parity), and docs/parity.md, which counts it."""

from pathlib import Path

import pytest
from parity import suites
from parity.cases import DIFFERS, FAILS, PASSES, Case, outcome
from parity.document import document

CASES = [case for suite in suites.SUITES for case in suite.CASES]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")


@pytest.mark.parametrize("case", [pytest.param(each, id=f"{each.suite}-{each.name}") for each in CASES])
def test_as_expected_or_as_said(case, torch):
    ended, error = outcome(case)
    assert ended == (DIFFERS if case.differs else PASSES), error


def test_the_document_counts_these_cases():
    """The tests above show that each case ends so."""
    text = document(ending=lambda case: (DIFFERS if case.differs else PASSES, ""))
    assert (Path(__file__).parents[1] / "docs/parity.md").read_text("utf-8") == text, (
        "write it: python tests/parity.py docs/parity.md"
    )


def test_names_are_unique():
    assert len({(case.suite, case.name) for case in CASES}) == len(CASES)


def test_a_case_can_fail():
    def wrong():
        raise AssertionError("wrong")

    assert outcome(Case("", "", wrong)) == (FAILS, "AssertionError: wrong")
    assert outcome(Case("", "", wrong, "on purpose")) == (DIFFERS, "")
    assert outcome(Case("", "", lambda: None, "on purpose"))[0] == FAILS
