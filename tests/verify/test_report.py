"""Reports in all forms: what is wrong comes first, in words; JUnit, SARIF and HTML are what their readers want."""

import json
import xml.etree.ElementTree as xml
from html.parser import HTMLParser

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.verify.protocol import Case
from tinygrad_lr.verify.report import Finding, Report
from tinygrad_lr.verify.report.differences import LAST_BIT, NOT_FINITE, SIZE, WORDS, difference, expectation
from tinygrad_lr.verify.report.reports import FORMATS
from tinygrad_lr.verify.search.shrink import shrink
from tinygrad_lr.verify.specification import spec


def failed(property_id, where="theta after step 1 of parameter 0", **more):
    said = {"expected": "between 0.9999 and 1.0001", "actual": "1.06", "ratio": 1e5, "kind": SIZE, "relative": 0.06}
    said |= {"place": "theta after step # of parameter # (first)", **more}
    return Finding(property_id, f"{property_id} says.", "failed", where=where, **said)


EXAMPLE = {"hyperparameters": {"lr": 0.1}, "dtypes": ["float32"], "params": [[0.0]], "gradients": [[[1.0]], [None]]}
REPORT = Report(
    "mine.Adam <b> against adam (torch), float32, seed 0",
    [
        Finding("P0", "It runs.", "passed"),
        failed("P1", example=EXAMPLE, formula=("theta <- theta - lr g",), nearest_bug="matches: a known bug"),
        Finding("P2", "Same bits.", "passed", "not examined: threads"),
        Finding("P5", "Company.", "differs", "true of some rules only"),
        Finding("P8", "Shares.", "ignored", "inherited", inherited="torch.optim.Optimizer"),
        failed("P9", where="parameter 0", place="parameter #"),
        Finding("P13", "Maximize.", "not applicable", "there is no maximize"),
        Finding("P20", "Scale.", "expected failure", "known"),
        Finding("P24", "NaN\x00.", "error", "it raised ZeroDivisionError: 1/0", raised="ZeroDivisionError"),
        failed("P27"),
    ],
    ("/somewhere/mine.py", 12),
    "adam",
)


def test_failures_come_first_in_words_and_one_cause_is_told_once():
    text = str(REPORT)
    lines = text.splitlines()
    assert lines[2] == "1. A step is not the formula's.   [P1, the formula]"
    order = [
        "expected  1 (between 0.9999 and 1.0001)",
        "6 % off",
        "formula   theta",
        "with      lr=0.1",
        "step 2 [None]",
    ]
    order += ["also      P27, first step", "may follow from this", "2. A run that was saved", "3. ", "Passed:"]
    places = [text.index(part) for part in order]
    assert places == sorted(places) and "there is no maximize" not in text and len(lines) < 50
    assert lines[-1].startswith("NOT right: 2 passed, 3 failed, 1 differs, 1 ignored") and "says more" in lines[-1]
    assert "there is no maximize" in REPORT.render(everything=True)
    assert "true of some rules only" in text and "Failed as expected" in text


def test_notes_on_what_was_not_examined_stand_together_and_are_short():
    long = f"not examined: {'gradients transposed, a late group, ' * 30}(no add_group())"
    report = Report(
        "x", [Finding(f"P{i}", "s", "passed", "not examined: threads" if i < 5 else long) for i in range(2, 6)]
    )
    assert "P2, P3, P4  not examined: threads" in str(report) and len(str(report)) < 700
    assert "(no add_group())" in report.render(everything=True).replace("\n          ", " ")


def test_a_known_bug_of_steps_explains_no_copy_that_is_shared():
    """The bug resembles every run of the optimizer, that in which a state is copied, too."""
    bug = {"nearest_bug": "matches: a known bug", "place": "parameter #"}
    text = str(Report("x", [failed("P1", **bug), failed("P8", **bug), failed("P13", **bug)]))
    assert "also      P13" in text and "2. A saved or loaded state" in text


