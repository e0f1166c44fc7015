"""docs/deep_results.md: its form, and what tests/deep.py makes of pytest's last line."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from deep_results import ROOMS, Row, counts, document, rows_of

FILE = Path(__file__).parents[1] / "docs/deep_results.md"
ROW = Row("nn", "2026-01-31", "0123456789", 7, 0, 1, 12, "2 x a processor, Python 3.11.7")


def test_the_file_is_what_its_rows_make_and_has_their_dates():
    text = FILE.read_text("utf-8")
    rows = rows_of(text)
    assert document(rows.values()) == text, "write it: python tests/deep.py docs/deep_results.md"
    assert rows.keys() == set(ROOMS), "run those without a row: python tests/deep.py docs/deep_results.md ROOM ..."
    for row in rows.values():
        assert date(2026, 1, 1) <= date.fromisoformat(row.date), row
        assert row.failed == 0 and " and changes" not in row.commit, row


def test_the_rooms_are_the_folders_of_tests_and_what_stands_beside_them():
    assert {"kernels", "optim", "verify", "tests"} <= set(ROOMS) and "cases" not in ROOMS


def test_rows_are_read_as_they_were_written():
    rows = {"nn": ROW, "optim": replace(ROW, room="optim", commit="abcdef0123 and changes", failed=2)}
    assert rows_of(document(reversed(rows.values()))) == rows


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"room": "attic"}, "no room 'attic'"),
        ({"date": "31.1.2026"}, "does not match"),
        ({"commit": "main"}, "hexadecimal"),
        ({"failed": -1}, "below 0"),
    ],
)
def test_a_row_that_is_wrong_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(ROW, **wrong)


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ("302 passed, 6 skipped in 10.1s", (302, 0, 6)),
        ("1 failed, 3 passed, 2 errors in 1s", (3, 3, 0)),
        ("7 deselected in 0.1s", (0, 0, 0)),
        ("no tests ran in 0.01s", (0, 0, 0)),
    ],
)
def test_counts_are_those_of_the_last_line(last, found):
    assert counts(f"9 passed of old\ndeep searches: 5 of 5\n{last}\n") == found


def test_an_end_without_counts_is_refused():
    with pytest.raises(ValueError, match="counts no tests"):
        counts("Segmentation fault\n")
