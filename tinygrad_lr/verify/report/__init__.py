"""The results of checks: a `Finding` for each property, and a `Report` of all findings.

Read titles.py (what every property is called), differences.py and findings.py (what a failure says), text.py and
reports.py; html.py, junit.py, sarif.py and badge.py are other forms. Next: ../checks/optimizers.py, which makes
reports.
"""

from .findings import GOOD, OUTCOMES, Finding, compared, place_of, plain, settings_text, shortened
from .reports import Report
from .titles import TITLES, Title, title_of

__all__ = [
    "GOOD",
    "OUTCOMES",
    "TITLES",
    "Finding",
    "Report",
    "Title",
    "compared",
    "place_of",
    "plain",
    "settings_text",
    "shortened",
    "title_of",
]