def test_what_behaves_as_another_known_bug_stands_by_itself():
    """A class with two bugs is told of both."""
    bugs = {
        "P1": "matches: one",
        "P27": "on this example also: another",
        "P28": "on this example also: one",
        "P30": None,
    }
    text = str(Report("x", [failed(name, nearest_bug=bug) for name, bug in bugs.items()]))
    assert "2. The first step" in text and "also      P28" in text and "also      P30" in text and "3." not in text


def test_without_p1_nothing_follows_from_the_formula():
    text = str(Report("x", [failed("P9", place="parameter #"), failed("P27")]))
    assert "also" not in text and "2. The first step" in text


@pytest.mark.parametrize(
    ("expected", "actual", "dtype", "kind", "relative"),
    [
        ("between -0.11 and -0.1", "-0.2", "float32", SIZE, 0.45),
        ("0.001", "0.0009999999", "float32", LAST_BIT, 1e-7),
        ("0.001", "0.0009999999", "float64", SIZE, 1e-7),
        ("1.0", "nan", "float32", NOT_FINITE, None),
        ("an error", "1.0", "float32", WORDS, None),
        ("1", "-1", "float32", SIZE, 2.0),
        ("0.0", "-0.0", "float32", LAST_BIT, 0.0),
        ("at most 2.0", "3.0", "float32", SIZE, 1 / 3),
    ],
)
def test_differences(expected, actual, dtype, kind, relative):
    found = difference(expected, actual, dtype)
    assert found.kind == kind and found.relative == (relative if relative is None else pytest.approx(relative))
    assert expectation("between 1.0 and 1.0") == "1"


def test_the_last_bit_is_said():
    assert "differs in the last bit" in str(failed("P3", expected="1.0", actual="1.0000001", kind=LAST_BIT, ratio=None))


def test_junit_is_what_ci_servers_read():
    root = xml.fromstring(REPORT.render("junit"))
    assert root.tag == "testsuites" and [each.tag for each in root] == ["testsuite"]
    assert set(root.attrib) == {"name", "tests", "failures", "errors", "time"}, "all that Jenkins' XSD has there"
    (suite,) = root
    assert suite.attrib.items() >= {"tests": "10", "failures": "3", "errors": "1", "skipped": "4"}.items()
    assert {"name", "tests", "failures", "errors", "skipped", "time"} <= set(suite.attrib)
    cases = {case.get("name"): case for case in suite}
    assert all({"name", "classname", "time"} <= set(case.attrib) for case in suite)
    assert [child.tag for child in cases["P1 the formula"]] == ["failure"] and not list(cases["P2 repeatability"])
    assert cases["P13 maximize"][0].get("message") == "not applicable: there is no maximize"
    assert (
        "6 % off" in cases["P1 the formula"][0].text
        and cases["P24 second moments"][0].get("type") == "ZeroDivisionError"
    )


# What SARIF 2.1.0 requires (sections 3.13 to 3.52), and GitHub's code scanning besides.
SEVERITIES = {"none", "note", "warning", "error"}


