"""What other projects' tests expect (tests/cases/parity), and docs/parity.md, which counts it."""

from pathlib import Path

import pytest
from parity import suites
from parity.cases import DIFFERS, FAILS, PASSES, Case, outcome
from parity.document import document

from tinygrad_lr import manual_seed

CASES = [case for suite in suites.SUITES for case in suite.CASES]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")


@pytest.mark.parametrize("suite", suites.SUITES, ids=lambda suite: suite.SUITE)
def test_as_expected_or_as_said(suite, torch):
    wrong = []
    for case in suite.CASES:
        manual_seed(0)
        ended, error = outcome(case)
        if ended != (DIFFERS if case.differs else PASSES):
            wrong.append(f"{case.suite}, {case.name}: {error}")
    assert not wrong, "\n".join(wrong)


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
