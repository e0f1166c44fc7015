"""A report as one HTML file that needs nothing else: failures first, then all findings in a table. Next: junit.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .differences import expectation
from .findings import Finding, example_rows, inherited_from, shortened
from .text import by_cause, is_shown

STYLE = """
:root { color-scheme: light dark; --ink: #1c2127; --soft: #5d6772; --line: #d8dee4; --card: #fff; --page: #f5f7f9;
  --good: #1a7f4b; --bad: #c0392b; --mild: #9a6b00; --code: #f0f2f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #9aa5b1; --line: #363d45; --card: #1e2329;
  --page: #15191d; --good: #5ac489; --bad: #ff8574; --mild: #e0b253; --code: #2a3038; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 60rem; margin: 0 auto; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
.verdict { font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); } .mild { color: var(--mild); }
.soft { color: var(--soft); }
article { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--bad);
  border-radius: 6px; padding: .9rem 1.1rem; margin: 0 0 1rem; }
article.inherited { border-left-color: var(--mild); }
article h3 {  margin: 0 0 .5rem; font-size: 1rem; }
dl { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: .15rem .8rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code, pre, .number { font: .9em/1.5 ui-monospace, "Cascadia Mono", Menlo, monospace; }
pre { background: var(--code); border-radius: 4px; padding: .6rem .8rem; overflow-x: auto; margin: .3rem 0; }
summary { cursor: pointer; color: var(--soft); margin-top: .6rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line); }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
td:nth-child(-n+3) { white-space: nowrap; }
"""
COLOURS = {"passed": "good", "expected failure": "mild", "differs": "mild", "ignored": "mild", "not applicable": "soft"}


def as_html(subject: str, findings: Sequence[Finding], verdict: str, summary: str) -> str:
    """The report as a page.

    Example:
        >>> as_html("a & b", [], "all right", "1 passed").count("a &amp; b")
        2
    """
    failures = list(by_cause([each for each in findings if is_shown(each)]))
    colour = "good" if verdict == "all right" else "mild" if inherited_from(findings) else "bad"
    cards = "\n".join(_card(number, *each) for number, each in enumerate(failures, start=1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(subject)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(subject)}</h1>
<p><span class="verdict {colour}">{escape(verdict)}</span> <span class="soft">{escape(summary)}</span></p>
{f"<h2>{'What is inherited' if inherited_from(findings) else 'What is wrong'}</h2>{cards}" if cards else ""}
<h2>All properties</h2>
<div class="wide"><table>
<thead><tr><th>id</th><th>property</th><th>outcome</th><th>what holds where it passed</th></tr></thead>
<tbody>
{"".join(map(_row, findings))}</tbody>
</table></div>
</main>
</body>
</html>"""


def _card(number: int, first: Finding, others: Iterable[tuple[Finding, str]]) -> str:
    rows: list[tuple[str, str]] = []
    if first.where:
        apart = f' <span class="bad">{escape(first.difference)}</span>' if first.difference else ""
        rows += [("expected", _number(expectation(first.expected))), ("actual", _number(first.actual) + apart)]
        rows += [("where", escape(first.where))]
    if first.reason:
        rows.append(("note" if first.outcome == "failed" else "because", escape(first.reason)))
    if first.formula:
        rows.append(("formula", f"<pre>{escape(chr(10).join(first.formula))}</pre>"))
    rows += [(label, f"<code>{escape(text)}</code>") for label, text in example_rows(first.example or {})]
    if first.nearest_bug:
        rows.append(("like", escape(first.nearest_bug)))
    if first.inherited:
        rows.append(("inherited", escape(f"unchanged from {first.inherited}")))
    also = [f"{each.property_id}, {each.title.name} ({why})" for each, why in others]
    if also:
        rows.append(("also fails", escape("; ".join(also))))
    rows.append(("should be", f'<span class="soft">{escape(first.statement)}</span>'))
    listed = "".join(f"<dt>{label}</dt><dd>{text}</dd>" for label, text in rows)
    known = f"{first.property_id}, {first.title.name}"
    head = f"{number}. {escape(first.title.wrong)} <span class='soft'>{escape(known)}</span>"
    kind = ' class="inherited"' if first.inherited else ""
    return f"<article{kind}><h3>{head}</h3><dl>{listed}</dl>{_script(first)}</article>"


def _script(finding: Finding) -> str:
    program = finding.program
    if not program:
        return ""
    return f"<details><summary>A program that shows it</summary><pre>{escape(program)}</pre></details>"


def _number(text: str) -> str:
    return f'<span class="number">{escape(shortened(text, 500))}</span>'


def _row(finding: Finding) -> str:
    colour = COLOURS.get(finding.outcome, "bad")
    reason = f'<br><span class="soft">{escape(finding.reason)}</span>' if finding.reason else ""
    return (
        f"<tr><td>{escape(finding.property_id)}</td><td>{escape(finding.title.name)}</td>"
        f'<td class="{colour}">{finding.outcome}</td><td>{escape(finding.statement)}{reason}</td></tr>\n'
    )