def test_sarif_has_what_the_standard_requires(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = json.loads(REPORT.render("sarif"))
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json") and len(log["runs"]) == 1
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] and len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in driver["rules"])
    assert [each["ruleId"] for each in run["results"]] == ["P1", "P5", "P9", "P24", "P27"]
    for each in run["results"]:
        assert each["message"]["text"] and each["level"] in SEVERITIES
        assert driver["rules"][each["ruleIndex"]]["id"] == each["ruleId"]
        (location,) = each["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "file:///somewhere/mine.py" and place["region"]["startLine"] == 12
        assert each["partialFingerprints"]
    here = Report("x", [failed("P1")], (str(tmp_path / "a b.py"), 3))
    place = json.loads(here.render("sarif"))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20b.py", "uriBaseId": "%SRCROOT%"}
    assert "physicalLocation" not in json.dumps(json.loads(Report("x", [failed("P1")]).render("sarif")))


class Tags(HTMLParser):
    """Whether every element is closed, and what is loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.loads += [value for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html_is_one_file_whole_and_escaped():
    tags = Tags()
    tags.feed(REPORT.render("html"))
    assert tags.open == [] and tags.loads == []
    assert "mine.Adam <b> against adam" in tags.text and "6 % off" in tags.text and "P13" in tags.text
    assert tags.text.index("What is wrong") < tags.text.index("All properties")


def test_what_is_inherited_alone_is_said_in_every_form():
    """A newcomer does not read that torch's Adam is wrong; nothing is called all right that was not ignored."""
    base = "torch.optim.Optimizer"
    right = Finding("P1", "s", "passed")
    report = Report("torch.optim.Adam against adam", [right, failed("P8", inherited=base)], None, "adam")
    said = f"the formula is right; what failed is inherited from {base}"
    assert not report.ok and report.inherited_from == (base,) and report.summary.startswith(said)
    last = str(report).splitlines()[-1]
    assert last == f'{said}: 1 passed, 1 failed (ignore={{"inherited"}} leaves it out)'
    assert f"[P8, state is copied; inherited from {base}]" in str(report)
    assert json.loads(report.render("json"))["verdict"] == said and f'mild">{said}' in report.render("html")
    assert f"(inherited from {base})" in report.render("junit")
    (result,) = json.loads(report.render("sarif"))["runs"][0]["results"]
    assert result["level"] == "warning" and "verified: adam, 1 property, 1 inherited" in report.badge()
    both = Report("x", [failed("P8", inherited=base), right, failed("P9")], None, "adam")
    assert both.verdict == "NOT right" and both.inherited_from == () and "not verified" in both.badge()
    text = str(both)
    assert text.index("P9, save") < text.index("P8, state"), "what is its own comes first"
    assert Report("x", [failed("P8", inherited=base)]).verdict.startswith("nothing of its own is wrong; what failed")


def test_json_and_badge_and_an_unknown_form():
    found = json.loads(REPORT.render("json"))
    assert found["ok"] is False and found["findings"][1]["title"] == "A step is not the formula's."
    assert "adam, 4 properties wrong" in REPORT.badge()
    right = Report("x", [Finding("P0", "s", "passed"), Finding("P2", "s", "passed")], None, "adam")
    badge = xml.fromstring(right.badge())
    assert badge.tag.endswith("svg") and badge.get("aria-label") == "verified: adam, 1 property"
    assert set(FORMATS) == {"text", "json", "html", "junit", "sarif"}
    with pytest.raises(ValueError, match="format must be one of text, json, html, junit, sarif, got 'xml'"):
        REPORT.render("xml")


def test_what_is_made_small_stays_as_plain_as_it_was():
    """A bug of 6 % is not exchanged for the last bit that a simpler example shows."""
    case = Case(spec("sgd", lr=0.1), [np.ones(3)], [[np.array([0.3, -7.31, 0.2])], [np.array([0.1, 0.2, 0.3])]])
    large = lambda c: any((np.abs(g[0]) > 5).any() for g in c.gradients)  # noqa: E731
    small = shrink(case, lambda c: 0.06 if large(c) else 1e-7)
    assert large(small) and small.params[0].size == 1 and len(small.gradients) == 1
    assert not large(shrink(case, lambda c: 1.0)), "without a size the simplest example wins"


def test_what_is_made_small_keeps_its_place_and_kind():
    """Later steps are 6 % off, and where parameters are zero a NaN comes: another bug, which is not shown instead."""

    class Twice:
        def __init__(self, params, lr=0.1):
            self.params, self.lr, self.t = params, lr, 0

        def step(self, grads):
            self.t += 1
            for p, g in zip(self.params, grads, strict=True):
                if g is not None:
                    lost = self.t > 1 and p.size == 1 and not g.any()
                    p -= p.dtype.type(np.nan if lost else self.lr * (1.06 if self.t > 1 else 1)) * g

    report = verify.check_optimizer(Twice, "sgd", hyperparameters={"lr": 0.1}, properties=["P1"], max_examples=0)
    finding = report["P1"]
    assert finding.kind == SIZE and finding.place.endswith("(later)") and finding.relative > 0.02
    assert len(finding.example["gradients"]) == 2 and finding.example["hyperparameters"] == {"lr": 0.1}
