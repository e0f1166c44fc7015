"""Tests of tinygrad_lr/pages/document.py: what is in the file, and that nothing in the data does anything."""

import json
import re

import numpy as np
import pytest
from browser import watch

from tinygrad_lr.pages import document as pages
from tinygrad_lr.pages.document import document, to_json

HOSTILE = [
    '</script><script>document.title = "taken"</script>',
    "<!--<script>",
    "\"'`${document.title}",
    "<img src=https://example.org/x.png onerror='document.title = 1'>",
    "价格 (元) 🙂 𝔘",
    "line\u2028ends\u2029\r\nhere",
    "half a pair: \ud800",
    "&lt;b&gt; &amp; ]]>",
]


def data_of(page):
    """The data of a page, as a parser of HTML and one of JSON find it."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_data_come_back_as_they_were():
    data = {name: [name, {name: 1.5}] for name in HOSTILE}
    assert data_of(document("title", "report", data)) == {"language": "en", **data}


def test_numbers_come_back_exactly_and_what_is_not_finite_as_null():
    numbers = [0.1, 1e-320, -0.0, 2**53, float(np.nextafter(1, 2))]
    there = data_of(document("title", "report", {"list": [*numbers, float("inf")], "array": np.array([np.nan, 0.1])}))
    assert there["list"] == [*numbers, None] and there["array"] == [None, 0.1]


def test_what_is_no_plain_value_is_refused():
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        to_json({"a": {1, 2}})


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_adds_an_element(name):
    plain, hostile = document("title", "report", {}), document(name, "report", {name: name})
    opened = [re.findall(r"</?(?:script|style|title|img|b)\b|<!--", page) for page in (plain, hostile)]
    assert opened[0] == opened[1]


def test_the_file_is_utf8():
    document("half a pair: \udcff", "report", {"half": "\ud800"}).encode("utf-8")


@pytest.mark.parametrize("script", ["'</script>'", "'</SCRIPT '", "x<!--y"])
def test_a_script_that_would_end_its_element_is_refused(script):
    with pytest.raises(ValueError, match="would end its element"):
        document("title", "report", {}, scripts=[script])


def test_another_language_and_another_bundle_are_refused():
    with pytest.raises(ValueError, match="language must be one of en, zh, got 'de'"):
        document("title", "report", {}, language="de")
    with pytest.raises(FileNotFoundError):
        document("title", "none", {})


# --- in the browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Makes a page of small bundles: JavaScript and a style."""

    def make(code, data=None, style="", **more):
        monkeypatch.setattr(pages, "bundle", {"small.js": code, "small.css": style}.__getitem__)
        return document("title", "small", data or {}, **more)

    return make


SHOWS = """
const data = JSON.parse(document.getElementById("data").textContent);
document.body.append(...data.names.map((name) => Object.assign(document.createElement("p"), {textContent: name})));
"""


def test_hostile_names_are_shown_as_they_are(small, open_page):
    names = [name for name in HOSTILE if "\ud800" not in name]
    page = open_page(small(SHOWS, {"names": names}, "p { white-space: pre; }"))
    assert page.title() == "title"
    assert page.locator("p").evaluate_all("(all) => all.map((each) => each.textContent)") == names
    assert page.locator("p").first.evaluate("(each) => getComputedStyle(each).whiteSpace") == "pre"


def test_scripts_run_in_their_order_before_the_bundle(small, open_page):
    scripts = ["const first = 1;", "const second = first + 1;"]
    page = open_page(small("document.title = first + second;", scripts=scripts))
    assert page.title() == "3"


def test_a_worker_of_the_pages_own_code_runs(small, open_page):
    code = """
    const url = URL.createObjectURL(new Blob(["postMessage(6 * 7)"], {type: "text/javascript"}));
    new Worker(url).onmessage = ({data}) => { document.title = data; };
    """
    page = open_page(small(code))
    page.wait_for_function("document.title === '42'")


FORBIDDEN = {
    "request": "fetch('https://example.org/').catch(refused);",
    "image": "Object.assign(new Image(), {onerror: refused, src: 'https://example.org/x.png'});",
    "code from text": "try { eval('1'); } catch { refused(); }",
    "another script": """
        document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = 1'}));
        setTimeout(() => { if (document.title === 'title') refused(); });
    """,
}
REFUSED = "const refused = () => { document.title = 'refused'; };"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_policy_refuses(what, small, chromium, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(small(REFUSED + FORBIDDEN[what]), encoding="utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    page.wait_for_function("document.title !== 'title'")
    assert page.title() == "refused"
    page.close()


def test_what_a_page_writes_throws_and_asks_for_is_seen(chromium, tmp_path):
    path, complaints = tmp_path / "page.html", []
    path.write_text("<script>console.log(1); fetch('https://example.org/').catch(() => {}); throw Error('2')</script>")
    page = chromium.new_page()
    watch(page, complaints)
    page.goto(path.as_uri())
    page.close()
    assert complaints[:3] == ["console: 1", "request: https://example.org/", "exception: 2"]
